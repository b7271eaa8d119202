"""Upload folders and zips: exactly the contract's files, the same bytes every time, or nothing."""

import json
import os
import shutil
import stat
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pypdf
import pytest
from helpers import ROOT

from autograder import rubric
from utilities import export, submission, uploads
from utilities.contract import ASSIGNMENTS
from utilities.errors import ExportError
from utilities.findings import FAIL, PASS, Finding
from utilities.uploads import UploadError, build_uploads, replaced_submission

SLUGS = [assignment.slug for assignment in ASSIGNMENTS]
NOBODY = 65534
FILES = {assignment.slug: list(assignment.files) for assignment in ASSIGNMENTS}


@pytest.fixture
def source(tmp_path):
    """A homework folder with small files of the right names, and some that are not uploaded."""
    folder = tmp_path / "homework"
    folder.mkdir()
    for name in sorted({name for names in FILES.values() for name in names}, reverse=True):
        (folder / name).write_text(f"# {name}\n" * 50)
    for name in ("cnn.py", "notes.txt", "NN.py.bak"):
        (folder / name).write_text("not for upload")
    return folder


def build(folder, out):
    """Build the uploads of a folder that holds the PDF as well."""
    return build_uploads(folder, out, pdf=folder / "hw4.pdf")


def everything_in(folder):
    """Return the content of every file below a folder by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def nothing_but(folder, *names):
    return sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_every_assignment_gets_exactly_its_files_flat_in_folder_and_zip(source, tmp_path):
    out = tmp_path / "submission"
    made = build(source, out)
    assert made == [out / f"{slug}.zip" for slug in SLUGS]
    assert nothing_but(out, *SLUGS, *(path.name for path in made))
    for slug, names in FILES.items():
        expected = {name: (source / name).read_bytes() for name in names}
        assert everything_in(out / slug) == expected
        with zipfile.ZipFile(out / f"{slug}.zip") as archive:
            assert archive.namelist() == sorted(names)
            assert {name: archive.read(name) for name in archive.namelist()} == expected


def test_the_autograder_grades_the_files_of_the_same_assignments():
    graded = {slug: sorted(rubric.required_files(slug)) for slug in rubric.ASSIGNMENTS}
    assert graded == {slug: names for slug, names in FILES.items() if slug != "non-programming"}


def test_the_committed_modules_make_uploads(tmp_path):
    (tmp_path / "hw4.pdf").write_bytes(b"%PDF-")
    build_uploads(ROOT, tmp_path / "submission", pdf=tmp_path / "hw4.pdf")
    assert (tmp_path / "submission/bonus-all/rnn.py").read_bytes() == (ROOT / "rnn.py").read_bytes()


def test_zips_depend_on_names_and_contents_only(source, tmp_path):
    build(source, tmp_path / "first")
    for number, path in enumerate(sorted(source.iterdir())):
        os.utime(path, (number * 1e7, number * 1e8))
        path.chmod(0o600 if number % 2 else 0o755)
    umask = os.umask(0o077)
    try:
        build(source, tmp_path / "second")
    finally:
        os.umask(umask)
    assert everything_in(tmp_path / "first") == everything_in(tmp_path / "second")


def test_the_order_in_which_files_are_given_does_not_change_a_zip(tmp_path):
    files = {"b.py": b"2", "a.py": b"1"}
    uploads.write_zip(tmp_path / "one.zip", files)
    uploads.write_zip(tmp_path / "two.zip", dict(reversed(files.items())))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_zip_unpacks_to_files_that_everybody_may_read(tmp_path):
    uploads.write_zip(tmp_path / "one.zip", {"a.py": b"1"})
    (entry,) = zipfile.ZipFile(tmp_path / "one.zip").infolist()
    mode = entry.external_attr >> 16
    assert stat.S_ISREG(mode) and stat.S_IMODE(mode) == 0o644
    assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_what_an_older_submission_left_goes_but_the_page_map_stays(source, tmp_path):
    out = tmp_path / "submission"
    build(source, out)
    (out / "programming" / "old.py").write_text("left over")
    (out / "pages.json").write_text("[]")
    build(source, out)
    assert nothing_but(out / "programming", *FILES["programming"])
    assert (out / "pages.json").read_text() == "[]"
    assert nothing_but(tmp_path, "homework", "submission")


def test_the_pdf_is_by_default_the_one_that_was_exported_into_the_submission(source, tmp_path):
    out = tmp_path / "submission"
    out.mkdir()
    (out / "hw4.pdf").write_bytes(b"%PDF- of make pdf")
    build_uploads(source, out)
    assert (out / "non-programming/hw4.pdf").read_bytes() == b"%PDF- of make pdf"
    assert (out / "hw4.pdf").exists()


def misname(folder):
    (folder / "NN.py").rename(folder / "nn.py")


def link(folder):
    (folder / "NN.py").rename(folder / "kept.py")
    (folder / "NN.py").symlink_to("kept.py")


def make_a_folder(folder):
    (folder / "NN.py").unlink()
    (folder / "NN.py").mkdir()


def empty(folder):
    (folder / "NN.py").write_bytes(b"")


def remove_report(folder):
    (folder / "hw4.pdf").unlink()


def remove_all(folder):
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (misname, "NN.py is missing in .*; nn.py may be meant"),
        (link, "NN.py must be a plain file, got a link"),
        (make_a_folder, "NN.py must be a plain file, got a folder"),
        (empty, "NN.py must hold 1 byte to 100 MiB, got 0 bytes"),
        (remove_report, "hw4.pdf is missing"),
        (remove_all, "cannot be read"),
    ],
)
@pytest.mark.parametrize("had_one", [True, False])
def test_a_file_that_cannot_be_uploaded_leaves_the_former_submission_whole(
    source, tmp_path, damage, says, had_one
):
    out = tmp_path / "submission"
    if had_one:
        build(source, out)
    before = everything_in(out)
    damage(source)
    with pytest.raises(UploadError, match=says):
        build(source, out)
    assert everything_in(out) == before
    assert out.exists() == had_one
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("failing", [1, 2])
def test_a_failure_while_folders_change_places_puts_the_former_back(
    source, tmp_path, monkeypatch, failing
):
    out = tmp_path / "submission"
    build(source, out)
    before = everything_in(out)
    (source / "NN.py").write_text("# changed\n")
    calls, rename = [], Path.rename

    def failing_rename(path, target):
        calls.append(path)
        if len(calls) == failing:
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing_rename)
    with pytest.raises(UploadError, match=r"left as it was: .*No space left"):
        build(source, out)
    assert len(calls) >= failing
    assert everything_in(out) == before
    assert nothing_but(tmp_path, "homework", "submission")


def test_a_run_that_was_killed_between_two_renames_is_mended_by_the_next(source, tmp_path):
    out = tmp_path / "submission"
    build(source, out)
    before = everything_in(out)
    out.rename(tmp_path / ".submission.former")  # where the kill left it
    misname(source)
    with pytest.raises(UploadError, match=r"nn\.py may be meant"):
        build(source, out)
    assert everything_in(out) == before


@pytest.mark.parametrize("kind", ["file", "link", "home"])
def test_what_is_no_submission_is_never_replaced(source, tmp_path, kind):
    out, home = tmp_path / "out", tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years of work")
    if kind == "file":
        out.write_text("something else")
    elif kind == "link":
        out.symlink_to(home)
    else:
        out = home
    says = {
        "file": "must be a folder or new, got a file",
        "link": "got a link",
        "home": "got thesis.tex",
    }[kind]
    with pytest.raises(UploadError, match=says):
        build(source, out)
    assert everything_in(home) == {"thesis.tex": b"years of work"}


def test_a_place_that_cannot_be_written_is_named(source, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UploadError, match="cannot be written: "):
        build(source, tmp_path / "file" / "submission")


@contextmanager
def without_privileges(folder):
    """Run the block as a user who owns a folder and is not root, for whom nothing is read-only."""
    if not hasattr(os, "getresuid"):
        pytest.skip("users cannot be changed here")
    if os.geteuid() != 0:
        yield
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.mark.parametrize("read_only", ["submission", "its parent"])
def test_a_read_only_folder_is_named_and_left_alone(source, read_only):
    with tempfile.TemporaryDirectory() as place:  # pytest's own folders are root's alone
        place = Path(place)
        out = place / "parent" / "submission"
        shutil.copytree(source, place / "homework")
        build(place / "homework", out)
        before = everything_in(out)
        locked = out if read_only == "submission" else out.parent
        locked.chmod(0o555)
        says = "read-only" if locked == out else "cannot be written: .*Permission denied"
        with without_privileges(place), pytest.raises(UploadError, match=says):
            build(place / "homework", out)
        assert everything_in(out) == before
        assert nothing_but(out.parent, "submission")
        locked.chmod(0o755)


def test_an_error_while_building_leaves_nothing_behind(tmp_path):
    def build():
        with replaced_submission(tmp_path / "submission") as building:
            (building / "half.zip").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build()
    assert list(tmp_path.iterdir()) == []


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def played_export(monkeypatch):
    """Play the export, which its own tests cover: a blank page for a PDF, an empty page map."""

    def export_report(notebook, pdf):
        assert notebook == ROOT / "hw4.ipynb"
        writer = pypdf.PdfWriter()
        writer.add_blank_page(612, 792)
        writer.write(pdf)
        (pdf.parent / "pages.json").write_text(json.dumps([]))
        return []

    monkeypatch.setattr(export, "up_to_date", lambda notebook: notebook)
    monkeypatch.setattr(export, "export_report", export_report)


def play_preflight(monkeypatch, *findings):
    monkeypatch.setattr(submission, "check_submission", lambda notebook, out: list(findings))


def test_one_command_makes_everything_and_says_what_goes_where(
    played_export, monkeypatch, tmp_path, capsys
):
    play_preflight(monkeypatch, Finding(PASS, "programming/NN.py", "name"))
    out = tmp_path / "submission"
    assert submission.main(["--output", str(out)]) == 0
    assert nothing_but(out, *SLUGS, *(f"{slug}.zip" for slug in SLUGS), "hw4.pdf", "pages.json")
    assert (out / "non-programming/hw4.pdf").read_bytes() == (out / "hw4.pdf").read_bytes()
    text = capsys.readouterr().out
    for assignment in ASSIGNMENTS:
        (line,) = [x for x in text.splitlines() if x.startswith(f"  {assignment.title} ")]
        assert assignment.slug in line


def test_a_submission_that_fails_its_preflight_is_not_to_be_uploaded(
    played_export, monkeypatch, tmp_path, capsys
):
    play_preflight(monkeypatch, Finding(FAIL, "programming/NN.py", "finished", "write it"))
    assert submission.main(["--output", str(tmp_path / "submission")]) == 1
    said = capsys.readouterr()
    assert "do not upload it yet" in said.err
    assert "Upload on Gradescope" not in said.out


@pytest.mark.parametrize("step", ["up_to_date", "export_report", "table"])
def test_an_export_that_fails_leaves_the_former_submission_whole(
    played_export, monkeypatch, tmp_path, capsys, source, step
):
    out = tmp_path / "submission"
    build(source, out)
    before = everything_in(out)

    def fail(*_):
        raise ExportError("no Chromium: apt install chromium")

    monkeypatch.setattr(export, step, fail)
    assert submission.main(["--output", str(out)]) == 1
    assert "No submission was made: no Chromium" in capsys.readouterr().err
    assert everything_in(out) == before
    assert nothing_but(tmp_path, "homework", "submission")


def test_every_file_of_every_assignment_is_checked(played_export, monkeypatch, tmp_path):
    monkeypatch.setattr(
        submission,
        "check_folder",
        lambda folder, slug: [Finding(PASS, path.name, "name") for path in folder.iterdir()],
    )
    monkeypatch.setattr(submission, "check_pdf", lambda path: [Finding(PASS, path.name, "name")])
    notebook = submission.make_submission(ROOT, tmp_path / "submission")
    findings = submission.check_submission(notebook, tmp_path / "submission")
    files = {found.file for found in findings}
    assert files == {f"{slug}/{name}" for slug in SLUGS for name in FILES[slug]} | {"hw4.ipynb"}
