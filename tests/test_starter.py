"""The student edition gives nothing away, says what to write, and can be completed."""

import ast
import json
import re
import shutil
import subprocess
import sys
from itertools import chain

import nbformat
import pytest
from helpers import ROOT, clean_environment, run_python
from IPython.core.inputtransformer2 import TransformerManager
from nbclient.exceptions import CellExecutionError

from autograder import starter
from autograder.rubric import ITEMS, Item
from autograder.starter import EXERCISES, Exercise, build_starter
from autograder.starter_code import without_bodies
from autograder.starter_notebook import CUTS, Cut, student_notebook
from utilities.contract import LIBRARIES
from utilities.findings import FAIL, PASS
from utilities.preflight import check_modules
from utilities.preflight_notebook import heading_problems
from utilities.preflight_source import functions
from utilities.run_notebook import execute

REFERENCE = nbformat.read(ROOT / "hw4.ipynb", as_version=4)
# Nodes of the smallest piece of a solution that counts as one. `lambda value: 0 <= value < 1`, by
# which arguments are checked, has nine.
PIECE = 10
# Checks of arguments read alike everywhere, and are no part of an answer.
CHECKS = re.compile(r"_check\w*|_as_\w+|_require\w*")


@pytest.fixture(scope="module")
def edition(tmp_path_factory):
    """The student edition, built once."""
    out = tmp_path_factory.mktemp("starter") / "hw4"
    build_starter(out)
    return out


@pytest.fixture(scope="module")
def students(edition):
    """The students' notebook."""
    return nbformat.read(edition / "hw4.ipynb", as_version=4)


def files_of(folder):
    """Return the files of a folder by name, but not what Python leaves when it imports them."""
    paths = [p for p in folder.rglob("*") if p.is_file() and p.parent.name != "__pycache__"]
    return {path.relative_to(folder).as_posix(): path for path in paths}


# --- building ------------------------------------------------------------------------------------


