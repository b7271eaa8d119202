"""Q3: bootstrapping, the forest, its out-of-bag score, AdaBoost and the importance plot.

The oracle of the forest is a plain loop over scikit-learn's own trees, that of AdaBoost a
computation by hand on trees that do what the test tells them.
"""

from importlib.metadata import version

import conditions
import numpy as np
import pandas as pd
import pytest
from helpers import no_warnings, refused, stream_position
from sklearn.base import clone
from sklearn.tree import ExtraTreeClassifier

from random_forest import RandomForest

SEED = 4641 + 7641


def blobs(rows=120, columns=6, classes=3, seed=0):
    """Return overlapping clouds: a tree gets most rows right, none gets all."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, size=rows)
    y[:classes] = np.arange(classes)
    return rng.normal(size=(rows, columns)) + 0.8 * y[:, None], y


def make_forest(trees=7, depth=4, share=0.6, seed=SEED):
    return RandomForest(trees, depth, share, random_seed=seed)


def draws_by_hand(trees, rows, columns, share):
    """Draw from the global stream as it stands: each tree's rows, then its columns."""
    drawn = []
    for _ in range(trees):
        row_idx = np.random.choice(rows, size=rows, replace=True)
        col_idx = np.random.choice(columns, size=int(columns * share), replace=False)
        drawn.append((row_idx, col_idx))
    return drawn


def assert_same_draws(forest, expected):
    assert len(forest.bootstraps_row_indices) == len(forest.feature_indices) == len(expected)
    for i, (rows, columns) in enumerate(expected):
        np.testing.assert_array_equal(forest.bootstraps_row_indices[i], rows)
        np.testing.assert_array_equal(forest.feature_indices[i], columns)


# --- the constructor ---------------------------------------------------------------------------


def test_a_new_forest_has_its_trees_and_empty_lists():
    forest = RandomForest(3, 5, 0.7, random_seed=1)
    assert (forest.n_estimators, forest.max_depth, forest.max_features) == (3, 5, 0.7)
    assert forest.random_seed == 1
    assert len(forest.decision_trees) == 3
    for tree in forest.decision_trees:
        assert type(tree) is ExtraTreeClassifier
        assert (tree.max_depth, tree.criterion) == (5, "entropy")
    assert len({id(tree) for tree in forest.decision_trees}) == 3
    assert forest.alphas == []
    assert list(forest.bootstraps_row_indices) == []
    assert list(forest.feature_indices) == list(forest.out_of_bag) == []


def test_the_seed_is_optional():
    assert RandomForest(3, 5, 0.7).random_seed is None


@pytest.mark.parametrize(
    ("change", "match"),
    [
        *(({"n_estimators": v}, "n_estimators") for v in (0, -1, 2.5, "3", None, float("nan"))),
        *(({"max_depth": v}, "max_depth") for v in (0, -1, 2.5, "3", float("nan"))),
        *(
            ({"max_features": v}, "max_features")
            for v in (0, -0.1, 1.5, float("nan"), "sqrt", None)
        ),
        *(({"random_seed": v}, "random_seed") for v in (-1, 1.5, "1")),
    ],
)
def test_the_constructor_names_the_option_it_refuses(change, match):
    with refused(match):
        RandomForest(
            **({"n_estimators": 3, "max_depth": 5, "max_features": 0.7, "random_seed": 1} | change)
        )


# --- bootstrapping -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, SEED])
def test_one_bootstrap_is_the_seeded_stream_rows_then_columns(seed):
    np.random.seed(seed)
    ((rows, columns),) = draws_by_hand(1, 50, 16, 0.6)
    position = stream_position()
    np.random.seed(99)
    row_idx, col_idx = make_forest()._bootstrapping(50, 16, random_seed=seed)
    np.testing.assert_array_equal(row_idx, rows)
    np.testing.assert_array_equal(col_idx, columns)
    assert stream_position() == position


