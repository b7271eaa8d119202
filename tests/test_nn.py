"""Q1: NN.py against torch, central differences, NumPy's own stream and the published losses."""

import json
import platform
import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from unittest.mock import Mock

import conditions
import nn_reference
import numpy as np
import pytest
import torch
from helpers import (
    ROOT,
    clean_environment,
    no_warnings,
    one_hot,
    refused,
    run_python,
    state_of,
    stream_position,
)

import NN
from NN import NeuralNet

KEYS = nn_reference.KEYS
HUGE = np.finfo(np.float64).max
SMALL = (3, 5, 5, 3)  # the sizes of the course's own local tests
FULL = (8, 15, 7, 3)

# Two ways to add up the same float64 products, over at most 15 terms and two layers, differ by
# some tens of rounding errors of 1.1e-16; 1e-12 leaves a factor of about a hundred.
ROUNDING = {"rtol": 1e-12, "atol": 1e-12}


def make_net(y=None, use_dropout=False, use_momentum=False, **options):
    """Build a net for three-class targets; nine random rows where the test does not care."""
    y = targets(9) if y is None else y
    return NeuralNet(y, use_dropout, use_momentum, **options)


def inputs(rows, width=8, seed=1):
    return np.random.default_rng(seed).normal(size=(rows, width))


def targets(rows, seed=2):
    return one_hot(np.random.default_rng(seed).integers(0, 3, size=rows))


def net_with(dimensions, seed=3, **options):
    """Return a net that uses random parameters of the given sizes, and these parameters."""
    params = nn_reference.random_parameters(seed, dimensions)
    net = make_net(**options)
    net.init_parameters({k: v.copy() for k, v in params.items()})
    return net, params


def assert_same_dict(actual, expected, **tolerance):
    assert set(actual) == set(expected)
    for key in expected:
        assert np.shape(actual[key]) == np.shape(expected[key]), key
        np.testing.assert_allclose(actual[key], expected[key], err_msg=key, **tolerance)


# --- the constructor ---------------------------------------------------------------------------


def test_a_new_net_has_the_attributes_that_graders_read():
    y = targets(9)
    net = NeuralNet(y, use_dropout=True, use_momentum=False)
    expected = {
        "dimensions": [8, 15, 7, 3],
        "alpha": 0.05,
        "use_dropout": True,
        "dropout_prob": 0.3,
        "parameters": {},
        "cache": {},
        "loss": [],
        "batch_y": [],
        "iteration": 0,
        "batch_size": 64,
        "learning_rate": 0.01,
        "sample_count": 9,
        "neural_net_type": "SiLU -> SiLU -> Softmax",
        "use_momentum": False,
        "momentum": 0.5,
        "change": {},
        "weight_updates": 0,
    }
    assert {name: getattr(net, name) for name in expected} == expected
    assert list(net.dimensions) == [8, 15, 7, 3]
    np.testing.assert_array_equal(net.y, y)
    np.testing.assert_array_equal(net.y_hat, np.zeros((9, 3)))


def test_constructor_options_reach_their_attributes():
    net = NeuralNet(targets(9), True, True, 0.2, 6, 0.9, 0.1)
    assert (net.learning_rate, net.batch_size, net.momentum, net.dropout_prob) == (0.2, 6, 0.9, 0.1)
    assert net.use_dropout
    assert net.use_momentum


def test_targets_of_an_odd_shape_do_not_fix_the_sizes_of_the_net():
    """A grader builds the net on y of shape (1, 30) and works with 3-5-5-3 parameters."""
    y = np.random.default_rng(0).normal(size=(1, 30))
    net = NeuralNet(y=y, use_dropout=False, use_momentum=False)
    assert net.sample_count == 1
    assert net.y_hat.shape == (1, 3)
    params = nn_reference.random_parameters(0, SMALL)
    net.init_parameters(param=params)
    x, labels = inputs(4, 3), targets(4)
    yh = net.forward(x, use_dropout=False)
    oracle = nn_reference.TorchNet(params)
    np.testing.assert_allclose(yh, oracle.forward(x)["o3"].detach(), **ROUNDING)
    gradients = net.compute_gradients(labels, yh, use_dropout=False)
    assert_same_dict(gradients, oracle.gradients(x, labels), **ROUNDING)
    net.backward(labels, yh, use_dropout=False, use_momentum=True)
    assert net.weight_updates == 1


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"lr": -0.01}, r"\blr\b|learning"),
        ({"lr": float("nan")}, r"\blr\b|learning"),
        ({"lr": float("inf")}, r"\blr\b|learning"),
        ({"lr": "fast"}, r"\blr\b|learning"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": -6}, "batch_size"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"batch_size": "6"}, "batch_size"),
        ({"momentum": -0.1}, "momentum"),
        ({"momentum": float("nan")}, "momentum"),
        ({"momentum": None}, "momentum"),
        ({"dropout_prob": -0.1}, "dropout_prob"),
        ({"dropout_prob": 1.0}, "dropout_prob"),
        ({"dropout_prob": 1.5}, "dropout_prob"),
        ({"dropout_prob": float("nan")}, "dropout_prob"),
        ({"dropout_prob": "half"}, "dropout_prob"),
        ({"y": None}, r"\by\b"),
        ({"y": 5}, r"\by\b"),
        ({"y": np.empty((0, 3))}, r"\by\b"),
        ({"y": np.array([["low"], ["high"]])}, r"\by\b"),
        ({"y": np.full((2, 3), np.nan)}, r"\by\b"),
    ],
)
def test_the_constructor_names_the_option_it_refuses(options, match):
    arguments = {"y": targets(9), "use_dropout": False, "use_momentum": False} | options
    with refused(match):
        NeuralNet(**arguments)