def command(*arguments, **changes):
    """Run ``python -m autograder starter`` and return the completed process."""
    call = [sys.executable, "-m", "autograder", "starter", *map(str, arguments)]
    env = clean_environment(**changes)
    return subprocess.run(call, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_the_command_makes_the_same_bytes_in_every_process(edition, tmp_path):
    done = command(tmp_path / "again", PYTHONHASHSEED="4641")
    assert done.returncode == 0, done.stderr
    first, again = files_of(edition), files_of(tmp_path / "again")
    assert {n: p.read_bytes() for n, p in first.items()} == {
        n: p.read_bytes() for n, p in again.items()
    }


def test_the_command_says_in_one_line_why_it_refuses(tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    done = command(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: OUT must be empty or new")
    assert done.stderr.count("\n") == 1


def test_the_files_written_are_returned_and_nothing_else_is_there(tmp_path):
    written = build_starter(tmp_path)
    assert sorted(written) == sorted(files_of(tmp_path).values())


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(ValueError, match=r"OUT must be empty or new, but .* holds mine\.txt"):
        build_starter(tmp_path)
    assert list(files_of(tmp_path)) == ["mine.txt"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "hw4").write_text("kept")
    with pytest.raises(ValueError, match="OUT must be a folder, got the file"):
        build_starter(tmp_path / "hw4")
    assert (tmp_path / "hw4").read_text() == "kept"


def test_a_place_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ValueError, match=r"hw4 cannot be written \(Not a directory\)"):
        build_starter(tmp_path / "file" / "hw4")


@pytest.mark.parametrize("place", [".", "build/starter", "tests/../new"])
def test_the_project_itself_is_never_written_to(place):
    before = set(ROOT.iterdir())
    with pytest.raises(ValueError, match="OUT must be a folder outside of"):
        build_starter(ROOT / place)
    assert set(ROOT.iterdir()) == before
    assert not (ROOT / "build" / "starter").exists()


def test_a_link_into_the_project_is_refused(tmp_path):
    (tmp_path / "link").symlink_to(ROOT / "build", target_is_directory=True)
    with pytest.raises(ValueError, match="OUT must be a folder outside of"):
        build_starter(tmp_path / "link" / "starter")


def refused(out, monkeypatch, name, value, match):
    """Expect that building with a changed table is refused before anything is written."""
    monkeypatch.setattr(starter, name, value)
    with pytest.raises(ValueError, match=match):
        build_starter(out)
    assert not out.exists()


def test_an_exercise_that_the_reference_has_not_is_refused(tmp_path, monkeypatch):
    gone = (*EXERCISES["cnn.py"], Exercise("CNN.gone", ("2.1.2",), "nothing"))
    match = r"cnn\.py: the module must define CNN\.gone, but it does not"
    refused(tmp_path / "out", monkeypatch, "EXERCISES", EXERCISES | {"cnn.py": gone}, match)


@pytest.mark.parametrize("check", ["", "forest.new"])
def test_an_item_that_no_table_has_is_refused(tmp_path, monkeypatch, check):
    items = (
        *ITEMS,
        Item("3.9", "a new one", 5, 0, "base", files=("random_forest.py",), check=check),
    )
    refused(tmp_path / "out", monkeypatch, "ITEMS", items, r"item 3\.9 \(a new one\) must be an ex")


def test_an_item_that_is_an_exercise_in_another_file_only_is_refused(tmp_path, monkeypatch):
    others = {file: tasks for file, tasks in EXERCISES.items() if file != "rnn.py"}
    others["rnn.py"] = tuple(Exercise(t.name, ("5.1.2",), t.hint) for t in EXERCISES["rnn.py"])
    del others["base_sequential_model.py"]
    refused(tmp_path / "out", monkeypatch, "EXERCISES", others, r"item 5\.1\.1 ")


def test_an_item_that_the_rubric_has_not_is_refused(tmp_path, monkeypatch):
    more = (*EXERCISES["cnn.py"], Exercise("CNN.forward", ("5.9",), "nothing"))
    match = r"no item of the rubric has the number 5\.9"
    refused(tmp_path / "out", monkeypatch, "EXERCISES", EXERCISES | {"cnn.py": more}, match)


def test_an_answer_that_is_worded_anew_is_noticed():
    text = nbformat.writes(REFERENCE)
    assert "Bombay is always right" in text
    with pytest.raises(ValueError, match="expected one cell with 'Bombay is always right', got 0"):
        student_notebook(text.replace("Bombay is always right", "Bombay is never wrong"))


def test_a_cut_needs_its_beginning_once_and_its_end():
    assert Cut("b", "x", ends="c").apply("abcd") == "axd"
    assert Cut("b", "x").apply("abcd") == "ax"
    with pytest.raises(ValueError, match="expected 'b' once, got it 2x"):
        Cut("b", "x").apply("abcb")
    with pytest.raises(ValueError, match="must end with 'e'"):
        Cut("b", "x", ends="e").apply("abcd")


# --- taking bodies out ---------------------------------------------------------------------------

MODULE = '''"""A module."""

from itertools import chain, pairwise
from math import exp

import numpy as np

LIMIT = 3.0  # only the solution needs it
# what both need
SHARED = 4


def solved(x: "_Typed") -> float:
    """Return something."""
    # a comment of the solution
    return _helper(x) * LIMIT * exp(0) + len(list(pairwise([SHARED])))


class Thing:
    """A thing."""

    def __init__(self) -> None:
        self.x = np.zeros(3)

    @staticmethod
    def _asked_for(x):
        """Return x."""
        return Thing._own(x)

    def given(self):
        return list(chain([SHARED], [self._kept()]))

    def _kept(self):
        return 1

    @staticmethod
    def _own(x):
        return _deeper(x)


class _Typed(float):
    pass


# what only the helper needs
_TABLE = {1: 2}


def _helper(x):
    return _deeper(x) + _TABLE[1]


def _deeper(x):
    return x


def unused_from_the_start():
    return 1
'''


@pytest.fixture
def lean():
    return without_bodies(MODULE, {"solved": "write it", "Thing._asked_for": "write this as well"})


def test_a_body_becomes_an_error_below_signature_decorators_and_docstring(lean):
    assert (
        '''def solved(x: "_Typed") -> float:
    """Return something."""
    raise NotImplementedError("write it")


class Thing:'''
        in lean
    )
    assert (
        '''    @staticmethod
    def _asked_for(x):
        """Return x."""
        raise NotImplementedError("write this as well")

    def given(self):'''
        in lean
    )


def test_helpers_constants_and_imports_of_the_solution_alone_go_with_their_comments(lean):
    for gone in ("_helper", "_deeper", "_own", "_TABLE", "LIMIT", "pairwise", "exp", "only the"):
        assert gone not in lean
    for kept in ("SHARED", "chain", "_kept", "_Typed", "unused_from_the_start", "# what both need"):
        assert kept in lean
    assert "\n\n\n\n" not in lean


def test_a_library_that_only_the_solution_used_stays_imported():
    source = "import numpy as np\n\n\ndef f():\n    return np.pi\n"
    lean = without_bodies(source, {"f": "write f"})
    assert lean.startswith("import numpy as np  # noqa: F401 - for what you write\n\n\ndef f():\n")


def test_a_long_message_is_folded():
    message = "write " + " ".join(f"word{n}" for n in range(40))
    lean = without_bodies("def f():\n    return 1\n", {"f": message})
    assert max(map(len, lean.splitlines())) <= 100
    with pytest.raises(NotImplementedError, match=f"^{message}$"):
        exec(lean + "\nf()", {})


def test_a_function_without_a_body_is_refused():
    with pytest.raises(ValueError, match="f must have a body that students can write"):
        without_bodies('def f():\n    """Return."""\n', {"f": "write f"})


# --- what students get ---------------------------------------------------------------------------


def test_students_get_no_staff_files_no_trained_weights_and_no_figures(edition):
    names = set(files_of(edition))
    tops = {name.partition("/")[0] for name in names}
    assert tops & {"tests", "benchmarks", "model_weights", "CHANGELOG.md", ".ci", ".git"} == set()
    assert {n for n in names if n.startswith("autograder/")} == {
        "autograder/__init__.py",
        "autograder/rubric.py",
    }
    assert not [name for name in names if "readme_" in name or name.endswith(".h5")]
    assert {f"{module}.py" for module in LIBRARIES} | {"hw4.ipynb", "README.md"} <= names


def test_no_path_of_this_machine_is_given_out(edition):
    for name, path in files_of(edition).items():
        assert str(ROOT).encode() not in path.read_bytes(), name


def test_the_style_check_has_nothing_to_say_about_what_is_left(edition):
    left = [edition / file for file in EXERCISES]
    for check in (["check"], ["format", "--check"]):
        call = [sys.executable, "-m", "ruff", *check, "--no-cache", *left]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_of_the_makefile_exists(edition):
    makefile = (edition / "Makefile").read_text()
    for module in re.findall(r"-m (utilities[\w.]*|autograder[\w.]*|benchmarks)", makefile):
        assert (edition / f"{module.replace('.', '/')}.py").exists(), module
    targets = re.findall(r"(?m)^([\w-]+):.*## ", makefile)
    assert sorted(targets) == sorted(starter.TARGETS)
    assert re.search(r"(?m)^\.PHONY: (.*)$", makefile)[1].split() == list(starter.TARGETS)
    done = subprocess.run(["make", "help"], cwd=edition, capture_output=True, text=True, check=True)
    assert "run the local tests of your code" in done.stdout


def test_the_readme_lists_every_exercise(edition):
    readme = (edition / "README.md").read_text()
    assert "@" not in readme
    for file, tasks in EXERCISES.items():
        (row,) = [line for line in readme.splitlines() if line.startswith(f"| `{file}` |")]
        assert all(f"`{task.name.rpartition('.')[2]}`" in row for task in tasks)


# --- nothing is given away -----------------------------------------------------------------------


def body_of(function):
    """Return a function's statements without the docstring."""
    return function.body[ast.get_docstring(function) is not None :]


def definitions(tree):
    """Return functions, methods, classes and other statements of a module by name."""
    found = functions(tree)
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.Import | ast.ImportFrom):
            found[getattr(node, "name", ast.dump(node))] = node
    return found


def cell_tree(cell):
    return ast.parse(TransformerManager().transform_cell(cell.source))


def solution(edition, students):
    """Yield what the reference has and students must not: a label and statements."""
    for file, tasks in EXERCISES.items():
        ours = definitions(ast.parse((ROOT / file).read_text()))
        theirs = definitions(ast.parse((edition / file).read_text()))
        for name, node in ours.items():
            if name in {task.name for task in tasks}:
                yield f"{file}: {name}", body_of(node)
            elif name not in theirs and not CHECKS.fullmatch(getattr(node, "name", "")):
                yield f"{file}: {name}", getattr(node, "body", [node])
    kept = {ast.dump(node) for cell in code(students) for node in cell_tree(cell).body}
    for cell in code(REFERENCE):
        gone = [node for node in cell_tree(cell).body if ast.dump(node) not in kept]
        if gone:
            yield f"{cell.id}", gone


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pieces(nodes):
    """Yield the syntax of each statement and expression of some size."""
    for node in chain.from_iterable(map(ast.walk, nodes)):
        if isinstance(node, ast.stmt | ast.expr) and size(node) >= PIECE:
            yield ast.dump(node)


def size(node):
    """Count statements, expressions and their parts, but not the contexts of names."""
    return sum(not isinstance(part, ast.expr_context) for part in ast.walk(node))


def bodies(nodes):
    """Yield each list of two or more statements, docstrings left out."""
    for node in chain.from_iterable(map(ast.walk, nodes)):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                kept = [s for s in block if not _is_docstring(s)]
                if len(kept) > 1:
                    yield [ast.dump(statement) for statement in kept]


def _is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def given_out(edition, students):
    """Return the syntax trees of all code that students get."""
    modules = [p for p in files_of(edition).values() if p.suffix == ".py"]
    return [ast.parse(p.read_text()) for p in modules] + [cell_tree(c) for c in code(students)]


def test_no_statement_and_no_larger_expression_of_a_solution_is_given_out(edition, students):
    theirs = set(pieces(given_out(edition, students)))
    leaks = {
        label: sorted(set(pieces(statements)) & theirs)
        for label, statements in solution(edition, students)
    }
    assert {label: found for label, found in leaks.items() if found} == {}


def test_no_list_of_statements_of_a_solution_is_given_out(edition, students):
    theirs = list(bodies(given_out(edition, students)))
    for label, statements in solution(edition, students):
        ours = [ast.dump(s) for s in statements]
        if len(ours) > 1:
            for block in theirs:
                starts = range(len(block) - len(ours) + 1)
                assert not any(block[at : at + len(ours)] == ours for at in starts), label


def test_no_helper_is_left_that_nothing_uses(edition):
    """A helper of a solution that was forgotten would not be searched for by the tests above."""
    for file in EXERCISES:
        tree = ast.parse((edition / file).read_text())
        asked_for = {task.name for task in EXERCISES[file]}
        for name, node in functions(tree).items():
            method = name.rpartition(".")[2]
            if method.startswith("_") and not method.endswith("__") and name not in asked_for:
                own = set(ast.walk(node))
                elsewhere = [n for n in ast.walk(tree) if n not in own]
                used = {getattr(n, "id", getattr(n, "attr", None)) for n in elsewhere}
                assert method in used, f"{file}: {name}"


def test_the_search_for_leaks_finds_one(edition, students, tmp_path):
    shutil.copytree(edition, tmp_path, dirs_exist_ok=True)
    source = (ROOT / "NN.py").read_text()
    softmax = ast.get_source_segment(source, functions(ast.parse(source))["_softmax"])
    with open(tmp_path / "utilities" / "utils.py", "a") as file:
        file.write(f"\n\nimport numpy\n\n\n{softmax.replace('_softmax', 'innocent')}\n")
    theirs = set(pieces(given_out(tmp_path, students)))
    solved = dict(solution(edition, students))
    assert set(pieces(solved["NN.py: _softmax"])) & theirs


def test_every_function_that_was_graded_only_raises(edition):
    for file, tasks in EXERCISES.items():
        theirs = functions(ast.parse((edition / file).read_text()))
        ours = functions(ast.parse((ROOT / file).read_text()))
        for task in tasks:
            (statement,) = body_of(theirs[task.name])
            assert isinstance(statement, ast.Raise)
            assert ast.literal_eval(statement.exc.args[0]) == task.message
            assert ast.get_docstring(theirs[task.name]) == ast.get_docstring(ours[task.name])
            for part in ("args", "decorator_list", "returns"):
                same = [_dumped(getattr(side[task.name], part)) for side in (theirs, ours)]
                assert same[0] == same[1]


def _dumped(part):
    return [ast.dump(p) for p in part] if isinstance(part, list) else part and ast.dump(part)


# --- the notebook --------------------------------------------------------------------------------


def test_the_notebook_is_valid_without_outputs_and_with_every_heading(students):
    nbformat.validate(students)
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code(students))
    assert "hw4" not in students.metadata
    assert heading_problems(students) == []
    headings = [
        [line for c in n.cells if c.cell_type == "markdown" for line in c.source.splitlines()]
        for n in (REFERENCE, students)
    ]
    ours, theirs = ([line for line in lines if line.startswith("#")] for lines in headings)
    assert ours == theirs


