"""The preflight: what passes, what does not, and that no homework file can hurt it."""

import copy
import re
import shutil
import time

import nbformat
import psutil
import pypdf
import pytest
from helpers import ROOT

from utilities import (
    preflight,
    preflight_import,
    preflight_notebook,
    preflight_source,
    sources,
)
from utilities.contract import ASSIGNMENTS, LIBRARIES, QUESTIONS, SIGNATURES, parameters_of
from utilities.findings import FAIL, PASS, SKIPPED, WARNING, Finding, print_findings

CONTRACT = ROOT.parent / "shared" / "contract.md"
GENERATOR = (ROOT / "text_generator.py").read_text(encoding="utf-8")


def write_generator(folder, appended="", changed=("", "")):
    """Write a text_generator.py of our own with something appended or changed."""
    assert changed[0] in GENERATOR
    source = GENERATOR.replace(*changed, 1) + "\n" + appended + "\n"
    (folder / "text_generator.py").write_text(source, encoding="utf-8")


def check_generator(folder, seconds=20.0):
    """Return the findings of the text_generator.py in a folder by check."""
    return by_check(preflight.check_modules(folder, ("text_generator",), seconds))


def by_check(findings):
    return {found.check: found for found in findings}


def not_passed(findings):
    return [found for found in findings if found.status != PASS]


# --- the project and the contract ----------------------------------------------------------------


def test_the_project_passes_its_own_preflight(capfd):
    findings = preflight.check_folder(ROOT)
    skipped = {found.file for found in findings if found.status == SKIPPED}
    assert skipped <= {"hw4.pdf"}  # made by `make pdf`
    left = [found for found in not_passed(findings) if found.status != SKIPPED]
    # while modules are worked on the notebook is older: `make notebook` runs it again
    assert [found for found in left if found.check != "as new as the code"] == []
    assert {found.file for found in findings} >= {f"{name}.py" for name in LIBRARIES}
    assert capfd.readouterr() == ("", "")


@pytest.fixture(scope="module")
def contract():
    if not CONTRACT.exists():
        pytest.skip("the course's contract is not beside this checkout")
    return CONTRACT.read_text(encoding="utf-8")


FILES_OF_QUESTION = {
    "Q1": ("NN",),
    "Q2": ("cnn_image_transformations", "cnn", "cnn_trainer"),
    "Q3": ("random_forest",),
    "Q5": ("base_sequential_model", "rnn", "lstm", "text_generator"),
}

# Keras', scikit-learn's, and utilities.utils', which test_uploads.py checks.
NOT_OF_THE_FILES = {"get_config", "train_test_split", "get_housing_dataset"}


def section(contract, question):
    return re.search(rf"^## {question} .*?(?=^## |\Z)", contract, re.M | re.S)[0]


@pytest.mark.parametrize("question", FILES_OF_QUESTION)
def test_signatures_agree_with_the_contract(contract, question):
    written = {}
    for name, arguments in re.findall(r"`(\w+)\(([^`]*)\)`", section(contract, question)):
        try:
            parameters = parameters_of(arguments)
        except (SyntaxError, ValueError):
            continue  # a call with values, not a signature
        if name not in NOT_OF_THE_FILES:
            written.setdefault(name, parameters)  # the definition comes before other mentions
    ours = {}
    for module in FILES_OF_QUESTION[question]:
        for path, signature in SIGNATURES[module].items():
            cls, _, name = path.rpartition(".")
            ours[cls if name == "__init__" else name] = parameters_of(signature)
    assert {name: ours.get(name) for name in written} == written
    # PyTorch calls a net through forward(x), which the contract need not say
    assert set(ours) - set(written) <= ({"forward"} if question == "Q2" else set())


def test_assignments_agree_with_the_contract(contract):
    sentence = re.search(r"^Gradescope assignments.*?(?=^## )", contract, re.M | re.S)[0]
    written = {
        title: sorted(re.findall(r"\w+\.py", files))
        for title, files in re.findall(r'"([^"]+)"([^"]*)', sentence)
    }
    ours = {a.title: sorted(f for f in a.files if f.endswith(".py")) for a in ASSIGNMENTS}
    assert ours == written


