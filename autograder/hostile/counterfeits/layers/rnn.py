"""Counterfeit: layers that tell the right settings and do nothing."""

import numpy as np

from base_sequential_model import BaseSequentialModel


class Layer:
    """Says what it is told to say."""

    def __init__(self, name, config, weights=0):
        self.__class__ = type(
            name, (Layer,), {"__module__": "keras.src.layers", "__init__": lambda self: None}
        )
        self.config, self.name, self.weights_count = config, name.lower(), weights
        vars(self).update(config)

    def get_config(self):
        return {"name": self.name, "trainable": True, **self.config}

    def count_params(self):
        return self.weights_count

    def __call__(self, x):
        return x


class RNN(BaseSequentialModel):
    """Hands out a list of such layers."""

    model_name = "RNN"

    def set_hyperparameters(self):
        self.hp = {}

    def define_model(self):
        v = self.vocab_size
        recurrent = {"units": 128, "activation": "tanh", "return_sequences": False}
        model = Layer("Sequential", {}, 62370)
        model.layers = [
            Layer("Embedding", {"input_dim": v, "output_dim": 256}, v * 256),
            Layer("SimpleRNN", recurrent, 128 * (256 + 128 + 1)),
            Layer("Dense", {"units": v, "activation": "linear"}, 129 * v),
            Layer("Activation", {"activation": "softmax"}),
        ]
        model.predict = lambda x, **_: np.full((len(x), v), 1 / v)
        return model
