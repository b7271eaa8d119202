"""The zips that are uploaded to Gradescope: one for each programming assignment.

The same sources and data give the same bytes: names are sorted, times fixed, permissions set.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import numpy as np
from packaging.requirements import Requirement

from autograder import data
from autograder.reference import PROJECT
from autograder.rubric import required_files

HERE = Path(__file__).resolve().parent
UV, PYTHON = "0.13.9", "3.11"
BUDGET = 560  # seconds: Gradescope's ten minutes, less starting and stopping
# What lies in this folder and is for the staff's own machine, or is packed otherwise.
LEFT_OUT = {"mutants", "hostile", "gradescope_files", "packaged_data", "templates", "__pycache__"}
LEFT_OUT |= {"package.py", "rehearsal.py", "report.py", "synthetic.py", "proof.py", "workers.py"}
LEFT_OUT |= {"exports.py", "grade_all.py", "gradebook.py", "grader.py"}
LEFT_OUT |= {"starter.py", "starter_code.py", "starter_notebook.py"}

# What the grader itself needs, and what the files of an assignment may import.
GRADER = ("numpy", "jsonschema", "rich")
LIBRARIES = {
    "NN.py": (),
    "random_forest.py": ("scikit-learn", "matplotlib"),
    "cnn_image_transformations.py": ("torch", "torchvision"),
    "rnn.py": ("tensorflow_cpu", "keras", "matplotlib"),
    "lstm.py": ("tensorflow_cpu", "keras", "matplotlib"),
    "base_sequential_model.py": ("tensorflow_cpu", "keras", "matplotlib"),
}
DATA = {"NN.py": "housing", "random_forest.py": "beans"}
# PyTorch's wheels for the CPU do without the first three, and nothing is compiled here.
NOT_NEEDED = re.compile(r"nvidia|cuda|triton|setuptools|wheel$")


def build(assignment: str, folder: Path) -> Path:
    """Make the zip of one assignment.

    Parameters
    ----------
    assignment : str
    folder : Path
        Where the zip is written.

    Returns
    -------
    Path
        The zip.

    Raises
    ------
    ValueError
        If a library that is needed is not pinned, or a data set is missing.
    """
    entries = dict(_entries(assignment))
    path = folder / f"autograder-{assignment}.zip"
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(entries):
            archive.writestr(_info(name, entries[name]), entries[name])
    unfinished.replace(path)
    return path


def _info(name: str, content: bytes) -> zipfile.ZipInfo:
    """Return an entry's header: a fixed time, and who may run it."""
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3  # Unix, or the permissions mean nothing
    info.external_attr = (0o100755 if content.startswith(b"#!") else 0o100644) << 16
    return info


def _entries(assignment: str) -> Iterator[tuple[str, bytes]]:
    """Yield every file of the zip."""
    files = required_files(assignment)
    for name in ("setup.sh", "run_autograder"):
        text = (HERE / "gradescope_files" / name).read_text(encoding="utf-8")
        yield name, text.replace("@UV@", UV).replace("@PYTHON@", PYTHON).encode()
    settings = {"assignment": assignment, "budget": BUDGET}
    yield "assignment.json", (json.dumps(settings) + "\n").encode()
    yield "requirements.txt", "".join(f"{pin}\n" for pin in pins(assignment)).encode()
    for name in files:
        yield name, (PROJECT / name).read_bytes()
    for path in sorted(HERE.rglob("*")):
        place = path.relative_to(HERE)
        if (
            path.is_file()
            and not LEFT_OUT & set(place.parts)
            and path.suffix not in (".pyc", ".md")
        ):
            yield f"autograder/{place.as_posix()}", path.read_bytes()
    for name in sorted({DATA[file] for file in files if file in DATA}):
        yield from _data_files(name)


def _data_files(name: str) -> Iterator[tuple[str, bytes]]:
    """Yield a data set as plain arrays."""
    try:
        arrays = data.load(name)
    except data.MissingError as error:
        raise ValueError(f"{error}: the package needs the real data; see `make data`") from None
    for part, array in arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        yield f"autograder/{data.PACKAGED.name}/{name}_{part}.npy", buffer.getvalue()


# --- pinned libraries ---------------------------------------------------------------------------


def pins(assignment: str) -> list[str]:
    """Return the libraries of an assignment and all that they need, as pinned for the project.

    Raises
    ------
    ValueError
        If one of them is not pinned in constraints.txt.
    """
    pinned = _constraints()
    wanted = list(GRADER)
    for file in required_files(assignment):
        wanted += LIBRARIES[file]
    found: set[str] = set()
    while wanted:
        name = _normalised(wanted.pop())
        if name in found or NOT_NEEDED.search(name):
            continue
        if name not in pinned:
            raise ValueError(f"{name} is needed by the {assignment} grader but not pinned")
        found.add(name)
        wanted += _needs(name)
    return sorted(pinned[name] for name in found)


def _constraints() -> dict[str, str]:
    """Return the pinned versions for Gradescope's kind of machine by normalised name.

    The hashes are left out: PyTorch's build for the CPU, which Gradescope gets, has others.
    """
    text = (PROJECT / "constraints.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [re.split(r"\s--hash|#", line)[0].strip() for line in text.splitlines()]
    pinned = [Requirement(line) for line in lines if line]
    return {
        _normalised(pin.name): f"{pin.name}{pin.specifier}" for pin in pinned if _is_for_target(pin)
    }


def _needs(name: str) -> list[str]:
    """Return what an installed library needs on Gradescope's kind of machine."""
    try:
        lines = requires(name) or []
    except PackageNotFoundError:
        raise ValueError(f"{name} must be installed to find out what it needs") from None
    return [need.name for need in map(Requirement, lines) if _is_for_target(need)]


def _is_for_target(need: Requirement) -> bool:
    """Tell whether a requirement is one on Gradescope's kind of machine."""
    target = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"}
    target |= {"python_version": PYTHON, "python_full_version": f"{PYTHON}.0", "os_name": "posix"}
    target |= {"platform_python_implementation": "CPython", "implementation_name": "cpython"}
    return need.marker is None or need.marker.evaluate({**target, "extra": ""})


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower().strip()
