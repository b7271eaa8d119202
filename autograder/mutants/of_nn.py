"""Mutants of NN.py, in the order of the rubric."""

from autograder.mutants.submission import BATCH_RUN, GD_RUNS, MOMENTUM_RUN, RUNS, mutants_of

student, reference = mutants_of("NN.py")

ACTIVATIONS = (
    student(
        "silu-is-sigmoid",
        "forgets to multiply by u",
        ("1.1a", *RUNS),
        ("return u * self._sigmoid(u)", "return self._sigmoid(u)"),
    ),
    student(
        "silu-of-minus-u",
        "sign of the exponent",
        ("1.1a", *RUNS),
        ("return u * self._sigmoid(u)", "return u * self._sigmoid(-u)"),
    ),
    student(
        "silu-overflows",
        "exp(u) / (1 + exp(u)) is NaN for large u",
        ("1.1a",),
        ("return u * self._sigmoid(u)", "return u * np.exp(u) / (1 + np.exp(u))"),
    ),
    student(
        "silu-warns",
        "exp(-u) overflows: the value is right, but it warns",
        ("1.1a",),
        ("return u * self._sigmoid(u)", "return u / (1 + np.exp(-u))"),
    ),
    student(
        "derivative-is-of-sigmoid",
        "differentiates the sigmoid instead of SiLU",
        ("1.1b", *RUNS),
        ("return s + x * s * (1 - s)", "return s * (1 - s)"),
    ),
    student(
        "derivative-loses-a-factor",
        "x (1 - s) for x s (1 - s)",
        ("1.1b", *RUNS),
        ("return s + x * s * (1 - s)", "return s + x * (1 - s)"),
    ),
    student(
        "softmax-over-the-wrong-axis",
        "columns sum to one",
        ("1.1c", *RUNS),
        ("return e / np.sum(e, axis=1, keepdims=True)", "return e / np.sum(e, axis=0)"),
    ),
    student(
        "softmax-sums-over-everything",
        "the whole matrix sums to one",
        ("1.1c", *RUNS),
        ("return e / np.sum(e, axis=1, keepdims=True)", "return e / np.sum(e)"),
    ),
    student(
        "softmax-without-maximum",
        "exp overflows for large logits",
        ("1.1c",),
        ("e = np.exp(u - np.max(u, axis=1, keepdims=True))", "e = np.exp(u)"),
    ),
    student(
        "softmax-with-one-maximum-for-all-rows",
        "a row far below the largest becomes 0 / 0",
        ("1.1c",),
        ("e = np.exp(u - np.max(u, axis=1, keepdims=True))", "e = np.exp(u - np.max(u))"),
    ),
)

LOSS = (
    student(
        "loss-never-divided",
        "sum over the rows instead of mean",
        ("1.1d", *RUNS),
        ("y_hat + 1e-15)) / y.shape[0]", "y_hat + 1e-15))"),
    ),
    student(
        "loss-divided-by-classes-too",
        "np.mean over all N x D entries",
        ("1.1d", *RUNS),
        ("-np.sum(y * np.log(y_hat + 1e-15)) / y.shape[0]", "-np.mean(y * np.log(y_hat + 1e-15))"),
    ),
    student(
        "loss-without-epsilon",
        "log(0) where a probability is zero",
        ("1.1d",),
        ("np.log(y_hat + 1e-15)", "np.log(y_hat)"),
    ),
    student(
        "loss-with-a-large-epsilon",
        "1e-8 where the handout says 1e-15",
        ("1.1d",),
        ("np.log(y_hat + 1e-15)", "np.log(y_hat + 1e-8)"),
    ),
    student(
        "loss-in-bits",
        "log2 instead of the natural logarithm",
        ("1.1d", *RUNS),
        ("np.log(y_hat + 1e-15)", "np.log2(y_hat + 1e-15)"),
    ),
    student(
        "loss-negative",
        "the minus sign is missing",
        ("1.1d", *RUNS),
        ("return -np.sum(y * np.log", "return np.sum(y * np.log"),
    ),
    student(
        "loss-binary",
        "adds the binary term (1 - y) log(1 - y_hat)",
        ("1.1d", *RUNS),
        (
            "-np.sum(y * np.log(y_hat + 1e-15))",
            "-np.sum(y * np.log(y_hat + 1e-15) + (1 - y) * np.log(1 - y_hat + 1e-15))",
        ),
    ),
)

