"""The student edition, derived from the reference: ``python -m autograder starter OUT``.

`EXERCISES` is the one table of what students write: each function keeps its signature, decorators
and docstring and raises NotImplementedError with a message that says what to write. What is to be
written in the notebook stands in ``starter_notebook.CUTS``. Everything is derived, and the two
tables are held against the rubric, before anything is written.

Read in this order: the exercises, the files that students get, building.
"""

import re
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from autograder.reference import PROJECT
from autograder.rubric import ITEMS
from autograder.starter_code import without_bodies
from autograder.starter_notebook import CUTS, Cut, student_notebook
from utilities.contract import LIBRARIES, NOTEBOOK


@dataclass(frozen=True)
class Exercise:
    """A function that students write.

    Parameters
    ----------
    name : str
        Methods as ``Class.method``.
    items : tuple of str
        Numbers of the rubric's items that need it.
    hint : str
        What to write, in a few words.
    """

    name: str
    items: tuple[str, ...]
    hint: str

    @property
    def message(self) -> str:
        """Return what the function says until it is written."""
        method = self.name.rpartition(".")[2]
        return f"write {self.name if method == '__init__' else method}: {self.hint}"


EXERCISES: dict[str, tuple[Exercise, ...]] = {
    "NN.py": (
        Exercise(
            "NeuralNet.softmax",
            ("1.1c",),
            "subtract the maximum of each row, then divide the exponentials by their sum over the "
            "row",
        ),
        Exercise(
            "NeuralNet.silu",
            ("1.1a",),
            "u sigmoid(u) for every element, whatever the shape, without overflow",
        ),
        Exercise(
            "NeuralNet.derivative_silu",
            ("1.1b",),
            "s + x s (1 - s) with s = sigmoid(x) for every element, without overflow",
        ),
        Exercise(
            "NeuralNet._dropout",
            ("1.1e",),
            "draw the mask (1 kept, 0 dropped) as the docstring says; return u kept / (1 - prob) "
            "and the mask",
        ),
        Exercise(
            "NeuralNet.cross_entropy_loss",
            ("1.1d",),
            "the mean over the rows of -sum(y log(y_hat + 1e-15)), as a float",
        ),
        Exercise(
            "NeuralNet.init_parameters",
            ("1.1k",),
            "keep param if it is given, else np.random.seed(0), then randn(fan_in, fan_out) / "
            "sqrt(fan_in) for theta1, theta2, theta3 in turn and zeros for the biases; zeros of "
            "their shapes in self.change",
        ),
        Exercise(
            "NeuralNet.forward",
            ("1.1f", "1.1g"),
            "layer by layer from x to the probabilities o3, dropout only after the first SiLU; "
            "keep what the docstring lists in self.cache",
        ),
        Exercise(
            "NeuralNet.update_weights",
            ("1.1i", "1.1m"),
            "one step against every gradient, along self.change with momentum; count it in "
            "self.weight_updates",
        ),
        Exercise(
            "NeuralNet.compute_gradients",
            ("1.1h",),
            "the chain rule from yh - y back to theta1, using self.cache and self.parameters; one "
            "gradient for each parameter, under its name",
        ),
        Exercise(
            "NeuralNet.backward",
            ("1.1j",),
            "compute the gradients, update the weights, and return the gradients in the order of "
            "the docstring",
        ),
        Exercise(
            "NeuralNet.gradient_descent",
            ("1.1k", "1.1m", "1.2", "1.4"),
            "from init_parameters() on, forward, loss and backward in each iteration; every 1000th "
            "loss (all with local_test) goes to self.loss and is printed as "
            "'Loss after iteration %i: %f'",
        ),
        Exercise(
            "NeuralNet.batch_gradient_descent",
            ("1.1l", "1.3"),
            "as gradient_descent, but each iteration takes the next self.batch_size rows, wrapping "
            "round the data; count batches in self.iteration and keep the y of printed ones in "
            "self.batch_y",
        ),
    ),
    "cnn_image_transformations.py": (
        Exercise(
            "create_training_transformations",
            ("2.1.1",),
            "a v2.Compose that converts to an image and to float32, then mirrors and turns at "
            "random, as the docstring says",
        ),
        Exercise(
            "create_testing_transformations",
            ("2.1.1",),
            "a v2.Compose of the conversions only, nothing random",
        ),
    ),
    "cnn.py": (
        Exercise(
            "CNN.__init__",
            ("2.1.2",),
            "call super().__init__(), then make feature_extractor, avg_pooling and classifier as "
            "the diagram in the notebook shows them",
        ),
        Exercise(
            "CNN.forward",
            ("2.1.2",),
            "send x through the three parts, flattened before the last; return logits, no softmax",
        ),
    ),
    "random_forest.py": (
        Exercise(
            "RandomForest.__init__",
            ("3.1a",),
            "keep the four settings, start the lists of the docstring empty, and make n_estimators "
            "trees with this max_depth and the criterion entropy",
        ),
        Exercise(
            "RandomForest._bootstrapping",
            ("3.1b",),
            "seed NumPy's global stream if a seed is given, then draw the rows, then the columns, "
            "with np.random.choice",
        ),
        Exercise(
            "RandomForest.bootstrapping",
            ("3.1c",),
            "seed once with self.random_seed, then draw for one tree after the other and fill the "
            "three lists",
        ),
        Exercise(
            "RandomForest.fit",
            ("3.1d", "3.2"),
            "call bootstrapping, then fit each tree to its own rows and columns",
        ),
        Exercise(
            "RandomForest.OOB_score",
            ("3.1e", "3.2"),
            "for each row, the share of right votes among the trees that have it in out_of_bag; "
            "the mean over the rows that have any",
        ),
        Exercise(
            "RandomForest.predict",
            ("3.1f",),
            "sum predict_proba of all trees, each on its own columns; the class with the largest "
            "sum wins",
        ),
        Exercise(
            "RandomForest.select_hyperparameters",
            ("3.2", "3.4"),
            "return the n_estimators, max_depth and max_features that you chose on the training "
            "data",
        ),
        Exercise(
            "RandomForest.plot_feature_importance",
            ("3.3",),
            "a bar chart of one tree's importances with the names of its columns, largest first, "
            "zeros left out; import matplotlib inside this function",
        ),
        Exercise(
            "RandomForest.adaboost",
            ("3.4",),
            "fit the trees one after the other on weighted rows, as the docstring says, and "
            "collect self.alphas",
        ),
        Exercise(
            "RandomForest.predict_adaboost",
            ("3.4",),
            "each tree votes with its alpha; the class with the largest sum wins",
        ),
    ),
    "utilities/figures.py": (
        Exercise(
            "plot_svm",
            ("4.1.2",),
            "draw both classes, the hyperplane, its two margins and a ring round each support "
            "vector",
        ),
        Exercise(
            "plot_decision_regions",
            ("4.2",),
            "draw both classes and the curve on which the decision function is zero, for example "
            "from its values on a grid",
        ),
    ),
    "base_sequential_model.py": (
        Exercise(
            "BaseSequentialModel.build_model",
            ("5.1.1", "5.1.2"),
            "compile what define_model() returns with RMSprop and the categorical cross-entropy, "
            "build it for windows of self.max_input_len, and keep it in self.model",
        ),
    ),
    "rnn.py": (
        Exercise(
            "RNN.set_hyperparameters",
            ("5.1.1",),
            "fill self.hp with embedding_dim 256, rnn_units 128, learning_rate 0.01, batch_size "
            "128 and epochs 10",
        ),
        Exercise(
            "RNN.define_model",
            ("5.1.1",),
            "a tf.keras.Sequential of an Embedding, a SimpleRNN, a Dense layer and an Activation, "
            "with sizes from self.hp and self.vocab_size",
        ),
    ),
    "lstm.py": (
        Exercise(
            "LSTM.set_hyperparameters",
            ("5.1.2",),
            "fill self.hp with embedding_dim 256, lstm_units 128, learning_rate 0.01, batch_size "
            "128 and epochs 10",
        ),
        Exercise(
            "LSTM.define_model",
            ("5.1.2",),
            "a tf.keras.Sequential of an Embedding, an LSTM, a Dense layer and an Activation, with "
            "sizes from self.hp and self.vocab_size",
        ),
    ),
}

