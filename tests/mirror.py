"""A server on this machine that misbehaves on demand, and content to fetch from it.

A plugin: a test file that says ``pytest_plugins = ("mirror",)`` has its fixtures.
PYTEST_DONT_REWRITE: it is imported before pytest knows it for a plugin.
"""

import functools
import gzip
import hashlib
import io
import socket
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import joblib
import numpy as np
import pytest

from utilities import datasets, standins
from utilities.utils import clean_text

NAMES = ("housing", "fashion_mnist", "dry_beans", "macbeth")


# --- a misbehaving server ------------------------------------------------------------------------


class Mirror:
    """A server on the loopback interface; a path answers with its replies one by one."""

    def __init__(self):
        self.replies: dict[str, list[dict]] = {}
        self.requests: list[str] = []
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.requests.append(self.path)
                mirror.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def serve(self, path, body=b"", status=200, **headers):
        """Queue a reply; the last one of a path repeats. Returns the address."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.replies.setdefault(path, []).append(
            {"status": status, "body": body, "headers": {"Content-Length": len(body)} | headers}
        )
        return self.url + path

    def answer(self, request):
        queue = self.replies.get(request.path, [{"status": 404, "body": b"", "headers": {}}])
        reply = queue.pop(0) if len(queue) > 1 else queue[0]
        request.send_response(reply["status"])
        for name, value in reply["headers"].items():
            request.send_header(name, str(value))
        request.end_headers()
        request.wfile.write(reply["body"])


@pytest.fixture
def mirror():
    server = Mirror()
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture
def only_this_machine(monkeypatch):
    """Fail a test that looks up or connects to anything but the loopback interface."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self, address):
        assert self.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "::1"), address
        return connect(self, address)

    def guarded_look_up(host, *args, **kwargs):
        assert host in ("127.0.0.1", "::1", "localhost", None), host
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Give an empty data home, no stand-ins, no mirrors, and caches as in a fresh process."""
    folder = tmp_path / "home"
    monkeypatch.setenv("HW4_DATA_HOME", str(folder))
    monkeypatch.delenv("HW4_STANDIN", raising=False)
    monkeypatch.setattr(datasets, "_checked", set())
    monkeypatch.setattr(datasets, "_settled", {})
    monkeypatch.setattr(datasets, "RETRY_PAUSE", 0)
    monkeypatch.setattr(datasets, "URLS", dict.fromkeys(NAMES, ()))
    return folder


# --- content that these tests call published -----------------------------------------------------


def joblib_bytes(thing):
    """Return what scikit-learn would store."""
    stream = io.BytesIO()
    joblib.dump(thing, stream, compress=("zlib", 6))
    return stream.getvalue()


def digest(content):
    return hashlib.sha256(content).hexdigest()


def small_images():
    """Return ten images and labels in IDX form, and the headers that describe them."""
    pixels = np.random.default_rng(0).integers(0, 256, (10, 28, 28), dtype=np.uint8)
    headers, files = {}, {}
    for name, (magic, *axes) in datasets.FASHION_HEADERS.items():
        array = pixels if len(axes) == 3 else np.arange(10, dtype=np.uint8)
        headers[name] = (magic, *array.shape)
        files[name] = np.array(headers[name], ">u4").tobytes() + array.tobytes()
    return headers, files


@pytest.fixture(scope="module")
def made_up():
    """Make content once: the files of each set, and the constants by which it is recognised."""
    houses, beans, play = standins.make_houses(), standins.make_beans(), standins.make_play()
    headers, images = small_images()
    values = beans[list(datasets.BEAN_FEATURES)].to_numpy(float)
    constants = {
        "HOUSING_SHA256": digest(houses.tobytes(order="C")),
        "FASHION_HEADERS": headers,
        "FASHION_SHA256": {name: digest(body) for name, body in images.items()},
        "BEAN_SUMS": tuple(datasets.bean_weights(len(beans)) @ values),
        "TEXT_SHA256": digest(clean_text(play).encode()),
    }
    files = {
        "housing": {"scikit_learn_data/cal_housing_py3.pkz": joblib_bytes(houses)},
        "fashion_mnist": {f"FashionMNIST/raw/{name}": body for name, body in images.items()},
        "dry_beans": {"Dry_Bean_Dataset.csv": beans.to_csv(index=False).encode()},
        "macbeth": {"macbeth/1533-0.txt": play.encode("utf-8-sig")},
    }
    return files, constants


@pytest.fixture
def published(made_up, monkeypatch):
    """Declare the made-up content to be the published one; returns it as {set: {file: bytes}}."""
    files, constants = made_up
    for name, value in constants.items():
        monkeypatch.setattr(datasets, name, value)
    return files


def place(home, files):
    """Write files below a data home and return the first one's path."""
    for name, body in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(body)
    return home / next(iter(files))


def files_below(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def zipped(name, body):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(name, body)
    return stream.getvalue()


def as_arff(beans, **to_csv):
    """Write beans as UCI does."""
    types = "".join(f"@ATTRIBUTE {name}  REAL\n" for name in beans.columns[:-1])
    head = f"% beans\n@RELATION Dry_Bean\n\n{types}@ATTRIBUTE Class {{SEKER, SIRA}}\n\n@DATA\n"
    return head + beans.to_csv(index=False, header=False, **to_csv)


@functools.cache
def beans_archive():
    return zipped("DryBeanDataset/Dry_Bean_Dataset.arff", as_arff(standins.make_beans()))


@functools.cache
def houses_archive():
    """Pack the houses as StatLib's archive does, with its order of columns."""
    columns = standins.make_houses()[:, [8, 7, 2, 3, 4, 5, 6, 1, 0]]
    text = io.StringIO()
    np.savetxt(text, columns, delimiter=",", fmt="%.17g")
    body, stream = text.getvalue().encode(), io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as bundle:
        member = tarfile.TarInfo("CaliforniaHousing/cal_housing.data")
        member.size = len(body)
        bundle.addfile(member, io.BytesIO(body))
    return stream.getvalue()


class Offer:
    """Put a set on the mirror under a folder, in the form that the set's fetcher expects."""

    def __init__(self, mirror, published):
        self.mirror, self.published = mirror, published

    def __call__(self, name, folder="/good", before=()):
        """Return the address; ``before`` holds replies to give first."""
        return getattr(self, f"_{name}")(name, folder, before)

    def _serve(self, path, body, before):
        for reply in before:
            self.mirror.serve(path, **reply)
        return self.mirror.serve(path, body)

    def _housing(self, name, folder, before):
        return self._serve(f"{folder}/houses.tgz", houses_archive(), before)

    def _fashion_mnist(self, name, folder, before):
        for path, body in self.published[name].items():
            packed = gzip.compress(body, mtime=0)
            self._serve(f"{folder}/{Path(path).name}.gz", packed, before)
            before = ()  # the bad replies come for the first file only
        return f"{self.mirror.url}{folder}/"

    def _dry_beans(self, name, folder, before):
        return self._serve(f"{folder}/beans.zip", beans_archive(), before)

    def _macbeth(self, name, folder, before):
        (body,) = self.published[name].values()
        return self._serve(f"{folder}/play.txt", body, before)


@pytest.fixture
def offer(mirror, published):
    return Offer(mirror, published)


def use(name, *urls):
    datasets.URLS[name] = urls