def test_one_bootstrap_without_a_seed_goes_on_where_the_stream_stands():
    np.random.seed(3)
    expected = draws_by_hand(2, 20, 8, 0.6)
    np.random.seed(3)
    forest = make_forest()
    for rows, columns in expected:
        row_idx, col_idx = forest._bootstrapping(20, 8)
        np.testing.assert_array_equal(row_idx, rows)
        np.testing.assert_array_equal(col_idx, columns)


@pytest.mark.parametrize(("columns", "share", "kept"), [(16, 0.3, 4), (16, 1.0, 16), (9, 0.5, 4)])
def test_the_number_of_columns_is_rounded_down_and_none_comes_twice(columns, share, kept):
    row_idx, col_idx = make_forest(share=share)._bootstrapping(40, columns, 0)
    assert row_idx.shape == (40,)
    assert col_idx.shape == (kept,)
    assert len(set(col_idx.tolist())) == kept
    assert set(row_idx.tolist()) <= set(range(40))
    assert set(col_idx.tolist()) <= set(range(columns))


@pytest.mark.parametrize("seed", [0, SEED])
def test_bootstrapping_seeds_once_and_then_draws_tree_by_tree(seed):
    np.random.seed(seed)
    expected = draws_by_hand(7, 30, 10, 0.6)
    position = stream_position()
    np.random.seed(99)
    forest = make_forest(seed=seed)
    forest.bootstrapping(30, 10)
    assert_same_draws(forest, expected)
    assert stream_position() == position
    for rows, unseen in zip(forest.bootstraps_row_indices, forest.out_of_bag, strict=True):
        assert isinstance(unseen, set)
        assert unseen == set(range(30)) - set(rows.tolist())


def test_bootstrapping_without_a_seed_does_not_reseed():
    np.random.seed(5)
    expected = draws_by_hand(7, 30, 10, 0.6)
    np.random.seed(5)
    forest = make_forest(seed=None)
    forest.bootstrapping(30, 10)
    assert_same_draws(forest, expected)


def test_bootstrapping_again_starts_its_lists_anew():
    forest = make_forest()
    forest.bootstrapping(30, 10)
    forest.bootstrapping(20, 10)
    assert len(forest.bootstraps_row_indices) == len(forest.feature_indices) == 7
    assert [len(rows) for rows in forest.bootstraps_row_indices] == [20] * 7
    assert len(forest.out_of_bag) == 7


@pytest.mark.parametrize("method", ["_bootstrapping", "bootstrapping"])
@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((0, 10), "num_training"),
        ((-5, 10), "num_training"),
        ((2.5, 10), "num_training"),
        (("30", 10), "num_training"),
        ((30, 0), "num_features"),
        ((30, -1), "num_features"),
        ((30, None), "num_features"),
        ((30, 1), "max_features"),  # 0.6 of one column is none
    ],
)
def test_bootstrapping_refuses_sizes_before_it_touches_the_stream(method, arguments, match):
    forest, position = make_forest(), stream_position()
    with refused(match, unchanged=forest):
        getattr(forest, method)(*arguments)
    if method == "_bootstrapping":
        assert stream_position() == position


@pytest.mark.parametrize("seed", [-1, 1.5, "1"])
def test_one_bootstrap_refuses_a_bad_seed(seed):
    forest = make_forest()
    with refused("random_seed", unchanged=forest):
        forest._bootstrapping(30, 10, random_seed=seed)


# --- the forest --------------------------------------------------------------------------------


def trees_by_hand(forest, X, y):
    """Fit copies of the forest's unfitted trees as the contract says, one after the other."""
    trees = [clone(tree) for tree in forest.decision_trees]
    np.random.seed(forest.random_seed)
    drawn = draws_by_hand(len(trees), *X.shape, forest.max_features)
    for tree, (rows, columns) in zip(trees, drawn, strict=True):
        tree.fit(X[rows][:, columns], y[rows])
    return trees, drawn


