"""Question 5.2: text from a trained next-character model, one character at a time.

Symbols: S window length (``max_input_len``), V vocabulary size.
"""

from collections.abc import Callable
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike


class TextGenerator:
    """Write text with a model that predicts the next character.

    Parameters
    ----------
    char_indices : dict of str to int
        Index of every character of the vocabulary.
    indices_char : dict of int to str
        The inverse.
    max_input_len : int
        S, the number of characters the model sees.

    Raises
    ------
    TypeError, ValueError
        If the two are not dictionaries, empty or not each other's inverse, or the
        window length is not a positive integer.
    """

    def __init__(
        self, char_indices: dict[str, int], indices_char: dict[int, str], max_input_len: int
    ) -> None:
        for name, value in (("char_indices", char_indices), ("indices_char", indices_char)):
            if not isinstance(value, dict):
                raise TypeError(f"{name} must be a dict, got {type(value).__name__}")
        if not char_indices or {i: c for c, i in char_indices.items()} != indices_char:
            raise ValueError(
                "char_indices and indices_char must be non-empty inverses of each other, got "
                f"{len(char_indices)} characters and {len(indices_char)} indices"
            )
        _check_count(max_input_len, "max_input_len", smallest=1)
        self.char_indices = char_indices
        self.indices_char = indices_char
        self.max_input_len = max_input_len

    def sample(self, preds: ArrayLike, temperature: float = 0.5) -> int:
        """Draw a character index from probabilities sharpened or flattened by temperature.

        Parameters
        ----------
        preds : array_like of float, shape (V,)
            Probabilities of the next character; need not be normalised.
        temperature : float
            Positive. Below 1 the likely characters become likelier, above 1 all
            become more alike; towards 0 the draw becomes the argmax.

        Returns
        -------
        int
            Index of the drawn character.

        Raises
        ------
        TypeError, ValueError
            If preds are not V finite non-negative numbers with a positive sum, or
            temperature is not a positive number.

        Notes
        -----
        Each probability is raised to the power 1 / temperature and the result
        normalised, in logarithms so that nothing under- or overflows. One uniform
        number of NumPy's global stream is used a draw.
        """
        weights = _check_probabilities(preds)
        _check_temperature(temperature)
        with np.errstate(divide="ignore"):  # log 0 = -inf: never drawn
            logits = np.log(weights)
        with np.errstate(over="ignore"):  # a tiny temperature: -inf, never drawn
            scaled = (logits - logits.max()) / temperature
        cumulative = np.cumsum(np.exp(scaled))
        # The last index takes what rounding leaves over: no draw falls outside the vocabulary.
        return int(
            np.searchsorted(cumulative[:-1], np.random.random() * cumulative[-1], side="right")
        )

    def generate(
        self, model: object, seed_text: str, length: int = 150, temperature: float = 0.5
    ) -> None:
        """Print text that continues a prompt, character by character as it is drawn.

        Parameters
        ----------
        model : RNN or LSTM
            Its Keras net is ``model.model``, its name ``model.model_name``.
        seed_text : str
            The prompt; shorter than S it is padded with spaces on the left, longer
            it is cut to its last S characters.
        length : int
            Number of characters to write.
        temperature : float
            See ``sample``.

        Raises
        ------
        TypeError, ValueError
            If the prompt holds a character outside the vocabulary, length is negative,
            temperature is not positive, or the model is not built.
        """
        _check_count(length, "length", smallest=0)
        _check_temperature(temperature)
        window = self._first_window(seed_text)
        if getattr(model, "model", None) is None:
            raise ValueError("model must hold a built net in model.model, got None: train it first")
        predict = next_character_function(model.model)
        print(f"----- {model.model_name} Model -----")
        print(f"Prompt: {seed_text}")
        print("Model: ", end="")
        for _ in range(length):
            index = self.sample(predict(window), temperature)
            print(self.indices_char[index], end="", flush=True)
            window = np.append(window[1:], index)
        print()

    def _first_window(self, seed_text: str) -> np.ndarray:
        """Return the prompt's last S characters as indices, shape (S,)."""
        if not isinstance(seed_text, str):
            raise TypeError(f"seed_text must be a str, got {type(seed_text).__name__}")
        text = seed_text[-self.max_input_len :].rjust(self.max_input_len)
        unknown = sorted(set(text) - set(self.char_indices))
        if unknown:
            raise ValueError(
                f"seed_text must hold only characters of the vocabulary "
                f"{''.join(sorted(self.char_indices))!r}, got {''.join(unknown)!r} as well"
            )
        return np.array([self.char_indices[character] for character in text])


