"""Check of AdaBoost (item 3.4), on trees with known votes and on the bean data."""

from types import SimpleNamespace

import numpy as np

from autograder import data
from autograder.channel import Ref
from autograder.checks.compare import Mismatch, as_array, close, whole_numbers
from autograder.checks.forest import (
    NEEDED_ACCURACY,
    SEED,
    draw_voters,
    put_voters,
    reference_voters,
)
from autograder.checks.task import Task

# 1 - (share of right rows) may miss an error of 0 by 1e-16, and the logarithm sees that.
ALPHA_RTOL = 1e-6
LARGEST = (15, 15, 1.0)  # hyperparameters, at the upper end of the course's hints
HINT = (
    "error is the weighted share of wrong rows, alpha half the log of (1 - error) / "
    "(error + 1e-10); the weights of wrong rows are multiplied by exp(alpha), then all are "
    "normalised to a sum of one and go into the next fit as sample_weight"
)


def adaboost(task: Task) -> None:
    """3.4: weights and alphas, errors of 0 and above one half among them; votes; accuracy."""
    drawn = draw_voters(task, rows=50, columns=6, classes=4, trees=5, share=1.0)
    drawn.columns = [np.arange(6)] * 5  # boosted trees see every column
    forest = _teach(drawn, task)
    case = task.case("random_forest")
    put_voters(case, drawn)
    case.call("forest.adaboost", drawn.X, drawn.y, send=False)
    alphas = case.get("forest.alphas")
    fits = [case.get(f"trees.{tree}.fits") for tree in range(5)]
    case = task.case("random_forest")
    put_voters(case, drawn)
    case.set("forest.alphas", [float(alpha) for alpha in forest.alphas])
    case.set("forest._num_features", 6)  # in case predict_adaboost asks whether there was a fit
    votes = case.call("forest.predict_adaboost", drawn.X)
    beans = _plan_beans(task)
    task.run(cpu=60, wall=150, memory=768)

    def boosting() -> None:
        called = "adaboost(X, y)"
        got = as_array(f"alphas after {called}", task[alphas]).astype(float)
        close(f"alphas after {called}", got.reshape(-1), forest.alphas, HINT, rtol=ALPHA_RTOL)
        for tree, step in enumerate(fits):
            made = task[step]
            if not isinstance(made, list) or len(made) != 1:
                raise Mismatch(f"{called}: tree {tree} must be fitted once")
            _, _, weights = made[0]
            _, _, right = forest.decision_trees[tree].fits[0]
            if weights is None:
                raise Mismatch(f"{called}: tree {tree} is fitted without sample_weight")
            label = f"sample_weight of tree {tree} in {called}, scaled to a sum of one"
            weights = as_array(label, weights, right.shape)
            with np.errstate(all="ignore"):
                close(label, weights / weights.sum(), right, HINT, rtol=ALPHA_RTOL)

    def voting() -> None:
        right = forest.predict_adaboost(drawn.X)
        hint = "every tree's vote counts alpha; the class with the largest sum wins"
        whole_numbers("predict_adaboost(X)", task[votes], right, hint)

    task.part(0.4, "weights and alphas", boosting)
    task.part(0.2, "predict_adaboost", voting)
    # one's own choice is judged in 3.2
    ways = [lambda step=step: _judge_beans(task, step) for step in beans]
    task.part(0.4, "accuracy of at least 0.85 on the bean data", *ways)


def _teach(drawn: SimpleNamespace, task: Task) -> object:
    """Choose trees that are right often, seldom and always; return the boosted reference."""
    weights = drawn.weights[2]
    drawn.y = reference_voters(drawn).decision_trees[2].predict(drawn.X)  # it is never wrong
    while True:
        noise = [task.rng.normal(size=weights.shape) for _ in drawn.weights]
        drawn.weights = [
            weights + 0.8 * noise[0],
            np.roll(weights, 1, axis=1) + 0.6 * noise[1],  # mostly the next class: an error > 1/2
            weights,
            weights + 1.5 * noise[3],
            weights + noise[4],
        ]
        forest = reference_voters(drawn)
        forest.adaboost(drawn.X, drawn.y)
        alphas = forest.alphas
        # an error of exactly 1 has no finite alpha, and the contract says nothing of it
        if min(alphas[0], alphas[3], alphas[4]) > 0.05 and -3 < alphas[1] < -0.05:
            return forest


def _plan_beans(task: Task) -> list[int]:
    """Plan boosting with the student's own hyperparameters, and with the hints' largest."""
    sets, steps = data.load("beans"), []
    for chosen in (True, False):
        case = task.case("random_forest")
        settings: list = list(LARGEST)
        if chosen:
            one = {"n_estimators": 1, "max_depth": 1, "max_features": 1.0}
            case.new("chooser", "random_forest.RandomForest", **one)
            case.call("chooser.select_hyperparameters", as_="chosen", send=False)
            settings = [Ref(f"chosen.{number}") for number in range(3)]
        case.seed(SEED)
        label = "RandomForest(*select_hyperparameters(), random_seed=4641 + 7641)"
        forest = {"as_": "forest", "random_seed": SEED, "send": False, "label": label}
        case.call("random_forest.RandomForest", *settings, **forest)
        label = "adaboost(X_train, y_train) on the bean data"
        case.call("forest.adaboost", sets["x_train"], sets["y_train"], send=False, label=label)
        label = "predict_adaboost(X_test) on the bean data"
        steps.append(case.call("forest.predict_adaboost", sets["x_test"], label=label))
    return steps


def _judge_beans(task: Task, step: int) -> None:
    labels = data.load("beans")["y_test"]
    got = as_array("predict_adaboost(X_test)", task[step], labels.shape)
    score = float(np.mean(got == labels))
    task.notes.append(f"AdaBoost accuracy: {score:.4f}")
    if not score >= NEEDED_ACCURACY:
        raise Mismatch(f"AdaBoost accuracy: expected at least {NEEDED_ACCURACY}, got {score:.4f}")
