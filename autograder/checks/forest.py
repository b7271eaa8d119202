"""Checks of the random forest (items 3.1a to 3.1f and 3.2).

The trees' own randomness is not part of the contract, so nothing compares fitted trees: draws
are compared exactly, fits by what a tree must and must not know afterwards, and scores and
predictions on stand-in trees whose votes are a fixed function of a row.

Symbols: N rows, F features, T trees, C classes.
"""

from types import SimpleNamespace

import numpy as np

from autograder import data, standins
from autograder.channel import Ref
from autograder.checks.compare import Mismatch, as_array, close, equal, kind_of, whole_numbers
from autograder.checks.nn import kept_stream
from autograder.checks.task import Task
from autograder.plan import Case
from autograder.reference import module

SEED = 4641 + 7641  # the course's
NEEDED_ACCURACY = 0.85
LISTS = ("bootstraps_row_indices", "feature_indices", "out_of_bag")
DRAW_HINT = (
    "np.random.choice for the rows (num_training, with replacement), then for the columns "
    "(int(num_features * max_features), without)"
)


def put_forest(case: Case, name: str = "forest", **settings: object) -> None:
    """Make a forest in the student's process, with its settings in place whatever happens."""
    settings = {"n_estimators": 4, "max_depth": 3, "max_features": 0.7, "random_seed": 0} | settings
    case.bare(name, "random_forest.RandomForest", **settings)
    empty = {"bootstraps_row_indices": [], "feature_indices": [], "out_of_bag": [], "alphas": []}
    for attribute, value in {**settings, **empty}.items():
        case.set(f"{name}.{attribute}", value)


def constructor(task: Task) -> None:
    """3.1a: attributes, and as many extra trees as asked for."""
    rng = task.rng
    settings = {
        "n_estimators": int(rng.integers(3, 9)),
        "max_depth": int(rng.integers(3, 12)),
        "max_features": float(rng.choice([0.4, 0.55, 0.8])),
        "random_seed": int(rng.integers(1, 1000)),
    }
    case = task.case("random_forest")
    case.new("forest", "random_forest.RandomForest", **settings)
    attributes = {key: case.get(f"forest.{key}") for key in (*settings, *LISTS, "alphas")}
    trees = case.describe(
        "forest", ("max_depth", "criterion"), "decision_trees", "reading forest.decision_trees"
    )
    task.run()
    called = "RandomForest(n_estimators, max_depth, max_features, random_seed)"

    def attribute_values() -> None:
        for key, value in settings.items():
            equal(f"{key} after {called}", task[attributes[key]], value)
        for key in (*LISTS, "alphas"):
            value = task[attributes[key]]
            if not isinstance(value, (list, tuple)) or len(value):
                raise Mismatch(f"{key} after {called}: expected an empty list")

    def decision_trees() -> None:
        made = task[trees]["children"]
        equal(f"number of decision_trees after {called}", len(made), settings["n_estimators"])
        for tree in made:
            equal("the type of a tree", tree["class"], "ExtraTreeClassifier")
            kept = {"max_depth": settings["max_depth"], "criterion": "entropy"}
            equal("the settings of a tree", tree["attributes"], kept)

    task.part(0.4, "attributes", attribute_values)
    task.part(0.6, "decision_trees", decision_trees)


def one_draw(task: Task) -> None:
    """3.1b: rows and columns for several seeds, 0 among them, and without a seed."""
    rng = task.rng
    sizes = [(100, 16, 0.7), (int(rng.integers(20, 90)), int(rng.integers(7, 14)), 0.55)]
    seeded = [(*size, seed) for size in sizes for seed in (0, int(rng.integers(1, 10_000)))]
    steps = [_plan_draw(task, *drawn, before=99) for drawn in seeded]
    before = int(rng.integers(1, 10_000))
    unseeded = (*sizes[1], None)
    going_on = _plan_draw(task, *unseeded, before=before)
    task.run()

    def judge(drawn: tuple, steps: SimpleNamespace, before: int) -> None:
        rows, columns, share, seed = drawn
        np.random.seed(before)
        forest = _reference_forest(4, share)
        right = forest._bootstrapping(rows, columns, seed)
        called = f"_bootstrapping({rows}, {columns}, random_seed={seed}), max_features={share}"
        got = task[steps.draw]
        if not isinstance(got, (tuple, list)) or len(got) != 2:
            raise Mismatch(f"{called}: expected two arrays, row_idx and col_idx")
        whole_numbers(f"row_idx of {called}", got[0], right[0], DRAW_HINT)
        whole_numbers(f"col_idx of {called}", got[1], right[1], DRAW_HINT)
        at = np.random.random_sample()
        close(f"NumPy's stream after {called}", task[steps.stream], at, "draw nothing else")

    def with_seed() -> None:
        with kept_stream():
            for drawn, planned in zip(seeded, steps, strict=True):
                judge(drawn, planned, 99)

    def without_seed() -> None:
        with kept_stream():
            judge(unseeded, going_on, before)

    task.part(0.6, "with a seed", with_seed)
    task.part(0.4, "without a seed the stream goes on: None must not seed", without_seed)