def sum_of_votes(trees, columns_of, X, labels):
    """Add up the trees' probabilities label by label and row by row."""
    total = np.zeros((len(X), len(labels)))
    for tree, columns in zip(trees, columns_of, strict=True):
        for i, row in enumerate(tree.predict_proba(X[:, columns])):
            for label, share in zip(tree.classes_, row, strict=True):
                total[i, list(labels).index(label)] += share
    return total


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_the_forest_predicts_what_a_loop_over_scikit_learn_trees_predicts(classes):
    X, y = blobs(classes=classes)
    X_new, _ = blobs(rows=80, classes=classes, seed=1)
    forest = make_forest()
    trees, drawn = trees_by_hand(forest, X, y)
    forest.fit(X, y)
    assert_same_draws(forest, drawn)
    total = sum_of_votes(trees, [columns for _, columns in drawn], X_new, range(classes))
    predicted = forest.predict(X_new)
    assert predicted.shape == (80,)
    np.testing.assert_array_equal(predicted, total.argmax(axis=1))
    assert len(set(predicted.tolist())) > 1  # or the comparison would show little


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(np.array(["SEKER", "BOMBAY", "CALI"]), id="strings"),
        pytest.param(np.array([10, -4, 7]), id="integers with gaps"),
        pytest.param(np.array([True, False]), id="booleans"),
    ],
)
def test_predictions_come_back_as_the_labels_that_were_given(labels):
    X, y = blobs(classes=len(labels))
    numbers = np.unique(labels[y], return_inverse=True)[1]
    named, numbered = make_forest(), make_forest()
    named.fit(X, labels[y])
    numbered.fit(X, numbers)
    expected = np.unique(labels)[numbered.predict(X)]
    np.testing.assert_array_equal(named.predict(X), expected)
    assert named.OOB_score(X, labels[y]) == numbered.OOB_score(X, numbers)


def test_classes_missing_from_a_bootstrap_shift_no_votes():
    """Four classes of one row each: a bootstrap has them all with probability 0.63**4 = 0.16."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2, 3, 4, 5], [1, 1, 1, 1, 30, 26])
    X = rng.normal(size=(60, 4)) + 6.0 * y[:, None]
    forest = make_forest(trees=9, share=1.0)
    trees, drawn = trees_by_hand(forest, X, y)
    assert len({tuple(tree.classes_) for tree in trees}) > 3  # the case does occur
    forest.fit(X, y)
    total = sum_of_votes(trees, [columns for _, columns in drawn], X, range(6))
    np.testing.assert_array_equal(forest.predict(X), total.argmax(axis=1))
    # six standard deviations apart, the two large classes are told from each other
    assert (forest.predict(X)[4:] == y[4:]).all()


def test_one_class_is_enough():
    X, _ = blobs()
    forest = make_forest()
    forest.fit(X, np.full(len(X), 4))
    assert set(forest.predict(X)) == {4}
    assert forest.OOB_score(X, np.full(len(X), 4)) == 1.0


def test_a_seeded_forest_repeats_itself_and_fitting_again_starts_anew():
    X, y = blobs()
    X_new, _ = blobs(seed=1)
    first, second = make_forest(), make_forest()
    first.fit(X, y)
    second.fit(X[:50], y[:50])
    second.fit(X, y)
    assert len(second.bootstraps_row_indices) == len(second.out_of_bag) == 7
    np.testing.assert_array_equal(first.predict(X_new), second.predict(X_new))
    np.testing.assert_array_equal(first.predict(X), second.predict(X))


def test_fitting_takes_data_frames_and_leaves_the_data_alone():
    X, y = blobs()
    frame, series = pd.DataFrame(X, columns=list("abcdef")), pd.Series(y, index=y + 1000)
    from_frame, from_arrays = make_forest(), make_forest()
    with no_warnings():
        from_frame.fit(frame, series)
        predicted = from_frame.predict(frame)
        score = from_frame.OOB_score(frame, series)
    from_arrays.fit(X, y)
    np.testing.assert_array_equal(predicted, from_arrays.predict(X))
    assert score == from_arrays.OOB_score(X, y)
    np.testing.assert_array_equal(frame.to_numpy(), X)
    np.testing.assert_array_equal(series.to_numpy(), y)


# --- the out-of-bag score ----------------------------------------------------------------------


def score_row_by_row(forest, trees, drawn, X, y):
    shares = []
    for i in range(len(X)):
        votes = [
            tree.predict(X[i : i + 1][:, columns])[0] == y[i]
            for tree, (_, columns), unseen in zip(trees, drawn, forest.out_of_bag, strict=True)
            if i in unseen
        ]
        if votes:
            shares.append(sum(votes) / len(votes))
    return sum(shares) / len(shares)


@pytest.mark.parametrize("rows", [120, 40, 300])
def test_the_out_of_bag_score_is_that_of_a_loop_over_rows(rows):
    """Also for a test set: rows beyond the training rows were out of nobody's bag."""
    X, y = blobs()
    forest = make_forest()
    trees, drawn = trees_by_hand(forest, X, y)
    forest.fit(X, y)
    X_new, y_new = (X, y) if rows == 120 else blobs(rows=rows, seed=1)
    expected = score_row_by_row(forest, trees, drawn, X_new, y_new)
    # sums of at most 300 shares in either order
    assert forest.OOB_score(X_new, y_new) == pytest.approx(expected, abs=1e-13)
    assert 0.4 < expected < 1  # informative: better than a third, not perfect


