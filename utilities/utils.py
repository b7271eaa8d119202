"""Data preparation for Questions 1 and 5.

``get_housing_dataset`` makes the three-class housing data of the two-layer net,
``preprocess_text_data`` the windows of characters of the recurrent nets. Where the
raw data comes from is ``utilities.datasets``' business.
"""

import re

import numpy as np

SEQUENCE_LENGTH = 30

_HOUSING_ROWS = 500
_HOUSING_CLASSES = 3

# Gutenberg frames every book with these two lines; older files say THIS for THE.
_START_MARKER = re.compile(r"^\*{3} ?START OF TH(E|IS) PROJECT GUTENBERG EBOOK\b.*$", re.M | re.I)
_END_MARKER = re.compile(r"^\*{3} ?END OF TH(E|IS) PROJECT GUTENBERG EBOOK\b.*$", re.M | re.I)

_CLEANING_RULES = [
    # a lone space stays: what sub puts in takes many times the memory of the text it is put for
    (re.compile(r"[^\S ]\s*| \s+"), " "),
    (re.compile(r"[^a-z0-9.,!?'\";:\- ]"), ""),
    (re.compile(r"([.,!?])\1+"), r"\1"),
    # spaces from the first of a run only: else a long run is read again from each of its spaces
    (re.compile(r"(?:(?<! ) +)?([.,!?;:]+) *"), r"\1 "),
    (re.compile(r"([\"']) (\w)"), r"\1\2"),
    (re.compile(r"(\w) ([\"'])"), r"\1\2"),
    (re.compile(r" {2,}"), " "),
]


def get_housing_dataset() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return California housing in three price classes, split and scaled.

    Returns
    -------
    x_train : ndarray of float64, shape (375, 8)
        Features, each scaled to [0, 1] over the training rows.
    y_train : ndarray of float64, shape (375, 3)
        One-hot price class: low, med, high.
    x_test : ndarray of float64, shape (125, 8)
        Features, scaled as the training rows are.
    y_test : ndarray of float64, shape (125, 3)
        One-hot price class.

    Raises
    ------
    utilities.datasets.DataError
        If the housing data is missing or damaged.

    References
    ----------
    Pace and Barry, "Sparse spatial autoregressions", Statistics and Probability
    Letters 33 (1997).
    """
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import MinMaxScaler

    from utilities.datasets import load_housing

    features, target = load_housing()
    rows = np.random.RandomState(3).permutation(len(features))[:_HOUSING_ROWS]
    features, target = features[rows], target[rows]
    order = order_of_targets(target)
    features, target = features[order], target[order]
    one_hot = np.eye(_HOUSING_CLASSES)[price_classes(target)]
    x_train, x_test, y_train, y_test = train_test_split(features, one_hot, random_state=1)
    scaler = MinMaxScaler().fit(x_train)
    return scaler.transform(x_train), y_train, scaler.transform(x_test), y_test


def order_of_targets(target: np.ndarray) -> np.ndarray:
    """Return the row order that sorts the target, ties as the published figures have them.

    Parameters
    ----------
    target : ndarray of float64, shape (N,)

    Returns
    -------
    ndarray of int, shape (N,)

    Notes
    -----
    NumPy sorts float64 with vector instructions where the processor has them, and
    each kind breaks ties in its own way. Extended precision always takes the scalar
    introsort, so the order is the same everywhere.
    """
    return np.argsort(target.astype(np.longdouble))


def price_classes(target: np.ndarray) -> np.ndarray:
    """Cut sorted targets into three classes of equal size; equal targets share one.

    Parameters
    ----------
    target : ndarray of float64, shape (N,)
        In ascending order.

    Returns
    -------
    ndarray of int, shape (N,)
        0, 1 or 2. Rows with the same target have the highest class among them.
    """
    size = len(target) // _HOUSING_CLASSES
    classes = np.minimum(np.arange(len(target)) // size, _HOUSING_CLASSES - 1)
    last_of_equals = np.searchsorted(target, target, side="right") - 1
    return classes[last_of_equals]


def clean_text(text: str) -> str:
    """Reduce a text to the 46 symbols the models may see.

    Parameters
    ----------
    text : str
        Any text. Of a Project Gutenberg file only the part from the START to the
        END marker line is kept, both included.

    Returns
    -------
    str
        Lower case; white space runs one space; letters a-z, digits, ``. , ! ? ' " ; : -``
        and space only; no mark of ``. , ! ?`` doubled; one space after a run of
        ``. , ! ? ; :`` and none before, unless another run ends there; no space between a
        quotation mark and the word it touches.

    Notes
    -----
    UTF-8 bytes that were decoded as Latin-1 or Windows-1252, as ``requests`` does when
    a server names no encoding, are decoded again.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {type(text).__name__}")
    text = trim_to_markers(_undo_wrong_decoding(text)).lower()
    for pattern, replacement in _CLEANING_RULES:
        text = pattern.sub(replacement, text)
    return text.strip()


