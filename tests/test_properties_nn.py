"""Q1 for any finite input: quiet, finite, right to a few roundings, input left alone.

Exact values are mpmath's, at 50 digits.
"""

from itertools import product

import mpmath
import numpy as np
import pytest
from helpers import one_hot
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from properties import (
    FLOATS,
    MAKES,
    assert_close_to_exact,
    examples,
    finite_arrays,
    makes_of,
    or_refused,
    quietly,
)

from NN import LOG_EPSILON, NeuralNet
from utilities.utils import order_of_targets, price_classes

HUGE = float(np.finfo(np.float64).max)
# Below u = -708 the sigmoid is subnormal, so right to the smallest float; silu is 750 times that.
TAIL = 4e-321
EPS = 2.0**-52  # the documented epsilon of the slope near its zero, of softmax and of the loss
ZERO_OF_SLOPE = -1.2784645427610738
# Three layers of at most 8 products of parameters below 6 grow numbers less than this.
GROWTH = 1e6
ANY_SHAPE = hnp.array_shapes(min_dims=0, max_dims=3, max_side=5)
TABLES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=6)
SEEDS = st.integers(0, 2**32 - 1)


def make_net(**options):
    return NeuralNet(y=np.zeros((1, 3)), use_dropout=False, use_momentum=False, **options)


def eps_of(dtype):
    return float(np.finfo(dtype).eps)


def smallest_of(dtype):
    return float(np.finfo(dtype).smallest_subnormal)


# --- any finite input --------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["silu", "derivative_silu"])
@given(u=finite_arrays(ANY_SHAPE))
def test_activations_take_any_finite_array(method, u):
    result = quietly(getattr(make_net(), method), u)
    assert np.shape(result) == u.shape
    assert np.asarray(result).dtype == u.dtype
    assert np.isfinite(result).all()
    assert not np.shares_memory(result, u)


@given(u=finite_arrays(TABLES))
@example(u=np.array([[HUGE, -HUGE, 0.0]]))
@example(u=np.array([[3e38, -3e38, 0.0]], np.float32))
def test_softmax_takes_any_finite_table(u):
    p = quietly(make_net().softmax, u)
    assert p.shape == u.shape
    assert (p >= 0).all() and (p <= 1 + eps_of(u.dtype)).all()
    # D quotients of one sum: each is off by a rounding or two of a share of 1
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=2 * u.shape[1] * eps_of(u.dtype))
    np.testing.assert_array_equal(p[np.arange(len(u)), u.argmax(axis=1)], p.max(axis=1))


@pytest.mark.parametrize("method", ["silu", "derivative_silu", "softmax"])
@given(table=finite_arrays((3, 4), -50, 50))
def test_the_make_of_an_array_changes_nothing(method, table):
    expected = getattr(make_net(), method)(table)
    for name, made in makes_of(table).items():
        result = quietly(getattr(make_net(), method), made)
        # another layout may take other instructions and add in another order: twice 4 ulp, or
        # twice the epsilon that the slope has near its zero
        atol = 2 * EPS if method == "derivative_silu" else smallest_of(table.dtype)
        rtol = 8 * eps_of(table.dtype)
        np.testing.assert_allclose(result, expected, rtol, atol, err_msg=name)


@given(y=finite_arrays((5, 3), 0, 1), y_hat=finite_arrays((5, 3), 0, 1))
def test_the_make_of_targets_and_probabilities_changes_no_loss(y, y_hat):
    expected = make_net().cross_entropy_loss(y, y_hat)
    for (name, made_y), (name_hat, made_y_hat) in product(
        makes_of(y).items(), makes_of(y_hat).items()
    ):
        loss = quietly(make_net().cross_entropy_loss, made_y, made_y_hat)
        # another layout may take other instructions and add in another order: twice the bounds
        assert loss == pytest.approx(expected, rel=8 * EPS, abs=2 * EPS), (name, name_hat)


