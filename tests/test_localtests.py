"""utilities/localtests.py: passes on the reference, fails helpfully on realistic mistakes."""

import importlib
import importlib.util
import json
import random
import re
import sys

import numpy as np
import pytest
from helpers import ROOT, clean_environment, run_python, stream_position

import NN
from utilities import localtests

NN_TESTS = [name for name in dir(localtests.TestNN) if name.startswith("test_")]
HOUSING_TESTS = [name for name in NN_TESTS if "gradient_descent" in name]
FUNCTION_TESTS = [name for name in NN_TESTS if name not in HOUSING_TESTS]
FOREST_TESTS = ["test_bootstrapping", "test_adaboost"]
CNN_TESTS = ["test_transformations", "test_model_architecture"]


def run(class_name, test):
    """Run one local test the way a notebook cell does."""
    getattr(getattr(localtests, class_name)(test), test)()


def message(class_name, test):
    """Run a local test that must fail and return what the learner reads, on one line."""
    with pytest.raises(AssertionError) as caught:
        run(class_name, test)
    return " ".join(str(caught.value).split())


def with_standin(monkeypatch, home):
    """Leave only the stand-in of the housing data to be had."""
    from utilities import datasets

    monkeypatch.setenv("HW4_DATA_HOME", str(home))
    monkeypatch.setenv("HW4_STANDIN", "1")
    monkeypatch.setitem(datasets.URLS, "housing", ())
    return pytest.warns(datasets.StandInWarning)


@pytest.fixture
def tensorflow():
    """Import TensorFlow, but torchvision first: with CUDA wheels the other order crashes."""
    if importlib.util.find_spec("torchvision"):
        importlib.import_module("torchvision")
    return pytest.importorskip("tensorflow")


# --------------------------------------------------------------------- the reference passes


@pytest.mark.parametrize("test", FUNCTION_TESTS)
def test_nn_functions_pass(test, capsys):
    run("TestNN", test)
    assert capsys.readouterr().out == f"{test} passed!\n"


@pytest.mark.parametrize("test", HOUSING_TESTS)
def test_short_trainings_give_the_published_losses(test, real_data, capsys):
    real_data("housing")
    run("TestNN", test)
    assert capsys.readouterr().out == f"{test} passed!\n"


@pytest.mark.parametrize("test", HOUSING_TESTS)
def test_short_trainings_say_when_they_ran_on_the_standin(test, monkeypatch, tmp_path, capsys):
    with with_standin(monkeypatch, tmp_path):
        run("TestNN", test)
    assert capsys.readouterr().out == f"{test} passed! (on the stand-in housing data)\n"


@pytest.mark.parametrize("test", FOREST_TESTS)
def test_forest_passes(test, capsys):
    run("TestRandomForest", test)
    assert capsys.readouterr().out == f"{test} passed!\n"


@pytest.mark.parametrize("test", CNN_TESTS)
def test_cnn_passes_and_leaves_torchs_stream_alone(test, capsys):
    torch = pytest.importorskip("torch")
    before = torch.random.get_rng_state()
    run("TestCNN", test)
    assert capsys.readouterr().out == f"{test} passed!\n"
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("class_name", "test"),
    [("TestRNN", "test_rnn_architecture"), ("TestLSTM", "test_lstm_architecture")],
)
def test_recurrent_nets_pass(class_name, test, tensorflow, capsys):
    run(class_name, test)
    assert f"{test} passed!\n" in capsys.readouterr().out


def test_the_contracts_methods_are_all_there():
    assert len(NN_TESTS) == 14
    for class_name, tests in (("TestRandomForest", FOREST_TESTS), ("TestCNN", CNN_TESTS)):
        assert all(hasattr(getattr(localtests, class_name), test) for test in tests)
    assert all(getattr(localtests.TestNN, test).__doc__ for test in NN_TESTS)


# ----------------------------------------------------------------- imports, places, streams