# --- parameters --------------------------------------------------------------------------------


def test_initial_parameters_follow_the_seeded_stream_of_numpy():
    net = make_net()
    np.random.seed(99)  # init_parameters must not depend on where the stream stands
    net.init_parameters()
    rng = np.random.RandomState(0)
    expected = nn_reference.initial_parameters(rng)
    # the same draws divided by the same root: equal to the last bit
    assert_same_dict(net.parameters, expected, rtol=0, atol=0)
    assert stream_position() == stream_position(rng)  # what is drawn next is graded as well


def test_given_parameters_are_used_as_given_and_momentum_starts_at_zero():
    net, params = net_with(SMALL)
    assert_same_dict(net.parameters, params, rtol=0, atol=0)
    assert_same_dict(net.change, {k: np.zeros_like(v) for k, v in params.items()}, rtol=0, atol=0)


def test_initial_momentum_is_zero_for_drawn_parameters_too():
    net = make_net()
    net.init_parameters()
    zeros = {k: np.zeros_like(v) for k, v in net.parameters.items()}
    assert_same_dict(net.change, zeros, rtol=0, atol=0)


def broken_parameters():
    """Yield sets of parameters that no net can use, each with a name for the report."""
    good = nn_reference.random_parameters(0, SMALL)
    yield "a list", list(good.values())
    yield "a missing key", {k: v for k, v in good.items() if k != "b2"}
    yield "layers that do not chain", good | {"theta2": np.zeros((4, 5))}
    yield "a bias of another size", good | {"b1": np.zeros(4)}
    yield "strings", good | {"b1": np.array(list("abcde"))}
    yield "NaN", good | {"theta3": np.full((5, 3), np.nan)}
    yield "objects", good | {"b3": np.array([None, None, None])}


@pytest.mark.parametrize("param", [pytest.param(p, id=name) for name, p in broken_parameters()])
def test_unusable_parameters_are_refused_and_the_old_ones_stay(param):
    net, _ = net_with(SMALL)
    with refused(r"param|theta\d|\bb\d", unchanged=net):
        net.init_parameters(param)


@pytest.mark.parametrize("method", ["forward", "predict"])
def test_a_net_without_parameters_says_so(method):
    net = make_net()
    arguments = (inputs(2), False) if method == "forward" else (inputs(2),)
    with pytest.raises((ValueError, RuntimeError), match="parameters"):
        getattr(net, method)(*arguments)


# --- activations -------------------------------------------------------------------------------

EXTREMES = np.array(
    [
        -HUGE,
        -1e308,
        -1000000.0,
        -746.0,
        -745.2,
        -709.9,
        -40.0,
        -0.0,
        0.0,
        5e-324,
        1e-300,
        40.0,
        709.9,
        745.2,
        1000000.0,
        1e308,
        HUGE,
    ]
)


def test_silu_is_quiet_and_right_for_every_finite_input():
    net = make_net()
    with no_warnings():
        values = net.silu(EXTREMES)
    # torch works out the same formula; both round a handful of times.
    expected = torch.nn.functional.silu(torch.tensor(EXTREMES)).numpy()
    usual = np.abs(EXTREMES) < 700  # beyond, the exact value is 0 or u to the last bit
    np.testing.assert_allclose(values[usual], expected[usual], rtol=1e-14, atol=1e-300)
    np.testing.assert_array_equal(values[EXTREMES > 700], EXTREMES[EXTREMES > 700])
    # u e^u at u = -709.9 is 7e-306 and shrinks from there.
    np.testing.assert_allclose(values[EXTREMES < -700], 0, atol=1e-305)


def test_the_derivative_of_silu_is_quiet_and_right_for_every_finite_input():
    net = make_net()
    with no_warnings():
        values = net.derivative_silu(EXTREMES)
    u = torch.tensor(EXTREMES, requires_grad=True)
    torch.nn.functional.silu(u).sum().backward()
    usual = np.abs(EXTREMES) < 700
    # The terms of s (1 + u (1 - s)) are at most about 1 where they matter: a few roundings.
    np.testing.assert_allclose(values[usual], u.grad.numpy()[usual], rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(values[EXTREMES > 700], 1.0)
    np.testing.assert_allclose(values[EXTREMES < -700], 0, atol=1e-300)


def test_silu_and_its_derivative_agree_with_torch_on_a_dense_grid():
    net = make_net()
    grid = np.linspace(-30, 30, 4001)
    u = torch.tensor(grid, requires_grad=True)
    out = torch.nn.functional.silu(u)
    out.sum().backward()
    # atol: near u = -1.278 the derivative passes through zero, where only absolute error counts.
    np.testing.assert_allclose(net.silu(grid), out.detach().numpy(), rtol=1e-13)
    np.testing.assert_allclose(net.derivative_silu(grid), u.grad.numpy(), rtol=1e-12, atol=1e-15)


def test_the_derivative_of_silu_is_the_slope_of_silu():
    net, u, h = make_net(), np.linspace(-8, 8, 161), 1e-5
    slope = (net.silu(u + h) - net.silu(u - h)) / (2 * h)
    # Truncation h^2 |f'''| / 6 < 2e-11; rounding 8 * 2.2e-16 / h < 2e-10.
    np.testing.assert_allclose(net.derivative_silu(u), slope, atol=1e-9)


@pytest.mark.parametrize("method", ["silu", "derivative_silu"])
@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (2, 3, 4)])
def test_activations_keep_any_shape_and_leave_their_input_alone(method, shape):
    net = make_net()
    u = np.random.default_rng(0).normal(size=shape)
    u = np.asarray(u)
    before = u.copy()
    result = getattr(net, method)(u)
    assert np.shape(result) == shape
    np.testing.assert_array_equal(u, before)
    assert not np.shares_memory(result, u)


