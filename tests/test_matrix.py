"""The verdicts of tests/matrix.py: what counts as reproduced, and what only looks like it."""

import subprocess
from pathlib import Path

import matrix
import pytest
from matrix import Result

NO_VERSION = (
    "ERROR: Could not find a version that satisfies the requirement numpy==1.26.4"
    " (from versions: none)\nERROR: No matching distribution found for numpy==1.26.4\n"
)
NO_WHEEL = NO_VERSION.replace("none", "2.1.0, 2.4.6")
CONFLICT = "ERROR: Cannot install -r requirements.txt because of conflicting dependencies.\n"
BROKEN = "WARNING: Retrying (...) after connection broken by 'NewConnectionError(...)'\n"


def result_with(python="3.11.7", **changes):
    """Return a result in which everything came out, with some of it changed."""
    came = {
        "versions": {"scikit-learn": "1.5.2"},
        "tests": "900 passed",
        "passed": True,
        "question_1": {"1 thread": "192 of 192"},
        "beans": {"forest": ["0.8832"], "AdaBoost": ["0.9154"]},
        "seeded": {"cnn": True},
    }
    return Result("autumn_2024", python, **(came | changes))


@pytest.mark.parametrize(
    ("here", "chosen"), [(["3.13.0", "3.12.1", "3.11.7"], ["3.12.1"]), (["3.13.0"], [])]
)
def test_the_short_form_takes_a_python_that_has_wheels_of_2024(monkeypatch, capsys, here, chosen):
    pythons = [(version, f"python{version}") for version in here]
    monkeypatch.setattr(matrix, "_interpreters", lambda wanted: iter(pythons))
    ran = []

    def run_short(interpreter):
        ran.append(interpreter[0])
        return result_with(python=interpreter[0], tests="not run", passed=None, seeded={})

    monkeypatch.setattr(matrix, "run_short", run_short)
    assert matrix.main(["--short"]) == 0
    assert ran == chosen
    assert ("neither is here, left out" in capsys.readouterr().out) is not bool(chosen)


def test_an_environment_in_which_everything_came_out_is_good():
    assert result_with().good
    assert result_with(tests="not run", passed=None, seeded={}).good  # the short form


@pytest.mark.parametrize(
    "changes",
    [
        {"question_1": {}},
        {"question_1": {"1 thread": "192 of 192", "2 threads": "191 of 192"}},
        {"beans": {}},
        {"beans": {"AdaBoost": ["0.9141", "0.9154"]}},
        {"seeded": {"cnn": True, "rnn": False}},
        {"passed": False},
        {"problem": "no answer for 300 seconds"},
    ],
    ids=str,
)
def test_an_environment_in_which_anything_is_amiss_is_not(changes):
    assert not result_with(**changes).good


@pytest.mark.parametrize(
    ("said", "said_of_pins", "is_reached", "why"),
    [
        (CONFLICT, NO_WHEEL, True, "no wheel of numpy==1.26.4"),
        (NO_VERSION, "", True, "no wheel of numpy==1.26.4"),  # of a set without pins
        (NO_VERSION, NO_VERSION, False, "the package index was not reached"),
        (BROKEN + NO_VERSION, "", True, "the package index was not reached"),
        (BROKEN + NO_WHEEL, NO_WHEEL, True, "the package index was not reached"),  # another was
        ("ERROR: No space left\n on device", "", True, "ERROR: No space left on device"),
    ],
)
def test_only_an_index_that_was_reached_can_be_without_a_wheel(said, said_of_pins, is_reached, why):
    assert matrix._why_not_installed(said, said_of_pins, is_reached) == why
    assert Result("autumn_2024", "3.13.0", problem=why).good == why.startswith("no wheel")


def test_a_pin_that_pip_did_not_speak_of_is_no_excuse():
    of_core = (
        "matplotlib 3.11.2 depends on contourpy>=1.0.1\nThe user requested (constraint) pip==1"
    )
    spoken_of = matrix._spoken_of(matrix.PINNED, of_core)
    assert not [pin for pin in spoken_of if "--hash" in pin or pin.endswith(("\\", " "))]
    assert {pin.partition("==")[0] for pin in spoken_of} == {"matplotlib", "contourpy"}
    of_all = matrix._spoken_of(matrix.PINNED, "Collecting tensorflow-cpu==2.21.0")
    assert "tensorflow-cpu==" in "".join(of_all)


@pytest.mark.parametrize(
    ("problem", "status"),
    [("no wheel of numpy==1.26.4", 0), ("the package index was not reached", 1), ("", 1)],
)
def test_an_environment_without_figures_is_said_to_have_none(capsys, problem, status):
    without = Result("autumn_2024", "3.13.0", problem=problem)
    assert matrix.verdict([result_with(), without]) == status
    assert matrix.verdict([without]) == 1  # nothing came out at all
    said = f"Python 3.13.0: nothing was reproduced, {problem or 'no figure came out'}"
    assert said in capsys.readouterr().out


