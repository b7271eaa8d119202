"""The grader's parts: rubric, channel, reading of submissions, results."""

import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
import zipfile

import jsonschema
import numpy as np
import pytest
from helpers import ROOT, clean_environment

from autograder import channel, checks, results, rubric, submission
from autograder.channel import ChannelError, FrameReader, Other, Ref
from autograder.checks.compare import Mismatch, close, equal, whole_numbers

# --- rubric -------------------------------------------------------------------------------------


def test_the_totals_are_those_of_the_contract():
    assert rubric.totals() == {
        "grad": 150,
        "undergrad": 105,
        "undergrad bonus": 6,
        "bonus for all": 10,
    }


@pytest.mark.parametrize(
    ("assignment", "total", "files"),
    [
        ("programming", 120, {"NN.py", "random_forest.py", "cnn_image_transformations.py"}),
        ("bonus-undergrad", 4, {"NN.py", "cnn_image_transformations.py"}),
        (
            "bonus-all",
            5.4,
            {"random_forest.py", "rnn.py", "lstm.py", "base_sequential_model.py"},
        ),
    ],
)
def test_an_assignment_has_the_points_and_files_of_the_contract(assignment, total, files):
    items = rubric.items_of(assignment)
    assert sum(item.max_score(assignment) for item in items) == pytest.approx(total, abs=1e-9)
    assert set(rubric.required_files(assignment)) == files


def test_every_programming_item_has_a_number_of_its_own_and_a_check_that_exists():
    graded = [item for item in rubric.ITEMS if item.kind == "programming"]
    assert len({item.number for item in rubric.ITEMS}) == len(rubric.ITEMS)
    for item in graded:
        assert item.assignments and item.files and callable(checks.find(item.check))
    for item in rubric.ITEMS:
        assert item.kind == "programming" or not item.assignments


def test_the_items_of_one_question_add_up_to_the_contracts_points():
    def points(prefix):
        return sum(item.points for item in rubric.ITEMS if item.number.startswith(prefix))

    assert (points("1.1"), points("3.1"), points("2.1"), points("4.")) == (60, 35, 20, 15)


def test_unknown_assignments_and_items_are_refused():
    with pytest.raises(ValueError, match="assignment must be one of"):
        rubric.items_of("homework")
    with pytest.raises(ValueError, match=r"got 9\.9"):
        rubric.items_of("programming", ["1.1a", "9.9"])


# --- channel ------------------------------------------------------------------------------------


def roundtrip(**header):
    return FrameReader().feed(channel.encode(header))[0]


def test_values_come_through_the_channel_as_they_were():
    value = {
        "numbers": [1, -(2**62), 2.5, float("inf"), True, None],
        "nested": ({"a": {1, 2}}, "text", ()),
        "scalar": np.float32(0.5),
        3: Ref("nn"),
    }
    assert roundtrip(value=value)["value"] == value
    for array in (np.arange(6.0).reshape(2, 3), np.zeros((0, 4), bool), np.array(3, np.int8)):
        got = roundtrip(value=[array])["value"][0]
        assert got.dtype == array.dtype and np.array_equal(got, array) and got.shape == array.shape


def test_what_is_not_plain_data_comes_through_as_the_name_of_its_type():
    class Trap:
        def __reduce__(self):
            return os.system, ("exit 1",)

    got = roundtrip(a=Trap(), b=np.array([Trap()]), c=1 << 80)
    assert got["a"] == Other("Trap")
    assert isinstance(got["b"], Other) and isinstance(got["c"], Other)


def frame(text, body=b""):
    return channel.PREFIX.pack(channel.MAGIC, len(text), len(body)) + text + body