def test_rows_that_every_tree_has_seen_do_not_count():
    X, y = blobs(rows=12)
    forest = make_forest(trees=2)
    trees, drawn = trees_by_hand(forest, X, y)
    forest.fit(X, y)
    assert len(set().union(*forest.out_of_bag)) < 12  # the case does occur
    expected = score_row_by_row(forest, trees, drawn, X, y)
    assert forest.OOB_score(X, y) == pytest.approx(expected, abs=1e-13)


def test_without_any_vote_there_is_no_score():
    X, y = blobs()
    forest = make_forest()
    forest.fit(X, y)
    forest.out_of_bag = [set() for _ in forest.decision_trees]
    with refused("X|vote|bag"):
        forest.OOB_score(X, y)


# --- AdaBoost ----------------------------------------------------------------------------------


class ScriptedTree:
    """A tree that predicts what it is told and remembers the weights it was fitted with."""

    def __init__(self, predictions, classes=(0, 1)):
        self.predictions, self.classes_ = np.asarray(predictions), np.asarray(classes)
        self.n_features_in_ = 2
        self.weights = []

    def fit(self, X, y, sample_weight=None, **_):
        self.weights.append(np.array(sample_weight))
        assert np.shape(X) == (len(self.predictions), 2)  # all columns, all rows
        return self

    def predict(self, X, **_):
        return self.predictions[: len(X)]

    def predict_proba(self, X, **_):
        return (self.predict(X)[:, None] == self.classes_).astype(float)


def scripted_forest(predictions, classes=(0, 1)):
    forest = RandomForest(len(predictions), 3, 0.5, random_seed=0)
    forest.decision_trees = [ScriptedTree(p, classes) for p in predictions]
    return forest


X4, Y4 = np.arange(8.0).reshape(4, 2), np.array([0, 0, 1, 1])


def test_adaboost_by_hand_on_four_rows():
    """Tree 1 errs on row 0: error 1/4, alpha ln(3)/2, so row 0 weighs root 3 to the others' 1."""
    forest = scripted_forest([[1, 0, 1, 1], [0, 1, 1, 1]])
    forest.adaboost(X4, Y4)
    first, second = forest.decision_trees
    np.testing.assert_allclose(first.weights[0], [0.25] * 4, rtol=1e-15)
    root = np.sqrt(3)
    # the epsilon of 1e-10 beside an error of 1/4 moves alpha by 2e-10, the weights by less
    np.testing.assert_allclose(second.weights[0], np.array([root, 1, 1, 1]) / (root + 3), rtol=1e-9)
    error = 1 / (root + 3)
    expected = [np.log(3) / 2, 0.5 * np.log((1 - error) / error)]
    np.testing.assert_allclose(forest.alphas, expected, rtol=2e-9)
    # and to the last digits with the epsilon in
    assert forest.alphas[0] == pytest.approx(0.5 * np.log(0.75 / (0.25 + 1e-10)), rel=1e-14)
    votes = forest.predict_adaboost(X4)
    np.testing.assert_array_equal(votes, [0, 1, 1, 1])  # the second tree has the larger alpha


