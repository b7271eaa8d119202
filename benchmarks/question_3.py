"""Question 3: predictions and fitting of the forest on the beans."""

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks import rivals
from benchmarks.harness import Growth, Row, compare, measure_growth
from random_forest import RandomForest
from utilities import datasets

SEED = 4641 + 7641
SETTINGS = (15, 13, 1.0)
ACCURACY_BOUND = 0.02  # between forests whose trees are drawn differently


def rows() -> Iterator[Row]:
    """Time the three predictions against loops, and fit against scikit-learn's forest."""
    from sklearn.ensemble import ExtraTreesClassifier

    X, X_test, y, y_test = beans()
    bagged, boosted = (RandomForest(*SETTINGS, random_seed=SEED) for _ in range(2))
    bagged.fit(X, y)
    boosted.adaboost(X, y)

    def predict_all() -> tuple:
        return (
            bagged.OOB_score(X_test, y_test),
            bagged.predict(X_test),
            boosted.predict_adaboost(X_test),
        )

    def predict_row_by_row() -> tuple:
        return (
            rivals.row_by_row_oob_score(bagged, X_test, y_test),
            rivals.row_by_row_predict(bagged, X_test),
            rivals.row_by_row_predict_adaboost(boosted, X_test, 7),
        )

    yield compare(
        f"OOB_score, predict and predict_adaboost on {len(X_test):,} rows, 15 trees",
        "row-by-row loops",
        predict_all,
        predict_row_by_row,
        200,
        pairs=3,
        check=np.testing.assert_equal,
    )

    def fit_ours() -> RandomForest:
        forest = RandomForest(*SETTINGS, random_seed=SEED)
        forest.fit(X, y)
        return forest

    def fit_rival() -> ExtraTreesClassifier:
        return ExtraTreesClassifier(
            15, criterion="entropy", max_depth=13, max_features="sqrt", bootstrap=True
        ).fit(X, y)

    def check_accuracies(*forests: RandomForest | ExtraTreesClassifier) -> None:
        accuracies = [np.mean(forest.predict(X_test) == y_test) for forest in forests]
        np.testing.assert_allclose(*accuracies, rtol=0, atol=ACCURACY_BOUND)

    yield compare(
        "fit of 15 trees",
        "scikit-learn ExtraTreesClassifier, same depth",
        fit_ours,
        fit_rival,
        1.1,
        at_most=True,
        pairs=15,
        check=check_accuracies,
    )


def growth() -> Iterator[Growth]:
    """Time fitting against the rows and against the trees."""
    X, _, y, _ = beans()
    rng = np.random.default_rng(0)

    def with_rows(count: int) -> Callable[[], object]:
        # rows beyond the data are measured beans, each moved a little, so that all differ
        drawn = np.arange(count) % len(X)
        noise = 1 + 1e-3 * rng.standard_normal((count, X.shape[1]))
        moved, labels = X[drawn] * noise, y[drawn]
        return lambda: RandomForest(*SETTINGS, random_seed=SEED).fit(moved, labels)

    def with_trees(count: int) -> Callable[[], object]:
        return lambda: RandomForest(count, *SETTINGS[1:], random_seed=SEED).fit(X, y)

    yield measure_growth(
        "forest fit, 15 trees", "rows", (9_119, 18_238, 36_476, 72_952, 145_904), with_rows
    )
    yield measure_growth("forest fit, 9,119 rows", "trees", (15, 30, 60, 120, 240), with_trees)


def beans() -> tuple[np.ndarray, ...]:
    """Return the course's split: training and test features, then labels."""
    from sklearn.model_selection import train_test_split

    table = datasets.load_dry_beans()
    labels = np.unique(table["Class"], return_inverse=True)[1]
    return train_test_split(
        table.drop(columns="Class").values, labels, test_size=0.33, random_state=42
    )