def test_questions_agree_with_the_contract(contract):
    table = re.search(r"^## Points.*?^Totals", contract, re.M | re.S)[0]
    items = re.findall(r"(?:^\| |; |, )(\d\.\d(?:\.\d)?) [A-Za-z]", table, re.M)
    local_tests = ("1.1.1", "1.1.2", "1.1.3")  # headings of the notebook, worth nothing apart
    assert [q for q in QUESTIONS if q not in local_tests] == list(dict.fromkeys(items))


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "found", ["nn.py", "NN (1).py", "NN.py.txt", "NN copy.py", "NN_final.py", "code/NN.py"]
)
def test_a_misnamed_file_is_named_as_probably_meant(tmp_path, found):
    (tmp_path / found).parent.mkdir(exist_ok=True)
    (tmp_path / found).write_text("import numpy\n")
    (finding,) = preflight.check_modules(tmp_path, ("NN",))
    assert (finding.status, finding.check) == (FAIL, "name")
    assert f"{found} may be meant" in finding.advice


def test_a_file_of_another_question_is_not_taken_for_the_missing_one(tmp_path):
    for name in ("cnn.py", "lstm.py", "cnn_trainer.py"):
        (tmp_path / name).write_text("import torch\n")
    (finding,) = preflight.check_modules(tmp_path, ("NN",))
    assert "missing" in finding.advice
    assert "may be meant" not in finding.advice


def test_a_second_copy_beside_the_file_is_a_warning(tmp_path):
    write_generator(tmp_path)
    shutil.copy(tmp_path / "text_generator.py", tmp_path / "text_generator (1).py")
    found = check_generator(tmp_path)["name"]
    assert found.status == WARNING
    assert "text_generator (1).py lies beside it" in found.advice


@pytest.mark.parametrize(
    ("content", "check", "advice"),
    [
        (b"", "name", "got 0 bytes"),
        ("# caf\xe9\n".encode("latin-1"), "syntax", "line 1 is not UTF-8"),
        (b"import numpy\n%matplotlib inline\n", "syntax", "line 2 is a notebook command"),
        (b"<<<<<<< HEAD\nx = 1\n", "syntax", "line 1 is left of a merge"),
        (b"def f(:\n", "syntax", "line 1: invalid syntax"),
        (b"x = 1\0\n", "syntax", "cannot be read as Python|null bytes"),
        (b"(" * 100_000, "syntax", "line 1|cannot be read as Python"),
        (b"x = 0\n" + b"#" * 2**20, "syntax", "data does not belong in it"),
    ],
)
def test_a_file_that_is_no_source_is_refused_without_running_it(tmp_path, content, check, advice):
    (tmp_path / "NN.py").write_bytes(content)
    (finding,) = not_passed(preflight.check_modules(tmp_path, ("NN",)))
    assert (finding.status, finding.check) == (FAIL, check)
    assert re.search(advice, finding.advice)


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_what_is_no_plain_file_is_refused(tmp_path, kind):
    if kind == "link":
        (tmp_path / "NN.py").symlink_to(ROOT / "NN.py")
    else:
        (tmp_path / "NN.py").mkdir()
    (finding,) = preflight.check_modules(tmp_path, ("NN",))
    assert f"must be a plain file, got a {kind}" in finding.advice


# --- imports -------------------------------------------------------------------------------------

ALONE, QUIET = "imports alone", "no side effects"