def test_importing_the_nn_tests_imports_no_framework():
    heavy = ["tensorflow", "keras", "torch", "torchvision", "sklearn", "pandas", "matplotlib"]
    code = (
        "import sys; from utilities.localtests import TestNN\n"
        "print([name for name in sys.argv[1:] if name in sys.modules])"
    )
    done = run_python(code, *heavy, "NN", "scipy", cwd=ROOT)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_local_tests_run_from_any_folder(tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from utilities.localtests import TestNN\n"
        f"sys.path.remove({str(ROOT)!r})\n"
        "TestNN('test_silu').test_silu()"
    )
    done = run_python(code, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("test_silu passed!\n", "")


def test_a_notebooks_random_streams_are_left_as_they_were(monkeypatch):
    np.random.seed(123)
    random.seed(123)
    before = (stream_position(), random.getstate())
    for test in FUNCTION_TESTS:
        run("TestNN", test)
    for test in FOREST_TESTS:
        run("TestRandomForest", test)
    monkeypatch.setattr(NN.NeuralNet, "_dropout", staticmethod(lambda u, prob: None))
    message("TestNN", "test_dropout")
    assert (stream_position(), random.getstate()) == before


# ----------------------------------------------------------------------------- the fixtures


def stored(folder):
    return {path.name: json.loads(path.read_text()) for path in sorted(folder.glob("*"))}


def same(left, right):
    """Compare nested JSON; floats may differ by one unit of the last stored decimal."""
    if isinstance(left, float):
        return abs(left - right) <= 1.5e-10 * max(1, abs(left))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def test_making_the_fixtures_again_gives_the_stored_ones(tmp_path):
    pytest.importorskip("torch")
    script = ROOT / "tests" / "make_localtest_fixtures.py"
    code = "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], {}, '__main__')"
    done = run_python(code, script, tmp_path, env=clean_environment(HW4_DATA_HOME=None))
    assert done.returncode == 0, done.stderr
    made, kept = stored(tmp_path), stored(localtests.TEST_DATA)
    assert made.keys() == kept.keys()
    for name, content in kept.items():
        assert same(content, made[name]), name


def test_the_fixtures_oracle_gives_the_published_losses(real_data):
    pytest.importorskip("torch")
    import make_localtest_fixtures

    from utilities.utils import get_housing_dataset

    real_data("housing")
    x, y, _, _ = get_housing_dataset()
    assert make_localtest_fixtures.housing_losses(x, y) == make_localtest_fixtures.PUBLISHED


def test_no_fixture_is_a_pickle_or_large():
    files = list(localtests.TEST_DATA.iterdir())
    assert {path.suffix for path in files} == {".json"}
    assert sum(path.stat().st_size for path in files) < 50_000


# ---------------------------------------------------------------------- mistakes in NN.py


def sigmoid(u):
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-u))


def not_written(*args, **kwargs):
    raise NotImplementedError


def divides_by_zero(*args, **kwargs):
    return 1 // 0


def overflowing_silu(self, u):
    with np.errstate(all="ignore"):
        return u * np.exp(u) / (1 + np.exp(u))


def silu_in_place(self, u):
    u *= sigmoid(u)
    return u.copy()


def slope_at(self, x):
    return sigmoid(x) * (1 + x * (1 - sigmoid(x)))


def slope_of_silu(self, x):
    return slope_at(self, x * sigmoid(x))


def softmax_down_the_columns(self, u):
    exp = np.exp(u - u.max(axis=0))
    return exp / exp.sum(axis=0)


def overflowing_softmax(self, u):
    with np.errstate(all="ignore"):
        return np.exp(u) / np.exp(u).sum(axis=1, keepdims=True)


def drawn(u, prob):
    return np.random.choice([0, 1], size=u.shape, p=[prob, 1 - prob])


def unscaled_dropout(u, prob):
    mask = drawn(u, prob)
    return u * mask, mask


def inverted_dropout(u, prob):
    mask = drawn(u, prob)
    return u * mask / (1 - prob), 1 - mask


def keeping_dropout(u, prob):
    mask = drawn(u, 1 - prob)
    return u * mask / (1 - prob), mask


def own_stream_dropout(u, prob):
    mask = (np.random.default_rng(0).random(u.shape) >= prob).astype(int)
    return u * mask / (1 - prob), mask


def only_values_dropout(u, prob):
    return u * drawn(u, prob) / (1 - prob)


def summed_loss(self, y, y_hat):
    return -np.sum(y * np.log(y_hat + 1e-15))


def loss_over_everything(self, y, y_hat):
    return -np.mean(y * np.log(y_hat + 1e-15))


def loss_without_epsilon(self, y, y_hat):
    with np.errstate(all="ignore"):
        return -np.sum(y * np.log(y_hat)) / len(y)


def loss_of_each_row(self, y, y_hat):
    return -np.sum(y * np.log(y_hat + 1e-15), axis=1)


REFERENCE = {
    name: NN.NeuralNet.__dict__[name] for name in ("forward", "compute_gradients", "update_weights")
}


