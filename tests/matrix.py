"""Run the tests and work out the published figures in environments of their own: ``make matrix``.

Each environment is one set of versions (a constraints file in tests/environments/) on one Python.
In it the tests run once, the figures of Questions 1 and 3 come out under every condition of
tests/conditions.py, and CNN, RNN and LSTM are trained twice. Results lie in build/matrix/, one
file an environment, and the table of all of them in build/matrix.md.

``--short`` is what CI runs: NumPy and scikit-learn of 2024 alone, Questions 1 and 3 alone.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from conditions import CONDITIONS, SHORT_LOSSES, reproduce
from helpers import ROOT, clean_environment, run_file

ENVIRONMENTS = ROOT / "tests" / "environments"
BUILD = ROOT / "build" / "matrix"
SETS = {"autumn_2024": "autumn 2024", "newest": "newest"}
PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
LIBRARIES = ("numpy", "scikit-learn", "pandas", "matplotlib", "torch", "tensorflow-cpu", "keras")
CORE = ("numpy", "scikit-learn", "pandas", "matplotlib", "pooch", "requests", "tqdm")
# These test the grader, the class and the pinned set itself, in their own environment.
STAFF = ("autograder", "autograder_grading", "autograder_isolation", "hostile", "mutants")
STAFF += ("grade_all", "report", "starter", "supply_chain")
TESTS = ["tests", *(f"--ignore=tests/test_{name}.py" for name in STAFF)]
QUESTION_1 = ("short", "gd", "bgd", "momentum")
SEEDED = ("cnn", "rnn", "lstm")
NO_WHEELS = re.compile(r"No matching distribution found for (\S+)")


@dataclass
class Result:
    """What came out in one environment.

    Attributes
    ----------
    name, python : str
        The set of versions, and the version of Python.
    versions : dict of str to str
    tests : str
        The closing line of pytest, or why there is none.
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
    versions: dict[str, str] = field(default_factory=dict)
    tests: str = "not run"
    question_1: dict[str, str] = field(default_factory=dict)
    beans: dict[str, list[str]] = field(default_factory=dict)
    seeded: dict[str, bool] = field(default_factory=dict)
    problem: str = ""

    @property
    def good(self) -> bool:
        """Tell whether everything came out that has to."""
        counts = [count.split(" of ") for count in self.question_1.values()]
        equal = all(right == of for right, of in counts)
        possible = not self.problem or self.problem.startswith("no wheel")
        one_value = all(len(values) == 1 for values in self.beans.values())
        passed = not re.search(r"failed|error", self.tests)
        return possible and equal and one_value and all(self.seeded.values()) and passed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for, write the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="only Questions 1 and 3, as in CI")
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS))
    parser.add_argument("--pythons", nargs="*", default=PYTHONS, help="versions or paths")
    parser.add_argument("--tests", nargs="*", default=TESTS, help="what pytest runs")
    options = parser.parse_args(arguments)
    if options.short:
        results = [run_short()]
    else:
        for name in options.sets:
            for python in _interpreters(options.pythons):
                _keep(run(name, python, options.tests))
        results = list(_kept())
    text = table(results)
    print("\n" + text)
    if not options.short:
        (BUILD.parent / "matrix.md").write_text(text + "\n", encoding="utf-8")
    return 0 if all(result.good for result in results) else 1


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
    result = Result(SETS[name], version)
    folder = BUILD / f"{name}-{version}"
    wanted = ["-r", ROOT / "requirements.txt", "-c", ENVIRONMENTS / f"{name}.txt"]
    python = _installed(folder, executable, wanted, result)
    if python is not None:
        in_place = ("--no-deps", "--no-build-isolation", "--quiet", "--editable", ROOT)
        run_file("-m", "pip", "install", *in_place, python=python)  # for notebooks elsewhere
        try:
            _say(result, "Questions 1 and 3 under every condition")
            _figures(result, python)
            _say(result, "CNN, RNN and LSTM, twice")
            result.seeded = {net: _same_twice(net, python) for net in SEEDED}
        except RuntimeError as error:  # the other environments are still to be tried
            result.problem = str(error).strip().splitlines()[-1]
        _say(result, "the tests")
        result.tests = _pytest(python, tests)
    return result


def run_short() -> Result:
    """Work out the figures of Questions 1 and 3 with the libraries of 2024."""
    version, executable = next(iter(_interpreters([sys.executable])))
    result = Result(SETS["autumn_2024"], version)
    constraints = ["-c", ENVIRONMENTS / "autumn_2024.txt"]
    python = _installed(BUILD / f"short-{version}", executable, [*CORE, *constraints], result)
    if python is not None:
        _figures(result, python)
    return result


def _say(result: Result, what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {result.name}, Python {result.python}: {what}", flush=True)


def _installed(
    folder: Path, executable: str, wanted: Sequence[str | Path], result: Result
) -> str | None:
    """Make an environment, or find it made; return its Python, or None and enter what is wrong."""
    python, stamp = str(folder / "bin" / "python"), folder / "installed.txt"
    files = [item.read_text(encoding="utf-8") for item in wanted if isinstance(item, Path)]
    asked_for = "\n".join([*map(str, wanted), *files])
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != asked_for:
        _say(result, "installing")
        subprocess.run([executable, "-m", "venv", "--clear", folder], check=True)
        wheels = ("--quiet", "--only-binary", ":all:")  # an old source need not compile today
        finished = run_file("-m", "pip", "install", *wheels, *wanted, python=python, timeout=1800)
        if finished.returncode != 0:
            # without a wheel of a pinned version pip speaks of a conflict; alone, it names the pin
            pins = ("--dry-run", "--no-deps", "-r", wanted[-1])
            alone = run_file("-m", "pip", "install", *wheels, *pins, python=python, timeout=1800)
            missing = NO_WHEELS.search(alone.stderr)
            what = f"no wheel of {missing[1]}" if missing else finished.stderr.strip()[-300:]
            result.problem = what
            _say(result, what)
            return None
        stamp.write_text(asked_for, encoding="utf-8")
    listed = json.loads(run_file("-m", "pip", "list", "--format", "json", python=python).stdout)
    versions = {entry["name"].lower().replace("_", "-"): entry["version"] for entry in listed}
    result.versions = {name: versions[name] for name in LIBRARIES if name in versions}
    return python


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


def _pytest(python: str, tests: Sequence[str]) -> str:
    """Run the tests and return pytest's closing line."""
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
    lines = finished.stdout.strip().splitlines() or ["pytest printed nothing"]
    return re.sub(r" in .*| warnings?,?|=", "", lines[-1]).strip()


def _keep(result: Result) -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    path = BUILD / f"{result.name} {result.python}.json".replace(" ", "-")
    path.write_text(json.dumps(vars(result), indent=1) + "\n", encoding="utf-8")


def _kept() -> Iterator[Result]:
    """Give the results of all environments that were run so far."""
    for path in sorted(BUILD.glob("*.json")):
        yield Result(**json.loads(path.read_text(encoding="utf-8")))


def table(results: Iterable[Result]) -> str:
    """Return a Markdown table, environment by figure."""
    heads = ["environment", "Python", *LIBRARIES, "tests"]
    heads += [f"Question 1, {condition}" for condition in CONDITIONS]
    heads += ["forest", "forest, depth 10, 85 %", "AdaBoost", "CNN, RNN, LSTM twice"]
    lines = [heads, ["---"] * len(heads)]
    for result in results:
        cells = [result.name, result.python]
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
