"""A whole class is graded: nothing is lost, nothing twice, and nobody stops the others."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import psutil
import pytest
from helpers import ROOT, clean_environment, run_python

from autograder import gradebook, proof, workers
from autograder.__main__ import main
from autograder.exports import METADATA, read_metadata
from autograder.grade_all import Summary, grade_all
from autograder.gradebook import discover, examine, grader_version, key_of
from autograder.grader import log_file, read_log, run_file, work_folder
from autograder.hostile.catalogue import ENDLESS
from autograder.mutants.submission import write_base
from autograder.rubric import ASSIGNMENTS, items_of
from autograder.synthetic import write_class

SIZE = 14
ITEMS = "1.1a"
TERMS = {"assignment": "programming", "items": ["1.1a"], "budget": 60, "grader": "1"}


def rows_of(output):
    """Return the rows of a class's table by key."""
    with open(output / "scores.csv", encoding="utf-8", newline="") as file:
        return {row["key"]: row for row in csv.DictReader(file)}


def record_of(output, key):
    return json.loads((output / "students" / f"{key}.json").read_text(encoding="utf-8"))


def write_right(folder):
    """Write a right upload of one file, which is quick to write and to grade."""
    folder.mkdir(parents=True)
    (folder / "NN.py").write_bytes((ROOT / "NN.py").read_bytes())


def export_of(folder, text):
    """Write an export with nothing but its metadata, and read it."""
    folder.mkdir(exist_ok=True)
    (folder / METADATA).write_text(text, encoding="utf-8")
    return read_metadata(folder / METADATA)


# --- Gradescope's metadata ------------------------------------------------------------------------

RUBY = """---
submission_7:
  :submitters:
  - &1
    :name: Null
    :sid: 0123
    :email: 'null@example.edu'
  - !ruby/hash:ActiveSupport::HashWithIndifferentAccess
    :name: "No\\nBell"
    :sid:
    :email: ~
  :created_at: !ruby/object:ActiveSupport::TimeWithZone
    utc: 2026-11-20 23:22:33.123456000 Z
    zone: !ruby/object:ActiveSupport::TimeZone
      name: America/New_York
    time: 2026-11-20 18:22:33.123456000 Z
submission_8:
  :submitters: [*1]
  :created_at: 2026-11-20 18:22:33.1 -05:00
submission_9:
  :submitters:
  :created_at: soon
  :weird: !!python/object/apply:os.system ['touch {trap}']
"""


def test_an_export_is_read_as_text_whatever_ruby_wrote(tmp_path):
    trap = tmp_path / "trap"
    facts = export_of(tmp_path / "export", RUBY.replace("{trap}", str(trap)))
    first, second = facts["submission_7"].students
    assert first == {"name": "Null", "email": "null@example.edu", "sid": "0123"}
    assert second == {"name": "No Bell", "email": "", "sid": ""}
    assert facts["submission_8"].students == (first,)
    moments = [facts[f"submission_{n}"].created_at for n in (7, 8)]
    assert [moment.isoformat() for moment in moments] == [
        "2026-11-20T23:22:33.123456+00:00",
        "2026-11-20T23:22:33.100000+00:00",
    ]
    assert facts["submission_9"].students == () and facts["submission_9"].created_at is None
    assert not trap.exists()


def test_aliases_that_would_grow_without_end_do_not(tmp_path):
    lines = ["a0: &a0 {x: y}"]
    lines += [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], l: [*a{n - 1}]}}" for n in range(1, 60)]
    start = time.monotonic()
    assert len(export_of(tmp_path, "\n".join(lines))) == 60
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("- a\n- b\n", "expected submissions by name, got list"),
        ("a: [1, 2\n", "cannot be read as YAML"),
        ("[" * 100_000, "cannot be read as YAML"),
    ],
)
def test_a_metadata_file_that_is_not_gradescopes_is_an_error(text, match, tmp_path):
    with pytest.raises(ValueError, match=match):
        export_of(tmp_path, text)


