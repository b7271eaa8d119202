"""Time the homework against its rivals: ``make bench`` writes build/benchmarks.md and .json.

Rows so far: Question 1 (gradient descent and batches), Question 3, the text windows and
text generation of Question 5, and the import of the local tests.
"""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# One thread for both sides: the products are too small to share.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np
import torch  # before TensorFlow, which its CUDA build does not follow well

from benchmarks import rivals
from benchmarks.harness import Row, compare, markdown, write
from NN import NeuralNet
from random_forest import RandomForest
from utilities import datasets
from utilities.utils import clean_text, get_housing_dataset, preprocess_text_data, text_windows

BUILD = Path(__file__).resolve().parent.parent / "build"
ITERATIONS = 1000
BATCH = 64
SEED = 4641 + 7641


def question_1() -> Iterator[Row]:
    """Time an iteration of both trainings of the two-layer net, on the housing data."""
    torch.set_num_threads(1)
    x, y, _, _ = get_housing_dataset()
    what = f"{ITERATIONS} iterations of gradient_descent"
    np.testing.assert_allclose(
        _training(x, y, 20, every=True), rivals.textbook_training(x, y, 20), rtol=1e-12
    )
    np.testing.assert_allclose(
        _training(x, y, 20, every=True)[-1], rivals.torch_training(x, y, 20), rtol=1e-12
    )
    for name, goal, rival in (
        ("textbook NumPy", 2.0, rivals.textbook_training),
        ("PyTorch eager, float64", 3.3, rivals.torch_training),
        ("scikit-learn MLPClassifier (tanh)", 1.8, rivals.sklearn_training),
    ):
        yield compare(
            what,
            name,
            lambda: _training(x, y, ITERATIONS),
            lambda rival=rival: rival(x, y, ITERATIONS),
            goal,
        )
    settings = {"dropout_prob": 0.3, "batch_size": BATCH}
    np.testing.assert_allclose(
        _batch_training(x, y, 60, every=True),
        rivals.textbook_training(x, y, 60, **settings),
        rtol=1e-12,
    )
    yield compare(
        f"{ITERATIONS} iterations of batch_gradient_descent, dropout, batch {BATCH}",
        "textbook NumPy with np.random.choice",
        lambda: _batch_training(x, y, ITERATIONS),
        lambda: rivals.textbook_training(x, y, ITERATIONS, **settings),
        2.5,
    )


def question_3() -> Iterator[Row]:
    """Time predictions and fitting of the forest on the beans."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import train_test_split

    beans = datasets.load_dry_beans()
    labels = np.unique(beans["Class"], return_inverse=True)[1]
    X, X_test, y, y_test = train_test_split(
        beans.drop(columns="Class").values, labels, test_size=0.33, random_state=42
    )
    bagged, boosted = (RandomForest(15, 13, 1.0, random_seed=SEED) for _ in range(2))
    bagged.fit(X, y)
    boosted.adaboost(X, y)
    few = slice(0, 300)  # row by row takes minutes; the time of both grows with the rows
    rows, row_labels = X_test[few], y_test[few]
    assert bagged.OOB_score(rows, row_labels) == rivals.row_by_row_oob_score(
        bagged, rows, row_labels
    )
    np.testing.assert_array_equal(bagged.predict(rows), rivals.row_by_row_predict(bagged, rows))
    np.testing.assert_array_equal(
        boosted.predict_adaboost(rows), rivals.row_by_row_predict_adaboost(boosted, rows, 7)
    )

    def ours() -> None:
        bagged.OOB_score(X_test, y_test)
        bagged.predict(X_test)
        boosted.predict_adaboost(X_test)

    def rival() -> None:
        rivals.row_by_row_oob_score(bagged, X_test, y_test)
        rivals.row_by_row_predict(bagged, X_test)
        rivals.row_by_row_predict_adaboost(boosted, X_test, 7)

    yield compare(
        f"OOB_score, predict and predict_adaboost on {len(X_test):,} rows, 15 trees",
        "row-by-row loops",
        ours,
        rival,
        200,
        pairs=2,
    )
    yield compare(
        "fit of 15 trees",
        "scikit-learn ExtraTreesClassifier",
        lambda: RandomForest(15, 13, 1.0, random_seed=SEED).fit(X, y),
        lambda: ExtraTreesClassifier(
            15, criterion="entropy", max_depth=13, max_features="sqrt", bootstrap=True
        ).fit(X, y),
        1.1,
        at_most=True,
    )


def question_5() -> Iterator[Row]:
    """Time the text windows and the writing of text."""
    from rnn import RNN
    from text_generator import TextGenerator

    text = datasets.load_macbeth()
    data, cleaned = preprocess_text_data(text), clean_text(text)
    x, y = rivals.nested_loop_windows(cleaned, data["sequence_len"])
    np.testing.assert_array_equal(data["x"], x)
    np.testing.assert_array_equal(data["y"], y)
    yield compare(
        "windows of preprocess_text_data on Macbeth",
        "nested loops",
        lambda: text_windows(cleaned),
        lambda: rivals.nested_loop_windows(cleaned, data["sequence_len"]),
        100,
        pairs=5,
    )
    model = RNN(data["vocab_size"], data["sequence_len"])
    model.train(data["x"], data["y"])
    generator = TextGenerator(data["char_indices"], data["indices_char"], data["sequence_len"])
    prompt = cleaned[: data["sequence_len"]]
    yield compare(
        "50 generated characters (RNN)",
        "model.predict for each",
        lambda: _quietly(generator.generate, model, prompt, 50),
        lambda: rivals.predict_per_character(generator, model, prompt, 50),
        30,
        pairs=5,
    )


def local_tests() -> Iterator[Row]:
    """Time the import of TestNN in a fresh interpreter."""

    def importing(code: str) -> None:
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

    everything = "import torch, torchvision, tensorflow, sklearn, pandas, matplotlib.pyplot"
    yield compare(
        "from utilities.localtests import TestNN, fresh interpreter",
        "importing everything",
        lambda: importing("from utilities.localtests import TestNN"),
        lambda: importing(everything),
        10,
        pairs=3,
    )


def main() -> None:
    """Run all rows and write the table."""
    rows = []
    for part in (question_1, question_3, question_5, local_tests):
        for row in part():
            rows.append(row)
            verdict = "reached" if row.reached else "FALLS SHORT"
            print(
                f"{row.what} | {row.rival} | {row.goal} | {row.ratio:.2f} | {verdict}", flush=True
            )
    print("\n" + markdown(rows))
    for path in write(rows, BUILD):
        print(f"Wrote {os.path.relpath(path)}")


def _training(x, y, iterations, every=False):
    net = NeuralNet(y, use_dropout=False, use_momentum=False)
    _quietly(net.gradient_descent, x, y, iterations, local_test=every)
    return net.loss


def _batch_training(x, y, iterations, every=False):
    net = NeuralNet(y, use_dropout=True, use_momentum=False, batch_size=BATCH)
    _quietly(net.batch_gradient_descent, x, y, False, iterations, local_test=every)
    return net.loss


def _quietly(function, *args, **kwargs):
    with contextlib.redirect_stdout(io.StringIO()):
        return function(*args, **kwargs)


if __name__ == "__main__":
    main()
