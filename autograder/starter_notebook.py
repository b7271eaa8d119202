"""The students' notebook: the reference's without answers, solutions and outputs.

`CUTS` lists what goes. A cut names the first words of what it takes out, which must stand in
exactly one cell, so an edited notebook is noticed and not given out with its answers.
"""

from dataclasses import dataclass

import nbformat


@dataclass(frozen=True)
class Cut:
    """A passage of a text, and what takes its place.

    Parameters
    ----------
    begins : str
        Its first words.
    instead : str
        Empty to leave nothing; a cell with nothing left goes as well.
    items : tuple of str
        Numbers of the rubric's items that students earn here.
    ends : str
        Its last words; by default it goes on to the end of the text.
    """

    begins: str
    instead: str
    items: tuple[str, ...] = ()
    ends: str = ""

    def apply(self, text: str) -> str:
        """Return a text without the passage.

        Raises
        ------
        ValueError
            If the passage does not begin once, or does not end.
        """
        before, begins, after = text.partition(self.begins)
        if not begins or self.begins in after:
            raise ValueError(f"expected {self.begins!r} once, got it {text.count(self.begins)}x")
        if not self.ends:
            return before + self.instead
        _, ends, rest = (begins + after).partition(self.ends)
        if not ends:
            raise ValueError(f"what begins with {self.begins!r} must end with {self.ends!r}")
        return before + self.instead + rest


def answer(question: str = "") -> str:
    """Return the prompt that stands where an answer is to be written."""
    return f"*Your answer: {question}*" if question else "*Your answer:*"


SET_UP = (
    Cut(
        "Reference solution, to be run from top to bottom.",
        "To be run from top to bottom. You write the modules of the questions (`NN.py`, `cnn.py`, "
        "`random_forest.py`, ...); this notebook explains, calls them and tests them. A function "
        "that is not written yet stops the run and says what to write. Some code is written in "
        "this notebook: those cells raise `NotImplementedError`. Text to write is marked "
        "*Your answer*.",
        ends="reads the results.",
    ),
)

QUESTION_1 = (
    Cut("Because $E[m_{ij}] = 1 - p$", answer("one to three sentences.")),
    Cut(
        "The loss falls quickly for 10,000 iterations",
        answer(
            "how does the loss fall, which classes are told apart, and how does the test loss "
            "compare with the training loss?"
        ),
    ),
    Cut(
        "Each recorded loss is that of one batch",
        answer("why does this curve look so different, and what does dropout do to the test loss?"),
    ),
    Cut(
        r"With $\beta = 0.5$ a lasting step counts double, and so it is",
        answer("what does momentum change, and by how much?"),
    ),
)

QUESTION_2 = (
    Cut(
        "`HW4_CNN_EPOCHS` shortens the training",
        "`HW4_CNN_EPOCHS` overrides the number of epochs, for a quick look.",
    ),
    Cut(
        'NUM_EPOCHS = int(os.environ.get("HW4_CNN_EPOCHS"',
        """# Choose the three within the ranges above, then delete the last of these lines.
# NUM_EPOCHS = int(os.environ.get("HW4_CNN_EPOCHS", "..."))
# BATCH_SIZE = ...
# LEARNING_RATE = ...
raise NotImplementedError("choose NUM_EPOCHS, BATCH_SIZE and LEARNING_RATE in this cell (2.1.3)")
""",
        items=("2.1.3",),
        ends="LEARNING_RATE = 5e-3\n",
    ),
    Cut(
        "For about nine epochs the net does better",
        answer("what do the curves and the matrix show, and why?"),
        items=("2.1.4",),
    ),
    Cut(
        "Where the loss is steep, the gradient's length",
        answer("one or two sentences."),
        items=("2.2",),
    ),
)