DROPOUT = (
    student(
        "dropout-not-scaled",
        "forgets 1 / (1 - p)",
        ("1.1e", *BATCH_RUN),
        ("return u * mask / (1 - prob), mask", "return u * mask, mask"),
    ),
    student(
        "dropout-scaled-by-p",
        "1 / p instead of 1 / (1 - p)",
        ("1.1e", *BATCH_RUN),
        ("return u * mask / (1 - prob), mask", "return u * mask / prob, mask"),
    ),
    student(
        "dropout-mask-inverted",
        "keeps with probability p",
        ("1.1e", *BATCH_RUN),
        ("p=[prob, 1 - prob]", "p=[1 - prob, prob]"),
    ),
    student(
        "dropout-returns-the-dropped",
        "the mask is 1 where an entry is dropped",
        ("1.1e", *BATCH_RUN),
        ("return u * mask / (1 - prob), mask", "return u * mask / (1 - prob), 1 - mask"),
    ),
    student(
        "dropout-binomial-draw",
        "np.random.binomial uses the stream otherwise than graded",
        ("1.1e", *BATCH_RUN),
        (
            "np.random.choice([0, 1], size=u.shape, p=[prob, 1 - prob])",
            "np.random.binomial(1, 1 - prob, size=u.shape)",
        ),
    ),
    student(
        "dropout-one-mask-for-all-rows",
        "drops whole columns",
        ("1.1e", *BATCH_RUN),
        ("size=u.shape, p=", "size=u.shape[-1], p="),
    ),
    student(
        "dropout-own-generator",
        "default_rng() instead of NumPy's global stream",
        ("1.1e", *BATCH_RUN),
        ("mask = np.random.choice(", "mask = np.random.default_rng(0).choice("),
    ),
    student(
        "dropout-returns-a-scaled-mask",
        "the mask has 1 / (1 - p) in it, so the gradient is scaled twice",
        ("1.1e", *BATCH_RUN),
        (
            "return u * mask / (1 - prob), mask",
            "mask = mask / (1 - prob)\n        return u * mask, mask",
        ),
    ),
)

FORWARD = (
    student(
        "forward-relu-in-the-second-layer",
        "ReLU for SiLU",
        ("1.1f", "1.1g", *RUNS),
        ("o2 = self.silu(u2)", "o2 = np.maximum(u2, 0)"),
    ),
    student(
        "forward-without-second-bias",
        "b2 is not added",
        ("1.1f", "1.1g", *RUNS),
        ('u2 = np.matmul(o1, p["theta2"]) + p["b2"]', 'u2 = np.matmul(o1, p["theta2"])'),
    ),
    student(
        "forward-returns-logits",
        "the softmax of the last layer is missing",
        ("1.1f", "1.1g", *RUNS),
        ("o3 = self.softmax(u3)", "o3 = u3"),
    ),
    student(
        "forward-sigmoid-at-the-end",
        "a sigmoid for the softmax",
        ("1.1f", "1.1g", *RUNS),
        ("o3 = self.softmax(u3)", "o3 = self._sigmoid(u3)"),
    ),
    student(
        "forward-drops-in-both-layers",
        "dropout after the second hidden layer too",
        ("1.1g", *BATCH_RUN),
        (
            "o2 = self.silu(u2)",
            "o2 = self.silu(u2)\n"
            "        if use_dropout:\n"
            "            o2, _ = self._dropout(o2, self.dropout_prob)",
        ),
    ),
    student(
        "forward-drops-before-the-activation",
        "dropout on u1 instead of o1",
        ("1.1g", *BATCH_RUN),
        (
            "o1 = self.silu(u1)\n        if use_dropout:\n"
            "            o1, mask = self._dropout(o1, self.dropout_prob)\n",
            "o1 = self.silu(u1)\n        if use_dropout:\n"
            "            o1, mask = self._dropout(u1, self.dropout_prob)\n"
            "            o1 = self.silu(o1)\n",
        ),
    ),
    student(
        "forward-caches-before-dropout",
        'cache["o1"] is not what the second layer saw',
        ("1.1g", *BATCH_RUN),
        (
            'self.cache["u1"], self.cache["o1"] = u1, o1',
            'self.cache["u1"], self.cache["o1"] = u1, self.silu(u1)',
        ),
    ),
    student(
        "forward-fixed-dropout-probability",
        "0.3 written into the code instead of self.dropout_prob",
        ("1.1g",),
        ("self._dropout(o1, self.dropout_prob)", "self._dropout(o1, 0.3)"),
    ),
    student(
        "forward-keeps-with-dropout-probability",
        "hands 1 - p to _dropout",
        ("1.1g", *BATCH_RUN),
        ("self._dropout(o1, self.dropout_prob)", "self._dropout(o1, 1 - self.dropout_prob)"),
    ),
)

