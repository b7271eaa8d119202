"""Hostile submissions gain nothing, harm nobody, and leave nothing behind."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers import ROOT, clean_environment, run_python

from autograder.hostile.attacks import ATTACKS
from autograder.hostile.catalogue import HOSTILE, attack_source

LARGEST_RESULTS = 100_000  # bytes; two items' honest results have some two thousand


def fight_all(names):
    """Fight in an arena of its own and return the reports by name."""
    result = subprocess.run(
        [sys.executable, "-m", "autograder.hostile.arena", *names],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=600,  # for a hundred fights of some seconds on a slow machine
        start_new_session=True,  # what kills its parent's group shall not kill the tests
        check=False,
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    return {report["name"]: report for report in map(json.loads, result.stdout.splitlines())}


@pytest.fixture(scope="module")
def reports():
    """Fight with all of them, in four arenas at a time: most of a fight is waiting."""
    names = list(HOSTILE)
    with ThreadPoolExecutor(4) as pool:
        parts = pool.map(fight_all, [names[first::4] for first in range(4)])
        return {name: report for part in parts for name, report in part.items()}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_submission_gains_nothing(name, reports):
    report = reports[name]
    assert report["score"] == 0, report["tests"]
    assert report["untouched_results"]
    assert report["leaked"] == []
    assert report["bytes"] < LARGEST_RESULTS
    assert not any("grader itself failed" in test["output"] for test in report["tests"])


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_submission_harms_nobody(name, reports):
    report = reports[name]
    assert report["neighbour"] == [report["full"]] * 2
    assert report["touched"] == []
    assert report["calls"] == []


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_submission_does_not_outlive_its_check(name, reports):
    assert reports[name]["survivors"] == []


# Grades like the tools that run a submission in a plain process of the grader's own user.
NAIVE = """
import json, os, subprocess, sys
from autograder.hostile.arena import fight

CALL = "import numpy as np; space = {}; exec(open('NN.py').read(), space)\\n"
CALL += "net = space['NeuralNet'](np.zeros((1, 3)), False, False)\\n"
CALL += "print(net.silu(np.ones(1))[0] > 0.5)"

def grade(submission, assignment, results, items, **limits):
    log = results.with_suffix(".log")
    with open(log, "w") as file:
        subprocess.run(
            [sys.executable, "-B", "-c", CALL], cwd=submission, stdout=file, stderr=file
        )
    output = log.read_text()
    score = 2.5 * output.endswith("True\\n")
    test = {"number": "1.1a", "score": score, "max_score": 2.5, "output": output}
    graded = {"tests": [test]}
    results.write_text(json.dumps(graded))
    return graded

print(json.dumps([fight(name, grade) for name in sys.argv[1:]]))
"""


@pytest.fixture(scope="module")
def lost_fights():
    names = ["copies-the-neighbour", "reads-the-tests", "leaves-a-daemon", "opens-sockets"]
    names += ["writes-to-the-next-student", "forks-without-end"]
    result = run_python(NAIVE, *names)
    assert result.returncode == 0, result.stderr
    return {report["name"]: report for report in json.loads(result.stdout)}


@pytest.mark.parametrize(
    ("name", "what", "sees"),
    [
        ("copies-the-neighbour", "score", lambda score: score > 0),
        ("reads-the-tests", "leaked", lambda leaked: len(leaked) == 2),
        ("leaves-a-daemon", "survivors", lambda commands: len(commands) > 0),
        ("forks-without-end", "survivors", lambda commands: len(commands) > 40),
        ("opens-sockets", "calls", lambda calls: {"tcp", "udp"} <= set(calls)),
        ("writes-to-the-next-student", "touched", lambda paths: len(paths) > 2),
        ("writes-to-the-next-student", "neighbour", lambda scores: min(scores) == 0),
    ],
)
def test_the_arena_sees_a_grader_without_guards_lose(name, what, sees, lost_fights):
    assert sees(lost_fights[name][what]), lost_fights[name]


@pytest.mark.parametrize("function", ATTACKS, ids=lambda function: function.__name__)
def test_an_attack_is_a_file_by_itself(function):
    world = {"marker": "m", "root": "r", "neighbour": "n", "results": "s", "port": 1}
    source = attack_source(function, world)
    compile(source, "NN.py", "exec")
    assert "autograder.hostile" not in source and json.dumps(world) in source