def forward_without_dropout(self, x, use_dropout):
    o3 = REFERENCE["forward"](self, x, False)
    self.cache["mask"] = drawn(self.cache["o1"], self.dropout_prob)
    return o3


def forward_always_with_dropout(self, x, use_dropout):
    return REFERENCE["forward"](self, x, True)


def forward_without_cache(self, x, use_dropout):
    o3 = REFERENCE["forward"](self, x, use_dropout)
    del self.cache["u3"]
    return o3


def forward_of_logits(self, x, use_dropout):
    REFERENCE["forward"](self, x, use_dropout)
    return self.cache["u3"]


def gradients_times(factor):
    def mutant(self, y, yh, use_dropout):
        made = REFERENCE["compute_gradients"](self, y, yh, use_dropout)
        return {name: value * factor(len(y)) for name, value in made.items()}

    return mutant


def gradients_with_unscaled_mask(self, y, yh, use_dropout):
    made = REFERENCE["compute_gradients"](self, y, yh, use_dropout)
    return made | {name: made[name] * (1 - self.dropout_prob) for name in ("theta1", "b1")}


def gradients_with_kept_axis(self, y, yh, use_dropout):
    made = REFERENCE["compute_gradients"](self, y, yh, use_dropout)
    return made | {"b3": made["b3"][None]}


def gradients_without_biases(self, y, yh, use_dropout):
    made = REFERENCE["compute_gradients"](self, y, yh, use_dropout)
    return {name: value for name, value in made.items() if name.startswith("theta")}


def update_uphill(self, dLoss, use_momentum):
    for name, gradient in dLoss.items():
        self.parameters[name] = self.parameters[name] + self.learning_rate * gradient
    self.weight_updates += 1


def update_without_counting(self, dLoss, use_momentum):
    REFERENCE["update_weights"](self, dLoss, use_momentum)
    self.weight_updates = 0


def momentum_update(keep, sign=1):
    def mutant(self, dLoss, use_momentum):
        for name, gradient in dLoss.items():
            change = sign * self.momentum * self.change[name] + keep(self.momentum) * gradient
            self.change[name] = change
            self.parameters[name] = self.parameters[name] - self.learning_rate * change
        self.weight_updates += 1

    return mutant


def forgetful_update(self, dLoss, use_momentum):
    REFERENCE["update_weights"](self, dLoss, False)


VALUES = ("has wrong values", "expected:", "came:", "largest error:", "at index", "hint:")

