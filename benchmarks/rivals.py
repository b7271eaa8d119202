"""The rivals: what a careful student would write, or pick from a library.

The module that times a rival checks that it gives the same result as our own code. Where chance or
another model makes results differ, it checks what must agree all the same, within a stated bound.
"""

from itertools import pairwise

import numpy as np

from utilities.utils import SEQUENCE_LENGTH

SIZES = (8, 15, 7, 3)


def textbook_training(x, y, iterations, dropout_prob=0.0, batch_size=None, momentum=0.0):
    """Train the net of Question 1 as its formulas stand in a book.

    The sigmoid is computed again in the derivative, and the loss at every iteration.
    Returns all losses, and the parameters after the last iteration.
    """
    p = _initial_parameters()
    change = {key: np.zeros_like(value) for key, value in p.items()}
    losses = []
    for iteration in range(iterations):
        xb, yb = x, y
        if batch_size is not None:
            rows = (iteration * batch_size + np.arange(batch_size)) % len(x)
            xb, yb = x[rows], y[rows]
        u1 = xb @ p["theta1"] + p["b1"]
        o1, mask = _silu(u1), None
        if dropout_prob > 0:
            mask = np.random.choice([0, 1], size=o1.shape, p=[dropout_prob, 1 - dropout_prob])
            o1 = o1 * mask / (1 - dropout_prob)
        u2 = o1 @ p["theta2"] + p["b2"]
        o2 = _silu(u2)
        y_hat = _softmax(o2 @ p["theta3"] + p["b3"])
        losses.append(-np.mean(np.sum(yb * np.log(y_hat + 1e-15), axis=1)))
        d3 = (y_hat - yb) / len(yb)
        d2 = d3 @ p["theta3"].T * _silu_slope(u2)
        d_o1 = d2 @ p["theta2"].T
        if mask is not None:
            d_o1 = d_o1 * mask / (1 - dropout_prob)
        d1 = d_o1 * _silu_slope(u1)
        for layer, (inputs, delta) in enumerate(((xb, d1), (o1, d2), (o2, d3)), start=1):
            for key, g in ((f"theta{layer}", inputs.T @ delta), (f"b{layer}", np.sum(delta, 0))):
                if momentum > 0:
                    g = change[key] = momentum * change[key] + g
                p[key] = p[key] - 0.01 * g
    return losses, p


def torch_training(x, y, iterations):
    """Train the same net with PyTorch's autograd and SGD in float64; return the last loss."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    start = _initial_parameters()
    layers = [nn.Linear(*sizes, dtype=torch.float64) for sizes in pairwise(SIZES)]
    with torch.no_grad():
        for number, layer in enumerate(layers, start=1):
            layer.weight.copy_(torch.tensor(start[f"theta{number}"].T))
            layer.bias.copy_(torch.tensor(start[f"b{number}"]))
    net = nn.Sequential(layers[0], nn.SiLU(), layers[1], nn.SiLU(), layers[2])
    x, labels = torch.tensor(x), torch.tensor(y.argmax(axis=1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for _ in range(iterations):
        loss = F.cross_entropy(net(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def jax_training(iterations):
    """Return a function of x and y that trains the net with JAX and returns the last loss.

    The loss is the one before the last update, the only one that is worked out. The whole loop is
    one compiled program in float64; call it once before timing it.
    """
    import jax
    from jax import numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def loss_of(p, x, y):
        o1 = jax.nn.silu(x @ p["theta1"] + p["b1"])
        o2 = jax.nn.silu(o1 @ p["theta2"] + p["b2"])
        y_hat = jax.nn.softmax(o2 @ p["theta3"] + p["b3"])
        return -jnp.mean(jnp.sum(y * jnp.log(y_hat + 1e-15), axis=1))

    @jax.jit
    def train(p, x, y):
        def step(_, p):
            return jax.tree.map(lambda w, g: w - 0.01 * g, p, jax.grad(loss_of)(p, x, y))

        p = jax.lax.fori_loop(0, iterations - 1, step, p)
        return step(None, p), loss_of(p, x, y)

    start = {key: jnp.asarray(value) for key, value in _initial_parameters().items()}
    return lambda x, y: float(train(start, jnp.asarray(x), jnp.asarray(y))[1])


def sklearn_training(x, y, iterations):
    """Train an MLPClassifier of the same sizes on full batches; tanh, as it has no SiLU."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    net = MLPClassifier(
        SIZES[1:-1],
        activation="tanh",
        solver="sgd",
        alpha=0.0,
        batch_size=len(x),
        learning_rate_init=0.01,
        momentum=0.0,
        max_iter=iterations,
        tol=0.0,
        n_iter_no_change=iterations,
        shuffle=False,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return net.fit(x, y.argmax(axis=1))