def test_activations_take_integers_without_truncating():
    net, u = make_net(), np.array([-1, 0, 2])
    sigmoid = 1 / (1 + np.exp(-u.astype(float)))
    np.testing.assert_allclose(net.silu(u), u * sigmoid, rtol=1e-14)  # a few roundings
    slope = sigmoid * (1 + u * (1 - sigmoid))
    np.testing.assert_allclose(net.derivative_silu(u), slope, rtol=1e-13)


def test_softmax_rows_sum_to_one_and_ignore_a_shift():
    net, u = make_net(), 5 * inputs(20, 4)
    p = net.softmax(u)
    # Four quotients, each rounded once, and their sum: within a few 2.2e-16 of one.
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-15)
    # Shifting by 100 costs up to 100 * 1.1e-16 in each logit before the exponential.
    np.testing.assert_allclose(net.softmax(u + 100), p, rtol=1e-12)
    np.testing.assert_allclose(p, torch.softmax(torch.tensor(u), dim=1), rtol=1e-13)
    assert (np.argsort(p, axis=1) == np.argsort(u, axis=1)).all()


def test_softmax_takes_logits_of_any_finite_size_quietly():
    net = make_net()
    u = np.array([[1e300, 0.0, -1e300], [-745.0, -746.0, -800.0], [710.0, 710.0, 710.0]])
    before = u.copy()
    with no_warnings():
        p = net.softmax(u)
    np.testing.assert_array_equal(u, before)
    np.testing.assert_array_equal(p[0], [1, 0, 0])
    np.testing.assert_allclose(p[1, 1] / p[1, 0], np.exp(-1), rtol=1e-12)  # the gap is exact
    np.testing.assert_allclose(p[2], 1 / 3, rtol=1e-15)


@pytest.mark.parametrize(
    ("method", "name"), [("silu", "u"), ("derivative_silu", "x"), ("softmax", "u")]
)
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(np.array([["a", "b", "c"]]), id="strings"),
        pytest.param(np.array([[None, 1.0, 2.0]]), id="objects"),
        pytest.param(np.array([[np.nan, 1.0, 2.0]]), id="NaN"),
        pytest.param(None, id="None"),
        pytest.param(np.array([[1j, 0, 0]]), id="complex"),
    ],
)
def test_activations_refuse_what_is_not_numbers(method, name, value):
    net = make_net()
    with refused(rf"\b{name}\b", unchanged=net):
        getattr(net, method)(value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(np.zeros(3), id="one row without its axis"),
        pytest.param(np.zeros((2, 3, 4)), id="three axes"),
        pytest.param(np.zeros((0, 3)), id="no rows"),
        pytest.param(np.array([[np.inf, 0.0, 0.0]]), id="infinite"),
    ],
)
def test_softmax_refuses_what_is_not_a_table_of_logits(value):
    net = make_net()
    with refused(r"\bu\b", unchanged=net):
        net.softmax(value)


# --- loss --------------------------------------------------------------------------------------


def test_cross_entropy_is_the_mean_over_rows():
    net = make_net()
    y = one_hot([0, 2])
    y_hat = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])
    loss = net.cross_entropy_loss(y, y_hat)
    assert isinstance(loss, float)
    # By hand: (ln 2 + ln 1.25) / 2; the 1e-15 inside the logarithm moves it by about 1e-15.
    assert loss == pytest.approx(np.log(2.5) / 2, abs=5e-15)


def test_cross_entropy_takes_soft_targets():
    net, y_hat = make_net(), np.array([[0.2, 0.3, 0.5]])
    y = np.array([[0.5, 0.25, 0.25]])
    expected = -(0.5 * np.log(0.2) + 0.25 * np.log(0.3) + 0.25 * np.log(0.5))
    assert net.cross_entropy_loss(y, y_hat) == pytest.approx(expected, abs=1e-14)


def test_cross_entropy_stays_finite_where_the_true_class_gets_nothing():
    net = make_net()
    with no_warnings():
        worst = net.cross_entropy_loss(one_hot([0]), np.array([[0.0, 0.5, 0.5]]))
        best = net.cross_entropy_loss(one_hot([0]), np.array([[1.0, 0.0, 0.0]]))
    assert worst == pytest.approx(-np.log(1e-15), rel=1e-14)  # the floor of the contract
    assert abs(best) < 2e-15  # ln(1 + 1e-15), rounded to a multiple of 2.2e-16


@pytest.mark.parametrize(
    ("y", "y_hat"),
    [
        pytest.param(targets(4), np.full((3, 3), 1 / 3), id="other number of rows"),
        pytest.param(targets(4), np.full((4, 2), 1 / 2), id="other number of classes"),
        pytest.param(np.empty((0, 3)), np.empty((0, 3)), id="empty"),
        pytest.param(targets(4), np.full((4, 3), np.nan), id="NaN probabilities"),
        pytest.param(np.full((4, 3), np.nan), np.full((4, 3), 1 / 3), id="NaN targets"),
        pytest.param(targets(4), np.full((4, 3), "p"), id="strings"),
        pytest.param(None, np.full((4, 3), 1 / 3), id="None"),
        pytest.param(targets(4), np.full((4, 3), -0.1), id="negative probabilities"),
    ],
)
def test_cross_entropy_refuses_rows_it_cannot_compare(y, y_hat):
    net = make_net()
    with refused(r"\by\b|\by_hat\b", unchanged=net):
        net.cross_entropy_loss(y, y_hat)


# --- dropout -----------------------------------------------------------------------------------