def _reference_forest(trees: int, share: float, seed: int | None = None) -> object:
    return module("random_forest").RandomForest(trees, 3, share, seed)


def _plan_draw(
    task: Task, rows: int, columns: int, share: float, seed: int | None, before: int
) -> SimpleNamespace:
    case = task.case("random_forest")
    put_forest(case, max_features=share)
    case.seed(before)
    keywords = {} if seed is None else {"random_seed": seed}
    draw = case.call("forest._bootstrapping", rows, columns, **keywords)
    return SimpleNamespace(draw=draw, stream=case.stream())


def bootstrapping(task: Task) -> None:
    """3.1c: one seed, then tree by tree; the rows left out."""
    rng = task.rng
    trees, share = int(rng.integers(3, 7)), 0.7
    rows, columns = int(rng.integers(20, 60)), int(rng.integers(6, 14))
    seed = int(rng.integers(1, 10_000))
    settings = {"n_estimators": trees, "max_features": share, "random_seed": seed}
    called = f"bootstrapping({rows}, {columns}) with random_seed={seed}"
    loops = {}
    for kind in ("plain", "replaced"):
        case = task.case("random_forest")
        put_forest(case, **settings)
        case.set("forest.decision_trees", [None] * trees)
        case.seed(5)
        if kind == "replaced":
            case.replace("forest._bootstrapping", "draw")
        for _ in range(2):  # the second call starts anew
            case.call("forest.bootstrapping", rows, columns, label=called, send=False)
        loops[kind] = {name: case.get(f"forest.{name}") for name in LISTS}
    stream, log = case.stream(), case.get("log")
    case = task.case("random_forest")
    put_forest(case, **settings)
    case.seed(seed)
    twin = [case.call("forest._bootstrapping", rows, columns) for _ in range(trees)]
    task.run()

    def judge(kind: str, draws: list[tuple]) -> None:
        lists = {name: task[step] for name, step in loops[kind].items()}
        for name, value in lists.items():
            if not isinstance(value, (list, tuple)) or len(value) != trees:
                text = f"expected a list of {trees} entries, one for each tree"
                raise Mismatch(f"{name} after {called}: {text}")
        hint = "seed once with random_seed, then call _bootstrapping without a seed for each tree"
        for tree, (row_idx, col_idx) in enumerate(draws):
            label = f"[{tree}] after {called}"
            got = lists["bootstraps_row_indices"][tree]
            whole_numbers(f"bootstraps_row_indices{label}", got, row_idx, hint)
            whole_numbers(f"feature_indices{label}", lists["feature_indices"][tree], col_idx, hint)
            left = set(range(rows)) - set(np.asarray(row_idx).tolist())
            bag = lists["out_of_bag"][tree]
            if not isinstance(bag, (set, list, tuple, np.ndarray)):
                raise Mismatch(f"out_of_bag{label}: expected a set, got {kind_of(bag)}")
            if {int(i) for i in np.ravel(list(bag))} != left:
                raise Mismatch(f"out_of_bag{label}: expected the rows that were not drawn")

    def like_reference() -> None:
        forest = _reference_forest(trees, share, seed)
        with kept_stream():
            forest.bootstrapping(rows, columns)
        judge(
            "plain", list(zip(forest.bootstraps_row_indices, forest.feature_indices, strict=True))
        )

    def like_own_draws() -> None:
        draws = []
        for step in twin:
            pair = task[step]
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise Mismatch("your own _bootstrapping does not return two arrays")
            draws.append(tuple(as_array("your own _bootstrapping", part) for part in pair))
        if any(np.array_equal(draws[0][0], other[0]) for other in draws[1:]):
            raise Mismatch("your own _bootstrapping draws the same rows again and again")
        judge("plain", draws)

    def with_standin() -> None:
        drawn = range(trees, 2 * trees)  # by the second call
        patterns = [
            (standins.pattern_rows(t, rows), standins.pattern_columns(t, columns)) for t in drawn
        ]
        judge("replaced", patterns)
        seeds = [entry[3] for entry in task[log]]
        hint = "seed once, before the first tree"
        equal(
            f"random_seed in calls of _bootstrapping by {called}", seeds, [None] * len(seeds), hint
        )
        right = np.random.RandomState(seed).random_sample()
        close(f"NumPy's stream after {called} with nothing drawn", task[stream], right, hint)

    task.part(1, "the three lists", like_reference, like_own_draws, with_standin)
    task.notes.append("your own _bootstrapping is taken as it is; it has its own item")


