"""Run the tests and work out the published figures in environments of their own: ``make matrix``.

Each environment is one set of versions on one Python: constraints.txt, or a file of
tests/environments/.
In it the tests run once, the figures of Questions 1 and 3 come out under every condition of
tests/conditions.py, and CNN, RNN and LSTM are trained twice. Where a library has no wheel for a
Python, such as TensorFlow for a new one, Questions 1 and 3 are worked out with what they need.
Results lie in build/matrix/, one file an environment, and the table of all that this commit gave
in build/matrix.md.

``--short`` is what CI runs: NumPy and scikit-learn of 2024 alone, Questions 1 and 3 alone.

The exit status is 0 if everything came out in every environment there can be, and there is one:
an environment may lack wheels for its Python, but the index that says so must have been reached.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from conditions import BEANS, CONDITIONS, SHORT_LOSSES, reproduce
from helpers import ROOT, clean_environment, pins, run_file

from utilities.commit import current_commit

BUILD = ROOT / "build" / "matrix"
ALLOWED, PINNED = ROOT / "requirements.txt", ROOT / "constraints.txt"
OF_2024, NEWEST = (
    ROOT / "tests" / "environments" / name for name in ("autumn_2024.txt", "newest.txt")
)
SETS = {  # what pip is asked for
    "pinned": ("--require-hashes", "-r", PINNED),
    "autumn_2024": ("-r", ALLOWED, "-c", OF_2024),
    "newest": ("-r", ALLOWED, "-c", NEWEST),
}
PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
LIBRARIES = ("numpy", "scikit-learn", "pandas", "matplotlib", "torch", "tensorflow-cpu", "keras")
CORE = ("numpy", "scikit-learn", "pandas", "matplotlib", "pooch", "requests", "tqdm")
# These test the grader, the class and the pinned set itself, in their own environment.
STAFF = ("autograder", "autograder_grading", "autograder_isolation", "hostile", "mutants")
STAFF += ("grade_all", "report", "starter", "supply_chain")
TESTS = ["tests", *(f"--ignore=tests/test_{name}.py" for name in STAFF)]
QUESTION_1 = ("short", "gd", "bgd", "momentum")
SEEDED = ("cnn", "rnn", "lstm")
NOT_FOUND = re.compile(r"No matching distribution found for (\S+)")
UNREACHED = "connection broken by"
NO_WHEEL = "no wheel of"


@dataclass
class Result:
    """What came out in one environment.

    Attributes
    ----------
    name, python : str
        The set of versions, and the version of Python.
    commit : str
        The commit of the project, with ``-dirty`` where files differ from it.
    versions : dict of str to str
    tests : str
        The closing line of pytest, or why there is none.
    passed : bool or None
        Whether the tests passed; None if they were not run.
    question_1 : dict of str to str
        By condition, how many of the published figures are equal.
    beans : dict of str to list of str
        By figure of Question 3, the different values under the conditions.
    seeded : dict of str to bool
        By net, whether two trainings gave the same weights to the last bit.
    problem : str
        Why there is no environment, or what went wrong in it.
    """

    name: str
    python: str
    commit: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    tests: str = "not run"
    passed: bool | None = None
    question_1: dict[str, str] = field(default_factory=dict)
    beans: dict[str, list[str]] = field(default_factory=dict)
    seeded: dict[str, bool] = field(default_factory=dict)
    problem: str = ""

    @property
    def good(self) -> bool:
        """Tell whether everything came out that has to, or the environment cannot be had."""
        if self.problem and not self.lacks_wheels:
            return False
        if self.problem and not self.question_1:
            return True
        counts = [count.split(" of ") for count in self.question_1.values()]
        equal = bool(counts) and all(right == of for right, of in counts)
        one_value = bool(self.beans) and all(len(values) == 1 for values in self.beans.values())
        return equal and one_value and all(self.seeded.values()) and self.passed is not False

    @property
    def lacks_wheels(self) -> bool:
        """Tell whether some library cannot be had for this Python."""
        return self.problem.startswith(NO_WHEEL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for, write the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="only Questions 1 and 3, as in CI")
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS))
    parser.add_argument("--pythons", nargs="*", default=PYTHONS, help="versions or paths")
    parser.add_argument("--tests", nargs="*", default=TESTS, help="what pytest runs")
    options = parser.parse_args(arguments)
    if options.short:
        interpreter = next(_interpreters_of_2024(), None)
        if interpreter is None:
            print("The libraries of 2024 need Python 3.11 or 3.12: neither is here, left out")
            return 0
        results = [run_short(interpreter)]
    else:
        for name in options.sets:
            for python in _interpreters(options.pythons):
                _keep(run(name, python, options.tests))
        results = list(_kept(current_commit()))
    text = table(results)
    print("\n" + text)
    if not options.short:
        BUILD.mkdir(parents=True, exist_ok=True)
        (BUILD.parent / "matrix.md").write_text(text + "\n", encoding="utf-8")
    return verdict(results)


def verdict(results: Sequence[Result]) -> int:
    """Print what did not come out as it has to, and return the exit status.

    Parameters
    ----------
    results : sequence of Result

    Returns
    -------
    int
        0 if figures came out, and all results are good and agree, else 1.
    """
    differing = disagreements(results)
    lines = [] if results else ["No environment was tried."]
    for result in results:
        if not result.question_1:
            why = result.problem or "no figure came out"
            lines.append(f"{result.name}, Python {result.python}: nothing was reproduced, {why}")
    for line in lines + differing:
        print(line)
    came_out = any(result.question_1 for result in results)
    return 0 if came_out and not differing and all(result.good for result in results) else 1


def disagreements(results: Iterable[Result]) -> list[str]:
    """Name the figures of Question 3 that differ with one scikit-learn, or from the stated.

    Parameters
    ----------
    results : iterable of Result

    Returns
    -------
    list of str
        A sentence for each figure and version of scikit-learn.
    """
    values = defaultdict(set)
    for result in results:
        for figure, came in result.beans.items():
            values[result.versions.get("scikit-learn"), figure].update(came)
    lines = []
    for (version, figure), came in values.items():
        stated = BEANS.get(version, {}).get(figure)
        if len(came) > 1 or not came <= {stated or min(came)}:
            line = f"With scikit-learn {version}, {figure} is {' or '.join(sorted(came))}"
            lines.append(line + (f", stated is {stated}." if stated else "."))
    return lines


def _interpreters(wanted: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give version and path of every interpreter that is there."""
    for name in wanted:
        path = shutil.which(name) or shutil.which(f"python{name}")
        code = "import sys; print('%d.%d.%d' % sys.version_info[:3], sys.executable)"
        env = clean_environment(PYENV_VERSION=name)  # pyenv answers for the chosen version only
        found = path and run_file("-c", code, env=env, python=path)
        if found and found.returncode == 0:
            version, executable = found.stdout.split(maxsplit=1)
            yield version, executable.strip()
        else:
            print(f"Python {name}: not on this machine, left out")