def test_weights_sum_to_one_at_every_step():
    X, y = blobs()
    rng = np.random.default_rng(0)
    wrong = rng.random((6, len(X))) < 0.3
    forest = scripted_forest(np.where(wrong, (y + 1) % 3, y), classes=(0, 1, 2))
    forest.adaboost(X[:, :2], y)
    for tree, mistakes, alpha in zip(forest.decision_trees, wrong, forest.alphas, strict=True):
        (weights,) = tree.weights
        assert weights.sum() == pytest.approx(1, abs=1e-14)  # 120 roundings of 1e-2
        error = weights[mistakes].sum()
        assert alpha == pytest.approx(0.5 * np.log((1 - error) / (error + 1e-10)), rel=1e-11)


@pytest.mark.parametrize(
    ("predictions", "expected"),
    [
        pytest.param([0, 0, 1, 1], 0.5 * np.log(1 / 1e-10), id="no mistake"),
        pytest.param([1, 1, 1, 1], 0.0, id="half wrong"),
        pytest.param([1, 1, 0, 1], 0.5 * np.log(1 / 3), id="three quarters wrong"),
        pytest.param([1, 1, 0, 0], None, id="all wrong"),
    ],
)
def test_adaboost_survives_trees_without_and_with_nothing_but_mistakes(predictions, expected):
    forest = scripted_forest([predictions, [0, 1, 1, 1]])
    with no_warnings():
        forest.adaboost(X4, Y4)
        predicted = forest.predict_adaboost(X4)
    assert np.isfinite(forest.alphas).all()
    assert len(forest.alphas) == 2
    if expected is None:
        assert forest.alphas[0] < 0  # the contract's formula tends to minus infinity here
    else:
        # the epsilon moves a finite logarithm by at most 1e-10 / error
        assert forest.alphas[0] == pytest.approx(expected, abs=3e-10)
    (weights,) = forest.decision_trees[1].weights
    assert np.isfinite(weights).all()
    assert weights.sum() == pytest.approx(1, abs=1e-15)
    assert set(predicted.tolist()) <= {0, 1}


class RecordingTree(ExtraTreeClassifier):
    """scikit-learn's tree, which also remembers the weights it was fitted with."""

    def fit(self, X, y, sample_weight=None, **options):
        self.seen_weights = np.array(sample_weight)
        return super().fit(X, y, sample_weight=sample_weight, **options)


def boosted_by_hand(trees, X, y):
    """Work out the weights and alphas that follow from the fitted trees' mistakes.

    The trees are taken as the forest fitted them: a difference in the last digit of one weight
    may tip a split, after which two boosted forests have little in common.
    """
    weights, seen, alphas = np.ones(len(X)) / len(X), [], []
    for tree in trees:
        seen.append(weights.copy())
        wrong = tree.predict(X) != y
        error = weights[wrong].sum()
        alphas.append(0.5 * np.log((1 - error) / (error + 1e-10)))
        weights[wrong] *= np.exp(alphas[-1])
        weights /= weights.sum()
    return seen, alphas


def votes_by_hand(trees, alphas, X):
    winners = []
    for i in range(len(X)):
        tally = {}
        for tree, alpha in zip(trees, alphas, strict=True):
            vote = tree.predict(X[i : i + 1])[0]
            tally[vote] = tally.get(vote, 0.0) + alpha
        winners.append(max(sorted(tally), key=tally.get))
    return np.array(winners)


