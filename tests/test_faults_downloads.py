"""Downloads from a server that misbehaves: afterwards the whole right file is there, or nothing.

And where the network is reached at all: named hosts, by HTTPS, for data and for nothing else.
"""

import ast
import contextlib
import errno
import gzip
import io
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import requests
from helpers import ROOT, clean_environment, notebook_code, run_python
from mirror import NAMES, beans_archive, files_below, place, use
from offline import NAME_SERVICES
from urllib3 import HTTPResponse

from utilities import datasets
from utilities.files import A_DAY
from utilities.preflight_source import imported_modules

pytest_plugins = ("mirror",)
pytestmark = pytest.mark.usefixtures("only_this_machine")

EVERY_TENTH = [tenth / 10 for tenth in range(10)]


def first_path(address):
    """Return the path of the first file that a fetcher asks for below an address."""
    path = address.split("/", 3)[3]
    return f"/{path}train-images-idx3-ubyte.gz" if path.endswith("/") else f"/{path}"


def assert_nothing_or_all(name, home, published):
    """Fail unless each file is whole and right or absent, and nothing else was left."""
    for file in files_below(home):
        if name == "dry_beans":  # stored anew as a CSV
            datasets._CHECKS[name](home, True)
        else:
            assert (home / file).read_bytes() == published[name][file], file
    assert files_below(home) <= set(published[name])
    assert not [path.name for path in home.iterdir() if path.name.startswith(".")]


def refused(name):
    """Locate a set that cannot be had, and return what the error says beside what is missing."""
    with pytest.raises(datasets.MissingDataError) as caught:
        datasets.locate(name)
    entry, home = datasets.CATALOGUE[name], datasets.data_home()
    absent = [file for file in entry.files if not os.path.lexists(home / file)]
    assert str(caught.value).startswith(f"{entry.title} is missing: {', '.join(absent)}\n")
    return str(caught.value)


@pytest.mark.parametrize("length", ["announced", "cut as well"])
@pytest.mark.parametrize("name", NAMES)
def test_a_body_cut_at_any_tenth_leaves_nothing(home, offer, mirror, published, name, length):
    address = offer(name)
    path = first_path(address)
    (reply,) = mirror.replies[path]
    body = reply["body"]
    use(name, address)
    for share in EVERY_TENTH:
        cut = body[: int(share * len(body))]
        headers = {"Content-Length": len(body) if length == "announced" else len(cut)}
        mirror.replies[path] = [{"status": 200, "body": cut, "headers": headers}]
        said = refused(name)
        assert address in said
        assert_nothing_or_all(name, home, published)
        assert files_below(home) == set()
    mirror.replies[path] = [reply]
    assert datasets.locate(name).kind == "real"
    assert_nothing_or_all(name, home, published)