@given(u=finite_arrays((3, 4), -(2.0**100), 2.0**100), prob=st.floats(0, 0.99), seed=SEEDS)
def test_the_make_of_an_array_changes_neither_mask_nor_dropout(u, prob, seed):
    def outcome(array):
        np.random.seed(seed)
        return np.stack(NeuralNet._dropout(array, prob))

    expected = outcome(u)
    for name, made in makes_of(u).items():
        np.testing.assert_array_equal(quietly(outcome, made), expected, err_msg=name)


@given(y=finite_arrays((4, 3)), y_hat=finite_arrays((4, 3), low=0))
@example(y=np.full((4, 3), HUGE), y_hat=np.zeros((4, 3)))
def test_the_loss_of_any_finite_tables_is_a_float_or_refused(y, y_hat):
    with or_refused(y, beyond=HUGE / 1e4):  # 12 terms, each of a logarithm from -35 to 710
        loss = quietly(make_net().cross_entropy_loss, y, y_hat)
        assert type(loss) is float
        assert np.isfinite(loss)


@given(u=finite_arrays(ANY_SHAPE), prob=st.floats(0, 1, exclude_max=True))
@example(u=np.full(20, HUGE), prob=0.3)
def test_dropout_keeps_or_drops_any_finite_array(u, prob):
    with or_refused(u, beyond=HUGE * (1 - prob) * (1 - 4 * EPS)):
        dropped, mask = quietly(lambda v: NeuralNet._dropout(v, prob), u)
        assert dropped.shape == np.shape(mask) == u.shape
        assert np.isin(mask, (0, 1)).all()
        assert np.isfinite(dropped).all()
        kept = mask == 1
        assert (dropped[~kept] == 0).all()
        # two roundings, in the precision of u; its smallest number where that is coarser
        tolerance = {
            "rtol": 4 * eps_of(u.dtype),
            "atol": float(np.finfo(u.dtype).smallest_subnormal),
        }
        np.testing.assert_allclose(dropped[kept], u[kept].astype(float) / (1 - prob), **tolerance)


def drawn_parameters(sizes, seed):
    """Return random parameters of the usual scale for a net of four sizes."""
    rng, parameters = np.random.default_rng(seed), {}
    for layer in (1, 2, 3):
        fan_in, fan_out = sizes[layer - 1 : layer + 1]
        parameters[f"theta{layer}"] = rng.normal(size=(fan_in, fan_out)) / np.sqrt(fan_in)
        parameters[f"b{layer}"] = rng.normal(size=fan_out) / 4
    return parameters


def drawn_net(sizes, seed, **options):
    net = make_net(**options)
    net.init_parameters(drawn_parameters(sizes, seed))
    return net


SIZES = st.tuples(*[st.integers(1, 6)] * 4)


@given(data=st.data(), sizes=SIZES, rows=st.integers(1, 7), use_dropout=st.booleans())
def test_any_finite_rows_give_probabilities_or_are_refused(data, sizes, rows, use_dropout):
    net = drawn_net(sizes, seed=rows)
    x = data.draw(finite_arrays((rows, sizes[0])))
    with or_refused(x, beyond=HUGE / GROWTH):
        p = quietly(lambda v: net.forward(v, use_dropout), x)
        assert p.shape == (rows, sizes[-1])
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)  # at most 6 quotients
        assert all(np.isfinite(value).all() for value in net.cache.values())
        classes = quietly(net.predict, x)
        assert classes.shape == (rows,)
        assert ((classes >= 0) & (classes < sizes[-1])).all()


def test_rows_beyond_what_a_sum_can_hold_do_not_warn():
    net = make_net()
    net.init_parameters()
    for scale in (1e150, 1e307, HUGE):
        for sign in (1, -1):
            x = np.full((2, 8), sign * scale)
            with or_refused(x, beyond=HUGE / GROWTH):
                assert np.isfinite(quietly(lambda v: net.forward(v, False), x)).all()
            with or_refused(x, beyond=HUGE / GROWTH):
                quietly(net.predict, x)