def test_no_environment_at_all_is_a_failure(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(matrix, "BUILD", tmp_path / "build" / "matrix")
    monkeypatch.setattr(matrix, "current_commit", lambda: "1234567")
    assert matrix.main(["--pythons", "2.0"]) == 1
    assert "No environment was tried" in capsys.readouterr().out


def test_figures_differ_between_versions_of_scikit_learn_only(capsys):
    newer = {"versions": {"scikit-learn": "1.9.1"}, "beans": {"AdaBoost": ["0.9141"]}}
    assert matrix.verdict([result_with(), result_with("3.12.1", **newer)]) == 0
    odd = result_with("3.12.1", beans={"forest": ["0.8832"], "AdaBoost": ["0.9155"]})
    assert matrix.verdict([result_with(), odd]) == 1
    said = "With scikit-learn 1.5.2, AdaBoost is 0.9154 or 0.9155, stated is 0.9154."
    assert said in capsys.readouterr().out


def test_a_figure_of_the_beans_that_is_not_the_stated_one_is_named(capsys):
    assert matrix.verdict([result_with(beans={"forest": ["0.7000"]})]) == 1
    said = "With scikit-learn 1.5.2, forest is 0.7000, stated is 0.8832."
    assert said in capsys.readouterr().out
    unknown = {"versions": {"scikit-learn": "9.0"}, "beans": {"forest": ["0.7000"]}}
    assert matrix.verdict([result_with(**unknown)]) == 0


def test_the_newest_is_asked_for_again_every_time(monkeypatch, tmp_path):
    asked = []

    def run(command, **_):
        asked.append(command)
        raise InterruptedError

    monkeypatch.setattr(matrix.subprocess, "run", run)
    for name in ("pinned", "newest"):
        wanted = matrix.SETS[name]
        files = [item.read_text(encoding="utf-8") for item in wanted if isinstance(item, Path)]
        stamp = tmp_path / name / "installed.txt"
        stamp.parent.mkdir()
        stamp.write_text("\n".join([*map(str, wanted), *files]), encoding="utf-8")
    listed = subprocess.CompletedProcess([], 0, "[]", "")
    monkeypatch.setattr(matrix, "run_file", lambda *_, **__: listed)
    result = Result("pinned", "3.11.7")
    matrix._installed(tmp_path / "pinned", "python3.11", matrix.SETS["pinned"], result)
    assert asked == []
    with pytest.raises(InterruptedError):
        matrix._installed(tmp_path / "newest", "python3.11", matrix.SETS["newest"], result)


@pytest.mark.parametrize(
    ("status", "printed", "outcome"),
    [
        (0, "....\n900 passed, 2 skipped, 1 warning in 60.00s\n", ("900 passed, 2 skipped", True)),
        (1, "1 failed, 899 passed in 60.00s", ("1 failed, 899 passed (exit status 1)", False)),
        (-9, "....", (".... (exit status -9)", False)),
        (-11, "900 passed in 60.00s", ("900 passed (exit status -11)", False)),
        (0, "", ("pytest printed nothing", False)),
        (0, "2 skipped in 0.10s", ("2 skipped", False)),
    ],
)
def test_tests_pass_by_exit_status_and_closing_line(status, printed, outcome):
    assert matrix._outcome(status, printed) == outcome


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (subprocess.TimeoutExpired("python", 300), "no answer for 300 seconds"),
        (RuntimeError("Traceback ...\nValueError: beans\n"), "ValueError: beans"),
        (RuntimeError(""), "a process died without a word"),
        (IndexError("list index out of range"), "list index out of range"),
        (FileNotFoundError("no python3.11"), "no python3.11"),
    ],
)
def test_what_goes_wrong_in_one_environment_is_entered(monkeypatch, error, problem):
    def fail(*_):
        raise error

    monkeypatch.setattr(matrix, "_installed", fail)
    monkeypatch.setattr(matrix, "current_commit", lambda: "1234567")
    result = matrix.run("newest", ("3.11.7", "python3.11"), [])
    assert result.problem == problem
    assert not result.good


@pytest.mark.parametrize("of_core", ["192 of 192", "191 of 192"])
@pytest.mark.parametrize("missing", ["tensorflow-cpu", "numpy"])
def test_without_a_wheel_what_can_be_installed_is_worked_out(monkeypatch, missing, of_core):
    def install(folder, executable, wanted, result):
        if missing in wanted or "core" not in folder.name:
            raise RuntimeError(f"no wheel of {missing}")
        return executable

    def work_out(result, python):
        result.question_1, result.beans = {"1 thread": of_core}, {"forest": ["0.8832"]}

    monkeypatch.setattr(matrix, "_installed", install)
    monkeypatch.setattr(matrix, "_figures", work_out)
    monkeypatch.setattr(matrix, "current_commit", lambda: "1234567")
    result = matrix.run("newest", ("3.14.8", "python3.14"), [])
    assert result.problem == f"no wheel of {missing}"
    assert bool(result.question_1) == (missing == "tensorflow-cpu")
    assert result.good == (missing == "numpy" or of_core == "192 of 192")


def test_results_of_other_commits_are_left_out(monkeypatch, tmp_path):
    monkeypatch.setattr(matrix, "BUILD", tmp_path)
    for python, commit in (("3.11.7", "1234567"), ("3.12.1", "89abcde")):
        matrix._keep(result_with(python, commit=commit))
    (kept,) = matrix._kept("1234567")
    assert kept.python == "3.11.7"
    assert "| 3.11.7 | 1234567 |" in matrix.table([kept])


def test_without_git_the_commit_is_unknown(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert matrix.current_commit() == "unknown"