# --- fit ----------------------------------------------------------------------------------------


def fit(task: Task) -> None:
    """3.1d: labels without any pattern, so that a deep tree knows just the rows it was given."""
    rng = task.rng
    rows, columns, classes, trees = 150, 9, 4, 5
    X, y = rng.normal(size=(rows, columns)), rng.integers(classes, size=rows)
    settings = {"n_estimators": trees, "max_depth": 60, "max_features": 0.7, "random_seed": 7}
    fits = {kind: _plan_fit(task, settings, X, y, kind) for kind in ("plain", "replaced")}
    task.run(cpu=25, wall=60)
    called = f"fit(X, y) for X of shape {X.shape}"

    def judge(kind: str) -> None:
        steps = fits[kind]
        lists = [task[steps[name]] for name in LISTS]
        if not all(isinstance(value, (list, tuple)) and len(value) == trees for value in lists):
            raise Mismatch(f"{called}: bootstrapping must fill the three lists, one entry a tree")
        if kind == "plain":
            _check_usable_lists(called, lists, rows, columns)
        outside, right_outside = 0, 0
        for tree in range(trees):
            label = f"tree {tree} after {called}"
            chosen = np.asarray(lists[1][tree])
            hint = "fit each tree on X[:, feature_indices[tree]] of its own rows"
            width = f"the number of columns {label} was fitted on"
            equal(width, task[steps["width", tree]], len(chosen), hint)
            votes = as_array(f"predictions of {label}", task[steps["votes", tree]], (rows,))
            drawn = np.zeros(rows, dtype=bool)
            drawn[np.asarray(lists[0][tree])] = True
            share = float(np.mean(votes[drawn] == y[drawn]))
            if share < 1:
                text = f"expected it to know the rows it drew, but it knows {share:.0%} of them"
                raise Mismatch(f"{label}: {text}\n  Hint: {hint}, with y of the same rows")
            outside += int(np.sum(~drawn))
            right_outside += int(np.sum(votes[~drawn] == y[~drawn]))
        # Guessing one of four classes at least 60 % right in 200 rows or more: below 1e-20.
        if outside >= 200 and right_outside > 0.6 * outside:
            text = "the trees know rows that they did not draw"
            raise Mismatch(f"{called}: {text}\n  Hint: fit on bootstraps_row_indices[tree] only")

    task.part(1, "what each tree has learnt", lambda: judge("plain"), lambda: judge("replaced"))
    task.notes.append("your own bootstrapping is taken as it is; it has its own item")


def _check_usable_lists(called: str, lists: list, rows: int, columns: int) -> None:
    """Raise unless the lists hold indices of rows and columns."""
    for name, values, end in zip(LISTS, lists[:2], (rows, columns), strict=False):
        for value in values:
            array = as_array(f"{name} after {called}", value)
            inside = array.size and array.ndim == 1 and array.min() >= 0 and array.max() < end
            if array.dtype.kind not in "iu" or not inside:
                raise Mismatch(f"{name} after {called}: expected indices from 0 to {end - 1}")


def _plan_fit(task: Task, settings: dict, X: np.ndarray, y: np.ndarray, kind: str) -> dict:
    case = task.case("random_forest")
    put_forest(case, **settings)
    trees = settings["n_estimators"]
    _put_real_trees(case, trees, settings["max_depth"])
    if kind == "replaced":
        case.replace("forest.bootstrapping", "draws")
    case.seed(11)
    case.call("forest.fit", X, y, label=f"fit(X, y) for X of shape {X.shape}", send=False)
    steps: dict = {name: case.get(f"forest.{name}") for name in LISTS}
    for tree in range(trees):
        steps["width", tree] = case.get(f"forest.decision_trees.{tree}.n_features_in_")
        case.call(
            "numpy.take", X, Ref(f"forest.feature_indices.{tree}"), as_="part", send=False, axis=1
        )
        label = f"predicting with tree {tree}"
        steps["votes", tree] = case.call(
            f"forest.decision_trees.{tree}.predict", Ref("part"), label=label
        )
    return steps