@pytest.mark.parametrize(
    ("appended", "check", "advice"),
    [
        ("print('hello')", QUIET, "prints at import: 'hello'"),
        ("import sys\nprint('hm', file=sys.stderr)", QUIET, "prints at import: 'hm'"),
        ("import os\nos.write(1, b'past sys.stdout')", QUIET, "prints at import: 'past"),
        ("np.random.seed(1)", QUIET, "random numbers at import"),
        ("import random\nrandom.random()", QUIET, "random numbers at import"),
        ("np.save('kept.npy', np.ones(3))", ALONE, r"writes kept\.npy \(text_generator\.py, line"),
        ("try:\n    open('a.txt', 'w')\nexcept OSError:\n    pass", QUIET, "at import it writes a"),
        ("import os\nos.makedirs('model_weights')", ALONE, "makes the folder model_weights"),
        ("import os\nos.remove('text_generator.py')", ALONE, "deletes text_generator.py"),
        ("import subprocess\nsubprocess.run(['true'])", ALONE, "starts the program"),
        ("import socket\nsocket.create_connection(('127.0.0.1', 9))", ALONE, "asks the network"),
        (
            "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()",
            QUIET,
            "leaves a thread running",
        ),
        ("exit()", ALONE, r"ends the program by exit\(\) \(text_generator\.py, line"),
        ("raise SystemExit(1)", ALONE, r"ends the program by exit\(\)"),
        ("import os\nos._exit(0)", ALONE, "ends the interpreter with status 0"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", ALONE, "crashes .*SIGSEGV"),
        ("while True:\n    print('x' * 1000)", ALONE, "prints more than 64 KiB"),
        ("input('Seed? ')", ALONE, "EOFError"),
        ("1 / 0", ALONE, r"ZeroDivisionError: .* \(text_generator\.py, line \d+\)"),
        ("bytearray(2**60)", ALONE, "MemoryError"),
        ("def f():\n    f()\nf()", ALONE, "RecursionError"),
        ("import pandas", "libraries", "imports pandas: use only numpy"),
        ("from .rnn import RNN", "libraries", "relative import"),
        ("import importlib\nimportlib.import_module('pandas')", ALONE, "imports pandas"),
        ("from rnn import RNN", ALONE, "imports rnn .*not uploaded with it"),
        ("from utilities import utils", ALONE, "imports utilities .*not uploaded with it"),
        ("import no_such_module", ALONE, "imports no_such_module"),
    ],
)
def test_what_a_file_does_at_import_is_told_apart(tmp_path, appended, check, advice):
    write_generator(tmp_path, appended)
    found = check_generator(tmp_path)[check]
    assert found.status == FAIL
    assert re.search(advice, found.advice), found.advice
    assert [p.name for p in tmp_path.iterdir()] == ["text_generator.py"]


def test_what_changes_nothing_at_import_is_left_alone(tmp_path):
    write_generator(
        tmp_path,
        "import os\nfrom pathlib import Path\n"
        "with open(os.devnull, 'w') as nowhere:\n    nowhere.write('gone')\n"
        "SOURCE = Path(__file__).read_text()\nGENERATOR = np.random.default_rng(0)\n"
        "if __name__ == '__main__':\n    print('run as a script')",
    )
    assert not_passed(check_generator(tmp_path).values()) == []


def test_an_endless_loop_at_import_is_stopped(tmp_path):
    write_generator(tmp_path, "while True:\n    pass")
    found = check_generator(tmp_path, seconds=1.0)
    assert "stopped after 1 s" in found[ALONE].advice
    assert found["finished"].status == PASS  # what needs no import is still judged
    assert "needs an import that works" in found[f"{QUIET}, signatures, no warnings"].advice


def test_a_process_that_a_file_leaves_behind_is_ended(tmp_path):
    """The child is made by ctypes, past the hook that refuses os.fork."""
    write_generator(
        tmp_path,
        "import ctypes, os, time\n"
        "child = ctypes.CDLL(None).fork()\n"
        "if child == 0:\n    time.sleep(600)\n"
        "os.write(1, b'child %d.' % child)",
    )
    advice = check_generator(tmp_path)[QUIET].advice
    child = int(re.search(r"child (\d+)\.", advice)[1])
    deadline = time.monotonic() + 60
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(child)


def is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_training_at_import_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(preflight_import, "TRAINING_SECONDS", 0.3)
    busy = "start = time.process_time()\nwhile time.process_time() < start + 0.5:\n    pass"
    write_generator(tmp_path, f"import time\n{busy}")
    assert "its import computes for" in check_generator(tmp_path)[QUIET].advice


def test_a_warning_at_import_is_shown_as_one(tmp_path):
    write_generator(tmp_path, r"PATTERN = '\d'")
    found = check_generator(tmp_path)["no warnings"]
    assert found.status == WARNING
    assert "invalid escape sequence" in found.advice


def test_a_figure_drawn_at_import_is_noticed(tmp_path):
    source = (ROOT / "random_forest.py").read_text(encoding="utf-8")
    source += "\nimport matplotlib.pyplot as plt\nplt.figure()\nplt.show()\n"
    (tmp_path / "random_forest.py").write_text(source, encoding="utf-8")
    found = by_check(preflight.check_modules(tmp_path, ("random_forest",)))[QUIET]
    assert found.advice.startswith("it draws a figure at import")


def test_a_library_that_is_not_installed_is_no_fault_of_the_file(tmp_path):
    contents = (("text_generator.py", GENERATOR.encode()),)
    attempt = preflight_import.try_import("text_generator", contents, ("not_a_library",))
    assert attempt.blocked == "not_a_library is not installed here"


def test_a_missing_companion_is_named(tmp_path):
    shutil.copy(ROOT / "rnn.py", tmp_path)
    found = by_check(preflight.check_modules(tmp_path, ("rnn",)))[ALONE]
    assert "base_sequential_model.py is not there" in found.advice


# --- signatures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "advice"),
    [
        ("def sample(self", "def draw(self", r"TextGenerator\.sample\(preds, .* is missing"),
        ("class TextGenerator", "class Generator", r"TextGenerator\.__init__\(.* is missing"),
        ("temperature: float = 0.5) -> int", "temperature: float = 1) -> int", "=0.5.*=1"),
        ("self, preds: ArrayLike, t", "self, p: ArrayLike, t", r"expected .*\(preds, .*got \(p, "),
        ("temperature: float = 0.5) -> int", "temperature) -> int", r"got \(preds, temperature\)"),
        ("temperature: float = 0.5) -> int", "*rest) -> int", r"got \(preds, \*rest\)"),
    ],
)
def test_a_changed_signature_is_shown_beside_the_expected_one(tmp_path, before, after, advice):
    write_generator(tmp_path, changed=(before, after))
    found = check_generator(tmp_path)["signatures"]
    assert found.status == FAIL
    assert re.search(advice, found.advice), found.advice


