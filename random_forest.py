"""Question 3: a random forest of extremely randomised trees, and AdaBoost on the same trees.

Read from top to bottom: drawing rows and columns, the forest, its out-of-bag score
and predictions, then boosting, then the importance plot.

Symbols: N rows, F features, T trees, C classes.

References
----------
Breiman, "Random forests", Machine Learning 45 (2001).
Geurts, Ernst and Wehenkel, "Extremely randomized trees", Machine Learning 63 (2006).
Freund and Schapire, "A decision-theoretic generalization of on-line learning and an
application to boosting", Journal of Computer and System Sciences 55 (1997).
"""

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.tree import ExtraTreeClassifier

ALPHA_EPSILON = 1e-10  # keeps the weight of a tree without errors finite


class RandomForest:
    """Bagged ExtraTreeClassifiers on random columns, or boosted ones on all columns.

    Parameters
    ----------
    n_estimators : int
        T, the number of trees.
    max_depth : int or None
        Largest depth of a tree; None for no limit.
    max_features : float
        Share of the columns each tree of the forest sees, in (0, 1].
    random_seed : int, optional
        Seed of NumPy's global stream when bootstrapping; None leaves the stream alone.

    Attributes
    ----------
    decision_trees : list of ExtraTreeClassifier
    bootstraps_row_indices, feature_indices : list of ndarray of int
        Rows and columns of each tree.
    out_of_bag : list of set of int
        Training rows that each tree has not seen.
    alphas : list of float
        Weight of each boosted tree's vote.
    """

    def __init__(
        self,
        n_estimators: int,
        max_depth: int | None,
        max_features: float,
        random_seed: int | None = None,
    ) -> None:
        _check_int(n_estimators, "n_estimators", smallest=1)
        if max_depth is not None:
            _check_int(max_depth, "max_depth", smallest=1)
        if isinstance(max_features, bool) or not isinstance(max_features, Real):
            raise TypeError(f"max_features must be a number in (0, 1], got {max_features!r}")
        if not 0 < max_features <= 1:
            raise ValueError(f"max_features must lie in (0, 1], got {max_features}")
        _check_seed(random_seed)
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.max_features = max_features
        self.random_seed = random_seed
        self.bootstraps_row_indices = []
        self.feature_indices = []
        self.out_of_bag = []
        self.decision_trees = [self._new_tree() for _ in range(n_estimators)]
        self.alphas = []
        self._num_features = None  # F, once fitted

    def _bootstrapping(
        self, num_training: int, num_features: int, random_seed: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw the rows and columns of one tree.

        Parameters
        ----------
        num_training : int
            N, the number of rows to draw from and to draw.
        num_features : int
            F, the number of columns to draw from.
        random_seed : int, optional
            Seed for NumPy's global stream; None draws on from where it is.

        Returns
        -------
        row_idx : ndarray of int, shape (N,)
            Drawn with replacement.
        col_idx : ndarray of int, shape (int(F * max_features),)
            Drawn without replacement.
        """
        _check_int(num_training, "num_training", smallest=1)
        _check_int(num_features, "num_features", smallest=1)
        _check_seed(random_seed)
        num_columns = self._num_columns(num_features)
        if random_seed is not None:
            np.random.seed(random_seed)
        # draw order is graded: rows, then columns
        row_idx = np.random.choice(num_training, size=num_training, replace=True)
        col_idx = np.random.choice(num_features, size=num_columns, replace=False)
        return row_idx, col_idx

    def _num_columns(self, num_features: int) -> int:
        """Return how many of the columns a tree sees."""
        num_columns = int(num_features * self.max_features)
        if num_columns == 0:
            raise ValueError(
                f"max_features must leave at least one of {num_features} columns, "
                f"got {self.max_features}"
            )
        return num_columns

    def bootstrapping(self, num_training: int, num_features: int) -> None:
        """Draw the rows and columns of every tree, starting from ``random_seed``.

        Parameters
        ----------
        num_training : int
            N, the number of training rows.
        num_features : int
            F, the number of columns.
        """
        if self.random_seed is not None:
            np.random.seed(self.random_seed)
        draws = [self._bootstrapping(num_training, num_features) for _ in range(self.n_estimators)]
        self.bootstraps_row_indices = [rows for rows, _ in draws]
        self.feature_indices = [columns for _, columns in draws]
        self.out_of_bag = [_rows_left_out(rows, num_training) for rows, _ in draws]

    def fit(self, X: ArrayLike, y: ArrayLike) -> None:
        """Fit every tree to its own rows and columns.

        Parameters
        ----------
        X : array_like of float, shape (N, F)
        y : array_like, shape (N,)
            Class labels.

        Notes
        -----
        Interrupting leaves a forest of the trees fitted so far; fitting again starts anew.
        """
        X, y = _checked_data(X, y)
        self._num_columns(X.shape[1])  # refuse before the old trees are given up
        trees = self._start_fitting(X.shape[1])
        self.bootstrapping(*X.shape)
        for tree, rows, columns in zip(
            trees, self.bootstraps_row_indices, self.feature_indices, strict=True
        ):
            # a row drawn twice weighs twice: the same tree, from two thirds as many rows
            times_drawn = np.bincount(rows, minlength=len(X)).astype(float)
            # data are checked once for all trees, here and below, and stay by columns, as a tree
            # reads them
            tree.fit(X[:, columns], y, sample_weight=times_drawn, check_input=False)
            self.decision_trees.append(tree)

    def OOB_score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Return the mean share of right votes among the trees that have not seen a row.

        Parameters
        ----------
        X : array_like of float, shape (N, F)
        y : array_like, shape (N,)

        Returns
        -------
        float
            Mean over the rows that at least one tree has not seen.

        Raises
        ------
        ValueError
            If every tree has seen every row.

        Notes
        -----
        Row i of X counts as row i of the training data. The course calls this with
        the test set; there every vote is of a tree that has not seen the row anyway,
        and the score is the test accuracy of an average tree.
        """
        self._require_fit()
        X, y = _checked_data(X, y, self._num_features)
        votes, right_votes = np.zeros(len(X)), np.zeros(len(X))
        for tree, columns, out_of_bag in zip(
            self.decision_trees, self.feature_indices, self.out_of_bag, strict=False
        ):  # fewer trees than draws after an interruption
            rows = np.array([row for row in out_of_bag if row < len(X)], dtype=int)
            if len(rows) == 0:
                continue
            votes[rows] += 1
            predicted = tree.predict(X[np.ix_(rows, columns)], check_input=False)
            right_votes[rows] += predicted == y[rows]
        has_votes = votes > 0
        if not has_votes.any():
            raise ValueError(f"X must have rows that some tree has not seen, got none of {len(X)}")
        return float(np.mean(right_votes[has_votes] / votes[has_votes]))

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the class with the highest summed probability over the trees.

        Parameters
        ----------
        X : array_like of float, shape (N, F)

        Returns
        -------
        ndarray, shape (N,)
            Labels as they were in ``fit``.
        """
        self._require_fit()
        X = _checked_features(X, self._num_features)
        probabilities = [
            tree.predict_proba(X[:, columns], check_input=False)
            for tree, columns in zip(self.decision_trees, self.feature_indices, strict=False)
        ]
        return self._class_with_most(probabilities)

    def adaboost(self, X: ArrayLike, y: ArrayLike) -> None:
        """Fit the trees one after the other, each minding its forerunners' mistakes more.

        Parameters
        ----------
        X : array_like of float, shape (N, F)
        y : array_like, shape (N,)
            Class labels, any number of classes.

        Notes
        -----
        With the weighted share of wrong rows as error, a tree's vote counts
        alpha = ln((1 - error) / (error + 1e-10)) / 2 and the weights of the rows it got
        wrong are multiplied by exp(alpha), then all are normalised. A tree that is
        wrong on half the weight or more gets an alpha of zero or less, and votes
        accordingly. Interrupting leaves the trees boosted so far with their alphas; boosting
        again starts anew.
        """
        X, y = _checked_data(X, y)
        trees = self._start_fitting(X.shape[1])
        weights = np.full(len(X), 1 / len(X))
        for tree in trees:
            tree.fit(X, y, sample_weight=weights, check_input=False)
            wrong = tree.predict(X, check_input=False) != y  # (N,)
            odds = _odds_of_right(weights[wrong].sum())
            alpha = 0.5 * np.log(odds)
            # exp(alpha) by way of the root, which rounds alike on every processor; logarithm,
            # exponential and matrix products do not, and a tree grows from the last digit
            weights = np.where(wrong, weights * np.sqrt(odds), weights)
            weights = weights / weights.sum()
            self.decision_trees.append(tree)
            self.alphas.append(alpha)

    def predict_adaboost(self, X: ArrayLike) -> np.ndarray:
        """Return the class with the highest sum of alphas over the trees that vote for it.

        Parameters
        ----------
        X : array_like of float, shape (N, F)

        Returns
        -------
        ndarray, shape (N,)
            Labels as they were in ``adaboost``.
        """
        if not self.alphas:
            raise ValueError("predict_adaboost expects boosted trees, got none: call adaboost()")
        X = _checked_features(X, self._num_features)
        votes = []
        for tree, alpha in zip(self.decision_trees, self.alphas, strict=False):
            predicted = tree.predict(X, check_input=False)
            votes.append(alpha * (predicted[:, np.newaxis] == tree.classes_))  # (N, C)
        return self._class_with_most(votes)

    def plot_feature_importance(self, data_train: object) -> None:
        """Draw the importances of the first tree's columns that have any, largest first.

        Parameters
        ----------
        data_train : pandas.DataFrame
            The training features, with the names of their columns.
        """
        import matplotlib.pyplot as plt  # a grader may run without it

        names = self._first_trees_columns(data_train)
        importances = self.decision_trees[0].feature_importances_
        order = np.argsort(-importances, kind="stable")
        order = order[importances[order] > 0]
        _, ax = plt.subplots()
        ax.bar(names[order], importances[order])
        ax.set(xlabel="Feature", ylabel="Importance (all sum to 1)")
        ax.grid(visible=False, axis="x")
        ax.set_title("Feature importances of one tree")
        plt.setp(ax.get_xticklabels(), rotation=45, ha="right", rotation_mode="anchor")

    def select_hyperparameters(self) -> tuple[int, int, float]:
        """Return the settings chosen by cross-validation on the bean training data.

        Returns
        -------
        tuple
            n_estimators, max_depth, max_features.
        """
        return 15, 13, 1.0

    def _class_with_most(self, scores: list[np.ndarray]) -> np.ndarray:
        """Sum scores (N, C_t) of each tree by class label and return each row's best label.

        Trees that were fitted elsewhere may know different classes.
        """
        trees = self.decision_trees[: len(scores)]
        classes = np.unique(np.concatenate([tree.classes_ for tree in trees]))
        total = np.zeros((len(scores[0]), len(classes)))
        for tree, score in zip(trees, scores, strict=True):
            total[:, np.searchsorted(classes, tree.classes_)] += score
        return classes[np.argmax(total, axis=1)]

    def _new_tree(self) -> ExtraTreeClassifier:
        return ExtraTreeClassifier(max_depth=self.max_depth, criterion="entropy")

    def _start_fitting(self, num_features: int) -> list:
        """Return the trees; the forest has none until they come back one by one, fitted.

        So an interruption leaves no half-fitted tree, and no tree or draw of an earlier training.
        """
        missing = max(self.n_estimators - len(self.decision_trees), 0)
        trees = self.decision_trees + [self._new_tree() for _ in range(missing)]
        self.decision_trees, self.alphas = [], []
        self.bootstraps_row_indices, self.feature_indices, self.out_of_bag = [], [], []
        self._num_features = num_features
        return trees

    def _first_trees_columns(self, data_train: object) -> np.ndarray:
        """Return the names of the columns that the first tree was fitted to."""
        names = getattr(data_train, "columns", None)
        if names is None:
            raise TypeError(f"data_train must be a DataFrame, got {type(data_train).__name__}")
        if self.alphas:  # boosted trees see every column
            columns = np.arange(self.decision_trees[0].n_features_in_)
        else:
            self._require_fit()
            columns = self.feature_indices[0]
        if len(names) <= max(columns):
            raise ValueError(
                f"data_train must have the columns of the training data, at least "
                f"{max(columns) + 1}, got {len(names)}"
            )
        return np.asarray(names)[columns]

    def _require_fit(self) -> None:
        if self.alphas:
            raise ValueError("the trees are boosted, expected bagged ones: call fit() first")
        trees = self.decision_trees
        if not (self.feature_indices and trees and hasattr(trees[0], "classes_")):
            raise ValueError("the forest is not fitted: expected fit() before this call")


def _rows_left_out(rows: np.ndarray, num_training: int) -> set[int]:
    """Return the training rows that a bootstrap sample does not hold."""
    is_left_out = np.ones(num_training, dtype=bool)
    is_left_out[rows] = False
    return set(np.flatnonzero(is_left_out).tolist())


def _odds_of_right(error: float) -> float:
    """Return how much more weight a tree has right than wrong, kept away from 0 and infinity."""
    # a tree wrong on every row has no finite alpha: both ends of the scale share the epsilon,
    # which also holds where the weights' sum rounds above 1
    return max(1 - error, ALPHA_EPSILON) / (min(error, 1.0) + ALPHA_EPSILON)


def _checked_features(X: ArrayLike, num_features: int | None = None) -> np.ndarray:
    """Return X as a finite float32 array (N, F), of num_features columns if that is given."""
    try:
        X = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"X must hold numbers only, got {type(X).__name__} with others") from None
    if X.ndim != 2 or X.size == 0:
        raise ValueError(f"X must have shape (N, F), N > 0 and F > 0, got {X.shape}")
    with np.errstate(over="ignore"):
        X = X.astype(np.float32)  # what the trees work in: converted once, not once a tree
    if not np.isfinite(X).all():
        raise ValueError("X must be finite in float32, got NaN, infinity or a larger number")
    if num_features not in (None, X.shape[1]):
        raise ValueError(f"X must have {num_features} columns as in training, got {X.shape[1]}")
    return X


def _checked_data(
    X: ArrayLike, y: ArrayLike, num_features: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return features and as many class labels, whole numbers or strings."""
    X, y = _checked_features(X, num_features), np.asarray(y)
    if y.shape != (len(X),):
        raise ValueError(f"y must have shape ({len(X)},) as X has rows, got {y.shape}")
    if y.dtype.kind == "f" and not np.all(np.isfinite(y) & (y == np.floor(y))):
        raise ValueError("y must hold class labels, got fractions, NaN or infinity")
    if y.dtype.kind not in "biufUS" and not all(isinstance(label, str) for label in y):
        raise TypeError(f"y must hold whole numbers or strings, got dtype {y.dtype}")
    return X, y


def _check_seed(random_seed: int | None) -> None:
    if random_seed is not None:
        _check_int(random_seed, "random_seed", smallest=0)


def _check_int(value: object, name: str, smallest: int) -> None:
    """Raise unless value is an integer of at least smallest."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer of at least {smallest}, got {value!r}")
    if value < smallest:
        raise ValueError(f"{name} must be an integer of at least {smallest}, got {value}")
