"""Right submissions get full marks, wrong ones lose what they should, packages work as uploaded."""

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from helpers import ROOT, clean_environment

import autograder
from autograder import data, package, reference, rehearsal
from autograder.checks import nn
from autograder.results import validate
from autograder.rubric import ASSIGNMENTS, items_of, required_files

SMALL = [n.number for n in items_of("programming") if n.number.startswith("1.1")]


def copy_reference(folder, assignment="programming"):
    for name in required_files(assignment):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


def scores(content):
    return {test["number"]: (test["score"], test["max_score"]) for test in content["tests"]}


@pytest.fixture
def both_sets(real_data):
    real_data("housing")
    real_data("dry_beans")


@pytest.mark.slow
def test_an_unpacked_package_gives_the_reference_full_marks(tmp_path, both_sets, request):
    built = package.build("programming", tmp_path)
    tree = rehearsal.unpack(built, tmp_path / "autograder")
    rehearsal.submit(tree, "programming")
    # memory as on Gradescope; at half a CPU as well in `make rehearse`, for it takes minutes.
    # PyTorch's wheels with CUDA, which a developer has, need twice the memory of those for CPUs.
    report = rehearsal.run(tree, "programming", cpus=4, memory_mb=1536)
    validate(report.results)
    lost = {
        n: t["output"]
        for t in report.results["tests"]
        if t["status"] != "passed"
        for n in [t["number"]]
    }
    assert lost == {}, report.log
    assert report.score == (120, 120)
    assert report.results["extra_data"]["complete"]


@pytest.mark.slow
def test_the_reference_gets_full_marks_in_the_bonus_for_all(tmp_path, both_sets):
    content = autograder.grade(copy_reference(tmp_path, "bonus-all"), "bonus-all")
    assert all(test["status"] == "passed" for test in content["tests"]), content["tests"]
    assert sum(test["score"] for test in content["tests"]) == pytest.approx(5.4)


def test_the_reference_gets_full_marks_in_the_bonus_for_undergraduates(tmp_path):
    # its other items are graded by the same checks in the assignment above
    content = autograder.grade(
        copy_reference(tmp_path, "bonus-undergrad"), "bonus-undergrad", items=["1.1l", "1.1m"]
    )
    assert scores(content) == {"1.1l": (1.3, 1.3), "1.1m": (0.7, 0.7)}


def test_grading_the_same_files_again_gives_the_same_inputs_and_other_files_give_others(tmp_path):
    copy_reference(tmp_path)
    first, again = (
        autograder.grade(tmp_path, "programming", items=["1.1a"])["extra_data"]["seed"]
        for _ in range(2)
    )
    with (tmp_path / "NN.py").open("a", encoding="utf-8") as file:
        file.write("\n# another submission\n")
    other = autograder.grade(tmp_path, "programming", items=["1.1a"])["extra_data"]["seed"]
    assert first == again != other


def test_a_wrong_silu_does_not_cost_what_is_built_on_it(tmp_path):
    copy_reference(tmp_path)
    with (tmp_path / "NN.py").open("a", encoding="utf-8") as file:
        file.write("\nNeuralNet.silu = lambda self, u: np.tanh(u)\n")
    content = autograder.grade(tmp_path, "programming", items=SMALL)
    lost = [number for number, (score, most) in scores(content).items() if score < most]
    assert lost == ["1.1a"]
    output = content["tests"][0]["output"]
    assert "silu(u) = u / (1 + exp(-u))" in output and "largest error" in output