NN_MISTAKES = [
    ("silu", lambda self, u: sigmoid(u), "test_silu", (*VALUES, "silu(u)", "of 20 differ")),
    ("silu", lambda self, u: None, "test_silu", ("silu(u)", "is None", "return statement")),
    ("silu", not_written, "test_silu", ("silu(u)", "not written yet", "NotImplementedError")),
    ("silu", divides_by_zero, "test_silu", ("silu(u)", "raised ZeroDivisionError")),
    ("silu", lambda self, u: (u * sigmoid(u)).ravel(), "test_silu", ("shape", "(4, 5)", "(20,)")),
    ("silu", lambda self, u: list(u), "test_silu", ("is not a NumPy array", "list")),
    (
        "silu",
        lambda self, u: (u * sigmoid(u)).astype(np.float32),
        "test_silu",
        ("wrong dtype", "expected float64, came float32"),
    ),
    ("silu", overflowing_silu, "test_silu", ("holds NaN", "at index (3, 0)", "exp overflow")),
    ("silu", silu_in_place, "test_silu", ("changes its input",)),
    ("derivative_silu", slope_of_silu, "test_d_silu", (*VALUES, "derivative_silu(u)")),
    ("derivative_silu", not_written, "test_d_silu", ("derivative_silu(u)", "not written yet")),
    ("softmax", softmax_down_the_columns, "test_softmax", (*VALUES, "which axis?")),
    ("softmax", overflowing_softmax, "test_softmax", ("holds NaN", "large u", "maximum")),
    ("softmax", lambda self, u: None, "test_softmax", ("softmax(u)", "is None")),
    ("_dropout", unscaled_dropout, "test_dropout", (*VALUES, "u after _dropout", "scaled")),
    ("_dropout", inverted_dropout, "test_dropout", ("mask of _dropout", "1 where", "is kept")),
    ("_dropout", keeping_dropout, "test_dropout", ("mask of _dropout", "prob is the probability")),
    ("_dropout", own_stream_dropout, "test_dropout", ("mask of _dropout", "global stream")),
    ("_dropout", only_values_dropout, "test_dropout", ("does not return two things",)),
    ("_dropout", not_written, "test_dropout", ("_dropout(u, prob=0.3)", "not written yet")),
    ("cross_entropy_loss", summed_loss, "test_loss", ("wrong values", "largest error", "N once")),
    ("cross_entropy_loss", loss_over_everything, "test_loss", ("wrong values", "mean over")),
    ("cross_entropy_loss", loss_without_epsilon, "test_loss", ("holds NaN", "inside the log")),
    ("cross_entropy_loss", loss_of_each_row, "test_loss", ("wrong shape", "expected ()")),
    ("cross_entropy_loss", not_written, "test_loss", ("cross_entropy_loss", "not written yet")),
    ("forward", forward_without_dropout, "test_forward", (*VALUES, "cache['o1']", "dropout")),
    (
        "forward",
        forward_always_with_dropout,
        "test_forward_without_dropout",
        (*VALUES, "cache['o1']", "only if use_dropout"),
    ),
    ("forward", forward_without_cache, "test_forward", ("lacks ['u3']", "cache after")),
    ("forward", forward_of_logits, "test_forward", ("forward(x, use_dropout=True)", "returns o3")),
    ("forward", not_written, "test_forward", ("forward(x, use_dropout=True)", "not written yet")),
    ("init_parameters", not_written, "test_forward", ("init_parameters(param)", "not written")),
    (
        "compute_gradients",
        gradients_times(lambda n: 1 / n),
        "test_compute_gradients",
        (*VALUES, "theta3 of compute_gradients", "exactly once?"),
    ),
    (
        "compute_gradients",
        gradients_times(lambda n: n),
        "test_compute_gradients_without_dropout",
        (*VALUES, "theta3 of compute_gradients", "exactly once?"),
    ),
    (
        "compute_gradients",
        gradients_with_unscaled_mask,
        "test_compute_gradients",
        (*VALUES, "theta1 of compute_gradients", "between SiLU and o1?"),
    ),
    (
        "compute_gradients",
        gradients_with_kept_axis,
        "test_compute_gradients",
        ("b3 of", "wrong shape: expected (3,), came (1, 3)", "shape (fan_out,)"),
    ),
    (
        "compute_gradients",
        gradients_without_biases,
        "test_compute_gradients",
        ("lacks ['b1', 'b2', 'b3']",),
    ),
    ("compute_gradients", lambda *_, **__: None, "test_compute_gradients", ("is None", "return")),
    ("update_weights", update_uphill, "test_update_weights", (*VALUES, "parameters['theta1']")),
    (
        "update_weights",
        update_without_counting,
        "test_update_weights",
        ("weight_updates", "expected:", "came:", "adds one"),
    ),
    (
        "update_weights",
        momentum_update(lambda beta: 1 - beta),
        "test_update_weights_with_momentum",
        (*VALUES, "change['theta1']", "call 1"),
    ),
    (
        "update_weights",
        momentum_update(lambda beta: 1, sign=-1),
        "test_update_weights_with_momentum",
        (*VALUES, "change['theta1']", "call 2"),
    ),
    (
        "update_weights",
        forgetful_update,
        "test_update_weights_with_momentum",
        (*VALUES, "change['theta1']", "is kept"),
    ),
]


@pytest.mark.parametrize(("name", "mutant", "test", "parts"), NN_MISTAKES)
def test_a_mistake_in_nn_is_explained(name, mutant, test, parts, monkeypatch):
    monkeypatch.setattr(NN.NeuralNet, name, staticmethod(mutant) if name == "_dropout" else mutant)
    text = message("TestNN", test)
    for part in parts:
        assert part in text, text


def test_the_cause_of_a_failure_is_chained(monkeypatch):
    monkeypatch.setattr(NN.NeuralNet, "silu", divides_by_zero)
    with pytest.raises(AssertionError) as caught:
        run("TestNN", "test_silu")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_the_line_of_an_exception_in_the_learners_file_is_named(monkeypatch):
    monkeypatch.setattr(NN, "_softmax", None)
    text = message("TestNN", "test_softmax")
    assert re.search(r"where: +in \w+, line \d+ of NN\.py", text)


def test_the_largest_error_is_where_the_message_says(monkeypatch):
    def silu(self, u):
        wrong = u * sigmoid(u)
        wrong.flat[7 % wrong.size] += 0.5
        return wrong

    monkeypatch.setattr(NN.NeuralNet, "silu", silu)
    text = message("TestNN", "test_silu")
    assert re.search(
        r"largest error: 0\.5 at index \(1, 2\): expected -0\.21\d+, came 0\.28\d+", text
    )
    assert "1 of 20 differ" in text


