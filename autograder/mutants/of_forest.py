"""Mutants of random_forest.py, in the order of the rubric."""

from autograder.mutants.submission import mutants_of

student, reference = mutants_of("random_forest.py")

CONSTRUCTOR = (
    student(
        "trees-by-gini",
        "the default criterion instead of entropy",
        ("3.1a",),
        ('max_depth=max_depth, criterion="entropy"', "max_depth=max_depth"),
    ),
    student(
        "trees-without-depth",
        "max_depth is not handed on",
        ("3.1a",),
        ('max_depth=max_depth, criterion="entropy"', 'criterion="entropy"'),
    ),
    student(
        "trees-not-extra",
        "DecisionTreeClassifier for ExtraTreeClassifier",
        ("3.1a",),
        (
            "from sklearn.tree import ExtraTreeClassifier",
            "from sklearn.tree import DecisionTreeClassifier",
        ),
        (
            "ExtraTreeClassifier(max_depth=max_depth, ",
            "DecisionTreeClassifier(max_depth=max_depth, ",
        ),
    ),
    student(
        "trees-one-too-few",
        "range(1, n_estimators)",
        ("3.1a", "3.2"),
        ("for i in range(n_estimators)", "for i in range(1, n_estimators)"),
    ),
)

ONE_DRAW = (
    reference(
        "rows-without-replacement",
        "replace=False for the rows",
        ("3.1b",),
        ("size=num_training, replace=True)", "size=num_training, replace=False)"),
    ),
    reference(
        "columns-with-replacement",
        "replace=True for the columns",
        ("3.1b",),
        ("size=num_columns, replace=False)", "size=num_columns, replace=True)"),
    ),
    student(
        "columns-rounded-up",
        "ceil for int",
        ("3.1b",),
        ("int(num_features * self.max_features)", "int(np.ceil(num_features * self.max_features))"),
    ),
    student(
        "columns-rounded",
        "round for int",
        ("3.1b",),
        ("int(num_features * self.max_features)", "int(round(num_features * self.max_features))"),
    ),
    student(
        "columns-square-root",
        "the usual square root of F instead of max_features",
        ("3.1b", "3.2"),
        ("int(num_features * self.max_features)", "int(np.sqrt(num_features))"),
    ),
    student(
        "columns-before-rows",
        "draws in the wrong order",
        ("3.1b",),
        ("        col_idx = np.random.choice(num_features, n_columns, replace=False)\n", ""),
        (
            "row_idx = np.random.choice(num_training, num_training, replace=True)\n"
            "        n_columns = int(num_features * self.max_features)",
            "n_columns = int(num_features * self.max_features)\n"
            "        col_idx = np.random.choice(num_features, n_columns, replace=False)\n"
            "        row_idx = np.random.choice(num_training, num_training, replace=True)",
        ),
    ),
    student(
        "draw-reseeds-with-none",
        "np.random.seed(None) forgets the stream when no seed is given",
        ("3.1b",),
        (
            "        if random_seed is not None:\n            np.random.seed(random_seed)\n",
            "        np.random.seed(random_seed)\n",
        ),
    ),
    student(
        "draw-drops-seed-zero",
        "`if random_seed:` takes 0 for no seed",
        ("3.1b",),
        ("if random_seed is not None:", "if random_seed:"),
    ),
    student(
        "draw-ignores-its-seed",
        "random_seed is never used",
        ("3.1b",),
        ("        if random_seed is not None:\n            np.random.seed(random_seed)\n", ""),
    ),
    student(
        "draw-from-the-other-end",
        "rows from 1 to N instead of 0 to N - 1",
        ("3.1b",),
        (
            "np.random.choice(num_training, num_training, replace=True)",
            "np.random.choice(np.arange(num_training - 1) + 1, num_training, replace=True)",
        ),
    ),
)

ALL_DRAWS = (
    student(
        "bag-instead-of-out-of-bag",
        "out_of_bag holds the rows that were drawn",
        ("3.1c",),
        ("set(range(num_training)) - set(rows)", "set(rows)"),
    ),
    student(
        "bootstraps-unseeded",
        "self.random_seed is never used",
        ("3.1c",),
        (
            "        if self.random_seed is not None:\n"
            "            np.random.seed(self.random_seed)\n",
            "",
        ),
    ),
    student(
        "bootstraps-all-alike",
        "every tree is drawn with the same seed",
        ("3.1c",),
        (
            "self._bootstrapping(num_training, num_features)\n",
            "self._bootstrapping(num_training, num_features, self.random_seed)\n",
        ),
    ),
    student(
        "bootstraps-pile-up",
        "a second call appends to the lists of the first",
        ("3.1c",),
        (
            "        self.bootstraps_row_indices = []\n"
            "        self.feature_indices = []\n"
            "        self.out_of_bag = []\n"
            "        for _ in",
            "        for _ in",
        ),
    ),
    student(
        "out-of-bag-from-columns",
        "takes away the column indices instead of the rows",
        ("3.1c",),
        ("set(range(num_training)) - set(rows)", "set(range(num_training)) - set(columns)"),
    ),
)

