"""Checks of the executed notebook and of its PDF."""

import ast
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import nbformat

from utilities.contract import LETTER, QUESTIONS, SHOWN
from utilities.errors import ExportError
from utilities.findings import FAIL, WARNING, Finding, finding

LARGEST_NOTEBOOK = 200 * 2**20  # bytes
SIZE_TOLERANCE = 0.5  # points: what rounding to inches or millimetres can make
PAGES = (5, 200)  # fewer cannot hold the answers, more are whole data sets
IMAGES = ("image/png", "image/svg+xml", "image/jpeg")

Cell = nbformat.NotebookNode


def check_notebook(path: Path, modules: Path | None = None) -> list[Finding]:
    """Return what there is to say about an executed notebook.

    Parameters
    ----------
    path : Path
    modules : Path, optional
        Folder of the modules it was run with; by default its own.

    Returns
    -------
    list of Finding
    """
    try:
        notebook = read_notebook(path)
    except ExportError as error:
        return [Finding(FAIL, path.name, "readable", str(error))]
    name, cells = path.name, _code_cells(notebook)
    sections = cells_by_question(notebook)
    return [
        finding(name, "readable", []),
        finding(name, "executed in order", order_problems(cells)),
        finding(name, "no errors", error_problems(cells)),
        finding(name, "every question", heading_problems(notebook)),
        finding(name, "outputs and figures", [*silent_cells(cells), *shown_problems(sections)]),
        finding(name, "no warnings shown", stderr_problems(cells), WARNING),
        finding(
            name, "as new as the code", code_changes(notebook, modules or path.parent), WARNING
        ),
    ]


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """Return a notebook that holds code.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ExportError
        If it is no notebook or has no code; the message says what to do.
    """
    # late, so that the checks of modules need neither HTML nor PDF libraries
    from utilities import page

    size = path.stat().st_size
    if size > LARGEST_NOTEBOOK:
        raise ExportError(f"{path.name} has {size:,} bytes: clear what it prints without end")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # older notebooks lack names of cells
        notebook = page.read_notebook(path)
    if not _code_cells(notebook):
        raise ExportError(f"{path.name} has no code cells: is it the right notebook?")
    return notebook


def _code_cells(notebook: nbformat.NotebookNode) -> list[Cell]:
    """Return the code cells that hold something."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def order_problems(cells: list[Cell]) -> list[str]:
    """Return where the execution counts are not 1, 2, 3, ..."""
    for expected, cell in enumerate(cells, start=1):
        if cell.execution_count == expected:
            continue
        state = "not run" if cell.execution_count is None else f"run as {cell.execution_count}"
        which = f"code cell {expected} ({_first_line(cell)}) was {state}"
        return [f"{which}: restart the kernel, run all cells, save"]
    return []


def error_problems(cells: list[Cell]) -> list[str]:
    """Return the errors that cells ended with."""
    return [
        f"In [{cell.execution_count}] ends with {output.ename}: {output.evalue[:80]}"
        for cell in cells
        for output in cell.outputs
        if output.output_type == "error"
    ]


def stderr_problems(cells: list[Cell]) -> list[str]:
    """Return the cells that wrote warnings or logs."""
    return [
        f"In [{cell.execution_count}] shows: {output.text.strip()[:80]!r}"
        for cell in cells
        for output in cell.outputs
        if output.get("name") == "stderr"
    ]


def code_changes(notebook: nbformat.NotebookNode, folder: Path) -> list[str]:
    """Return which code has changed since the outputs were made, where the notebook tells."""
    from utilities import sources

    changed = sources.changes(notebook, folder) or []
    return [f"{name} has changed since it was run: run it again" for name in changed]


def silent_cells(cells: list[Cell]) -> list[str]:
    """Return the cells that print but show nothing: their outputs were cleared."""
    return [
        f"In [{cell.execution_count}] ({_first_line(cell)}) prints but has no output: run it again"
        for cell in cells
        if not cell.outputs and _prints(cell.source)
    ]


def _prints(source: str) -> bool:
    """Tell whether a cell surely prints: a call of print in its outermost lines."""
    lines = ["" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines()]
    try:
        statements = ast.parse("\n".join(lines)).body
    except (SyntaxError, ValueError):
        return False
    calls = [s.value for s in statements if isinstance(s, ast.Expr)]
    return any(getattr(getattr(call, "func", None), "id", "") == "print" for call in calls)


def _first_line(cell: Cell) -> str:
    return cell.source.strip().splitlines()[0][:40]


def numbered_headings(source: str) -> Iterator[tuple[str, str]]:
    """Give the number and text of each numbered heading of a Markdown cell.

    Parameters
    ----------
    source : str

    Yields
    ------
    tuple of str
        ``("2.1.3", "2.1.3 Training")``; markup and a leading ``Question`` or ``Q`` do not count.
    """
    for line in re.sub(r"```.*?```", "", source, flags=re.S).splitlines():
        heading = re.match(r"\s{0,3}#{1,6}\s+(.*)|\s*<h[1-6][^>]*>(.*)", line, re.I)
        if not heading:
            continue
        text = re.sub(r"<[^>]*>|[*_`]", "", heading[1] or heading[2]).strip()
        number = re.match(r"(?:Q(?:uestion)?\s*)?(\d+(?:\.\d+)*)(?![\w%])", text, re.I)
        if number:
            yield number[1], text


def heading_problems(notebook: nbformat.NotebookNode) -> list[str]:
    """Return the questions without a heading and the headings of no question."""
    found = [
        heading
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for heading in numbered_headings(cell.source)
    ]
    numbers = {number for number, _ in found}
    problems = [
        f"no heading {question}: write it" for question in QUESTIONS if question not in numbers
    ]
    above = {question[:end] for question in QUESTIONS for end in range(1, len(question), 2)}
    known = {"0", *above, *QUESTIONS}
    strangers = [text for number, text in found if number not in known]
    return problems + [f"{text[:60]!r} is no question of this homework" for text in strangers]


def cells_by_question(notebook: nbformat.NotebookNode) -> dict[str, list[Cell]]:
    """Return the code cells below each question's heading."""
    sections, question = {}, None
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for number, _ in numbered_headings(cell.source):
                question = number
        elif cell.cell_type == "code" and question in QUESTIONS:
            sections.setdefault(question, []).append(cell)
    return sections