@pytest.mark.parametrize("classes", [2, 4])
def test_adaboost_and_its_votes_follow_a_loop_over_scikit_learn_trees(classes):
    X, y = blobs(classes=classes)
    X_new, _ = blobs(rows=60, classes=classes, seed=1)
    forest = make_forest()
    forest.decision_trees = [RecordingTree(max_depth=6, random_state=i) for i in range(7)]
    forest.adaboost(X, y)
    weights, alphas = boosted_by_hand(forest.decision_trees, X, y)
    assert min(alphas) > 0.05
    assert max(alphas) < 5
    for tree, expected in zip(forest.decision_trees, weights, strict=True):
        assert tree.n_features_in_ == X.shape[1]
        # sums of 120 weights in either order, carried through at most seven steps
        np.testing.assert_allclose(tree.seen_weights, expected, rtol=1e-11)
    np.testing.assert_allclose(forest.alphas, alphas, rtol=1e-11)
    np.testing.assert_array_equal(
        forest.predict_adaboost(X_new), votes_by_hand(forest.decision_trees, alphas, X_new)
    )


def test_boosting_again_starts_anew():
    X, y = blobs()
    forest = make_forest()
    forest.adaboost(X, y)
    forest.adaboost(X, y)
    assert len(forest.alphas) == 7
    fresh = make_forest()
    np.random.seed(1)
    fresh.adaboost(X, y)
    np.random.seed(1)
    forest.adaboost(X, y)
    np.testing.assert_array_equal(forest.alphas, fresh.alphas)


def test_boosting_one_class_predicts_it():
    X, _ = blobs()
    forest = make_forest()
    with no_warnings():
        forest.adaboost(X, np.full(len(X), 5))
        assert set(forest.predict_adaboost(X)) == {5}
    assert np.isfinite(forest.alphas).all()


def test_boosted_predictions_come_back_as_string_labels():
    X, y = blobs()
    labels = np.array(["SEKER", "BOMBAY", "CALI"])
    forest = make_forest()
    forest.adaboost(X, labels[y])
    predicted = forest.predict_adaboost(X)
    assert set(predicted.tolist()) <= set(labels)
    assert (predicted == labels[y]).mean() > 0.6


# --- bad input ---------------------------------------------------------------------------------

BX, BY = blobs()
BAD_FEATURES = [
    pytest.param(BX[0], id="one row without its axis"),
    pytest.param(BX[:, :, None], id="three axes"),
    pytest.param(BX[:0], id="no rows"),
    pytest.param(BX[:, :0], id="no columns"),
    pytest.param(np.full(BX.shape, np.nan), id="NaN"),
    pytest.param(np.full(BX.shape, np.inf), id="infinite"),
    pytest.param(np.full(BX.shape, "wide"), id="strings"),
    pytest.param(np.full(BX.shape, {}), id="objects"),
    pytest.param(None, id="None"),
]
BAD_LABELS = [
    pytest.param(BY[:-1], id="a label too few"),
    pytest.param(BY[:, None], id="a column"),
    pytest.param(BY[:0], id="empty"),
    pytest.param(np.where(BY == 0, np.nan, BY), id="NaN"),
    pytest.param(BY + 0.5, id="fractions"),
    pytest.param(np.where(BY == 0, None, "SEKER"), id="None among strings"),
    pytest.param(None, id="None"),
]


def used_forest(how):
    forest = make_forest()
    getattr(forest, how)(BX, BY)
    return forest


@pytest.mark.parametrize("how", ["fit", "adaboost"])
@pytest.mark.parametrize("X", BAD_FEATURES)
def test_fitting_refuses_bad_features_and_keeps_the_old_trees(how, X):
    forest = used_forest(how)
    with refused(r"\bX\b", unchanged=forest):
        getattr(forest, how)(X, BY)


@pytest.mark.parametrize("how", ["fit", "adaboost"])
@pytest.mark.parametrize("y", BAD_LABELS)
def test_fitting_refuses_bad_labels_and_keeps_the_old_trees(how, y):
    forest = used_forest(how)
    with refused(r"\by\b|label", unchanged=forest):
        getattr(forest, how)(BX, y)