FIT = (
    student(
        "fit-on-all-rows",
        "the bootstrap sample is drawn but not used",
        ("3.1d",),
        (
            "self.decision_trees[i].fit(X[rows][:, columns], y[rows])",
            "self.decision_trees[i].fit(X[:, columns], y)",
        ),
    ),
    student(
        "fit-labels-not-resampled",
        "y stays in its order while the rows are drawn",
        ("3.1d", "3.2"),
        (
            "self.decision_trees[i].fit(X[rows][:, columns], y[rows])",
            "self.decision_trees[i].fit(X[rows][:, columns], y)",
        ),
    ),
    student(
        "fit-first-columns",
        "the first columns instead of the drawn ones",
        ("3.1d", "3.2"),
        (
            "self.decision_trees[i].fit(X[rows][:, columns], y[rows])",
            "self.decision_trees[i].fit(X[rows][:, : len(columns)], y[rows])",
        ),
    ),
    student(
        "fit-leaves-the-last-tree",
        "range(n_estimators - 1)",
        ("3.1d", "3.2"),
        (
            "for i in range(self.n_estimators):\n            rows =",
            "for i in range(self.n_estimators - 1):\n            rows =",
        ),
    ),
)

OOB = (
    student(
        "oob-by-all-trees",
        "every tree votes, seen or not",
        ("3.1e",),
        ("                if i in self.out_of_bag[t]\n", ""),
    ),
    student(
        "oob-by-the-bag",
        "the trees that have seen the row vote",
        ("3.1e",),
        ("if i in self.out_of_bag[t]", "if i not in self.out_of_bag[t]"),
    ),
    student(
        "oob-by-majority",
        "one majority vote a row instead of the share of right votes",
        ("3.1e",),
        ("accuracy.append(np.mean(right))", "accuracy.append(np.mean(right) > 0.5)"),
    ),
    student(
        "oob-mean-of-all-votes",
        "rows with many votes count more",
        ("3.1e",),
        ("accuracy.append(np.mean(right))", "accuracy.extend(right)"),
    ),
    student(
        "oob-counts-unvoted-rows",
        "rows without any vote count as wrong",
        ("3.1e",),
        ("return np.mean(accuracy)", "return np.sum(accuracy) / X.shape[0]"),
    ),
)

PREDICT = (
    student(
        "predict-hard-votes",
        "one vote a tree instead of its probabilities",
        ("3.1f",),
        (
            "tree.predict_proba(X[:, columns])\n        return",
            "np.eye(len(tree.classes_))[\n"
            "                np.argmax(tree.predict_proba(X[:, columns]), axis=1)\n"
            "            ]\n"
            "        return",
        ),
    ),
    student(
        "predict-seven-classes",
        "the bean data's number of classes is written into the code",
        ("3.1f",),
        (
            "np.zeros((X.shape[0], len(labels)))\n        for tree, columns in zip(",
            "np.zeros((X.shape[0], 7))\n        for tree, columns in zip(",
        ),
        (
            "            total[:, np.searchsorted(labels, tree.classes_)] += "
            "tree.predict_proba(X[:, columns])\n"
            "        return labels[np.argmax(total, axis=1)]",
            "            total += tree.predict_proba(X[:, columns])\n"
            "        return np.argmax(total, axis=1)",
        ),
    ),
    student(
        "predict-by-the-last-tree",
        "overwrites the sum instead of adding",
        ("3.1f",),
        ("+= tree.predict_proba(X[:, columns])", "= tree.predict_proba(X[:, columns])"),
    ),
    student(
        "predict-first-columns",
        "the first columns instead of each tree's own",
        ("3.1f",),
        (
            "+= tree.predict_proba(X[:, columns])",
            "+= tree.predict_proba(X[:, : len(columns)])",
        ),
    ),
    student(
        "predict-least-likely",
        "argmin for argmax",
        ("3.1f",),
        (
            "tree.predict_proba(X[:, columns])\n        return labels[np.argmax(total, axis=1)]",
            "tree.predict_proba(X[:, columns])\n        return labels[np.argmin(total, axis=1)]",
        ),
    ),
)

