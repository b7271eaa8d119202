"""The upload folders: for each Gradescope assignment a folder and a zip with exactly its files.

The same bytes in give the same zip out, on every machine: names sorted, one fixed date, one fixed
mode, nothing compressed. A submission is built beside the old one and takes its place whole.
"""

import difflib
import os
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from utilities.contract import ASSIGNMENTS, REPORT

EXPORTED = (REPORT, "pages.json", "pages.pdf")  # the PDF and its page map lie beside the uploads
ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the oldest a zip can hold
ZIP_MODE = (stat.S_IFREG | 0o644) << 16
UNIX = 3  # the mode is read as Unix wrote it
BACKUPS = ("~", ".bak", ".orig", ".swp")  # what editors leave
DESKTOP_FILES = {".DS_Store", "Thumbs.db", "desktop.ini"}
LARGEST_FILE = 100 * 2**20  # bytes, Gradescope's limit for an upload


class UploadError(RuntimeError):
    """The uploads could not be built; the message says why, and the old ones are still there."""


def build_uploads(
    source: str | os.PathLike, out: str | os.PathLike, pdf: str | os.PathLike | None = None
) -> list[Path]:
    """Make the upload folders and zips of all assignments, in place of older ones.

    Parameters
    ----------
    source : path-like
        The folder with the homework's modules.
    out : path-like
        The submission folder. What an older submission left there goes, but for the PDF and its
        page map.
    pdf : path-like, optional
        The notebook's PDF; by default the one in ``out``, where ``make pdf`` puts it.

    Returns
    -------
    list of Path
        The zips, in the order of the contract.

    Raises
    ------
    UploadError
        If a file is missing, misnamed, a link, empty or unreadable, or ``out`` cannot be
        written or holds something else than a submission. ``out`` is then as it was.
    """
    with replaced_submission(out) as building:
        for name in EXPORTED:
            if (Path(out) / name).is_file():
                shutil.copy2(Path(out) / name, building / name)
        write_uploads(source, building, Path(out) / REPORT if pdf is None else pdf)
    return [Path(out) / f"{assignment.slug}.zip" for assignment in ASSIGNMENTS]


def write_uploads(
    source: str | os.PathLike, folder: str | os.PathLike, pdf: str | os.PathLike
) -> None:
    """Write the folders and zips of all assignments into a new submission.

    Parameters
    ----------
    source, pdf : path-like
        See ``build_uploads``.
    folder : path-like

    Raises
    ------
    UploadError
        If a file cannot be used.
    """
    names = {name for assignment in ASSIGNMENTS for name in assignment.files} - {REPORT}
    contents = {name: read_upload(Path(source) / name) for name in sorted(names)}
    contents[REPORT] = read_upload(Path(pdf))
    for assignment in ASSIGNMENTS:
        files = {name: contents[name] for name in assignment.files}
        target = Path(folder) / assignment.slug
        target.mkdir()
        for name, content in files.items():
            (target / name).write_bytes(content)
        write_zip(target.with_suffix(".zip"), files)


def write_zip(path: str | os.PathLike, files: dict[str, bytes]) -> None:
    """Write a zip whose bytes depend on the files' names and contents only.

    Parameters
    ----------
    path : path-like
    files : dict of str to bytes
        Contents by name.
    """
    # stored, because versions of zlib compress differently
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, ZIP_DATE)
            entry.create_system = UNIX
            entry.external_attr = ZIP_MODE
            archive.writestr(entry, files[name])


def read_upload(path: Path) -> bytes:
    """Return the content of a file that can be uploaded under its name.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bytes

    Raises
    ------
    UploadError
        If there is no file of exactly that name, or it is a link, empty, too large or
        unreadable.
    """
    try:
        if path.name not in os.listdir(path.parent):
            raise UploadError(f"{path.name} is missing in {path.parent}{_hint(path)}")
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise UploadError(
                f"{path.name} must be a plain file, got a {_kind(status)}: copy the file itself"
            )
        if not 0 < status.st_size <= LARGEST_FILE:
            raise UploadError(
                f"{path.name} must hold 1 byte to {LARGEST_FILE // 2**20} MiB, "
                f"got {status.st_size} bytes"
            )
        return path.read_bytes()
    except OSError as error:
        raise UploadError(f"{path.name} cannot be read: {error}") from error


def _kind(status: os.stat_result) -> str:
    """Return a word for what lies at a path."""
    if stat.S_ISLNK(status.st_mode):
        return "link"
    if stat.S_ISDIR(status.st_mode):
        return "folder"
    return "file" if stat.S_ISREG(status.st_mode) else "device"