def test_a_metadata_file_without_end_is_not_read(tmp_path):
    with open(tmp_path / METADATA, "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match="expected at most"):
        read_metadata(tmp_path / METADATA)


# --- which submissions there are ------------------------------------------------------------------


def test_folders_and_zips_are_submissions_and_litter_is_not(tmp_path):
    for name in ("b 10", "b 9", ".hidden", "__MACOSX"):
        (tmp_path / name).mkdir()
    for name in ("c.ZIP", "a.zip", ".DS_Store", "notes.txt", "._a.zip"):
        (tmp_path / name).write_bytes(b"")
    entries = discover(tmp_path)
    assert [entry.submission for entry in entries] == ["a.zip", "b 9", "b 10", "c.ZIP"]
    assert all(entry.counts and not entry.facts.students for entry in entries)
    with pytest.raises(ValueError, match="expected folders or zips"):
        discover(tmp_path / "b 9")
    with pytest.raises(ValueError, match="expected a folder"):
        discover(tmp_path / "nowhere")


def test_an_export_in_a_folder_of_its_own_is_found(tmp_path):
    export = tmp_path / "class" / "assignment_7_export"
    (export / "submission_7").mkdir(parents=True)
    export_of(export, RUBY)
    keys = [entry.key for entry in discover(tmp_path / "class")]
    assert keys == ["submission_7", "submission_8", "submission_9"]


def test_the_newest_version_counts_for_every_student_of_a_group(tmp_path):
    a, b = ("{':name': A, ':email': a@x}", "{':name': B, ':email': B@x}")
    versions = {1: (f"[{a}, {b}]", "01"), 2: (f"[{a}]", "03"), 3: (f"[{a}]", "02")}
    versions |= {4: ("[{':name': B, ':email': b@X}]", "01"), 5: ("[]", "01")}
    text = "".join(
        f"submission_{n}: {{':submitters': {who}, ':created_at': 2026-11-{day} 10:00:00 Z}}\n"
        for n, (who, day) in versions.items()
    )
    for n in (1, 2, 3, 4):
        (tmp_path / f"submission_{n}").mkdir()
    export_of(tmp_path, text + "../outside: {}\n.hidden: {}\n")
    entries = {entry.key: entry for entry in discover(tmp_path)}
    # 4 replaced the group's for B, at the same moment: the later number is the later version
    expected = {1: False, 2: True, 3: False, 4: True, 5: True}
    assert {int(key[-1]): entry.counts for key, entry in entries.items()} == expected
    assert not entries["submission_5"].path.exists()  # in the metadata only: still a row


def test_keys_are_fit_for_files_and_differ():
    names = [
        "Ann Lee",
        "Ann_Lee",
        "Ann/Lee",
        "Zoë",
        "Zoe",
        "x" * 300,
        "x" * 301,
        os.fsdecode(b"\xff"),
    ]
    keys = [key_of(name) for name in names]
    assert len(set(keys)) == len(names) and keys[1] == "Ann_Lee"
    assert all(key.isascii() and "/" not in key and len(key) < 100 for key in keys)


# --- when a record is valid -----------------------------------------------------------------------


def test_a_digest_changes_with_what_is_graded_and_nothing_else(tmp_path):
    write_base("student", tmp_path / "s")
    digest, refusal = examine(tmp_path / "s", TERMS)
    assert refusal == ""
    (tmp_path / "s" / "rnn.py").write_text("not graded here")
    assert examine(tmp_path / "s", TERMS) == (digest, "")
    changed = [
        examine(tmp_path / "s", TERMS | change)[0] for change in ({"budget": 5}, {"grader": "2"})
    ]
    with open(tmp_path / "s" / "NN.py", "a") as file:
        file.write("\n")
    changed.append(examine(tmp_path / "s", TERMS)[0])
    (tmp_path / "s" / "NN.py").unlink()
    changed.append(examine(tmp_path / "s", TERMS)[0])
    assert len({digest, *changed}) == 5


def test_what_is_refused_says_why(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_bytes(b"text")
    reasons = [examine(tmp_path / name, TERMS)[1] for name in ("empty", "text.zip", "missing")]
    words = ("the folder is empty", "no end record", "got nothing at that path")
    assert all(word in reason for word, reason in zip(words, reasons, strict=True))


def test_the_graders_version_covers_every_module_a_grade_depends_on():
    loaded = run_python("import sys, autograder.grading; print(*sys.modules)").stdout.split()
    loaded = [name for name in loaded if name.startswith("autograder.")]
    modules = {name.split(".")[1] for name in loaded} - {"checks"}
    assert modules <= {*gradebook.GRADER}
    assert {"runner", "confine"} <= {*gradebook.GRADER}  # loaded in the student's process only
    assert len({grader_version(assignment) for assignment in ASSIGNMENTS}) == len(ASSIGNMENTS)


def record(**changes):
    """Return a record of a class."""
    tests = [{"number": "1.1a", "score": 2.5, "max_score": 2.5}]
    whole = {"key": "k", "submission": "s", "students": [], "counts": True, "state": "graded"}
    whole |= {"digest": "d", "score": 2.5, "max_score": 2.5, "results": {"tests": tests}}
    return whole | changes


def test_a_record_is_final_unless_something_is_still_to_be_graded():
    excluded = {"tests": [], "extra_data": {"not_graded": ["1.2"]}}
    assert gradebook.is_final(record(), "d")
    assert gradebook.is_final(record(state="refused"), "d")
    assert not gradebook.is_final(record(), "another")
    assert not gradebook.is_final(record(state="failed", results=None), "d")
    assert not gradebook.is_final(record(results=excluded), "d")
    assert not gradebook.is_final(None, "d")


def test_a_record_that_cannot_be_read_is_as_good_as_none(tmp_path):
    path = gradebook.record_path(tmp_path, "k")
    path.parent.mkdir()
    for text in ("", '{"key": "k"', "[]", '{"key": "other"}', "\x00"):
        path.write_text(text)
        assert gradebook.read_record(tmp_path, "k") is None


# --- the table ------------------------------------------------------------------------------------


def test_no_cell_of_the_table_is_a_formula(tmp_path):
    people = [{"name": "=1+1", "email": "@x", "sid": "-3"}, {"name": "B", "email": "", "sid": "+"}]
    gradebook.write_table([record(students=people, key="+k")], ["1.1a"], tmp_path / "scores.csv")
    (row,) = rows_of(tmp_path).values()
    assert list(row.values())[:4] == ["'+k", "'=1+1; B", "'@x; ", "'-3; +"]


def test_what_was_not_graded_is_an_empty_cell_and_no_zero(tmp_path):
    tests = [{"number": n, "score": 0.0, "max_score": m} for n, m in (("1.1a", 2.5), ("1.2", 0.0))]
    some = record(results={"tests": tests, "extra_data": {"not_graded": ["1.2"]}}, score=0.0)
    failed = record(key="f", state="failed", results=None)
    gradebook.write_table([some, failed], ["1.1a", "1.2"], tmp_path / "scores.csv")
    rows = rows_of(tmp_path)
    assert (rows["k"]["score"], rows["k"]["1.1a"], rows["k"]["1.2"]) == ("0", "0", "")
    assert (rows["f"]["score"], rows["f"]["1.1a"], rows["f"]["1.2"]) == ("", "", "")


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"backend": "threads"}, "backend must be one of"),
        ({"backend": "dask"}, "needs the scheduler's address"),
        ({"scheduler": "tcp://x:1"}, "only it takes one"),
        ({"backend": "dask", "scheduler": "tcp://x:1", "jobs": 2}, "jobs is for this machine"),
        ({"jobs": 0}, "at least 1"),
        ({"budget": 0}, "must be positive"),
        ({"items": ["9.9"]}, "got 9.9"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, match, tmp_path):
    write_right(tmp_path / "class" / "ann")
    with pytest.raises(ValueError, match=match):
        grade_all(tmp_path / "class", "programming", **settings)
    assert [path.name for path in tmp_path.iterdir()] == ["class"]