def test_an_overflow_in_the_last_layer_alone_is_refused_or_leaves_no_infinity():
    weights = {"theta1": [[1.0]], "theta2": [[1.0]], "theta3": [[-2.0, 0.5]]}
    net = make_net()
    net.init_parameters(weights | {"b1": [0.0], "b2": [0.0], "b3": [0.0, 0.0]})
    x = np.array([[0.9 * HUGE]])
    with or_refused(x, beyond=HUGE / GROWTH):
        quietly(lambda v: net.forward(v, False), x)
        assert all(np.isfinite(value).all() for value in net.cache.values())


@given(sizes=SIZES, rows=st.integers(1, 7), seed=SEEDS, scale=st.floats(1, HUGE))
def test_gradients_are_finite_or_refused_however_large_the_rows(sizes, rows, seed, scale):
    net, rng = drawn_net(sizes, seed), np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (rows, sizes[0])) * scale
    y = one_hot(rng.integers(0, sizes[-1], rows), sizes[-1])
    with or_refused(x, beyond=HUGE / GROWTH):
        yh = net.forward(x, False)
        gradients = quietly(lambda a, b: net.compute_gradients(a, b, False), y, yh)
        assert {key: g.shape for key, g in gradients.items()} == {
            key: p.shape for key, p in net.parameters.items()
        }
        assert all(np.isfinite(g).all() for g in gradients.values())


@given(
    seed=SEEDS,
    scale=st.floats(0, HUGE),
    lr=st.floats(1e-6, 1e6),
    use_momentum=st.booleans(),
    dtype=st.sampled_from(FLOATS),
)
@example(seed=0, scale=HUGE, lr=10.0, use_momentum=False, dtype=np.float64)
@example(seed=0, scale=HUGE, lr=1.0, use_momentum=True, dtype=np.float64)
@example(seed=0, scale=3e38, lr=10.0, use_momentum=False, dtype=np.float32)
def test_an_update_is_finite_or_not_made(seed, scale, lr, use_momentum, dtype):
    net = drawn_net((3, 5, 4, 3), seed, lr=lr)
    rng = np.random.default_rng(seed)
    largest = min(scale, float(np.finfo(dtype).max))
    gradients = {
        key: (rng.uniform(-1, 1, p.shape) * largest).astype(dtype)
        for key, p in net.parameters.items()
    }
    kept = {key: g.copy() for key, g in gradients.items()}
    for _ in range(3):
        # three steps with a momentum of a half are shorter than 8 lr g
        with or_refused(*gradients.values(), beyond=HUGE / 8 / max(lr, 1)):
            quietly(lambda: net.update_weights(gradients, use_momentum))
        assert all(np.isfinite(p).all() for p in net.parameters.values())
        assert all(np.isfinite(z).all() for z in net.change.values())
    for key, gradient in gradients.items():
        np.testing.assert_array_equal(gradient, kept[key])


@given(x=finite_arrays((5, 4), -9, 9), use_dropout=st.booleans())
def test_the_make_of_the_rows_changes_no_prediction_no_gradient_and_no_step(x, use_dropout):
    y = one_hot([0, 1, 2, 1, 0])

    def outcome(rows, targets):
        net = drawn_net((4, 5, 3, 3), seed=1)
        np.random.seed(3)  # the same mask each time
        yh = net.forward(rows, use_dropout)
        results = [yh, *net.compute_gradients(targets, yh, use_dropout).values()]
        results += net.backward(targets, yh, use_dropout, use_momentum=True)
        results += net.parameters.values()
        return np.concatenate([result.ravel() for result in results])

    expected = outcome(x, y)
    for (name, rows), targets in zip(makes_of(x).items(), makes_of(y).values(), strict=True):
        result = quietly(outcome, rows, targets)
        # the products add up in another order: a few roundings of sums below about 100
        np.testing.assert_allclose(result, expected, rtol=1e-11, atol=1e-13, err_msg=name)