GRADIENTS = (
    student(
        "gradients-divided-twice",
        "1/N twice for the weights",
        ("1.1h", *RUNS),
        ('"theta1": np.matmul(cache["X"].T, d_u1)', '"theta1": np.matmul(cache["X"].T, d_u1) / n'),
    ),
    student(
        "gradients-never-divided",
        "1/N is missing",
        ("1.1h", *RUNS),
        ("d_u3 = (yh - y) / n", "d_u3 = yh - y"),
    ),
    student(
        "gradients-uphill",
        "y - y_hat for y_hat - y",
        ("1.1h", *RUNS),
        ("d_u3 = (yh - y) / n", "d_u3 = (y - yh) / n"),
    ),
    student(
        "gradients-bias-without-mean",
        "b3 sums over the rows without 1/N",
        ("1.1h", *RUNS),
        ('"b3": np.sum(d_u3, axis=0)', '"b3": np.sum(yh - y, axis=0)'),
    ),
    student(
        "gradients-bias-mean-twice",
        "np.mean on top of 1/N for b2",
        ("1.1h", *RUNS),
        ('"b2": np.sum(d_u2, axis=0)', '"b2": np.mean(d_u2, axis=0)'),
    ),
    student(
        "gradients-slope-at-the-output",
        "derivative_silu(o2) for derivative_silu(u2)",
        ("1.1h", *RUNS),
        ('self.derivative_silu(cache["u2"])', 'self.derivative_silu(cache["o2"])'),
    ),
    student(
        "gradients-without-second-slope",
        "the derivative of the second SiLU is missing",
        ("1.1h", *RUNS),
        ('d_u2 = d_o2 * self.derivative_silu(cache["u2"])', "d_u2 = d_o2"),
    ),
    student(
        "gradients-from-u1",
        "theta2's gradient from u1 instead of o1",
        ("1.1h", *RUNS),
        ('np.matmul(cache["o1"].T, d_u2)', 'np.matmul(cache["u1"].T, d_u2)'),
    ),
    student(
        "gradients-without-mask",
        "dropped units get a gradient",
        ("1.1h", *BATCH_RUN),
        (
            'd_o1 = d_o1 * cache["mask"] / (1 - self.dropout_prob)',
            "d_o1 = d_o1 / (1 - self.dropout_prob)",
        ),
    ),
    student(
        "gradients-mask-not-scaled",
        "1 / (1 - p) is missing in the backward pass",
        ("1.1h", *BATCH_RUN),
        (
            'd_o1 = d_o1 * cache["mask"] / (1 - self.dropout_prob)',
            'd_o1 = d_o1 * cache["mask"]',
        ),
    ),
)

