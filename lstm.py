"""Question 5.1.2: next-character prediction with a long short-term memory.

Read ``base_sequential_model.py`` first.
"""

from base_sequential_model import BaseSequentialModel, tf


class LSTM(BaseSequentialModel):
    """Embedding, LSTM layer, dense layer over the vocabulary, softmax.

    Parameters
    ----------
    vocab_size : int
        V, the number of different characters.
    max_input_len : int
        S, the window length.
    """

    model_name = "LSTM"

    def set_hyperparameters(self) -> None:
        """Fill ``hp`` with the sizes, learning rate, batch size and epochs of the course."""
        self.hp = {
            "embedding_dim": 256,
            "lstm_units": 128,
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
        The cell state c_t = f_t * c_{t-1} + i_t * g_t carries information past the
        squashing that h_t = o_t * tanh(c_t) goes through, which is why gradients
        survive longer than in the simple recurrent net.
        """
        return tf.keras.Sequential(
            [
                tf.keras.layers.Embedding(self.vocab_size, self.hp["embedding_dim"]),
                tf.keras.layers.LSTM(self.hp["lstm_units"]),
                tf.keras.layers.Dense(self.vocab_size),
                tf.keras.layers.Activation("softmax"),
            ]
        )