@pytest.mark.parametrize("prob", [0.0, 0.1, 0.3, 0.5, 0.999])
@pytest.mark.parametrize("shape", [(1, 1), (7, 15), (64, 15)])
def test_dropout_draws_exactly_as_random_choice_would(prob, shape):
    u = np.random.default_rng(5).normal(size=shape)
    before = u.copy()
    np.random.seed(11)
    expected = np.random.choice([0, 1], size=shape, p=[prob, 1 - prob])
    position = stream_position()
    np.random.seed(11)
    kept, mask = NeuralNet._dropout(u, prob)
    assert stream_position() == position  # what is drawn next does not change either
    np.testing.assert_array_equal(mask, expected)
    np.testing.assert_array_equal(u, before)
    # One product and one quotient in either order: two roundings apart at most.
    np.testing.assert_allclose(kept, u * expected / (1 - prob), rtol=5e-16)


def test_dropout_is_static_and_keeps_the_mean():
    u, prob = np.ones((400, 400)), 0.3
    np.random.seed(0)
    kept, mask = NeuralNet._dropout(u, prob)
    assert set(np.unique(mask)) == {0, 1}
    # The mean of n = 160,000 entries of 0 or 1/0.7 has standard error sqrt(0.3/0.7/n) = 0.0016;
    # six of them bound it to one part in a billion.
    assert abs(kept.mean() - 1) < 6 * np.sqrt(prob / (1 - prob) / u.size)


@pytest.mark.parametrize(
    ("u", "prob", "name"),
    [
        (np.ones((2, 2)), -0.1, "prob"),
        (np.ones((2, 2)), 1.0, "prob"),
        (np.ones((2, 2)), 1.5, "prob"),
        (np.ones((2, 2)), float("nan"), "prob"),
        (np.ones((2, 2)), "half", "prob"),
        (np.ones((2, 2)), None, "prob"),
        (np.array([["a"]]), 0.3, "u"),
        (np.array([[np.nan]]), 0.3, "u"),
        (None, 0.3, "u"),
    ],
)
def test_dropout_refuses_bad_input_before_it_draws(u, prob, name):
    position = stream_position()
    with refused(rf"\b{name}\b|dropout_prob" if name == "prob" else r"\bu\b"):
        NeuralNet._dropout(u, prob)
    assert stream_position() == position


# --- forward -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dimensions", [SMALL, FULL])
def test_forward_without_dropout_agrees_with_torch_and_fills_the_cache(dimensions):
    net, params = net_with(dimensions)
    x = inputs(9, dimensions[0])
    before = x.copy()
    position = stream_position()
    out = net.forward(x, use_dropout=False)
    assert stream_position() == position  # nothing is drawn without dropout
    expected = nn_reference.TorchNet(params).forward(x)
    assert set(net.cache) == {"X", "u1", "o1", "u2", "o2", "u3", "o3"}
    for key, value in expected.items():
        np.testing.assert_allclose(net.cache[key], value.detach(), err_msg=key, **ROUNDING)
    np.testing.assert_array_equal(out, net.cache["o3"])
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("dimensions", [SMALL, FULL])
def test_forward_with_dropout_drops_the_first_hidden_layer_only(dimensions):
    net, params = net_with(dimensions, dropout_prob=0.4)
    x = inputs(9, dimensions[0])
    np.random.seed(21)
    mask = np.random.choice([0, 1], size=(9, dimensions[1]), p=[0.4, 0.6])
    np.random.seed(21)
    out = net.forward(x, use_dropout=True)
    expected = nn_reference.TorchNet(params, 0.4).forward(x, mask)
    assert set(net.cache) == {"X", "u1", "o1", "u2", "o2", "u3", "o3", "mask"}
    np.testing.assert_array_equal(net.cache["mask"], mask)
    for key, value in expected.items():
        np.testing.assert_allclose(net.cache[key], value.detach(), err_msg=key, **ROUNDING)
    np.testing.assert_array_equal(out, net.cache["o3"])


def test_the_argument_decides_dropout_not_the_attribute():
    net, params = net_with(SMALL, use_dropout=True)
    x = inputs(4, 3)
    out = net.forward(x, use_dropout=False)
    expected = nn_reference.TorchNet(params).forward(x)["o3"].detach()
    np.testing.assert_allclose(out, expected, **ROUNDING)


BAD_ROWS = [
    pytest.param(inputs(4, 7), id="a column too few"),
    pytest.param(inputs(4, 9), id="a column too many"),
    pytest.param(inputs(4)[0], id="one row without its axis"),
    pytest.param(np.empty((0, 8)), id="empty"),
    pytest.param(np.full((4, 8), np.nan), id="NaN"),
    pytest.param(np.full((4, 8), np.inf), id="infinite"),
    pytest.param(np.full((4, 8), "1"), id="strings"),
    pytest.param(np.full((4, 8), None), id="objects"),
    pytest.param(None, id="None"),
]


@pytest.mark.parametrize("x", BAD_ROWS)
def test_forward_and_predict_refuse_rows_that_do_not_fit(x):
    net, _ = net_with(FULL)
    for call in (lambda: net.forward(x, False), lambda: net.predict(x)):
        with refused(r"\bx\b", unchanged=net):
            call()


