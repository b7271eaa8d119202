"""The benchmark table tells the truth: ratios the right way round, misses named as such."""

import contextlib
import importlib
import inspect
import io
import json
import math
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from helpers import run_python

from benchmarks import __main__ as bench
from benchmarks import accelerator, harness, notebook, question_2, rivals, training
from NN import NeuralNet
from utilities import utils


def pause(seconds):
    return lambda: time.sleep(seconds)


def test_a_rival_that_takes_five_times_as_long_gives_a_ratio_above_two():
    row = harness.compare("ours", "rival", pause(0.01), pause(0.05), goal=2.0, pairs=3)
    # a sleep can only be prolonged by a busy machine; the median of three bears one such case
    assert row.ratio > 2.0
    assert row.reached
    assert row.lowest <= row.ratio <= row.highest


def test_a_goal_of_at_most_so_much_time_turns_the_ratio_round():
    row = harness.compare("ours", "rival", pause(0.05), pause(0.01), 1.1, at_most=True, pairs=3)
    assert row.ratio > 1.1
    assert not row.reached


def test_rivals_whose_results_differ_are_not_timed():
    with pytest.raises(AssertionError):
        harness.compare("a", "b", lambda: 1, lambda: 2, 2.0, check=np.testing.assert_equal)


def test_a_row_that_misses_its_goal_says_so_in_the_table(tmp_path):
    rows = [
        harness.Row("a", "b", "at least 2 x as fast", 1.5, 1.4, 1.6, 2e-6, 3e-6, False, 3),
        harness.Row("c", "d", "at least 2 x as fast", 2.5, 2.4, 2.6, 2.0, 5.0, True, 3),
    ]
    as_text, as_data = harness.write(rows, tmp_path / "new")
    missed, reached = as_text.read_text(encoding="utf-8").splitlines()[-2:]
    assert "FALLS SHORT" in missed
    assert "1.50 (1.40 to 1.60)" in missed
    assert "FALLS SHORT" not in reached
    assert '"reached": false' in as_data.read_text(encoding="utf-8")


def test_a_single_pair_has_no_spread():
    line = harness.markdown([harness.of_pairs("a", "b", [(1.0, 5.2)], 3)]).splitlines()[-1]
    assert "| 5.20 (one pair) |" in line


RESULTS = [
    harness.Row("a", "b", "at least 2 x as fast", 1.5, 1.4, 1.6, 2e-6, 3e-6, False, 3),
    harness.Missing("c", "JAX", "JAX is not installed"),
    harness.Figure("d", "at least 0.935", "0.937", True),
    harness.of_sizes("e", "rows", (10, 100, 1000), (0.1, 1.0, 10.0), (1.0, 2.0, 3.0)),
]


def test_every_kind_of_result_survives_being_written_and_read(tmp_path):
    content = json.loads(json.dumps([harness.to_data(result) for result in RESULTS]))
    read = [harness.from_data(data) for data in content]
    assert harness.markdown(read) == harness.markdown(RESULTS)


def test_the_table_names_what_was_not_timed_and_how_cost_grows():
    text = harness.markdown(RESULTS)
    assert "not timed: JAX is not installed" in text
    assert "| 0.937 |" in text
    # ten times the time for ten times the rows
    assert text.splitlines()[-1].endswith("| at most 1.1 | 1.00 | reached |")


def test_growth_steeper_than_a_straight_line_falls_short():
    growth = harness.of_sizes("a", "rows", (10, 100), (0.1, 2.0), (1.0, 2.0))
    # twenty times the time for ten times the rows: log 20 / log 10
    assert harness.markdown([growth]).endswith("| at most 1.1 | 1.30 | FALLS SHORT |\n")


def test_a_fixed_cost_at_the_smallest_size_hides_no_bend_at_the_largest():
    # over all sizes 1.04; from 1.8 ms on a factor of 200 in time for one of 100 in rows
    sizes, seconds = (375, 3750, 37_500, 375_000), (274e-6, 1.8e-3, 18e-3, 360e-3)
    growth = harness.of_sizes("a", "rows", sizes, seconds, (1.0,) * 4)
    assert growth.exponent == pytest.approx(math.log10(200) / 2)
    assert not growth.reached


