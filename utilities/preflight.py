"""Check a homework before it is handed in: ``python -m utilities.preflight [PATH]``.

PATH is a folder, by default this project; it may be a student's. With ``--assignment`` only the
files of that Gradescope assignment are expected. The files are imported in interpreters of their
own, never here. The exit status is 0 if nothing failed, 1 if something did, 2 for a wrong call.
"""

import argparse
import ast
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from utilities import preflight_import, preflight_source
from utilities.contract import (
    ASSIGNMENTS,
    LIBRARIES,
    NOTEBOOK,
    REPORT,
    SIBLINGS,
    assignment_of,
)
from utilities.findings import (
    FAIL,
    PASS,
    SKIPPED,
    WARNING,
    Finding,
    finding,
    is_good,
    print_findings,
)
from utilities.preflight_import import IMPORT_SECONDS, ImportAttempt
from utilities.preflight_notebook import check_notebook, check_pdf, find_one
from utilities.uploads import UploadError, look_alikes, read_upload

ROOT = Path(__file__).resolve().parent.parent
LARGEST_SOURCE = 2**20  # bytes; ours have 25,000
AT_ONCE = 4  # interpreters, each of which may load TensorFlow: 1 GB


class Modules:
    """The homework files of a folder that can be read, as bytes and as syntax trees.

    Parameters
    ----------
    folder : Path
    names : tuple of str
        Files to read, without ``.py``; what they are uploaded with is read as well.
    """

    def __init__(self, folder: Path, names: tuple[str, ...]) -> None:
        self.contents: dict[str, bytes] = {}
        self.trees: dict[str, ast.Module] = {}
        self.findings: dict[str, list[Finding]] = {}
        for name in dict.fromkeys([*names, *(s for n in names for s in SIBLINGS.get(n, ()))]):
            self.findings[name] = self._read(folder, name)

    def _read(self, folder: Path, name: str) -> list[Finding]:
        """Read a file, and return what there is to say about its name and syntax."""
        file = f"{name}.py"
        try:
            content = read_upload(folder / file)
        except UploadError as error:
            return [Finding(FAIL, file, "name", str(error))]
        doubles = [f"{d} lies beside it: keep one" for d in look_alikes(folder, file)]
        named = finding(file, "name", doubles, WARNING)
        try:
            if len(content) > LARGEST_SOURCE:
                raise ValueError(f"it has {len(content):,} bytes: data does not belong in it")
            tree = preflight_source.parse(content)
        except ValueError as error:
            return [named, Finding(FAIL, file, "syntax", str(error))]
        self.contents[name], self.trees[name] = content, tree
        return [named, Finding(PASS, file, "syntax")]

    def together(self, name: str) -> dict[str, ast.Module]:
        """Return the trees of a file and of those uploaded with it."""
        names = (name, *SIBLINGS.get(name, ()))
        return {each: self.trees[each] for each in names if each in self.trees}

    def files(self, name: str) -> tuple[tuple[str, bytes], ...]:
        """Return the names and contents of a file and of those uploaded with it."""
        return tuple((f"{each}.py", self.contents[each]) for each in self.together(name))


