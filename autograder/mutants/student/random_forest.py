"""A second, plainly written solution of Question 3, as a good student hands it in."""

import numpy as np
from sklearn.tree import ExtraTreeClassifier


class RandomForest:
    """Forest of extra trees."""

    def __init__(self, n_estimators, max_depth, max_features, random_seed=None):
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.max_features = max_features
        self.random_seed = random_seed
        self.bootstraps_row_indices = []
        self.feature_indices = []
        self.out_of_bag = []
        self.decision_trees = [
            ExtraTreeClassifier(max_depth=max_depth, criterion="entropy")
            for i in range(n_estimators)
        ]
        self.alphas = []

    def _bootstrapping(self, num_training, num_features, random_seed=None):
        """Draw the rows and the columns of one tree."""
        if random_seed is not None:
            np.random.seed(random_seed)
        row_idx = np.random.choice(num_training, num_training, replace=True)
        n_columns = int(num_features * self.max_features)
        col_idx = np.random.choice(num_features, n_columns, replace=False)
        return row_idx, col_idx

    def bootstrapping(self, num_training, num_features):
        """Draw the rows and columns of all trees."""
        if self.random_seed is not None:
            np.random.seed(self.random_seed)
        self.bootstraps_row_indices = []
        self.feature_indices = []
        self.out_of_bag = []
        for _ in range(self.n_estimators):
            rows, columns = self._bootstrapping(num_training, num_features)
            self.bootstraps_row_indices.append(rows)
            self.feature_indices.append(columns)
            self.out_of_bag.append(set(range(num_training)) - set(rows))

    def fit(self, X, y):
        """Fit each tree to its own part of the data."""
        self.bootstrapping(X.shape[0], X.shape[1])
        for i in range(self.n_estimators):
            rows = self.bootstraps_row_indices[i]
            columns = self.feature_indices[i]
            self.decision_trees[i].fit(X[rows][:, columns], y[rows])

    def OOB_score(self, X, y):
        """Return the mean share of right votes of the trees that have not seen a row."""
        accuracy = []
        predictions = [
            tree.predict(X[:, columns])
            for tree, columns in zip(self.decision_trees, self.feature_indices, strict=True)
        ]
        for i in range(X.shape[0]):
            right = [
                predictions[t][i] == y[i]
                for t in range(self.n_estimators)
                if i in self.out_of_bag[t]
            ]
            if len(right) > 0:
                accuracy.append(np.mean(right))
        return np.mean(accuracy)

    def predict(self, X):
        """Return the class with the largest sum of probabilities."""
        labels = np.unique(np.concatenate([tree.classes_ for tree in self.decision_trees]))
        total = np.zeros((X.shape[0], len(labels)))
        for tree, columns in zip(self.decision_trees, self.feature_indices, strict=True):
            total[:, np.searchsorted(labels, tree.classes_)] += tree.predict_proba(X[:, columns])
        return labels[np.argmax(total, axis=1)]

    def adaboost(self, X, y):
        """Boost the trees on all columns."""
        n = X.shape[0]
        weights = np.ones(n) / n
        self.alphas = []
        for tree in self.decision_trees:
            tree.fit(X, y, sample_weight=weights)
            wrong = tree.predict(X) != y
            error = np.sum(weights[wrong]) / np.sum(weights)
            alpha = 0.5 * np.log(max(1 - error, 1e-10) / (error + 1e-10))
            weights = weights * np.exp(alpha * wrong)
            weights = weights / np.sum(weights)
            self.alphas.append(alpha)

    def predict_adaboost(self, X):
        """Return the class with the largest sum of alphas."""
        labels = self.decision_trees[0].classes_
        total = np.zeros((X.shape[0], len(labels)))
        for alpha, tree in zip(self.alphas, self.decision_trees, strict=True):
            votes = tree.predict(X)
            for c, label in enumerate(labels):
                total[:, c] += alpha * (votes == label)
        return labels[np.argmax(total, axis=1)]

    def plot_feature_importance(self, data_train):
        """Draw the importances of the first tree."""
        import matplotlib.pyplot as plt

        importances = self.decision_trees[0].feature_importances_
        names = np.array(data_train.columns)[self.feature_indices[0]]
        order = np.argsort(importances)[::-1]
        order = order[importances[order] > 0]
        plt.bar(names[order], importances[order])
        plt.xticks(rotation=90)

    def select_hyperparameters(self):
        """Return what worked best."""
        n_estimators = 14
        max_depth = 12
        max_features = 0.9
        return n_estimators, max_depth, max_features