@pytest.mark.parametrize(("megabytes", "reached"), [((2.0, 29.0), True), ((2.0, 31.0), False)])
def test_memory_beyond_its_bound_falls_short(megabytes, reached):
    growth = harness.of_sizes("a", "rows", (1, 10), (0.1, 1.0), megabytes, megabytes_each=3)
    assert growth.reached is reached
    assert "at most 1.1; memory at most 3 MB x size" in harness.markdown([growth])


@pytest.fixture
def timed_before(tmp_path, monkeypatch):
    """A folder with the results of two parts, one from another machine; return a part's path."""
    monkeypatch.setattr(bench, "BUILD", tmp_path)
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    here = harness.machine()
    for part, machine in (("question_1", here), ("question_2", here | {"processor": "another"})):
        results = [harness.to_data(harness.Missing(f"a row of {part}", "b", "c"))]
        stamps = {"machine": machine, "date": "2026-01-02 03:04", "commit": "1234567"}
        content = stamps | {"results": results}
        bench._path(part).write_text(json.dumps(content), encoding="utf-8")
    return bench._path


def end_with(status, monkeypatch):
    """Have every part's process end with a status, nothing timed."""
    ended = subprocess.CompletedProcess([], status)
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: ended)


def test_the_table_dates_each_part_and_leaves_out_other_machines(timed_before, monkeypatch):
    end_with(0, monkeypatch)
    assert bench.main(["question_3"]) == 0
    table = (timed_before("question_1").parent / "benchmarks.md").read_text(encoding="utf-8")
    assert "- question_1: timed 2026-01-02 03:04 at commit 1234567\n" in table
    assert "| a row of question_1 |" in table
    assert "- question_2: timed 2026-01-02 03:04 at commit 1234567 on another machine" in table
    assert "| a row of question_2 |" not in table


def test_a_part_that_fails_leaves_no_older_results_in_the_table(timed_before, monkeypatch, capsys):
    end_with(1, monkeypatch)
    assert bench.main(["question_1"]) == 1
    table = (timed_before("question_1").parent / "benchmarks.md").read_text(encoding="utf-8")
    assert "- question_1: not timed\n" in table
    assert "a row of question_1" not in table


def test_results_are_kept_with_their_machine_date_and_commit(timed_before, monkeypatch):
    monkeypatch.setattr(question_2, "rows", lambda: RESULTS)
    bench.run_here("question_2")
    kept = json.loads(timed_before("question_2").read_text(encoding="utf-8"))
    assert kept["machine"] == harness.machine()
    assert kept["date"] != "2026-01-02 03:04"
    assert kept["commit"] == bench.current_commit()
    assert [data["what"] for data in kept["results"]] == ["a", "c", "d", "e"]


def test_rows_measured_before_a_part_breaks_off_are_kept_and_said_to_be_some(tmp_path, monkeypatch):
    def breaks_off():
        yield RESULTS[0]
        raise KeyboardInterrupt

    folder = tmp_path / "not made before"
    monkeypatch.setattr(bench, "RESULTS", folder)
    monkeypatch.setattr(question_2, "rows", breaks_off)
    with pytest.raises(KeyboardInterrupt):
        bench.run_here("question_2")
    results, notes = bench._collected()
    assert results == RESULTS[:1]
    assert [note for note in notes if "not to its end" in note] == [
        note for note in notes if note.startswith("question_2: ")
    ]


def test_how_cost_grows_is_measured_apart_from_the_rows(timed_before, monkeypatch):
    monkeypatch.setattr(question_2, "rows", None)
    monkeypatch.setattr(question_2, "growth", lambda: RESULTS[-1:], raising=False)
    bench.run_here("question_2.growth")
    kept = json.loads(timed_before("question_2.growth").read_text(encoding="utf-8"))
    assert [data["what"] for data in kept["results"]] == ["e"]


@pytest.mark.parametrize("part", bench.PARTS)
def test_every_part_can_be_timed(part):
    module, _, timed = part.partition(".")
    assert inspect.isgeneratorfunction(
        getattr(importlib.import_module(f"benchmarks.{module}"), timed or "rows")
    )


def test_growth_is_measured_at_every_size():
    growth = harness.measure_growth("sleep", "ms", (1, 20), lambda ms: pause(ms / 1000))
    assert growth.sizes == (1, 20)
    assert growth.seconds[0] < growth.seconds[1]
    assert growth.seconds[1] >= 0.02


