"""The files that go to Gradescope: each imports alone, quietly, and has the graded signatures."""

import ast
import importlib
import inspect
import json
import shutil
import sys

import pytest
from helpers import ROOT, clean_environment, run_python

BASE = "base_sequential_model"

# What each file may import besides the standard library: the course's libraries for its question.
LIBRARIES = {
    "NN": {"numpy"},
    "random_forest": {"numpy", "sklearn", "matplotlib"},
    "cnn_image_transformations": {"torch", "torchvision"},
    "cnn": {"torch"},
    "cnn_trainer": {"torch", "torchvision", "tqdm"},
    BASE: {"numpy", "tensorflow", "matplotlib"},
    "rnn": {"tensorflow", "numpy", BASE},
    "lstm": {"tensorflow", "numpy", BASE},
    "text_generator": {"numpy"},
}

# Folders as a grader may have them: each file alone (with what it needs beside it), then the
# assignments' file sets. Folders of one line share an interpreter, to load TensorFlow once.
FOLDERS = {
    "numpy": [["NN"]],
    "generator": [["text_generator"]],
    "scikit-learn": [["random_forest"]],
    "torch": [
        ["cnn_image_transformations"],
        ["cnn"],
        ["cnn_trainer"],
        ["NN", "random_forest", "cnn_image_transformations"],
        ["NN", "cnn_image_transformations"],
    ],
    "tensorflow": [
        [BASE],
        ["rnn", BASE],
        ["lstm", BASE],
        ["random_forest", "rnn", "lstm", BASE],
    ],
}
PRELOADED = {
    "numpy": "numpy",
    "generator": "numpy",
    "scikit-learn": "sklearn.tree",
    "torch": "torchvision.transforms.v2",
    "tensorflow": "tensorflow",
}

OTHER_LIBRARIES = {"scipy", "sklearn", "pandas", "matplotlib", "torch", "tensorflow", "keras"}

# Loads a line's library first, whose own warnings are not ours, then imports each folder's files
# with every warning an error.
IMPORTER = """
import importlib, json, os, sys, warnings
library, project, folders = sys.argv[1], set(sys.argv[2].split()), sys.argv[3:]
importlib.import_module(library)
import numpy
before = set(sys.modules)
state = str(numpy.random.get_state())
warnings.simplefilter("error")
report = []
for folder in folders:
    os.chdir(folder)
    sys.path.insert(0, folder)
    names = sorted(name[:-3] for name in os.listdir(folder))
    files = {name: importlib.import_module(name).__file__ for name in names}
    loaded = {name.split(".")[0] for name in sys.modules} & project
    report.append({
        "outside": [f for f in files.values() if os.path.dirname(os.path.realpath(f)) != folder],
        "other_modules": sorted(loaded - set(names)),
        "files": sorted(os.listdir(folder)),
        "stream_moved": str(numpy.random.get_state()) != state,
    })
    for name in names:
        del sys.modules[name]
    sys.path.remove(folder)
    importlib.invalidate_caches()
report.append(sorted({name.split(".")[0] for name in set(sys.modules) - before}))
print(json.dumps(report))
"""