def test_every_question_that_is_asked_in_writing_has_a_prompt(students):
    for question in (
        "Why scale by",
        "How does gradient clipping answer",
        "What trends does the matrix show",
        "One real application where a simple RNN suits better",
        "One real application where the LSTM suits better",
    ):
        (cell,) = [cell for cell in students.cells if question in cell.source]
        assert "*Your answer" in cell.source.partition(question)[2]


def test_no_sentence_of_an_answer_is_given_out(edition, students):
    """What the notebook of the reference says and the students' does not is said nowhere else."""
    kept = "\n".join(cell.source for cell in students.cells)
    texts = {n: p.read_text() for n, p in files_of(edition).items() if p.suffix != ".png"}
    texts["hw4.ipynb"] = kept
    answers = 0
    for cut in CUTS:
        (cell,) = [cell for cell in REFERENCE.cells if cut.begins in cell.source]
        if cell.cell_type == "code":
            continue
        _, begins, rest = cell.source.partition(cut.begins)
        passage = begins + (rest.partition(cut.ends)[0] if cut.ends else rest)
        for sentence in re.split(r"(?<=[.:?])\s+|\n", passage):
            if len(sentence) > 30:
                answers += 1
                assert [name for name, text in texts.items() if sentence in text] == []
    assert answers > 50