def test_the_rival_notebook_takes_the_rivals_modules_and_settings():
    rival = notebook.rival_notebook()
    sources = "\n".join(cell.source for cell in rival.cells if cell.cell_type == "code")
    for setting in ("BATCH_SIZE = 32", "LEARNING_RATE = 0.005", "NUM_EPOCHS = 10"):
        assert f"\n{setting}\n" in sources
    path_is_set = sources.index("rival_modules")
    assert path_is_set < sources.index("from NN import") < sources.index("from cnn_trainer import")


def executed(*printed):
    cells = [nbformat.v4.new_code_cell() for _ in printed]
    for cell, text in zip(cells, printed, strict=True):
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
    return nbformat.v4.new_notebook(cells=cells)


def test_notebooks_that_print_other_figures_are_refused():
    committed = nbformat.read(notebook.run_notebook.NOTEBOOK, as_version=4)
    notebook.check_same_figures(committed, committed)
    loss = "Loss after iteration 0: 1.086276\nCross entropy loss: 0.729\n"
    forest = "15 trees\naccuracy: 0.8832\naccuracy of the whole forest: 0.9130\n"
    nets = "Loaded saved RNN model and weights.\nLoaded saved LSTM model and weights.\n"
    boosted = "AdaBoost accuracy: 0.9141\n"
    ours = executed(loss, forest, boosted, nets)
    notebook.check_same_figures(ours, executed(loss, forest, boosted, nets))
    for other in (
        executed(loss, forest, "AdaBoost accuracy: 0.9140\n", nets),
        executed(loss, forest, nets),
    ):
        with pytest.raises(ValueError, match="must print the same AdaBoost accuracy"):
            notebook.check_same_figures(ours, other)
    trained = executed(loss, forest, boosted, nets.splitlines()[0])
    for pair in ((ours, trained), (trained, trained)):
        with pytest.raises(ValueError, match="LSTM model and weights"):
            notebook.check_same_figures(*pair)


def test_pairs_of_notebooks_are_ours_over_the_rivals_whichever_goes_first(monkeypatch, tmp_path):
    def execute(run):
        is_ours = notebook.EXACT_ACCURACY in run.cells[-1].source
        return notebook.Run(1.0 if is_ours else 5.0, training.Epochs([0.5], [0.936]))

    monkeypatch.setattr(notebook, "PAIRS", 2)
    monkeypatch.setattr(notebook, "EXECUTED", tmp_path)
    monkeypatch.setattr(notebook, "execute", execute)
    monkeypatch.setattr(notebook, "check_same_figures", lambda *_: None)
    monkeypatch.setattr(notebook, "exact_accuracy", lambda _: 0.93499)
    row, figure = notebook.rows()
    assert (row.lowest, row.highest, row.pairs) == (5.0, 5.0, 2)
    assert figure.value == "0.9350 in 0 s"
    assert not figure.reached
    for name, is_ours in (("ours", True), ("rival", False)):
        left = (tmp_path / f"notebook_{name}.ipynb").read_text(encoding="utf-8")
        assert (notebook.EXACT_ACCURACY in left) is is_ours


def test_our_notebook_tells_the_accuracy_of_its_cnn_unrounded():
    *cells, last = notebook.our_notebook().cells
    assert any(re.search(r"^trainer = Trainer\(", cell.source, re.M) for cell in cells)
    printed = io.StringIO()
    trainer = SimpleNamespace(validation_accuracies=[0.9, 0.93499])
    with contextlib.redirect_stdout(printed):
        exec(last.source, {"trainer": trainer})
    assert notebook.exact_accuracy(executed("accuracy: 0.935\n", printed.getvalue())) == 0.93499