# What students get besides the notebook and a README, as patterns below the project. Not the
# grader, the tests or the benchmarks, which hold solutions; of the grader only the table of points,
# for the page map. No trained weights: they are what Question 5 asks for.
FILES = (
    NOTEBOOK,
    *(f"{name}.py" for name in LIBRARIES),
    "utilities/*.py",
    "utilities/templates/*",
    "data/images/*.png",
    "data/test_data/*.json",
    "autograder/rubric.py",
    "Makefile",
    "pyproject.toml",
    "requirements.txt",
    "constraints.txt",
    "LICENSE",
    ".gitignore",
)
LEFT_OUT = ("utilities/train_weights.py", "data/images/readme_*.png")

# Passages of these files that are of no use to students, or would tell them an answer.
FILE_CUTS: dict[str, tuple[Cut, ...]] = {
    "utilities/export.py": (Cut('    "readme_kernel.png":', "", ends='SUPERSCRIPT TWO}",\n'),),
    "pyproject.toml": (
        Cut("Reference solution of ", "", ends=" of "),
        Cut("packages = [", 'packages = ["utilities", "autograder"]', ends="]"),
        Cut("[tool.pytest.ini_options]", "", ends="\n]\n\n"),
    ),
    "Makefile": (
        Cut("# make test   the tests", "# make test   the local tests of your code", ends="had"),
        Cut(
            "\ntest: $(READY)",
            "\ntest: $(READY)  ## run the local tests of your code\n"
            "\t@$(PY) -m unittest utilities.localtests\n",
            ends="-m pytest\n",
        ),
    ),
}
TARGETS = ("help", "env", "data", "run", "test", "notebook", "pdf", "html", "check")
TARGETS += ("submission", "clean")
NOT_THE_GRADER = '"""Only the table of points: the grader is not part of the student edition."""\n'
README = Path(__file__).with_name("starter_readme.md")