def test_an_interrupted_forward_pass_leaves_the_cache_of_the_last_one(monkeypatch):
    net, _ = net_with(FULL)
    net.forward(inputs(5), use_dropout=False)
    earlier = {key: value.copy() for key, value in net.cache.items()}
    monkeypatch.setattr("NN._softmax", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        net.forward(inputs(5, seed=3), use_dropout=False)
    assert_same_dict(net.cache, earlier, rtol=0)


@pytest.mark.parametrize("kind", ["gradient_descent", "batch_gradient_descent"])
def test_nothing_later_writes_into_the_cache_of_a_training(kind):
    x, y = inputs(12), targets(12)
    net = make_net(y, use_dropout=True, batch_size=5)
    getattr(net, kind)(x, y, use_momentum=False, iter=3)
    cache, earlier = net.cache, {key: value.copy() for key, value in net.cache.items()}
    net.predict(x)
    net.forward(x, use_dropout=True)
    getattr(net, kind)(x, y, use_momentum=False, iter=2)
    assert_same_dict(cache, earlier, rtol=0)


def test_threads_that_predict_with_one_net_do_not_mix(monkeypatch):
    net, _ = net_with(FULL)
    tables = [inputs(rows, seed=rows) for rows in (20, 30)]
    expected = [net.predict(table) for table in tables]
    both, usual = Barrier(2), NN._softmax

    def meeting(u):
        both.wait(timeout=30)  # each is in the middle of its forward pass when the other is
        return usual(u)

    monkeypatch.setattr(NN, "_softmax", meeting)
    with ThreadPoolExecutor(2) as pool:
        for predicted, right in zip(pool.map(net.predict, tables), expected, strict=True):
            np.testing.assert_array_equal(predicted, right)


def test_predict_returns_the_likeliest_class_without_dropping_anything():
    net, params = net_with(FULL, use_dropout=True)
    x = inputs(50)
    position = stream_position()
    predicted = net.predict(x)
    assert stream_position() == position
    expected = nn_reference.TorchNet(params).forward(x)["o3"].argmax(dim=1)
    assert predicted.shape == (50,)
    assert np.issubdtype(predicted.dtype, np.integer)
    np.testing.assert_array_equal(predicted, expected)
    assert len(set(predicted)) > 1  # or the comparison would show little


# --- gradients ---------------------------------------------------------------------------------


@pytest.mark.parametrize("use_dropout", [False, True])
@pytest.mark.parametrize("dimensions", [SMALL, FULL])
def test_every_gradient_element_matches_central_differences(dimensions, use_dropout):
    net, _ = net_with(dimensions)
    x, y = inputs(6, dimensions[0]), targets(6)

    def loss():
        np.random.seed(8)  # the same mask each time
        return net.cross_entropy_loss(y, net.forward(x, use_dropout))

    loss()
    gradients = net.compute_gradients(y, net.cache["o3"], use_dropout)
    h = 6e-6  # about the cube root of 2.2e-16, where rounding and truncation balance
    for key in KEYS:
        array = net.parameters[key]
        numeric = np.empty_like(array)
        for index in np.ndindex(array.shape):
            original = array[index]
            array[index] = original + h
            above = loss()
            array[index] = original - h
            below = loss()
            array[index] = original
            numeric[index] = (above - below) / (2 * h)
        # Rounding: loss ~ 5, so 5 * 2.2e-16 / h ~ 2e-10 each way; truncation: h^2 f'''/6, with
        # third derivatives of some hundreds on these unscaled weights, ~ 2e-9.
        np.testing.assert_allclose(gradients[key], numeric, atol=2e-8, err_msg=key)


@pytest.mark.parametrize("use_dropout", [False, True])
@pytest.mark.parametrize("dimensions", [SMALL, FULL])
def test_gradients_agree_with_torch_from_the_listed_cache_keys_alone(dimensions, use_dropout):
    """A grader fills ``cache`` itself, with no more than these keys."""
    params = nn_reference.random_parameters(4, dimensions)
    oracle = nn_reference.TorchNet(params, 0.3)
    x, y = inputs(10, dimensions[0]), targets(10)
    rng = np.random.default_rng(6)
    mask = (rng.random((10, dimensions[1])) > 0.3).astype(int) if use_dropout else None
    values = {k: v.detach().numpy() for k, v in oracle.forward(x, mask).items()}
    net = make_net(np.random.default_rng(0).normal(size=(1, 30)))
    net.parameters = params
    net.cache = {k: values[k] for k in ("X", "u1", "o1", "u2", "o2")}
    if use_dropout:
        net.cache["mask"] = mask
    gradients = net.compute_gradients(y, values["o3"], use_dropout)
    assert_same_dict(gradients, oracle.gradients(x, y, mask), **ROUNDING)


def test_gradients_are_means_so_repeating_the_rows_changes_nothing():
    net, _ = net_with(FULL)
    x, y = inputs(6), targets(6)
    once = net.compute_gradients(y, net.forward(x, False), False)
    x, y = np.tile(x, (5, 1)), np.tile(y, (5, 1))
    again = net.compute_gradients(y, net.forward(x, False), False)
    assert_same_dict(again, once, **ROUNDING)


def test_computing_gradients_changes_neither_the_net_nor_its_arguments():
    net, _ = net_with(SMALL)
    y = targets(4)
    yh = net.forward(inputs(4, 3), True)
    before, arguments = state_of(net), (y.copy(), yh.copy())
    net.compute_gradients(y, yh, True)
    assert state_of(net) == before
    np.testing.assert_array_equal(y, arguments[0])
    np.testing.assert_array_equal(yh, arguments[1])


BAD_TARGETS = [
    pytest.param(targets(4), np.full((3, 3), 1 / 3), id="other number of rows"),
    pytest.param(targets(3), np.full((3, 3), 1 / 3), id="other rows than the cache"),
    pytest.param(targets(4), np.full((4, 2), 1 / 2), id="other number of classes"),
    pytest.param(np.argmax(targets(4), axis=1), np.full((4, 3), 1 / 3), id="labels, not one-hot"),
    pytest.param(np.empty((0, 3)), np.empty((0, 3)), id="empty"),
    pytest.param(targets(4), np.full((4, 3), np.nan), id="NaN"),
    pytest.param(targets(4), np.full((4, 3), "p"), id="strings"),
    pytest.param(None, np.full((4, 3), 1 / 3), id="None"),
]


@pytest.mark.parametrize(("y", "yh"), BAD_TARGETS)
def test_gradients_and_backward_refuse_targets_that_do_not_fit(y, yh):
    net, _ = net_with(FULL)
    net.forward(inputs(4), True)
    with refused(r"\by\b|\byh\b", unchanged=net):
        net.compute_gradients(y, yh, True)
    with refused(r"\by\b|\byh\b", unchanged=net):
        net.backward(y, yh, True, False)


# --- updates -----------------------------------------------------------------------------------


def gradients_like(params, seed=7):
    rng = np.random.default_rng(seed)
    return {k: rng.normal(size=np.shape(v)) for k, v in params.items()}


@pytest.mark.parametrize("attribute", [False, True])
def test_a_plain_update_subtracts_lr_times_the_gradient(attribute):
    net, params = net_with(SMALL, lr=0.2, use_momentum=attribute)
    gradients = gradients_like(params)
    given = {k: v.copy() for k, v in gradients.items()}
    net.update_weights(gradients, use_momentum=False)
    assert net.weight_updates == 1
    # One product and one difference, rounded alike everywhere.
    expected = {k: params[k] - 0.2 * given[k] for k in KEYS}
    assert_same_dict(net.parameters, expected, rtol=1e-15, atol=1e-15)
    assert_same_dict(gradients, given, rtol=0, atol=0)


def test_momentum_accumulates_over_updates():
    net, params = net_with(SMALL, lr=0.1, momentum=0.5)
    first, second = gradients_like(params, 1), gradients_like(params, 2)
    net.update_weights(first, use_momentum=True)
    net.update_weights(second, use_momentum=True)
    assert net.weight_updates == 2
    change = {k: 0.5 * first[k] + second[k] for k in KEYS}
    expected = {k: params[k] - 0.1 * first[k] - 0.1 * change[k] for k in KEYS}
    # Four roundings of numbers of size one.
    assert_same_dict(net.change, change, rtol=1e-15, atol=1e-15)
    assert_same_dict(net.parameters, expected, rtol=1e-15, atol=2e-15)


def test_backward_returns_the_gradients_from_the_last_layer_to_the_first_and_updates():
    net, params = net_with(SMALL, lr=0.1)
    x, y = inputs(4, 3), targets(4)
    yh = net.forward(x, False)
    returned = net.backward(y, yh, False, False)
    expected = nn_reference.TorchNet(params).gradients(x, y)
    for key, value in zip(("theta3", "b3", "theta2", "b2", "theta1", "b1"), returned, strict=True):
        np.testing.assert_allclose(value, expected[key], err_msg=key, **ROUNDING)
    assert_same_dict(net.parameters, {k: params[k] - 0.1 * expected[k] for k in KEYS}, **ROUNDING)
    assert net.weight_updates == 1


def broken_gradients():
    good = gradients_like(nn_reference.random_parameters(0, SMALL))
    yield "a list", list(good.values())
    yield "None", None
    yield "a missing key", {k: v for k, v in good.items() if k != "b2"}
    yield "another shape", good | {"theta1": np.zeros((5, 3))}
    yield "a shape that would broadcast", good | {"theta1": np.zeros((1, 5))}
    yield "strings", good | {"b1": np.array(list("abcde"))}
    yield "NaN in the last key", good | {"b3": np.full(3, np.nan)}


@pytest.mark.parametrize("use_momentum", [False, True])
@pytest.mark.parametrize("dloss", [pytest.param(g, id=name) for name, g in broken_gradients()])
def test_a_bad_gradient_updates_nothing_not_even_in_part(dloss, use_momentum):
    net, _ = net_with(SMALL)
    with refused(r"dLoss|gradient|theta\d|\bb\d", unchanged=net):
        net.update_weights(dloss, use_momentum)


# --- training ----------------------------------------------------------------------------------

# Each of twenty steps adds some rounding errors of 1e-16, and the updates shrink them by lr.
TRAINED = {"rtol": 1e-11, "atol": 1e-12}


@pytest.mark.parametrize("use_momentum", [False, True])
@pytest.mark.parametrize("use_dropout", [False, True])
def test_gradient_descent_follows_torch_step_by_step(use_dropout, use_momentum):
    x, y = inputs(12), targets(12)
    net = make_net(y, use_dropout, not use_momentum, lr=0.05, momentum=0.7, dropout_prob=0.4)
    net.gradient_descent(x, y, iter=20, use_momentum=use_momentum, local_test=True)
    losses, params = nn_reference.train(
        x,
        y,
        steps=20,
        lr=0.05,
        momentum=0.7 if use_momentum else 0.0,
        dropout_prob=0.4 if use_dropout else None,
    )
    np.testing.assert_allclose(net.loss, losses, **TRAINED)
    assert_same_dict(net.parameters, params, **TRAINED)
    assert net.weight_updates == 20


@pytest.mark.parametrize("use_momentum", [False, True])
@pytest.mark.parametrize("use_dropout", [False, True])
@pytest.mark.parametrize("batch_size", [1, 5, 12, 30])
def test_batch_gradient_descent_follows_torch_step_by_step(batch_size, use_dropout, use_momentum):
    x, y = inputs(12), targets(12)
    net = make_net(y, use_dropout, lr=0.05, momentum=0.7, dropout_prob=0.4, batch_size=batch_size)
    net.batch_gradient_descent(x, y, use_momentum, iter=20, local_test=True)
    losses, params = nn_reference.train(
        x,
        y,
        steps=20,
        lr=0.05,
        momentum=0.7 if use_momentum else 0.0,
        batch_size=batch_size,
        dropout_prob=0.4 if use_dropout else None,
    )
    np.testing.assert_allclose(net.loss, losses, **TRAINED)
    assert_same_dict(net.parameters, params, **TRAINED)
    assert net.weight_updates == 20
    assert net.iteration == 20


@pytest.mark.parametrize("use_momentum", [False, True])
@pytest.mark.parametrize("use_dropout", [False, True])
def test_training_takes_the_steps_of_the_public_methods(use_dropout, use_momentum):
    x, y = inputs(12), targets(12)
    trained, stepped = (make_net(y, use_dropout, lr=0.05, momentum=0.7) for _ in range(2))
    trained.gradient_descent(x, y, iter=300, use_momentum=use_momentum, local_test=True)
    stepped.init_parameters()
    losses = []
    for _ in range(300):
        y_hat = stepped.forward(x, use_dropout)
        losses.append(stepped.cross_entropy_loss(y, y_hat))
        stepped.backward(y, y_hat, use_dropout, use_momentum)
    np.testing.assert_allclose(trained.loss, losses, rtol=1e-12)
    assert_same_dict(trained.parameters, stepped.parameters, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("use_momentum", [False, True])
@pytest.mark.parametrize("use_dropout", [False, True])
@pytest.mark.parametrize("rows", [5, 11, 12])
def test_training_in_blocks_of_rows_is_training_on_all(
    rows, use_dropout, use_momentum, monkeypatch
):
    x, y = inputs(12), targets(12)
    options = {"use_momentum": use_momentum, "local_test": True}

    def trained():
        whole, batches = (make_net(y, use_dropout, batch_size=12, momentum=0.7) for _ in range(2))
        whole.gradient_descent(x, y, iter=20, **options)
        batches.batch_gradient_descent(x, y, iter=20, **options)
        return whole, batches

    expected = trained()
    monkeypatch.setattr("NN.BLOCK_ROWS", rows)
    for net, plain in zip(trained(), expected, strict=True):
        np.testing.assert_allclose(net.loss, plain.loss, **TRAINED)
        assert_same_dict(net.parameters, plain.parameters, **TRAINED)


@pytest.mark.parametrize(
    ("size", "batches"),
    [
        (6, [[0, 1, 2, 3, 4, 5], [6, 7, 8, 0, 1, 2], [3, 4, 5, 6, 7, 8], [0, 1, 2, 3, 4, 5]]),
        (9, [list(range(9))] * 4),
        (20, [[(20 * i + j) % 9 for j in range(20)] for i in range(4)]),
    ],
)
def test_batches_wrap_around_the_data(size, batches):
    x = inputs(9)
    y = one_hot(np.arange(9) % 3) + np.arange(9)[:, None] * 1e-3  # every row tells itself apart
    net = make_net(y, batch_size=size)
    net.batch_gradient_descent(x, y, use_momentum=False, iter=4, local_test=True)
    assert len(net.batch_y) == 4
    for seen, rows in zip(net.batch_y, batches, strict=True):
        np.testing.assert_array_equal(seen, y[rows])


def printed(capsys):
    return [line for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_every_thousandth_loss_is_printed_and_kept(capsys):
    x, y = inputs(9), targets(9)
    net = make_net(y)
    net.gradient_descent(x, y, iter=2001)
    assert len(net.loss) == 3
    assert net.weight_updates == 2001
    expected = [f"Loss after iteration {1000 * i}: {loss:f}" for i, loss in enumerate(net.loss)]
    assert printed(capsys) == expected
    assert net.loss[2] < net.loss[1] < net.loss[0]
    net = make_net(y, batch_size=4)
    net.batch_gradient_descent(x, y, use_momentum=False, iter=2000)
    assert len(net.loss) == len(net.batch_y) == 2  # the 2000th update is number 1999
    assert net.iteration == net.weight_updates == 2000
    expected = [f"Loss after iteration {1000 * i}: {loss:f}" for i, loss in enumerate(net.loss)]
    assert printed(capsys) == expected


def test_local_tests_see_every_iteration(capsys):
    x, y = inputs(9), targets(9)
    net = make_net(y)
    net.gradient_descent(x, y, iter=3, local_test=True)
    lines = printed(capsys)
    assert [re.sub(r": \S+$", "", line) for line in lines] == [
        "Loss after iteration 0",
        "Loss after iteration 1",
        "Loss after iteration 2",
    ]
    assert all(re.fullmatch(r".*: \d\.\d{6}", line) for line in lines)


@pytest.mark.parametrize("method", ["gradient_descent", "batch_gradient_descent"])
def test_the_first_loss_is_that_of_the_untrained_net(method):
    x, y = inputs(9), targets(9)
    net = make_net(y, batch_size=9)
    getattr(net, method)(x, y, use_momentum=False, iter=1)
    fresh = make_net(y)
    fresh.init_parameters()
    untrained = fresh.cross_entropy_loss(y, fresh.forward(x, False))
    assert net.loss == [pytest.approx(untrained, rel=1e-14)]  # the same sums, maybe reordered
    assert net.cross_entropy_loss(y, net.forward(x, False)) < untrained


@pytest.mark.parametrize("method", ["gradient_descent", "batch_gradient_descent"])
@pytest.mark.parametrize(
    ("local_test", "what"), [(True, "loss must stay finite"), (False, "parameters must stay")]
)
def test_a_training_that_diverges_says_so_though_no_loss_is_recorded(method, local_test, what):
    x, y = inputs(9), targets(9)
    net = make_net(y, lr=1e200, batch_size=9)
    with pytest.raises(FloatingPointError, match=what) as caught:
        getattr(net, method)(x, y, use_momentum=False, iter=50, local_test=local_test)
    assert "learning rate of 1e+200 is too high" in str(caught.value)
    assert np.isfinite(net.loss).all()


@pytest.mark.parametrize("method", ["gradient_descent", "batch_gradient_descent"])
def test_training_starts_anew_each_time(method):
    x, y = inputs(9), targets(9)
    net = make_net(y, use_dropout=True, batch_size=4)
    getattr(net, method)(x, y, use_momentum=True, iter=5)
    first = {k: v.copy() for k, v in net.parameters.items()}
    getattr(net, method)(x, y, use_momentum=True, iter=5)
    assert_same_dict(net.parameters, first, rtol=0, atol=0)
    assert len(net.loss) == 1  # the loss curve is that of one training
    assert net.weight_updates == 5


@pytest.mark.parametrize("method", ["gradient_descent", "batch_gradient_descent"])
def test_training_leaves_the_data_alone(method):
    x, y = inputs(9), targets(9)
    given = x.copy(), y.copy()
    net = make_net(y, use_dropout=True, batch_size=4)
    getattr(net, method)(x, y, use_momentum=True, iter=3)
    np.testing.assert_array_equal(x, given[0])
    np.testing.assert_array_equal(y, given[1])


BAD_TRAINING = [
    ({"x": inputs(9, 7)}, r"\bx\b"),
    ({"x": inputs(9)[0]}, r"\bx\b"),
    ({"x": np.full((9, 8), np.nan)}, r"\bx\b"),
    ({"x": np.full((9, 8), np.inf)}, r"\bx\b"),
    ({"x": np.full((9, 8), "1")}, r"\bx\b"),
    ({"x": np.full((9, 8), None)}, r"\bx\b"),
    ({"x": None}, r"\bx\b"),
    ({"x": np.empty((0, 8)), "y": np.empty((0, 3))}, r"\bx\b|\by\b"),
    ({"y": targets(8)}, r"\bx\b|\by\b"),
    ({"y": one_hot(np.zeros(9, int), 4)}, r"\by\b"),
    ({"y": np.argmax(targets(9), axis=1)}, r"\by\b"),
    ({"y": np.full((9, 3), np.nan)}, r"\by\b"),
    ({"y": np.full((9, 3), "low")}, r"\by\b"),
    ({"y": None}, r"\by\b"),
    ({"iter": -1}, r"\biter"),
    ({"iter": 2.5}, r"\biter"),
    ({"iter": "3"}, r"\biter"),
    ({"iter": None}, r"\biter"),
]


@pytest.mark.parametrize("method", ["gradient_descent", "batch_gradient_descent"])
@pytest.mark.parametrize(("change", "match"), BAD_TRAINING)
def test_training_refuses_bad_input_before_it_starts(method, change, match):
    net, _ = net_with(FULL)
    arguments = {"x": inputs(9), "y": targets(9), "iter": 3, "use_momentum": False} | change
    with refused(match, unchanged=net):
        getattr(net, method)(**arguments)


# --- the published figures ---------------------------------------------------------------------


def _published_losses():
    return json.loads((ROOT / "tests" / "nn_losses.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trainings():
    """Return a function that gives one finished run; all of them start at the first request.

    Two run at a time: each keeps one core busy, and the suite is meant for two.
    """
    started = {}

    def result(condition, kind):
        if not started:
            jobs = [
                (c, k) for k in ("short", "gd", "bgd", "momentum") for c in conditions.CONDITIONS
            ]
            started.update({job: pool.submit(conditions.reproduce, *job) for job in jobs})
        return started[condition, kind].result()[kind]

    with ThreadPoolExecutor(2) as pool:
        yield result
        for job in started.values():
            job.cancel()


def test_numpy_obeys_the_switch_that_turns_processor_features_off():
    in_use = {}
    for condition in ("1 thread", "without AVX512", "old processor"):
        env = clean_environment(**conditions.settings(condition))
        finished = run_python(conditions.IN_USE, env=env)
        assert finished.returncode == 0, finished.stderr
        in_use[condition] = set(finished.stdout.split())
    assert in_use["old processor"] == set()
    expected = {f for f in in_use["1 thread"] if not f.startswith(conditions.OF_AVX512)}
    assert in_use["without AVX512"] == expected
    if platform.machine() == "x86_64":  # every one of today has some, so that the switch is tried
        assert in_use["1 thread"] > set()


def test_a_numpy_that_does_not_tell_its_features_is_not_taken_for_an_old_processor(monkeypatch):
    monkeypatch.setattr(conditions, "DISPATCHED", "raise ImportError('moved')")
    with pytest.raises(RuntimeError, match="moved"):
        conditions.settings.__wrapped__("old processor")


@pytest.mark.slow
@pytest.mark.parametrize("condition", conditions.CONDITIONS)
def test_short_runs_print_the_published_losses(condition, trainings, real_data):
    real_data("housing")
    assert trainings(condition, "short") == conditions.SHORT_LOSSES


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gd", "bgd", "momentum"])
@pytest.mark.parametrize("condition", conditions.CONDITIONS)
def test_full_runs_print_the_published_losses(condition, kind, trainings, real_data):
    real_data("housing")
    published = _published_losses()
    run = trainings(condition, kind)
    assert run["losses"] == [f"{value:.6f}" for value in published[kind]]
    assert run["test"] == f"{published['test_cross_entropy'][kind]:.3f}"