QUESTION_3 = (
    Cut(
        "Depth and share of the columns are chosen on the training part",
        "Choose the settings on the training part alone; the test set plays no role. "
        "`validate_forest(n_estimators, max_depth, max_features)` gives the mean out-of-bag score "
        "over five folds, `validate_adaboost` the accuracy on the folds left out of AdaBoost with "
        "the same trees (which uses all columns).",
    ),
    Cut(
        "DEPTHS, SHARES = (7, 9, 11, 13, 15)",
        """# Compare settings within the hints: n_estimators and max_depth 3-15, max_features 0.3-1.
# Show the scores as a table, and write your choice into select_hyperparameters.
raise NotImplementedError("compare settings of the forest in this cell (3.2)")""",
        items=("3.2",),
    ),
    Cut("trees = pd.DataFrame(index=pd.Index((3, 9, 15)", ""),
    Cut(
        "Depth 13 with all columns does best",
        answer("which settings do you choose, and why?"),
    ),
    Cut("Bombay is always right", answer()),
    Cut(
        "A measure of size (the perimeter) and measures of slenderness",
        answer("which features lead, and would another tree have the same order?"),
        items=("3.3",),
    ),
)

QUESTION_4 = (
    Cut(
        'HARD = {"C": 1e6, "tol": 1e-8}',
        """# Fit an SVM with a hard margin to the eight points. The next cell needs theta, shape
# (2,), and intercept, a number: print both to three decimals.
raise NotImplementedError("fit the hard-margin SVM in this cell: theta, intercept (4.1.1)")""",
        items=("4.1.1",),
    ),
    Cut(
        "Three points hold the hyperplane",
        answer("which points hold the hyperplane, and what would moving the others do?"),
    ),
    Cut(
        "What tells the classes apart is the distance from the $x_1$ axis",
        answer(
            r"your feature map $\phi(x)$ and its kernel $k(x, z) = \phi(x)^\top \phi(z)$, and the "
            r"proof that a hyperplane in the space of $\phi$ separates the nine points, with its "
            r"margin."
        ),
        items=("4.2",),
    ),
    Cut(
        "def feature_map(x):",
        '''def feature_map(x):
    """Return phi(x), a row of features for each point, for points of shape (N, 2)."""
    raise NotImplementedError("write your feature map in this cell (4.2)")


def kernel(x, z):
    """Return k(x, z) for every pair of rows."""
    raise NotImplementedError("write your kernel in this cell (4.2)")''',
        items=("4.2",),
    ),
    Cut(
        "assert np.allclose(kernel(points9, points9)",
        """# Show that kernel and feature_map agree, and fit an SVM with your kernel to the nine
# points: with_kernel. Print the share of points on their right side, and the margin.
raise NotImplementedError("fit an SVM with your kernel in this cell: with_kernel (4.2)")""",
        items=("4.2",),
    ),
    Cut(
        '"Nine points with the kernel',
        '"Nine points with your kernel"',
        ends='\N{SUPERSCRIPT TWO}"',
    ),
    Cut(
        "Back in the plane the separating hyperplane is a pair of curves",
        answer("what does the boundary look like in the plane, and why?"),
    ),
)

QUESTION_5 = (
    Cut(
        "`train` loads the weights that were trained on Macbeth",
        "`train` trains on Macbeth, which takes some minutes on two cores, and keeps the weights "
        "and losses in `model_weights/`; when it is called again it loads them. "
        "`train_from_scratch=True` trains anew.",
        ends="which takes some minutes on two cores.",
    ),
    Cut(
        "The losses are those of the training that the saved weights come from",
        "**One real application where a simple RNN suits better, and why:** argue from at least "
        "one thing measured here, such as the text, the training time, the convergence or the "
        "final loss.\n\n"
        f"{answer()}\n\n"
        "**One real application where the LSTM suits better, and why:** likewise.\n\n"
        f"{answer()}",
        items=("5.2",),
    ),
)

CUTS = SET_UP + QUESTION_1 + QUESTION_2 + QUESTION_3 + QUESTION_4 + QUESTION_5


def student_notebook(text: str) -> str:
    """Return the students' form of the notebook.

    Parameters
    ----------
    text : str
        The reference's notebook.

    Returns
    -------
    str
        Without the passages of `CUTS`, without outputs, and without the record of the code that
        they came from.

    Raises
    ------
    ValueError
        If a passage is not found in exactly one cell.
    """
    notebook = nbformat.reads(text, as_version=4)
    for cut in CUTS:
        places = [cell for cell in notebook.cells if cut.begins in cell.source]
        if len(places) != 1:
            raise ValueError(f"expected one cell with {cut.begins!r}, got {len(places)}")
        places[0].source = cut.apply(places[0].source)
    notebook.cells = [cell for cell in notebook.cells if cell.source.strip()]
    for cell in notebook.cells:
        cell.metadata.clear()
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata.pop("hw4", None)
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"
