"""The graded items of Homework 4 with their points: one table, from which all totals follow.

Graduates earn ``points``. An item of group "grad" is a bonus for undergraduates, worth
``bonus`` per cent; an item of group "bonus" is worth that many per cent to everybody. Items
of kind "report" are marked by a person in the notebook's PDF; they stand here so that the
totals can be checked, and have neither files nor a check.
"""

from collections.abc import Collection
from dataclasses import dataclass

ASSIGNMENTS = {
    "programming": "Programming",
    "bonus-all": "Bonus for All",
    "bonus-undergrad": "Bonus for Undergrad",
}


@dataclass(frozen=True)
class Item:
    """One graded item.

    Parameters
    ----------
    number, title : str
        As students see them.
    points : float
        Points towards the homework; 0 for a bonus for all.
    bonus : float
        Per cent: of group "grad" for undergraduates, of group "bonus" for all.
    group : str
        "base", "grad" or "bonus".
    assignments : tuple of str
        Gradescope assignments that grade it; empty for a report item.
    files : tuple of str
        Uploaded files the item needs.
    check : str
        Name of the check, ``module.function`` below ``autograder.checks``.
    """

    number: str
    title: str
    points: float
    bonus: float
    group: str
    assignments: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    check: str = ""

    @property
    def kind(self) -> str:
        """Return "programming" if a check grades the item, else "report"."""
        return "programming" if self.check else "report"

    def max_score(self, assignment: str) -> float:
        """Return what the item is worth there: points, or per cent in a bonus assignment."""
        return self.points if assignment == "programming" else self.bonus


_PROGRAMMING = ("programming",)
_GRAD = ("programming", "bonus-undergrad")
_BONUS = ("bonus-all",)
_NN = ("NN.py",)
_FOREST = ("random_forest.py",)
_IMAGES = ("cnn_image_transformations.py",)
_BASE = "base_sequential_model.py"

ITEMS: tuple[Item, ...] = (
    Item("1.1a", "silu", 2.5, 0, "base", _PROGRAMMING, _NN, "nn.silu"),
    Item("1.1b", "derivative_silu", 2.5, 0, "base", _PROGRAMMING, _NN, "nn.derivative_silu"),
    Item("1.1c", "softmax", 5, 0, "base", _PROGRAMMING, _NN, "nn.softmax"),
    Item("1.1d", "cross_entropy_loss", 5, 0, "base", _PROGRAMMING, _NN, "nn.cross_entropy_loss"),
    Item("1.1e", "_dropout", 5, 0, "base", _PROGRAMMING, _NN, "nn.dropout"),
    Item("1.1f", "forward without dropout", 5, 0, "base", _PROGRAMMING, _NN, "nn.forward"),
    Item(
        "1.1g", "forward with dropout", 5, 0, "base", _PROGRAMMING, _NN, "nn.forward_with_dropout"
    ),
    Item("1.1h", "compute_gradients", 2.5, 0, "base", _PROGRAMMING, _NN, "nn.compute_gradients"),
    Item("1.1i", "update_weights", 2.5, 0, "base", _PROGRAMMING, _NN, "nn.update_weights"),
    Item("1.1j", "backward without momentum", 5, 0, "base", _PROGRAMMING, _NN, "nn.backward"),
    Item("1.1k", "gradient_descent", 5, 0, "base", _PROGRAMMING, _NN, "training.gradient_descent"),
    Item(
        "1.1l",
        "batch_gradient_descent",
        10,
        1.3,
        "grad",
        _GRAD,
        _NN,
        "training.batch_gradient_descent",
    ),
    Item("1.1m", "momentum", 5, 0.7, "grad", _GRAD, _NN, "momentum.momentum"),
    Item(
        "1.2",
        "gradient descent on the housing data: losses and test cross-entropy",
        5,
        0,
        "base",
        _PROGRAMMING,
        _NN,
        "housing.gradient_descent",
    ),
    Item(
        "1.3",
        "batch gradient descent with dropout on the housing data",
        5,
        0.7,
        "grad",
        _GRAD,
        _NN,
        "housing.batch_gradient_descent",
    ),
    Item(
        "1.4",
        "gradient descent with momentum on the housing data",
        5,
        0.6,
        "grad",
        _GRAD,
        _NN,
        "housing.momentum",
    ),
    Item("2.1.1", "image transformations", 5, 0.7, "grad", _GRAD, _IMAGES, "images.transforms"),
    Item("2.1.2", "CNN model", 5, 0.7, "grad"),
    Item("2.1.3", "CNN training", 8, 1, "grad"),
    Item("2.1.4", "CNN curves", 2, 0.3, "grad"),
    Item("2.2", "gradient clipping", 0, 1.1, "bonus"),
    Item("3.1a", "forest: constructor", 5, 0, "base", _PROGRAMMING, _FOREST, "forest.constructor"),
    Item("3.1b", "forest: _bootstrapping", 10, 0, "base", _PROGRAMMING, _FOREST, "forest.one_draw"),
    Item(
        "3.1c", "forest: bootstrapping", 5, 0, "base", _PROGRAMMING, _FOREST, "forest.bootstrapping"
    ),
    Item("3.1d", "forest: fit", 5, 0, "base", _PROGRAMMING, _FOREST, "forest.fit"),
    Item("3.1e", "forest: OOB_score", 5, 0, "base", _PROGRAMMING, _FOREST, "forest.oob_score"),
    Item("3.1f", "forest: predict", 5, 0, "base", _PROGRAMMING, _FOREST, "forest.predict"),
    Item(
        "3.2",
        "forest: accuracy on the bean data",
        5,
        0,
        "base",
        _PROGRAMMING,
        _FOREST,
        "forest.accuracy",
    ),
    Item("3.3", "feature importance plot", 0, 1.1, "bonus"),
    Item("3.4", "AdaBoost", 0, 1, "bonus", _BONUS, _FOREST, "boosting.adaboost"),
    Item("4.1.1", "SVM: fit", 7, 0, "base"),
    Item("4.1.2", "SVM: plot", 3, 0, "base"),
    Item("4.2", "SVM: kernel", 5, 0, "base"),
    Item("5.1.1", "RNN", 0, 2.2, "bonus", _BONUS, ("rnn.py", _BASE), "sequence.rnn"),
    Item("5.1.2", "LSTM", 0, 2.2, "bonus", _BONUS, ("lstm.py", _BASE), "sequence.lstm"),
    Item("5.2", "RNN versus LSTM", 0, 2.4, "bonus"),
)