def test_results_are_not_put_among_the_submissions(tmp_path):
    write_right(tmp_path / "ann")
    for output in (tmp_path, tmp_path / "graded"):
        with pytest.raises(ValueError, match="must lie outside"):
            grade_all(tmp_path, "programming", output)


def test_the_command_line_passes_everything_on(tmp_path, monkeypatch, capsys):
    asked = []
    summary = Summary([record(), record(state="failed", results=None)], 1, Path("t"), Path("r"))
    monkeypatch.setattr(
        "autograder.grade_all.grade_all", lambda *a, **k: asked.append((a, k)) or summary
    )
    arguments = ["grade-all", "class", "--assignment", "programming", "--items", "1.1a, 1.1b"]
    options = ["--jobs", "3", "--budget", "9", "--again", "--output", "out"]
    assert main([*arguments, *options]) == 2
    printed = capsys.readouterr().out
    assert "2 submissions: 1 graded, 1 failed; 1 from an earlier run" in printed
    positional, named = asked[0]
    assert positional == (Path("class"), "programming", Path("out"), ["1.1a", "1.1b"])
    expected = {"jobs": 3, "backend": "loky", "scheduler": None, "again": True, "quiet": False}
    assert named == {**expected, "budget": 9.0}
    monkeypatch.setattr("autograder.grade_all.grade_all", lambda *a, **k: stop())
    assert main(arguments) == 130
    assert "goes on" in capsys.readouterr().err


