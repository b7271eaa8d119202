"""Everything to hand in, in one go: ``python -m utilities.submission``.

The notebook's PDF, the map of its pages, the upload folders and zips, then the preflight of what
was made. The exit status is 0 only if nothing failed.
"""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from utilities import export
from utilities.contract import ASSIGNMENTS, NOTEBOOK, REPORT, Assignment
from utilities.errors import ExportError
from utilities.findings import Finding, is_good, print_findings
from utilities.preflight import ROOT, check_folder
from utilities.preflight_notebook import check_notebook, check_pdf
from utilities.uploads import UploadError, replaced_submission, write_uploads


def make_submission(source: Path, out: Path) -> Path:
    """Export the notebook and build the submission folder from it and the modules.

    Parameters
    ----------
    source : Path
        The folder with the modules and the notebook, which is executed if its outputs are older.
    out : Path
        The submission folder; it is replaced whole or left as it was.

    Returns
    -------
    Path
        The executed notebook.

    Raises
    ------
    ExportError
        If the notebook cannot be executed, or the PDF or its page map cannot be made.
    UploadError
        If a file cannot be uploaded as it is, or ``out`` cannot be written.
    """
    with replaced_submission(out) as building:
        notebook = export.up_to_date(source / NOTEBOOK)
        print(export.table(export.export_report(notebook, building / REPORT)))
        write_uploads(source, building, building / REPORT)
    return notebook


def check_submission(notebook: Path, out: Path) -> list[Finding]:
    """Return the preflight of all upload folders, and of the notebook the PDF was made from.

    Parameters
    ----------
    notebook, out : Path
        As ``make_submission`` returns and takes them.
    """
    findings = check_notebook(notebook, ROOT)
    for assignment in ASSIGNMENTS:
        folder = out / assignment.slug
        if REPORT in assignment.files:
            found = check_pdf(folder / REPORT)
        else:
            found = check_folder(folder, assignment.slug)
        findings += [replace(each, file=f"{assignment.slug}/{each.file}") for each in found]
    return findings


def upload_line(assignment: Assignment, out: str) -> str:
    """Return what to upload to an assignment, in one line."""
    if REPORT in assignment.files:
        what = f"{assignment.slug}/{REPORT}"
        contents = "map its pages by pages.pdf"
    else:
        what, contents = f"{assignment.slug}.zip", ", ".join(assignment.files)
    return f"  {assignment.title:20} {os.path.join(out, what)}  ({contents})"


def main(arguments: list[str] | None = None) -> int:
    """Make and check a submission, say what to upload where, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m utilities.submission", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--output", type=Path, default=ROOT / "submission", help="default: submission/"
    )
    options = parser.parse_args(arguments)
    try:
        notebook = make_submission(ROOT, options.output)
    except (ExportError, UploadError) as error:
        print(f"No submission was made: {error}", file=sys.stderr)
        return 1
    findings = check_submission(notebook, options.output)
    print_findings(findings, "Preflight of the submission")
    if not is_good(findings):
        print("Mend what failed, then run this again; do not upload it yet.", file=sys.stderr)
        return 1
    print("Upload on Gradescope:")
    for assignment in ASSIGNMENTS:
        print(upload_line(assignment, os.path.relpath(options.output)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
