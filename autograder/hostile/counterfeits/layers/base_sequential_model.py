"""Counterfeit: nothing of Keras."""


class BaseSequentialModel:
    """Knows its sizes."""

    def __init__(self, vocab_size, max_input_len):
        self.vocab_size, self.max_input_len = vocab_size, max_input_len
        self.set_hyperparameters()

    def build_model(self):
        self.model = self.define_model()