def test_a_static_method_must_stay_one(tmp_path):
    source = (ROOT / "NN.py").read_text(encoding="utf-8")
    source = source.replace("@staticmethod\n    def _dropout(", "def _dropout(self, ")
    (tmp_path / "NN.py").write_text(source, encoding="utf-8")
    found = by_check(preflight.check_modules(tmp_path, ("NN",)))["signatures"]
    assert "_dropout must be a static method" in found.advice


# --- source --------------------------------------------------------------------------------------


def trees(**sources):
    return {name: preflight_source.parse(source.encode()) for name, source in sources.items()}


def sampling(body):
    return "class TextGenerator:\n    def sample(self, preds):\n" + "".join(
        f"        {line}\n" for line in body
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (["raise NotImplementedError"], "raises NotImplementedError"),
        (["x = 1", "if x:", "    raise NotImplementedError('todo')"], "raises NotImplementedError"),
        (["pass"], "has an empty body"),
        (["..."], "has an empty body"),
        (["'''Only words.'''"], "has an empty body"),
        (["'''Words.'''", "pass"], "has an empty body"),
        (["return None"], "only returns None"),
        (["'''Words.'''", "return"], "only returns None"),
    ],
)
def test_an_unwritten_function_is_found(body, reason):
    problems = preflight_source.unfinished("text_generator", trees(text_generator=sampling(body)))
    assert problems == [f"TextGenerator.sample {reason} (line 2): write it"]


@pytest.mark.parametrize("body", [["return 1"], ["x = None", "return x"], ["self.x = preds"]])
def test_a_written_function_is_left_alone(body):
    assert preflight_source.unfinished("text_generator", trees(text_generator=sampling(body))) == []


def test_a_base_class_may_leave_functions_to_its_subclasses_but_they_may_not():
    base = "class BaseSequentialModel:\n def define_model(self):\n  raise NotImplementedError\n"
    idle = "class RNN(BaseSequentialModel):\n pass\n"
    busy = "class RNN(BaseSequentialModel):\n def define_model(self):\n  return 1\n"
    alone = trees(base_sequential_model=base)
    assert preflight_source.unfinished("base_sequential_model", alone) == []
    assert preflight_source.unfinished("rnn", alone | trees(rnn=busy)) == []
    (problem,) = preflight_source.unfinished("rnn", alone | trees(rnn=idle))
    assert problem.startswith("RNN.define_model raises NotImplementedError")


def test_prints_count_as_left_over_only_where_the_contract_asks_for_none():
    source = sampling(["print(preds)"]) + "    def generate(self):\n        print('text')\n"
    (tree,) = trees(text_generator=source).values()
    (problem,) = preflight_source.leftover_prints("text_generator", tree)
    assert problem.startswith("TextGenerator.sample prints (line 3)")


@pytest.mark.parametrize(
    "line", ["breakpoint()", "import pdb", "import ipdb; ipdb.set_trace()", "from pudb import *"]
)
def test_a_debugger_is_found(line):
    (tree,) = trees(NN=f"def f():\n    {line}\n").values()
    assert preflight_source.debugger_calls(tree)


# --- notebook ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def committed():
    notebook = nbformat.read(ROOT / "hw4.ipynb", as_version=4)
    notebook.metadata.pop("hw4", None)  # that its code has changed since is another matter
    return notebook


