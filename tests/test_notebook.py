"""The notebook runs from top to bottom, and what it prints is what was published.

It is executed here with one epoch of the CNN. To check a copy that was executed already, as
CI does with the full run, name it in HW4_EXECUTED_NOTEBOOK.
"""

import json
import os
import re
import shutil
from importlib.metadata import version

import nbformat
import pytest
from conditions import BEANS
from helpers import ROOT, clean_environment, pins_of, run_file

from utilities import datasets
from utilities.run_notebook import NOTEBOOK, execute, printed

GIVEN_COPY = os.environ.get("HW4_EXECUTED_NOTEBOOK")
README = ROOT / "README.md"
PUBLISHED = json.loads((ROOT / "tests" / "nn_losses.json").read_text())
LOCAL_TESTS = 20  # lines `test_... passed!`

MACHINE_PATH = re.compile(r"(?<![\w./])/(?:root|home|Users|work|tmp|opt|usr|var)/[\w.-]+")


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(notebook):
    """Return everything the cells printed or showed as text or HTML."""
    parts = [printed(notebook)]
    for cell in code_cells(notebook):
        for output in cell.outputs:
            data = output.get("data", {})
            parts += [data[kind] for kind in ("text/plain", "text/html") if kind in data]
    return "\n".join(parts)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """An executed notebook and how often it reached for the network, if that was counted.

    It is the given copy, or one run here in a folder, and where it can be a network, of its own.
    """
    if GIVEN_COPY:
        return nbformat.read(ROOT / GIVEN_COPY, as_version=4), None
    copy = tmp_path_factory.mktemp("cwd") / "executed.ipynb"
    env = clean_environment(HW4_CNN_EPOCHS=1, HW4_STANDIN=1)
    finished = run_file(ROOT / "tests" / "offline.py", copy, env=env, timeout=3600)
    assert finished.returncode == 0, finished.stderr
    return nbformat.read(copy, as_version=4), json.loads(finished.stdout)


@pytest.fixture(scope="module")
def executed(run):
    """The executed notebook."""
    return run[0]


@pytest.fixture(params=["committed", "executed"])
def notebook(request):
    """The notebook as it is committed, then as it was just executed."""
    if request.param == "committed":
        return nbformat.read(NOTEBOOK, as_version=4)
    return request.getfixturevalue("executed")


def real(notebook, *names):
    """Skip if the notebook ran on a stand-in of these sets: its figures are not the published."""
    for name in names:
        title = datasets.CATALOGUE[name].title
        (kind,) = re.findall(rf"{title}</t[hd]>\s*<td[^>]*>([\w-]+)</td>", shown(notebook))
        if kind == datasets.STANDIN:
            missing = f"the notebook ran on a stand-in for {title}: the real data is absent"
            if os.environ.get("CI") and os.environ.get("HW4_DATA_HOME"):
                pytest.fail(missing)
            pytest.skip(missing)


def figure(pattern, text):
    """Return all numbers that a pattern's group finds."""
    found = re.findall(pattern, text)
    assert found, f"nothing printed matches {pattern!r}"
    return [float(number.replace(",", "")) for number in found]