def stop():
    raise KeyboardInterrupt


# --- a small class, graded in this process --------------------------------------------------------


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Write a class of three: right, empty and broken."""
    folder = tmp_path_factory.mktemp("few") / "class"
    write_right(folder / "right")
    (folder / "empty").mkdir()
    with zipfile.ZipFile(folder / "broken.zip", "w") as archive:
        archive.writestr("NN.py", "x")
    (folder / "broken.zip").write_bytes((folder / "broken.zip").read_bytes()[:40])
    return folder


def grade_few(folder, output, **settings):
    return grade_all(folder, "programming", output, ["1.1a"], jobs=1, quiet=True, **settings)


def test_a_small_class_goes_from_uploads_to_grades(few, tmp_path):
    summary = grade_few(few, tmp_path / "out")
    assert summary.is_complete and summary.kept == 0
    states = {record["key"]: (record["state"], record["score"]) for record in summary.records}
    assert states == {
        "broken.zip": ("refused", 0),
        "empty": ("refused", 0),
        "right": ("graded", 2.5),
    }
    assert "the folder is empty" in record_of(tmp_path / "out", "empty")["message"]
    assert summary.report.exists() and len(rows_of(tmp_path / "out")) == 3
    assert not list((tmp_path / "out" / "logs").iterdir())  # the grader had nothing to say
    assert workers._idle == []


def test_only_what_changed_is_graded_again(few, tmp_path):
    folder, output = tmp_path / "class", tmp_path / "out"
    subprocess.run(["cp", "-r", few, folder], check=True)
    grade_few(folder, output)
    before = log_file(output).read_text()
    assert grade_few(folder, output).kept == 3 and log_file(output).read_text() == before
    with open(folder / "right" / "NN.py", "a") as file:
        file.write("# better\n")
    (folder / "broken.zip").unlink()
    export_of(folder, "right: {':submitters': [{':name': Ann, ':email': a@x}]}\nempty: {}\n")
    summary = grade_few(folder, output)
    assert summary.kept == 1 and [r["key"] for r in summary.records] == ["empty", "right"]
    assert record_of(output, "right")["students"][0]["name"] == "Ann"
    assert record_of(output, "broken.zip")["state"] == "refused"  # left out, not deleted
    assert set(rows_of(output)) == {"empty", "right"}
    added = log_file(output).read_text().removeprefix(before).splitlines()
    assert [line.split()[1:3] for line in added] == [["begin", "right"], ["stored", "right"]]
    assert grade_few(folder, output, again=True).kept == 0


def test_a_new_name_needs_no_new_grade(few, tmp_path):
    folder, output = tmp_path / "class", tmp_path / "out"
    subprocess.run(["cp", "-r", few, folder], check=True)
    grade_few(folder, output)
    before = log_file(output).read_text()
    export_of(folder, "right: {':submitters': [{':name': Ann, ':email': a@x}]}\n")
    assert grade_few(folder, output).kept == 3
    assert (
        rows_of(output)["right"]["names"]
        == "Ann"
        == record_of(output, "right")["students"][0]["name"]
    )
    assert log_file(output).read_text() == before


def test_what_was_under_way_in_a_killed_run_comes_last(few, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    log_file(output).write_text(
        "2026-11-23 begin broken.zip vm:1\n2026-11-23 begin empty vm:1\n" * 2
    )
    with open(log_file(output), "a") as file:
        file.write("2026-11-23 begin empty vm:1\n")
    grade_few(few, output)
    order = [key for what, key in read_log(output) if what == "stored"]
    assert order == ["right", "broken.zip", "empty"]


def test_a_second_run_on_the_same_results_is_refused(few, tmp_path):
    holder = run_holding_the_lock(tmp_path / "out")
    try:
        with pytest.raises(ValueError, match="another grade-all is at work"):
            grade_few(few, tmp_path / "out")
    finally:
        holder.kill()
        holder.wait()
    assert grade_few(few, tmp_path / "out").is_complete  # a killed one is in nobody's way


def run_holding_the_lock(output):
    """Start a process that holds a class's lock, and wait until it does."""
    code = "import sys, time; from pathlib import Path; from autograder.grade_all import _lock\n"
    code += "with _lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-c", code, output],
        cwd=ROOT,
        env=clean_environment(),
        stdout=subprocess.PIPE,
    )
    with process.stdout as stream:
        assert stream.readline() == b"held\n"
    return process