def run(name: str, interpreter: tuple[str, str], tests: Sequence[str]) -> Result:
    """Make an environment, and run tests and trainings in it."""
    version, executable = interpreter
    result = Result(name, version, current_commit())
    with _entering_problems(result):
        python = _installed(BUILD / f"{name}-{version}", executable, SETS[name], result)
        in_place = ("--no-deps", "--no-build-isolation", "--quiet", "--editable", ROOT)
        run_file("-m", "pip", "install", *in_place, python=python)  # for notebooks elsewhere
        with _entering_problems(result):  # the tests may pass even so
            _say(result, "Questions 1 and 3 under every condition")
            _figures(result, python)
            _say(result, "CNN, RNN and LSTM, twice")
            result.seeded = {net: _same_twice(net, python) for net in SEEDED}
        _say(result, "the tests")
        result.tests, result.passed = _pytest(python, tests)
    if result.lacks_wheels:
        _work_out_core(result, executable, SETS[name][-1])
    return result


def _work_out_core(result: Result, executable: str, pinned: Path) -> None:
    """Work out the figures of Questions 1 and 3 with the libraries that they need alone."""
    with _entering_problems(result):
        folder = BUILD / f"core-{result.name}-{result.python}"
        if pinned == PINNED:  # beside hashes, pip before 26 takes only what is asked for by version
            pinned = folder.with_suffix(".txt")
            pinned.parent.mkdir(parents=True, exist_ok=True)
            pinned.write_text("".join(f"{pin}\n" for pin, _ in pins()), encoding="utf-8")
        python = _installed(folder, executable, [*CORE, "-c", pinned], result)
        _say(result, "Questions 1 and 3 under every condition, without the other libraries")
        _figures(result, python)