@pytest.fixture
def notebook(committed):
    return copy.deepcopy(committed)


def check_cells(notebook, folder):
    path = folder / "hw4.ipynb"
    nbformat.write(notebook, path)
    return not_passed(preflight_notebook.check_notebook(path))


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def below(notebook, question):
    return preflight_notebook.cells_by_question(notebook)[question]


def not_run(notebook):
    code(notebook)[4].execution_count = None


def run_twice(notebook):
    code(notebook)[4].execution_count = 99


def failing(notebook):
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="expected", traceback=[])
    code(notebook)[4].outputs.append(error)


def without_question(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("## 2.2 ", "## ")


def unknown_question(notebook):
    notebook.cells.append(nbformat.v4.new_markdown_cell("## 7.3 Something else"))


def without_figure(notebook):
    for cell in below(notebook, "4.1.2"):
        cell.outputs = []


def without_result(notebook):
    for cell in below(notebook, "1.3"):
        for output in cell.outputs:
            if "text" in output:
                output["text"] = output["text"].replace("Cross entropy loss:", "")


def cleared_print(notebook):
    code(notebook)[0].source += "\n%time x = 1\nprint('something')"
    code(notebook)[0].outputs = []


@pytest.mark.parametrize(
    ("damage", "check", "advice"),
    [
        (not_run, "executed in order", "code cell 5 .* was not run: restart"),
        (run_twice, "executed in order", "code cell 5 .* was run as 99"),
        (failing, "no errors", r"In \[5\] ends with ValueError: expected"),
        (without_question, "every question", "no heading 2.2"),
        (unknown_question, "every question", "'7.3 Something else' is no question"),
        (without_figure, "outputs and figures", "4.1.2 shows 0 figures"),
        (without_result, "outputs and figures", "1.3 lacks its printed result"),
        (cleared_print, "outputs and figures", r"In \[1\] .* prints but has no output"),
    ],
)
def test_a_damaged_notebook_is_told_by_its_damage(notebook, tmp_path, damage, check, advice):
    damage(notebook)
    (found,) = check_cells(notebook, tmp_path)
    assert (found.status, found.check) == (FAIL, check)
    assert re.search(advice, found.advice), found.advice


def test_outputs_older_than_the_code_are_a_warning(notebook, tmp_path):
    (tmp_path / "NN.py").write_text("x = 1\n")
    sources.record(notebook, sources.fingerprint(notebook, tmp_path))
    assert check_cells(notebook, tmp_path) == []
    (tmp_path / "NN.py").write_text("x = 2\n")
    (found,) = check_cells(notebook, tmp_path)
    assert (found.status, found.check) == (WARNING, "as new as the code")
    assert "NN.py has changed" in found.advice


def test_logs_in_the_outputs_are_a_warning(notebook, tmp_path):
    log = nbformat.v4.new_output("stream", name="stderr", text="INFO: something\n")
    code(notebook)[4].outputs.append(log)
    (found,) = check_cells(notebook, tmp_path)
    assert (found.status, found.check) == (WARNING, "no warnings shown")


def test_a_notebook_without_outputs_fails_in_every_way(notebook, tmp_path):
    for cell in code(notebook):
        cell.outputs, cell.execution_count = [], None
    failed = {found.check for found in check_cells(notebook, tmp_path)}
    assert failed == {"executed in order", "outputs and figures"}


@pytest.mark.parametrize("content", ["", "{}", "[]", "print('hello')", '{"cells": 3}', "<html>"])
def test_what_is_no_notebook_is_refused(tmp_path, content):
    (tmp_path / "hw4.ipynb").write_text(content)
    (found,) = preflight_notebook.check_notebook(tmp_path / "hw4.ipynb")
    assert (found.status, found.check) == (FAIL, "readable")


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("## 2.1.3 Training *(8 points)*", "2.1.3"),
        ("### **1.1.1:** Local test", "1.1.1"),
        ("# Question 4: support vector machine", "4"),
        ("# Q2: CNN", "2"),
        ("<h3 style='x'>4.1.2 Plot</h3>", "4.1.2"),
        ("## 3D plots", None),
        ("##2.1 is no heading in Markdown", None),
        ("2.1.3 Training", None),
        ("```\n# 1.2 a comment in code\n```", None),
    ],
)
def test_the_number_of_a_heading_is_read(line, number):
    found = [n for n, _ in preflight_notebook.numbered_headings(line)]
    assert found == ([] if number is None else [number])


