"""Train or save without end, and be killed at some moment; again and again, with one import.

Run by test_faults_weights.py in a process of its own, which imports TensorFlow once, without using
it, and then forks a victim for every line it reads:

    RNN or LSTM, the folder for the files, what to do, seconds until the kill

What to do is "training" or "saving", of which the seconds count from when the first files are
there, or "first": the seconds count from the start of the first training. It answers each line
with one: "killed", or what became of the victim instead.
"""

import os
import signal
import sys
import time
from itertools import count
from pathlib import Path

import numpy as np
import tensorflow as tf
from test_sequential_models import small, windows

from lstm import LSTM
from rnn import RNN


def fingerprint(net):
    """Return a number that no other weights have."""
    return float(sum(np.abs(array).sum(dtype=np.float64) for array in net.get_weights()))


def fit_without_training(net, *_, epochs, callbacks, **__):
    """Call what is called in a training; the last loss is the fingerprint of the weights."""
    for callback in callbacks:
        callback.set_model(net)
        callback.on_train_begin({})
    for epoch in range(epochs):
        for callback in callbacks:
            callback.on_epoch_end(epoch, {"loss": (epochs - epoch) * fingerprint(net)})
    for callback in callbacks:
        callback.on_train_end({})


def be_the_victim(name, folder, what, to_killer):
    """Train from scratch over and over, and tell the killer when to count; all files are saved."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    tf.config.run_functions_eagerly(True)
    model = small({"RNN": RNN, "LSTM": LSTM}[name], Path(folder))
    if what == "saving":
        tf.keras.Sequential.fit = fit_without_training
    for training in count():
        if training == (what != "first"):
            os.write(to_killer, b"ready")
        model.train(*windows(training), train_from_scratch=True)


def kill_one(name, folder, what, seconds):
    """Fork a victim, kill it, and return how it ended."""
    from_victim, to_killer = os.pipe()
    victim = os.fork()
    if victim == 0:
        try:
            be_the_victim(name, folder, what, to_killer)
        finally:
            os._exit(1)
    os.close(to_killer)
    is_ready = os.read(from_victim, 5) == b"ready"  # empty if the victim ended
    time.sleep(float(seconds))
    os.kill(victim, signal.SIGKILL)
    _, status = os.waitpid(victim, 0)
    os.close(from_victim)
    was_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return "killed" if is_ready and was_killed else f"ended by itself: {status}"


def main():
    for line in sys.stdin:
        print(kill_one(*line.split()), flush=True)


if __name__ == "__main__":
    main()
