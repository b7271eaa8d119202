"""What the course gives for Question 5, cut down to what a grader needs of it."""

import tensorflow as tf


class BaseSequentialModel:
    """Holds a Keras net, its hyperparameters and its losses."""

    def __init__(self, vocab_size, max_input_len):
        self.vocab_size = vocab_size
        self.max_input_len = max_input_len
        self.model = None
        self.loss_history = None
        self.set_hyperparameters()

    def build_model(self):
        """Define, compile and build the net."""
        self.model = self.define_model()
        optimizer = tf.keras.optimizers.RMSprop(learning_rate=self.hp["learning_rate"])
        self.model.compile(loss="categorical_crossentropy", optimizer=optimizer)
        self.model.build((None, self.max_input_len))
