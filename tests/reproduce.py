"""Work out figures of the homework in this process and print them as JSON.

``python tests/reproduce.py WHAT ...`` with names of ``WORK``. In a process of its own, because
what NumPy dispatches on and how many threads BLAS gets are fixed when a process starts.
"""

import contextlib
import hashlib
import io
import json
import sys
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SEED = 4641 + 7641
IMAGES = 2560  # 20 batches of 128
WINDOWS = 5120  # 40 batches of 128


def short_runs() -> dict[str, list[str]]:
    """Return the losses of the local tests' runs of three iterations."""
    runs = {kind: _train_net(kind, iterations=3, batch_size=6) for kind in NETS}
    return {kind: losses for kind, (losses, _) in runs.items()}


def full_run(kind: str) -> dict:
    """Return the losses and the test cross-entropy of a training of 60,000 iterations."""
    losses, test_loss = _train_net(kind, iterations=60_000, batch_size=64)
    return {"losses": losses, "test": f"{test_loss:.3f}"}


NETS = ("gd", "bgd", "momentum")


def _train_net(kind: str, iterations: int, batch_size: int) -> tuple[list[str], float]:
    """Train a net of Question 1; return the losses as printed and the test cross-entropy."""
    from NN import NeuralNet

    x_train, y_train, x_test, y_test = _housing()
    batches, momentum, short = kind == "bgd", kind == "momentum", iterations < 1000
    net = NeuralNet(y_train, batches and not short, momentum, batch_size=batch_size)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        if batches:
            net.batch_gradient_descent(x_train, y_train, False, iterations, local_test=short)
        else:
            net.gradient_descent(x_train, y_train, iterations, momentum, local_test=short)
    losses = [line.rsplit(" ", 1)[1] for line in printed.getvalue().splitlines() if line.strip()]
    return losses, net.cross_entropy_loss(y_test, net.forward(x_test, use_dropout=False))


@cache
def _housing() -> tuple[np.ndarray, ...]:
    from utilities.utils import get_housing_dataset

    with contextlib.redirect_stdout(io.StringIO()):
        return get_housing_dataset()


def beans() -> dict[str, str]:
    """Return the accuracies of Question 3 as the notebook prints them."""
    from random_forest import RandomForest

    train, test, labels, test_labels = _bean_parts()
    settings = RandomForest(1, 1, 1.0).select_hyperparameters()
    figures = {}
    for name, chosen in (("forest", settings), ("forest, depth 10, 85 %", (15, 10, 0.85))):
        forest = RandomForest(*chosen, random_seed=SEED)
        forest.fit(train, labels)
        figures[name] = f"{forest.OOB_score(test, test_labels):.4f}"
    np.random.seed(SEED)
    boosted = RandomForest(*settings, random_seed=SEED)
    boosted.adaboost(train, labels)
    right = boosted.predict_adaboost(test) == test_labels
    return figures | {"AdaBoost": f"{np.mean(right):.4f}"}


def _bean_parts() -> list[np.ndarray]:
    """Return the beans' training and test features, then their labels."""
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import LabelEncoder

    from utilities.datasets import load_dry_beans

    table = load_dry_beans()
    labels = LabelEncoder().fit_transform(table["Class"])
    features = table.drop(columns="Class").to_numpy()
    return train_test_split(features, labels, test_size=0.33, random_state=42)


def cnn() -> str:
    """Return a digest of the CNN's weights and history after two epochs of 20 batches."""
    import torch

    from cnn import CNN
    from cnn_image_transformations import (
        create_testing_transformations,
        create_training_transformations,
    )
    from cnn_trainer import Trainer
    from utilities.datasets import load_fashion_mnist

    training = load_fashion_mnist(train=True, transform=create_training_transformations())
    testing = load_fashion_mnist(train=False, transform=create_testing_transformations())
    for dataset, count in ((training, IMAGES), (testing, 1000)):  # no Subset: read from memory
        dataset.data, dataset.targets = dataset.data[:count], dataset.targets[:count]
    torch.manual_seed(SEED)
    model = CNN()
    trainer = Trainer(model, training, testing, num_epochs=2, batch_size=128)
    with _quiet():
        trainer.train()
    history = np.array(trainer.get_training_history())
    return _digest([history, *(weight.numpy() for weight in model.state_dict().values())])


def rnn() -> str:
    """Return a digest of the RNN's weights and losses after two epochs of 40 batches."""
    from rnn import RNN

    return _recurrent(RNN)


def lstm() -> str:
    """Return a digest of the LSTM's weights and losses after two epochs of 40 batches."""
    from lstm import LSTM

    return _recurrent(LSTM)


def _recurrent(kind: type) -> str:
    import base_sequential_model
    from utilities.datasets import load_macbeth
    from utilities.utils import preprocess_text_data

    data = preprocess_text_data(load_macbeth())
    base_sequential_model.tf.keras.utils.set_random_seed(SEED)
    model = kind(data["vocab_size"], data["sequence_len"])
    model.hp["epochs"] = 2
    with tempfile.TemporaryDirectory() as folder, _quiet():
        base_sequential_model.WEIGHTS_FOLDER = Path(folder)  # the saved weights stay as they are
        model.train(data["x"][:WINDOWS], data["y"][:WINDOWS], train_from_scratch=True)
    return _digest([np.array(model.loss_history["losses"]), *model.model.get_weights()])


@contextlib.contextmanager
def _quiet():
    """Keep bars and epoch lines off the screen."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def _digest(arrays: Iterable[np.ndarray]) -> str:
    """Return a fingerprint in which every bit of the arrays counts."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(str((array.dtype, array.shape)).encode() + array.tobytes())
    return digest.hexdigest()


WORK = {
    "short": short_runs,
    **{kind: lambda kind=kind: full_run(kind) for kind in NETS},
    "beans": beans,
    "cnn": cnn,
    "rnn": rnn,
    "lstm": lstm,
}


def main(names: list[str]) -> None:
    """Print what was asked for, by name."""
    sys.path.insert(0, str(ROOT))
    print(json.dumps({name: WORK[name]() for name in names}))


if __name__ == "__main__":
    main(sys.argv[1:])
