"""What the property tests share: a profile, arrays of every make, and errors in units of rounding.

``HW4_HYPOTHESIS=thorough`` tries a few thousand examples of each property instead of a few dozen.
The few dozen are always the same ones, the thousands new ones each time; none is stored.
"""

import os
from contextlib import contextmanager

import mpmath
import numpy as np
from helpers import no_warnings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

mpmath.mp.dps = 50

settings.register_profile(
    "hw4",
    max_examples=40,
    derandomize=True,
    database=None,
    deadline=None,  # a loaded machine is no finding
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile(
    "thorough", settings.get_profile("hw4"), max_examples=3000, derandomize=False
)
settings.load_profile(os.environ.get("HW4_HYPOTHESIS") or "hw4")

FLOATS = (np.float64, np.float32)


def examples(share):
    """Return a setting with a share of the profile's examples, for properties that cost more."""
    return settings(max_examples=max(20, int(share * settings.default.max_examples)))


def finite_arrays(shape, low=None, high=None, dtypes=FLOATS):
    """Draw arrays of finite floats between two bounds, by default over the whole range."""

    def of_type(dtype):
        width = 8 * np.dtype(dtype).itemsize
        bounds = {"min_value": low, "max_value": high}
        elements = st.floats(allow_nan=False, allow_infinity=False, width=width, **bounds)
        return hnp.arrays(dtype, shape, elements=elements)

    return st.sampled_from(dtypes).flatmap(of_type)


def makes_of(array):
    """Return the same numbers as NumPy users may hold them, by the name of the make."""
    array = np.ascontiguousarray(array)
    read_only = array.copy()
    read_only.flags.writeable = False
    spread = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    spread[..., ::2] = array
    return {
        "contiguous": array,
        "Fortran order": np.asfortranarray(array),
        "every other element": spread[..., ::2],
        "reversed": array[::-1].copy()[::-1],
        "read-only": read_only,
        "a list": array.tolist(),
    }


MAKES = tuple(makes_of(np.zeros(1)))


def bytes_of(value):
    """Return what a value holds, to compare before and after."""
    return np.asarray(value).tobytes()


def quietly(function, *arrays):
    """Call a function; fail on a warning or if it changes one of the arrays."""
    before = [bytes_of(array) for array in arrays]
    with no_warnings():
        result = function(*arrays)
    assert [bytes_of(array) for array in arrays] == before
    return result


@contextmanager
def or_refused(*arrays, beyond):
    """Allow the refusal of an overflow, if an array holds a number so large that one may be due."""
    try:
        yield
    except ValueError as refusal:
        is_due = max(float(np.abs(array).max()) for array in arrays) > beyond
        if not (is_due and str(refusal).endswith("got an overflow")):
            raise


def error_of(value, exact, dtype=np.float64):
    """Return the distance of a float to an exact number, and that distance in ulps of the number.

    An ulp is the spacing of the floats at the exact number.
    """
    distance = abs(mpmath.mpf(float(value)) - exact)
    below_top = float(np.finfo(dtype).max) / 1.5  # as far apart as at the top, where none follows
    spacing = np.spacing(dtype(min(abs(float(exact)), below_top)))
    return float(distance), float(distance / mpmath.mpf(float(spacing)))


def assert_close_to_exact(values, exact, epsilon, dtype=np.float64, ulps=4):
    """Fail unless every value is within some ulps, or an absolute epsilon, of the exact number.

    There may be one epsilon for all values, or one for each.
    """
    values = np.ravel(values)
    for value, number, allowed in zip(
        values, exact, np.broadcast_to(epsilon, values.shape), strict=True
    ):
        distance, in_ulps = error_of(value, number, dtype)
        assert in_ulps <= ulps or distance <= allowed, (value, mpmath.nstr(number, 20), in_ulps)