def trim_to_markers(text: str) -> str:
    """Return a Project Gutenberg text from its START to its END marker line, both included.

    Parameters
    ----------
    text : str
        A text without the markers is returned whole.

    Returns
    -------
    str
    """
    start = _START_MARKER.search(text)
    end = _END_MARKER.search(text)
    return text[start.start() if start else 0 : end.end() if end else len(text)]


def preprocess_text_data(text: str) -> dict:
    """Turn a text into windows of character indices and the character after each.

    Parameters
    ----------
    text : str
        For example Macbeth from Project Gutenberg, with or without header and licence.

    Returns
    -------
    dict
        ``x`` (N, 30) windows and ``y`` (N, 1) the index of the next character, both
        int64; ``text`` the cleaned text of N + 30 characters; ``vocab`` its characters in
        order; ``char_indices`` and ``indices_char`` between characters and indices;
        ``vocab_size``; ``sequence_len`` 30. The rows of ``x`` overlap in memory and are
        read-only: copy before writing to them.

    Raises
    ------
    TypeError
        If text is not a str.
    ValueError
        If fewer than 31 characters are left after cleaning.
    """
    cleaned = clean_text(text)
    if len(cleaned) <= SEQUENCE_LENGTH:
        raise ValueError(
            f"text must have more than {SEQUENCE_LENGTH} characters after cleaning, "
            f"got {len(cleaned)}"
        )
    x, y, vocab = text_windows(cleaned)
    return {
        "x": x,
        "y": y,
        "text": cleaned,
        "char_indices": {character: index for index, character in enumerate(vocab)},
        "indices_char": dict(enumerate(vocab)),
        "vocab": vocab,
        "vocab_size": len(vocab),
        "sequence_len": SEQUENCE_LENGTH,
    }


def text_windows(cleaned: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return every window of a cleaned text and the character after it, as indices.

    Parameters
    ----------
    cleaned : str
        N + 30 ASCII characters, N > 0.

    Returns
    -------
    x : ndarray of int64, shape (N, 30)
        A read-only view: its rows share the memory of one array of N + 30 indices.
    y : ndarray of int64, shape (N, 1)
    vocab : list of str
        The V different characters in order; the indices count through it.
    """
    codes = np.frombuffer(cleaned.encode("ascii"), dtype=np.uint8)
    is_used = np.zeros(128, dtype=bool)
    is_used[codes] = True
    used = np.flatnonzero(is_used)  # (V,)
    # a look-up, where sorting would take longer
    indices = (np.cumsum(is_used) - 1)[codes]  # (N + 30,)
    windows = np.lib.stride_tricks.sliding_window_view(indices, SEQUENCE_LENGTH)
    return windows[:-1], indices[SEQUENCE_LENGTH:, np.newaxis], [chr(code) for code in used]


def _undo_wrong_decoding(text: str) -> str:
    """Return text, decoded as UTF-8 if it is UTF-8 bytes read as a one-byte encoding."""
    if text.isascii():
        return text
    for encoding in ("latin-1", "cp1252"):
        try:
            return text.encode(encoding).decode("utf-8")
        except UnicodeError:  # it was not decoded so, or not from UTF-8
            continue
    return text
