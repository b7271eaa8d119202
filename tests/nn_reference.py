"""Q1's network once more, in torch float64: the oracle of tests/test_nn.py.

It shares no line with NN.py. Gradients come from torch's automatic differentiation, updates
from torch.optim.SGD, and random draws from RandomState(0), which yields the same stream as
NumPy's global generator after ``np.random.seed(0)``.
"""

import itertools

import numpy as np
import torch
import torch.nn.functional as F

KEYS = ("theta1", "b1", "theta2", "b2", "theta3", "b3")


def initial_parameters(rng, dimensions=(8, 15, 7, 3)):
    """Draw the weights in the contract's order; biases are zeros."""
    params = {}
    for i, (fan_in, fan_out) in enumerate(itertools.pairwise(dimensions), start=1):
        params[f"theta{i}"] = rng.randn(fan_in, fan_out) / np.sqrt(fan_in)
        params[f"b{i}"] = np.zeros(fan_out)
    return params


def random_parameters(seed, dimensions):
    """Return random weights and random, non-zero biases of the given sizes."""
    rng = np.random.default_rng(seed)
    params = {}
    for i, (fan_in, fan_out) in enumerate(itertools.pairwise(dimensions), start=1):
        params[f"theta{i}"] = rng.normal(size=(fan_in, fan_out)) / np.sqrt(fan_in)
        params[f"b{i}"] = rng.normal(size=fan_out)
    return params


class TorchNet:
    """SiLU -> SiLU -> softmax with dropout after the first hidden layer.

    Parameters
    ----------
    params : dict of ndarray
        The six arrays theta1, b1, ..., b3; copied.
    dropout_prob : float
        Share of the first hidden layer's activations that a mask drops.
    """

    def __init__(self, params, dropout_prob=0.3):
        self.p = {k: torch.tensor(params[k], dtype=torch.float64) for k in KEYS}
        for tensor in self.p.values():
            tensor.requires_grad_()
        self.dropout_prob = dropout_prob

    def forward(self, x, mask=None):
        """Return a dict with every intermediate value of the forward pass."""
        p, out = self.p, {"X": torch.as_tensor(np.asarray(x, dtype=np.float64))}
        out["u1"] = out["X"] @ p["theta1"] + p["b1"]
        out["o1"] = F.silu(out["u1"])
        if mask is not None:
            out["o1"] = out["o1"] * torch.as_tensor(mask) / (1 - self.dropout_prob)
        out["u2"] = out["o1"] @ p["theta2"] + p["b2"]
        out["o2"] = F.silu(out["u2"])
        out["u3"] = out["o2"] @ p["theta3"] + p["b3"]
        out["o3"] = torch.softmax(out["u3"], dim=1)
        return out

    def loss(self, x, y, mask=None):
        """Return the mean cross-entropy as a tensor."""
        logits = self.forward(x, mask)["u3"]
        return F.cross_entropy(logits, torch.as_tensor(np.asarray(y, dtype=np.float64)))

    def gradients(self, x, y, mask=None):
        """Return the six gradients of the mean cross-entropy as arrays."""
        tensors = [self.p[k] for k in KEYS]
        grads = torch.autograd.grad(self.loss(x, y, mask), tensors)
        return {k: g.numpy() for k, g in zip(KEYS, grads, strict=True)}

    def values(self):
        """Return the parameters as arrays."""
        return {k: v.detach().numpy().copy() for k, v in self.p.items()}


def train(x, y, steps, lr=0.01, momentum=0.0, batch_size=None, dropout_prob=None):
    """Train from the contract's start; return the losses before each step and the parameters."""
    rng = np.random.RandomState(0)
    net = TorchNet(initial_parameters(rng), dropout_prob or 0.0)
    optimiser = torch.optim.SGD(list(net.p.values()), lr=lr, momentum=momentum)
    losses, rows = [], np.arange(len(x))
    for step in range(steps):
        if batch_size is not None:
            rows = (step * batch_size + np.arange(batch_size)) % len(x)
        mask = None
        if dropout_prob is not None:
            shape = (len(rows), 15)
            mask = rng.choice([0, 1], size=shape, p=[dropout_prob, 1 - dropout_prob])
        loss = net.loss(x[rows], y[rows], mask)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses, net.values()
