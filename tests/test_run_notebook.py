"""Running the notebook: what is written, what is said, and what happens when a cell fails."""

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from utilities import run_notebook


def notebook_of(*cells):
    """Return a notebook of cells given as ("code" or "markdown", source)."""
    make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
    return nbformat.v4.new_notebook(cells=[make[kind](source) for kind, source in cells])


def test_a_notebook_is_executed_in_the_folder_given_and_its_source_left_alone(tmp_path):
    source = tmp_path / "in.ipynb"
    nbformat.write(
        notebook_of(("markdown", "## Part one"), ("code", "import os\nprint(os.getcwd())")), source
    )
    before = source.read_bytes()
    said = []

    executed = run_notebook.execute(source, said.append, working_directory=tmp_path)

    assert executed.cells[1].outputs[0].text.strip() == str(tmp_path)
    assert source.read_bytes() == before
    assert len(said) == 1
    assert said[0].endswith("Part one")


def test_text_written_in_pieces_is_one_output_and_the_kernel_warns_of_nothing(tmp_path, capfd):
    source = tmp_path / "in.ipynb"
    piece = "for c in 'macbeth':\n    print(c, end='', flush=True)"
    nbformat.write(notebook_of(("code", piece)), source)
    executed = run_notebook.execute(source, print, tmp_path)
    assert [output.text for output in executed.cells[0].outputs] == ["macbeth"]
    assert capfd.readouterr() == ("", "")


def test_a_failing_cell_stops_the_run_and_writes_nothing(tmp_path, monkeypatch, capsys):
    source, output = tmp_path / "in.ipynb", tmp_path / "build" / "out.ipynb"
    nbformat.write(notebook_of(("code", "raise ValueError('expected this')")), source)
    monkeypatch.setattr(run_notebook.execute, "__defaults__", (source, print, tmp_path))

    assert run_notebook.main(["--output", str(output)]) == 1

    assert "expected this" in capsys.readouterr().err
    assert not output.exists()
    with pytest.raises(CellExecutionError, match="expected this"):
        run_notebook.execute(source, print, tmp_path)


def test_saving_replaces_the_old_copy_whole(tmp_path):
    target = tmp_path / "new folder" / "out.ipynb"
    for text in ("first", "second"):
        run_notebook.save(notebook_of(("markdown", text)), target)
    assert nbformat.read(target, as_version=4).cells[0].source == "second"
    assert [path.name for path in target.parent.iterdir()] == ["out.ipynb"]
