"""Feature map and kernel of Question 4, as the notebook defines them, for points up to 1e9.

They take fourth powers: in float32 those of numbers beyond 3e9 overflow, as NumPy says itself.
"""

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import finite_arrays, makes_of, quietly

from utilities.run_notebook import NOTEBOOK

LARGEST = 1e9
POINTS = st.integers(1, 6).flatmap(lambda n: finite_arrays((n, 2), -LARGEST, LARGEST))


@pytest.fixture(scope="module")
def feature_map_and_kernel():
    """The two functions that the notebook defines in one cell."""
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    (source,) = (cell.source for cell in cells if "def feature_map(" in cell.source)
    names = {"np": np}
    exec(compile(source, NOTEBOOK.name, "exec"), names)
    return names["feature_map"], names["kernel"]


@given(x=POINTS, z=POINTS)
def test_the_kernel_is_the_inner_product_of_the_features_in_any_layout(
    feature_map_and_kernel, x, z
):
    feature_map, kernel = feature_map_and_kernel
    exact = (x.astype(np.longdouble) @ z.astype(np.longdouble).T) ** 2
    lengths = [(points.astype(np.longdouble) ** 2).sum(axis=1) for points in (x, z)]
    bound = 16 * rounding(x, z) * np.outer(*lengths) + underflow(x, z)
    for (name, a), (_, b) in zip(arrays_of(x), arrays_of(z), strict=True):
        features = [quietly(feature_map, points) for points in (a, b)]
        assert [phi.shape for phi in features] == [(len(x), 3), (len(z), 3)], name
        for values in (quietly(kernel, a, b), features[0] @ features[1].T):
            assert values.shape == (len(x), len(z)), name
            assert (np.abs(values - exact) <= bound).all(), name


def arrays_of(points):
    return [(name, made) for name, made in makes_of(points).items() if name != "a list"]


def rounding(*arrays):
    return max(np.finfo(array.dtype).eps for array in arrays)


def underflow(*arrays):
    """Return what is lost where a product of two coordinates is below the smallest normal."""
    return max(np.finfo(array.dtype).tiny for array in arrays) * 8 * LARGEST**2
