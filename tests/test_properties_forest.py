"""Q3 for any data it can be given: quiet, finite, the labels that came in, the input left alone."""

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from properties import assert_close_to_exact, bytes_of, examples, finite_arrays, makes_of, quietly
from test_random_forest import scripted_forest

from random_forest import ALPHA_EPSILON, RandomForest

LABELS = {
    "whole numbers": lambda y: y,
    "strings": lambda y: np.array(["lentil", "pea", "bean"])[y],
    "Python strings": lambda y: np.array(["lentil", "pea", "bean"], dtype=object)[y],
    "a list": lambda y: y.tolist(),
    "a list of strings": lambda y: [("lentil", "pea", "bean")[label] for label in y],
    "booleans": lambda y: y > 0,
    "whole floats": lambda y: y.astype(float),
    "negative numbers": lambda y: y - 7,
}
BOTH_WAYS = pytest.mark.parametrize("way", ["bagged", "boosted"])


def fitted(way, X, y, trees=5, depth=4, share=1.0, seed=0):
    """Return a forest and what it predicts of its own training rows, checked to be quiet."""
    forest = RandomForest(trees, depth, share, random_seed=seed)
    np.random.seed(seed)  # boosting draws from the global stream and seeds nothing
    before = bytes_of(y)
    quietly(lambda rows: (forest.fit if way == "bagged" else forest.adaboost)(rows, y), X)
    predicted = quietly(forest.predict if way == "bagged" else forest.predict_adaboost, X)
    assert bytes_of(y) == before
    assert predicted.shape == np.shape(y)
    assert set(predicted.tolist()) <= set(np.asarray(y).tolist())
    return forest, predicted


def drawn_rows(rows, columns, classes, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, columns)), rng.integers(0, classes, rows)


@BOTH_WAYS
@examples(0.5)
@given(
    data=st.data(),
    rows=st.integers(1, 25),
    columns=st.integers(1, 6),
    classes=st.integers(1, 4),
    depth=st.one_of(st.none(), st.integers(1, 15)),
)
def test_any_finite_features_are_learnt_from(way, data, rows, columns, classes, depth):
    largest = float(np.finfo(np.float32).max)  # the trees compute in float32
    X = data.draw(finite_arrays((rows, columns), -largest, largest))
    _, y = drawn_rows(rows, columns, classes, seed=rows)
    forest, _ = fitted(way, X, y, depth=depth)
    if way == "boosted":
        assert len(forest.alphas) == 5
        assert np.isfinite(forest.alphas).all()
        return
    if not any(forest.out_of_bag):  # every tree may have seen every row of so few
        with pytest.raises(ValueError, match="some tree has not seen"):
            forest.OOB_score(X, y)
        return
    score = quietly(forest.OOB_score, X, y)
    assert type(score) is float
    assert 0 <= score <= 1


@BOTH_WAYS
@examples(0.1)
@given(
    rows=st.integers(3, 25),
    columns=st.integers(1, 6),
    classes=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
    dtype=st.sampled_from([np.float32, np.float64]),
    kind=st.sampled_from(["whole numbers", "strings"]),
)
def test_the_make_of_features_and_labels_changes_no_prediction_and_no_score(
    way, rows, columns, classes, seed, dtype, kind
):
    X, y = drawn_rows(rows, columns, classes, seed)
    X, y = X.astype(dtype), LABELS[kind](y)
    forest, expected = fitted(way, X, y)
    assume(way == "boosted" or any(forest.out_of_bag))  # else no tree has a vote in the score
    expected_score = forest.OOB_score(X, y) if way == "bagged" else None
    for (name, made_X), made_y in zip(makes_of(X).items(), makes_of(y).values(), strict=True):
        forest, predicted = fitted(way, made_X, made_y)
        np.testing.assert_array_equal(predicted, expected, err_msg=name)
        if way == "bagged":
            assert quietly(forest.OOB_score, made_X, made_y) == expected_score, name


@BOTH_WAYS
@pytest.mark.parametrize("kind", LABELS)
def test_every_kind_of_label_is_predicted_as_it_came(way, kind):
    X, y = drawn_rows(30, 4, 3, seed=1)
    _, predicted = fitted(way, X, LABELS[kind](y), depth=15)
    assert predicted.dtype.kind == np.asarray(LABELS[kind](y)).dtype.kind
    assert way == "bagged" or predicted.tolist() == np.asarray(LABELS[kind](y)).tolist()