def _put_real_trees(case: Case, trees: int, max_depth: int) -> None:
    """Give the forest trees, whether or not its constructor made some."""
    for tree in range(trees):
        case.call(
            "sklearn.tree.ExtraTreeClassifier",
            max_depth=max_depth,
            criterion="entropy",
            as_=f"tree{tree}",
            send=False,
            label="making a tree",
        )
    case.set("forest.decision_trees", [Ref(f"tree{tree}") for tree in range(trees)])


# --- scores and votes of stand-in trees -------------------------------------------------------


def draw_voters(
    task: Task, rows: int, columns: int, classes: int, trees: int, share: float
) -> SimpleNamespace:
    """Draw data, a forest's lists, and the weights of stand-in trees."""
    rng = task.rng
    width = int(columns * share)
    row_indices = [rng.integers(rows, size=rows) for _ in range(trees)]
    return SimpleNamespace(
        # exact in float32, which the reference's forest works in
        X=rng.integers(-64, 64, size=(rows, columns)) / 16,
        y=rng.integers(classes, size=rows),
        classes=np.arange(classes),
        weights=[rng.normal(size=(width, classes)) for _ in range(trees)],
        row_indices=row_indices,
        columns=[rng.permutation(columns)[:width] for _ in range(trees)],
        out_of_bag=[set(range(rows)) - set(drawn.tolist()) for drawn in row_indices],
        share=share,
    )


def put_voters(case: Case, drawn: SimpleNamespace) -> None:
    """Make a forest of stand-in trees in the student's process."""
    trees = len(drawn.weights)
    put_forest(case, n_estimators=trees, max_features=drawn.share)
    step = {"op": "trees", "weights": drawn.weights, "classes": drawn.classes, "as": "trees"}
    case.add({**step, "send": False}, "making trees")
    case.set("forest.decision_trees", Ref("trees"))
    case.set("forest.bootstraps_row_indices", drawn.row_indices)
    case.set("forest.feature_indices", drawn.columns)
    case.set("forest.out_of_bag", drawn.out_of_bag)


def reference_voters(drawn: SimpleNamespace) -> object:
    """Return the reference's forest of the same trees."""
    forest = _reference_forest(len(drawn.weights), drawn.share)
    forest.decision_trees = [standins.LinearTree(w, drawn.classes) for w in drawn.weights]
    forest.bootstraps_row_indices, forest.feature_indices = drawn.row_indices, drawn.columns
    forest.out_of_bag = drawn.out_of_bag
    forest._num_features = drawn.X.shape[1]
    return forest


def oob_score(task: Task) -> None:
    """3.1e: on the training rows, and on another set, as the course calls it."""
    drawn = draw_voters(task, rows=40, columns=9, classes=4, trees=5, share=0.6)
    other = draw_voters(task, rows=25, columns=9, classes=4, trees=5, share=0.6)
    sets = {"the training rows": (drawn.X, drawn.y), "25 other rows": (other.X, other.y)}
    steps = {}
    for name, (X, y) in sets.items():
        case = task.case("random_forest")
        put_voters(case, drawn)
        steps[name] = case.call("forest.OOB_score", X, y, label=f"OOB_score(X, y) on {name}")
    task.run()
    right = reference_voters(drawn)

    def score(name: str) -> None:
        called = f"OOB_score(X, y) on {name}"
        X, y = sets[name]
        got = task[steps[name]]
        if np.ndim(got) or isinstance(got, (str, dict, set, type(None))):
            raise Mismatch(f"{called}: expected a number, got {kind_of(got)}")
        hint = (
            "for each row, the share of right votes among the trees for which it is out of bag, "
            "then the mean over the rows that have such trees"
        )
        votes = np.stack(
            [
                tree.predict(X[:, columns]) == y
                for tree, columns in zip(right.decision_trees, right.feature_indices, strict=True)
            ]
        )
        wrong = [("only trees that have not seen a row may vote on it", votes.mean())]
        close(called, got, right.OOB_score(X, y), hint, wrong=wrong)

    for name, share in zip(sets, (0.7, 0.3), strict=True):
        task.part(share, f"score on {name}", lambda name=name: score(name))