def build_starter(out: Path) -> list[Path]:
    """Write the student edition.

    Parameters
    ----------
    out : Path
        A folder outside of this project that is empty or not there yet.

    Returns
    -------
    list of Path
        The files written, sorted. The same reference gives the same bytes.

    Raises
    ------
    ValueError
        If the folder cannot be used, if a table names something that the reference does not have,
        or if a graded item is in neither table.
    """
    out = Path(out)
    _check_folder(out)
    _check_items()
    contents = {out / name: content for name, content in sorted(_contents().items())}
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        raise ValueError(f"{out} cannot be written ({error.strerror})") from error
    return list(contents)


def _check_folder(out: Path) -> None:
    """Raise unless a folder may be written to."""
    if out.resolve().is_relative_to(PROJECT):
        raise ValueError(f"OUT must be a folder outside of {PROJECT.name}, got {out}")
    if out.exists() and not out.is_dir():
        raise ValueError(f"OUT must be a folder, got the file {out}")
    there = sorted(path.name for path in out.iterdir()) if out.exists() else []
    if there:
        listed = ", ".join(there[:3]) + (", ..." if len(there) > 3 else "")
        raise ValueError(f"OUT must be empty or new, but {out} holds {listed}")


def _check_items() -> None:
    """Raise unless every graded item is an exercise, those that a check grades in its own files."""
    rubric = {item.number: item for item in ITEMS}
    in_files = {
        number: {file for file, tasks in EXERCISES.items() for t in tasks if number in t.items}
        for number in rubric
    }
    in_notebook = {number for cut in CUTS for number in cut.items}
    for number, item in rubric.items():
        places = in_files[number] & set(item.files) if item.check else in_files[number]
        if not places and (item.check or number not in in_notebook):
            raise ValueError(
                f"item {number} ({item.title}) must be an exercise, but no table has it"
            )
    tasks = chain.from_iterable(EXERCISES.values())
    named = {number for task in tasks for number in task.items} | in_notebook
    if named - set(rubric):
        raise ValueError(f"no item of the rubric has the number {', '.join(named - set(rubric))}")


# What the files hold.


def _contents() -> dict[str, bytes]:
    """Return every file of the student edition by its path."""
    names = _names()
    missing = sorted((set(EXERCISES) | set(FILE_CUTS)) - names)
    if missing:
        raise ValueError(f"{', '.join(missing)} must be changed for students, but is not theirs")
    files = {name: _student_form(name, (PROJECT / name).read_bytes()) for name in names}
    files["autograder/__init__.py"] = NOT_THE_GRADER.encode()
    files["README.md"] = _readme().encode()
    return files


def _names() -> set[str]:
    """Return the paths of the reference's files that students get in some form."""
    left_out = set(chain.from_iterable(map(PROJECT.glob, LEFT_OUT)))
    names = set()
    for pattern in FILES:
        found = set(PROJECT.glob(pattern)) - left_out
        if not found:
            raise ValueError(f"{pattern} must match a file of the reference, but does not")
        names |= {path.relative_to(PROJECT).as_posix() for path in found}
    return names


def _student_form(name: str, content: bytes) -> bytes:
    """Return what students get of a file."""
    if name != NOTEBOOK and name not in EXERCISES and name not in FILE_CUTS:
        return content
    text = content.decode()
    try:
        if name == NOTEBOOK:
            text = student_notebook(text)
        if name in EXERCISES:
            text = without_bodies(text, {task.name: task.message for task in EXERCISES[name]})
        for cut in FILE_CUTS.get(name, ()):
            text = cut.apply(text)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    return (_with_targets(text) if name == "Makefile" else text).encode()


def _with_targets(makefile: str) -> str:
    """Return the Makefile with the students' targets only, and the variables they use."""
    blocks = makefile.split("\n\n")
    rules = [re.match(r"(\S+):(?!=)", block) for block in blocks]
    kept = {*TARGETS, "$(READY)"}
    text = "\n\n".join(b for b, r in zip(blocks, rules, strict=True) if r is None or r[1] in kept)
    text = re.sub(r"(?m)^\.PHONY:.*$", f".PHONY: {' '.join(TARGETS)}", text)
    for variable in re.findall(r"(?m)^(\w+) [:?]= ", text):
        if f"$({variable})" not in text:
            text = re.sub(rf"(?m)^{variable} .*\n", "", text)
    return text


def _readme() -> str:
    """Return the students' README, with a row for each file they write in."""
    rows = []
    for file, tasks in EXERCISES.items():
        questions = {re.match(r"[\d.]+", number)[0] for task in tasks for number in task.items}
        names = ", ".join(f"`{task.name.rpartition('.')[2]}`" for task in tasks)
        rows.append(f"| `{file}` | {names} | {', '.join(sorted(questions))} |")
    return README.read_text("utf-8").replace("@EXERCISES@", "\n".join(rows))