def test_cells_were_executed_once_and_in_order(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


def test_no_cell_failed_or_wrote_to_stderr(notebook):
    on_standin = datasets.STANDIN in shown(notebook)
    for cell in code_cells(notebook):
        for output in cell.outputs:
            assert output.output_type != "error", output
            if output.get("name") == "stderr":
                # a download that was tried in vain, and the stand-in that takes its place
                assert on_standin, output
                assert output.text.count("Warning:") == output.text.count("StandInWarning:"), output


def test_outputs_hold_no_path_of_a_machine_and_no_warning(notebook):
    text = shown(notebook)
    assert not MACHINE_PATH.findall(text)
    assert "Warning" not in text
    assert "\r" not in text


def test_cells_are_short_and_sections_numbered(notebook):
    for cell in code_cells(notebook):
        assert len([line for line in cell.source.splitlines() if line.strip()]) <= 15, cell.source
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for number in ("1.1", "1.1.1", "1.1.2", "1.1.3", "1.2", "1.3", "1.4"):
        assert re.search(rf"^#+ {re.escape(number)} ", text, re.M), number
    for number in ("2.1.1", "2.1.2", "2.1.3", "2.1.4", "2.2", "3.1", "3.2", "3.3", "3.4"):
        assert re.search(rf"^#+ {re.escape(number)} ", text, re.M), number
    for number in ("4.1.1", "4.1.2", "4.2", "5.1.1", "5.1.2", "5.2"):
        assert re.search(rf"^#+ {re.escape(number)} ", text, re.M), number


def test_every_local_test_passes(notebook):
    assert len(re.findall(r"^test_\w+ passed!", printed(notebook), re.M)) == LOCAL_TESTS


def test_the_three_trainings_print_the_published_losses(notebook):
    real(notebook, "housing")
    losses = figure(r"Loss after iteration \d+: ([\d.]+)", printed(notebook))
    assert losses == PUBLISHED["gd"] + PUBLISHED["bgd"] + PUBLISHED["momentum"]


def test_the_three_test_cross_entropies_are_the_published_ones(notebook):
    real(notebook, "housing")
    expected = [PUBLISHED["test_cross_entropy"][run] for run in ("gd", "bgd", "momentum")]
    assert figure(r"Cross entropy loss: ([\d.]+)", printed(notebook)) == expected


def test_the_cnn_reaches_the_published_accuracy(notebook):
    real(notebook, "fashion_mnist")
    (epochs,) = figure(r"(\d+) epochs, batches", printed(notebook))
    (accuracy,) = figure(r"validation accuracy: ([\d.]+)", printed(notebook))
    # one epoch is only to show that training works: the published figure needs the full run
    assert accuracy >= (0.930 if epochs > 1 else 0.80)


def test_the_forest_reaches_its_goal_on_the_beans(notebook):
    real(notebook, "dry_beans")
    assert figure(r"\naccuracy: ([\d.]+)", printed(notebook))[0] >= 0.880


def test_adaboost_reaches_its_goal_on_the_beans(notebook):
    real(notebook, "dry_beans")
    assert figure(r"AdaBoost accuracy: ([\d.]+)", printed(notebook))[0] >= 0.910


def test_the_svm_has_the_exact_hyperplane(notebook):
    text = printed(notebook)
    # by hand, from the three support vectors: theta = (1/9, 28/45), b = -47/18
    assert "theta = (0.111, 0.622), intercept = -2.611" in text
    assert "nearest point: 1.582" in text
    assert "points on the right side: 100%" in text


def test_the_corpus_has_the_published_size(notebook):
    real(notebook, "macbeth")
    text = printed(notebook)
    assert "102,188 characters, 34 symbols" in text
    assert "x: (102158, 30)" in text
    assert "e. all. come, high or low; thy" in text


def test_both_text_models_are_loaded_and_have_the_published_sizes(notebook):
    text = shown(notebook)
    assert "Loaded saved RNN model and weights." in text
    assert "Loaded saved LSTM model and weights." in text
    assert "62,370" in text
    assert "210,210" in text


def test_both_models_write_text(notebook):
    text = printed(notebook)
    written = re.findall(r"----- (RNN|LSTM) Model -----\nPrompt: .*\nModel: (.+)", text)
    assert {name for name, _ in written} == {"RNN", "LSTM"}
    assert all(len(continuation) >= 150 for _, continuation in written)


def test_nothing_in_the_notebook_reaches_for_the_network(run):
    executed, attempts = run
    real(executed, *datasets.CATALOGUE)  # else it asks for the missing data
    if attempts is None:
        pytest.skip("this system gives no network of its own, or the notebook ran elsewhere")
    assert attempts == 0


def test_energy_is_measured_for_each_question(notebook):
    text = shown(notebook)
    for number in range(1, 6):
        assert f"Question {number}" in text
    assert "g CO2e" in text


def test_what_is_committed_comes_from_real_data():
    committed = nbformat.read(NOTEBOOK, as_version=4)
    assert "STAND-IN" not in shown(committed)


def test_the_readme_states_what_the_committed_notebook_prints():
    committed = printed(nbformat.read(NOTEBOOK, as_version=4))
    rows = re.findall(r"^\| [\d.–]+ \| (.+?) \| .*? \| (.+) \|$", README.read_text("utf-8"), re.M)
    stated = dict(rows)
    losses = re.findall(r"Cross entropy loss: ([\d.]+)", committed)
    assert stated["test cross-entropy"] == ", ".join(losses)
    accuracy, epochs, batch, rate = re.match(
        r"([\d.]+) \((\d+) epochs, batch (\d+), learning rate ([\de-]+);",
        stated["CNN, validation accuracy"],
    ).groups()
    assert f"{epochs} epochs, batches of {batch}, learning rate {float(rate)}," in committed
    assert f"validation accuracy: {float(accuracy):.3f}" in committed
    assert f"\naccuracy: {stated['forest, `OOB_score` of the test set']}" in committed
    assert f"AdaBoost accuracy: {stated['AdaBoost accuracy']}" in committed


def test_two_runs_print_the_same_figures(executed):
    real(executed, "housing", "fashion_mnist", "dry_beans", "macbeth")
    committed = printed(nbformat.read(NOTEBOOK, as_version=4))
    for pattern in (
        r"Loss after iteration \d+: ([\d.]+)",
        r"Cross entropy loss: ([\d.]+)",
        r"\naccuracy: ([\d.]+)",
        r"accuracy of the whole forest: ([\d.]+)",
    ):
        assert figure(pattern, printed(executed)) == figure(pattern, committed), pattern


@pytest.mark.parametrize(
    ("pattern", "name"),
    [(r"\naccuracy: ([\d.]+)", "forest"), (r"AdaBoost accuracy: ([\d.]+)", "AdaBoost")],
)
def test_the_beans_have_the_accuracies_stated_for_their_scikit_learn(executed, pattern, name):
    real(executed, "dry_beans")
    committed = nbformat.read(NOTEBOOK, as_version=4)
    (pinned,) = set(pins_of("scikit-learn"))  # with which the committed notebook was executed
    assert re.findall(pattern, printed(committed)) == [BEANS[pinned][name]]
    installed = version("scikit-learn")
    if installed not in BEANS:
        pytest.skip(f"no accuracy is stated for scikit-learn {installed}")
    assert re.findall(pattern, printed(executed)) == [BEANS[installed][name]]


def test_every_net_is_trained_from_a_seed():
    cells = code_cells(nbformat.read(NOTEBOOK, as_version=4))
    trainings = [cell.source for cell in cells if re.search(r"\btrain(er)?\(", cell.source)]
    assert len(trainings) == 2  # of the CNN, and of the RNN and the LSTM
    for source in trainings:
        assert re.search(r"seed\(4641\).*\btrain(er)?\(", source, re.S), source


def test_question_5_can_do_without_loss_histories(tmp_path, monkeypatch):
    """Weights whose losses are damaged or gone are shown as far as they go, at every run."""
    monkeypatch.setenv("HW4_STANDIN", "1")
    weights = shutil.copytree(ROOT / "model_weights", tmp_path / "weights")
    (weights / "RNN_losses.json").write_text("garbage", encoding="utf-8")
    (weights / "LSTM_losses.json").unlink()
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    parts = {"Homework 4": [], "Question 5": []}
    for cell in notebook.cells:
        title = re.match(r"# ([^:]+)", cell.source)
        if cell.cell_type == "markdown" and title:
            part = parts.get(title[1], [])
        part.append(cell)
    elsewhere = f"""import pathlib
from IPython.display import Image
import base_sequential_model
from utilities.diagrams import IMAGES
base_sequential_model.WEIGHTS_FOLDER = pathlib.Path({str(weights)!r})"""
    notebook.cells = [
        *parts["Homework 4"],
        nbformat.v4.new_code_cell(elsewhere),
        *parts["Question 5"],
    ]
    source = tmp_path / "hw4.ipynb"
    nbformat.write(notebook, source)
    for _ in range(2):
        executed = execute(source, say=lambda line: None, working_directory=tmp_path)
        text = printed(executed)
        assert "could not be read as losses of this RNN" in text
        assert "No saved LSTM loss history" in text
        assert "Loaded saved RNN model and weights." in text
        assert "Loaded saved LSTM model and weights." in text
        assert re.search(r"lowest training loss[^\n]*nan", shown(executed))