def test_no_printed_figure_of_the_reference_is_given_out(edition):
    # the numbers of the local tests are students' already, and any three digits occur in them
    files = {n: p for n, p in files_of(edition).items() if not n.startswith("data/")}
    text = "\n".join(path.read_text() for path in files.values())
    printed = "".join(o.get("text", "") for c in code(REFERENCE) for o in c.outputs)
    figures = re.findall(r"(?:loss|accuracy|intercept|margin)\D{0,40}?(-?\d+\.\d{3,})", printed)
    assert len(figures) > 5
    told = [f for f in set(figures) if re.search(rf"(?<![\d.]){re.escape(f)}(?!\d)", text)]
    assert told == []


def test_what_is_kept_of_the_notebook_is_unchanged(students):
    ours = {cell.id: cell.source for cell in REFERENCE.cells}
    theirs = {cell.id: cell.source for cell in students.cells}
    changed = {name for name in ours if theirs.get(name) != ours[name]}
    cut = {c.id for c in REFERENCE.cells for each in CUTS if each.begins in c.source}
    assert changed == cut
    assert [name for name in ours if name in theirs] == list(theirs)


@pytest.fixture
def any_data(monkeypatch):
    """Allow stand-ins where the real data are absent."""
    monkeypatch.setenv("HW4_STANDIN", "1")