def tanh_losses(x, y, iterations):
    """Return the losses of ``sklearn_training``, worked out from the same first parameters."""
    rng = np.random.RandomState(0)
    weights, biases = [], []
    for sizes in pairwise(SIZES):
        bound = np.sqrt(6 / sum(sizes))
        weights.append(rng.uniform(-bound, bound, sizes))
        biases.append(rng.uniform(-bound, bound, sizes[1]))
    losses = []
    for _ in range(iterations):
        o1 = np.tanh(x @ weights[0] + biases[0])
        o2 = np.tanh(o1 @ weights[1] + biases[1])
        y_hat = _softmax(o2 @ weights[2] + biases[2])
        losses.append(-np.mean(np.sum(y * np.log(y_hat), axis=1)))
        d3 = (y_hat - y) / len(y)
        d2 = d3 @ weights[2].T * (1 - o2**2)
        d1 = d2 @ weights[1].T * (1 - o1**2)
        for layer, (inputs, delta) in enumerate(((x, d1), (o1, d2), (o2, d3))):
            weights[layer] -= 0.01 * inputs.T @ delta
            biases[layer] -= 0.01 * np.sum(delta, axis=0)
    return losses


def row_by_row_oob_score(forest, X, y):
    """Return the out-of-bag score with one prediction a row and tree."""
    shares = []
    for i, row in enumerate(X):
        votes = [
            tree.predict(row[columns].reshape(1, -1))[0] == y[i]
            for tree, columns, out_of_bag in zip(
                forest.decision_trees, forest.feature_indices, forest.out_of_bag, strict=True
            )
            if i in out_of_bag
        ]
        if votes:
            shares.append(np.mean(votes))
    return float(np.mean(shares))


def row_by_row_predict(forest, X):
    """Return the classes of a forest with one prediction a row and tree."""
    predicted = []
    for row in X:
        total = sum(
            tree.predict_proba(row[columns].reshape(1, -1))[0]
            for tree, columns in zip(forest.decision_trees, forest.feature_indices, strict=True)
        )
        predicted.append(np.argmax(total))
    return np.array(predicted)


def row_by_row_predict_adaboost(forest, X, classes):
    """Return the classes of boosted trees with one prediction a row and tree."""
    predicted = []
    for row in X:
        votes = np.zeros(classes)
        for tree, alpha in zip(forest.decision_trees, forest.alphas, strict=True):
            votes[tree.predict(row.reshape(1, -1))[0]] += alpha
        predicted.append(np.argmax(votes))
    return np.array(predicted)


def nested_loop_windows(text, length):
    """Return windows and next characters as index arrays, filled element by element."""
    vocab = sorted(set(text))
    indices = {character: index for index, character in enumerate(vocab)}
    count = len(text) - length
    x = np.zeros((count, length), dtype=np.int64)
    y = np.zeros((count, 1), dtype=np.int64)
    for i in range(count):
        for j in range(length):
            x[i, j] = indices[text[i + j]]
        y[i, 0] = indices[text[i + length]]
    return x, y


def nested_loop_text_windows(cleaned):
    """Return windows, next characters and vocabulary of a cleaned text, element by element."""
    return *nested_loop_windows(cleaned, SEQUENCE_LENGTH), sorted(set(cleaned))


def _initial_parameters():
    np.random.seed(0)
    p = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(SIZES), start=1):
        p[f"theta{layer}"] = np.random.randn(fan_in, fan_out) / np.sqrt(fan_in)
        p[f"b{layer}"] = np.zeros(fan_out)
    return p


def _sigmoid(u):
    return 1 / (1 + np.exp(-u))


def _silu(u):
    return u * _sigmoid(u)


def _silu_slope(u):
    s = _sigmoid(u)
    return s + u * s * (1 - s)


def _softmax(u):
    exponentials = np.exp(u - np.max(u, axis=1, keepdims=True))
    return exponentials / np.sum(exponentials, axis=1, keepdims=True)