def test_a_missing_or_broken_module_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "NN", None)
    assert "import NN" in message("TestNN", "test_silu")
    monkeypatch.setitem(sys.modules, "NN", sys)
    assert "NN.NeuralNet does not exist" in message("TestNN", "test_silu")


# ------------------------------------------------------------------- mistakes in training


def training(start=True, loss_after=False, momentum=True, dropout=None, every=1, batches=None):
    """Make a training loop with chosen mistakes out of the reference's public methods."""

    def mutant(self, x, y, use_momentum=False, iter=60000, local_test=False):
        self.init_parameters()
        if not start:
            self.parameters = {name: value * 0.9 for name, value in self.parameters.items()}
        use_dropout = self.use_dropout if dropout is None else dropout
        for number in range(iter):
            rows = np.arange(len(x)) if batches is None else batches(len(x), self, number)
            yh = self.forward(x[rows], use_dropout)
            loss = self.cross_entropy_loss(y[rows], yh)
            self.backward(y[rows], yh, use_dropout, use_momentum and momentum)
            if loss_after:
                loss = self.cross_entropy_loss(y[rows], self.forward(x[rows], use_dropout))
            if number % (every if local_test else 1000) == 0:
                self.loss.append(loss)
                self.batch_y.append(y[rows])
            self.iteration += 1

    return mutant


def wrapping(rows, net, number):
    return (number * net.batch_size + np.arange(net.batch_size)) % rows