@pytest.mark.parametrize(
    "data",
    [
        b"not a frame at all",
        channel.PREFIX.pack(channel.MAGIC, 1 << 31, 0),
        frame(b"[1]"),
        frame(b"{"),
        frame(b'{"a": [1]}'),
        frame(b'{"a": {"t": "code", "v": []}}'),
        frame(b'{"a": {"t": "array", "dtype": "|O", "shape": [1]}}', b"12345678"),
        frame(b'{"a": {"t": "array", "dtype": "<f8", "shape": [2]}}', b"12345678"),
        frame(b'{"a": {"t": "array", "dtype": "<f8", "shape": [-1]}}', b"12345678"),
        frame(b'{"a": {"t": "array", "dtype": "<f8", "shape": [1]}}', b"1234567890"),
        frame(b'{"a": {"t": "dict", "v": [[{"t": "list", "v": []}, 1]]}}'),
        frame(b'{"a": ' + b'{"t": "list", "v": [' * 3000 + b"]}" * 3000 + b"}"),
    ],
)
def test_malformed_frames_are_refused(data):
    with pytest.raises(ChannelError):
        FrameReader().feed(data)


def test_frames_are_found_wherever_the_stream_is_cut():
    data = channel.encode({"id": 1}) + channel.encode({"value": np.arange(5)})
    reader, frames = FrameReader(), []
    for byte in data:
        frames += reader.feed(bytes([byte]))
    assert frames[0] == {"id": 1} and np.array_equal(frames[1]["value"], np.arange(5))


def test_a_stream_without_end_is_refused():
    reader, data = FrameReader(max_total=1000), channel.encode({"id": 1})
    for _ in range(1000 // len(data)):
        assert reader.feed(data) == [{"id": 1}]
    with pytest.raises(ChannelError, match="more data"):
        reader.feed(data)


# --- submissions --------------------------------------------------------------------------------

WANTED = ("NN.py",)


def zipped(path, *entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def test_a_folder_and_its_zip_hold_the_same_submission(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "NN.py").write_bytes(b"x = 1\n")
    (folder / "notes.txt").write_text("not asked for")
    packed = zipped(tmp_path / "work.zip", ("hw4/NN.py", b"x = 1\n"), ("__MACOSX/._NN.py", b"?"))
    for path in (folder, packed):
        assert submission.read_submission(path, WANTED).files == {"NN.py": b"x = 1\n"}


def link_entry():
    info = zipfile.ZipInfo("NN.py")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ([("../NN.py", b"")], "outside its folder"),
        ([("/etc/NN.py", b"")], "outside its folder"),
        ([("a\\..\\..\\NN.py", b"")], "outside its folder"),
        ([("C:/NN.py", b"")], "outside its folder"),
        ([(link_entry(), b"/etc/passwd")], "symbolic link"),
        ([(f"file{i}", b"") for i in range(submission.MAX_ENTRIES + 1)], "more than the 5000"),
    ],
    ids=["parent", "absolute", "backslash", "drive", "link", "many"],
)
def test_a_zip_with_dangerous_entries_is_refused(tmp_path, entries, match):
    with pytest.raises(submission.RefusedError, match=match):
        submission.read_submission(zipped(tmp_path / "a.zip", *entries), WANTED)


def test_two_entries_of_one_name_are_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zipped(tmp_path / "a.zip", ("NN.py", b"1"), ("NN.py", b"2"))
    with pytest.raises(submission.RefusedError, match="two files of the name"):
        submission.read_submission(path, WANTED)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06", b"no zip" * 100])
def test_what_is_no_zip_is_refused(tmp_path, content):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(submission.RefusedError, match="not a zip file"):
        submission.read_submission(path, WANTED)


def problem_of(path):
    return submission.read_submission(path, WANTED).problems["NN.py"]


def test_a_zip_bomb_is_a_problem_of_its_file_and_is_never_unpacked(tmp_path):
    path = zipped(tmp_path / "a.zip", ("NN.py", b"\0" * (50 << 20)), ("rnn.py", b"fine"))
    assert path.stat().st_size < 1 << 20
    assert "zip bomb" in problem_of(path)
    assert submission.read_submission(path, ("rnn.py",)).files == {"rnn.py": b"fine"}


def test_a_link_in_a_folder_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("reference")
    folder = tmp_path / "work"
    folder.mkdir()
    os.symlink(tmp_path / "secret", folder / "NN.py")
    assert "is a link" in problem_of(folder)