def test_methods_that_do_nothing_vouch_for_nothing(tmp_path):
    """A loop over methods that return constants is no loop."""
    (tmp_path / "NN.py").write_text(
        "import numpy as np\n"
        "SIZES = {'theta1': (8, 15), 'b1': 15, 'theta2': (15, 7), 'b2': 7, 'theta3': (7, 3), "
        "'b3': 3}\n"
        "class NeuralNet:\n"
        "    def __init__(self, y, *a, **k):\n        self.loss, self.batch_y = [], []\n"
        "        self.parameters, self.iteration = {}, 0\n"
        "    def init_parameters(self, param=None):\n"
        "        self.parameters = {k: np.zeros(v) for k, v in SIZES.items()}\n"
        "    def silu(self, u):\n        return np.zeros_like(u)\n"
        "    derivative_silu = silu\n"
        "    def softmax(self, u):\n        return np.ones_like(u)\n"
        "    def cross_entropy_loss(self, y, y_hat):\n        return 0.0\n"
        "    def _dropout(self, u, prob):\n        return u, np.ones_like(u)\n"
        "    def forward(self, x, use_dropout):\n"
        "        p, n = self.parameters, len(x)\n"
        "        u1 = x @ p['theta1'] + p['b1']\n"
        "        u2 = np.zeros((n, 1)) + p['b2']\n        u3 = np.zeros((n, 1)) + p['b3']\n"
        "        o3 = np.ones_like(u3)\n"
        "        self.cache = dict(X=x, u1=u1, o1=u1 * 0, mask=u1 * 0 + 1, u2=u2, o2=u2 * 0,\n"
        "                          u3=u3, o3=o3)\n"
        "        return o3\n"
        "    def compute_gradients(self, y, yh, use_dropout):\n"
        "        return {k: v * 0 for k, v in self.parameters.items()}\n"
        "    def update_weights(self, dLoss, use_momentum):\n        pass\n"
        "    def backward(self, y, yh, use_dropout, use_momentum):\n"
        "        p = self.parameters\n"
        "        return tuple(p[k] * 0 for k in ('theta3','b3','theta2','b2','theta1','b1'))\n"
        "    def gradient_descent(self, x, y, iter=1, use_momentum=False, local_test=False):\n"
        "        self.init_parameters()\n        self.loss = [0.0] * iter\n"
        "    def batch_gradient_descent(self, x, y, use_momentum, iter=1, local_test=False):\n"
        "        self.gradient_descent(x, y, iter)\n        self.iteration = iter\n"
    )
    content = autograder.grade(tmp_path, "programming", items=SMALL)
    gained = {n: got for n, (got, _) in scores(content).items() if got}
    assert gained == {}, content


def test_losses_known_by_heart_are_not_a_training(tmp_path, real_data):
    real_data("housing")
    published = reference.figures("nn_losses")["gd"]
    copy_reference(tmp_path)
    with (tmp_path / "NN.py").open("a", encoding="utf-8") as file:
        file.write(
            "\ndef known(self, x, y, iter=60000, use_momentum=False, local_test=False):\n"
            "    self.init_parameters()\n"
            f"    self.loss = {published} if iter == 60000 else [1.0] * (iter // 1000 + 1)\n"
            "NeuralNet.gradient_descent = known\n"
        )
    graded = autograder.grade(tmp_path, "programming", items=["1.2"])
    assert scores(graded)["1.2"] == (0, 5)
    assert "on shuffled columns" in graded["tests"][0]["output"]


def test_a_data_set_that_is_missing_costs_nobody_a_point(tmp_path, monkeypatch):
    def missing(name):
        raise data.MissingError(f"the {name} data is missing")

    monkeypatch.setattr(data, "load", missing)
    content = autograder.grade(copy_reference(tmp_path), "programming", items=["1.1a", "1.2"])
    assert scores(content) == {"1.1a": (2.5, 2.5), "1.2": (0, 0)}
    assert content["extra_data"]["not_graded"] == ["1.2"]
    assert "NOT GRADED" in content["tests"][1]["output"] and "1.2" in content["output"]


def test_a_fault_of_the_grader_is_not_the_students(tmp_path, monkeypatch, capsys):
    def broken(task):
        raise ZeroDivisionError("hidden detail")

    monkeypatch.setattr(nn, "silu", broken)
    content = autograder.grade(copy_reference(tmp_path), "programming", items=["1.1a", "1.1c"])
    assert scores(content) == {"1.1a": (0, 0), "1.1c": (5, 5)}
    assert "hidden detail" not in json.dumps(content)
    assert "hidden detail" in capsys.readouterr().err  # the staff's log


