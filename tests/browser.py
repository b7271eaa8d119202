"""What the tests of exporting share: tiny notebooks, and the reason they are skipped for."""

import shutil

import nbformat
import pytest

from utilities.chromium import NAMES

needs_chromium = pytest.mark.skipif(
    not any(shutil.which(name) for name in NAMES),
    reason="needs Chromium on PATH (sudo apt-get install chromium)",
)
needs_poppler = pytest.mark.skipif(
    shutil.which("pdftoppm") is None,
    reason="needs pdftoppm on PATH (sudo apt-get install poppler-utils)",
)


KEYS = {"Tab": (9, ""), "Enter": (13, "\r")}  # key code and text


def press(browser, key):
    """Press a key and let it go."""
    code, text = KEYS[key]
    for kind in ("keyDown", "keyUp"):
        browser.command(
            "Input.dispatchKeyEvent",
            type=kind,
            key=key,
            code=key,
            windowsVirtualKeyCode=code,
            text=text,
        )


def text(source):
    """Return a cell of Markdown."""
    return nbformat.v4.new_markdown_cell(source)


def code(source, *outputs):
    """Return an executed cell with these outputs."""
    return nbformat.v4.new_code_cell(source, execution_count=1, outputs=list(outputs))


def printed(words):
    """Return printed text as an output."""
    return nbformat.v4.new_output("stream", name="stdout", text=words)


def shown(**data):
    """Return an output of the given kinds, for example ``text_html="<b>a</b>"``."""
    bundle = {name.replace("_", "/"): value for name, value in data.items()}
    return nbformat.v4.new_output("display_data", data=bundle)


def failed(name, message):
    """Return the output of a cell that raised."""
    return nbformat.v4.new_output("error", ename=name, evalue=message, traceback=[message])


def save(path, *cells):
    """Write a notebook of these cells and return its path."""
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), path)
    return path