def check_folder(
    folder: str | os.PathLike,
    assignment: str | None = None,
    import_seconds: float = IMPORT_SECONDS,
) -> list[Finding]:
    """Check a folder that is to be handed in.

    Parameters
    ----------
    folder : path-like
    assignment : str, optional
        The slug of the Gradescope assignment whose files are expected; by default all files
        of the contract are.
    import_seconds : float
        Time limit for importing a file.

    Returns
    -------
    list of Finding
        File by file.

    Raises
    ------
    ValueError, NotADirectoryError
        If there is no such assignment or folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotADirectoryError(f"the path to check must be a folder, got {folder}")
    expected = [*(f"{name}.py" for name in LIBRARIES), NOTEBOOK, REPORT]
    if assignment is not None:
        expected = assignment_of(assignment).files
    names = tuple(name.removesuffix(".py") for name in expected if name.endswith(".py"))
    findings = check_modules(folder, names, import_seconds)
    if REPORT in expected:
        findings += _check_report(folder, assignment)
    return findings


def check_modules(
    folder: Path, names: tuple[str, ...], import_seconds: float = IMPORT_SECONDS
) -> list[Finding]:
    """Check homework files side by side.

    Parameters
    ----------
    folder : Path
    names : tuple of str
        Files that have to be there, without ``.py``.
    import_seconds : float
        Time limit for importing a file.

    Returns
    -------
    list of Finding
        File by file, in the order of names.
    """
    modules = Modules(folder, names)

    def attempt(name: str) -> ImportAttempt | None:
        if name not in modules.trees:
            return None
        libraries = preflight_source.needed_libraries(name, modules.together(name))
        return preflight_import.try_import(
            name, modules.files(name), tuple(libraries), import_seconds
        )

    with ThreadPoolExecutor(min(AT_ONCE, os.cpu_count() or 1)) as pool:
        attempts = list(pool.map(attempt, names))
    findings = []
    for name, tried in zip(names, attempts, strict=True):
        findings += modules.findings[name]
        if tried is not None:
            findings += _source_findings(modules, name) + _import_findings(modules, name, tried)
    return findings


def _source_findings(modules: Modules, name: str) -> list[Finding]:
    """Return what a file's source shows."""
    file, tree = f"{name}.py", modules.trees[name]
    imported = preflight_source.imported_modules(tree)
    unfinished = preflight_source.unfinished(name, modules.together(name))
    return [
        finding(file, "libraries", preflight_source.foreign_imports(name, imported)),
        finding(file, "finished", unfinished),
        finding(file, "no debugger", preflight_source.debugger_calls(tree)),
        finding(file, "no leftover prints", preflight_source.leftover_prints(name, tree), WARNING),
    ]


def _import_findings(modules: Modules, name: str, attempt: ImportAttempt) -> list[Finding]:
    """Return what the import of a file shows."""
    file = f"{name}.py"
    checks = ("imports alone", "no side effects", "signatures", "no warnings")
    if attempt.blocked:
        return [Finding(SKIPPED, file, ", ".join(checks), attempt.blocked)]
    imported = finding(file, checks[0], preflight_import.import_problems(attempt, name))
    if not attempt.succeeded:
        rest = Finding(SKIPPED, file, ", ".join(checks[1:]), "this needs an import that works")
        return [imported, rest]
    strangers = preflight_import.loaded_strangers(attempt, name)
    effects = preflight_import.side_effects(attempt, modules.files(name))
    return [
        imported if not strangers else finding(file, checks[0], strangers),
        finding(file, checks[1], effects),
        finding(file, checks[2], preflight_import.signature_problems(attempt, name)),
        finding(file, checks[3], attempt.report["warnings"], WARNING),
    ]


def _check_report(folder: Path, assignment: str | None) -> list[Finding]:
    """Check the notebook and its PDF; which of the two has to be there depends on what is due."""
    notebook, why_no_notebook = find_one(folder, NOTEBOOK)
    pdf, why_no_pdf = find_one(folder, REPORT)
    if pdf is None and (folder / "submission" / REPORT).is_file():  # where make pdf puts it
        pdf = folder / "submission" / REPORT
    findings = []
    if notebook:
        findings += check_notebook(notebook)
    else:
        status = FAIL if assignment is None else SKIPPED  # the PDF is what is uploaded
        findings.append(Finding(status, NOTEBOOK, "name", why_no_notebook))
    if pdf:
        findings += check_pdf(pdf)
    else:
        status = SKIPPED if assignment is None else FAIL
        findings.append(Finding(status, REPORT, "name", f"{why_no_pdf}: make pdf makes one"))
    return findings


def main(arguments: list[str] | None = None) -> int:
    """Check, print the table and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m utilities.preflight", description=__doc__.splitlines()[0]
    )
    parser.add_argument("path", nargs="?", type=Path, default=ROOT, help="default: this project")
    parser.add_argument("--assignment", choices=[a.slug for a in ASSIGNMENTS], help="default: all")
    parser.add_argument(
        "--import-seconds",
        type=_positive,
        default=IMPORT_SECONDS,
        help="time limit for importing a file (default: %(default)g)",
    )
    options = parser.parse_args(arguments)
    if not options.path.is_dir():
        parser.error(f"PATH must be a folder, got {options.path}: unpack a zip first")
    findings = check_folder(options.path, options.assignment, options.import_seconds)
    print_findings(findings, f"Preflight of {options.path.resolve().name}")
    return 0 if is_good(findings) else 1


def _positive(text: str) -> float:
    """Return a number above 0 from the command line."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text!r}")
    return number


if __name__ == "__main__":
    sys.exit(main())