def short_last_batch(rows, net, number):
    first = number * net.batch_size % (net.batch_size * -(-rows // net.batch_size))
    return np.arange(first, min(first + net.batch_size, rows))


def starting_over(rows, net, number):
    return np.arange(net.batch_size)


GD, BGD, MOM = "gradient_descent", "batch_gradient_descent", "gradient_descent_with_momentum"
TRAINING_MISTAKES = [
    (GD, training(loss_after=True), GD, (*VALUES, "loss after gradient_descent", "before the")),
    (GD, training(start=False), GD, (*VALUES, "init_parameters()")),
    (GD, training(dropout=False), GD, (*VALUES, "self.use_dropout decides")),
    (GD, training(every=2), GD, ("does not have 3 entries", "every 1000th")),
    (GD, not_written, GD, ("gradient_descent(x, y, iter=3", "not written yet")),
    (GD, training(momentum=False), MOM, (*VALUES, "use_momentum handed on")),
    (BGD, training(batches=short_last_batch), BGD, (*VALUES, "7-9 and 1-3")),
    (BGD, training(batches=starting_over), BGD, (*VALUES, "7-9 and 1-3")),
    (BGD, training(batches=wrapping, loss_after=True), BGD, (*VALUES, "wrap round")),
    (BGD, not_written, BGD, ("batch_gradient_descent", "not written yet")),
]


@pytest.mark.parametrize(("name", "mutant", "test", "parts"), TRAINING_MISTAKES)
@pytest.mark.filterwarnings("ignore:.*STAND-IN")
def test_a_mistake_in_training_is_explained(name, mutant, test, parts, monkeypatch):
    from utilities import datasets

    monkeypatch.setattr(NN.NeuralNet, name, mutant)
    monkeypatch.setenv("HW4_STANDIN", "1")
    monkeypatch.setitem(datasets.URLS, "housing", ())
    text = message("TestNN", f"test_{test}")
    for part in parts:
        assert part in text, text


@pytest.mark.parametrize(
    ("attribute", "wrong", "part"),
    [
        ("batch_y", [], "batch_y after 4 batches"),
        ("iteration", 0, "iteration after 4 batches"),
    ],
)
def test_batches_that_are_not_recorded_are_explained(attribute, wrong, part, monkeypatch):
    right = training(batches=wrapping)

    def mutant(self, *args, **kwargs):
        right(self, *args, **kwargs)
        setattr(self, attribute, wrong)

    monkeypatch.setattr(NN.NeuralNet, BGD, mutant)
    assert part in message("TestNN", "test_batch_gradient_descent")


def test_rows_in_another_order_are_seen_in_batch_y(monkeypatch):
    def mutant(self, *args, **kwargs):
        training(batches=wrapping)(self, *args, **kwargs)
        self.batch_y[1] = self.batch_y[1][::-1]

    monkeypatch.setattr(NN.NeuralNet, BGD, mutant)
    text = message("TestNN", "test_batch_gradient_descent")
    assert "batch_y[1]" in text
    assert "wrap round the data" in text


def test_the_lines_a_training_prints_are_kept_out_of_the_cell(monkeypatch, capsys, tmp_path):
    with with_standin(monkeypatch, tmp_path):
        run("TestNN", "test_gradient_descent")
    assert "Loss after iteration" not in capsys.readouterr().out


# ------------------------------------------------------------- mistakes in random_forest.py


def bootstrap(seed_when="given", columns_first=False, replace=False, more=0):
    """Make a _bootstrapping with chosen mistakes."""

    def mutant(self, num_training, num_features, random_seed=None):
        if {"given": random_seed is not None, "truthy": bool(random_seed)}.get(seed_when, True):
            np.random.seed(0 if random_seed is None else random_seed)
        count = int(num_features * self.max_features) + more
        if columns_first:
            columns = np.random.choice(num_features, count, replace=replace)
            return np.random.choice(num_training, num_training), columns
        rows = np.random.choice(num_training, num_training)
        return rows, np.random.choice(num_features, count, replace=replace)

    return mutant


def bags(seed_each=False, in_bag=False, forget=False):
    """Make a bootstrapping of all trees with chosen mistakes."""

    def mutant(self, num_training, num_features):
        np.random.seed(self.random_seed)
        for _ in range(self.n_estimators):
            seed = self.random_seed if seed_each else None
            rows, columns = self._bootstrapping(num_training, num_features, seed)
            self.bootstraps_row_indices.append(rows)
            self.feature_indices.append(columns)
            kept = set(rows.tolist())
            if not forget:
                bag = kept if in_bag else set(range(num_training)) - kept
                self.out_of_bag.append(bag)

    return mutant


def boosting(half=0.5, sign=1, weighted=True, normalised=True, skip=False, collect=True):
    """Make an adaboost with chosen mistakes."""

    def mutant(self, X, y):
        weights = np.ones(len(y)) / len(y)
        for tree in self.decision_trees:
            tree.fit(X, y, sample_weight=weights if weighted else None)
            wrong = tree.predict(X) != y
            error = np.sum(weights * wrong) / np.sum(weights)
            if skip and error >= 0.5:
                break
            alpha = half * np.log((1 - error) / (error + 1e-10))
            weights = weights * np.exp(sign * alpha * wrong)
            if normalised:
                weights = weights / weights.sum()
            if collect:
                self.alphas.append(alpha)

    return mutant


def unweighted_votes(self, X):
    votes = np.array([tree.predict(X) for tree in self.decision_trees])
    return np.array([np.bincount(column).argmax() for column in votes.T])


FOREST_MISTAKES = [
    ("_bootstrapping", bootstrap("always"), "bootstrapping", ("without a seed", "None must not")),
    ("_bootstrapping", bootstrap("truthy"), "bootstrapping", ("random_seed=0", "0 is a seed")),
    ("_bootstrapping", bootstrap(columns_first=True), "bootstrapping", ("row_idx", "rows first")),
    ("_bootstrapping", bootstrap(replace=True), "bootstrapping", ("col_idx", "without repl")),
    ("_bootstrapping", bootstrap(more=1), "bootstrapping", ("col_idx", "wrong shape", "(4,)")),
    ("_bootstrapping", not_written, "bootstrapping", ("_bootstrapping(10, 7)", "not written")),
    ("_bootstrapping", lambda *_, **__: None, "bootstrapping", ("does not return two things",)),
    ("bootstrapping", bags(seed_each=True), "bootstrapping", ("tree 1 of", "seeded once")),
    ("bootstrapping", bags(in_bag=True), "bootstrapping", ("out_of_bag[0]", "did not draw")),
    ("bootstrapping", bags(forget=True), "bootstrapping", ("out_of_bag", "does not have 3")),
    ("adaboost", boosting(half=1), "adaboost", ("sample_weight", *VALUES)),
    ("adaboost", boosting(sign=-1), "adaboost", ("sample_weight", *VALUES, "exp(alpha)")),
    ("adaboost", boosting(normalised=False), "adaboost", ("sample_weight", "normalised")),
    ("adaboost", boosting(weighted=False), "adaboost", ("sample_weight", "is None")),
    ("adaboost", boosting(skip=True), "adaboost", ("alphas", "does not have 3 entries")),
    ("adaboost", boosting(collect=False), "adaboost", ("alphas", "one alpha for each tree")),
    ("adaboost", not_written, "adaboost", ("adaboost(X, y)", "not written yet")),
    ("adaboost", lambda self, X, y: None, "adaboost", ("every tree in self.decision_trees",)),
    ("predict_adaboost", unweighted_votes, "adaboost", (*VALUES, "predict_adaboost", "alpha")),
    ("predict_adaboost", lambda self, X: None, "adaboost", ("predict_adaboost(X) is None",)),
]


@pytest.mark.parametrize(("name", "mutant", "test", "parts"), FOREST_MISTAKES)
def test_a_mistake_in_the_forest_is_explained(name, mutant, test, parts, monkeypatch):
    import random_forest

    monkeypatch.setattr(random_forest.RandomForest, name, mutant)
    text = message("TestRandomForest", f"test_{test}")
    for part in parts:
        assert part in text, text


def test_boosted_trees_may_be_asked_row_by_row(monkeypatch):
    import random_forest

    def row_by_row(self, X):
        votes = np.zeros((len(X), 3))
        for tree, alpha in zip(self.decision_trees, self.alphas, strict=True):
            for number, row in enumerate(X):
                votes[number, tree.predict(row.reshape(1, -1))[0]] += alpha
        return votes.argmax(axis=1)

    monkeypatch.setattr(random_forest.RandomForest, "predict_adaboost", row_by_row)
    localtests.TestRandomForest("test_adaboost").test_adaboost()


def test_boosting_written_in_another_way_passes(monkeypatch):
    """The error as 1 - weighted score is right too, though it rounds differently."""
    import random_forest

    def adaboost(self, X, y):
        weights = np.full(len(y), 1 / len(y))
        for tree in self.decision_trees:
            error = 1 - tree.fit(X, y, weights).score(X, y, weights)
            self.alphas.append(np.log((1 - error) / (error + 1e-10)) / 2)
            weights = weights * np.where(tree.predict(X) == y, 1, np.exp(self.alphas[-1]))
            weights /= weights.sum()

    monkeypatch.setattr(random_forest.RandomForest, "adaboost", adaboost)
    run("TestRandomForest", "test_adaboost")


# ------------------------------------------------------------------- mistakes in the CNN


def transforms(flip=0.2, angle=36, random_order=False, scale=True, plain=False):
    """Make a list of training transforms with chosen mistakes."""
    import torch
    from torchvision.transforms import v2

    last = [
        v2.RandomHorizontalFlip(p=flip),
        v2.RandomApply([v2.RandomRotation((-angle, angle))], p=0.2),
    ]
    convert = [v2.ToImage(), v2.ToDtype(torch.float32, scale=scale)]
    return convert + last if plain else v2.Compose(convert + (last[::-1] if random_order else last))


TRANSFORM_MISTAKES = [
    ({"flip": 0.5}, ("RandomHorizontalFlip", "0.5", "0.2")),
    ({"angle": 30}, ("RandomRotation", "30", "36")),
    ({"random_order": True}, ("the types in", "in this order?")),
    ({"scale": False}, ("ToDtype", "False", "True")),
    ({"plain": True}, ("is not a v2.Compose", "list")),
]


@pytest.mark.parametrize(("options", "parts"), TRANSFORM_MISTAKES)
def test_a_mistake_in_the_transforms_is_explained(options, parts, monkeypatch):
    pytest.importorskip("torchvision")
    import cnn_image_transformations

    name = "create_training_transformations"
    monkeypatch.setattr(cnn_image_transformations, name, lambda: transforms(**options))
    text = message("TestCNN", "test_transformations")
    for part in (*parts, "expected:", "came:", "hint:"):
        assert part in text, text


def test_random_test_transforms_are_explained(monkeypatch):
    pytest.importorskip("torchvision")
    import cnn_image_transformations

    name = "create_testing_transformations"
    monkeypatch.setattr(cnn_image_transformations, name, transforms)
    assert "nothing random" in message("TestCNN", "test_transformations")


def break_cnn(model, kind):
    """Put a mistake into a CNN."""
    from torch import nn

    if kind == "slope":
        model.feature_extractor[1] = nn.LeakyReLU(0.1)
    elif kind == "width":
        model.classifier[0] = nn.Linear(3136, 255)
    elif kind == "softmax":
        model.classifier.append(nn.Softmax(dim=1))
    elif kind == "name":
        model.pooling = model.avg_pooling
        del model.avg_pooling


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        ("slope", ("LeakyReLU", "0.1", "0.01", "feature_extractor")),
        ("width", ("Linear", "255", "256", "classifier")),
        ("softmax", ("the types in CNN().classifier", "Softmax")),
        ("name", ("the children of CNN()", "avg_pooling")),
    ],
)
def test_a_mistake_in_the_cnn_is_explained(kind, parts, monkeypatch):
    pytest.importorskip("torch")
    import cnn

    class Broken(cnn.CNN):
        def __init__(self):
            super().__init__()
            break_cnn(self, kind)

    monkeypatch.setattr(cnn, "CNN", Broken)
    text = message("TestCNN", "test_model_architecture")
    for part in (*parts, "expected:", "came:", "hint:"):
        assert part in text, text


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda logits: logits.softmax(dim=1), "gives probabilities"),
        (lambda logits: logits[0], "the shape of CNN()(x)"),
        (lambda logits: None, "the shape of CNN()(x)"),
    ],
)
def test_a_wrong_output_of_the_cnn_is_explained(change, part, monkeypatch):
    pytest.importorskip("torch")
    import cnn

    forward = cnn.CNN.forward
    monkeypatch.setattr(cnn.CNN, "forward", lambda self, x: change(forward(self, x)))
    assert part in message("TestCNN", "test_model_architecture")


