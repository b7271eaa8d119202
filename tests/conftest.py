"""Fixtures and settings of the whole suite.

The suite needs no network. Tests of published figures ask for ``real_data`` and are skipped
only where the set really is missing; in CI with HW4_DATA_HOME set, missing data is a failure.
"""

import os
import sys
from pathlib import Path

# Before any test imports TensorFlow or matplotlib: no log chatter, no windows.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ["MPLBACKEND"] = "Agg"

for folder in (Path(__file__).parent, Path(__file__).resolve().parents[1]):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

# TensorFlow first and torchvision after it ends in a segmentation fault: both bring an LLVM (seen
# with TensorFlow 2.21 and the Triton of PyTorch 2.12). The other order works, whatever tests run.
import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402, F401


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes tens of seconds; runs by default")


@pytest.fixture
def real_data(monkeypatch):
    """Return a function that gives the folder of a real set, or skips where the set is missing."""
    from utilities import datasets

    def need(name):
        home = datasets.data_home()
        files = datasets.CATALOGUE[name].files
        if all((home / file).exists() for file in files):
            assert not datasets.is_standin(name)
            return home
        reason = f"the real data set {name!r} is not below {home}"
        if os.environ.get("CI") and os.environ.get("HW4_DATA_HOME"):
            pytest.fail(f"{reason}, although CI and HW4_DATA_HOME are set")
        pytest.skip(reason)

    monkeypatch.delenv("HW4_STANDIN", raising=False)
    return need


@pytest.fixture
def one_thread():
    """Keep PyTorch to one thread: small batches have little for two, which wait for busy cores."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


@pytest.fixture(autouse=True)
def _global_stream_is_put_back():
    """Keep one test's draws from NumPy's global stream out of the next test."""
    before = np.random.get_state()
    yield
    np.random.set_state(before)


@pytest.fixture
def pyplot():
    """Give matplotlib's pyplot with no figure open, and close what the test drew."""
    import matplotlib

    matplotlib.use("Agg", force=True)
    import matplotlib.pyplot as plt

    plt.close("all")
    yield plt
    plt.close("all")
