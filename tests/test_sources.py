"""Telling old outputs from new ones: what counts as the code of a notebook."""

import nbformat
import pytest

from utilities import run_notebook, sources


@pytest.fixture
def root(tmp_path):
    """A package: the notebook imports a, which imports kit.b within a function; not c."""
    (tmp_path / "kit").mkdir()
    (tmp_path / "a.py").write_text("def f():\n    from kit import b\n")
    (tmp_path / "c.py").write_text("C = 1\n")
    (tmp_path / "kit" / "__init__.py").write_text("")
    (tmp_path / "kit" / "b.py").write_text("from . import d\n")
    (tmp_path / "kit" / "d.py").write_text("from .. import nowhere\nimport a\n")
    return tmp_path


def notebook(*cells):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])


def executed(root):
    """Return a notebook that says it was executed from the code as it is."""
    node = notebook("%matplotlib inline\nimport a, os", "!ls\na.f()")
    sources.record(node, sources.fingerprint(node, root))
    return node


def test_modules_are_followed_wherever_they_are_imported(root):
    assert list(sources.fingerprint(executed(root), root)) == [
        "code cells",
        "a.py",
        "kit/__init__.py",
        "kit/b.py",
        "kit/d.py",
    ]


def test_nothing_has_changed_after_a_fresh_checkout(root):
    node = executed(root)
    text = (root / "a.py").read_bytes()
    (root / "a.py").write_bytes(text.replace(b"\n", b"\r\n"))  # new date, Windows's line ends
    assert sources.changes(node, root) == []


@pytest.mark.parametrize("file", ["a.py", "kit/__init__.py", "kit/b.py", "kit/d.py"])
def test_a_changed_module_is_named(root, file):
    node = executed(root)
    (root / file).write_text((root / file).read_text() + "X = 2\n")
    assert sources.changes(node, root) == [file]


def test_a_module_that_is_not_imported_does_not_count(root):
    node = executed(root)
    (root / "c.py").write_text("C = 2\n")
    assert sources.changes(node, root) == []


def test_a_module_that_is_gone_or_new_is_named(root):
    node = executed(root)
    (root / "kit" / "d.py").unlink()
    (root / "kit" / "b.py").write_text("import c\n")
    assert sources.changes(node, root) == ["c.py", "kit/b.py", "kit/d.py"]


def test_changed_cells_count_and_texts_do_not(root):
    node = executed(root)
    node.cells.append(nbformat.v4.new_markdown_cell("a word"))
    assert sources.changes(node, root) == []
    node.cells[1].source += "\n1"
    assert sources.changes(node, root) == ["code cells"]


def test_a_setting_that_changes_the_cells_counts(root, monkeypatch):
    monkeypatch.delenv("HW4_CNN_EPOCHS", raising=False)
    node = executed(root)
    monkeypatch.setenv("HW4_CNN_EPOCHS", "1")
    assert sources.changes(node, root) == ["HW4_CNN_EPOCHS"]


def test_a_notebook_that_says_nothing_is_neither_old_nor_new(root):
    assert sources.changes(notebook("1"), root) is None


def test_the_homeworks_notebook_depends_on_its_modules():
    node = nbformat.read(run_notebook.NOTEBOOK, as_version=4)
    files = sources.fingerprint(node)
    assert {"NN.py", "cnn.py", "cnn_trainer.py", "random_forest.py", "lstm.py"} <= set(files)
    assert {"base_sequential_model.py", "utilities/figures.py", "utilities/utils.py"} <= set(files)
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in files)


def test_executing_writes_down_the_code(tmp_path):
    nbformat.write(notebook("from utilities import errors"), tmp_path / "nb.ipynb")
    node = run_notebook.execute(tmp_path / "nb.ipynb", print, tmp_path)
    assert list(node.metadata["hw4"]["sources"]) == [
        "code cells",
        "utilities/__init__.py",
        "utilities/errors.py",
    ]
    assert sources.changes(node) == []