@BOTH_WAYS
def test_hardly_any_data_is_enough(way):
    for rows, columns, classes in (
        (1, 1, 1),
        (1, 5, 1),
        (2, 1, 2),
        (3, 1, 1),
        (3, 4, 3),
        (3, 2, 2),
    ):
        X, y = drawn_rows(rows, columns, classes, seed=4)
        _, predicted = fitted(way, X, y)
        if rows == 1 or way == "boosted":  # bagged trees have not all seen all rows
            np.testing.assert_array_equal(predicted, y)


@BOTH_WAYS
def test_more_features_than_rows_are_welcome(way):
    X, y = drawn_rows(6, 300, 3, seed=2)
    _, predicted = fitted(way, X, y, share=0.5, depth=None, trees=15)
    assert way == "bagged" or (predicted == y).all()  # a full tree knows its own six rows


@BOTH_WAYS
@pytest.mark.parametrize("value", [0.0, 1e30, -5e-324])
def test_constant_features_predict_a_class_that_is_there(way, value):
    _, y = drawn_rows(12, 3, 3, seed=3)
    _, predicted = fitted(way, np.full((12, 3), value), y)
    assert len(set(predicted.tolist())) == 1  # nothing tells the rows apart


@given(
    seed=st.integers(0, 2**32 - 1),
    trees=st.integers(1, 40),
    classes=st.integers(2, 4),
    skill=st.sampled_from([0.0, 0.2, 1 / 3, 0.5, 0.9, 1.0]),
)
def test_perfect_useless_and_worse_learners_keep_the_weights_a_distribution(
    seed, trees, classes, skill
):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, 12)
    is_right = rng.random((trees, 12)) < skill
    predictions = np.where(is_right, y, (y + 1) % classes)
    forest = scripted_forest(predictions, classes=range(classes))
    X = np.zeros((12, 2))
    quietly(forest.adaboost, X, y)
    predicted = quietly(forest.predict_adaboost, X)
    assert np.isfinite(forest.alphas).all()
    assert set(predicted.tolist()) <= set(range(classes))
    # between a tree without and a tree with nothing but mistakes, both held by the epsilon
    assert max(np.abs(forest.alphas)) <= 0.5 * np.log(1 / ALPHA_EPSILON) + 1e-9
    for tree in forest.decision_trees:
        (weights,) = tree.weights
        assert (weights >= 0).all()
        assert weights.sum() == pytest.approx(1, abs=1e-14)  # 12 roundings below 1
    if skill == 1.0:
        np.testing.assert_array_equal(predicted, y)


@given(error=st.floats(0, 1))
def test_the_weight_of_a_vote_is_exact_to_four_ulp_or_one_eps(error):
    from random_forest import _odds_of_right

    e, epsilon = mpmath.mpf(error), mpmath.mpf(ALPHA_EPSILON)
    exact = mpmath.log(max(1 - e, epsilon) / (e + epsilon)) / 2
    # near an error of one half the logarithm of a number near 1 is taken: eps in absolute terms
    assert_close_to_exact([0.5 * np.log(_odds_of_right(error))], [exact], epsilon=2.0**-52)


def test_the_rarest_row_keeps_a_weight_after_a_thousand_trees():
    """One row is always right, so its weight shrinks a thousand times over and may become 0."""
    y = np.array([0, 1] * 6)
    wrong = np.tile((y + 1) % 2, (1000, 1))
    wrong[:, 0] = y[0]
    wrong[::2] = y  # every other tree is perfect
    forest = scripted_forest(wrong)
    quietly(forest.adaboost, np.zeros((12, 2)), y)
    assert np.isfinite(forest.alphas).all()
    assert all(np.isfinite(tree.weights[0]).all() for tree in forest.decision_trees)


@given(rows=st.integers(1, 60), columns=st.integers(1, 20), seed=st.integers(0, 2**32 - 1))
def test_a_bootstrap_is_rows_with_and_columns_without_repetition(rows, columns, seed):
    forest = RandomForest(3, 2, 1.0, random_seed=seed)
    forest.bootstrapping(rows, columns)
    for drawn, chosen, left_out in zip(
        forest.bootstraps_row_indices, forest.feature_indices, forest.out_of_bag, strict=True
    ):
        assert drawn.shape == (rows,)
        assert set(drawn.tolist()) | left_out == set(range(rows))
        assert not set(drawn.tolist()) & left_out
        assert sorted(chosen.tolist()) == list(range(columns))