UPDATES = (
    student(
        "update-uphill",
        "adds the step instead of taking it away",
        ("1.1i", "1.1m", *RUNS),
        (
            "self.parameters[key] - self.learning_rate * step",
            "self.parameters[key] + self.learning_rate * step",
        ),
    ),
    student(
        "update-weights-only",
        "the biases are never updated",
        ("1.1i", "1.1m", *RUNS),
        ("for key in dLoss:", 'for key in ("theta1", "theta2", "theta3"):'),
    ),
    student(
        "update-plain-step-scaled-twice",
        "the learning rate is applied twice without momentum",
        ("1.1i", "1.2", "1.3"),
        ("step = dLoss[key]", "step = self.learning_rate * dLoss[key]"),
    ),
    student(
        "update-not-counted",
        "weight_updates stays 0",
        ("1.1i",),
        ("        self.weight_updates += 1\n", ""),
    ),
    student(
        "update-counted-per-parameter",
        "weight_updates grows by six a call",
        ("1.1i",),
        (
            "        self.weight_updates += 1\n",
            "        self.weight_updates += len(self.parameters)\n",
        ),
    ),
    student(
        "momentum-wrong-sign",
        "beta z - g",
        ("1.1m", *MOMENTUM_RUN),
        (
            "self.momentum * self.change[key] + dLoss[key]",
            "self.momentum * self.change[key] - dLoss[key]",
        ),
    ),
    student(
        "momentum-as-moving-average",
        "beta z + (1 - beta) g",
        ("1.1m", *MOMENTUM_RUN),
        (
            "self.momentum * self.change[key] + dLoss[key]",
            "self.momentum * self.change[key] + (1 - self.momentum) * dLoss[key]",
        ),
    ),
    student(
        "momentum-forgotten",
        "change is never stored",
        ("1.1m", *MOMENTUM_RUN),
        (
            "self.change[key] = self.momentum * self.change[key] + dLoss[key]\n"
            "                step = self.change[key]",
            "step = self.momentum * self.change[key] + dLoss[key]",
        ),
    ),
    student(
        "momentum-stores-the-gradient",
        "change is the last gradient, not the last change",
        ("1.1m", *MOMENTUM_RUN),
        (
            "step = self.change[key]\n",
            "step = self.change[key]\n                self.change[key] = dLoss[key]\n",
        ),
    ),
    student(
        "momentum-with-learning-rate-inside",
        "change already holds the learning rate: same parameters, other change",
        ("1.1m",),
        (
            "self.change[key] + dLoss[key]\n                step = self.change[key]",
            "self.change[key] + self.learning_rate * dLoss[key]\n"
            "                step = self.change[key] / self.learning_rate",
        ),
    ),
)

BACKWARD = (
    student(
        "backward-first-layer-first",
        "returns theta1, b1, ... instead of theta3, b3, ...",
        ("1.1j",),
        (
            '("theta3", "b3", "theta2", "b2", "theta1", "b1")',
            '("theta1", "b1", "theta2", "b2", "theta3", "b3")',
        ),
    ),
    student(
        "backward-without-update",
        "computes the gradients only",
        ("1.1j", *RUNS),
        ("        self.update_weights(grads, use_momentum)\n", ""),
    ),
    student(
        "backward-updates-twice",
        "two steps a call",
        ("1.1j", *RUNS),
        (
            "        self.update_weights(grads, use_momentum)\n",
            "        self.update_weights(grads, use_momentum)\n" * 2,
        ),
    ),
    student(
        "backward-gradients-after-the-update",
        "returns gradients taken with the new weights",
        ("1.1j",),
        (
            "        self.update_weights(grads, use_momentum)\n",
            "        self.update_weights(grads, use_momentum)\n"
            "        grads = self.compute_gradients(y, yh, use_dropout)\n",
        ),
    ),
    student(
        "backward-returns-nothing",
        "the return statement is missing",
        ("1.1j",),
        ("        return tuple(grads[key]", "        tuple(grads[key]"),
    ),
)

