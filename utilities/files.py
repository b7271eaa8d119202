"""Writing a file whole or not at all, and clearing away what could not be finished."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from utilities.errors import ExportError

A_DAY = 24 * 60 * 60  # seconds


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file beside a path, which takes its place if all goes well.

    Parameters
    ----------
    path : Path
        Where the file is to be; its folder is made if need be.

    Yields
    ------
    Path
        The temporary file, empty; whatever happens, it is gone afterwards.

    Raises
    ------
    ExportError
        If the folder cannot be written to: at once, before any work is done.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield temporary
        try:
            os.replace(temporary, path)
        except OSError as error:
            raise _cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> ExportError:
    """Return the error of a place that cannot be written to."""
    return ExportError(f"{path} cannot be written: {error.strerror or error}.")


@contextlib.contextmanager
def staging_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Give a temporary folder in which files are made that are then moved into a parent.

    Folders of processes that were killed before they could remove theirs are removed first.

    Parameters
    ----------
    parent : Path
        Where the folder is; made if need be.
    prefix : str
        How the names of such folders start. One in which nothing was put for a day is left
        over; one that is younger may be another process' that is still at work.

    Yields
    ------
    Path
        The folder, empty, on the parent's file system; whatever happens, it is gone afterwards.

    Raises
    ------
    OSError
        If the parent cannot be written to: at once, before any work is done.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent) as folder:
        for left in parent.glob(f"{prefix}*"):
            with contextlib.suppress(OSError):  # another process may have been quicker
                if time.time() - left.stat().st_mtime > A_DAY:
                    shutil.rmtree(left)
        yield Path(folder)