def imports_of(name):
    """Return the top-level names a file imports anywhere, functions included."""
    tree = ast.parse((ROOT / f"{name}.py").read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import fails outside a package"
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_file_imports_its_own_course_libraries_and_never_utilities(name):
    others = imports_of(name) - set(sys.stdlib_module_names)
    assert others <= LIBRARIES[name]


@pytest.mark.parametrize("line", FOLDERS)
def test_files_import_alone_in_an_empty_folder_and_stay_quiet(line, tmp_path):
    folders = []
    for i, names in enumerate(FOLDERS[line]):
        folder = (tmp_path / str(i)).resolve()
        folder.mkdir()
        for name in names:
            shutil.copy(ROOT / f"{name}.py", folder)
        folders.append(folder)
    project = " ".join([*LIBRARIES, "utilities"])
    env = clean_environment(TF_CPP_MIN_LOG_LEVEL="3")
    arguments = (PRELOADED[line], project, *folders)
    result = run_python(IMPORTER, *arguments, cwd=tmp_path, env=env, flags=("-I", "-B"))
    assert result.returncode == 0, result.stderr
    *reports, new_modules = json.loads(result.stdout)  # so nothing else was printed
    assert result.stderr == ""
    for names, report in zip(FOLDERS[line], reports, strict=True):
        assert report == {
            "outside": [],
            "other_modules": [],
            "files": sorted(f"{name}.py" for name in names),
            "stream_moved": False,
        }, names
    if PRELOADED[line] == "numpy":
        assert not set(new_modules) & OTHER_LIBRARIES


# --- signatures --------------------------------------------------------------------------------

REQUIRED = inspect.Parameter.empty
SIGNATURES = {
    "NN.NeuralNet": {
        "__init__": [
            "y",
            "use_dropout",
            "use_momentum",
            ("lr", 0.01),
            ("batch_size", 64),
            ("momentum", 0.5),
            ("dropout_prob", 0.3),
        ],
        "init_parameters": [("param", None)],
        "silu": ["u"],
        "derivative_silu": ["x"],
        "softmax": ["u"],
        "cross_entropy_loss": ["y", "y_hat"],
        "_dropout": ["u", "prob"],
        "forward": ["x", "use_dropout"],
        "compute_gradients": ["y", "yh", "use_dropout"],
        "update_weights": ["dLoss", "use_momentum"],
        "backward": ["y", "yh", "use_dropout", "use_momentum"],
        "gradient_descent": [
            "x",
            "y",
            ("iter", 60000),
            ("use_momentum", False),
            ("local_test", False),
        ],
        "batch_gradient_descent": [
            "x",
            "y",
            "use_momentum",
            ("iter", 60000),
            ("local_test", False),
        ],
        "predict": ["x"],
    },
    "cnn.CNN": {"__init__": [], "forward": ["x"]},
    "cnn_trainer.Trainer": {
        "__init__": [
            "model",
            "trainset",
            "testset",
            ("num_epochs", 5),
            ("batch_size", 16),
            ("init_lr", 1e-3),
            ("device", "cpu"),
        ],
        "train": [],
        "get_training_history": [],
        "predict": ["testloader"],
    },
    "random_forest.RandomForest": {
        "__init__": ["n_estimators", "max_depth", "max_features", ("random_seed", None)],
        "_bootstrapping": ["num_training", "num_features", ("random_seed", None)],
        "bootstrapping": ["num_training", "num_features"],
        "fit": ["X", "y"],
        "OOB_score": ["X", "y"],
        "predict": ["X"],
        "adaboost": ["X", "y"],
        "predict_adaboost": ["X"],
        "plot_feature_importance": ["data_train"],
        "select_hyperparameters": [],
    },
    "text_generator.TextGenerator": {
        "__init__": ["char_indices", "indices_char", "max_input_len"],
        "sample": ["preds", ("temperature", 0.5)],
        "generate": ["model", "seed_text", ("length", 150), ("temperature", 0.5)],
    },
}
for _name in (f"{BASE}.BaseSequentialModel", "rnn.RNN", "lstm.LSTM"):
    SIGNATURES[_name] = {
        "__init__": ["vocab_size", "max_input_len"],
        "save_model_path": [],
        "save_losses_path": [],
        "get_callbacks": [],
        "train": ["x", "y", ("train_from_scratch", False)],
        "plot_loss": [],
        "set_hyperparameters": [],
        "define_model": [],
        "build_model": [],
    }
FUNCTIONS = {
    "cnn_image_transformations.create_training_transformations": [],
    "cnn_image_transformations.create_testing_transformations": [],
    "utilities.utils.get_housing_dataset": [],
    "utilities.utils.preprocess_text_data": ["text"],
}
KINDS = {inspect.Parameter.POSITIONAL_OR_KEYWORD}


def parameters_of(function):
    """Return names and defaults as the tables above give them."""
    parameters = list(inspect.signature(function).parameters.values())
    assert {p.kind for p in parameters} <= KINDS
    return [p.name if p.default is REQUIRED else (p.name, p.default) for p in parameters]


def attribute(path):
    module, name = path.rsplit(".", 1)
    return getattr(importlib.import_module(module), name)


METHODS = [(c, m) for c, methods in SIGNATURES.items() for m in methods]


@pytest.mark.parametrize(("class_path", "method"), METHODS, ids=[f"{c}.{m}" for c, m in METHODS])
def test_a_method_has_the_graded_parameters_and_defaults(class_path, method):
    cls, expected = attribute(class_path), SIGNATURES[class_path][method]
    parameters = parameters_of(getattr(cls, method))
    if not isinstance(inspect.getattr_static(cls, method), staticmethod):
        assert parameters[:1] == ["self"]
        parameters = parameters[1:]
    assert parameters == expected


@pytest.mark.parametrize("path", FUNCTIONS)
def test_a_function_has_the_graded_parameters(path):
    assert parameters_of(attribute(path)) == FUNCTIONS[path]


def test_dropout_needs_no_net():
    assert isinstance(inspect.getattr_static(attribute("NN.NeuralNet"), "_dropout"), staticmethod)
