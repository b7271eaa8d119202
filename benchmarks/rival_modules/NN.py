"""Question 1's rival: the training loops as a book has them."""

import numpy as np

from benchmarks import rivals
from benchmarks.rival_modules import reference


class NeuralNet(reference("NN").NeuralNet):
    """The net of Question 1, trained by the textbook."""

    def gradient_descent(self, x, y, iter=60000, use_momentum=False, local_test=False):
        """Train on all rows."""
        self._train(x, y, iter, use_momentum, local_test, batch_size=None)

    def batch_gradient_descent(self, x, y, use_momentum, iter=60000, local_test=False):
        """Train on batches that wrap round the data."""
        self._train(x, y, iter, use_momentum, local_test, batch_size=self.batch_size)

    def _train(self, x, y, iterations, use_momentum, local_test, batch_size):
        losses, self.parameters = rivals.textbook_training(
            x,
            y,
            iterations,
            dropout_prob=self.dropout_prob if self.use_dropout else 0.0,
            batch_size=batch_size,
            momentum=self.momentum if use_momentum else 0.0,
        )
        every = 1 if local_test else 1000
        self.loss = losses[::every]
        for iteration, loss in zip(range(0, iterations, every), self.loss, strict=True):
            print("Loss after iteration %i: %f" % (iteration, loss))
        self.weight_updates = iterations
        if batch_size is not None:
            self.iteration = iterations
            starts = (i * batch_size for i in range(0, iterations, every))
            self.batch_y = [y[(start + np.arange(batch_size)) % len(y)] for start in starts]