ACCURACY = (
    reference(
        "settings-too-small",
        "two trees of depth 2",
        ("3.2",),
        ("return 15, 13, 1.0", "return 2, 2, 0.5"),
    ),
    student(
        "settings-not-returned",
        "select_hyperparameters has no return",
        ("3.2",),
        ("        return n_estimators, max_depth, max_features\n", ""),
    ),
    student(
        "settings-in-another-order",
        "max_features comes first",
        ("3.2",),
        (
            "return n_estimators, max_depth, max_features",
            "return max_features, n_estimators, max_depth",
        ),
    ),
)

BOOSTING = (
    student(
        "alpha-without-epsilon",
        "a tree without mistakes gets an infinite alpha",
        ("3.4",),
        ("np.log(max(1 - error, 1e-10) / (error + 1e-10))", "np.log((1 - error) / error)"),
    ),
    student(
        "alpha-not-halved",
        "the factor 1/2 is missing",
        ("3.4",),
        ("alpha = 0.5 * np.log(", "alpha = np.log("),
    ),
    student(
        "alpha-inverted",
        "error / (1 - error)",
        ("3.4",),
        ("alpha = 0.5 * np.log(", "alpha = -0.5 * np.log("),
    ),
    student(
        "weights-not-normalised",
        "the weights grow from tree to tree",
        ("3.4",),
        ("            weights = weights / np.sum(weights)\n", ""),
        ("error = np.sum(weights[wrong]) / np.sum(weights)", "error = np.sum(weights[wrong])"),
    ),
    student(
        "weights-of-right-rows-shrink",
        "exp(-alpha) for right rows as in the two-class form",
        ("3.4",),
        ("np.exp(alpha * wrong)", "np.exp(alpha * np.where(wrong, 1, -1))"),
    ),
    student(
        "boosting-without-weights",
        "sample_weight is not handed to the tree",
        ("3.4",),
        ("tree.fit(X, y, sample_weight=weights)", "tree.fit(X, y)"),
    ),
    student(
        "boosting-error-unweighted",
        "the plain share of wrong rows",
        ("3.4",),
        ("error = np.sum(weights[wrong]) / np.sum(weights)", "error = np.mean(wrong)"),
    ),
    student(
        "boosting-votes-unweighted",
        "every tree has one vote",
        ("3.4",),
        ("total[:, c] += alpha * (votes == label)", "total[:, c] += votes == label"),
    ),
    student(
        "boosting-two-classes",
        "votes of -1 and 1",
        ("3.4",),
        (
            "            for c, label in enumerate(labels):\n"
            "                total[:, c] += alpha * (votes == label)\n"
            "        return labels[np.argmax(total, axis=1)]",
            "            total[:, 0] += alpha * np.where(votes == labels[-1], 1, -1)\n"
            "        return np.where(total[:, 0] > 0, labels[-1], labels[0])",
        ),
    ),
    student(
        "boosting-alphas-not-kept",
        "self.alphas stays empty",
        ("3.4",),
        ("            self.alphas.append(alpha)\n", ""),
    ),
)

RIGHT = (
    student("right-second-forest", "no mistake: the second solution as it is", ()),
    reference("right-reference-forest", "no mistake: the reference as it is", ()),
    student(
        "right-trees-with-fixed-state",
        "no mistake: random_state=0 for the trees, of which the contract says nothing",
        (),
        ('criterion="entropy")', 'criterion="entropy", random_state=0)'),
    ),
    student(
        "right-out-of-bag-by-difference",
        "no mistake: sets of NumPy integers by np.setdiff1d",
        (),
        (
            "set(range(num_training)) - set(rows)",
            "set(np.setdiff1d(np.arange(num_training), rows))",
        ),
    ),
    student(
        "right-alpha-by-course-formula",
        "no mistake: the handout's formula without a guard for an error of one",
        (),
        (
            "np.log(max(1 - error, 1e-10) / (error + 1e-10))",
            "np.log((1 - error) / (error + 1e-10))",
        ),
    ),
)

MUTANTS = (
    *CONSTRUCTOR,
    *ONE_DRAW,
    *ALL_DRAWS,
    *FIT,
    *OOB,
    *PREDICT,
    *ACCURACY,
    *BOOSTING,
    *RIGHT,
)