def shown_problems(sections: dict[str, list[Cell]]) -> list[str]:
    """Return the figures and results that questions lack."""
    problems = []
    for question, shown in SHOWN.items():
        outputs = [output for cell in sections.get(question, []) for output in cell.outputs]
        images = sum(any(kind in output.get("data", {}) for kind in IMAGES) for output in outputs)
        if images < shown.figures:
            problems.append(f"{question} shows {images} figures, expected {shown.figures} or more")
        if shown.text and not re.search(shown.text, _text_of(outputs)):
            problems.append(f"{question} lacks its printed result, {shown.text!r}")
    return problems


def _text_of(outputs: list[Cell]) -> str:
    plain = [output.get("data", {}).get("text/plain", "") for output in outputs]
    return "\n".join([output.get("text", "") for output in outputs] + plain)


def check_pdf(path: Path) -> list[Finding]:
    """Return what there is to say about the notebook's PDF.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of Finding
    """
    # late, so that the checks of modules need no PDF library
    import pypdf

    name = path.name
    try:
        pages = [_page_size(page) for page in pypdf.PdfReader(path).pages]
    except Exception as error:  # a broken PDF can raise anything
        reason = str(error).strip().splitlines() or [type(error).__name__]
        return [
            Finding(FAIL, name, "readable", f"it is no PDF ({reason[0][:100]}): print it again")
        ]
    return [
        finding(name, "readable", []),
        finding(name, "US Letter", size_problems(pages)),
        finding(name, "page count", count_problems(len(pages))),
        _questions_in(path),
    ]


def _page_size(page: object) -> tuple[float, float]:
    """Return a page's width and height in points, as it is shown."""
    width, height = float(page.mediabox.width), float(page.mediabox.height)
    return (height, width) if page.rotation % 180 else (width, height)


def size_problems(pages: list[tuple[float, float]]) -> list[str]:
    """Return the pages that are not US Letter, upright."""
    return [
        f"page {number} measures {width:g} × {height:g} pt, expected 612 × 792: use US Letter"
        for number, (width, height) in enumerate(pages, start=1)
        if max(abs(width - LETTER[0]), abs(height - LETTER[1])) > SIZE_TOLERANCE
    ]


def count_problems(count: int) -> list[str]:
    """Return what is wrong with the number of pages."""
    fewest, most = PAGES
    if fewest <= count <= most:
        return []
    return [f"it has {count} pages, expected {fewest} to {most}: look at what was printed"]


def _questions_in(path: Path) -> Finding:
    """Look every question up in the PDF."""
    from utilities.page_map import page_map

    try:
        page_map(path)
    except ExportError as error:
        return finding(path.name, "every question", [str(error)])
    except Exception as error:  # a PDF with readable pages can still be broken
        reason = f"its bookmarks and text cannot be read ({type(error).__name__}): print it again"
        return finding(path.name, "every question", [reason])
    return finding(path.name, "every question", [])


def find_one(folder: Path, name: str) -> tuple[Path | None, str]:
    """Return the file of a name, or the only one with its ending, and why there is none.

    Parameters
    ----------
    folder : Path
    name : str
        Such as ``hw4.ipynb``.
    """
    found = sorted(p for p in folder.iterdir() if p.suffix == Path(name).suffix and p.is_file())
    named = [path for path in found if path.name == name] or found
    if len(named) == 1:
        return named[0], ""
    if named:
        return None, f"{', '.join(p.name for p in named[:3])}: keep one, or call one {name}"
    return None, f"there is no {name} in this folder"