def test_the_notebook_stops_at_the_first_function_to_write_and_says_so(edition, any_data):
    with pytest.raises(CellExecutionError) as stopped:
        execute(edition / "hw4.ipynb", lambda line: None, working_directory=edition)
    message = str(stopped.value)
    assert 'TestNN("test_softmax").test_softmax()' in message
    assert "needs code that is not written yet" in message
    assert f"NotImplementedError {message_of('NeuralNet.softmax')}" in message


def message_of(name):
    return next(t.message for tasks in EXERCISES.values() for t in tasks if t.name == name)


# --- real processes: importing, local tests, grading ---------------------------------------------


@pytest.mark.slow
def test_every_module_imports_alone_and_lacks_only_what_is_to_be_written(edition):
    findings = check_modules(edition, tuple(LIBRARIES))
    passed = {(f.file, f.check) for f in findings if f.status == PASS}
    for module in LIBRARIES:
        for check in ("imports alone", "no side effects", "signatures", "libraries"):
            assert (f"{module}.py", check) in passed
    unfinished = {f.file: f.advice for f in findings if f.status == FAIL}
    # what the subclasses write is told with them
    apart = {"utilities/figures.py", "base_sequential_model.py"}
    assert set(unfinished) == set(EXERCISES) - apart
    assert "raises NotImplementedError" in unfinished["NN.py"]


