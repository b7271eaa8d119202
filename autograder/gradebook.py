"""The book of a class: which submissions there are, what is known of each, and the table.

A submission has a *key*, a name that is fit for a file. Its *record*, ``students/KEY.json``, is
written once it is graded, and is valid as long as its *digest* is: that of the files, and of the
*terms* on which they are graded (assignment, items, budget, and the grader's own files).
"""

import csv
import hashlib
import io
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from autograder.exports import METADATA, Facts, read_metadata
from autograder.reference import FIGURES, PROJECT
from autograder.results import write_atomically
from autograder.rubric import items_of, required_files
from autograder.submission import RefusedError, read_submission

HERE = Path(__file__).resolve().parent
# What a grade depends on, besides checks, figures and the reference's files.
GRADER = (
    "channel",
    "confine",
    "data",
    "grading",
    "plan",
    "reference",
    "results",
    "rubric",
    "runner",
    "sandbox",
    "standins",
    "submission",
)
MAX_KEY = 80  # characters: a file's name has room for 255 bytes, with what is added to it
LITTER = {"__MACOSX"}
_EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass
class Entry:
    """One submission of a class.

    Attributes
    ----------
    key : str
    submission : str
        Its name in the class's folder.
    path : Path
        The folder or zip.
    facts : Facts
        Who handed it in and when; empty in a folder without Gradescope's metadata.
    counts : bool
        False for a version that the same students replaced by a newer one.
    """

    key: str
    submission: str
    path: Path
    facts: Facts = field(default_factory=Facts)
    counts: bool = True

    def card(self) -> dict:
        """Return the part of a record that does not come from grading."""
        created = self.facts.created_at
        return {
            "key": self.key,
            "submission": self.submission,
            "students": [dict(student) for student in self.facts.students],
            "created_at": None if created is None else created.isoformat(),
            "counts": self.counts,
        }


# --- the class ------------------------------------------------------------------------------------


def discover(folder: Path) -> list[Entry]:
    """Return the submissions of a class, in the order of their names.

    Parameters
    ----------
    folder : Path
        Gradescope's export, or any folder of folders and zips.

    Raises
    ------
    ValueError
        If there are none, or the export's metadata cannot be read.
    """
    if not folder.is_dir():
        raise ValueError(f"expected a folder of submissions, got {folder}")
    metadata = folder / METADATA
    known = read_metadata(metadata) if metadata.is_file() else {}
    names = [entry.name for entry in os.scandir(folder) if _is_submission(entry)]
    if len(names) == 1 and (folder / names[0] / METADATA).is_file():  # an export as it is unpacked
        return discover(folder / names[0])
    present = {_stem(name) for name in names}
    # one that Gradescope knows but did not export gets a row too, or a student would be missing
    names += [name for name in known if name not in present and _is_plain(name)]
    if not names:
        raise ValueError(f"expected folders or zips in {folder}, got none")
    entries = [
        Entry(key_of(name), _shown(name), folder / name, _facts_of(name, known))
        for name in sorted(names, key=_natural)
    ]
    _mark_replaced(entries)
    return entries


def _is_submission(entry: os.DirEntry) -> bool:
    if entry.name.startswith(".") or entry.name in LITTER:
        return False
    return entry.is_dir() or (entry.name.lower().endswith(".zip") and entry.is_file())


def _is_plain(name: str) -> bool:
    """Tell whether a name from the metadata names something in the folder itself."""
    return name == Path(name).name and not name.startswith(".")


def _stem(name: str) -> str:
    return name[:-4] if name.lower().endswith(".zip") else name


def _facts_of(name: str, known: dict[str, Facts]) -> Facts:
    return known.get(name) or known.get(_stem(name)) or Facts()


def _shown(name: str) -> str:
    """Return a file's name as text, whatever bytes it is made of."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def key_of(name: str) -> str:
    """Return a name fit for a file: the same for the same name, another for another."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)[:MAX_KEY]
    if safe == name:
        return safe
    return f"{safe}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"


def _natural(name: str) -> list[tuple[int, int | str]]:
    """Return a key that puts submission_9 before submission_10."""
    parts = re.split(r"([0-9]+)", name)
    return [(0, int(part[:18])) if part.isdecimal() else (1, part) for part in parts]


def _mark_replaced(entries: list[Entry]) -> None:
    """Let a submission count if it is the newest of at least one of its students."""
    newest: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.facts.created_at or _EARLIEST):
        newest |= dict.fromkeys(map(_identity, entry.facts.students), entry)
    for entry in entries:
        students = entry.facts.students
        entry.counts = not students or any(newest[_identity(s)] is entry for s in students)