@pytest.mark.parametrize("X", [*BAD_FEATURES, pytest.param(BX[:, :-1], id="a column too few")])
def test_predictions_and_the_score_refuse_bad_features(X):
    forest, boosted = used_forest("fit"), used_forest("adaboost")
    with refused(r"\bX\b", unchanged=forest):
        forest.predict(X)
    with refused(r"\bX\b", unchanged=forest):
        forest.OOB_score(X, BY)
    with refused(r"\bX\b", unchanged=boosted):
        boosted.predict_adaboost(X)


@pytest.mark.parametrize("y", [p for p in BAD_LABELS if p.id in ("a label too few", "a column")])
def test_the_score_refuses_labels_that_do_not_match_the_rows(y):
    forest = used_forest("fit")
    with refused(r"\by\b", unchanged=forest):
        forest.OOB_score(BX, y)


@pytest.mark.parametrize("call", ["predict", "OOB_score", "predict_adaboost"])
def test_an_unfitted_forest_says_so(call):
    forest = make_forest()
    arguments = (BX, BY) if call == "OOB_score" else (BX,)
    with refused("fit|adaboost", unchanged=forest):
        getattr(forest, call)(*arguments)


# --- interruptions -----------------------------------------------------------------------------


def assert_not_fitted(forest, pyplot):
    """Expect that everything that needs trees refuses clearly."""
    frame = pd.DataFrame(BX)
    for call, arguments in (
        (forest.predict, (BX,)),
        (forest.OOB_score, (BX, BY)),
        (forest.predict_adaboost, (BX,)),
        (forest.plot_feature_importance, (frame,)),
    ):
        with refused("expected fit|call adaboost"):
            call(*arguments)
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("how", ["fit", "adaboost"])
def test_a_forest_interrupted_before_its_first_tree_is_not_fitted(how, pyplot, monkeypatch):
    forest = used_forest("fit")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ExtraTreeClassifier, "fit", interrupt)
        with pytest.raises(KeyboardInterrupt):
            getattr(forest, how)(BX, BY)
    assert_not_fitted(forest, pyplot)
    forest.fit(BX, BY)
    assert len(forest.decision_trees) == 7


def test_a_first_boosted_tree_interrupted_before_its_alpha_is_no_forest(pyplot, monkeypatch):
    """The draws of an earlier bagging, of fewer columns, are not taken for this tree's."""
    forest, usual = used_forest("fit"), RandomForest._start_fitting

    class Interrupted(list):
        def append(self, _):
            raise KeyboardInterrupt

    def start_fitting(self, num_features):
        trees = usual(self, num_features)
        self.alphas = Interrupted()
        return trees

    with monkeypatch.context() as patch:
        patch.setattr(RandomForest, "_start_fitting", start_fitting)
        with pytest.raises(KeyboardInterrupt):
            forest.adaboost(BX, BY)
    assert len(forest.decision_trees) == 1
    assert_not_fitted(forest, pyplot)
    forest.adaboost(BX, BY)
    assert len(forest.alphas) == 7


# --- importances and hyperparameters -----------------------------------------------------------


def bars_of(axes):
    """Return the drawn lengths and names, whichever way the bars lie."""
    patches = list(axes.patches)
    upright = [t.get_text() for t in axes.get_xticklabels()]
    if len({round(p.get_width(), 9) for p in patches}) == 1:
        return [p.get_height() for p in patches], upright
    names = [t.get_text() for t in axes.get_yticklabels()]
    lengths = [p.get_width() for p in patches]
    return (lengths, names) if axes.yaxis_inverted() else (lengths[::-1], names[::-1])


