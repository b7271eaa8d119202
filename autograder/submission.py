"""Reading what a student handed in: a folder or a zip, only the files asked for, nothing else.

Nothing is unpacked to disk. Links are not followed, names that point outside are refused, and
no file is read beyond its limit, so an archive that would grow without end costs nothing.
"""

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

MAX_FILE = 1 << 20  # a solution is some tens of kilobytes
MAX_ARCHIVE = 100 << 20
MAX_DIRECTORY = 1 << 20  # bytes of an archive's table of contents
MAX_DEPTH = 3  # folders deep that a file is looked for
MAX_ENTRIES = 5000
MAX_RATIO = 200  # no source file shrinks to less than a two-hundredth


class RefusedError(Exception):
    """The upload is not graded at all; the message says why."""


@dataclass
class Submission:
    """The files of one submission.

    Attributes
    ----------
    files : dict of str to bytes
        Content of the files asked for that were found.
    problems : dict of str to str
        Why a file asked for is not there.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def read_submission(path: Path, wanted: Collection[str]) -> Submission:
    """Read the wanted files from a folder or a zip.

    Parameters
    ----------
    path : Path
        The folder or the zip file.
    wanted : collection of str
        File names; a file may lie in a folder of its own.

    Raises
    ------
    RefusedError
        If the upload holds what no honest upload holds, or cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        source: _Folder | _Archive = _Folder(path)
    elif path.is_file():
        source = _Archive(path)
    else:
        raise RefusedError("expected a folder or a zip file, got nothing at that path")
    submission = Submission()
    for name in wanted:
        try:
            submission.files[name] = source.content(name)
        except _ProblemError as problem:
            submission.problems[name] = str(problem)
    return submission


class _ProblemError(Exception):
    """One file is missing or cannot be used."""


def _choose(name: str, entries: list[PurePosixPath]) -> PurePosixPath:
    """Return the entry that is meant by a file name: the least deep one, if it is the only one."""
    found = [entry for entry in entries if entry.name == name and len(entry.parts) <= MAX_DEPTH]
    if not found:
        alike = [entry.name for entry in entries if entry.name.lower() == name.lower()]
        hint = f" (found {alike[0]}: capital letters count)" if alike else ""
        raise _ProblemError(f"{name} is missing from the submission{hint}")
    depth = min(len(entry.parts) for entry in found)
    nearest = [entry for entry in found if len(entry.parts) == depth]
    if len(nearest) > 1:
        raise _ProblemError(f"{name} was handed in {len(nearest)} times; which one counts?")
    return nearest[0]


def _is_litter(entry: PurePosixPath) -> bool:
    """Tell what operating systems and editors add."""
    return "__MACOSX" in entry.parts or any(part.startswith("._") for part in entry.parts)


class _Folder:
    """A folder of files; links in it are never followed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.entries: list[PurePosixPath] = []
        self._collect(root, PurePosixPath())

    def _collect(self, folder: Path, below: PurePosixPath) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                if len(self.entries) >= MAX_ENTRIES:
                    raise RefusedError(f"the upload has more than {MAX_ENTRIES} files")
                place = below / entry.name
                if entry.is_dir(follow_symlinks=False):
                    if len(place.parts) < MAX_DEPTH and not entry.name.startswith("."):
                        self._collect(Path(entry.path), place)
                elif not _is_litter(place):
                    self.entries.append(place)

    def content(self, name: str) -> bytes:
        place = _choose(name, self.entries)
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe must not block
            descriptor = os.open(self.root / place, flags)
        except OSError:
            raise _ProblemError(f"{name} is a link or cannot be read; upload the file") from None
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise _ProblemError(f"{name} is not a regular file")
            return _bounded(name, file.read(MAX_FILE + 1))


class _Archive:
    """A zip file, whose table of contents is checked before anything is read."""

    def __init__(self, path: Path) -> None:
        _check_directory(path)
        try:
            self.zip = zipfile.ZipFile(path)
            infos = self.zip.infolist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise RefusedError(f"the upload is not a zip file that can be read ({error})") from None
        self.infos: dict[PurePosixPath, zipfile.ZipInfo] = {}
        for info in infos:
            place = _checked_name(info)
            if info.is_dir() or _is_litter(place):
                continue
            if place in self.infos:
                raise RefusedError(f"the zip has two files of the name {place}")
            self.infos[place] = info

    def content(self, name: str) -> bytes:
        info = self.infos[_choose(name, list(self.infos))]
        if info.flag_bits & 1:
            raise _ProblemError(f"{name} is encrypted; upload it without a password")
        if info.file_size > MAX_RATIO * max(info.compress_size, 1) or info.file_size > MAX_FILE:
            raise _ProblemError(
                f"{name} claims {info.file_size} bytes, more than the {MAX_FILE} allowed, "
                "or is packed like a zip bomb"
            )
        try:
            with self.zip.open(info) as file:
                return _bounded(name, file.read(MAX_FILE + 1))
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError) as error:
            raise _ProblemError(f"{name} cannot be read from the zip ({error})") from None


def _bounded(name: str, content: bytes) -> bytes:
    if len(content) > MAX_FILE:
        raise _ProblemError(f"{name} is larger than the {MAX_FILE} bytes allowed")
    return content


def _check_directory(path: Path) -> None:
    """Refuse an archive whose table of contents alone would fill the memory."""
    size = path.stat().st_size
    if size > MAX_ARCHIVE:
        raise RefusedError(f"the zip has {size} bytes, more than the {MAX_ARCHIVE} allowed")
    with open(path, "rb") as file:
        file.seek(max(0, size - 65557))  # the longest comment after the end record
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise RefusedError("the upload is not a zip file that can be read (no end record)")
    _, _, entries, length = struct.unpack_from("<HHHI", tail, at + 6)[-4:]
    if entries > MAX_ENTRIES or length > MAX_DIRECTORY:
        raise RefusedError(f"the zip lists {entries} files, more than the {MAX_ENTRIES} allowed")


def _checked_name(info: zipfile.ZipInfo) -> PurePosixPath:
    """Return an entry's place, or refuse an archive that means to write elsewhere."""
    name = info.orig_filename
    place = PurePosixPath(name.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or ":" in name or "\0" in name:
        raise RefusedError(f"the zip has a file that would land outside its folder: {name[:80]!r}")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise RefusedError(f"the zip holds a symbolic link: {name[:80]!r}")
    return place
