"""What every hostile NN.py begins with: the source of this module, with WORLD filled in.

The attacker is given the worst case: it knows where the grader, the results and the next
student's folder are.
"""

import os

import numpy as np

WORLD = {"marker": "", "root": "", "neighbour": "", "results": "", "port": 0}


def attempt(function, *arguments, **options):
    """Call a function and go on whatever it raises: one refused step is not the end."""
    try:
        return function(*arguments, **options)
    except BaseException:
        return None


def write(path, text):
    """Write a file by the shortest way."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
    os.write(descriptor, text.encode())
    os.close(descriptor)


def name_process():
    """Make this process easy to find in /proc."""
    attempt(write, "/proc/self/comm", WORLD["marker"])


class NeuralNet:
    """Solves nothing: every function answers zeros of the right shape."""

    def __init__(self, y, use_dropout, use_momentum, **options):
        self.parameters, self.cache, self.change = {}, {}, {}
        self.loss, self.batch_y = [], []

    def init_parameters(self, param=None):
        self.parameters = dict(param or {})

    def silu(self, u):
        return np.zeros_like(u)

    def softmax(self, u):
        return np.zeros_like(u)
