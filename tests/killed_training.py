"""Train or save without end, and be killed at some moment; again and again, with one import.

Run by test_faults_weights.py in a process of its own, which imports TensorFlow once, without using
it, and then forks a victim for every line it reads:

    RNN or LSTM, the folder for the files, "training" or "saving", seconds until the kill

It answers each with a line: "killed", or what became of the victim instead.
"""

import os
import signal
import sys
import time
from itertools import count
from pathlib import Path

import tensorflow as tf
from test_sequential_models import small, windows

import base_sequential_model
from lstm import LSTM
from rnn import RNN


def train_without_end(model):
    """Train from scratch over and over; every training saves weights and losses."""
    for seed in count():
        model.train(*windows(seed), train_from_scratch=True)
        yield


def save_without_end(model):
    """Save the same weights and losses over and over, as the end of a training does."""
    model.train(*windows(), train_from_scratch=True)
    while True:
        base_sequential_model.save_weights_only(model.model, model.save_model_path())
        base_sequential_model._write_json(
            model.save_losses_path(), {"model": model.model_name, **model.loss_history}
        )
        yield


def be_the_victim(name, folder, what, to_killer):
    """Work without end, and tell the killer when the first files are there."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    tf.config.run_functions_eagerly(True)
    model = small({"RNN": RNN, "LSTM": LSTM}[name], Path(folder))
    work = train_without_end if what == "training" else save_without_end
    for rounds, _ in enumerate(work(model)):
        if rounds == 0:
            os.write(to_killer, b"ready")


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
