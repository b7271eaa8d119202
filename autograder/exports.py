"""Gradescope's export of submissions: who handed in what and when, from its metadata file.

An export is a folder with one folder for each submission and a ``submission_metadata.yml``, which
Ruby has written: keys are symbols (``:submitters:``), times may be Ruby objects. Nothing of that
is run or guessed here: every value is read as the text it is. (As YAML would have it, a student
called No is false, and the id 0123 is eighty-three.)
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml

METADATA = "submission_metadata.yml"
MAX_METADATA = 64 << 20  # bytes; an export of 1,000 submissions with all their results has some 10
MAX_DEPTH = 50  # of lists in lists: the C parser would overflow its stack
MAX_TEXT = 200  # characters of a name that are kept
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?\s*(Z|UTC|[+-]\d\d:?\d\d)?"
)
# Knows neither tags nor types: the C parser where PyYAML has it, for it is ten times as fast.
_TEXT_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True)
class Facts:
    """What an export says about one submission.

    Attributes
    ----------
    students : tuple of dict
        Of everybody who handed it in: "name", "email" and "sid", empty where not known.
    created_at : datetime.datetime or None
        With a time zone.
    """

    students: tuple[dict[str, str], ...] = ()
    created_at: datetime | None = None


def read_metadata(path: Path) -> dict[str, Facts]:
    """Read an export's metadata.

    Parameters
    ----------
    path : Path
        The file ``submission_metadata.yml``.

    Returns
    -------
    dict of str to Facts
        By the name of the submission's folder.

    Raises
    ------
    ValueError
        If the file is too large or is not what Gradescope writes.
    """
    size = path.stat().st_size
    if size > MAX_METADATA:
        raise ValueError(f"{path.name} has {size} bytes, expected at most {MAX_METADATA}")
    text = path.read_bytes()
    try:
        _check_depth(text)
        document = yaml.load(text, Loader=_TEXT_LOADER)
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path.name} cannot be read as YAML: {reason}") from None
    if not isinstance(document, dict):
        raise ValueError(
            f"{path.name}: expected submissions by name, got {type(document).__name__}"
        )
    return {str(name): _facts(entry) for name, entry in document.items()}


def _check_depth(text: bytes) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_TEXT_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ValueError(f"lists and mappings are more than {MAX_DEPTH} deep")


def _facts(entry: object) -> Facts:
    submitters = _value(entry, "submitters")
    submitters = submitters if isinstance(submitters, list) else []
    students = tuple(_student(person) for person in submitters if isinstance(person, dict))
    return Facts(tuple(s for s in students if any(s.values())), _time(_value(entry, "created_at")))


def _student(person: dict) -> dict[str, str]:
    return {key: _text(_value(person, key)) for key in ("name", "email", "sid")}


def _value(mapping: object, key: str) -> object:
    """Return the value of a Ruby symbol, or of a plain key of that name."""
    if not isinstance(mapping, dict):
        return None
    return mapping.get(f":{key}", mapping.get(key))


def _text(value: object) -> str:
    """Return a value on one line, without what cannot be shown; nothing for nil."""
    if not isinstance(value, str) or value == "~":
        return ""
    shown = "".join(c if c.isprintable() else " " for c in value)
    return " ".join(shown.split())[:MAX_TEXT]


def _time(value: object) -> datetime | None:
    """Return a moment, from a text or from the fields of a Ruby object."""
    if isinstance(value, dict):
        return _time(value.get("utc")) or _time(value.get("time"))
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found:
        return None
    day, clock, fraction, zone = found.groups()
    zone = "+00:00" if zone in (None, "Z", "UTC") else zone
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '').ljust(6, '0')}{zone}")
    except ValueError:  # the 31st of February
        return None
    return moment.astimezone(UTC)