def test_a_forward_pass_that_starts_training_is_explained(monkeypatch):
    pytest.importorskip("torch")
    import cnn

    forward = cnn.CNN.forward
    monkeypatch.setattr(cnn.CNN, "forward", lambda self, x: forward(self.train(), x))
    assert "must not call train()" in message("TestCNN", "test_model_architecture")


# --------------------------------------------------------------- mistakes in rnn.py, lstm.py


def net(vocab_size=34, units=128, kind="SimpleRNN", activation=None, extra=False, end="softmax"):
    """Make a Keras net with chosen mistakes."""
    import keras

    layers = keras.layers
    stack = [layers.Embedding(vocab_size, 256), getattr(layers, kind)(units)]
    stack += [layers.Dropout(0.2)] if extra else []
    stack += [layers.Dense(34, activation=activation), layers.Activation(end)]
    return keras.Sequential(stack)


RNN_MISTAKES = [
    ({"units": 64}, ("layer 1 (SimpleRNN)", "units", "expected 128, came 64")),
    ({"vocab_size": 30}, ("layer 0 (Embedding)", "expected 34, came 30")),
    ({"activation": "softmax"}, ("layer 2 (Dense)", "activation", "expected linear")),
    ({"kind": "GRU"}, ("the layers of define_model()", "GRU")),
    ({"extra": True}, ("the layers of define_model()", "Dropout")),
    ({"end": "relu"}, ("layer 3 (Activation)", "expected softmax, came relu")),
]


