"""Headless Chromium: found, kept off the network, stopped when it hangs, and what it says heard."""

import contextlib
import os
import socket
import stat
import threading
import time

import pytest
from browser import needs_chromium

from utilities import chromium
from utilities.chromium import Chromium
from utilities.errors import ExportError


def fake(folder, script, name="chromium"):
    """Put a program of that name into a folder."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


@pytest.fixture
def path(tmp_path, monkeypatch):
    """An empty folder ahead of the shell's own programs on PATH, without any Chromium."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "bash", "sleep"):
        for place in ("/bin", "/usr/bin"):
            if os.path.exists(f"{place}/{tool}") and not (folder / tool).exists():
                (folder / tool).symlink_to(f"{place}/{tool}")
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_without_chromium_the_message_has_the_install_line(path):
    with pytest.raises(ExportError, match=r"No Chromium on PATH.*apt-get install chromium"):
        chromium.find()


@pytest.mark.parametrize("name", chromium.NAMES)
def test_chromium_is_found_under_each_of_its_names(path, name):
    program = fake(path, "exit 0", name)
    assert chromium.find() == str(program)


def test_a_chromium_that_hangs_is_stopped_with_its_children(path, tmp_path):
    started = tmp_path / "pids"
    fake(path, f"sleep 1000 & echo $! >> {started}; echo $$ >> {started}; sleep 1000")
    with (
        pytest.raises(ExportError, match=r"did not finish within 1 s and was stopped"),
        Chromium(1),
    ):
        pass
    pids = [int(line) for line in started.read_text().split()]
    assert len(pids) == 2
    deadline = time.monotonic() + 30  # a killed child is gone once its new parent has noticed
    while any(is_running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(is_running(pid) for pid in pids)


def is_running(pid):
    """Return whether a process does anything; one that was killed but not yet buried does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_chromium_that_crashes_is_reported_with_its_last_words(path):
    fake(path, "echo 'cannot open shared object' >&2; exit 3")
    with (
        pytest.raises(ExportError, match=r"ended with status 3.*cannot open shared object"),
        Chromium(30),
    ):
        pass


@pytest.mark.parametrize("script", ["sleep 1000", "exit 1"])
def test_neither_profile_nor_descriptors_are_left_behind(path, tmp_path, monkeypatch, script):
    profiles = tmp_path / "profiles"
    profiles.mkdir()
    monkeypatch.setattr(chromium.tempfile, "tempdir", str(profiles))
    fake(path, script)
    before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    with pytest.raises(ExportError, match=r"did not finish|ended with status"):
        Chromium(0.5).__enter__()
    assert list(profiles.iterdir()) == []
    assert not before or len(os.listdir("/proc/self/fd")) == before


# The real one.


@needs_chromium
def test_a_page_is_shown_and_scripts_give_their_values():
    with Chromium() as browser:
        browser.load("<h1>Beans</h1>")
        assert browser.run("document.querySelector('h1').textContent") == "Beans"
        assert browser.run("new Promise(done => setTimeout(() => done([1, 2]), 5))") == [1, 2]
        with pytest.raises(ExportError, match=r"A script in Chromium failed: .*kidney"):
            browser.run("throw new Error('kidney')")
        with pytest.raises(ExportError, match=r"Chromium refused Page\.nothing"):
            browser.command("Page.nothing")


@needs_chromium
def test_the_real_one_leaves_nothing_in_the_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # what Chromium looks at
    monkeypatch.setattr(chromium.tempfile, "tempdir", str(tmp_path))
    with Chromium() as browser:
        browser.load("<p>Peas</p>")
        assert len(list(tmp_path.iterdir())) > 0
    assert list(tmp_path.iterdir()) == []


@needs_chromium
def test_errors_of_the_page_are_kept(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<script>console.error('spilt'); console.log('fine'); nothing.at.all</script>")
    with Chromium() as browser:
        browser.open(page)
        assert browser.console[0] == "spilt"
        assert len(browser.console) == 2


@pytest.fixture
def server():
    """A server on this machine that notes what is asked for and answers nothing."""
    listening = socket.create_server(("127.0.0.1", 0))
    asked = []

    def note():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:  # closed at the end
                return
            with connection:
                connection.settimeout(10)
                with contextlib.suppress(OSError):
                    asked.append(connection.recv(4096).split(b"\r\n")[0].decode())

    thread = threading.Thread(target=note, daemon=True)
    thread.start()
    yield listening.getsockname()[1], asked
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(timeout=30)


def page_asking_for(port):
    """Return a page that asks a server for two files, by its name and by its address."""
    style = f"<link rel=stylesheet href='http://localhost:{port}/b.css'>"
    return f"{style}<img src='http://127.0.0.1:{port}/a.png'>"


@needs_chromium
def test_what_a_page_asks_for_outside_itself_fails_and_is_remembered(server):
    port, asked = server
    with Chromium() as browser:
        browser.load(page_asking_for(port))
        wanted = [f"http://127.0.0.1:{port}/a.png", f"http://localhost:{port}/b.css"]
        assert sorted(browser.requests) == wanted
    assert asked == []


@needs_chromium
def test_the_flags_alone_keep_every_request_on_the_machine(server):
    port, asked = server
    with Chromium() as browser:
        browser.command("Fetch.disable")  # so that nothing else holds requests back
        browser.load(page_asking_for(port))
        assert browser.console != []  # they were tried, and failed
    assert asked == []


@needs_chromium
def test_without_those_flags_the_same_requests_arrive(server, monkeypatch):
    port, asked = server
    monkeypatch.setattr(chromium, "OFFLINE", ())
    with Chromium() as browser:
        browser.command("Fetch.disable")
        browser.load(page_asking_for(port))
    assert set(asked) == {"GET /a.png HTTP/1.1", "GET /b.css HTTP/1.1"}  # may be tried twice
