"""Realistic wrong submissions lose points on exactly the items they should.

`make test` grades a part of the catalogue; `make mutants` grades all of it and writes the kill
matrix, which is held to the catalogue here.
"""

import pytest

from autograder.mutants import matrix
from autograder.mutants.catalogue import CATALOGUE
from autograder.mutants.kill import (
    MATRIX,
    ON_SLOW_ITEMS,
    SLOW,
    Outcome,
    grade_folder,
    items_for,
    kill_all,
    mistakes,
)
from autograder.mutants.submission import Mutant, write_base
from autograder.rubric import ITEMS

WRONG = [mutant for mutant in CATALOGUE if mutant.loses]
GRADED_HERE = (  # one of every group, one right one, and one that needs TensorFlow
    "silu-is-sigmoid",
    "softmax-over-the-wrong-axis",
    "dropout-mask-inverted",
    "forward-caches-before-dropout",
    "gradients-bias-without-mean",
    "momentum-with-learning-rate-inside",
    "backward-updates-twice",
    "descent-loss-after-the-update",
    "batches-not-wrapping",
    "right-biases-as-rows",
    "rotation-always",
    "bootstraps-all-alike",
    "oob-by-majority",
    "predict-seven-classes",
    "rnn-without-softmax",
)


def test_names_are_unique_and_the_samples_exist():
    names = [mutant.name for mutant in CATALOGUE]
    assert len(set(names)) == len(names)
    assert {*GRADED_HERE, *ON_SLOW_ITEMS} <= set(names)


def test_every_programming_item_is_lost_by_some_mutant():
    assert len(WRONG) >= 60
    lost = set().union(*(mutant.loses for mutant in WRONG))
    assert lost == {item.number for item in ITEMS if item.assignments}


@pytest.mark.parametrize("mutant", CATALOGUE, ids=lambda mutant: mutant.name)
def test_a_mutant_still_fits_its_base_and_is_python(mutant):
    compile(mutant.source(), mutant.name, "exec")
    loses_items_of_its_file = {
        i for numbers in items_for(mutant.file, SLOW).values() for i in numbers
    }
    assert mutant.loses <= loses_items_of_its_file


def test_a_mutant_whose_text_is_gone_fails_loudly():
    lost = Mutant("lost", "student", "NN.py", (("no such text", ""),), "", frozenset())
    with pytest.raises(ValueError, match=r"lost: expected its old text once .* found it 0 times"):
        lost.source()


def test_the_kill_matrix_is_that_of_the_catalogue():
    document = MATRIX.read_text(encoding="utf-8")
    assert matrix.disagreements(document, CATALOGUE) == []


def test_a_kill_matrix_that_is_out_of_date_is_noticed():
    mutants = [mutant for mutant in WRONG if mutant.file == "rnn.py"]
    lost, kept = (matrix.cells_of(Outcome({"5.1.1": n}, {"5.1.1": 2.2})) for n in (0, 2.2))
    right = {mutant.name: lost for mutant in mutants}
    document = matrix.written(right, mutants)
    assert matrix.cells_in(document) == right
    assert matrix.disagreements(document, mutants) == []
    spared = matrix.written(dict.fromkeys(right, kept), mutants)
    assert len(matrix.disagreements(spared, mutants)) == len(mutants) + 1
    assert matrix.disagreements(spared, mutants)[-1] == "no mutant lost 5.1.1"
    first = mutants[0].name
    assert matrix.disagreements(document, mutants[1:]) == [f"{first} is no longer in the catalogue"]
    missing = matrix.written(right, mutants[1:])
    assert matrix.disagreements(missing, mutants) == [f"{first} has no row"]


@pytest.fixture(scope="module")
def outcomes():
    """Grade the sample, two at a time."""
    sample = [mutant for mutant in CATALOGUE if mutant.name in GRADED_HERE]
    return {mutant.name: (mutant, outcome) for mutant, outcome in kill_all(sample)}


@pytest.mark.parametrize("name", GRADED_HERE)
def test_a_mutant_loses_exactly_the_items_it_should(name, outcomes):
    assert mistakes(*outcomes[name]) == ""


# rnn.py and lstm.py take TensorFlow half a minute: `make mutants` has them among the right ones
@pytest.mark.parametrize("file", ["NN.py", "random_forest.py", "cnn_image_transformations.py"])
def test_a_second_right_solution_gets_full_marks(file, tmp_path):
    write_base("student", tmp_path / "student")
    outcome = grade_folder(tmp_path / "student", items_for(file))
    assert outcome.full and outcome.kept == outcome.full


EMPTY_CLASS = "class {}:\n    def __init__(self, *args, **kwargs):\n        pass\n"
BLANK = {
    "NN.py": EMPTY_CLASS.format("NeuralNet"),
    "random_forest.py": EMPTY_CLASS.format("RandomForest"),
    "cnn_image_transformations.py": "def create_training_transformations():\n    pass\n\n\n"
    "create_testing_transformations = create_training_transformations\n",
    "rnn.py": EMPTY_CLASS.format("RNN"),
}


@pytest.mark.parametrize("file", BLANK)
def test_a_submission_with_nothing_in_it_gets_nothing(file, tmp_path):
    write_base("student", tmp_path / "blank")
    (tmp_path / "blank" / file).write_text(BLANK[file])
    outcome = grade_folder(tmp_path / "blank", items_for(file))
    assert outcome.full and outcome.kept == dict.fromkeys(outcome.full, 0)
