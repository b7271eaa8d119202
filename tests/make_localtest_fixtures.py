"""Make data/test_data: the expected values of the local tests.

Run as ``python tests/make_localtest_fixtures.py``. Nothing here uses NN.py or random_forest.py:
values come from torch in float64 with autograd, from textbook formulas and from plain loops.
Inputs come from NumPy's frozen RandomState, rounded to three decimals so that they read well;
results are rounded to ten, so that every processor writes the same files.

The losses on the real housing data are the published ones. Those on the stand-in are computed
here, from utilities/standins.py.
"""

import itertools
import json
import math
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
TEST_DATA = ROOT / "data" / "test_data"
NAMES = ("theta1", "b1", "theta2", "b2", "theta3", "b3")
DECIMALS = 10  # far above the rounding that differs between processors
PUBLISHED = {  # lr 0.01, no dropout; batches of 6 without momentum; momentum 0.5
    "gd": [1.086276, 1.086233, 1.086189],
    "batch": [1.085044, 1.110789, 1.109005],
    "momentum": [1.086276, 1.086233, 1.086168],
}


# ---------------------------------------------------------------------------------- helpers


def inputs(seed: int, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Draw readable normal numbers."""
    return np.round(scale * np.random.RandomState(seed).randn(*shape), 3)


def one_hot(labels: Any, classes: int = 3) -> np.ndarray:
    """Write class numbers as rows with a single one."""
    return np.array([[float(label == k) for k in range(classes)] for label in labels])


def plain(value: Any) -> Any:
    """Turn arrays, tensors and NumPy numbers into rounded lists and numbers for JSON."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return round(value, DECIMALS) + 0.0 if isinstance(value, float) else value  # -0.0 becomes 0.0


def tensor(values: Any) -> torch.Tensor:
    """Make a float64 tensor."""
    return torch.tensor(np.asarray(values), dtype=torch.float64)


# -------------------------------------------------------------------------- Q1: the functions


def silu_and_slope(u: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Let torch compute SiLU, and differentiate it."""
    x = tensor(u).requires_grad_()
    value = torch.nn.functional.silu(x)
    (slope,) = torch.autograd.grad(value.sum(), x)
    return value, slope


def cross_entropy(y: np.ndarray, y_hat: np.ndarray) -> float:
    """Average -log of the true class's probability, in plain loops."""
    total = 0.0
    for row, probabilities in zip(y, y_hat, strict=True):
        total -= sum(t * math.log(p + 1e-15) for t, p in zip(row, probabilities, strict=True))
    return total / len(y)


def drop(u: np.ndarray, prob: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Apply inverted dropout with a loop; the mask comes from a stream of its own."""
    mask = np.random.RandomState(seed).choice([0, 1], size=u.shape, p=[prob, 1 - prob])
    kept = [
        [value / (1 - prob) if keep else 0.0 for value, keep in zip(*rows, strict=True)]
        for rows in zip(u, mask, strict=True)
    ]
    return np.array(kept), mask


def functions() -> dict[str, Any]:
    """Make inputs and results of the functions of one or two arrays."""
    u = inputs(1, 4, 5, scale=3.0)
    u[1, 1], u[2, 3], u[3, 0], u[3, 4] = 0.0, -800.0, 800.0, -30.0
    small = inputs(2, 5, 3)
    large = inputs(3, 4, 3) + np.array([[1000.0], [-1000.0], [0.0], [700.0]])
    y, y_some = one_hot([0, 2, 1, 1]), torch.softmax(tensor(inputs(4, 4, 3)), dim=1).numpy()
    y_some = np.round(y_some, 3)
    y_zero = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.25, 0.5, 0.25]])
    value, slope = silu_and_slope(u)
    made = {"u": u, "silu": value, "d_silu": slope}
    made |= {"logits_small": small, "softmax_small": torch.softmax(tensor(small), dim=1)}
    made |= {"logits_large": large, "softmax_large": torch.softmax(tensor(large), dim=1)}
    made |= {"y": y, "y_hat_some": y_some, "y_hat_zero": y_zero}
    made |= {"loss_some": cross_entropy(y, y_some), "loss_zero": cross_entropy(y, y_zero)}
    made["dropout_seed"] = 7
    for case, (shape, prob) in {"a": ((5, 4), 0.3), "b": ((3, 6), 0.6)}.items():
        values = inputs(5, *shape)
        dropped, mask = drop(values, prob, made["dropout_seed"])
        made |= {f"dropout_u_{case}": values, f"dropout_prob_{case}": prob}
        made |= {f"mask_{case}": mask, f"dropped_{case}": dropped}
    return made


# ---------------------------------------------------------------------------- Q1: the network


def pass_forward(
    x: torch.Tensor, parameters: dict[str, torch.Tensor], scale: torch.Tensor | None
) -> dict[str, torch.Tensor]:
    """Run the net in torch; scale is mask / (1 - prob), or None without dropout."""
    seen = {"u1": x @ parameters["theta1"] + parameters["b1"]}
    seen["o1"] = torch.nn.functional.silu(seen["u1"]) * (1.0 if scale is None else scale)
    seen["u2"] = seen["o1"] @ parameters["theta2"] + parameters["b2"]
    seen["o2"] = torch.nn.functional.silu(seen["u2"])
    seen["u3"] = seen["o2"] @ parameters["theta3"] + parameters["b3"]
    seen["o3"] = torch.softmax(seen["u3"], dim=1)
    return seen


def loss_and_gradients(
    x: torch.Tensor,
    y: torch.Tensor,
    parameters: dict[str, torch.Tensor],
    scale: torch.Tensor | None = None,
) -> tuple[dict[str, torch.Tensor], float, dict[str, torch.Tensor]]:
    """Let autograd differentiate the mean cross-entropy of the logits."""
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    seen = pass_forward(x, leaves, scale)
    loss = torch.nn.functional.cross_entropy(seen["u3"], y)
    loss.backward()
    return seen, loss.item(), {name: leaf.grad for name, leaf in leaves.items()}


def network() -> dict[str, Any]:
    """Make a 3-5-5-3 net with six rows: forward pass and gradients, with and without dropout."""
    sizes, seed = (3, 5, 5, 3), 11
    parameters = {}
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes), start=1):
        parameters[f"theta{layer}"] = inputs(20 + layer, fan_in, fan_out)
        parameters[f"b{layer}"] = inputs(30 + layer, fan_out, scale=0.5)
    x, y = inputs(12, 6, 3), one_hot([2, 0, 1, 1, 2, 0])
    ones, mask = drop(np.ones((6, 5)), 0.3, seed)
    made = {"seed": seed, "X": x, "y": y, "dropout_mask": mask} | parameters
    tensors = {name: tensor(value) for name, value in parameters.items()}
    for prefix, scale in (("plain_", None), ("dropout_", tensor(ones))):
        seen, _, gradients = loss_and_gradients(tensor(x), tensor(y), tensors, scale)
        made |= {prefix + key: value for key, value in seen.items()}
        made |= {f"{prefix}grad_{name}": value for name, value in gradients.items()}
    return made


def updates() -> dict[str, Any]:
    """Make one plain step and two steps with momentum from the textbook formulas."""
    lr, momentum = 0.1, 0.8
    shapes = ((3, 5), (5,), (5, 5), (5,), (5, 3), (3,))
    made: dict[str, Any] = {"lr": lr, "momentum": momentum}
    for number, (name, shape) in enumerate(zip(NAMES, shapes, strict=True)):
        start, gradient = inputs(40 + number, *shape), inputs(50 + number, *shape)
        first, second = gradient, momentum * gradient + gradient
        made |= {name: start, f"grad_{name}": gradient, f"plain1_{name}": start - lr * gradient}
        made |= {f"change1_{name}": first, f"change2_{name}": second}
        made |= {f"momentum1_{name}": start - lr * first}
        made |= {f"momentum2_{name}": start - lr * first - lr * second}
    return made


def train(
    x: np.ndarray,
    y: np.ndarray,
    iterations: int,
    batch: int | None = None,
    dropout: bool = False,
    momentum: float = 0.0,
) -> list[float]:
    """Train the 8-15-7-3 net from its seeded start; return the loss before each update."""
    stream = np.random.RandomState(0)
    parameters = {}
    for layer, (fan_in, fan_out) in enumerate(((8, 15), (15, 7), (7, 3)), start=1):
        parameters[f"theta{layer}"] = tensor(stream.randn(fan_in, fan_out) / math.sqrt(fan_in))
        parameters[f"b{layer}"] = torch.zeros(fan_out, dtype=torch.float64)
    change = {name: torch.zeros_like(value) for name, value in parameters.items()}
    losses = []
    for number in range(iterations):
        rows = list(range(len(x))) if batch is None else batch_rows(len(x), batch, number)
        scale = None
        if dropout:
            mask = stream.choice([0, 1], size=(len(rows), 15), p=[0.3, 0.7])
            scale = tensor(mask / 0.7)
        _, loss, gradients = loss_and_gradients(tensor(x[rows]), tensor(y[rows]), parameters, scale)
        losses.append(loss)
        for name in NAMES:
            change[name] = momentum * change[name] + gradients[name]
            parameters[name] = parameters[name] - 0.01 * change[name]
    return losses


def batch_rows(rows: int, size: int, number: int) -> list[int]:
    """List the rows of one batch: batches follow each other round and round the data."""
    return [(number * size + place) % rows for place in range(size)]


def training() -> dict[str, Any]:
    """Make nine rows and the losses of four iterations on them, in several settings."""
    x, y = np.abs(inputs(60, 9, 8)), one_hot([0, 1, 2, 2, 1, 0, 0, 2, 1])
    made = {"x": x, "y": y, "batch_rows": [batch_rows(9, 6, number) for number in range(4)]}
    made["gd_dropout"] = train(x, y, 4, dropout=True)
    made["batch"] = train(x, y, 4, batch=6)
    made["batch_dropout_momentum"] = train(x, y, 4, batch=6, dropout=True, momentum=0.5)
    return made


def housing_losses(x: np.ndarray, y: np.ndarray) -> dict[str, list[float]]:
    """Compute the nine losses of the short runs to six decimals."""
    runs = {"gd": {}, "batch": {"batch": 6}, "momentum": {"momentum": 0.5}}
    return {
        name: [round(loss, 6) for loss in train(x, y, 3, **options)]
        for name, options in runs.items()
    }


def standin_housing() -> tuple[np.ndarray, np.ndarray]:
    """Make the training part of the stand-in, whatever data this machine has or could get."""
    sys.path.insert(0, str(ROOT))
    from utilities import datasets, utils

    datasets.URLS["housing"] = ()
    with tempfile.TemporaryDirectory() as empty, warnings.catch_warnings():
        warnings.simplefilter("ignore", datasets.StandInWarning)
        os.environ.update({"HW4_DATA_HOME": empty, "HW4_STANDIN": "1"})
        x, y, _, _ = utils.get_housing_dataset()
    return x, y


def all_housing_losses() -> dict[str, Any]:
    """Pair the published losses with those of the stand-in."""
    x, y = standin_housing()
    return {"real": PUBLISHED, "standin": housing_losses(x, y)}


# ----------------------------------------------------------------------------- Q3: the forest


def draw(stream: np.random.RandomState, rows: int, columns: int, share: float) -> tuple:
    """Draw row indices, then column indices, from a stream of its own."""
    row_idx = stream.choice(rows, size=rows, replace=True)
    return row_idx, stream.choice(columns, size=int(columns * share), replace=False)


def forest() -> dict[str, Any]:
    """Make the draws of bootstrapping: with seeds, without, and tree by tree."""
    rows, columns, share = 10, 7, 0.7
    made: dict[str, Any] = {"num_training": rows, "num_features": columns, "max_features": share}
    made |= {"seed": 5, "seeds": [3, 0], "stream_seed": 8}
    alone = [draw(np.random.RandomState(seed), rows, columns, share) for seed in made["seeds"]]
    stream = np.random.RandomState(made["stream_seed"])
    going_on = [draw(stream, rows, columns, share) for _ in range(2)]
    stream = np.random.RandomState(made["seed"])
    trees = [draw(stream, rows, columns, share) for _ in range(3)]
    for prefix, draws in (("", alone), ("stream_", going_on), ("tree_", trees)):
        made[prefix + "rows"] = np.array([pair[0] for pair in draws])
        made[prefix + "columns"] = np.array([pair[1] for pair in draws])
    return made


def boost(y: list[int], predictions: list[list[int]]) -> tuple[list, list, list]:
    """Follow AdaBoost by hand: weights before each tree, alphas, and the weighted votes."""
    weights, all_weights, alphas = [1 / len(y)] * len(y), [], []
    for guesses in predictions:
        all_weights.append(weights)
        wrong = [int(guess != truth) for guess, truth in zip(guesses, y, strict=True)]
        error = sum(w for w, bad in zip(weights, wrong, strict=True) if bad)
        alphas.append(0.5 * math.log((1 - error) / (error + 1e-10)))
        raw = [w * math.exp(alphas[-1] * bad) for w, bad in zip(weights, wrong, strict=True)]
        weights = [w / sum(raw) for w in raw]
    votes = []
    for row in range(len(y)):
        pairs = [(g[row], a) for g, a in zip(predictions, alphas, strict=True)]
        sums = [sum(a for guess, a in pairs if guess == k) for k in range(3)]
        votes.append(sums.index(max(sums)))
    return all_weights, alphas, votes


def adaboost() -> dict[str, Any]:
    """Make two cases of eight rows, with trees of known predictions.

    In case a the third tree is wrong more often than not, so its vote counts against. In case b
    the first tree's error is exactly 1/2 and the second's 0, so the second outvotes the rest.
    """
    y = [0, 1, 2, 2, 1, 0, 2, 1]
    cases = {
        "a": [[0, 1, 2, 2, 1, 0, 0, 0], [1, 1, 0, 2, 1, 2, 2, 1], [1, 0, 0, 1, 1, 1, 0, 0]],
        "b": [[0, 1, 2, 2, 0, 1, 1, 0], [0, 1, 2, 2, 1, 0, 2, 1], [0, 1, 0, 0, 0, 1, 1, 0]],
    }
    made: dict[str, Any] = {"X": inputs(70, len(y), 4), "y": y}
    for case, predictions in cases.items():
        weights, alphas, votes = boost(y, predictions)
        made |= {f"predictions_{case}": predictions, f"weights_{case}": weights}
        made |= {f"alphas_{case}": alphas, f"votes_{case}": votes}
    return made


# -------------------------------------------------------------------- Q2 and Q5: architectures


def convolution(channels_in: int, channels_out: int) -> list[list[Any]]:
    """Describe a 3 x 3 convolution that keeps the picture's size, and what follows it."""
    window = {"kernel_size": [3, 3], "stride": [1, 1], "padding": [1, 1]}
    settings = {"in_channels": channels_in, "out_channels": channels_out} | window
    return [["Conv2d", settings], ["LeakyReLU", {"negative_slope": 0.01}]]


def linear(features_in: int, features_out: int) -> list[Any]:
    """Describe a linear layer."""
    return ["Linear", {"in_features": features_in, "out_features": features_out}]


def convolutional_net() -> dict[str, Any]:
    """Describe the CNN of the handout; its parameters are counted by hand."""
    pool = ["MaxPool2d", {"kernel_size": [2, 2], "stride": [2, 2], "padding": [0, 0]}]
    drop_some, bend = ["Dropout", {"p": 0.2}], ["LeakyReLU", {"negative_slope": 0.01}]
    extractor = [*convolution(1, 8), *convolution(8, 32), pool, drop_some]
    extractor += [*convolution(32, 32), *convolution(32, 64), pool, drop_some]
    classifier = [linear(3136, 256), bend, drop_some, linear(256, 128), bend, drop_some]
    classifier += [linear(128, 10)]
    children = {
        "feature_extractor": extractor,
        "avg_pooling": [["AdaptiveAvgPool2d", {"output_size": [7, 7]}]],
        "classifier": classifier,
    }
    filters = ((1, 8), (8, 32), (32, 32), (32, 64))
    count = sum(9 * a * b + b for a, b in filters)
    count += sum(a * b + b for a, b in ((3136, 256), (256, 128), (128, 10)))
    return {"children": children, "parameters": count}


def transforms() -> dict[str, Any]:
    """Describe both lists of transforms."""
    convert = [["ToImage", {}], ["ToDtype", {"dtype": "torch.float32", "scale": True}]]
    sometimes = [["RandomHorizontalFlip", {"p": 0.2}], ["RandomApply", {"p": 0.2}]]
    inner = [["RandomRotation", {"degrees": [-36.0, 36.0]}]]
    return {"training": convert + sometimes, "inner": inner, "testing": convert}


def recurrent_net(kind: str, units_name: str, gates: int) -> dict[str, Any]:
    """Describe one of the recurrent nets; its parameters are counted by hand."""
    vocab_size, embedding, units = 34, 256, 128
    layers = [
        ["Embedding", {"input_dim": vocab_size, "output_dim": embedding}],
        [kind, {"units": units}],
        ["Dense", {"units": vocab_size}],
        ["Activation", {"activation": "softmax"}],
    ]
    hp = {"embedding_dim": embedding, units_name: units, "learning_rate": 0.01}
    hp |= {"batch_size": 128, "epochs": 10}
    count = vocab_size * embedding + gates * (embedding + units + 1) * units
    count += (units + 1) * vocab_size
    sizes = {"vocab_size": vocab_size, "max_input_len": 30, "parameters": count}
    return sizes | {"hp": hp, "layers": layers}


def architectures() -> dict[str, Any]:
    """Describe every net and transform whose structure is checked."""
    return {
        "transforms": transforms(),
        "CNN": convolutional_net(),
        "RNN": recurrent_net("SimpleRNN", "rnn_units", gates=1),
        "LSTM": recurrent_net("LSTM", "lstm_units", gates=4),
    }


# ---------------------------------------------------------------------------------- writing


def write(folder: Path, name: str, content: dict[str, Any]) -> None:
    """Write a file with one key a line, so that a change reads well."""
    rows = [f"  {json.dumps(key)}: {json.dumps(plain(value))}" for key, value in content.items()]
    text = "{\n" + ",\n".join(rows) + "\n}\n"
    (folder / f"{name}.json").write_text(text, encoding="utf-8", newline="\n")


def main(folder: Path) -> None:
    """Write every file of expected values into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    makers = {
        "nn_functions": functions,
        "nn_network": network,
        "nn_update": updates,
        "nn_training": training,
        "housing_losses": all_housing_losses,
        "forest": forest,
        "adaboost": adaboost,
        "architectures": architectures,
    }
    for name, make in makers.items():
        write(folder, name, make())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TEST_DATA)
