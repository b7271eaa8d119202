"""What the course fixes: the files, their libraries, signatures and questions, each in one table.

Preflight, upload folders and tests read these tables. Signatures are written as in a ``def``,
without ``self`` and annotations.
"""

import ast
from dataclasses import dataclass

NOTEBOOK = "hw4.ipynb"
REPORT = "hw4.pdf"  # the notebook's PDF
LETTER = (612, 792)  # points: the size of its pages


@dataclass(frozen=True)
class Assignment:
    """A Gradescope assignment: its title, its name in paths and its files, sorted."""

    title: str
    slug: str
    files: tuple[str, ...]


ASSIGNMENTS = (
    Assignment(
        "Programming", "programming", ("NN.py", "cnn_image_transformations.py", "random_forest.py")
    ),
    Assignment(
        "Bonus for All",
        "bonus-all",
        ("base_sequential_model.py", "lstm.py", "random_forest.py", "rnn.py"),
    ),
    Assignment("Bonus for Undergrad", "bonus-undergrad", ("NN.py", "cnn_image_transformations.py")),
    Assignment("Non-programming", "non-programming", (REPORT,)),
)

KERAS = frozenset({"tensorflow", "keras", "numpy", "matplotlib"})

# What each file may import besides the standard library: the course's libraries for its question.
LIBRARIES = {
    "NN": frozenset({"numpy"}),
    "cnn": frozenset({"torch", "torchvision"}),
    "cnn_image_transformations": frozenset({"torch", "torchvision"}),
    "cnn_trainer": frozenset({"torch", "torchvision", "tqdm"}),
    "random_forest": frozenset({"numpy", "sklearn", "matplotlib"}),
    "base_sequential_model": KERAS,
    "rnn": KERAS,
    "lstm": KERAS,
    "text_generator": frozenset({"numpy"}),
}

# The files that a file may import because they are uploaded together.
SIBLINGS = {"rnn": ("base_sequential_model",), "lstm": ("base_sequential_model",)}

_RECURRENT_MODEL = {
    "__init__": "vocab_size, max_input_len",
    "set_hyperparameters": "",
    "define_model": "",
    "build_model": "",
    "save_model_path": "",
    "save_losses_path": "",
    "get_callbacks": "",
    "train": "x, y, train_from_scratch=False",
    "plot_loss": "",
}
# The subclasses write these; in the base they may raise NotImplementedError.
_OF_THE_SUBCLASS = ("set_hyperparameters", "define_model", "build_model")


def _methods(cls: str, signatures: dict[str, str]) -> dict[str, str]:
    return {f"{cls}.{name}": parameters for name, parameters in signatures.items()}


SIGNATURES = {
    "NN": _methods(
        "NeuralNet",
        {
            "__init__": "y, use_dropout, use_momentum, lr=0.01, batch_size=64, momentum=0.5, "
            "dropout_prob=0.3",
            "init_parameters": "param=None",
            "silu": "u",
            "derivative_silu": "x",
            "softmax": "u",
            "cross_entropy_loss": "y, y_hat",
            "_dropout": "u, prob",
            "forward": "x, use_dropout",
            "compute_gradients": "y, yh, use_dropout",
            "update_weights": "dLoss, use_momentum",
            "backward": "y, yh, use_dropout, use_momentum",
            "gradient_descent": "x, y, iter=60000, use_momentum=False, local_test=False",
            "batch_gradient_descent": "x, y, use_momentum, iter=60000, local_test=False",
            "predict": "x",
        },
    ),
    "cnn": _methods("CNN", {"__init__": "", "forward": "x"}),
    "cnn_image_transformations": {
        "create_training_transformations": "",
        "create_testing_transformations": "",
    },
    "cnn_trainer": _methods(
        "Trainer",
        {
            "__init__": "model, trainset, testset, num_epochs=5, batch_size=16, init_lr=0.001, "
            "device='cpu'",
            "train": "",
            "get_training_history": "",
            "predict": "testloader",
        },
    ),
    "random_forest": _methods(
        "RandomForest",
        {
            "__init__": "n_estimators, max_depth, max_features, random_seed=None",
            "_bootstrapping": "num_training, num_features, random_seed=None",
            "bootstrapping": "num_training, num_features",
            "fit": "X, y",
            "OOB_score": "X, y",
            "predict": "X",
            "adaboost": "X, y",
            "predict_adaboost": "X",
            "plot_feature_importance": "data_train",
            "select_hyperparameters": "",
        },
    ),
    "base_sequential_model": _methods(
        "BaseSequentialModel",
        {n: s for n, s in _RECURRENT_MODEL.items() if n not in _OF_THE_SUBCLASS},
    ),
    "rnn": _methods("RNN", _RECURRENT_MODEL),
    "lstm": _methods("LSTM", _RECURRENT_MODEL),
    "text_generator": _methods(
        "TextGenerator",
        {
            "__init__": "char_indices, indices_char, max_input_len",
            "sample": "preds, temperature=0.5",
            "generate": "model, seed_text, length=150, temperature=0.5",
        },
    ),
}
STATIC_METHODS = {"NeuralNet._dropout"}