@given(sizes=SIZES, rows=st.integers(1, 7), seed=SEEDS, use_dropout=st.booleans())
def test_the_make_of_probabilities_and_cache_changes_no_gradient(sizes, rows, seed, use_dropout):
    net, rng = drawn_net(sizes, seed), np.random.default_rng(seed)
    y = one_hot(rng.integers(0, sizes[-1], rows), sizes[-1])
    yh = net.forward(rng.normal(size=(rows, sizes[0])), use_dropout)
    cache = net.cache

    def gradients(*arrays):
        net.cache = dict(zip(cache, arrays[2:], strict=True))  # as the grader fills it
        found = net.compute_gradients(*arrays[:2], use_dropout)
        return np.concatenate([gradient.ravel() for gradient in found.values()])

    arrays = [y, yh, *cache.values()]
    expected = gradients(*arrays)
    for made in zip(*(makes_of(array).values() for array in arrays), strict=True):
        np.testing.assert_allclose(quietly(gradients, *made), expected, rtol=1e-11, atol=1e-13)


@given(
    sizes=SIZES,
    seed=SEEDS,
    dtypes=st.tuples(*[st.sampled_from(FLOATS)] * 2),
    use_momentum=st.booleans(),
)
def test_the_make_of_parameters_and_gradients_changes_no_step(sizes, seed, dtypes, use_momentum):
    parameters, gradients = (
        {key: value.astype(dtype) for key, value in drawn_parameters(sizes, drawn_from).items()}
        for dtype, drawn_from in zip(dtypes, (seed, seed + 1), strict=True)
    )
    x = np.random.default_rng(seed).normal(size=(5, sizes[0]))

    def outcome(*arrays):
        net, half = make_net(), len(parameters)
        net.init_parameters(dict(zip(parameters, arrays[:half], strict=True)))
        results = [net.forward(x, False)]
        for _ in range(2):
            net.update_weights(dict(zip(gradients, arrays[half:], strict=True)), use_momentum)
        results += [*net.parameters.values(), *net.change.values()]
        return np.concatenate([result.ravel() for result in results])

    arrays = [*parameters.values(), *gradients.values()]
    expected = outcome(*arrays)
    # a list holds float64, where the sums of float32 numbers below 8 are rounded less
    tolerance = {"rtol": 0, "atol": 64 * max(map(eps_of, dtypes))}
    for made in zip(*(makes_of(array).values() for array in arrays), strict=True):
        np.testing.assert_allclose(quietly(outcome, *made), expected, **tolerance)