def _interpreters_of_2024() -> Iterator[tuple[str, str]]:
    """Give those of ``_interpreters``, this one first, that NumPy 1.26.4 has wheels for."""
    for version, executable in _interpreters([sys.executable, *PYTHONS]):
        if version.startswith(("3.11.", "3.12.")):
            yield version, executable


def run_short(interpreter: tuple[str, str]) -> Result:
    """Work out the figures of Questions 1 and 3 with the libraries of 2024."""
    version, executable = interpreter
    result = Result("autumn_2024", version, current_commit())
    _work_out_core(result, executable, OF_2024)
    return result


@contextmanager
def _entering_problems(result: Result) -> Iterator[None]:
    """Enter what goes wrong instead of raising it: other environments are still to be tried."""
    try:
        yield
    except subprocess.TimeoutExpired as error:
        result.problem = f"no answer for {error.timeout:.0f} seconds"
    except (RuntimeError, ValueError, LookupError, OSError, subprocess.SubprocessError) as error:
        lines = str(error).strip().splitlines() or ["a process died without a word"]
        result.problem = lines[-1]
    else:
        return
    _say(result, result.problem)


def _say(result: Result, what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {result.name}, Python {result.python}: {what}", flush=True)


def _installed(folder: Path, executable: str, wanted: Sequence[str | Path], result: Result) -> str:
    """Make an environment, or find it made; enter its versions and return its Python."""
    python, stamp = str(folder / "bin" / "python"), folder / "installed.txt"
    files = [item.read_text(encoding="utf-8") for item in wanted if isinstance(item, Path)]
    asked_for = "\n".join([*map(str, wanted), *files])
    is_made = stamp.exists() and stamp.read_text(encoding="utf-8") == asked_for
    if not is_made or NEWEST in wanted:  # what was the newest need not be so any more
        _say(result, "installing")
        subprocess.run([executable, "-m", "venv", "--clear", folder], check=True)
        wheels = ("--only-binary", ":all:")  # an old source need not compile today
        finished = run_file("-m", "pip", "install", *wheels, *wanted, python=python, timeout=1800)
        if finished.returncode != 0:
            said = finished.stdout + finished.stderr
            # without a wheel of a pinned version pip speaks of a conflict; alone, it names the pin
            alone = ("--dry-run", "--no-deps", *_spoken_of(wanted[-1], said))
            tried = run_file("-m", "pip", "install", *wheels, *alone, python=python, timeout=1800)
            known = ("--dry-run", "--ignore-installed", "--no-deps", "pip")
            asked = run_file("-m", "pip", "install", *known, python=python, timeout=300)
            is_reached = asked.returncode == 0
            raise RuntimeError(_why_not_installed(said, tried.stderr, is_reached))
        stamp.write_text(asked_for, encoding="utf-8")
    listed = json.loads(run_file("-m", "pip", "list", "--format", "json", python=python).stdout)
    versions = {entry["name"].lower().replace("_", "-"): entry["version"] for entry in listed}
    result.versions = {name: versions[name] for name in LIBRARIES if name in versions}
    return python


def _spoken_of(pinned: Path, said: str) -> list[str]:
    """Return the pins of the libraries that pip spoke of: no other can be why it failed."""
    words = set(re.findall(r"[\w.-]*\w", said))
    return [str(pin) for pin, _ in pins(pinned) if pin.name in words]


def _why_not_installed(said: str, said_of_pins: str, is_reached: bool) -> str:
    """Tell in one line why pip failed, from what it said and what it said of the pins alone."""
    if UNREACHED in said + said_of_pins or not is_reached:
        return "the package index was not reached"
    missing = NOT_FOUND.search(said_of_pins) or NOT_FOUND.search(said)
    return f"{NO_WHEEL} {missing[1]}" if missing else " ".join(said.split())[-300:]


def _figures(result: Result, python: str) -> None:
    """Enter the figures of Questions 1 and 3 under every condition."""
    jobs = [(condition, what) for what in (*QUESTION_1, "beans") for condition in CONDITIONS]
    with ThreadPoolExecutor(2) as pool:
        outputs = pool.map(lambda job: reproduce(*job, python=python)[job[1]], jobs)
        came = dict(zip(jobs, outputs, strict=True))
    for condition in CONDITIONS:
        equal = [same for what in QUESTION_1 for same in _compare(what, came[condition, what])]
        result.question_1[condition] = f"{sum(equal)} of {len(equal)}"
    beans = [came[condition, "beans"] for condition in CONDITIONS]
    result.beans = {name: sorted({run[name] for run in beans}) for name in beans[0]}


def _compare(what: str, came: dict) -> list[bool]:
    """Tell of each published figure of a run whether it came out to the last digit."""
    if what == "short":
        pairs = [(SHORT_LOSSES[kind], came[kind]) for kind in SHORT_LOSSES]
    else:
        published = json.loads((ROOT / "tests" / "nn_losses.json").read_text(encoding="utf-8"))
        pairs = [
            ([f"{value:.6f}" for value in published[what]], came["losses"]),
            ([f"{published['test_cross_entropy'][what]:.3f}"], [came["test"]]),
        ]
    return [a == b for expected, got in pairs for a, b in zip(expected, got, strict=True)]


def _same_twice(net: str, python: str) -> bool:
    """Train a net in two processes, one after the other, and compare every bit."""
    first, second = (reproduce("2 threads", net, python=python) for _ in range(2))
    return first == second


def _pytest(python: str, tests: Sequence[str]) -> tuple[str, bool]:
    """Run the tests; return pytest's closing line and whether they passed."""
    finished = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        env=clean_environment(PATH=f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}"),
        capture_output=True,
        text=True,
        check=False,
    )
    log = BUILD / f"{Path(python).parents[1].name}.log"
    log.write_text(finished.stdout + finished.stderr, encoding="utf-8")
    return _outcome(finished.returncode, finished.stdout)


