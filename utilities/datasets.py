"""Where the notebook's four data sets come from: this folder, a download, or a stand-in.

Read ``locate`` first: it runs the search order, and every loader goes through it.

1. ``$HW4_DATA_HOME`` (``data/`` when unset; a relative path counts from the project root);
2. a download into that folder;
3. only with ``HW4_STANDIN=1``, a stand-in made by ``utilities/standins.py``.

Nothing is called real before its content has been checked, and a damaged file is refused by name:
it is neither read nor replaced, because only its owner knows what it was.

``python -m utilities.datasets [--standin]`` gets all four and prints where they are.

References
----------
Pace and Barry, "Sparse spatial autoregressions", Statistics & Probability Letters 33, 1997.
Xiao, Rasul and Vollgraf, "Fashion-MNIST", arXiv 1708.07747, 2017.
Koklu and Özkan, "Dry Bean Dataset", UCI Machine Learning Repository 602, DOI 10.24432/C50S4B.
Shakespeare, "Macbeth", Project Gutenberg 1533.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import gzip
import hashlib
import http.client
import io
import lzma
import os
import pickle
import re
import sys
import tarfile
import tempfile
import threading
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import numpy as np
import pandas as pd

from utilities.files import staging_folder

if TYPE_CHECKING:
    from torchvision.datasets import FashionMNIST

PROJECT_ROOT = Path(__file__).resolve().parent.parent
HOME_VARIABLE = "HW4_DATA_HOME"
STANDIN_VARIABLE = "HW4_STANDIN"
REAL = "real"
STANDIN = "STAND-IN"

ATTEMPTS = 3  # per mirror, for faults that may pass: HTTP 5xx, a body cut short
RETRY_PAUSE = 0.5  # seconds before the second attempt, twice that before the third
CONNECT_TIMEOUT = 5  # seconds
READ_TIMEOUT = 20  # seconds without a byte
SLOW_WINDOW = 30  # seconds in which a transfer has to bring SLOWEST bytes each, or is given up
SLOWEST = 1024
LARGEST_TABLE = 32 * 2**20  # bytes of a table in an archive; the published ones have under 5 MB

# Every address that is ever contacted, first choice first. A Fashion-MNIST entry is a folder.
URLS: dict[str, tuple[str, ...]] = {
    "housing": ("https://ndownloader.figshare.com/files/5976036",),
    "fashion_mnist": (
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",  # Keras' own mirror
    ),
    "dry_beans": (
        "https://archive.ics.uci.edu/static/public/602/dry+bean+dataset.zip",
        "https://archive.ics.uci.edu/static/public/602/data.csv",
    ),
    "macbeth": (
        "https://www.gutenberg.org/cache/epub/1533/pg1533.txt",
        "https://www.gutenberg.org/ebooks/1533.txt.utf-8",
        "https://www.gutenberg.org/files/1533/1533-0.txt",
    ),
}
# These hosts and their subdomains: those above, and where figshare and GitHub keep their files.
DATA_HOSTS = (
    "figshare.com",
    "s3-eu-west-1.amazonaws.com",
    "github.com",
    "githubusercontent.com",
    "storage.googleapis.com",
    "archive.ics.uci.edu",
    "gutenberg.org",
)
_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class _Catalogue:
    """What is known about a data set before it is found."""

    title: str
    files: tuple[str, ...]  # below the data home, in the form their own loaders expect
    shown_as: str  # the file or folder that the table names
    origin: str
    page: str  # where a person can get it


_FASHION_RAW = "FashionMNIST/raw"
CATALOGUE: dict[str, _Catalogue] = {
    "housing": _Catalogue(
        "California housing",
        ("scikit_learn_data/cal_housing_py3.pkz",),
        "scikit_learn_data/cal_housing_py3.pkz",
        "scikit-learn, StatLib (Pace and Barry 1997)",
        "scikit-learn's fetch_california_housing, run on a machine with internet",
    ),
    "fashion_mnist": _Catalogue(
        "Fashion-MNIST",
        tuple(
            f"{_FASHION_RAW}/{part}-ubyte"
            for part in (
                "train-images-idx3",
                "train-labels-idx1",
                "t10k-images-idx3",
                "t10k-labels-idx1",
            )
        ),
        "FashionMNIST",
        "Zalando Research, MIT licence",
        "https://github.com/zalandoresearch/fashion-mnist",
    ),
    "dry_beans": _Catalogue(
        "Dry Bean",
        ("Dry_Bean_Dataset.csv",),
        "Dry_Bean_Dataset.csv",
        "UCI 602 (Koklu and Özkan 2020), CC BY 4.0",
        "https://archive.ics.uci.edu/dataset/602/dry+bean+dataset",
    ),
    "macbeth": _Catalogue(
        "Macbeth",
        ("macbeth/1533-0.txt",),
        "macbeth/1533-0.txt",
        "Project Gutenberg 1533, public domain",
        "https://www.gutenberg.org/ebooks/1533",
    ),
}

HOUSING_SHAPE = (20640, 9)
HOUSING_SHA256 = "898f39f9b96274ded9a9f5a3b1b9f1dc032ab86955ac0f86b1c17330ba30cb25"

FASHION_HEADERS = {  # magic number, then the lengths of the axes, as big-endian 32-bit integers
    "train-images-idx3-ubyte": (2051, 60000, 28, 28),
    "train-labels-idx1-ubyte": (2049, 60000),
    "t10k-images-idx3-ubyte": (2051, 10000, 28, 28),
    "t10k-labels-idx1-ubyte": (2049, 10000),
}
FASHION_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}

BEAN_FEATURES = (
    "Area",
    "Perimeter",
    "MajorAxisLength",
    "MinorAxisLength",
    "AspectRation",
    "Eccentricity",
    "ConvexArea",
    "EquivDiameter",
    "Extent",
    "Solidity",
    "roundness",
    "Compactness",
    "ShapeFactor1",
    "ShapeFactor2",
    "ShapeFactor3",
    "ShapeFactor4",
)
BEAN_COLUMNS = (*BEAN_FEATURES, "Class")
BEAN_COUNTS = {  # in the order of the file, whose rows are grouped by class
    "SEKER": 2027,
    "BARBUNYA": 1322,
    "BOMBAY": 522,
    "CALI": 1630,
    "HOROZ": 1928,
    "SIRA": 2636,
    "DERMASON": 3546,
}
# sum of (1 + i / N) x_i over the rows i of each column of the UCI file
BEAN_SUMS = (
    1040488057.9560649,
    17115279.321034603,
    6426699.816761614,
    4040729.4918719567,
    32458.640290885804,
    15441.671222692361,
    1054491784.1971935,
    5069228.089142,
    15287.272227186804,
    20155.10465724032,
    17856.0340665729,
    16281.256844303907,
    136.67335014513537,
    35.206122505507615,
    13052.506855836567,
    20316.209384759524,
)

TEXT_LENGTH = 102188  # characters after cleaning
TEXT_SYMBOLS = " !,-.:;?abcdefghijklmnopqrstuvwxyz"
TEXT_SHA256 = "98a207693e5aadd8f1ad8a03f0c3fc315714164b3159a1da5fbc8225cdbe81af"
_START_MARKER = re.compile(r"^\*\*\* ?START OF [^\r\n]*\*\*\*", re.MULTILINE)
_END_MARKER = re.compile(r"^\*\*\* ?END OF [^\r\n]*\*\*\*", re.MULTILINE)


class DataError(RuntimeError):
    """A data set cannot be used."""


class MissingDataError(DataError, FileNotFoundError):
    """A data set is neither here nor to be had, and no stand-in was asked for."""


class DamagedDataError(DataError, ValueError):
    """A file is not what its name says."""


class RefusedAddressError(OSError):
    """An address, or one it leads to, is not HTTPS on a named data host."""


class SlowServerError(OSError):
    """A transfer all but stands still."""


class StandInWarning(UserWarning):
    """Made-up data is being used in place of a real data set."""


# The default filter shows a warning once a line; this one is due at every load.
warnings.simplefilter("always", StandInWarning, append=True)


@dataclass(frozen=True)
class DataSource:
    """A data set that was found, with its content checked.

    Attributes
    ----------
    name : str
        One of ``housing``, ``fashion_mnist``, ``dry_beans``, ``macbeth``.
    title : str
        The name to print.
    kind : {"real", "STAND-IN"}
        Whether the content was proven to be the published one.
    origin : str
        Publisher and licence.
    path : Path
        The file, or the folder ``FashionMNIST``.
    """

    name: str
    title: str
    kind: str
    origin: str
    path: Path


def data_home() -> Path:
    """Return the folder that holds the data: ``$HW4_DATA_HOME``, else ``data/`` of the project.

    Returns
    -------
    Path
        Absolute; a relative setting counts from the project root, whatever the working directory.
    """
    setting = Path(os.environ.get(HOME_VARIABLE) or "data").expanduser()
    return Path(os.path.abspath(PROJECT_ROOT / setting))


def standins_allowed() -> bool:
    """Return whether ``HW4_STANDIN`` asks for stand-ins where real data cannot be had."""
    return os.environ.get(STANDIN_VARIABLE, "").strip().lower() in {"1", "true", "yes", "on"}


# --- checks: what is in a file -------------------------------------------------------------------


def _damaged(path: Path, expected: str, got: str) -> DamagedDataError:
    """Make the error that names a bad file, what was expected, what came and what to do."""
    return DamagedDataError(
        f"{path.name} is damaged: expected {expected}, got {got}. "
        f"Delete {path} and run again; the file will then be fetched anew."
    )


def _read(path: Path, expected: str) -> bytes:
    """Read a file that is neither empty nor a web page."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _damaged(path, expected, f"a file that cannot be read ({error})") from error
    if not content:
        raise _damaged(path, expected, "an empty file")
    if content[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html")):
        raise _damaged(path, expected, "an HTML page")
    return content


def _check_housing(home: Path, real: bool) -> None:
    path = home / CATALOGUE["housing"].files[0]
    houses = _read_houses(path)
    digest = hashlib.sha256(houses.astype("<f8").tobytes(order="C")).hexdigest()
    if real and digest != HOUSING_SHA256:
        raise _damaged(path, "the published values", f"altered ones (SHA-256 {digest[:12]}...)")


def _read_houses(path: Path) -> np.ndarray:
    """Read the table in scikit-learn's copy without running what else its pickle may hold."""
    expected = f"a {HOUSING_SHAPE} array of houses in joblib's zlib form"
    houses = _unpickle_array(path, _read(path, expected), expected)
    if houses.shape != HOUSING_SHAPE or houses.dtype != np.float64:
        raise _damaged(path, expected, f"an array {houses.shape} of {houses.dtype}")
    if not np.isfinite(houses).all():
        raise _damaged(path, expected, "values that are not finite")
    return houses


def _unpickle_array(path: Path, content: bytes, expected: str) -> np.ndarray:
    """Read the array in a joblib pickle; whatever else the pickle would build is refused."""
    try:
        stream = zlib.decompressobj().decompress(
            content, 4 * 8 * HOUSING_SHAPE[0] * HOUSING_SHAPE[1]
        )
        array = _array_unpickler()(path.name, io.BytesIO(stream), False).load()
    except pickle.UnpicklingError as error:
        raise _damaged(path, expected, str(error)) from error
    except Exception as error:  # a broken pickle fails in any way its opcodes allow
        raise _damaged(path, expected, f"unreadable content ({error})") from error
    if type(array) is not np.ndarray:
        raise _damaged(path, expected, f"a {type(array).__name__}")
    return array


def _array_unpickler() -> type:
    """Make a joblib unpickler that knows plain NumPy arrays and nothing else."""
    from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler

    class PlainArray(NumpyArrayWrapper):
        def read(self, unpickler: Any, *args: Any) -> np.ndarray:
            if self.dtype.hasobject:  # joblib would read those with a nested pickle
                raise pickle.UnpicklingError("an array of Python objects")
            return super().read(unpickler, *args)

    known = {
        ("joblib.numpy_pickle", "NumpyArrayWrapper"): PlainArray,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    class ArrayUnpickler(NumpyUnpickler):
        def find_class(self, module: str, name: str) -> type:
            if (module, name) not in known:
                raise pickle.UnpicklingError(f"a pickle that calls {module}.{name}")
            return known[module, name]

    return ArrayUnpickler


def _check_fashion_mnist(home: Path, real: bool) -> None:
    for path in _files("fashion_mnist", home):
        _check_images(path, real)
    _refuse_processed_fashion_mnist(home)


def _check_images(path: Path, real: bool) -> None:
    magic, *axes = FASHION_HEADERS[path.name]
    expected = f"{' x '.join(map(str, axes))} unsigned bytes in IDX form"
    content = _read(path, expected)
    header = np.array([magic, *axes], dtype=">u4").tobytes()
    if len(content) != len(header) + np.prod(axes) or not content.startswith(header):
        raise _damaged(path, expected, f"{len(content):,} bytes that do not fit")
    digest = hashlib.sha256(content).hexdigest()
    if real and digest != FASHION_SHA256[path.name]:
        raise _damaged(path, "the published bytes", f"altered ones (SHA-256 {digest[:12]}...)")


def _refuse_processed_fashion_mnist(home: Path) -> None:
    """Refuse the tensors that old torchvision versions left: it would read them, unchecked."""
    path = home / "FashionMNIST/processed/training.pt"
    if path.exists():
        raise _damaged(path, "no such file", "one that torchvision reads before the raw images")


def _check_dry_beans(home: Path, real: bool) -> None:
    path = home / CATALOGUE["dry_beans"].files[0]
    beans = _read_beans(path)
    rows = sum(BEAN_COUNTS.values())
    if beans.shape != (rows, len(BEAN_COLUMNS)):
        raise _damaged(path, f"{rows:,} rows of {len(BEAN_COLUMNS)}", f"a table {beans.shape}")
    if beans["Class"].tolist() != np.repeat(list(BEAN_COUNTS), list(BEAN_COUNTS.values())).tolist():
        counts = beans["Class"].value_counts(sort=False).to_dict()
        raise _damaged(path, f"the classes {BEAN_COUNTS}, in this order", f"{counts}")
    features = beans[list(BEAN_FEATURES)]
    if not all(pd.api.types.is_numeric_dtype(kind) for kind in features.dtypes):
        raise _damaged(path, "numbers in the first 16 columns", "text among them")
    if not np.isfinite(features.to_numpy(float)).all():
        raise _damaged(path, "finite numbers", "missing or infinite ones")
    if real:
        _check_bean_values(path, features.to_numpy(float))


def _check_bean_values(path: Path, values: np.ndarray) -> None:
    """Compare the columns' weighted sums; UCI's own files differ in the digits they carry."""
    weights = bean_weights(len(values))
    for name, column, expected in zip(BEAN_FEATURES, values.T, BEAN_SUMS, strict=True):
        # rounding to d decimals has standard deviation 10^-d / sqrt(12); six of them, and float64
        rounding = 10.0 ** -_decimals(column) / np.sqrt(12) * np.linalg.norm(weights)
        tolerance = 6 * rounding + 1e-13 * abs(expected)
        if abs(weights @ column - expected) > tolerance:
            raise _damaged(path, f"the published values of {name}", "altered ones")


def bean_weights(rows: int) -> np.ndarray:
    """Return weights that differ from row to row, so that swapped values change a sum too."""
    return 1 + np.arange(rows) / rows


def _decimals(column: np.ndarray) -> int:
    """Return how many decimals a column was written with, at least 6 and at most 12."""
    return next((d for d in range(6, 12) if np.allclose(column, column.round(d), 0, 1e-13)), 12)


def _read_beans(path: Path) -> pd.DataFrame:
    """Read the bean table, with the column names of the CSV whichever source spelt them."""
    expected = "a comma-separated table of beans"
    try:
        beans = pd.read_csv(io.BytesIO(_read(path, expected)))
    except DamagedDataError:
        raise
    except ValueError as error:  # pandas' parser errors and bad UTF-8 are ValueErrors
        raise _damaged(path, expected, f"unreadable content ({error})") from error
    beans = beans.rename(columns=_bean_column)
    missing = [name for name in BEAN_COLUMNS if name not in beans.columns]
    if missing:
        raise _damaged(path, f"the column {missing[0]}", f"columns {list(beans.columns)[:20]}")
    return beans[list(BEAN_COLUMNS)]


def _bean_column(name: str) -> str:
    """Return the CSV's spelling of a column name (UCI also writes AspectRatio and Roundness)."""
    spellings = {column.lower(): column for column in BEAN_COLUMNS}
    return ({"aspectratio": "AspectRation"} | spellings).get(str(name).strip().lower(), str(name))


def _check_macbeth(home: Path, real: bool) -> None:
    from utilities.utils import clean_text

    path = home / CATALOGUE["macbeth"].files[0]
    text = clean_text(_read_play(path))
    if len(text) != TEXT_LENGTH or "".join(sorted(set(text))) != TEXT_SYMBOLS:
        expected = f"{TEXT_LENGTH:,} characters over {len(TEXT_SYMBOLS)} symbols after cleaning"
        raise _damaged(path, expected, f"{len(text):,} over {len(set(text))}")
    digest = hashlib.sha256(text.encode()).hexdigest()
    if real and digest != TEXT_SHA256:
        raise _damaged(path, "the published text", f"an altered one (SHA-256 {digest[:12]}...)")


def _read_play(path: Path) -> str:
    """Read a text as UTF-8, from its START marker line to its END marker line."""
    expected = "UTF-8 text between Project Gutenberg's START and END marker lines"
    content = _read(path, expected)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _damaged(path, expected, f"another encoding ({error})") from error
    start, end = _START_MARKER.search(text), _END_MARKER.search(text)
    if start is None or end is None or end.start() < start.end():
        missing = "START" if start is None else "END"
        raise _damaged(path, expected, f"{len(text):,} characters without the {missing} marker")
    return text[start.start() : end.end()]


_CHECKS: dict[str, Callable[[Path, bool], None]] = {
    "housing": _check_housing,
    "fashion_mnist": _check_fashion_mnist,
    "dry_beans": _check_dry_beans,
    "macbeth": _check_macbeth,
}
_checked: set[tuple] = set()  # files that passed in this process


def _verify(name: str, home: Path, real: bool) -> None:
    """Check a data set's content, unless the very same files passed before in this process."""
    key = (name, real, *map(_fingerprint, _files(name, home)))
    if key not in _checked:
        _CHECKS[name](home, real)
        _checked.add(key)


def _fingerprint(path: Path) -> tuple:
    try:
        stat = path.stat()
    except OSError:  # gone or a dangling link: never checked before, and the check says so
        return (path, time.monotonic_ns())
    return (path, stat.st_mtime_ns, stat.st_size)


def _files(name: str, home: Path) -> list[Path]:
    return [home / file for file in CATALOGUE[name].files]


# --- downloads -----------------------------------------------------------------------------------


def _fetch_housing(url: str, folder: Path) -> None:
    """Fetch StatLib's archive and store its table as scikit-learn would."""
    import joblib

    archive = _fetch_file(url, folder / "download")
    with tarfile.open(archive, "r:*") as bundle:  # requests undoes a declared gzip
        member = next((m for m in bundle if m.name.endswith("cal_housing.data")), None)
        if member is None or not member.isfile():
            raise _damaged(archive, "an archive with cal_housing.data", "one without")
        _refuse_large(archive, member.size)
        table = np.loadtxt(bundle.extractfile(member), delimiter=",", ndmin=2)
    if table.shape != HOUSING_SHAPE:
        raise _damaged(archive, f"a table {HOUSING_SHAPE}", f"one of {table.shape}")
    target = folder / CATALOGUE["housing"].files[0]
    target.parent.mkdir(parents=True, exist_ok=True)
    # the order of columns in scikit-learn's copy; its first is the value of the houses
    joblib.dump(table[:, [8, 7, 2, 3, 4, 5, 6, 1, 0]], target, compress=6)


def _refuse_large(archive: Path, size: int) -> None:
    """Raise if what an archive holds would, unpacked, be far larger than any published table."""
    if size > LARGEST_TABLE:
        raise _damaged(
            archive, f"a table of at most {LARGEST_TABLE:,} bytes", f"one of {size:,} bytes"
        )


def _fetch_fashion_mnist(url: str, folder: Path) -> None:
    """Fetch and unpack the four files; one that came whole in an earlier attempt is kept."""
    for path in _files("fashion_mnist", folder):
        if path.exists():
            continue
        archive = _fetch_file(f"{url}{path.name}.gz", folder / "download")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_unpacked(archive, int(np.prod(FASHION_HEADERS[path.name][1:])) + 1024))
        try:
            _check_images(path, True)
        except DamagedDataError:
            path.unlink()
            raise


def _unpacked(archive: Path, limit: int) -> bytes:
    """Return what a gzip file holds, or the file itself where it was unpacked on the way."""
    content = archive.read_bytes()
    if not content.startswith(b"\x1f\x8b"):
        return content[:limit]
    with gzip.open(archive) as packed:
        return packed.read(limit)


def _fetch_dry_beans(url: str, folder: Path) -> None:
    target = folder / CATALOGUE["dry_beans"].files[0]
    download = _fetch_file(url, folder / "download")
    if zipfile.is_zipfile(download):
        _unpack_beans(download).to_csv(target, index=False)
    else:
        _read_beans(download.rename(target)).to_csv(target, index=False)


def _unpack_beans(archive: Path) -> pd.DataFrame:
    """Read the table from UCI's archive, which holds it as ARFF (a CSV would be as good)."""
    with zipfile.ZipFile(archive) as bundle:
        members = sorted(bundle.namelist(), key=lambda name: not name.lower().endswith(".csv"))
        member = next((m for m in members if m.lower().endswith((".csv", ".arff"))), None)
        if member is None:
            raise _damaged(archive, "an archive with the beans as ARFF", f"only {members}")
        _refuse_large(archive, bundle.getinfo(member).file_size)
        text = bundle.read(member).decode("utf-8-sig")
    table = pd.read_csv(io.StringIO(text)) if member.lower().endswith(".csv") else _read_arff(text)
    return table.rename(columns=_bean_column)


def _read_arff(text: str) -> pd.DataFrame:
    """Read a dense ARFF table: attribute lines name the columns, the data follow as CSV."""
    data = re.search(r"(?im)^@data[^\n]*\n", text)
    if data is None:
        raise ValueError("an ARFF file without @data")
    names = re.findall(r"(?im)^@attribute\s+['\"]?(\w+)", text[: data.start()])
    rows = io.StringIO(text[data.end() :])
    return pd.read_csv(rows, names=names, comment="%", skipinitialspace=True)


def _fetch_macbeth(url: str, folder: Path) -> None:
    # pooch stores the bytes as they come, so a wrong charset in the server's header does no harm
    _fetch_file(url, folder / CATALOGUE["macbeth"].files[0])


def _fetch_file(url: str, target: Path) -> Path:
    """Download one file with pooch, with a progress bar: the only way to the network."""
    with warnings.catch_warnings():
        # in a notebook tqdm, which pooch imports, misses widgets that the plain bar does not need
        warnings.filterwarnings("ignore", message="IProgress not found")
        import pooch
    from tqdm import tqdm

    _refuse_other_hosts(url)
    print(f"Downloading {url}", file=sys.stderr)
    target.parent.mkdir(parents=True, exist_ok=True)
    timeout = (CONNECT_TIMEOUT, READ_TIMEOUT)
    # a bar of our own, since pooch leaves its own open when a download fails
    with (
        tqdm(total=1, unit="B", unit_scale=True, ncols=79) as progress,
        _cut_when_slow(target) as note_reply,
    ):
        hooks = {"response": [note_reply, _refuse_to_be_led_elsewhere]}
        pooch.HTTPDownloader(progressbar=progress, timeout=timeout, hooks=hooks)(
            url, str(target), None
        )
    return target


def _refuse_other_hosts(url: str, led_from: str | None = None) -> None:
    """Raise unless an address is HTTPS on a named data host, or on this machine itself.

    Only this machine may lead to itself: what listens here is none of a data host's business.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    is_named = any(host == known or host.endswith(f".{known}") for known in DATA_HOSTS)
    is_ours = {host, urlsplit(led_from or url).hostname}.issubset(_THIS_MACHINE)
    if not is_ours and not (parts.scheme == "https" and is_named):
        raise RefusedAddressError(
            f"led to {parts.scheme}://{host}, expected HTTPS on one of {', '.join(DATA_HOSTS)}"
        )


def _refuse_to_be_led_elsewhere(response: Any, *_: Any, **__: Any) -> None:
    """Check where a redirection leads before requests follows it, and leave its body unread."""
    if response.is_redirect:
        _refuse_other_hosts(urljoin(response.url, response.headers["location"]), response.url)
        response.close()  # requests would read the body to its end, however slowly it comes


@contextlib.contextmanager
def _cut_when_slow(target: Path) -> Iterator[Callable]:
    """Cut a body that all but stands still; one that stands still times out by itself.

    Yields the hook that tells which reply is being read. Headers are not watched: nothing
    can be cut before they are whole.
    """
    replies: list[Any] = []
    done, is_slow = threading.Event(), threading.Event()

    def watch() -> None:
        size = 0
        while not done.wait(SLOW_WINDOW):
            before, size = size, target.stat().st_size if target.exists() else 0
            # nothing is to come of a reply that only leads elsewhere
            bodies = [reply.raw for reply in replies if not reply.is_redirect]
            if bodies and size - before < SLOWEST * SLOW_WINDOW:
                is_slow.set()
                # it may just have ended; urllib3 before 2.3 can only close
                with contextlib.suppress(OSError, ValueError, RuntimeError):
                    getattr(bodies[-1], "shutdown", bodies[-1].close)()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda reply, *_, **__: replies.append(reply)
    except Exception as error:
        if not is_slow.is_set():
            raise
        raise SlowServerError(f"slower than {SLOWEST} bytes a second") from error
    finally:
        done.set()
        thread.join()
        for reply in replies:
            reply.close()
    if is_slow.is_set():
        raise SlowServerError(f"slower than {SLOWEST} bytes a second")


_FETCHERS: dict[str, Callable[[str, Path], None]] = {
    "housing": _fetch_housing,
    "fashion_mnist": _fetch_fashion_mnist,
    "dry_beans": _fetch_dry_beans,
    "macbeth": _fetch_macbeth,
}
# what a download, an unpacking or a parser raises when the other side is at fault
_FETCH_ERRORS = (
    OSError,
    RuntimeError,
    ValueError,
    EOFError,
    lzma.LZMAError,
    http.client.HTTPException,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


def _download(name: str, home: Path) -> list[str]:
    """Fetch a data set into the data home; return why that failed, or an empty list.

    Everything arrives and is checked in a temporary folder on the same file system; whole files
    are then moved into place, so that no reader and no second download ever sees half of one.
    """
    failures: list[str] = []
    unreachable: set[str] = set()
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(staging_folder(home, ".download-"))
        except OSError as error:
            return [f"{home} cannot be written ({error.strerror}), so nothing was downloaded"]
        for url in URLS[name]:
            host = urlsplit(url).netloc
            if host in unreachable:
                continue
            error = _try_mirror(name, url, folder)
            if error is None:
                return _put_in_place(name, folder, home)
            if _is_disk_fault(error):
                return [f"{home} cannot be written ({error.strerror})"]
            failures.append(f"{url}: {_reason(error)}")
            if _connection_fault(error) is not None or _is_silent(error):
                unreachable.add(host)
    return failures


def _try_mirror(name: str, url: str, folder: Path) -> Exception | None:
    """Fetch and check a data set, up to three times; return the last error or None."""
    error: Exception | None = None
    for attempt in range(ATTEMPTS):
        time.sleep(attempt * RETRY_PAUSE)
        try:
            _FETCHERS[name](url, folder)
            _CHECKS[name](folder, True)
            return None
        except _FETCH_ERRORS as caught:
            error = caught
            _close_reply(error)
        if not _may_pass(error):
            break
    return error


def _close_reply(error: Exception) -> None:
    """Close the connection that an error of requests or urllib still holds."""
    reply = getattr(error, "response", None)
    reply = error if reply is None else reply
    if hasattr(reply, "close"):
        reply.close()


def _put_in_place(name: str, folder: Path, home: Path) -> list[str]:
    """Move checked files to where they belong; each move is atomic."""
    try:
        for file in CATALOGUE[name].files:
            (home / file).parent.mkdir(parents=True, exist_ok=True)
            os.replace(folder / file, home / file)
    except OSError as error:
        return [f"{home / file} cannot be written ({error.strerror})"]
    return []


def _status(error: Exception) -> int | None:
    """Return the HTTP status in an error of requests or urllib."""
    response = getattr(error, "response", None)
    return getattr(error, "code", None) or getattr(response, "status_code", None)


def _connection_fault(error: Exception) -> Exception | None:
    """Return why the server was never reached (no such name, refused, no answer), or None."""
    import requests

    if _status(error) is not None:
        return None
    if isinstance(error, requests.ConnectionError):  # urllib3's own error is its first argument
        return getattr(error.args[0] if error.args else None, "reason", None)
    # a URLError for a body cut short has a text as its reason
    reason = getattr(error, "reason", None)
    return reason if isinstance(reason, OSError) else None


def _is_silent(error: Exception) -> bool:
    """Return whether the server was reached and then let us wait."""
    import requests
    from urllib3.exceptions import ReadTimeoutError

    inner = error.args[0] if error.args else None
    return isinstance(error, requests.Timeout | SlowServerError | TimeoutError) or isinstance(
        inner, ReadTimeoutError
    )


def _is_disk_fault(error: Exception) -> bool:
    """Return whether this machine could not store what came."""
    return isinstance(error, OSError) and error.errno in _DISK_FAULTS


_DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS)


def _may_pass(error: Exception) -> bool:
    """Return whether trying the same address again makes sense."""
    import requests

    status = _status(error)
    if status is not None:
        return status >= 500 or status in (408, 429)
    is_final = isinstance(error, DamagedDataError | RefusedAddressError | requests.TooManyRedirects)
    faults = (_connection_fault(error) is not None, _is_silent(error), _is_disk_fault(error))
    return not (is_final or any(faults))


def _reason(error: Exception) -> str:
    """Say in one short line why a download failed."""
    fault = _connection_fault(error)
    if fault is not None:
        return f"no connection ({type(fault).__name__})"
    if isinstance(error, SlowServerError):
        return str(error)
    if _is_silent(error):
        return f"no answer for {READ_TIMEOUT} seconds"
    if _status(error) is not None:
        return f"HTTP status {_status(error)}"
    return (" ".join(str(error).split(" Delete ")[0].split()) or type(error).__name__)[:200]


# --- the search ----------------------------------------------------------------------------------

_settled: dict[tuple[str, Path], list[str]] = {}  # stand-ins chosen in this process, and why


def locate(name: str) -> DataSource:
    """Find a data set: in the data home, else by download, else (if allowed) as a stand-in.

    Parameters
    ----------
    name : {"housing", "fashion_mnist", "dry_beans", "macbeth"}
        The data set.

    Returns
    -------
    DataSource
        With its content checked.

    Raises
    ------
    ValueError
        For any other name.
    DamagedDataError
        If a file is there but is not what it should be; stand-ins allowed or not.
    MissingDataError
        If the data set cannot be had and ``HW4_STANDIN`` is not set.
    """
    if name not in CATALOGUE:
        raise ValueError(f"name must be one of {', '.join(CATALOGUE)}, got {name!r}")
    home = data_home()
    if _present(name, home):
        return _source(name, home, REAL)
    # a stand-in chosen once stays for the process: no second wait for a network that is not there
    failures = _settled.get((name, home)) if standins_allowed() else None
    if failures is None:
        failures = _download(name, home)
        if _present(name, home):
            return _source(name, home, REAL)
    if not standins_allowed():
        raise MissingDataError(_missing_message(name, home, failures))
    _settled[name, home] = failures
    return _source(name, _standin_home(name, home), STANDIN)


def _present(name: str, home: Path) -> bool:
    """Return whether all files of a real data set are there, and refuse them if one is damaged."""
    files = _files(name, home)
    there = [path for path in files if os.path.lexists(path)]
    if len(there) == len(files):
        _verify(name, home, real=True)
        return True
    for path in there:  # some but not all: only Fashion-MNIST has several
        _check_images(path, real=True)
    return False


def _source(name: str, home: Path, kind: str) -> DataSource:
    entry = CATALOGUE[name]
    origin = entry.origin if kind == REAL else "made by utilities/standins.py"
    return DataSource(name, entry.title, kind, origin, home / entry.shown_as)


def _standin_home(name: str, home: Path) -> Path:
    """Make or reuse a stand-in, below the data home or, where that is read-only, the project's."""
    problems = []
    for parent in dict.fromkeys((home, PROJECT_ROOT / "data")):
        try:
            return _checked_standin(name, parent / "standins")
        except OSError as error:
            problems.append(f"{parent} ({error.strerror})")
    raise DataError(
        f"The stand-in for {CATALOGUE[name].title} cannot be written: {', '.join(problems)}. "
        f"Set {HOME_VARIABLE} to a folder that can be written."
    )


def _checked_standin(name: str, root: Path) -> Path:
    """Make or reuse a stand-in; a spoilt one is made again, since it is ours to replace."""
    from utilities import standins

    folder = standins.ensure(name, root)
    try:
        _verify(name, folder, real=False)
    except DamagedDataError:
        folder = standins.ensure(name, root, anew=True)
        _verify(name, folder, real=False)
    return folder


def _missing_message(name: str, home: Path, failures: list[str]) -> str:
    """Say which files are missing, where they were sought, where to get them and the way out."""
    entry = CATALOGUE[name]
    absent = [file for file in entry.files if not os.path.lexists(home / file)]
    tried = "".join(f"\n  - {failure}" for failure in failures)
    return (
        f"{entry.title} is missing: {', '.join(absent)}\n"
        f"Looked in {home} ({_home_setting()}).\n"
        f"Download failed:{tried}\n"
        f"Get it from {entry.page}, and place it there; or set {HOME_VARIABLE} to a folder "
        f"that holds it; or set {STANDIN_VARIABLE}=1 to run on a made-up stand-in."
    )


def _home_setting() -> str:
    if os.environ.get(HOME_VARIABLE):
        return f"set by {HOME_VARIABLE}"
    return f"the default; {HOME_VARIABLE} is not set"


def is_standin(name: str) -> bool:
    """Return whether a data set is a stand-in here (see ``locate`` for the names)."""
    return locate(name).kind == STANDIN


def _load_from(name: str) -> DataSource:
    """Locate a data set for a loader, which must not use a stand-in silently."""
    source = locate(name)
    if source.kind == STANDIN:
        message = (
            f"{source.title}: running on a STAND-IN ({_shown(source)}), not on the real data; "
            "every figure computed from it differs from the published one."
        )
        warnings.warn(message, StandInWarning, stacklevel=3)
    return source


# --- what the notebook calls ---------------------------------------------------------------------


def load_housing() -> tuple[np.ndarray, np.ndarray]:
    """Load California housing exactly as scikit-learn returns it.

    Returns
    -------
    X : ndarray of shape (20640, 8)
        Inputs of each block of houses.
    target : ndarray of shape (20640,)
        Median house value in units of 100,000 dollars.
    """
    import joblib
    from sklearn.datasets import fetch_california_housing

    path = _load_from("housing").path
    # scikit-learn runs whatever pickle it finds: it gets one made here, of the checked numbers
    houses = _read_houses(path)
    with tempfile.TemporaryDirectory() as folder:
        joblib.dump(houses, Path(folder) / path.name)
        return fetch_california_housing(
            data_home=folder, download_if_missing=False, return_X_y=True
        )


def load_fashion_mnist(train: bool, transform: Callable | None = None) -> FashionMNIST:
    """Load one part of Fashion-MNIST.

    Parameters
    ----------
    train : bool
        The 60,000 training images, else the 10,000 test images.
    transform : callable, optional
        Applied to each PIL image when it is fetched.

    Returns
    -------
    torchvision.datasets.FashionMNIST
    """
    from torchvision.datasets import FashionMNIST

    root = _load_from("fashion_mnist").path.parent
    _refuse_processed_fashion_mnist(root)  # one may have come since the check
    return FashionMNIST(root=str(root), train=train, transform=transform, download=False)


def load_dry_beans() -> pd.DataFrame:
    """Load the Dry Bean table.

    Returns
    -------
    DataFrame of shape (13611, 17)
        Sixteen features and ``Class``.
    """
    return _read_beans(_load_from("dry_beans").path)


def load_macbeth() -> str:
    """Load the text of Macbeth.

    Returns
    -------
    str
        From the START marker line to the END marker line, both included; line ends as in the file.
    """
    return _read_play(_load_from("macbeth").path)


def summary() -> pd.DataFrame:
    """Say for each data set whether it is real, who published it and where it lies.

    Returns
    -------
    DataFrame
        One row a data set; the location is relative to ``$HW4_DATA_HOME`` or the project root.
    """
    sources = [locate(name) for name in CATALOGUE]
    rows = [(source.title, source.kind, source.origin, _shown(source)) for source in sources]
    return pd.DataFrame(rows, columns=["Data set", "Kind", "Source", "Location"])


def _shown(source: DataSource) -> str:
    """Return a location without the machine's own folders."""
    home = data_home()
    if os.environ.get(HOME_VARIABLE) and source.path.is_relative_to(home):
        return f"${HOME_VARIABLE}/{source.path.relative_to(home).as_posix()}"
    return source.path.relative_to(PROJECT_ROOT).as_posix()


def main(arguments: list[str] | None = None) -> int:
    """Get all four data sets and print where they are.

    Returns
    -------
    int
        The exit status: 0, or 1 if a data set cannot be had.
    """
    parser = argparse.ArgumentParser(prog="python -m utilities.datasets", description=main.__doc__)
    parser.add_argument("--standin", action="store_true", help="allow stand-ins")
    if parser.parse_args(arguments).standin:
        os.environ[STANDIN_VARIABLE] = "1"
    failed = 0
    for name in CATALOGUE:
        try:
            locate(name)
        except DataError as error:
            print(f"error: {error}\n", file=sys.stderr)
            failed += 1
    if failed == 0:
        print(summary().to_string(index=False))
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