@pytest.mark.parametrize(("options", "parts"), RNN_MISTAKES)
def test_a_mistake_in_the_rnn_is_explained(options, parts, tensorflow, monkeypatch):
    import rnn

    monkeypatch.setattr(rnn.RNN, "define_model", lambda self: net(**options))
    text = message("TestRNN", "test_rnn_architecture")
    for part in (*parts, "hint:"):
        assert part in text, text


def test_a_net_that_is_kept_but_not_returned_passes(tensorflow, monkeypatch):
    import rnn

    def define_model(self):
        self.model = net()

    def build_model(self):
        self.define_model()
        self.model.build((None, self.max_input_len))

    monkeypatch.setattr(rnn.RNN, "define_model", define_model)
    monkeypatch.setattr(rnn.RNN, "build_model", build_model)
    run("TestRNN", "test_rnn_architecture")


def test_mistakes_in_the_lstm_are_explained(tensorflow, monkeypatch):
    import lstm

    monkeypatch.setattr(lstm.LSTM, "define_model", lambda self: net(kind="LSTM", units=100))
    assert "expected 128, came 100" in message("TestLSTM", "test_lstm_architecture")
    monkeypatch.setattr(lstm.LSTM, "define_model", not_written)
    assert "define_model() needs code" in message("TestLSTM", "test_lstm_architecture")
    monkeypatch.setattr(lstm.LSTM, "set_hyperparameters", lambda self: setattr(self, "hp", {}))
    assert "hp after set_hyperparameters()" in message("TestLSTM", "test_lstm_architecture")


def test_the_local_tests_also_run_under_unittest():
    code = "import sys, unittest; unittest.main(module='utilities.localtests', argv=sys.argv)"
    done = run_python(code, "TestNN.test_silu", "TestNN.test_forward", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "Ran 2 tests" in done.stderr