# --- PDF -----------------------------------------------------------------------------------------


def write_pdf(path, sizes):
    writer = pypdf.PdfWriter()
    for width, height in sizes:
        writer.add_blank_page(width, height)
    writer.write(path)
    return path


@pytest.mark.parametrize(
    ("sizes", "check", "advice"),
    [
        ([(612, 792)] * 9 + [(595, 842)], "US Letter", "page 10 measures 595 × 842"),
        ([(792, 612)] * 10, "US Letter", "page 1 measures .* 9 more"),
        ([(612, 792)], "page count", "it has 1 pages"),
        ([(612, 9000)], "US Letter", "612 × 9000"),
    ],
)
def test_pages_of_another_size_or_number_are_found(tmp_path, sizes, check, advice):
    found = by_check(preflight_notebook.check_pdf(write_pdf(tmp_path / "hw4.pdf", sizes)))[check]
    assert found.status == FAIL
    assert re.search(advice, found.advice)


def test_a_page_turned_in_the_file_counts_as_it_is_shown(tmp_path):
    writer = pypdf.PdfWriter()
    writer.add_blank_page(792, 612).rotate(90)
    writer.write(tmp_path / "hw4.pdf")
    found = by_check(preflight_notebook.check_pdf(tmp_path / "hw4.pdf"))
    assert found["US Letter"].status == PASS


def test_a_pdf_without_the_questions_fails(tmp_path):
    path = write_pdf(tmp_path / "hw4.pdf", [(612, 792)] * 10)
    found = by_check(preflight_notebook.check_pdf(path))
    assert found["US Letter"].status == found["page count"].status == PASS
    assert found["every question"].status == FAIL


@pytest.mark.parametrize("content", [b"", b"<html></html>", b"%PDF-1.7\n%broken"])
def test_a_broken_pdf_is_refused(tmp_path, content):
    (tmp_path / "hw4.pdf").write_bytes(content)
    (found,) = preflight_notebook.check_pdf(tmp_path / "hw4.pdf")
    assert (found.status, found.check) == (FAIL, "readable")


# --- the command ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["no/such/folder"],
        [str(ROOT / "NN.py")],
        ["--assignment", "homework"],
        ["--import-seconds=0"],
    ],
)
def test_a_wrong_call_ends_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        preflight.main(arguments)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_a_failing_folder_ends_with_status_1_and_a_table(tmp_path, capsys):
    assert preflight.main([str(tmp_path), "--assignment", "bonus-all"]) == 1
    text = capsys.readouterr().out
    for name in ("base_sequential_model.py", "lstm.py", "random_forest.py", "rnn.py"):
        assert re.search(
            rf"^fail +{re.escape(name)} +name +{re.escape(name)} is missing", text, re.M
        )
    assert "NN.py" not in text  # of another assignment
    assert text.rstrip().endswith("Checks: 4 fail")


def test_the_report_needs_its_pdf_and_all_files_need_the_notebook(tmp_path):
    due = {(f.file, f.status) for f in preflight.check_folder(tmp_path, "non-programming")}
    assert due == {("hw4.ipynb", SKIPPED), ("hw4.pdf", FAIL)}
    everything = {(f.file, f.status) for f in preflight.check_folder(tmp_path)}
    assert everything >= {("hw4.ipynb", FAIL), ("hw4.pdf", SKIPPED)}


def test_a_notebook_of_another_name_is_taken_if_it_is_the_only_one(tmp_path, notebook):
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    files = {f.file for f in preflight.check_folder(tmp_path, "non-programming")}
    assert "mine.ipynb" in files
    shutil.copy(tmp_path / "mine.ipynb", tmp_path / "yours.ipynb")
    found = by_check(preflight.check_folder(tmp_path, "non-programming"))["name"]
    assert found.file in ("hw4.ipynb", "hw4.pdf")


def test_passed_checks_share_a_row_and_others_have_their_own(capsys):
    findings = [
        Finding(PASS, "a.py", "name"),
        Finding(PASS, "a.py", "syntax"),
        Finding(FAIL, "a.py", "finished", "write [it]"),
        Finding(PASS, "b.py", "name"),
    ]
    print_findings(findings, "Title")
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["pass", "a.py", "name,", "syntax"] in rows
    assert ["fail", "a.py", "finished", "write", "[it]"] in rows
    assert ["pass", "b.py", "all", "1"] in rows