def next_character_function(net: object) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from a window to the probabilities of the next character.

    Parameters
    ----------
    net : tf.keras.Sequential
        Embedding, SimpleRNN or LSTM, Dense, softmax, as ``rnn.py`` and ``lstm.py`` define
        them, is evaluated here in NumPy: for one window at a time most of the time in
        Keras goes into calling it. Any other net is called as it is.

    Returns
    -------
    callable
        From indices (S,) to probabilities (V,).
    """
    last_state = _LAST_STATE.get(_recurrent_layer(net))
    if last_state is None:
        return lambda window: np.asarray(net(window[np.newaxis], training=False))[0]
    embedding, kernel, recurrent_kernel, bias, dense_kernel, dense_bias = net.get_weights()
    inputs = embedding @ kernel + bias  # (V, units): what each character adds to a step

    def predict(window: np.ndarray) -> np.ndarray:
        logits = last_state(inputs[window], recurrent_kernel) @ dense_kernel + dense_bias  # (V,)
        exponentials = np.exp(logits - logits.max())
        return exponentials / exponentials.sum()

    return predict


def _rnn_last_state(inputs: np.ndarray, recurrent_kernel: np.ndarray) -> np.ndarray:
    """Return h_S of h_t = tanh(x_t W + b + h_{t-1} U), given x_t W + b (S, units)."""
    h = np.zeros_like(inputs[0])
    for step in inputs:
        h = np.tanh(step + h @ recurrent_kernel)
    return h


def _lstm_last_state(inputs: np.ndarray, recurrent_kernel: np.ndarray) -> np.ndarray:
    """Return h_S of an LSTM, given x_t W + b (S, 4 units) in Keras' order i, f, candidate, o."""
    units = len(recurrent_kernel)
    h, c = np.zeros_like(inputs[0, :units]), np.zeros_like(inputs[0, :units])
    for step in inputs:
        z = step + h @ recurrent_kernel  # (4 units,)
        gates = 0.5 + 0.5 * np.tanh(0.5 * z)  # sigmoid; a tanh cannot overflow
        i, f, o = gates[:units], gates[units : 2 * units], gates[3 * units :]
        c = f * c + i * np.tanh(z[2 * units : 3 * units])
        h = o * np.tanh(c)
    return h


# base_sequential_model.py trains by the same recurrences, in TensorFlow, with gradients; there
# dropout and regularizers count too, here only what changes a prediction.
_LAST_STATE = {"SimpleRNN": _rnn_last_state, "LSTM": _lstm_last_state}

# The settings under which the functions above are what the layers compute.
_KNOWN_SETTINGS = {
    "Embedding": {"mask_zero": False},
    "SimpleRNN": {"activation": "tanh"},
    "LSTM": {"activation": "tanh", "recurrent_activation": "sigmoid"},
    "Dense": {"activation": "linear", "use_bias": True},
    "Activation": {"activation": "softmax"},
}
_PLAIN_RECURRENCE = {
    "use_bias": True,
    "return_sequences": False,
    "return_state": False,
    "go_backwards": False,
    "stateful": False,
}


def _recurrent_layer(net: object) -> str | None:
    """Return the class name of the recurrent layer of a net of known form, else None."""
    layers = getattr(net, "layers", [])
    names = [type(layer).__name__ for layer in layers]
    if len(names) != 4 or names != ["Embedding", names[1], "Dense", "Activation"]:
        return None
    if names[1] not in _LAST_STATE:
        return None
    for name, layer in zip(names, layers, strict=True):
        expected = _KNOWN_SETTINGS[name] | (_PLAIN_RECURRENCE if name == names[1] else {})
        if not expected.items() <= layer.get_config().items():
            return None
    return names[1]


def _check_probabilities(preds: ArrayLike) -> np.ndarray:
    """Return preds as float64 if they can be the weights of a draw."""
    try:
        weights = np.asarray(preds, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"preds must be numbers, got {type(preds).__name__}") from None
    if weights.ndim != 1 or weights.size == 0:
        raise ValueError(f"preds must have shape (V,), V > 0, got {weights.shape}")
    if not np.isfinite(weights).all() or weights.min() < 0 or weights.max() == 0:
        raise ValueError(
            "preds must be finite, not negative and not all zero, got values from "
            f"{weights.min()} to {weights.max()}"
        )
    return weights


def _check_temperature(temperature: float) -> None:
    if isinstance(temperature, bool) or not isinstance(temperature, Real):
        raise TypeError(f"temperature must be a number above 0, got {temperature!r}")
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature must be finite and above 0, got {temperature}")


def _check_count(value: object, name: str, smallest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer of at least {smallest}, got {value!r}")
    if value < smallest:
        raise ValueError(f"{name} must be an integer of at least {smallest}, got {value}")
