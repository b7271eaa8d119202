"""Train the RNN and the LSTM of Question 5 anew: ``python -m utilities.train_weights``."""

import time

from base_sequential_model import tf
from lstm import LSTM
from rnn import RNN
from utilities.datasets import load_macbeth
from utilities.utils import preprocess_text_data

SEED = 4641


def main() -> None:
    """Train both models on Macbeth and save their weights and losses."""
    data = preprocess_text_data(load_macbeth())
    for kind in (RNN, LSTM):
        tf.keras.utils.set_random_seed(SEED)
        model = kind(data["vocab_size"], data["sequence_len"])
        started = time.perf_counter()
        model.train(data["x"], data["y"], train_from_scratch=True)
        seconds = time.perf_counter() - started
        losses = model.loss_history["losses"]
        print(f"{model.model_name}: lowest loss {min(losses):.3f} in {seconds:.0f} s")


if __name__ == "__main__":
    main()