RUN_LOCAL_TESTS = """
import contextlib, io, json, unittest
from utilities import localtests
found = {}
for case in unittest.defaultTestLoader.loadTestsFromModule(localtests):
    for test in case:
        with contextlib.redirect_stdout(io.StringIO()):
            result = test.run()
        problems = result.failures + result.errors
        found[test.id().rpartition(".")[2]] = problems[0][1] if problems else ""
print(json.dumps(found))
"""
FIRST_NEEDED = {
    "test_transformations": "create_training_transformations",
    "test_model_architecture": "CNN.__init__",
    "test_softmax": "NeuralNet.softmax",
    "test_silu": "NeuralNet.silu",
    "test_d_silu": "NeuralNet.derivative_silu",
    "test_dropout": "NeuralNet._dropout",
    "test_loss": "NeuralNet.cross_entropy_loss",
    "test_forward": "NeuralNet.init_parameters",
    "test_forward_without_dropout": "NeuralNet.init_parameters",
    "test_update_weights": "NeuralNet.init_parameters",
    "test_update_weights_with_momentum": "NeuralNet.init_parameters",
    "test_compute_gradients": "NeuralNet.compute_gradients",
    "test_compute_gradients_without_dropout": "NeuralNet.compute_gradients",
    "test_gradient_descent": "NeuralNet.gradient_descent",
    "test_batch_gradient_descent": "NeuralNet.batch_gradient_descent",
    "test_gradient_descent_with_momentum": "NeuralNet.gradient_descent",
    "test_bootstrapping": "RandomForest.__init__",
    "test_adaboost": "RandomForest.__init__",
    "test_rnn_architecture": "RNN.set_hyperparameters",
    "test_lstm_architecture": "LSTM.set_hyperparameters",
}


