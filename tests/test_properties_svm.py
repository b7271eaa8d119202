"""Feature map and kernel of Question 4, as the notebook defines them, for any points."""

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import finite_arrays, makes_of, quietly

from utilities.run_notebook import NOTEBOOK

LARGEST = 1e9
POINTS = st.integers(1, 6).flatmap(lambda n: finite_arrays((n, 2), -LARGEST, LARGEST, [np.float64]))


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
    features = [quietly(feature_map, points) for points in (x, z)]
    assert [phi.shape for phi in features] == [(len(x), 3), (len(z), 3)]
    products = features[0] @ features[1].T
    lengths = [(points**2).sum(axis=1) for points in (x, z)]  # of the features
    bound = 16 * (np.finfo(float).eps * np.outer(*lengths) + np.finfo(float).tiny * 2 * LARGEST**2)
    assert np.isfinite(products).all()
    for name, made in makes_of(x).items():
        if isinstance(made, np.ndarray):
            values = quietly(kernel, made, z)
            assert values.shape == (len(x), len(z)), name
            assert (np.abs(values - products) <= bound).all(), name