def items_of(assignment: str, numbers: Collection[str] | None = None) -> tuple[Item, ...]:
    """Return the items an assignment grades, in the rubric's order.

    Parameters
    ----------
    assignment : str
        A key of ``ASSIGNMENTS``.
    numbers : collection of str, optional
        Only these item numbers.

    Raises
    ------
    ValueError
        If the assignment, or one of the numbers in it, is unknown.
    """
    if assignment not in ASSIGNMENTS:
        raise ValueError(f"assignment must be one of {', '.join(ASSIGNMENTS)}, got {assignment!r}")
    items = tuple(item for item in ITEMS if assignment in item.assignments)
    if numbers is None:
        return items
    unknown = set(numbers) - {item.number for item in items}
    if unknown:
        raise ValueError(
            f"{assignment} grades {', '.join(item.number for item in items)}, "
            f"got {', '.join(sorted(unknown))}"
        )
    return tuple(item for item in items if item.number in numbers)


def totals() -> dict[str, float]:
    """Return the homework's totals, which follow from the table.

    Returns
    -------
    dict of str to float
        Points of "grad" and "undergrad", per cent of "undergrad bonus" and "bonus for all".
    """
    base = sum(item.points for item in ITEMS if item.group == "base")
    grad = sum(item.points for item in ITEMS if item.group == "grad")
    undergrad_bonus = sum(item.bonus for item in ITEMS if item.group == "grad")
    bonus = sum(item.bonus for item in ITEMS if item.group == "bonus")
    return {
        "grad": base + grad,
        "undergrad": base,
        "undergrad bonus": round(undergrad_bonus, 6),  # sums of tenths
        "bonus for all": round(bonus, 6),
    }


def required_files(assignment: str) -> tuple[str, ...]:
    """Return the files an assignment asks for, in the order of their first item."""
    return tuple(dict.fromkeys(name for item in items_of(assignment) for name in item.files))