def test_a_pipe_in_a_folder_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "NN.py")
    assert "not a regular file" in problem_of(tmp_path)


def test_a_missing_or_misspelt_or_doubled_file_is_told_apart(tmp_path):
    assert problem_of(tmp_path) == "NN.py is missing from the submission"
    (tmp_path / "nn.py").write_text("")
    assert "found nn.py: capital letters count" in problem_of(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "NN.py").write_text("")
    assert "handed in 2 times" in problem_of(tmp_path)
    (tmp_path / "NN.py").write_text("")  # the one that is not in a folder counts
    assert submission.read_submission(tmp_path, WANTED).files == {"NN.py": b""}


# --- results ------------------------------------------------------------------------------------


def test_results_are_valid_from_the_start_and_hold_zeros(tmp_path):
    path = tmp_path / "results" / "results.json"
    sheet = results.Results("programming", rubric.items_of("programming"), path)
    content = json.loads(path.read_text())
    results.validate(content)
    assert {test["score"] for test in content["tests"]} == {0.0}
    assert sum(test["max_score"] for test in content["tests"]) == 120
    assert not content["extra_data"]["complete"]
    sheet.record("1.1a", 2.5, "Passed.", 0.1)
    kept = {test["number"]: test for test in json.loads(path.read_text())["tests"]}
    assert kept["1.1a"]["status"] == "passed" and kept["1.1b"]["status"] == "failed"
    assert list(path.parent.iterdir()) == [path]


def test_results_that_gradescope_would_refuse_are_never_written(tmp_path):
    sheet = results.Results("bonus-all", rubric.items_of("bonus-all"), tmp_path / "results.json")
    before = (tmp_path / "results.json").read_text()
    sheet.tests["3.4"]["status"] = "maybe"
    with pytest.raises(jsonschema.ValidationError):
        sheet.write()
    assert (tmp_path / "results.json").read_text() == before


KILLED = """
import sys
from autograder.results import Results
from autograder.rubric import items_of
sheet = Results("programming", items_of("programming"), sys.argv[1])
print("started", flush=True)
while True:
    for number in sheet.tests:
        sheet.record(number, 1.0, "x" * 5000, 0.1)
"""


def test_a_kill_at_any_moment_leaves_valid_results(tmp_path):
    path = tmp_path / "results.json"
    rng = random.Random(4)
    for _ in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path)],
            cwd=ROOT,
            env=clean_environment(),
            stdout=subprocess.PIPE,
        )
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        results.validate(json.loads(path.read_text()))


# --- comparisons --------------------------------------------------------------------------------


def test_a_mismatch_says_what_was_expected_what_came_and_by_how_much():
    with pytest.raises(Mismatch) as caught:
        close("silu(u)", np.arange(8.0), [0, 1.5, 3, 3, 5, 6, 7, 8], "a hint")
    text = str(caught.value)
    assert "6 of 8 values are wrong, largest error 1" in text
    assert "expected 1.5, got 1 at [1]" in text and text.endswith("Hint: a hint")
    assert text.count("expected") == 3  # no more of the reference than a small sample


def test_a_known_mistake_is_named():
    with pytest.raises(Mismatch, match="Hint: divide once"):
        close("loss", [0.5, 1], [1.0, 2.0], wrong=[("divide once", [0.5, 1.0])])


@pytest.mark.parametrize(
    "got", [None, "text", Other("Net"), {}, [[1, 2], [3]], np.zeros((3, 1)), np.full(3, np.nan)]
)
def test_what_is_not_the_expected_array_is_refused_in_words(got):
    with pytest.raises(Mismatch, match=r"f\(x\)"):
        close("f(x)", got, np.zeros(3))


def test_equal_values_of_other_kinds_are_told_apart():
    equal("n", 3, 3)
    for got in (4, None, Other("int"), np.arange(3)):
        with pytest.raises(Mismatch, match="expected 3"):
            equal("n", got, 3)
    with pytest.raises(Mismatch, match="in another order"):
        whole_numbers("rows", [2, 1], [1, 2])
