"""A second, plainly written solution of Question 1, as a good student hands it in.

Every step calls the methods before it, as the handout suggests. Most mutants of Question 1 are
changes to this file.
"""

import numpy as np


class NeuralNet:
    """Net of two hidden SiLU layers and a softmax."""

    def __init__(
        self,
        y,
        use_dropout,
        use_momentum,
        lr=0.01,
        batch_size=64,
        momentum=0.5,
        dropout_prob=0.3,
    ):
        self.y = y
        self.y_hat = np.zeros((self.y.shape[0], 3))
        self.dimensions = [8, 15, 7, 3]
        self.alpha = 0.05
        self.use_dropout = use_dropout
        self.dropout_prob = dropout_prob
        self.parameters = {}
        self.cache = {}
        self.loss = []
        self.batch_y = []
        self.iteration = 0
        self.batch_size = batch_size
        self.learning_rate = lr
        self.sample_count = self.y.shape[0]
        self.neural_net_type = "SiLU -> SiLU -> Softmax"
        self.use_momentum = use_momentum
        self.momentum = momentum
        self.change = {}
        self.weight_updates = 0

    def init_parameters(self, param=None):
        """Draw the weights, or take those given."""
        if param is None:
            np.random.seed(0)
            d = self.dimensions
            self.parameters["theta1"] = np.random.randn(d[0], d[1]) / np.sqrt(d[0])
            self.parameters["b1"] = np.zeros(d[1])
            self.parameters["theta2"] = np.random.randn(d[1], d[2]) / np.sqrt(d[1])
            self.parameters["b2"] = np.zeros(d[2])
            self.parameters["theta3"] = np.random.randn(d[2], d[3]) / np.sqrt(d[2])
            self.parameters["b3"] = np.zeros(d[3])
        else:
            self.parameters = param
        for key in self.parameters:
            self.change[key] = np.zeros_like(self.parameters[key])

    def silu(self, u):
        """Return u times the sigmoid of u."""
        return u * self._sigmoid(u)

    def derivative_silu(self, x):
        """Return the slope of silu at x."""
        s = self._sigmoid(x)
        return s + x * s * (1 - s)

    @staticmethod
    def _sigmoid(u):
        e = np.exp(-np.abs(u))  # at most 1, whatever the sign
        return np.where(u >= 0, 1 / (1 + e), e / (1 + e))

    def softmax(self, u):
        """Return the softmax of each row."""
        e = np.exp(u - np.max(u, axis=1, keepdims=True))
        return e / np.sum(e, axis=1, keepdims=True)

    def cross_entropy_loss(self, y, y_hat):
        """Return the mean cross-entropy."""
        return -np.sum(y * np.log(y_hat + 1e-15)) / y.shape[0]

    @staticmethod
    def _dropout(u, prob):
        """Return what is kept of u, scaled up, and the mask."""
        mask = np.random.choice([0, 1], size=u.shape, p=[prob, 1 - prob])
        return u * mask / (1 - prob), mask

    def forward(self, x, use_dropout):
        """Return the probabilities and fill the cache."""
        p = self.parameters
        u1 = np.matmul(x, p["theta1"]) + p["b1"]
        o1 = self.silu(u1)
        if use_dropout:
            o1, mask = self._dropout(o1, self.dropout_prob)
            self.cache["mask"] = mask
        u2 = np.matmul(o1, p["theta2"]) + p["b2"]
        o2 = self.silu(u2)
        u3 = np.matmul(o2, p["theta3"]) + p["b3"]
        o3 = self.softmax(u3)
        self.cache["X"] = x
        self.cache["u1"], self.cache["o1"] = u1, o1
        self.cache["u2"], self.cache["o2"] = u2, o2
        self.cache["u3"], self.cache["o3"] = u3, o3
        return o3

    def update_weights(self, dLoss, use_momentum):
        """Take one step down the gradient."""
        for key in dLoss:
            if use_momentum:
                self.change[key] = self.momentum * self.change[key] + dLoss[key]
                step = self.change[key]
            else:
                step = dLoss[key]
            self.parameters[key] = self.parameters[key] - self.learning_rate * step
        self.weight_updates += 1

    def compute_gradients(self, y, yh, use_dropout):
        """Return the six mean gradients."""
        n = y.shape[0]
        p = self.parameters
        cache = self.cache
        d_u3 = (yh - y) / n
        d_o2 = np.matmul(d_u3, p["theta3"].T)
        d_u2 = d_o2 * self.derivative_silu(cache["u2"])
        d_o1 = np.matmul(d_u2, p["theta2"].T)
        if use_dropout:
            d_o1 = d_o1 * cache["mask"] / (1 - self.dropout_prob)
        d_u1 = d_o1 * self.derivative_silu(cache["u1"])
        return {
            "theta3": np.matmul(cache["o2"].T, d_u3),
            "b3": np.sum(d_u3, axis=0),
            "theta2": np.matmul(cache["o1"].T, d_u2),
            "b2": np.sum(d_u2, axis=0),
            "theta1": np.matmul(cache["X"].T, d_u1),
            "b1": np.sum(d_u1, axis=0),
        }

    def backward(self, y, yh, use_dropout, use_momentum):
        """Compute the gradients, update the weights, return the gradients."""
        grads = self.compute_gradients(y, yh, use_dropout)
        self.update_weights(grads, use_momentum)
        return tuple(grads[key] for key in ("theta3", "b3", "theta2", "b2", "theta1", "b1"))

    def gradient_descent(self, x, y, iter=60000, use_momentum=False, local_test=False):
        """Train on all rows at once."""
        self.init_parameters()
        for i in range(iter):
            yh = self.forward(x, self.use_dropout)
            loss = self.cross_entropy_loss(y, yh)
            self.backward(y, yh, self.use_dropout, use_momentum)
            if local_test or i % 1000 == 0:
                self.loss.append(loss)
                print("Loss after iteration %i: %f" % (i, loss))

    def batch_gradient_descent(self, x, y, use_momentum, iter=60000, local_test=False):
        """Train on batches that wrap round the data."""
        self.init_parameters()
        n = x.shape[0]
        start = 0
        for i in range(iter):
            rows = np.arange(start, start + self.batch_size) % n
            x_batch, y_batch = x[rows], y[rows]
            yh = self.forward(x_batch, self.use_dropout)
            loss = self.cross_entropy_loss(y_batch, yh)
            self.backward(y_batch, yh, self.use_dropout, use_momentum)
            if local_test or i % 1000 == 0:
                self.loss.append(loss)
                self.batch_y.append(y_batch)
                print("Loss after iteration %i: %f" % (i, loss))
            start = (start + self.batch_size) % n
            self.iteration += 1

    def predict(self, x):
        """Return the most probable class of each row."""
        return np.argmax(self.forward(x, False), axis=1)
