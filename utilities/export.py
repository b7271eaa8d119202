"""From the notebook to what is handed in and read: ``python -m utilities.export pdf|html|figures``.

pdf      the notebook as US Letter pages, with the map of its questions (submission/)
html     the notebook as one page that needs no network (build/hw4.html)
figures  the four figures that the README shows (data/images/)

Read in this order: `export_html`, `export_pdf`, `export_report`, the README's figures,
`up_to_date`, which executes hw4.ipynb into build/ when its outputs are older than its code, and
the commands.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from PIL import Image
from pypdf import PdfReader

from utilities import page, run_notebook, sources
from utilities.chromium import Chromium
from utilities.contract import LETTER, REPORT
from utilities.errors import ExportError
from utilities.files import replacing
from utilities.page_map import PAGES_JSON, PAGES_PDF, page_map, table, write_page_map

__all__ = [
    "ExportError",
    "export_figures",
    "export_html",
    "export_pdf",
    "export_report",
    "page_map",
    "up_to_date",
    "write_page_map",
]

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = run_notebook.NOTEBOOK
SUBMISSION = ROOT / "submission"
PDF = SUBMISSION / REPORT
HTML = ROOT / "build" / "hw4.html"
IMAGES = ROOT / "data" / "images"

LARGEST_PAGE = 10_000_000  # bytes
TEXT_WIDTH = 672  # CSS pixels between the margins of the paper, 7 inches

# What the README shows: file and title of the figure in the notebook.
README_FIGURES = {
    "readme_momentum.png": "Gradient descent with and without momentum",
    "readme_cnn.png": "CNN: training and validation",
    "readme_forest.png": "Random forest, test beans",
    "readme_kernel.png": "Nine points with the kernel (x\N{MIDDLE DOT}z)\N{SUPERSCRIPT TWO}",
}
N_COLOURS = 256  # of a palette: a third of the bytes, and no steps to be seen in the colour bar


def export_html(notebook: Path, out: Path = HTML) -> Path:
    """Write a notebook as one page that works offline, with a table of contents.

    Parameters
    ----------
    notebook : Path
        Executed.
    out : Path
        Where the page goes; written whole or not at all.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    ExportError
        If the notebook cannot be read, was not executed or failed; if there is no Chromium; if
        the page would be larger than 10 MB or cannot be written.
    """
    with replacing(Path(out)) as temporary:
        text = page.build(_executed(notebook), Path(notebook).resolve().parent).encode()
        if len(text) > LARGEST_PAGE:
            raise ExportError(
                f"{out} would have {len(text) / 1e6:.1f} MB, expected at most "
                f"{LARGEST_PAGE / 1e6:.0f}: draw fewer figures or smaller ones."
            )
        temporary.write_bytes(text)
    return Path(out)


def export_pdf(notebook: Path, out: Path = PDF) -> Path:
    """Write a notebook as US Letter pages, headings as bookmarks, fonts embedded.

    Parameters
    ----------
    notebook : Path
        Executed.
    out : Path
        Where the PDF goes; written whole or not at all.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    ExportError
        If the notebook cannot be read, was not executed or failed; if there is no Chromium, or it
        takes too long; if something does not fit on the paper; if the PDF cannot be written.
    """
    with replacing(Path(out)) as temporary:
        _draw(notebook, temporary)
    return Path(out)


def export_report(notebook: Path, out: Path = PDF) -> list[dict[str, Any]]:
    """Write the PDF and, beside it, the map of its pages: all of them or none.

    Parameters
    ----------
    notebook : Path
        Executed.
    out : Path
        Where the PDF goes; pages.json and pages.pdf go into the same folder.

    Returns
    -------
    list of dict
        The map, as `page_map` returns it.

    Raises
    ------
    ExportError
        As `export_pdf` does, or if a question is missing, unknown or out of order.
    """
    out = Path(out)
    with replacing(out) as temporary:
        _draw(notebook, temporary)
        return write_page_map(temporary, out.parent, out.name)


def _draw(notebook: Path, pdf: Path) -> None:
    """Write a notebook's PDF into a file."""
    text = page.build(_executed(notebook), Path(notebook).resolve().parent, for_paper=True)
    pdf.write_bytes(_print(text))
    _check_paper(pdf)


def _executed(notebook: Path) -> NotebookNode:
    """Read a notebook that was executed without an error."""
    node = page.read_notebook(Path(notebook))
    page.check_executed(node, Path(notebook).name)
    return node


def _print(text: str) -> bytes:
    """Print a page, after making it fit and seeing that nothing is cut off."""
    with Chromium() as browser:
        browser.resize(TEXT_WIDTH, 960)
        browser.command("Emulation.setEmulatedMedia", media="print")
        browser.load(text)
        cut_off = browser.run((page.TEMPLATES / "fit.js").read_text("utf-8"))
        if cut_off:
            raise ExportError(f"Wider than the paper: {'; '.join(cut_off[:3])}")
        if browser.requests:
            raise ExportError(f"The page asked for {browser.requests[0]}, which is outside it.")
        return browser.pdf()