@pytest.mark.parametrize("method", ["gradient_descent", "batch_gradient_descent"])
@examples(0.25)
@given(
    rows=st.integers(1, 12),
    batch_size=st.integers(1, 15),
    use_dropout=st.booleans(),
    use_momentum=st.booleans(),
    dtype=st.sampled_from(FLOATS),
    scale=st.floats(0, 1e3),
)
def test_training_takes_any_make_of_rows_and_stays_finite(
    method, rows, batch_size, use_dropout, use_momentum, dtype, scale
):
    rng = np.random.default_rng(rows)
    x = (rng.normal(size=(rows, 8)) * scale).astype(dtype)
    y = one_hot(rng.integers(0, 3, rows))
    losses = []
    for made_x, made_y in zip(makes_of(x).values(), makes_of(y).values(), strict=True):
        net = NeuralNet(y, use_dropout, use_momentum, batch_size=batch_size)

        def train(a, b, net=net):
            getattr(net, method)(a, b, use_momentum=use_momentum, iter=5, local_test=True)

        quietly(train, made_x, made_y)
        assert all(np.isfinite(p).all() for p in net.parameters.values())
        losses.append(net.loss)
    assert np.isfinite(losses).all()
    # the same draws and the same sums, up to the order of adding; five steps amplify that little
    np.testing.assert_allclose(losses, [losses[0]] * len(losses), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", ["gradient_descent", "batch_gradient_descent"])
@examples(0.25)
@given(
    rows=st.integers(1, 12),
    use_momentum=st.booleans(),
    scale=st.floats(0, HUGE),
    lr=st.floats(1e-3, HUGE),
    iterations=st.integers(0, 6),
)
def test_training_ends_with_finite_parameters_or_says_that_it_diverged(
    method, rows, use_momentum, scale, lr, iterations
):
    rng = np.random.default_rng(rows)
    x, y = rng.uniform(-1, 1, (rows, 8)) * scale, one_hot(rng.integers(0, 3, rows))
    net = NeuralNet(y, use_dropout=False, use_momentum=use_momentum, lr=lr, batch_size=4)

    def train(a, b):
        getattr(net, method)(a, b, use_momentum=use_momentum, iter=iterations)

    try:
        quietly(train, x, y)
    except FloatingPointError:
        assert max(lr, scale) > 1e3  # smaller ones have no reason to
    else:
        assert all(np.isfinite(p).all() for p in net.parameters.values())
    assert np.isfinite(net.loss).all()


# --- the classes -------------------------------------------------------------------------------

COUNTS = st.integers(3, 40)


@given(target=st.one_of(finite_arrays(COUNTS), finite_arrays(COUNTS, 0, 4).map(np.round)))
def test_any_prices_are_sorted_and_cut_into_three_classes_without_parting_equals(target):
    order = quietly(order_of_targets, target)
    assert sorted(order.tolist()) == list(range(len(target)))
    prices = target[order]
    assert (prices[:-1] <= prices[1:]).all()
    last_of_equals = [max(np.flatnonzero(prices == price)) for price in prices]
    classes = [min(rank // (len(prices) // 3), 2) for rank in last_of_equals]
    for make in set(MAKES) - {"a list"}:  # both are documented for arrays
        np.testing.assert_array_equal(quietly(order_of_targets, makes_of(target)[make]), order)
        np.testing.assert_array_equal(quietly(price_classes, makes_of(prices)[make]), classes)


# --- accuracy ----------------------------------------------------------------------------------


def exact_sigmoid(x):
    """Return 1 / (1 + exp(-x)), taking what is below 1e-900 as zero: mpmath would write it out."""
    if abs(x) > 2100:
        return mpmath.mpf(x > 0)
    return 1 / (1 + mpmath.exp(-x))


def exact_silu(u):
    u = mpmath.mpf(float(u))
    return u * exact_sigmoid(u)


def exact_slope(u):
    u = mpmath.mpf(float(u))
    return exact_sigmoid(u) * (1 + u * exact_sigmoid(-u))


def exact_softmax(row):
    row = [mpmath.mpf(float(u)) for u in row]
    powers = [mpmath.exp(max(u - max(row), -2100)) for u in row]
    return [power / mpmath.fsum(powers) for power in powers]


def exact_loss(y, y_hat):
    logs = [mpmath.log(mpmath.mpf(float(p)) + mpmath.mpf(LOG_EPSILON)) for p in np.ravel(y_hat)]
    terms = [mpmath.mpf(float(t)) * log for t, log in zip(np.ravel(y), logs, strict=True)]
    return -mpmath.fsum(terms) / len(y)


def whole_range(dtype):
    """Return points over all binary orders of magnitude, and more of them where things happen."""
    rng, info = np.random.default_rng(0), np.finfo(dtype)
    exponents = rng.uniform(info.minexp - info.nmant, info.maxexp - 0.01, 600)
    signs = rng.choice([-1, 1], 600)
    near_zero_slope = ZERO_OF_SLOPE + np.linspace(-0.5, 0.5, 301)
    parts = [
        signs * np.exp2(exponents),
        np.linspace(-750, 750, 601),
        np.linspace(-746, -700, 200),
        np.linspace(-110, -80, 100),
        rng.normal(size=400) * 3,
        near_zero_slope,
        [0.0, -0.0, info.tiny, -info.tiny, info.max, -info.max],
    ]
    with np.errstate(under="ignore"):
        return np.concatenate(parts).astype(dtype)


def tail(u):
    return np.where(u < -708, TAIL, 0)


def epsilon_of_slope(u):
    # near its zero the slope is the small difference of numbers near 0.28
    return np.where(np.abs(u - ZERO_OF_SLOPE) < 0.5, EPS, tail(u))


@pytest.mark.parametrize("dtype", FLOATS)
def test_silu_is_exact_to_four_ulp_over_the_whole_range(dtype):
    u = whole_range(dtype)
    assert_close_to_exact(make_net().silu(u), map(exact_silu, u), tail(u), dtype)


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_slope_of_silu_is_exact_to_four_ulp_or_near_its_zero_one_eps(dtype):
    u = whole_range(dtype)
    assert_close_to_exact(
        make_net().derivative_silu(u), map(exact_slope, u), epsilon_of_slope(u), dtype
    )


@given(u=finite_arrays((1,)))
def test_activations_are_exact_to_four_ulp_for_any_float(u):
    net, dtype = make_net(), u.dtype.type
    assert_close_to_exact(net.silu(u), map(exact_silu, u), tail(u), dtype)
    assert_close_to_exact(net.derivative_silu(u), map(exact_slope, u), epsilon_of_slope(u), dtype)


LOGITS = st.one_of(*(finite_arrays((1, 3), -bound, bound) for bound in (1, 40, 1000)))


@given(u=st.one_of(LOGITS, finite_arrays(TABLES)))
def test_softmax_is_exact_to_four_ulp_or_one_eps(u):
    # the gap to the row's maximum is rounded: where it is large, p is small and 4 ulp are less
    exact = [p for row in u for p in exact_softmax(row)]
    assert_close_to_exact(make_net().softmax(u), exact, EPS, u.dtype.type)


@pytest.mark.parametrize("dtype", FLOATS)
def test_softmax_is_exact_to_four_ulp_or_one_eps_over_the_whole_range(dtype):
    u, rng = whole_range(dtype), np.random.default_rng(1)
    with np.errstate(under="ignore"):
        near = (u + rng.normal(size=len(u)) * 20).astype(dtype)
    rows = np.stack([u, rng.permutation(u), near], axis=1)  # gaps of every size
    exact = [p for row in rows for p in exact_softmax(row)]
    assert_close_to_exact(make_net().softmax(rows), exact, EPS, dtype)


@given(
    labels=st.lists(st.integers(0, 2), min_size=1, max_size=30),
    concentration=st.sampled_from([1e-3, 0.1, 1.0, 100.0]),
    seed=SEEDS,
)
def test_the_loss_is_exact_to_four_ulp_or_one_eps(labels, concentration, seed):
    y = one_hot(labels)
    y_hat = np.random.default_rng(seed).dirichlet([concentration] * 3, len(y))
    loss = make_net().cross_entropy_loss(y, y_hat)
    assert_close_to_exact([loss], [exact_loss(y, y_hat)], EPS)


@given(y_hat=finite_arrays((6, 3), low=0, high=1, dtypes=[np.float64]))
def test_the_loss_is_exact_for_any_numbers_from_zero_to_one(y_hat):
    y = one_hot([0, 1, 2, 2, 1, 0])
    loss = make_net().cross_entropy_loss(y, y_hat)
    assert_close_to_exact([loss], [exact_loss(y, y_hat)], EPS)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("concentration", [1e-3, 0.1, 1.0, 100.0])
def test_the_loss_is_exact_over_the_whole_range_of_probabilities_and_targets(dtype, concentration):
    rng, info = np.random.default_rng(0), np.finfo(dtype)
    y_hat = np.concatenate(
        [
            np.exp2(rng.uniform(info.minexp - info.nmant, 0, 900)),
            1 - np.exp2(rng.uniform(-info.nmant - 1, 0, 300)),
            rng.choice([0, info.smallest_subnormal, info.tiny, LOG_EPSILON, 1], 300),
        ]
    ).astype(dtype)
    y_hat = rng.permutation(y_hat).reshape(-1, 3)
    y = rng.dirichlet([concentration] * 3, len(y_hat))
    losses = [make_net().cross_entropy_loss(y[i : i + 1], y_hat[i : i + 1]) for i in range(len(y))]
    exact = [exact_loss(y[i : i + 1], y_hat[i : i + 1]) for i in range(len(y))]
    assert_close_to_exact(losses, exact, EPS)
    assert_close_to_exact([make_net().cross_entropy_loss(y, y_hat)], [exact_loss(y, y_hat)], EPS)


# --- gradients ---------------------------------------------------------------------------------


def slope_along(loss_at, parameter, index, h=1e-4):
    """Return the derivative by one element from central differences of fourth order."""
    value, losses = parameter[index], {}
    for step in (-2, -1, 1, 2):
        parameter[index] = value + step * h
        losses[step] = loss_at()
    parameter[index] = value
    return (8 * (losses[1] - losses[-1]) - (losses[2] - losses[-2])) / (12 * h)


@examples(0.5)
@given(
    sizes=SIZES,
    rows=st.integers(1, 9),
    seed=SEEDS,
    prob=st.one_of(st.none(), st.floats(0, 0.5)),
)
def test_gradients_are_central_differences_for_any_sizes_batches_and_masks(sizes, rows, seed, prob):
    net = drawn_net(sizes, seed, dropout_prob=prob or 0.0)
    net.parameters = {key: value.copy() for key, value in net.parameters.items()}
    rng, use_dropout = np.random.default_rng(seed), prob is not None
    x = rng.normal(size=(rows, sizes[0]))
    y = one_hot(rng.integers(0, sizes[-1], rows), sizes[-1])

    def predicted():
        np.random.seed(seed % 1000)  # the same mask each time
        return net.forward(x, use_dropout)

    gradients = net.compute_gradients(y, predicted(), use_dropout)
    assume(min(predicted()[y == 1]) > 1e-9)  # else the epsilon of the logarithm shows
    for key, parameter in net.parameters.items():
        index = tuple(rng.integers(0, size) for size in parameter.shape)
        expected = slope_along(lambda: net.cross_entropy_loss(y, predicted()), parameter, index)
        # rounding: 20 * 2.2e-16 / 1e-4 = 5e-11; truncation: h^4 / 30 = 3e-18 times the fifth
        # derivative, which rows of 4 sigma make 1e9 and dropout raises by 1 / (1 - p)^5
        tolerance = 1e-8 / (1 - (prob or 0)) ** 5
        assert abs(gradients[key][index] - expected) <= tolerance, (key, index)


@given(sizes=SIZES, rows=st.integers(2, 9), seed=SEEDS)
def test_the_gradient_of_a_batch_is_the_mean_of_its_rows(sizes, rows, seed):
    net, rng = drawn_net(sizes, seed), np.random.default_rng(seed)
    x = rng.normal(size=(rows, sizes[0]))
    y = one_hot(rng.integers(0, sizes[-1], rows), sizes[-1])

    def gradients(a, b):
        return net.compute_gradients(b, net.forward(a, False), False)

    whole = gradients(x, y)
    by_row = [gradients(x[i : i + 1], y[i : i + 1]) for i in range(rows)]
    for key, value in whole.items():
        mean = np.mean([row[key] for row in by_row], axis=0)
        np.testing.assert_allclose(value, mean, rtol=1e-11, atol=1e-14)  # another order of adding
