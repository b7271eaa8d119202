"""Comparing what a student's code gave with what it should have given, in a student's words."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograder.channel import Other

SAMPLE = 3  # values of the reference that a message may show


class Mismatch(Exception):  # noqa: N818
    """A part of a check failed; the message is for the student."""


def as_array(called: str, got: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Return a result as an array of numbers, or say what it was instead."""
    if isinstance(got, Other) or got is None or isinstance(got, (str, dict, set)):
        raise Mismatch(f"{called}: expected an array of numbers, got {kind_of(got)}")
    try:
        array = np.asarray(got)
    except ValueError:
        raise Mismatch(f"{called}: expected an array, got rows of unequal length") from None
    if array.dtype.kind not in "fiub":
        raise Mismatch(f"{called}: expected numbers, got {kind_of(got)}")
    if shape is not None and array.shape != shape:
        raise Mismatch(f"{called}: expected shape {shape}, got {array.shape}")
    return array


def kind_of(value: Any) -> str:
    """Name a value's type as a student would."""
    if isinstance(value, Other):
        return f"a value of type {value.type_name}"
    return "None (is a return missing?)" if value is None else f"a {type(value).__name__}"


def close(
    called: str,
    got: Any,
    expected: Any,
    hint: str = "",
    *,
    rtol: float = 1e-9,
    atol: float = 1e-12,
    wrong: Sequence[tuple[str, Any]] = (),
    at: Any = None,
) -> None:
    """Raise unless two arrays of numbers agree.

    Parameters
    ----------
    called : str
        What was called, in a student's words.
    got, expected : array_like
    hint : str
        What to look at.
    rtol, atol : float
        Allowed error. By default far above what the order of float64 operations changes,
        and far below any mistake.
    wrong : sequence of (str, array_like)
        Results of known mistakes; the text replaces the hint if one of them was made.
    at : array_like, optional
        The inputs, to be shown beside the values, if they have the same shape.
    """
    expected = np.asarray(expected, dtype=float)
    array = as_array(called, got, expected.shape).astype(float)
    with np.errstate(invalid="ignore"):
        error = np.abs(array - expected)
    bad = ~(error <= atol + rtol * np.abs(expected)) & ~(array == expected)
    if not bad.any():
        return
    places = [tuple(map(int, place)) for place in np.argwhere(bad)[:SAMPLE]]
    finite = error[bad & np.isfinite(error)]
    largest = f"{finite.max():.3g}" if finite.size else "not a number"
    lines = [
        f"{called}: {int(bad.sum())} of {array.size} values are wrong, largest error {largest}"
    ]
    for place in places:
        where = f" at [{', '.join(map(str, place))}]" if place else ""
        has_input = at is not None and np.shape(at) == array.shape
        given = f" (input {np.asarray(at)[place]:.6g})" if has_input else ""
        lines.append(f"  expected {expected[place]:.8g}, got {array[place]:.8g}{where}{given}")
    for text, variant in wrong:
        variant = np.asarray(variant, dtype=float)
        if variant.shape == array.shape and np.allclose(array, variant, rtol=1e-7, atol=1e-10):
            hint = text
    raise Mismatch("\n".join([*lines, *([f"  Hint: {hint}"] if hint else [])]))


def equal(called: str, got: Any, expected: Any, hint: str = "") -> None:
    """Raise unless two plain values are the same."""
    same = type(got) is not Other and not isinstance(got, np.ndarray) and got == expected
    if not same:
        shown = kind_of(got) if isinstance(got, (Other, np.ndarray)) else repr(got)[:200]
        text = f"{called}: expected {repr(expected)[:200]}, got {shown}"
        raise Mismatch(text + (f"\n  Hint: {hint}" if hint else ""))


def whole_numbers(called: str, got: Any, expected: Sequence[int], hint: str = "") -> None:
    """Raise unless two sequences of whole numbers are the same."""
    expected = np.asarray(expected)
    array = as_array(called, got, expected.shape)
    if not np.array_equal(array, expected):
        count = int(np.sum(array != expected))
        text = f"{called}: {count} of {array.size} entries differ"
        text += f"\n  expected {expected.ravel()[:SAMPLE].tolist()}..., "
        text += f"got {array.ravel()[:SAMPLE].tolist()}..."
        if np.array_equal(np.sort(array, axis=None), np.sort(expected, axis=None)):
            text += " (the same numbers in another order)"
        raise Mismatch(text + (f"\n  Hint: {hint}" if hint else ""))


def is_lively(value: Any) -> bool:
    """Tell whether values can vouch for what is made of them: finite, and not all the same.

    With a constant in silu's place, a forward pass that leaves out half its layers would look
    right.
    """
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return False
    return bool(array.size > 1 and np.isfinite(array).all() and np.ptp(array) > 0)


def fails(way: Callable[[], None]) -> Mismatch | None:
    """Return why a comparison fails, or None if it passes."""
    try:
        way()
    except Mismatch as mismatch:
        return mismatch
    return None


def one_of(called: str, got: Any, candidates: Sequence[Any], hint: str = "", **options: Any) -> Any:
    """Return the first candidate that agrees; raise with the first one's message if none does.

    Candidates that could not be had are None.
    """
    first = None
    for candidate in candidates:
        if candidate is None:
            continue
        mismatch = fails(lambda c=candidate: close(called, got, c, hint, **options))
        if mismatch is None:
            return candidate
        first = first or mismatch
    raise first