def test_every_local_test_fails_and_says_what_to_write(edition, any_data):
    done = run_python(RUN_LOCAL_TESTS, cwd=edition)
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found) == set(FIRST_NEEDED)
    for test, function in FIRST_NEEDED.items():
        said = found[test].rpartition("AssertionError: ")[2]
        assert "needs code that is not written yet" in said, found[test]
        assert f"raised:        NotImplementedError {message_of(function)}" in said
        name = function.rpartition(".")[2]
        file = next(f for f, tasks in EXERCISES.items() if function in {t.name for t in tasks})
        assert re.search(rf"where: +in {name}, line \d+ of {re.escape(file)}", said)
        assert "delete its `raise NotImplementedError`" in said


def fill(out):
    """Put the reference's bodies and helpers back into the students' modules, by name."""
    for file, tasks in EXERCISES.items():
        theirs, ours = (ast.parse((folder / file).read_text()) for folder in (out, ROOT))
        theirs.body = merged(theirs.body, ours.body, {task.name for task in tasks})
        (out / file).write_text(ast.unparse(theirs) + "\n")


def merged(theirs, ours, exercises, owner=""):
    """Return the statements of students, with bodies and what is missing from the reference."""
    left, result = {key(node): node for node in theirs}, []
    for node in ours:
        own = left.pop(key(node), None)
        if own is not None and isinstance(node, ast.ClassDef):
            own.body = merged(own.body, node.body, exercises, f"{node.name}.")
        elif own is not None and f"{owner}{getattr(node, 'name', '')}" in exercises:
            own.body = node.body
        result.append(node if own is None else own)
    assert all(isinstance(node, ast.Import | ast.ImportFrom) for node in left.values())
    return result


def key(node):
    """Return what tells a statement from its neighbours: its name, else its syntax."""
    return getattr(node, "name", None) or ast.dump(node)


@pytest.fixture(scope="module")
def filled(edition, tmp_path_factory):
    """The student edition with the reference's bodies in it."""
    out = tmp_path_factory.mktemp("filled") / "hw4"
    shutil.copytree(edition, out)
    fill(out)
    return out


def test_filled_in_the_modules_are_the_reference_again(filled):
    for file in EXERCISES:
        ours, theirs = (ast.parse((folder / file).read_text()) for folder in (ROOT, filled))
        assert ast.dump(theirs) == ast.dump(ours), file


def grade(folder, assignment, out, *options):
    """Start grading a folder; return the process and where its results will be."""
    results = out / f"{assignment}.json"
    command = ["grade", folder, "--assignment", assignment, "--results", results, "--quiet"]
    call = [sys.executable, "-m", "autograder", *map(str, command), *options]
    return subprocess.Popen(call, cwd=ROOT, env=clean_environment()), results


def graded(processes):
    """Wait for grading to end and return all results by number."""
    found = {}
    for process, results in processes:
        assert process.wait(timeout=300) == 0
        found |= {test["number"]: test for test in json.loads(results.read_text())["tests"]}
    return found


@pytest.mark.slow
def test_the_student_edition_scores_nothing_on_any_item(edition, real_data, tmp_path):
    real_data("housing")
    real_data("dry_beans")
    # Bonus for Undergrad has the same checks as Programming: its items are among those
    found = graded([grade(edition, name, tmp_path) for name in ("programming", "bonus-all")])
    assert set(found) == {item.number for item in ITEMS if item.assignments}
    for number, test in found.items():
        assert test["score"] == 0, number
        assert "NotImplementedError: this part is not written yet. write " in test["output"]


# Each a fraction of a second; trainings on real data, PyTorch and TensorFlow take longer.
QUICK = [*(f"1.1{letter}" for letter in "abcdefghijklm"), "3.1a", "3.1b", "3.1c"]


def test_filled_in_it_scores_full_marks(filled, tmp_path):
    found = graded([grade(filled, "programming", tmp_path, "--items", ",".join(QUICK))])
    assert set(found) == set(QUICK)
    lost = {n: test["output"] for n, test in found.items() if test["score"] != test["max_score"]}
    assert lost == {}