def predict(task: Task) -> None:
    """3.1f: the largest sum of probabilities, for two and more classes."""
    forests = [
        draw_voters(task, rows=60, columns=8, classes=classes, trees=5, share=0.7)
        for classes in (2, 3, 7)
    ]
    steps = []
    for drawn in forests:
        case = task.case("random_forest")
        put_voters(case, drawn)
        steps.append(case.call("forest.predict", drawn.X))
    task.run()

    def votes() -> None:
        for drawn, step in zip(forests, steps, strict=True):
            called = f"predict(X) with {len(drawn.classes)} classes"
            got = as_array(called, task[step], (len(drawn.X),))
            right, clear = _votes(drawn)
            hint = "sum predict_proba over the trees, each on its own columns; then argmax"
            whole_numbers(called, got[clear], right[clear], hint)

    task.part(1, "predictions", votes)


def _votes(drawn: SimpleNamespace) -> tuple[np.ndarray, np.ndarray]:
    """Return the reference's votes, and which rows are decided by more than rounding."""
    forest = reference_voters(drawn)
    total = sum(
        tree.predict_proba(drawn.X[:, columns])
        for tree, columns in zip(forest.decision_trees, drawn.columns, strict=True)
    )
    ordered = np.sort(total, axis=1)
    return forest.predict(drawn.X), ordered[:, -1] - ordered[:, -2] > 1e-9


# --- 3.2 ----------------------------------------------------------------------------------------


def accuracy(task: Task) -> None:
    """3.2: accuracy on the bean data, worked out by the grader from the trees' votes."""
    sets = data.load("beans")
    case = task.case("random_forest")
    case.new("chooser", "random_forest.RandomForest", n_estimators=1, max_depth=1, max_features=1.0)
    chosen = case.call("chooser.select_hyperparameters", as_="chosen")
    case.seed(SEED)
    case.call(
        "random_forest.RandomForest",
        Ref("chosen.0"),
        Ref("chosen.1"),
        Ref("chosen.2"),
        random_seed=SEED,
        as_="forest",
        send=False,
        label="RandomForest(*select_hyperparameters(), random_seed=4641 + 7641)",
    )
    label = "fit(X_train, y_train) on the bean data"
    case.call("forest.fit", sets["x_train"], sets["y_train"], send=False, label=label)
    case.name("X", sets["x_test"])
    votes = case.add(
        {"op": "votes", "forest": "forest", "X": "X"}, "predicting the bean test set tree by tree"
    )
    task.run(cpu=60, wall=150, memory=768)

    def reached() -> None:
        n_estimators, _, max_features = _chosen(task[chosen])
        got = task[votes]
        if not isinstance(got, list) or not 0 < len(got) <= n_estimators:
            raise Mismatch("the fitted forest has no trees, or more than n_estimators")
        rows = len(sets["y_test"])
        right = np.stack([as_array("a tree's votes", v, (rows,)) == sets["y_test"] for v in got])
        score = _oob_accuracy(right, max_features, sets["x_train"].shape)
        task.notes.append(f"accuracy: {score:.4f}")
        if not score >= NEEDED_ACCURACY:
            raise Mismatch(
                f"accuracy on the test set: expected at least {NEEDED_ACCURACY}, got {score:.4f}\n"
                "  Hint: try other n_estimators and max_depth (3 to 15) and max_features (0.3 to 1)"
            )

    task.part(1, "accuracy of at least 0.85", reached)
    task.notes.append("worked out as OOB_score on the test set from your trees' votes")


def _chosen(value: object) -> tuple:
    """Return the three hyperparameters, if that is what they are."""
    if not isinstance(value, (tuple, list)) or len(value) != 3:
        raise Mismatch(
            "select_hyperparameters(): expected (n_estimators, max_depth, max_features), "
            f"got {repr(value)[:100]}"
        )
    n_estimators, _, max_features = value
    if not isinstance(n_estimators, (int, np.integer)) or not 0 < n_estimators <= 1000:
        raise Mismatch(f"select_hyperparameters(): n_estimators is {repr(n_estimators)[:50]}")
    if not isinstance(max_features, (int, float, np.number)) or not 0 < max_features <= 1:
        raise Mismatch(f"select_hyperparameters(): max_features is {repr(max_features)[:50]}")
    return tuple(value)


def _oob_accuracy(right: np.ndarray, max_features: float, shape: tuple[int, int]) -> float:
    """Return what OOB_score gives with the test set, for the draws the contract prescribes."""
    forest = _reference_forest(len(right), float(max_features), SEED)
    with kept_stream():
        forest.bootstrapping(*shape)
    rows = right.shape[1]
    counts = np.array([[row in bag for row in range(rows)] for bag in forest.out_of_bag])  # (T, N)
    votes = counts.sum(axis=0)
    return float(np.mean((right & counts).sum(axis=0)[votes > 0] / votes[votes > 0]))