def _outcome(status: int, printed: str) -> tuple[str, bool]:
    """Judge pytest by its exit status and its closing line: a killed one prints no failure."""
    lines = printed.strip().splitlines() or ["pytest printed nothing"]
    closing = re.sub(r" in .*|(, )?\d+ warnings?|=", "", lines[-1]).strip()
    passed = status == 0 and re.match(r"\d+ passed", closing) is not None
    return (closing if status == 0 else f"{closing} (exit status {status})"), passed


def _keep(result: Result) -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    path = BUILD / f"{result.name}-{result.python}.json"
    path.write_text(json.dumps(vars(result), indent=1) + "\n", encoding="utf-8")


def _kept(commit: str) -> Iterator[Result]:
    """Give the results of all environments that were run so far at a commit."""
    for path in sorted(BUILD.glob("*.json")):
        result = Result(**json.loads(path.read_text(encoding="utf-8")))
        if result.commit == commit:
            yield result
        else:
            print(f"{path.name}: of {result.commit or 'an unknown commit'}, left out")


def table(results: Iterable[Result]) -> str:
    """Return a Markdown table, environment by figure."""
    heads = ["environment", "Python", "commit", *LIBRARIES, "tests"]
    heads += [f"Question 1, {condition}" for condition in CONDITIONS]
    heads += ["forest", "forest, depth 10, 85 %", "AdaBoost", "CNN, RNN, LSTM twice"]
    lines = [heads, ["---"] * len(heads)]
    for result in results:
        cells = [result.name.replace("_", " "), result.python, result.commit]
        cells += [result.versions.get(name, "–") for name in LIBRARIES]
        cells += ["; ".join(text for text in (result.problem, result.tests) if text)]
        cells += [result.question_1.get(condition, "–") for condition in CONDITIONS]
        names = ("forest", "forest, depth 10, 85 %", "AdaBoost")
        cells += [" or ".join(result.beans.get(name, ["–"])) for name in names]
        cells += [_in_words(result.seeded)]
        lines.append(cells)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _in_words(seeded: dict[str, bool]) -> str:
    differ = [net.upper() for net, same in seeded.items() if not same]
    return "–" if not seeded else f"{', '.join(differ)} differ" if differ else "identical"


if __name__ == "__main__":
    sys.exit(main())