def test_importances_are_drawn_in_descending_order_under_their_columns_names(pyplot, monkeypatch):
    monkeypatch.setattr(pyplot, "show", lambda *args, **kwargs: None)
    X, y = blobs(columns=8)
    # A constant column splits nothing: its importance is zero. Six of the eight columns are drawn
    # for a tree, so each tree gets at least one of these three.
    X[:, [1, 3, 6]] = 1.0
    frame = pd.DataFrame(X, columns=[f"feature {c}" for c in "abcdefgh"])
    forest = make_forest(share=0.8)
    forest.fit(X, y)
    with no_warnings():
        forest.plot_feature_importance(frame)
        pyplot.gcf().canvas.draw()
    (axes,) = pyplot.gcf().axes
    lengths, names = bars_of(axes)
    assert lengths == sorted(lengths, reverse=True)
    assert min(lengths) > 0
    assert not {"feature b", "feature d", "feature g"} & set(names)
    assert len(names) == len(lengths) == len(set(names))
    drawn = dict(zip(names, lengths, strict=True))
    candidates = []
    for tree, columns in zip(forest.decision_trees, forest.feature_indices, strict=True):
        pairs = zip(frame.columns[columns], tree.feature_importances_, strict=True)
        candidates.append({name: share for name, share in pairs if share > 0})
    assert any(drawn.keys() == c.keys() for c in candidates)
    # the same numbers, stored as the bars' sizes
    assert any(drawn == pytest.approx(c, rel=1e-12) for c in candidates)
    assert axes.get_ylabel()
    assert axes.get_xlabel()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(None, id="None"),
        pytest.param(BX, id="an array without names"),
        pytest.param(pd.DataFrame(BX).iloc[:, :1], id="too few columns"),
        pytest.param("beans.csv", id="a string"),
    ],
)
def test_the_plot_refuses_what_has_no_matching_columns(data, pyplot):
    forest = used_forest("fit")
    with refused("data_train", unchanged=forest):
        forest.plot_feature_importance(data)
    assert pyplot.get_fignums() == []


def test_an_unfitted_forest_has_no_importances_to_plot(pyplot):
    with refused("fit"):
        make_forest().plot_feature_importance(pd.DataFrame(BX))
    assert pyplot.get_fignums() == []


def test_the_chosen_hyperparameters_lie_within_the_hints():
    n_estimators, max_depth, max_features = make_forest().select_hyperparameters()
    assert isinstance(n_estimators, int)
    assert 3 <= n_estimators <= 15
    assert isinstance(max_depth, int)
    assert 3 <= max_depth <= 15
    assert 0.3 <= max_features <= 1.0


# --- the published figures ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def bean_parts():
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import LabelEncoder

    from utilities import datasets

    beans = datasets.load_dry_beans()
    labels = LabelEncoder().fit_transform(beans["Class"])
    features = beans.drop(columns="Class")
    return train_test_split(features, labels, test_size=0.33, random_state=42)


def test_the_forest_and_adaboost_reach_their_figures_on_the_real_beans(real_data, request):
    real_data("dry_beans")
    X_train, X_test, y_train, y_test = request.getfixturevalue("bean_parts")
    assert X_train.shape == (9119, 16)
    assert X_test.shape == (4492, 16)
    forest = RandomForest(*make_forest().select_hyperparameters(), random_seed=SEED)
    forest.fit(X_train.to_numpy(), y_train)
    assert forest.OOB_score(X_test.to_numpy(), y_test) >= 0.880
    assert (forest.predict(X_test.to_numpy()) == y_test).mean() >= 0.880
    forest = RandomForest(*forest.select_hyperparameters(), random_seed=SEED)
    np.random.seed(SEED)
    forest.adaboost(X_train.to_numpy(), y_train)
    assert (forest.predict_adaboost(X_test.to_numpy()) == y_test).mean() >= 0.910


@pytest.mark.parametrize("condition", conditions.CONDITIONS)
def test_the_accuracies_on_the_beans_are_the_stated_ones_on_every_processor(condition, real_data):
    real_data("dry_beans")
    installed = version("scikit-learn")
    if installed not in conditions.BEANS:
        pytest.skip(f"no accuracies are stated for scikit-learn {installed}")
    assert conditions.reproduce(condition, "beans")["beans"] == conditions.BEANS[installed]