def _check_paper(pdf: Path) -> None:
    """Refuse a PDF in which a page is not US Letter."""
    for number, sheet in enumerate(PdfReader(pdf).pages, start=1):
        size = (round(float(sheet.mediabox.width)), round(float(sheet.mediabox.height)))
        if size != LETTER:
            raise ExportError(f"Page {number} of the PDF has {size} points, expected {LETTER}.")


# The README's figures.


def export_figures(notebook: Path, folder: Path = IMAGES) -> list[Path]:
    """Write the figures that the README shows, in few colours to keep them small.

    Parameters
    ----------
    notebook : Path
        Executed.
    folder : Path

    Returns
    -------
    list of Path

    Raises
    ------
    ExportError
        If the notebook has no figure of one of the titles.
    """
    node = _executed(notebook)
    page.describe_figures(node)
    written = []
    for name, title in README_FIGURES.items():
        data = _figure(node, title)
        if data is None:
            raise ExportError(f"{Path(notebook).name} has no figure with the title {title!r}")
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            few = image.convert("RGB").quantize(N_COLOURS, dither=Image.Dither.NONE)
        with replacing(Path(folder) / name) as temporary:
            few.save(temporary, format="PNG", optimize=True)
        written.append(Path(folder) / name)
    return written


def _figure(node: NotebookNode, title: str) -> str | None:
    """Return the picture whose description begins with a title, in base64, or None."""
    for _, cell in page.code_cells(node):
        for output in cell.outputs:
            alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
            if alt.startswith(f"Figure: {title} ("):
                return output.data["image/png"]
    return None


# Outputs that are as new as the code.


def up_to_date(
    notebook: Path = NOTEBOOK,
    copy: Path = run_notebook.EXECUTED,
    say: Callable[[str], None] = print,
) -> Path:
    """Return a notebook whose outputs come from the code as it is now.

    Parameters
    ----------
    notebook : Path
        Never changed.
    copy : Path
        Where it is executed to if its outputs are missing or older than its code, or it does not
        tell which code they are from. A copy that is up to date is not executed again.
    say : callable
        Called with lines on what is done.

    Returns
    -------
    Path
        `notebook` or `copy`.

    Raises
    ------
    ExportError
        If it cannot be read or a cell fails.
    """
    node = page.read_notebook(notebook)
    reason = _why_old(node)
    if reason is None:
        return Path(notebook)
    if Path(copy).exists():
        earlier = page.read_notebook(copy)
        if _why_old(earlier) is None and _sources_of(earlier) == _sources_of(node):
            say(f"{Path(notebook).name}: {reason}. Using {_shown(copy)}, which is up to date.")
            return Path(copy)
    say(f"{Path(notebook).name}: {reason}. Executing it into {_shown(copy)} (5 to 15 minutes).")
    try:
        executed = run_notebook.execute(notebook, say)
    except (CellExecutionError, DeadKernelError) as error:
        raise ExportError(f"{Path(notebook).name} stopped: {error}") from error
    run_notebook.save(executed, copy)
    return Path(copy)


def _why_old(node: NotebookNode) -> str | None:
    """Return why a notebook has to be executed, or None if it need not be."""
    cells = page.code_cells(node)
    if cells and not any(cell.outputs for _, cell in cells):
        return "it has no outputs"
    changed = sources.changes(node)
    if changed is None:
        return "it does not tell from which code its outputs are"
    return f"changed since it was executed: {', '.join(changed)}" if changed else None


def _sources_of(node: NotebookNode) -> list[str]:
    """Return the texts of all cells."""
    return [cell.source for cell in node.cells]


def _shown(path: Path) -> str:
    """Return a path as the reader would type it."""
    return os.path.relpath(path)


# Commands.


def main(arguments: list[str] | None = None) -> int:
    """Export, say what was written; return the exit status."""
    parser = argparse.ArgumentParser(prog="utilities.export", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("pdf", "html", "figures"))
    parser.add_argument(
        "--notebook", type=Path, help="an executed notebook, taken as it is (default: hw4.ipynb)"
    )
    parser.add_argument("--output", type=Path, help="the file, or for figures the folder, to write")
    options = parser.parse_args(arguments)
    try:
        notebook = options.notebook or up_to_date(say=lambda line: print(line, flush=True))
        {"pdf": _pdf, "html": _html, "figures": _figures}[options.what](notebook, options.output)
    except ExportError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _pdf(notebook: Path, output: Path | None) -> None:
    """Write the PDF and, beside it, the map of its pages."""
    pdf = output or PDF
    print(table(export_report(notebook, pdf)))
    print(f"Wrote {_shown(pdf)}, {PAGES_JSON} and {PAGES_PDF} beside it.")


def _html(notebook: Path, output: Path | None) -> None:
    """Write the page."""
    written = export_html(notebook, output or HTML)
    print(f"Wrote {_shown(written)} ({written.stat().st_size / 1e6:.1f} MB).")


def _figures(notebook: Path, output: Path | None) -> None:
    """Write the README's figures."""
    for written in export_figures(notebook, output or IMAGES):
        print(f"Wrote {_shown(written)} ({written.stat().st_size / 1e3:.0f} kB).")


if __name__ == "__main__":
    sys.exit(main())