AFTER_UPDATE = (
    "            loss = self.cross_entropy_loss(y, yh)\n"
    "            self.backward(y, yh, self.use_dropout, use_momentum)\n",
    "            self.backward(y, yh, self.use_dropout, use_momentum)\n"
    "            loss = self.cross_entropy_loss(y, self.forward(x, self.use_dropout))\n",
)
RECORD_IN_DESCENT = (
    "            if local_test or i % 1000 == 0:\n"
    "                self.loss.append(loss)\n"
    "                print("
)
GRADIENT_DESCENT = (
    reference(
        "init-seeded-with-one",
        "np.random.seed(1)",
        ("1.1k", *RUNS),
        ("np.random.seed(0)", "np.random.seed(1)"),
    ),
    student(
        "init-not-scaled",
        "1 / sqrt(fan_in) is missing in the second layer",
        ("1.1k", *RUNS),
        ("np.random.randn(d[1], d[2]) / np.sqrt(d[1])", "np.random.randn(d[1], d[2])"),
    ),
    student(
        "init-last-layer-first",
        "draws theta3 before theta1 and theta2",
        ("1.1k", *RUNS),
        (
            "            np.random.seed(0)\n            d = self.dimensions\n",
            "            np.random.seed(0)\n            d = self.dimensions\n"
            "            last = np.random.randn(d[2], d[3])\n",
        ),
        ("np.random.randn(d[2], d[3]) / np.sqrt(d[2])", "last / np.sqrt(d[2])"),
    ),
    student(
        "descent-loss-after-the-update",
        "a second forward pass gives the recorded loss",
        ("1.1k", *GD_RUNS),
        AFTER_UPDATE,
    ),
    student(
        "descent-ignores-dropout",
        "forward and backward are always called without dropout",
        ("1.1k",),
        ("yh = self.forward(x, self.use_dropout)\n", "yh = self.forward(x, False)\n"),
        (
            "self.backward(y, yh, self.use_dropout, use_momentum)",
            "self.backward(y, yh, False, use_momentum)",
        ),
    ),
    student(
        "descent-ignores-local-test",
        "records every 1000th loss even with local_test",
        ("1.1k",),
        (
            RECORD_IN_DESCENT,
            RECORD_IN_DESCENT.replace("local_test or ", ""),
        ),
    ),
    student(
        "descent-records-every-hundredth",
        "100 for 1000",
        ("1.1k", *GD_RUNS),
        (
            RECORD_IN_DESCENT,
            RECORD_IN_DESCENT.replace("1000", "100"),
        ),
    ),
    student(
        "descent-one-iteration-short",
        "range(1, iter)",
        ("1.1k", *GD_RUNS),
        (
            "for i in range(iter):\n            yh = self.forward(x, self.use_dropout)",
            "for i in range(1, iter):\n            yh = self.forward(x, self.use_dropout)",
        ),
    ),
)

SAMPLE = "rows = np.arange(start, start + self.batch_size) % n"
BATCHES = (
    student(
        "batches-not-wrapping",
        "the last batch of a round is short",
        ("1.1l", *BATCH_RUN),
        (SAMPLE, "rows = np.arange(start, min(start + self.batch_size, n))"),
        (
            "start = (start + self.batch_size) % n",
            "start = 0 if start + self.batch_size >= n else start + self.batch_size",
        ),
    ),
    student(
        "batches-drop-the-rest",
        "rows that do not fill a batch are skipped",
        ("1.1l", *BATCH_RUN),
        (
            "start = (start + self.batch_size) % n",
            "start = start + self.batch_size\n"
            "            if start + self.batch_size > n:\n"
            "                start = 0",
        ),
    ),
    student(
        "batches-always-the-first",
        "the start never moves",
        ("1.1l", *BATCH_RUN),
        ("            start = (start + self.batch_size) % n\n", ""),
    ),
    student(
        "batches-at-random",
        "rows are drawn instead of taken in turn",
        ("1.1l", *BATCH_RUN),
        (SAMPLE, "rows = np.random.choice(n, self.batch_size)"),
    ),
    student(
        "batches-overlap",
        "each batch starts at the last row of the one before",
        ("1.1l", *BATCH_RUN),
        ("start = (start + self.batch_size) % n", "start = (start + self.batch_size - 1) % n"),
    ),
    student(
        "batches-iteration-not-counted",
        "self.iteration stays 0",
        ("1.1l",),
        ("            self.iteration += 1\n", ""),
    ),
    student(
        "batches-targets-not-kept",
        "batch_y stays empty",
        ("1.1l",),
        ("                self.batch_y.append(y_batch)\n", ""),
    ),
    student(
        "batches-loss-of-all-rows",
        "records the loss of the whole training set",
        ("1.1l", *BATCH_RUN),
        (
            "loss = self.cross_entropy_loss(y_batch, yh)",
            "loss = self.cross_entropy_loss(y, self.forward(x, False))\n"
            "            yh = self.forward(x_batch, self.use_dropout)",
        ),
    ),
    student(
        "batches-loss-after-the-update",
        "a second forward pass gives the recorded loss",
        ("1.1l", *BATCH_RUN),
        (
            "            loss = self.cross_entropy_loss(y_batch, yh)\n"
            "            self.backward(y_batch, yh, self.use_dropout, use_momentum)\n",
            "            self.backward(y_batch, yh, self.use_dropout, use_momentum)\n"
            "            yh = self.forward(x_batch, self.use_dropout)\n"
            "            loss = self.cross_entropy_loss(y_batch, yh)\n",
        ),
    ),
    student(
        "batches-without-momentum",
        "use_momentum is not handed on",
        ("1.1m",),
        (
            "self.backward(y_batch, yh, self.use_dropout, use_momentum)",
            "self.backward(y_batch, yh, self.use_dropout, False)",
        ),
    ),
)

