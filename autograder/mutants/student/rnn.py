"""A second, plainly written solution of Question 5.1.1, as a good student hands it in."""

import tensorflow as tf

from base_sequential_model import BaseSequentialModel


class RNN(BaseSequentialModel):
    """Net of an embedding, a recurrent layer and a softmax."""

    def __init__(self, vocab_size, max_input_len):
        super().__init__(vocab_size, max_input_len)
        self.model_name = "RNN"

    def set_hyperparameters(self):
        """Fill in the hyperparameters."""
        self.hp = {
            "embedding_dim": 256,
            "rnn_units": 128,
            "learning_rate": 0.01,
            "batch_size": 128,
            "epochs": 10,
        }

    def define_model(self):
        """Return the net, not built yet."""
        model = tf.keras.Sequential()
        model.add(tf.keras.layers.Embedding(self.vocab_size, self.hp["embedding_dim"]))
        model.add(tf.keras.layers.SimpleRNN(self.hp["rnn_units"]))
        model.add(tf.keras.layers.Dense(self.vocab_size))
        model.add(tf.keras.layers.Activation("softmax"))
        return model