def _identity(student: dict[str, str]) -> str:
    return student["email"].lower() or student["sid"] or student["name"]


# --- what a grade depends on ----------------------------------------------------------------------


@cache
def grader_version(assignment: str) -> str:
    """Return a digest of the files that decide about grades: the grader's and the reference's."""
    files = [HERE / f"{name}.py" for name in GRADER]
    files += sorted([*HERE.glob("checks/*.py"), *FIGURES.glob("*.json")])
    files += [PROJECT / name for name in required_files(assignment)]
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def examine(path: Path, terms: dict) -> tuple[str, str]:
    """Look at an upload without grading it.

    Parameters
    ----------
    path : Path
        A folder or zip, which may be missing or broken.
    terms : dict
        "assignment", "items" (numbers, or None for all), "budget" and "grader" (its version).

    Returns
    -------
    digest, refusal : tuple of str
        The digest under which a grade stays valid; why the upload is refused, or nothing.
    """
    digest = hashlib.sha256(json.dumps(terms, sort_keys=True).encode())
    items = items_of(terms["assignment"], terms["items"])
    refusal = ""
    try:
        if path.is_dir() and not any(path.iterdir()):
            raise RefusedError("the folder is empty")
        found = read_submission(path, dict.fromkeys(f for item in items for f in item.files))
        parts = [*found.files.items(), *((n, p.encode()) for n, p in found.problems.items())]
    except RefusedError as error:
        refusal = f"The submission was refused: {error}."
        parts = [("refused", str(error).encode())]
    except OSError as error:
        refusal = f"The submission cannot be read ({error.strerror})."
        parts = [("unreadable", str(error.strerror).encode())]
    for name, content in parts:
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest(), refusal


# --- records --------------------------------------------------------------------------------------


def record_path(output: Path, key: str) -> Path:
    """Return where a submission's record lies."""
    return output / "students" / f"{key}.json"


def write_record(output: Path, record: dict) -> None:
    """Write a record such that a reader finds a whole one, whenever it looks."""
    write_atomically(record_path(output, record["key"]), json.dumps(record, indent=1) + "\n")


def read_record(output: Path, key: str) -> dict | None:
    """Return a record; None if there is none, or none that can be read."""
    try:
        record = json.loads(record_path(output, key).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("key") == key else None


def is_final(record: dict | None, digest: str) -> bool:
    """Tell whether a submission need not be graded again."""
    if record is None or record.get("digest") != digest:
        return False
    return record["state"] in ("graded", "refused") and not not_graded(record)


def not_graded(record: dict) -> list[str]:
    """Return the items that could not be graded, for which nobody loses points."""
    return ((record["results"] or {}).get("extra_data") or {}).get("not_graded", [])


def failed_record(card: dict, terms: dict, digest: str, why: str) -> dict:
    """Return the record of a submission on which the grader failed."""
    items = items_of(terms["assignment"], terms["items"])
    return {
        **card,
        "state": "failed",
        "message": why,
        "seconds": 0.0,
        "score": 0.0,
        "max_score": sum(float(item.max_score(terms["assignment"])) for item in items),
        "digest": digest,
        "results": None,
    }


# --- the table ------------------------------------------------------------------------------------


def write_table(records: Iterable[dict], items: Iterable[str], path: Path) -> None:
    """Write the table of a class, one row for each submission.

    It holds nothing that another run would measure differently, so the same class on the same
    terms gives the same bytes.
    """
    items = list(items)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ("key", "names", "emails", "sids", "counts", "state", "score", "max_score")
    writer.writerow([*columns, *items])
    writer.writerows(_row(record, items) for record in records)
    write_atomically(path, text.getvalue())


def _row(record: dict, items: list[str]) -> list[str]:
    students = record["students"] or [{"name": record["submission"], "email": "", "sid": ""}]
    people = ["; ".join(s[key] for s in students) for key in ("name", "email", "sid")]
    texts = [record["key"], *people, "yes" if record["counts"] else "no", record["state"]]
    return [_harmless(text) for text in texts] + _points(record, items)


def _points(record: dict, items: list[str]) -> list[str]:
    """Return the numbers of a row; what was not graded stays empty, for it is not a zero."""
    if record["results"] is None:
        return ["", _number(record["max_score"]), *[""] * len(items)]
    excluded = not_graded(record)
    scores = {test["number"]: test["score"] for test in record["results"]["tests"]}
    cells = ["" if item in excluded else _number(scores[item]) for item in items]
    return [_number(record["score"]), _number(record["max_score"]), *cells]


def _number(value: float) -> str:
    return f"{round(value, 4):.10g}"


def _harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