def _hint(path: Path) -> str:
    found = probably_meant(path.parent, path.name)
    return f"; {found} may be meant: rename it" if found else ""


def probably_meant(folder: Path, name: str) -> str | None:
    """Return the file of a folder that was probably meant to have a name, if there is one.

    Parameters
    ----------
    folder : Path
    name : str
        The name that was expected.

    Returns
    -------
    str or None
        ``nn.py``, ``NN (1).py``, ``NN.py.txt`` or ``code/NN.py`` where ``NN.py`` was expected.
    """
    for found in (*look_alikes(folder, name), *_one_level_below(folder, name)):
        return found
    here = [entry.name for entry in folder.iterdir() if entry.suffix == Path(name).suffix]
    close = difflib.get_close_matches(name, sorted(here), n=1, cutoff=0.8)
    return close[0] if close and close[0] != name else None


def look_alikes(folder: Path, name: str) -> list[str]:
    """Return the files of a folder whose names differ from a name by capitals or copy marks only.

    Parameters
    ----------
    folder : Path
    name : str
    """
    names = [entry.name for entry in folder.iterdir() if entry.is_file()]
    alike = [
        n for n in names if n != name and not n.endswith(BACKUPS) and _plain(n) == _plain(name)
    ]
    return sorted(alike, key=lambda found: (len(found), found))


def _one_level_below(folder: Path, name: str) -> list[str]:
    found = sorted(folder.glob(f"*/{name}"))
    return [p.relative_to(folder).as_posix() for p in found if not p.parent.name.startswith(".")]


def _plain(name: str) -> str:
    """Return a name in small letters without copy marks, added endings and separators."""
    name = name.casefold()
    stem, _, endings = name.partition(".")
    kept = next((e for e in ("py", "pdf", "ipynb") if e in endings.split(".")), endings)
    stem = re.sub(r"^copy of |[ _-]*\(\d+\)|[ _-]+(copy|final|\d)\b.*$", "", stem)
    return f"{re.sub(r'[ _-]', '', stem)}.{kept}"


@contextmanager
def replaced_submission(out: str | os.PathLike) -> Iterator[Path]:
    """Give an empty folder that takes the place of ``out`` if the block ends well.

    Parameters
    ----------
    out : path-like
        The submission folder, new, empty or of an earlier run.

    Yields
    ------
    Path
        The folder to fill, beside ``out``.

    Raises
    ------
    UploadError
        If ``out`` is or holds anything but a submission, or the place cannot be written.
        After this or any error in the block ``out`` is as it was and the new folder is gone.
    """
    out = Path(os.path.abspath(out))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        former = _recovered(out)
        _check_replaceable(out)
        building = Path(tempfile.mkdtemp(prefix=f".{out.name}.new.", dir=out.parent))
    except OSError as error:
        raise UploadError(f"{out} cannot be written: {error}") from error
    try:
        yield building
        building.chmod(0o755)  # mkdtemp makes it private
        _swap(building, out, former)
    except OSError as error:
        raise UploadError(f"{out} was left as it was: {error}") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _recovered(out: Path) -> Path:
    """Finish what an interrupted run left, and return where the former submission waits."""
    former = out.with_name(f".{out.name}.former")
    if former.exists():
        if out.exists():
            shutil.rmtree(former)
        else:
            former.rename(out)
    return former


def _check_replaceable(out: Path) -> None:
    """Raise unless out is absent, empty or a submission: what else it held would be lost."""
    if not os.path.lexists(out):
        return
    if out.is_symlink() or not out.is_dir():
        raise UploadError(f"{out} must be a folder or new, got a {_kind(out.lstat())}")
    if not os.access(out, os.W_OK):
        raise UploadError(f"{out} must be a folder that can be written, got a read-only one")
    ours = {*EXPORTED, *DESKTOP_FILES}
    ours |= {a.slug for a in ASSIGNMENTS} | {f"{a.slug}.zip" for a in ASSIGNMENTS}
    strangers = sorted(set(os.listdir(out)) - ours)
    if strangers:
        raise UploadError(
            f"{out} must hold nothing but a submission, got {', '.join(strangers[:3])}: "
            "move that away or name another folder"
        )


def _swap(new: Path, out: Path, former: Path) -> None:
    """Put new in the place of out; if that fails half-way, put out back."""
    had_one = out.exists()
    if had_one:
        out.rename(former)
    try:
        new.rename(out)
    except OSError:
        if had_one:
            former.rename(out)
        raise
    shutil.rmtree(former, ignore_errors=True)
