"""Question 5.1.1: next-character prediction with a simple recurrent net.

Read ``base_sequential_model.py`` first.
"""

from base_sequential_model import BaseSequentialModel, tf


class RNN(BaseSequentialModel):
    """Embedding, simple recurrent layer, dense layer over the vocabulary, softmax.

    Parameters
    ----------
    vocab_size : int
        V, the number of different characters.
    max_input_len : int
        S, the window length.
    """

    model_name = "RNN"

    def set_hyperparameters(self) -> None:
        """Fill ``hp`` with the sizes, learning rate, batch size and epochs of the course."""
        self.hp = {
            "embedding_dim": 256,
            "rnn_units": 128,
            "learning_rate": 0.01,
            "batch_size": 128,
            "epochs": 10,
        }

    def define_model(self) -> tf.keras.Sequential:
        """Return the net, neither built nor compiled.

        Returns
        -------
        tf.keras.Sequential
            (N, S) indices -> (N, S, 256) -> (N, 128) -> (N, V) probabilities.

        Notes
        -----
        h_t = tanh(x_t W + h_{t-1} U + b); only the last state h_S is passed on.
        """
        return tf.keras.Sequential(
            [
                tf.keras.layers.Embedding(self.vocab_size, self.hp["embedding_dim"]),
                tf.keras.layers.SimpleRNN(self.hp["rnn_units"]),
                tf.keras.layers.Dense(self.vocab_size),
                tf.keras.layers.Activation("softmax"),
            ]
        )
