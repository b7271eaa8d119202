"""Question 5.2: text from a trained next-character model, one character at a time.

Symbols: S window length (``max_input_len``), V vocabulary size.
"""

from numbers import Integral, Real

import numpy as np


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
    ValueError
        If the two dictionaries are empty or not each other's inverse, or the
        window length is not a positive integer.
    """

    def __init__(self, char_indices, indices_char, max_input_len):
        if not char_indices or {i: c for c, i in char_indices.items()} != dict(indices_char):
            raise ValueError(
                "char_indices and indices_char must be non-empty inverses of each other, got "
                f"{len(char_indices)} characters and {len(indices_char)} indices"
            )
        _check_count(max_input_len, "max_input_len", smallest=1)
        self.char_indices = char_indices
        self.indices_char = indices_char
        self.max_input_len = max_input_len

    def sample(self, preds, temperature=0.5):
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

    def generate(self, model, seed_text, length=150, temperature=0.5):
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
        print(f"----- {model.model_name} Model -----")
        print(f"Prompt: {seed_text}")
        print("Model: ", end="")
        for _ in range(length):
            probabilities = np.asarray(model.model(window, training=False))[0]  # (V,)
            index = self.sample(probabilities, temperature)
            print(self.indices_char[index], end="", flush=True)
            window = np.append(window[:, 1:], [[index]], axis=1)
        print()

    def _first_window(self, seed_text):
        """Return the prompt's last S characters as indices, shape (1, S)."""
        if not isinstance(seed_text, str):
            raise TypeError(f"seed_text must be a str, got {type(seed_text).__name__}")
        text = seed_text[-self.max_input_len :].rjust(self.max_input_len)
        unknown = sorted(set(text) - set(self.char_indices))
        if unknown:
            raise ValueError(
                f"seed_text must hold only characters of the vocabulary "
                f"{''.join(sorted(self.char_indices))!r}, got {''.join(unknown)!r} as well"
            )
        return np.array([[self.char_indices[character] for character in text]])


def _check_probabilities(preds):
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


def _check_temperature(temperature):
    if isinstance(temperature, bool) or not isinstance(temperature, Real):
        raise TypeError(f"temperature must be a number above 0, got {temperature!r}")
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature must be finite and above 0, got {temperature}")


def _check_count(value, name, smallest):
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer of at least {smallest}, got {value!r}")
    if value < smallest:
        raise ValueError(f"{name} must be an integer of at least {smallest}, got {value}")