@pytest.fixture
def killer(tmp_path):
    """Kill the grader whenever the log says that it begins with a certain submission."""
    over = threading.Event()
    kills = []

    def watch():
        while not over.wait(0.005):
            log = log_file(tmp_path / "out")
            text = log.read_text() if log.exists() else ""
            begun = [line for line in text.splitlines() if line.split()[1:3] == ["begin", "right"]]
            if len(begun) > len(kills):
                pid = int(begun[-1].rpartition(":")[2])
                os.kill(pid, signal.SIGKILL)
                kills.append(pid)

    thread = threading.Thread(target=watch)
    thread.start()
    yield kills
    over.set()
    thread.join()


def test_a_submission_that_costs_two_graders_fails_alone(few, tmp_path, killer):
    summary = grade_few(few, tmp_path / "out")
    assert len(set(killer)) == workers.ATTEMPTS
    assert not summary.is_complete
    states = {record["key"]: record["state"] for record in summary.records}
    assert states == {"broken.zip": "refused", "empty": "refused", "right": "failed"}
    failed = record_of(tmp_path / "out", "right")
    assert "was killed (SIGKILL" in failed["message"] and failed["results"] is None
    assert rows_of(tmp_path / "out")["right"]["score"] == ""
    killer.extend([0] * 10)  # from now on it is left alone
    again = grade_few(few, tmp_path / "out")
    assert again.is_complete and again.kept == 2


@pytest.fixture(scope="module")
def order(few, tmp_path_factory):
    """Return an order as a run gives it to a worker."""
    output = tmp_path_factory.mktemp("ordered")
    run_file(output).parent.mkdir()
    run_file(output).write_text("this run")
    (entry,) = [entry for entry in discover(few) if entry.key == "right"]
    terms = TERMS | {"grader": grader_version("programming")}
    order = {"card": entry.card(), "path": str(entry.path), "output": str(output)}
    yield order | {"run": "this run", "terms": terms, "digest": examine(entry.path, terms)[0]}
    workers.close_graders()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"run": "that run"}, "another run of grade-all has taken over"),
        ({"digest": "0"}, "the upload changed meanwhile, or looks different from here"),
        ({"path": "/nowhere"}, "the upload changed meanwhile, or looks different from here"),
        ({"output": "/nowhere"}, "not on a shared file system"),
        ({"terms": TERMS}, "other files of the grader"),
    ],
)
def test_a_worker_that_sees_something_else_than_the_run_does_not_grade(change, why, order):
    record = workers.grade_one(order | change)
    assert record["state"] == "failed" and why in record["message"]
    assert not log_file(Path(order["output"])).exists()


def test_an_order_that_is_given_twice_is_carried_out_once(order):
    first, second = workers.grade_one(order), workers.grade_one(order)
    assert first == second and first["state"] == "graded"
    assert list(read_log(Path(order["output"]))) == [("begin", "right"), ("stored", "right")]


# --- a larger class, graded by the command --------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Write a synthetic class and grade it undisturbed."""
    place = tmp_path_factory.mktemp("whole")
    write_class(place / "submissions", SIZE, seed=5, leave_out=ENDLESS)
    log = place / "undisturbed.log"
    proof.finish(command(place, "undisturbed", "--jobs", "2"), log)
    assert f"{SIZE} of {SIZE}, " in log.read_text()
    return place


def command(place, output, *options):
    return proof.command(place / "submissions", place / output, *options, items=ITEMS)


def started(place, output, *options):
    """Start a run, and wait until its first record is stored."""
    run = proof.start(command(place, output, *options), place / f"{output}.log")
    students = place / output / "students"
    while not list(students.glob("*.json")) and run.poll() is None:
        time.sleep(0.01)
    assert run.poll() is None, (place / f"{output}.log").read_text()
    return run


def test_a_synthetic_class_has_all_kinds_of_submissions(place):
    rows = rows_of(place / "undisturbed")
    assert len(rows) == SIZE
    assert {row["state"] for row in rows.values()} == {"graded", "refused"}
    assert {row["score"] for row in rows.values()} >= {"0", "2.5"}
    assert [row["counts"] for row in rows.values()].count("no") == 1
    account = proof.account(place / "undisturbed", SIZE)
    assert account == {"submissions": SIZE, "graded twice": 0, "begun and interrupted": 0}


