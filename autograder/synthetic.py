"""A class that nobody is in: right, wrong, hostile and broken submissions, drawn from a seed.

Two thirds come as in Gradescope's export, with a submission_metadata.yml in Ruby's manner, the
others as folders and zips of any name. Some students of the export handed in twice.
"""

import random
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from autograder.exports import METADATA
from autograder.hostile.catalogue import HOSTILE, Hostile
from autograder.mutants.catalogue import CATALOGUE
from autograder.mutants.submission import ROOT, write_base

FIRST_NUMBER = 41_207_300  # of Gradescope's ids
FIRST_MOMENT = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
NAMES = (
    "Ada Example",
    "Zoë Ångström",
    "O'Neill, Sam",
    "李 小龙",
    "No",
    "=HYPERLINK(0)",
    "Null",
    "van Å",
)

# Writes an upload at a place without a suffix: a folder there, or a zip of that name.
Writer = Callable[[Path], None]


@dataclass(frozen=True)
class Upload:
    """One submission of the class.

    Attributes
    ----------
    name : str
        Of the folder; a zip has it too, with the suffix.
    kind : str
        What it is, for whoever looks at the class.
    student : int
        Its student; two uploads of the same one are two versions.
    is_exported : bool
        Whether it is in the export's metadata.
    """

    name: str
    kind: str
    student: int
    is_exported: bool
    write: Writer


def write_class(
    folder: Path, size: int = 300, seed: int = 0, leave_out: Collection[str] = ()
) -> list[Upload]:
    """Write a class.

    Parameters
    ----------
    folder : Path
        A new folder.
    size : int
        Number of submissions, at least 12.
    seed : int
    leave_out : collection of str
        Names of hostile submissions to do without, those that take long for example.

    Returns
    -------
    list of Upload
    """
    rng = random.Random(seed)
    folder.mkdir(parents=True)
    uploads = _draw(size, rng, leave_out)
    for upload in uploads:
        upload.write(folder / upload.name)
    entries = [_metadata(n, upload) for n, upload in enumerate(uploads) if upload.is_exported]
    (folder / METADATA).write_text("---\n" + "".join(entries), encoding="utf-8")
    return uploads


def _draw(size: int, rng: random.Random, leave_out: Collection[str]) -> list[Upload]:
    """Choose the submissions and who handed them in."""
    broken, twice = max(2, size // 25), max(1, size // 15)
    rest = size - broken - broken // 2 - twice
    wrong = [(f"mutant {mutant.name}", mutant.write) for mutant in CATALOGUE]
    wrong += [
        (f"hostile {h.name}", _hostile(h)) for h in HOSTILE.values() if h.name not in leave_out
    ]
    wrong = rng.sample(wrong, min(len(wrong), rest - rest // 12))
    kinds = wrong + [RIGHT[n % len(RIGHT)] for n in range(rest - len(wrong))]
    kinds += [BROKEN[n % len(BROKEN)] for n in range(broken)]
    kinds += [("empty folder", Path.mkdir)] * (broken // 2)
    rng.shuffle(kinds)
    uploads = [_upload(n, kind, write) for n, (kind, write) in enumerate(kinds)]
    again = rng.sample([upload for upload in uploads if upload.is_exported], twice)
    for n, first in enumerate(again, start=len(uploads)):
        kind, write = RIGHT[n % len(RIGHT)]
        uploads.append(Upload(_exported_name(n), f"newer: {kind}", first.student, True, write))
    return uploads


def _upload(number: int, kind: str, write: Writer) -> Upload:
    if number % 3:
        return Upload(_exported_name(number), kind, number, True, write)
    name = f"{NAMES[number % len(NAMES)]} {number:03}".replace("/", "-")
    return Upload(name, kind, number, False, write)


def _exported_name(number: int) -> str:
    return f"submission_{FIRST_NUMBER + 17 * number}"


def _metadata(number: int, upload: Upload) -> str:
    """Return what Gradescope writes of a submission; of some, as Ruby writes its objects."""
    student = upload.student
    name = f"{NAMES[student % len(NAMES)]} {student}".replace("'", "''")
    moment = f"{FIRST_MOMENT + timedelta(minutes=number):%Y-%m-%d %H:%M:%S}.123456000 Z"
    if number % 5 == 0:
        moment = (
            f"!ruby/object:ActiveSupport::TimeWithZone\n    utc: {moment}\n"
            f"    zone: &{number + 1} !ruby/object:ActiveSupport::TimeZone\n"
            f"      name: Etc/UTC\n    time: {moment}"
        )
    return (
        f"{upload.name}:\n  :submitters:\n  - :name: '{name}'\n    :sid: '0{student:05}'\n"
        f"    :email: student{student}@example.edu\n  :created_at: {moment}\n"
        "  :score: 0.0\n  :status: processed\n"
    )


# --- uploads --------------------------------------------------------------------------------------


def _zipped(inside: str) -> Writer:
    """Return what writes the reference as a zip, below a folder if one is named."""

    def write(place: Path) -> None:
        with zipfile.ZipFile(f"{place}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name in ("NN.py", "random_forest.py", "cnn_image_transformations.py"):
                archive.write(ROOT / name, f"{inside}{name}")

    return write


def _cut_off(place: Path) -> None:
    _zipped("")(place)
    path = Path(f"{place}.zip")
    path.write_bytes(path.read_bytes()[:-200])


def _hostile(hostile: Hostile) -> Writer:
    """Return what writes a hostile submission, built where nothing else is."""

    def write(place: Path) -> None:
        with tempfile.TemporaryDirectory(prefix=".hostile-", dir=place.parent) as folder:
            world = {"marker": "hw4-synthetic", "root": str(ROOT), "port": 9}
            world |= {"neighbour": str(place.parent), "results": str(place.with_name("results"))}
            built = hostile.build(Path(folder), world)
            shutil.move(built, f"{place}{'' if built.is_dir() else '.zip'}")

    return write


RIGHT: tuple[tuple[str, Writer], ...] = (
    ("the reference", lambda place: write_base("reference", place)),
    ("the reference in a zip", _zipped("")),
    ("a second right solution", lambda place: write_base("student", place)),
    ("the reference in a folder in a zip", _zipped("homework 4/")),
)
BROKEN: tuple[tuple[str, Writer], ...] = (
    ("a zip that is cut off", _cut_off),
    ("a zip of no bytes", lambda place: Path(f"{place}.zip").write_bytes(b"")),
    ("a zip that is a text", lambda place: Path(f"{place}.zip").write_bytes(b"from NN import *\n")),
)