def test_the_rival_notebook_fills_its_windows_element_by_element(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(utils, "text_windows", utils.text_windows)
    text = "Tomorrow, and tomorrow, and tomorrow, creeps in this petty pace. " * 2
    ours = utils.preprocess_text_data(text)
    exec(notebook.RIVALS_FIRST, {})
    theirs = utils.preprocess_text_data(text)
    assert not ours["x"].flags.writeable
    assert theirs["x"].flags.writeable  # an array of its own
    np.testing.assert_array_equal(ours["x"], theirs["x"])
    np.testing.assert_array_equal(ours["y"], theirs["y"])


def test_settings_of_a_shorter_training_do_not_reach_the_notebooks(monkeypatch):
    seen = {}

    def execute(self, env):
        seen.update(env)
        raise InterruptedError

    monkeypatch.setattr(notebook.NotebookClient, "execute", execute)
    monkeypatch.setenv("HW4_CNN_EPOCHS", "1")
    with pytest.raises(InterruptedError):
        notebook.execute(executed())
    assert "HW4_CNN_EPOCHS" not in seen
    assert seen["TQDM_DISABLE"] == "1"


def test_each_pair_of_trainings_begins_with_the_other(monkeypatch):
    begun = []

    def trained(name):
        return lambda device, seed: begun.append((name, seed)) or name

    monkeypatch.setattr(training, "PAIRS", 3)
    monkeypatch.setattr(training, "train_ours", trained("ours"))
    monkeypatch.setattr(training, "train_rival", trained("rival"))
    assert list(training.train_in_turn("cpu")) == [("ours", "rival")] * 3
    assert begun == [
        ("ours", 0),
        ("rival", 0),
        ("rival", 1),
        ("ours", 1),
        ("ours", 2),
        ("rival", 2),
    ]


def test_the_rivals_of_question_1_train_the_nets_they_say():
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 8)), np.eye(3)[rng.integers(0, 3, 40)]
    losses, _ = rivals.textbook_training(x, y, 30)
    np.testing.assert_allclose(rivals.torch_training(x, y, 30), losses[-1], rtol=1e-12)
    tanh = rivals.sklearn_training(x, y, 30)
    np.testing.assert_allclose(tanh.loss_curve_, rivals.tanh_losses(x, y, 30), rtol=1e-12)


def test_pipelines_are_compared_image_by_image():
    from test_cnn import small_fashion

    from cnn_image_transformations import (
        create_testing_transformations,
        create_training_transformations,
    )
    from cnn_trainer import make_loader

    def loader(transform):
        return make_loader(small_fashion(2000, transform=transform()), 100, "cpu", shuffle=False)

    ours, plain = loader(create_training_transformations), loader(create_testing_transformations)
    question_2.check_same_distribution(ours, ours, ours.images)
    # 36 % of the images are changed; five standard deviations of 2,000 images are 8 %
    with pytest.raises(AssertionError):
        question_2.check_same_distribution(ours, plain, ours.images)


def test_the_seconds_to_an_accuracy_are_those_of_the_first_epoch_that_reaches_it():
    epochs = training.Epochs()
    epochs.read("Epoch 1: Validation Loss: 0.30, Validation Accuracy: 0.900\n", 10.0)
    epochs.read("other text", 15.0)
    epochs.read("Epoch 2: Validation Loss: 0.20, Validation Accuracy: 0.930\n", 20.0)
    epochs.read("Epoch 3: Validation Loss: 0.20, Validation Accuracy: 0.940\n", 30.0)
    assert epochs.seconds == [10.0, 20.0, 30.0]
    assert epochs.seconds_to(0.93) == 20.0
    assert epochs.seconds_to(0.95) is None


def test_a_training_is_watched_epoch_by_epoch(monkeypatch, capsys):
    from test_cnn import small_fashion

    def few(train, transform):
        return small_fashion(64 if train else 32, transform=transform)

    monkeypatch.setattr(training.datasets, "load_fashion_mnist", few)
    monkeypatch.setattr(training, "QUICK", training.QUICK | {"num_epochs": 2})
    epochs = training.train_ours(seed=1)
    assert len(epochs.accuracies) == 2
    # exact, not as printed: each a number of the 32 images
    assert all((32 * accuracy).is_integer() for accuracy in epochs.accuracies)
    assert 0 < epochs.seconds[0] < epochs.seconds[1]


@pytest.mark.parametrize(("accuracy", "reached"), [(0.935, True), (0.925, False)])
def test_a_net_that_misses_the_published_accuracy_falls_short(accuracy, reached):
    ours = training.Epochs([10.0, 20.0], [0.9, accuracy])
    rival = training.Epochs([50.0, 100.0], [0.9, 0.92])
    row = training.compare_to_target("CNN", [(ours, rival)], 3)
    assert row.reached is reached
    if reached:
        assert row.ratio == 5.0