def test_a_refused_upload_has_valid_results_that_say_why(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../NN.py", "x = 1")
    path = tmp_path / "results.json"
    autograder.grade(tmp_path / "a.zip", "programming", path)
    content = json.loads(path.read_text())
    validate(content)
    assert "outside its folder" in content["output"]
    assert sum(test["score"] for test in content["tests"]) == 0


# --- gradients the checks compute with --------------------------------------------------------


def test_the_checks_own_gradients_are_the_references():
    class Drawing:
        rng = np.random.default_rng(5)

    drawn = nn.draw_net(Drawing)
    net = nn.reference_net()
    net.dropout_prob = drawn.prob
    net.init_parameters(drawn.parameters)
    for use_dropout in (False, True):
        yh = net.forward(drawn.x, use_dropout)
        right = net.compute_gradients(drawn.y, yh, use_dropout)
        slopes = nn._true_slopes(net.cache)
        got = nn._gradients(drawn, net.cache, yh, use_dropout, slopes)
        for key in nn.KEYS:
            np.testing.assert_allclose(got[key], right[key], rtol=1e-12, atol=1e-15)


# --- packages and commands ----------------------------------------------------------------------


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_a_package_is_the_same_bytes_every_time(assignment, tmp_path, both_sets):
    first, second = (package.build(assignment, tmp_path / name) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_a_package_holds_what_gradescope_wants_and_no_tests(assignment, tmp_path, both_sets):
    with zipfile.ZipFile(package.build(assignment, tmp_path)) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        scripts = {name: archive.read(name) for name in ("setup.sh", "run_autograder")}
        pins = archive.read("requirements.txt").decode().split()
    for name, content in scripts.items():
        assert infos[name].external_attr >> 16 & 0o111 == 0o111
        assert content.startswith(b"#!/usr/bin/env bash\n") and b"@" not in content.split(b"==")[0]
        subprocess.run(["bash", "-n"], input=content, check=True)
    assert not any(
        part in name for name in infos for part in ("mutants", "hostile", "test_", "pyc")
    )
    assert all("==" in pin for pin in pins)
    names = {pin.split("==")[0].lower() for pin in pins}
    assert ("torch" in names) == (assignment != "bonus-all")
    assert ("tensorflow-cpu" in names) == (assignment == "bonus-all")
    assert not any("nvidia" in name or "cuda" in name for name in names)


def test_a_grader_that_cannot_start_still_leaves_valid_results(tmp_path):
    tree = tmp_path / "autograder"
    (tree / "source").mkdir(parents=True)
    script = package.HERE / "gradescope_files/run_autograder"
    env = clean_environment(AUTOGRADER_ROOT=tree, HW4_PYTHON=tree / "no-python")
    subprocess.run(["bash", script], cwd=tree, env=env, check=False, capture_output=True)
    content = json.loads((tree / "results/results.json").read_text())
    validate(content)
    assert "tell the course staff" in content["output"]


def test_a_grader_that_fails_says_so_in_its_results(tmp_path):
    from autograder import gradescope

    assert gradescope.run(tmp_path) == 1  # no assignment.json beside it: it was never packaged
    content = json.loads((tmp_path / "results/results.json").read_text())
    validate(content)
    assert "Nothing is wrong with your submission" in content["output"]


def test_the_command_line_prints_a_table_and_writes_results(tmp_path):
    copy_reference(tmp_path)
    results = tmp_path / "out" / "results.json"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "autograder",
            "grade",
            tmp_path,
            "--assignment",
            "programming",
            "--items",
            "1.1a, 1.1c",
            "--results",
            results,
        ],
        cwd=ROOT,
        env=clean_environment(COLUMNS="100"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "1.1a" in done.stdout and "7.5 of 7.5 points" in done.stdout
    validate(json.loads(results.read_text()))


def test_the_command_line_names_what_is_wrong_with_its_arguments(tmp_path, capsys):
    from autograder.__main__ import main

    arguments = ["grade", str(tmp_path), "--assignment", "programming"]
    results = ["--results", str(tmp_path / "r.json")]
    assert main([*arguments, *results, "--items", "7.7"]) == 2
    assert "got 7.7" in capsys.readouterr().err
    assert not os.path.exists(tmp_path / "r.json")
