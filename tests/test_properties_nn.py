"""Q1 for any finite input: quiet, finite, right to a few roundings, input left alone.

Exact values are mpmath's, at 50 digits.
"""

import mpmath
import numpy as np
import pytest
from helpers import one_hot
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from properties import (
    FLOATS,
    assert_close_to_exact,
    examples,
    finite_arrays,
    makes_of,
    or_refused,
    quietly,
)

from NN import LOG_EPSILON, NeuralNet

HUGE = float(np.finfo(np.float64).max)
# Below u = -708 the sigmoid is subnormal, so right to the smallest float; silu is 750 times that.
TAIL = 4e-321
# the documented epsilon of the slope, of softmax and of the loss
EPS = 2.0**-52  # of float64; the float32 results are computed no worse than to their own
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


@given(table=finite_arrays((3, 4), -50, 50), method=st.sampled_from(["silu", "softmax"]))
def test_the_make_of_an_array_changes_nothing(table, method):
    expected = getattr(make_net(), method)(table)
    for name, made in makes_of(table).items():
        result = quietly(getattr(make_net(), method), made)
        # a list holds float64: a gap of up to 100 between logits is then not rounded to float32
        tolerance = {"rtol": 128 * eps_of(table.dtype), "atol": smallest_of(table.dtype)}
        np.testing.assert_allclose(result, expected, **tolerance, err_msg=name)


@given(y=finite_arrays((4, 3)), y_hat=finite_arrays((4, 3), low=0))
@example(y=np.full((4, 3), HUGE), y_hat=np.zeros((4, 3)))
def test_the_loss_of_any_finite_tables_is_a_float_or_refused(y, y_hat):
    with or_refused():
        loss = quietly(make_net().cross_entropy_loss, y, y_hat)
        assert type(loss) is float
        assert np.isfinite(loss)


@given(u=finite_arrays(ANY_SHAPE), prob=st.floats(0, 1, exclude_max=True))
@example(u=np.full(20, HUGE), prob=0.3)
def test_dropout_keeps_or_drops_any_finite_array(u, prob):
    with or_refused():
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


def drawn_net(sizes, seed, **options):
    """Return a net of four sizes with random parameters of the usual scale."""
    rng = np.random.default_rng(seed)
    net, parameters = make_net(**options), {}
    for layer in (1, 2, 3):
        fan_in, fan_out = sizes[layer - 1 : layer + 1]
        parameters[f"theta{layer}"] = rng.normal(size=(fan_in, fan_out)) / np.sqrt(fan_in)
        parameters[f"b{layer}"] = rng.normal(size=fan_out) / 4
    net.init_parameters(parameters)
    return net


SIZES = st.tuples(*[st.integers(1, 6)] * 4)


@given(data=st.data(), sizes=SIZES, rows=st.integers(1, 7), use_dropout=st.booleans())
def test_any_finite_rows_give_probabilities_or_are_refused(data, sizes, rows, use_dropout):
    net = drawn_net(sizes, seed=rows)
    x = data.draw(finite_arrays((rows, sizes[0])))
    with or_refused():
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
            with or_refused():
                assert np.isfinite(quietly(lambda v: net.forward(v, False), x)).all()
            with or_refused():
                quietly(net.predict, x)


@given(sizes=SIZES, rows=st.integers(1, 7), seed=SEEDS, scale=st.floats(1, 1e300))
def test_gradients_are_finite_or_refused_however_large_the_rows(sizes, rows, seed, scale):
    net, rng = drawn_net(sizes, seed), np.random.default_rng(seed)
    x = rng.normal(size=(rows, sizes[0])) * scale
    y = one_hot(rng.integers(0, sizes[-1], rows), sizes[-1])
    with or_refused():
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
        with or_refused():
            quietly(lambda: net.update_weights(gradients, use_momentum))
        assert all(np.isfinite(p).all() for p in net.parameters.values())
        assert all(np.isfinite(z).all() for z in net.change.values())
    for key, gradient in gradients.items():
        np.testing.assert_array_equal(gradient, kept[key])


@given(x=finite_arrays((5, 4), -9, 9), use_dropout=st.booleans())
def test_the_make_of_the_rows_changes_no_prediction_and_no_gradient(x, use_dropout):
    net = drawn_net((4, 5, 3, 3), seed=1)
    y = one_hot([0, 1, 2, 1, 0])

    def outcome(rows, targets):
        np.random.seed(3)  # the same mask each time
        yh = net.forward(rows, use_dropout)
        gradients = net.compute_gradients(targets, yh, use_dropout)
        return np.concatenate([yh.ravel(), *(g.ravel() for g in gradients.values())])

    expected = outcome(x, y)
    for (name, rows), targets in zip(makes_of(x).items(), makes_of(y).values(), strict=True):
        result = quietly(outcome, rows, targets)
        # the products add up in another order: a few roundings of sums below about 100
        np.testing.assert_allclose(result, expected, rtol=1e-11, atol=1e-13, err_msg=name)


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
    rows, batch_size, use_dropout, use_momentum, dtype, scale
):
    rng = np.random.default_rng(rows)
    x = (rng.normal(size=(rows, 8)) * scale).astype(dtype)
    y = one_hot(rng.integers(0, 3, rows))
    losses = []
    for made_x, made_y in zip(makes_of(x).values(), makes_of(y).values(), strict=True):
        net = NeuralNet(y, use_dropout, use_momentum, batch_size=batch_size)

        def train(a, b, net=net):
            net.batch_gradient_descent(a, b, use_momentum, iter=5, local_test=True)

        quietly(train, made_x, made_y)
        assert all(np.isfinite(p).all() for p in net.parameters.values())
        losses.append(net.loss)
    assert np.isfinite(losses).all()
    # the same draws and the same sums, up to the order of adding; five steps amplify that little
    np.testing.assert_allclose(losses, [losses[0]] * len(losses), rtol=1e-9, atol=1e-12)


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
    near_zero_slope = -1.2784645427610738 + np.linspace(-0.5, 0.5, 301)
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


@pytest.mark.parametrize("dtype", FLOATS)
def test_silu_is_exact_to_four_ulp_over_the_whole_range(dtype):
    u = whole_range(dtype)
    assert_close_to_exact(make_net().silu(u), map(exact_silu, u), TAIL, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_slope_of_silu_is_exact_to_four_ulp_or_one_eps(dtype):
    u = whole_range(dtype)
    # near u = -1.278 the slope is the small difference of numbers near 0.28
    assert_close_to_exact(make_net().derivative_silu(u), map(exact_slope, u), EPS, dtype)


@given(u=finite_arrays((1,)))
def test_activations_are_exact_to_four_ulp_for_any_float(u):
    dtype = u.dtype.type
    assert_close_to_exact(make_net().silu(u), map(exact_silu, u), TAIL, dtype)
    assert_close_to_exact(make_net().derivative_silu(u), map(exact_slope, u), EPS, dtype)


LOGITS = st.one_of(*(finite_arrays((1, 3), -bound, bound) for bound in (1, 40, 1000)))


@given(u=st.one_of(LOGITS, finite_arrays(TABLES)))
def test_softmax_is_exact_to_four_ulp_or_one_eps(u):
    # the gap to the row's maximum is rounded: where it is large, p is small and 4 ulp are less
    exact = [p for row in u for p in exact_softmax(row)]
    assert_close_to_exact(make_net().softmax(u), exact, eps_of(u.dtype), u.dtype.type)


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