RIGHT = (
    student("right-second-net", "no mistake: the second solution as it is", ()),
    reference("right-reference-net", "no mistake: the reference as it is", ()),
    student(
        "right-update-in-place",
        "no mistake: parameters are changed in place",
        (),
        (
            "self.parameters[key] = self.parameters[key] - self.learning_rate * step",
            "self.parameters[key] -= self.learning_rate * step",
        ),
    ),
    student(
        "right-dropout-by-uniform-draw",
        "no mistake: the same draw written with random_sample, a mask of bools",
        (),
        (
            "mask = np.random.choice([0, 1], size=u.shape, p=[prob, 1 - prob])",
            "mask = np.random.random_sample(u.shape) >= prob",
        ),
    ),
    student(
        "right-prints-a-lot",
        "no mistake: debugging prints everywhere",
        (),
        (
            "u1 = np.matmul(x, p",
            'print("forward", x.shape, self.cache.keys())\n        u1 = np.matmul(x, p',
        ),
    ),
    student(
        "right-biases-as-rows",
        "no mistake: means by np.mean over undivided rows",
        (),
        ("d_u3 = (yh - y) / n", "d_u3 = yh - y"),
        ('np.matmul(cache["o2"].T, d_u3)', 'np.matmul(cache["o2"].T, d_u3) / n'),
        ("np.sum(d_u3, axis=0)", "np.mean(d_u3, axis=0)"),
        ('np.matmul(cache["o1"].T, d_u2)', 'np.matmul(cache["o1"].T, d_u2) / n'),
        ("np.sum(d_u2, axis=0)", "np.mean(d_u2, axis=0)"),
        ('np.matmul(cache["X"].T, d_u1)', 'np.matmul(cache["X"].T, d_u1) / n'),
        ("np.sum(d_u1, axis=0)", "np.mean(d_u1, axis=0)"),
    ),
    student(
        "right-batches-by-rolling",
        "no mistake: the data are rolled instead of indexed",
        (),
        (SAMPLE, "rows = np.roll(np.arange(n), -start)"),
        (
            "x_batch, y_batch = x[rows], y[rows]",
            "x_batch = np.resize(x[rows], (self.batch_size, x.shape[1]))\n"
            "            y_batch = np.resize(y[rows], (self.batch_size, y.shape[1]))",
        ),
    ),
)

MUTANTS = (
    *ACTIVATIONS,
    *LOSS,
    *DROPOUT,
    *FORWARD,
    *GRADIENTS,
    *UPDATES,
    *BACKWARD,
    *GRADIENT_DESCENT,
    *BATCHES,
    *RIGHT,
)