def test_the_table_after_two_kills_is_that_of_an_undisturbed_run(place):
    for everything in (False, True):
        run = started(place, "killed", "--jobs", "2")
        proof.kill(run.pid, everything)
        assert run.wait() == -signal.SIGKILL
    assert not (place / "killed" / "scores.csv").exists()
    proof.finish(command(place, "killed", "--jobs", "2"), place / "killed.log")
    assert "have been graded before" in (place / "killed.log").read_text()
    assert proof.same_table(place / "killed", place / "undisturbed")
    assert proof.account(place / "killed", SIZE)["graded twice"] == 0
    assert not [path for path in work_folder(place / "killed").glob("claims/*") if path.read_text()]


def test_a_run_goes_on_when_one_of_its_workers_is_killed(place):
    run = started(place, "worker-killed", "--jobs", "2")
    children = psutil.Process(run.pid).children(recursive=True)
    worker = next(child for child in children if "popen_loky" in " ".join(child.cmdline()))
    worker.kill()
    assert run.wait(60) == 0, (place / "worker-killed.log").read_text()
    assert proof.same_table(place / "worker-killed", place / "undisturbed")
    proof.account(place / "worker-killed", SIZE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_nothing_behind_and_says_how_to_go_on(number, place):
    name = f"stopped-{number}"
    run = started(place, name, "--jobs", "2")
    descendants = psutil.Process(run.pid).children(recursive=True)
    os.killpg(run.pid, number)  # as a terminal does
    assert run.wait(20) == 130
    text = (place / f"{name}.log").read_text()
    assert "the same command goes on" in text and "Traceback" not in text
    _, alive = psutil.wait_procs(descendants, timeout=10)
    assert alive == []
    claims = [path.read_text() for path in work_folder(place / name).glob("claims/*")]
    assert not [text for text in claims if text and Path(json.loads(text)["scratch"]).exists()]


def test_a_cluster_that_loses_a_worker_grades_everybody_once(place):
    pytest.importorskip("distributed")
    with proof.cluster(place / "cluster-processes.log", workers=2) as (address, dask_workers):
        run = started(place, "cluster", "--backend", "dask", "--scheduler", address)
        dask_workers[0].kill()
        assert run.wait(60) == 0, (place / "cluster.log").read_text()
    assert proof.same_table(place / "cluster", place / "undisturbed")
    assert proof.account(place / "cluster", SIZE)["graded twice"] == 0


def test_a_cluster_without_workers_is_an_error(place, capsys, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("autograder.grade_all.CONNECT", 1)
    with proof.cluster(place / "no-workers.log", workers=0) as (address, _):
        options = ("--backend", "dask", "--scheduler", address)
        assert main(command(place, "no-workers", *options)[3:]) == 2
    assert "has no workers" in capsys.readouterr().err


def test_a_run_that_loses_its_scheduler_ends_and_can_be_continued(place):
    pytest.importorskip("distributed")
    with proof.cluster(place / "lost-processes.log", workers=2) as (address, dask_workers):
        run = started(place, "lost", "--backend", "dask", "--scheduler", address)
        scheduler = psutil.Process(dask_workers[0].pid).parent().children()
        next(p for p in scheduler if "scheduler" in p.cmdline()).kill()
        assert run.wait(60) == 2
    assert "the Dask scheduler was lost" in (place / "lost.log").read_text()
    proof.finish(command(place, "lost", "--jobs", "2"), place / "lost.log")
    assert proof.same_table(place / "lost", place / "undisturbed")
    assert proof.account(place / "lost", SIZE)["graded twice"] == 0


def test_a_scheduler_that_is_not_there_is_an_error(place, capsys, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("autograder.grade_all.CONNECT", 1)
    arguments = command(place, "nowhere", "--backend", "dask", "--scheduler", "tcp://127.0.0.1:9")[
        3:
    ]
    assert main(arguments) == 2
    assert "no Dask scheduler at tcp://127.0.0.1:9" in capsys.readouterr().err


def test_items_are_columns_in_the_rubrics_order(place):
    (row, *_) = rows_of(place / "undisturbed").values()
    items = [item.number for item in items_of("programming", ITEMS.split(","))]
    assert [name for name in row if name[0].isdigit()] == items