def test_without_a_graphics_card_its_rows_are_missing(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.mps.is_available", lambda: False)
    (row,) = accelerator.rows()
    assert isinstance(row, harness.Missing)


def test_on_a_graphics_card_epochs_and_seconds_to_the_accuracy_are_compared(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "H100")
    monkeypatch.setattr(training, "PAIRS", 2)
    runs = {
        "train_ours": training.Epochs([1.0, 2.0], [0.92, 0.93]),
        "train_rival": training.Epochs([6.0, 12.0, 18.0], [0.91, 0.93, 0.93]),
    }
    for name, epochs in runs.items():
        monkeypatch.setattr(training, name, lambda device, seed=0, epochs=epochs: epochs)
    monkeypatch.setattr(accelerator, "train_ours", training.train_ours)
    rows = list(accelerator.rows())
    assert [row.what.partition(" on ")[2] for row in rows[::2]] == [
        "H100, pair 1",
        "H100, pair 2",
        "H100, all 2 pairs",
    ]
    epoch, to_target = rows[-2:]
    assert (epoch.pairs, to_target.pairs) == (2, 2)
    assert (epoch.seconds, epoch.rival_seconds, epoch.ratio) == (1.0, 6.0, 6.0)
    assert (to_target.seconds, to_target.rival_seconds, to_target.ratio) == (2.0, 12.0, 6.0)


def test_the_rival_modules_are_those_the_notebook_gets_in_their_folder():
    folder = Path(notebook.__file__).parent / "rival_modules"
    code = (
        f"import sys; sys.path.insert(0, {str(folder)!r});"
        "import NN, random_forest, text_generator;"
        "print([m.__file__ for m in (NN, random_forest, text_generator)])"
    )
    run = run_python(code)
    assert run.stdout.count(str(folder)) == 3


def test_the_rivals_pass_the_local_tests_that_stand_in_the_notebook(real_data):
    real_data("housing")
    folder = Path(notebook.__file__).parent / "rival_modules"
    code = (
        f"import sys, unittest; sys.path.insert(0, {str(folder)!r})\n"
        "from utilities import localtests\n"
        "names = ['TestNN', 'TestRandomForest', 'TestCNN']\n"
        "load = unittest.defaultTestLoader.loadTestsFromTestCase\n"
        "suite = unittest.TestSuite(load(getattr(localtests, name)) for name in names)\n"
        "result = unittest.TextTestRunner().run(suite)\n"
        "sys.exit(result.testsRun < 16 or not result.wasSuccessful())"
    )
    run = run_python(code)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_the_rival_of_the_notebook_trains_and_prints_as_the_reference_does(momentum, capsys):
    from benchmarks.rival_modules.NN import NeuralNet as Rival

    rng = np.random.default_rng(0)
    x, y = rng.random((25, 8)), np.eye(3)[rng.integers(0, 3, 25)]
    nets = [
        kind(y, use_dropout=False, use_momentum=momentum > 0, momentum=momentum)
        for kind in (NeuralNet, Rival)
    ]
    printed = []
    for net in nets:
        net.gradient_descent(x, y, iter=30, use_momentum=momentum > 0, local_test=True)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    # rounding of another order of summation
    np.testing.assert_allclose(nets[1].predict(x), nets[0].predict(x))


@pytest.mark.parametrize("settings", [{}, {"dropout_prob": 0.3, "batch_size": 10}])
def test_the_textbook_rival_trains_the_same_net(settings):
    rng = np.random.default_rng(0)
    x, y = rng.random((25, 8)), np.eye(3)[rng.integers(0, 3, 25)]
    net = NeuralNet(y, use_dropout=bool(settings), use_momentum=False, batch_size=10)
    if settings:
        net.batch_gradient_descent(x, y, use_momentum=False, iter=30, local_test=True)
    else:
        net.gradient_descent(x, y, iter=30, local_test=True)
    # the same formulas in another order of summation: some units in the last place a step
    losses, _ = rivals.textbook_training(x, y, 30, **settings)
    np.testing.assert_allclose(losses, net.loss, rtol=1e-12)