# The functions that are meant to print: losses, epochs, what was loaded, the text.
PRINTING = {
    "NeuralNet.gradient_descent",
    "NeuralNet.batch_gradient_descent",
    "Trainer.train",
    "BaseSequentialModel.train",
    "RNN.train",
    "LSTM.train",
    "TextGenerator.generate",
}

# The headings of the notebook that Gradescope's pages are mapped to, in their order.
QUESTIONS = (
    *("1.1", "1.1.1", "1.1.2", "1.1.3", "1.2", "1.3", "1.4"),
    *("2.1.1", "2.1.2", "2.1.3", "2.1.4", "2.2"),
    *("3.1", "3.2", "3.3", "3.4"),
    *("4.1.1", "4.1.2", "4.2"),
    *("5.1.1", "5.1.2", "5.2"),
)


@dataclass(frozen=True)
class Shown:
    """What a question's cells have to show: figures at least, and a printed line."""

    figures: int = 0
    text: str = ""


SHOWN = {
    "1.2": Shown(2, r"Cross entropy loss: \d"),  # loss curve and confusion matrix
    "1.3": Shown(2, r"Cross entropy loss: \d"),
    "1.4": Shown(2, r"Cross entropy loss: \d"),
    "2.1.1": Shown(1),  # sample images
    "2.1.4": Shown(2),  # curves and confusion matrix
    "3.2": Shown(1, r"accuracy: \d"),
    "3.3": Shown(1),
    "3.4": Shown(0, r"AdaBoost accuracy: \d"),
    "4.1.2": Shown(1),
    "4.2": Shown(1),
    "5.2": Shown(1, r"Model: \S"),  # losses and text
}


@dataclass(frozen=True)
class Parameter:
    """A parameter's name and, where it has one, the source of its default."""

    name: str
    default: str | None = None

    def __str__(self) -> str:
        return self.name if self.default is None else f"{self.name}={self.default}"


def parameters_of(signature: str) -> list[Parameter]:
    """Return the parameters of a signature as it stands between a ``def``'s brackets.

    Parameters
    ----------
    signature : str
        Plain parameters only, such as ``"x, y, lr=0.01"``.

    Returns
    -------
    list of Parameter
        Defaults as ``repr`` writes them, so that two spellings of a number are equal.

    Raises
    ------
    SyntaxError, ValueError
        If it is no such list, or a default is not a literal.
    """
    arguments = ast.parse(f"def f({signature}): pass").body[0].args
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs:
        raise ValueError(f"signature must have plain parameters only, got {signature!r}")
    first_default = len(arguments.args) - len(arguments.defaults)
    defaults = [None] * first_default
    defaults += [repr(ast.literal_eval(default)) for default in arguments.defaults]
    return [Parameter(a.arg, default) for a, default in zip(arguments.args, defaults, strict=True)]


def assignment_of(slug: str) -> Assignment:
    """Return the assignment with this slug.

    Raises
    ------
    ValueError
        If there is none.
    """
    for assignment in ASSIGNMENTS:
        if assignment.slug == slug:
            return assignment
    known = ", ".join(assignment.slug for assignment in ASSIGNMENTS)
    raise ValueError(f"assignment must be one of {known}, got {slug!r}")