@pytest.mark.parametrize("name", NAMES)
def test_a_body_longer_than_it_says_leaves_nothing(home, offer, mirror, published, name):
    address = offer(name)
    path = first_path(address)
    (reply,) = mirror.replies[path]
    mirror.replies[path] = [reply | {"headers": {"Content-Length": len(reply["body"]) // 2}}]
    use(name, address)
    assert address in refused(name)
    assert files_below(home) == set()


def damaged(body, damage):
    body = bytearray(body)
    middle = len(body) // 2
    if damage == "one byte":
        body[middle] ^= 1
    elif damage == "a block of zeros":
        body[middle : middle + 512] = bytes(512)
    else:
        body[:] = np.random.default_rng(0).bytes(len(body))
    return bytes(body)


@pytest.mark.parametrize("damage", ["one byte", "a block of zeros", "rubbish"])
@pytest.mark.parametrize("name", NAMES)
def test_a_corrupted_archive_leaves_nothing_or_what_is_right(
    home, offer, mirror, published, name, damage
):
    address = offer(name)
    path = first_path(address)
    (reply,) = mirror.replies[path]
    mirror.replies[path] = [reply | {"body": damaged(reply["body"], damage)}]
    use(name, address)
    assert address in refused(name)
    assert files_below(home) == set()


def announced(body):
    return {"body": body, "headers": {"Content-Length": len(body)}}


OTHER_LABELS = np.array([2049, 10], ">u4").tobytes() + bytes(10)  # as many, in the same form
FAULTS = {
    "cut": lambda body: {"body": body[: len(body) // 2]},
    "cut as well as its length": lambda body: announced(body[: len(body) // 2]),
    "longer than it says": lambda body: {"headers": {"Content-Length": len(body) // 2}},
    "one byte": lambda body: {"body": damaged(body, "one byte")},
    "rubbish": lambda body: {"body": damaged(body, "rubbish")},
    "other labels": lambda _: announced(gzip.compress(OTHER_LABELS)),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("file", ["train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"])
def test_a_fault_in_a_later_file_of_images_leaves_each_file_right_or_absent(
    home, offer, mirror, published, file, fault
):
    address = offer("fashion_mnist")
    path = f"/good/{file}.gz"
    (reply,) = mirror.replies[path]
    mirror.replies[path] = [reply | FAULTS[fault](reply["body"])]
    use("fashion_mnist", address)
    assert address in refused("fashion_mnist")
    assert mirror.requests.count(first_path(address)) == 1  # it came whole
    assert path in mirror.requests
    assert_nothing_or_all("fashion_mnist", home, published)
    assert f"FashionMNIST/raw/{file}" not in files_below(home)
    mirror.replies[path] = [reply]
    assert datasets.locate("fashion_mnist").kind == "real"
    assert_nothing_or_all("fashion_mnist", home, published)
    assert files_below(home) == set(published["fashion_mnist"])


@pytest.mark.parametrize("method", [0, 1, 9, 12, 14, 93, 95, 99, 255])  # 8 is the right one
def test_an_archive_that_names_another_method_of_packing_leaves_nothing(
    home, offer, mirror, published, method
):
    address = offer("dry_beans")
    (reply,) = mirror.replies[first_path(address)]
    body = bytearray(reply["body"])
    body[body.rindex(b"PK\x01\x02") + 10] = method  # in the list of what is in the archive
    mirror.replies[first_path(address)] = [reply | {"body": bytes(body)}]
    use("dry_beans", address)
    assert address in refused("dry_beans")
    assert files_below(home) == set()


@pytest.mark.parametrize("encoding", ["deflate", "br", "gzip"])
@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_encoding_header_leaves_nothing_or_what_is_right(
    home, offer, mirror, published, name, encoding
):
    address = offer(name)
    path = first_path(address)
    (reply,) = mirror.replies[path]
    mirror.replies[path] = [reply | {"headers": reply["headers"] | {"Content-Encoding": encoding}}]
    use(name, address)
    is_undone = encoding == "gzip" and name in ("housing", "fashion_mnist")  # they are gzip files
    is_unknown = encoding not in HTTPResponse.CONTENT_DECODERS  # br, without a library for it
    if is_undone or is_unknown:
        assert datasets.locate(name).kind == "real"
        assert_nothing_or_all(name, home, published)
        assert files_below(home) == set(published[name])
    else:
        assert address in refused(name)
        assert files_below(home) == set()


def test_images_that_were_unpacked_on_the_way_are_as_good(home, offer, mirror, published):
    use("fashion_mnist", offer("fashion_mnist"))
    for replies in mirror.replies.values():  # requests undoes a declared encoding by itself
        replies[0]["headers"]["Content-Encoding"] = "gzip"
    assert datasets.locate("fashion_mnist").kind == "real"
    assert_nothing_or_all("fashion_mnist", home, published)


def test_a_body_that_is_compressed_and_says_so_is_unpacked(home, mirror, published):
    (body,) = published["macbeth"].values()
    use("macbeth", mirror.serve("/play", zlib.compress(body), Content_Encoding="deflate"))
    assert datasets.locate("macbeth").kind == "real"
    assert_nothing_or_all("macbeth", home, published)


@pytest.mark.parametrize("name", NAMES)
def test_a_login_page_in_place_of_the_file_is_refused(home, offer, mirror, published, name):
    address = offer(name)
    page = b"<!DOCTYPE html><html><title>Log in</title>Your library card, please</html>"
    mirror.replies[first_path(address)] = [
        {"status": 302, "body": b"", "headers": {"Location": "/login", "Content-Length": 0}}
    ]
    mirror.serve("/login", page, Content_Type="text/html")
    use(name, address)
    assert address in refused(name)
    assert files_below(home) == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_redirection_without_end_is_followed_once_and_given_up(
    home, offer, mirror, published, name
):
    address = offer(name)
    path = first_path(address)
    mirror.replies[path] = [
        {"status": 302, "body": b"", "headers": {"Location": path, "Content-Length": 0}}
    ]
    use(name, address)
    assert "redirect" in refused(name)
    assert len(mirror.requests) == 31  # what requests follows, once: trying again leads nowhere
    assert files_below(home) == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_errs_and_then_is_right_is_believed(home, offer, published, name):
    use(name, offer(name, before=[{"status": 500}, {"status": 500}]))
    assert datasets.locate(name).kind == "real"
    assert_nothing_or_all(name, home, published)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_not_found_is_named_with_its_address(home, mirror, published, name):
    use(name, f"{mirror.url}/gone/")
    said = refused(name)
    assert f"{mirror.url}/gone/" in said
    assert "404" in said
    assert len(mirror.requests) == 1
    assert files_below(home) == set()


# --- slow and silent servers ---------------------------------------------------------------------


def trickle(mirror, path, body, monkeypatch, pause):
    """Let the server send a little, and then a byte after each pause, or nothing more."""
    released = threading.Event()
    usual = mirror.answer

    def answer(request):
        if request.path != path:
            usual(request)
            return
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[:100])
        for position in range(100, len(body)):
            if released.wait(pause):
                return
            try:
                request.wfile.write(body[position : position + 1])
            except OSError:  # the other side has hung up
                return

    monkeypatch.setattr(mirror, "answer", answer)
    return released


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_falls_silent_is_left(home, offer, mirror, published, monkeypatch, name):
    address = offer(name)
    path = first_path(address)
    body = mirror.replies[path][0]["body"]
    monkeypatch.setattr(datasets, "READ_TIMEOUT", 0.3)
    released = trickle(mirror, path, body, monkeypatch, pause=60)
    use(name, address, address.replace("/good", "/second"))
    said = refused(name)
    released.set()
    assert "no answer for 0.3 seconds" in said
    assert mirror.requests == [path]  # neither again nor by another address of the same host
    assert files_below(home) == set()


def test_a_server_that_never_answers_is_left(home, mirror, published, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(mirror, "answer", lambda request: released.wait(60))
    monkeypatch.setattr(datasets, "READ_TIMEOUT", 0.3)
    use("macbeth", f"{mirror.url}/a", f"{mirror.url}/b")
    said = refused("macbeth")
    released.set()
    assert "no answer for 0.3 seconds" in said
    assert mirror.requests == ["/a"]
    assert files_below(home) == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_sends_a_byte_now_and_then_is_left(
    home, offer, mirror, published, monkeypatch, name
):
    address = offer(name)
    path = first_path(address)
    body = mirror.replies[path][0]["body"]
    monkeypatch.setattr(datasets, "SLOW_WINDOW", 1)
    released = trickle(mirror, path, body, monkeypatch, pause=0.1)
    use(name, address)
    started = time.monotonic()
    said = refused(name)
    released.set()
    assert "slower than 1024 bytes a second" in said
    assert time.monotonic() - started < 60  # at this pace the body would take hours
    assert files_below(home) == set()


def redirect(mirror, path, monkeypatch, pause, body=0):
    """Let the server lead from /start to a path, and pause before both replies.

    The bytes of the redirection's own body come one by one, a tenth of a second apart.
    """
    usual = mirror.answer

    def answer(request):
        time.sleep(pause)
        if request.path != "/start":
            usual(request)
            return
        request.send_response(302)
        request.send_header("Location", path)
        request.send_header("Content-Length", str(body))
        request.end_headers()
        with contextlib.suppress(OSError):  # the other side has hung up
            for _ in range(body):
                request.wfile.write(b"x")
                time.sleep(0.1)

    monkeypatch.setattr(mirror, "answer", answer)
    monkeypatch.setattr(datasets, "SLOW_WINDOW", 0.5)
    return f"{mirror.url}/start"


def test_a_slow_server_that_another_leads_to_is_left(home, offer, mirror, published, monkeypatch):
    path = first_path(offer("macbeth"))
    (body,) = published["macbeth"].values()
    released = trickle(mirror, path, body, monkeypatch, pause=0.1)
    use("macbeth", redirect(mirror, path, monkeypatch, pause=0.8))
    said = refused("macbeth")
    released.set()
    assert "slower than 1024 bytes a second" in said
    assert files_below(home) == set()


def test_servers_that_think_before_they_answer_are_waited_for(
    home, offer, mirror, published, monkeypatch
):
    path = first_path(offer("macbeth"))
    use("macbeth", redirect(mirror, path, monkeypatch, pause=0.8))
    assert datasets.locate("macbeth").kind == "real"
    assert_nothing_or_all("macbeth", home, published)


def test_the_body_of_a_redirection_is_not_waited_for(home, offer, mirror, published, monkeypatch):
    path = first_path(offer("macbeth"))
    use("macbeth", redirect(mirror, path, monkeypatch, pause=0, body=1_000))
    started = time.monotonic()
    assert datasets.locate("macbeth").kind == "real"
    assert time.monotonic() - started < 60  # to its end it would take 100
    assert_nothing_or_all("macbeth", home, published)


def test_a_slow_server_that_keeps_sending_is_waited_for(
    home, offer, mirror, published, monkeypatch
):
    address = offer("macbeth")
    (body,) = published["macbeth"].values()

    def answer(request):
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        for start in range(0, len(body), len(body) // 20 + 1):
            time.sleep(0.1)
            request.wfile.write(body[start : start + len(body) // 20 + 1])

    monkeypatch.setattr(mirror, "answer", answer)
    monkeypatch.setattr(datasets, "SLOW_WINDOW", 1)
    use("macbeth", address)
    assert datasets.locate("macbeth").kind == "real"
    assert_nothing_or_all("macbeth", home, published)


# --- this machine's own faults -------------------------------------------------------------------


needs_a_full_disk = pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="no /dev/full on this system"
)


@needs_a_full_disk
@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_is_said_to_be_full_and_leaves_nothing(
    home, offer, mirror, published, monkeypatch, name
):
    address = offer(name)
    usual = datasets._fetch_file

    def onto_a_full_disk(url, target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to("/dev/full")  # every write to it fails as on a full disk
        return usual(url, target)

    monkeypatch.setattr(datasets, "_fetch_file", onto_a_full_disk)
    use(name, address, address)
    said = refused(name)
    assert f"{home} cannot be written (No space left on device)" in said
    assert len(mirror.requests) == 1  # no other server makes room
    assert files_below(home) == set()


@needs_a_full_disk
@pytest.mark.parametrize("name", ["housing", "fashion_mnist", "dry_beans"])  # a play is not packed
def test_a_disk_that_fills_while_a_file_is_unpacked_is_said_to_be_full_and_leaves_nothing(
    home, offer, mirror, published, monkeypatch, name
):
    address = offer(name)
    usual = datasets._fetch_file

    def before_the_disk_is_full(url, target):
        unpacked = target.parent / datasets.CATALOGUE[name].files[0]
        unpacked.parent.mkdir(parents=True, exist_ok=True)
        unpacked.symlink_to("/dev/full")
        return usual(url, target)

    monkeypatch.setattr(datasets, "_fetch_file", before_the_disk_is_full)
    use(name, address, address)
    assert f"{home} cannot be written (No space left on device)" in refused(name)
    assert len(mirror.requests) == 1
    assert files_below(home) == set()


def test_a_disk_that_fills_while_files_are_put_in_place_leaves_whole_files(
    home, offer, published, monkeypatch
):
    use("fashion_mnist", offer("fashion_mnist"))
    usual, moved = os.replace, []

    def replace(source, target):
        if len(moved) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        moved.append(target)
        usual(source, target)

    monkeypatch.setattr(os, "replace", replace)
    said = refused("fashion_mnist")
    monkeypatch.setattr(os, "replace", usual)
    assert "cannot be written (No space left on device)" in said
    assert len(files_below(home)) == 2
    assert_nothing_or_all("fashion_mnist", home, published)
    assert datasets.locate("fashion_mnist").kind == "real"  # only what is missing is put in place


@pytest.fixture
def open_folder():
    """Give a folder that every user can reach, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@contextlib.contextmanager
def as_an_ordinary_user():
    """Give up root's right to write everywhere for a while."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.mark.parametrize("mode", [0o555, 0o000])
@pytest.mark.parametrize("name", NAMES)
def test_a_folder_that_may_not_be_written_is_named(
    home, offer, published, monkeypatch, open_folder, name, mode
):
    use(name, offer(name))
    assert datasets.locate(name).kind == "real"  # and whatever that imports is imported now
    monkeypatch.setenv("HW4_DATA_HOME", str(open_folder))
    open_folder.chmod(mode)
    with as_an_ordinary_user():
        said = refused(name)
    open_folder.chmod(0o755)
    assert f"{open_folder} cannot be written (Permission denied)" in said
    assert files_below(open_folder) == set()


def test_a_folder_of_a_set_that_may_not_be_entered_is_named(
    home, offer, published, monkeypatch, open_folder
):
    use("macbeth", offer("macbeth"))
    assert datasets.locate("macbeth").kind == "real"
    monkeypatch.setenv("HW4_DATA_HOME", str(open_folder))
    open_folder.chmod(0o777)
    file = place(open_folder, published["macbeth"])
    file.parent.chmod(0o000)
    with as_an_ordinary_user():
        said = refused("macbeth")
    file.parent.chmod(0o755)
    assert f"{file} cannot be written (Permission denied)" in said
    assert files_below(open_folder) == {"macbeth/1533-0.txt"}


def test_a_file_where_a_folder_should_be_is_named(home, offer, published):
    home.mkdir()
    (home / "macbeth").write_text("in the way")
    use("macbeth", offer("macbeth"))
    said = refused("macbeth")
    assert "cannot be written" in said
    assert str(home) in said
    assert files_below(home) == {"macbeth"}


# --- two at once ---------------------------------------------------------------------------------

FETCH_IN_A_PROCESS = """
import json, sys
from utilities import datasets
name, address, constants = json.loads(sys.argv[1])
datasets.URLS[name] = (address,)
vars(datasets).update(constants)
print(datasets.locate(name).kind)
"""


def fetch_in_a_process(name, home, address, constants):
    """Start another process that locates a set."""
    setting = json.dumps([name, address, constants])
    command = [sys.executable, "-c", FETCH_IN_A_PROCESS, setting]
    env = clean_environment(HW4_DATA_HOME=home, HW4_STANDIN=None)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=env, **pipes)


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_may_fetch_at_once(
    home, offer, mirror, published, made_up, monkeypatch, name
):
    answer, both_asked = mirror.answer, threading.Barrier(2, timeout=60)
    monkeypatch.setattr(mirror, "answer", lambda request: (both_asked.wait(), answer(request)))
    address = offer(name)
    children = [fetch_in_a_process(name, home, address, made_up[1]) for _ in range(2)]
    for child in children:
        out, err = child.communicate(timeout=60)
        assert out.strip() == "real", err
    assert_nothing_or_all(name, home, published)
    assert files_below(home) == set(published[name])


def test_what_a_killed_download_leaves_goes_once_it_can_be_nobodys(
    home, offer, mirror, published, made_up, monkeypatch
):
    address = offer("macbeth")
    released = trickle(mirror, first_path(address), b"*" * 1000, monkeypatch, pause=60)
    child = fetch_in_a_process("macbeth", home, address, made_up[1])
    deadline = time.monotonic() + 60
    while not files_below(home) and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    child.kill()
    child.communicate(timeout=60)
    released.set()
    (left,) = home.glob(".download-*")
    use("macbeth", offer("macbeth", "/second"))
    assert datasets.locate("macbeth").kind == "real"
    assert left.is_dir()  # it might be another's that is still at work

    (play,) = published["macbeth"]
    (home / play).unlink()
    long_ago = time.time() - 2 * A_DAY
    os.utime(left, (long_ago, long_ago))
    assert datasets.locate("macbeth").kind == "real"
    assert_nothing_or_all("macbeth", home, published)


# --- where the network is reached ----------------------------------------------------------------


def test_every_address_is_https_on_a_named_host():
    from utilities.datasets import URLS  # the fixtures of other tests empty it

    assert all(URLS.values())
    for addresses in URLS.values():
        for address in addresses:
            assert address.startswith("https://")
            datasets._refuse_other_hosts(address)


@pytest.mark.parametrize(
    "address",
    [
        "http://www.gutenberg.org/cache/epub/1533/pg1533.txt",
        "https://www.gutenberg.org.evil.example/pg1533.txt",
        "https://evilgithub.com/data",
        "https://example.org/1533",
        "ftp://archive.ics.uci.edu/beans.zip",
        "file:///etc/passwd",
        "https://user@example.org/?github.com",
    ],
)
def test_any_other_address_is_refused_before_a_request(home, published, monkeypatch, address):
    def look_up(*_, **__):
        raise AssertionError("a name was looked up")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    use("macbeth", address)
    assert "expected HTTPS on one of" in refused("macbeth")


@pytest.mark.parametrize("target", ["http://www.gutenberg.org/x", "https://example.org/login"])
@pytest.mark.parametrize("name", NAMES)
def test_a_redirection_to_another_address_is_not_followed(
    home, offer, mirror, published, monkeypatch, name, target
):
    address = offer(name)
    mirror.replies[first_path(address)] = [
        {"status": 302, "body": b"", "headers": {"Location": target, "Content-Length": 0}}
    ]
    use(name, address)
    said = refused(name)  # the fixture only_this_machine fails the test if a name is looked up
    assert "expected HTTPS on one of" in said
    assert len(mirror.requests) == 1
    assert files_below(home) == set()


def test_a_data_host_does_not_lead_to_this_machine(home, mirror, published, monkeypatch):
    (body,) = published["macbeth"].values()
    here = mirror.serve("/play.txt", body)
    usual = requests.adapters.HTTPAdapter.send

    def send(adapter, request, **options):
        if request.url.startswith(mirror.url):
            return usual(adapter, request, **options)
        reply = requests.Response()
        reply.status_code, reply.url, reply.request = 302, request.url, request
        reply.headers["Location"], reply.raw = here, io.BytesIO()
        return reply

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    use("macbeth", "https://www.gutenberg.org/play.txt")
    assert "led to http://127.0.0.1, expected HTTPS on one of" in refused("macbeth")
    assert mirror.requests == []
    assert files_below(home) == set()
    use("macbeth", mirror.serve("/moved", status=302, Location=here))
    assert datasets.locate("macbeth").kind == "real"


NO_NETWORK = """
import sys
asked = []
here = ("socket.__new__", "socket.bind")  # urllib3 binds one to learn whether there is IPv6
def refuse(event, args):
    if event.startswith("socket.") and event not in here:
        asked.append((event, *args))
        raise OSError("refused by the test")
sys.addaudithook(refuse)
"""

ASK_FOR_ALL_DATA = f"""{NO_NETWORK}
from utilities import datasets
datasets.RETRY_PAUSE = 0
for name in datasets.CATALOGUE:
    try:
        datasets.locate(name)
    except datasets.MissingDataError:
        pass
print({{tuple(map(str, what[:3])) for what in asked}})
"""


def test_asking_for_all_data_reaches_for_named_hosts_and_port_443_only(tmp_path):
    env = clean_environment(HW4_DATA_HOME=tmp_path, HW4_STANDIN=None, no_proxy="*")
    ran = run_python(ASK_FOR_ALL_DATA, env=env)
    assert ran.returncode == 0, ran.stderr
    asked = ast.literal_eval(ran.stdout)
    assert {(event, port) for event, _, port in asked} == {("socket.getaddrinfo", "443")}
    assert {host for _, host, _ in asked} == {
        "ndownloader.figshare.com",
        "github.com",
        "storage.googleapis.com",
        "archive.ics.uci.edu",
        "www.gutenberg.org",
    }


USE_EVERYTHING = """
import io, contextlib, os, warnings
import numpy as np
import torch
from torch.utils.data import TensorDataset
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    from NN import NeuralNet
    rng = np.random.default_rng(0)
    NeuralNet(np.eye(3), True, True).gradient_descent(rng.random((3, 8)), np.eye(3), iter=5)
    from random_forest import RandomForest
    forest = RandomForest(3, 2, 1.0, 0)
    forest.fit(rng.random((9, 4)), [0, 1, 2] * 3)
    forest.adaboost(rng.random((9, 4)), [0, 1, 2] * 3)
    from cnn import CNN
    from cnn_trainer import Trainer
    images = TensorDataset(torch.rand(4, 1, 28, 28), torch.arange(4))
    Trainer(CNN(), images, images, num_epochs=1, batch_size=4).train()
    from rnn import RNN
    from lstm import LSTM
    from text_generator import TextGenerator
    for kind in (RNN, LSTM):
        model = kind(3, 4)
        model.hp |= {"embedding_dim": 2, "epochs": 1}
        model.save_model_path = lambda: "net.weights.h5"
        model.save_losses_path = lambda: "losses.json"
        model.train([[0, 1, 2, 0]], [[1]], train_from_scratch=True)
        letters = dict(enumerate("ab "))
        indices = {letter: index for index, letter in letters.items()}
        TextGenerator(indices, letters, 4).generate(model, "ab", 5)
    from utilities.energy import EnergyMeter
    meter = EnergyMeter()
    meter.start("all"); meter.stop()
    import utilities.figures, utilities.localtests, utilities.utils
"""


def test_nothing_but_fetching_data_reaches_for_the_network(tmp_path):
    env = clean_environment(PYTHONPATH=ROOT, HW4_STANDIN=None)
    ran = run_python(f"{NO_NETWORK}{USE_EVERYTHING}print(asked)", cwd=tmp_path, env=env)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert ran.stdout.strip() == "[]"


def in_a_network_of_its_own(code):
    """Run code in a network without a way out of it; return how often it looked for one."""
    entering = f"""import sys
sys.path.insert(0, {str(ROOT / "tests")!r})
import offline
if not offline.enter():
    sys.exit("no network of its own")
"""
    env = clean_environment(PYTHONPATH=ROOT, HW4_STANDIN=None)
    with tempfile.TemporaryDirectory() as folder:
        ran = run_python(f"{entering}{code}\nprint(offline.attempts())", cwd=folder, env=env)
    if "no network of its own" in ran.stderr:
        pytest.skip("this system gives a process no network of its own")
    assert ran.returncode == 0, ran.stderr[-3000:]
    return int(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "reach",
    [
        "socket.create_connection(('192.0.2.1', 443), 5)",
        "socket.create_connection(('2001:db8::1', 443), 5)",
        pytest.param(
            "socket.getaddrinfo('example.org', 443)",
            marks=pytest.mark.skipif(
                any(map(os.path.exists, NAME_SERVICES)),
                reason="names are asked for at a service of this machine, through a file",
            ),
        ),
    ],
)
def test_an_attempt_to_reach_the_network_is_counted_by_the_kernel(reach):
    code = f"import contextlib, socket\nwith contextlib.suppress(OSError): {reach}"
    assert in_a_network_of_its_own(code) > 0


@pytest.mark.skipif(sys.platform != "linux", reason="networks of one's own are Linux's")
def test_a_network_that_is_given_but_not_to_be_used_is_not_entered(tmp_path):
    """Ubuntu's AppArmor lets users make one, and forbids to set it up."""
    code = f"""import fcntl, os, sys
sys.path.insert(0, {str(ROOT / "tests")!r})
import offline
def refuse(*args):
    raise PermissionError(1, "Operation not permitted")
fcntl.ioctl = refuse
before = os.readlink("/proc/self/ns/net")
print(offline.enter(), os.readlink("/proc/self/ns/net") == before)
"""
    ran = run_python(code, cwd=tmp_path, env=clean_environment())
    assert ran.stdout.split() == ["False", "True"], ran.stderr


def test_not_even_compiled_code_reaches_for_the_network():
    assert in_a_network_of_its_own(USE_EVERYTHING) == 0


def sources():
    """Return the code of every module and of the notebook, by where it stands."""
    modules = [*ROOT.glob("*.py")]
    for folder in ("utilities", "benchmarks", "autograder"):
        modules += (ROOT / folder).rglob("*.py")
    code = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(modules)
    }
    return code | {"hw4.ipynb": "\n".join(notebook_code())}


SOURCES = sources()


def full_names(tree):
    """Return what the names that some code imports stand for."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            found |= {
                alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names
            }
    return found


def calls_in(tree):
    """Yield the full dotted name and the node of every call in some code."""
    known = full_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            first, dot, rest = ast.unparse(node.func).partition(".")
            yield known.get(first, first) + dot + rest, node


WAYS = {
    "requests",
    "urllib",
    "http",
    "socket",
    "pooch",
    "urllib3",
    "ftplib",
    "httpx",
    "aiohttp",
    "asyncio",
    "distributed",
}
PURE = "urllib.parse"  # takes addresses apart
IMPORTS_A_WAY = {
    "utilities/datasets.py",
    "autograder/grade_all.py",  # the cluster that staff name with --backend dask
    "autograder/grader.py",  # the name of this machine, for the claim on a submission
    "autograder/sandbox.py",  # a Unix socket as a lock
    "autograder/hostile/arena.py",  # the door, on this machine, that a submission must not reach
    "autograder/hostile/attacks.py",  # what such a submission tries
}


def imports_a_way(source):
    return any(
        name.split(".")[0] in WAYS and not name.startswith(PURE)
        for name in imported_modules(ast.parse(source))
    )


def test_no_other_module_imports_a_way_to_the_network():
    assert {where for where, code in SOURCES.items() if imports_a_way(code)} == IMPORTS_A_WAY


DOWNLOADERS = re.compile(
    r"\btorch\.hub\.|\bfetch_\w+$"  # PyTorch's, scikit-learn's
    r"|(get_file|load_data|load_url|from_url)$"  # Keras' two, PyTorch's two
)
# not in the middle of a sentence: an address, a command, a command after another
OUTWARD = re.compile(r"\s*(https?|ftp)://|(.*[/;&|]\s*)?(curl|wget)\b", re.IGNORECASE | re.DOTALL)


def downloads(name, call):
    asked = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    return DOWNLOADERS.search(name) or asked.get("download", "False") != "False"


def ways_out(source):
    """Return the calls of libraries that download, and the texts that begin with where to go."""
    tree = ast.parse(source)
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return {name for name, call in calls_in(tree) if downloads(name, call)} | {
        text for text in texts if isinstance(text, str) and OUTWARD.match(text)
    }


def test_only_the_module_of_the_data_has_addresses_and_calls_what_downloads():
    found = {where: out for where, code in SOURCES.items() if (out := ways_out(code))}
    assert found.keys() == {"utilities/datasets.py"}


def test_the_notebook_starts_no_program_of_the_system():
    """The lines that ``notebook_code`` leaves out."""
    cells = json.loads((ROOT / "hw4.ipynb").read_text(encoding="utf-8"))["cells"]
    lines = [line for cell in cells if cell["cell_type"] == "code" for line in cell["source"]]
    own = {line.strip() for line in lines if line[0] in "%!"}
    assert own == {"%load_ext autoreload", "%autoreload 2"}


@pytest.mark.parametrize(
    "code",
    [
        "pd.read_csv('https://example.org/beans.csv')",
        "pd.read_json(path_or_buf='http://example.org/beans.json')",
        "np.loadtxt('ftp://example.org/beans.txt')",
        "address = 'https://example.org/beans.csv'\npd.read_csv(address)",
        "pd.read_csv(f'https://{host}/beans.csv')",
        "FashionMNIST(root='data', download=True)",
        "FashionMNIST(root='data', download=not here)",
        "tf.keras.utils.get_file('beans.csv', origin)",
        "from keras.utils import get_file as get\nget('beans.csv', origin)",
        "from tensorflow.keras.datasets import mnist\nmnist.load_data()",
        "torch.hub.load('pytorch/vision', 'resnet18')",
        "from torch import hub\nhub.list('pytorch/vision')",
        "import torch.hub as models\nmodels.download_url_to_file(url, path)",
        "from torch.hub import load_state_dict_from_url\nload_state_dict_from_url(url)",
        "from torch.utils import model_zoo\nmodel_zoo.load_url(url)",
        "sklearn.datasets.fetch_california_housing()",
        "from sklearn.datasets import fetch_openml\nfetch_openml('mnist_784')",
        "from sklearn import datasets as sets\nsets.fetch_openml('mnist_784')",
        "subprocess.run(['curl', '-O', url])",
        "subprocess.Popen(['/usr/bin/wget', url])",
        "command = ['wget', url]\nsubprocess.run(command)",
        "os.system('cd data && curl -O ' + url)",
    ],
)
def test_a_way_out_through_a_library_is_seen(code):
    assert ways_out(code)


@pytest.mark.parametrize(
    "code",
    [
        "import requests",
        "import urllib.request as ways",
        "from urllib import request",
        "from http.client import HTTPSConnection",
        "def get():\n    import socket",
    ],
)
def test_an_import_of_a_way_is_seen(code):
    assert imports_a_way(code)


@pytest.mark.parametrize(
    "code",
    [
        "pd.read_csv('data/beans.csv')",
        "FashionMNIST(root='data', download=False)",
        "print('Get it from https://example.org, with curl for instance')",
        "os.system('ls')",
        "from urllib.parse import urlsplit\nurlsplit(address)",
        "prefetch_images(paths)",
    ],
)
def test_what_stays_on_this_machine_is_no_way_out(code):
    assert not ways_out(code) and not imports_a_way(code)


def test_the_fetcher_of_every_set_goes_through_the_one_door(home, published, monkeypatch):
    def door(url, target):
        raise datasets.RefusedAddressError("the door")

    monkeypatch.setattr(datasets, "_fetch_file", door)
    for name in NAMES:
        with pytest.raises(datasets.RefusedAddressError, match="the door"):
            datasets._FETCHERS[name]("https://example.org/", home)


def test_a_set_that_is_there_is_never_fetched_again(home, published, monkeypatch):
    monkeypatch.setattr(datasets, "_fetch_file", None)
    for name in NAMES:
        place(home, published[name])
        assert datasets.locate(name).kind == "real"
    assert beans_archive()
    assert sys.modules["utilities.datasets"] is datasets
