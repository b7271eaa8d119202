"""Headless Chromium, offline: load a page, run a script in it, print it.

Read in this order: finding the program, its flags, `Chromium`, which starts one process and talks
to it through a pair of pipes.

The program is the reader's own, looked for on PATH. It gets a profile of its own that is thrown
away, no network, and a time limit; with the limit over, it and its children are killed. A request
of a page for anything outside itself fails and is remembered in `Chromium.requests`.

Why not a library: Selenium needs a second program of the same version as the browser, and
Playwright brings a Node.js of more than 100 MB, for five commands of a documented protocol.

References
----------
Chrome DevTools Protocol, https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from utilities.errors import ExportError

NAMES = ("chromium", "google-chrome", "google-chrome-stable", "chrome", "chromium-browser")
INSTALL = (
    "On Debian or Ubuntu: sudo apt-get install chromium; on macOS: brew install --cask chromium "
    "(then put a link named chromium to the program on PATH); elsewhere: "
    "https://www.google.com/chrome"
)
SECONDS = 120.0  # for everything one process is asked to do; a whole notebook takes about ten
CHUNK = 1 << 16  # bytes read or written at a time; what a pipe holds on Linux

OFFLINE = (
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no name, and no address, leads anywhere
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-domain-reliability",
    "--no-pings",
)
QUIET = (
    "--headless=new",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have a small one
    "--hide-scrollbars",
    "--mute-audio",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",  # the same widths of letters on every machine
)
LOCAL = ("about:", "blob:", "chrome:", "data:", "file:")


def find() -> str:
    """Return the path of Chromium or Chrome.

    Returns
    -------
    str

    Raises
    ------
    ExportError
        If none is on PATH; the message has the install line.
    """
    for name in NAMES:
        program = shutil.which(name)
        if program is not None:
            return program
    raise ExportError(f"No Chromium on PATH (looked for {', '.join(NAMES)}). {INSTALL}")


def _flags(profile: str) -> list[str]:
    """Return the flags of a process whose profile lies in that folder."""
    flags = [*QUIET, *OFFLINE, f"--user-data-dir={profile}", "--remote-debugging-pipe"]
    # Chromium refuses to run as root with its sandbox, as in most containers.
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [*flags, "--no-sandbox"] if is_root else flags


class Chromium:
    """One headless process with one page, to be used in a ``with`` statement.

    Parameters
    ----------
    seconds : float
        Time limit for all that is asked of it.

    Attributes
    ----------
    requests : list of str
        Addresses outside the page that were asked for; every one of them failed.
    console : list of str
        Errors and warnings of the page.

    Raises
    ------
    ExportError
        If there is no Chromium, it ends early, or the time is over.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self.requests: list[str] = []
        self.console: list[str] = []
        self._limit = seconds
        self._last_id = 0
        self._received = bytearray()
        self._replies: dict[int, dict] = {}
        self._events: list[str] = []
        self._session: str | None = None

    def __enter__(self) -> Self:
        program = find()
        self._deadline = time.monotonic() + self._limit
        self._profile = tempfile.TemporaryDirectory(prefix="hw4-", ignore_cleanup_errors=True)
        try:
            self._start([program, *_flags(self._profile.name), "about:blank"])
            self._attach()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop()

    def load(self, html: str) -> None:
        """Show a page and wait for its fonts and images.

        Parameters
        ----------
        html : str
            A whole page that needs nothing outside itself.
        """
        frame = self.command("Page.getFrameTree")["frameTree"]["frame"]["id"]
        self.command("Page.setDocumentContent", frameId=frame, html=html)
        self.settle()

    def open(self, path: Path) -> None:
        """Show a file as a reader's browser does, and wait for its fonts and images.

        Parameters
        ----------
        path : Path
        """
        self._events.clear()
        self.command("Page.navigate", url=Path(path).resolve().as_uri())
        while "Page.loadEventFired" not in self._events:
            self._receive()
        self.settle()

    def settle(self) -> None:
        """Wait until fonts and images of the page are there and it is laid out."""
        self.run(
            "(async () => { await document.fonts.ready;"
            " await Promise.all([...document.images].map(i => i.decode().catch(() => null)));"
            " document.body.getBoundingClientRect(); })()"
        )

    def run(self, script: str) -> Any:
        """Run a script in the page.

        Parameters
        ----------
        script : str
            JavaScript; a promise is waited for.

        Returns
        -------
        Any
            Its value, as JSON would carry it.

        Raises
        ------
        ExportError
            If the script throws.
        """
        reply = self.command(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in reply:
            details = reply["exceptionDetails"]
            text = details.get("exception", {}).get("description", details["text"])
            raise ExportError(f"A script in Chromium failed: {text}")
        return reply["result"].get("value")

    def pdf(self) -> bytes:
        """Print the page, on the paper that its style sheet asks for.

        Returns
        -------
        bytes
            The PDF, tagged, with its headings as bookmarks.
        """
        reply = self.command(
            "Page.printToPDF",
            preferCSSPageSize=True,
            printBackground=True,
            displayHeaderFooter=False,
            generateTaggedPDF=True,
            generateDocumentOutline=True,
        )
        return base64.b64decode(reply["data"])

    def resize(self, width: int, height: int) -> None:
        """Set the size of the window.

        Parameters
        ----------
        width, height : int
            CSS pixels.
        """
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.command("Emulation.setDeviceMetricsOverride", **size)

    def screenshot(self) -> bytes:
        """Return what the window shows, as PNG."""
        return base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"])

    def command(self, method: str, **parameters: Any) -> dict:
        """Send one command of the protocol and wait for its result.

        Parameters
        ----------
        method : str
            For instance "Page.printToPDF".
        **parameters
            What the command takes.

        Returns
        -------
        dict

        Raises
        ------
        ExportError
            If Chromium refuses it, ends or takes too long.
        """
        identity = self._send(method, parameters)
        while identity not in self._replies:
            self._receive()
        reply = self._replies.pop(identity)
        if "error" in reply:
            raise ExportError(f"Chromium refused {method}: {reply['error'].get('message')}")
        return reply["result"]

    # The process.

    def _start(self, command: Sequence[str]) -> None:
        """Start the process with one pipe to its file descriptor 3 and one from its 4."""
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        os.set_blocking(self._to, False)
        # descriptors of one digit only: a plain sh knows no others, so they are moved by hand
        renumber = f'exec "$@" 3<&{to_read} 4>&{to_write}'
        shell = ["sh", "-c", renumber, "sh"]
        if max(to_read, to_write) > 9:
            shell = ["bash", "-c", renumber, "bash"]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed by _stop)
        self._process = subprocess.Popen(
            [*shell, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            pass_fds=(to_read, to_write),
            start_new_session=True,  # a group of its own, so that its children can be killed too
        )
        os.close(to_read)
        os.close(to_write)

    def _attach(self) -> None:
        """Open a page, listen to it and hold every request of it."""
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        reply = self.command("Target.attachToTarget", targetId=target, flatten=True)
        self._session = reply["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.command(f"{domain}.enable")
        self.command("Fetch.enable", patterns=[{"urlPattern": "*"}])

    def _stop(self) -> None:
        """Kill the process and all its children, and remove its profile."""
        if hasattr(self, "_process"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            os.close(self._to)
            os.close(self._from)
            self._log.close()
            self._remove_socket()
        self._profile.cleanup()

    def _remove_socket(self) -> None:
        """Remove the folder, beside the profile, that a killed Chromium leaves its socket in."""
        with contextlib.suppress(OSError):
            folder = Path(self._profile.name, "SingletonSocket").readlink().parent
            for name in ("SingletonSocket", "SingletonCookie"):
                (folder / name).unlink()
            folder.rmdir()

    # The protocol: JSON messages, each ended by a zero byte.

    def _send(self, method: str, parameters: dict) -> int:
        """Send a command without waiting for its result; return its number."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        unsent = memoryview(json.dumps(message).encode() + b"\0")
        while unsent:
            self._wait([], [self._to])
            try:
                unsent = unsent[os.write(self._to, unsent[:CHUNK]) :]
            except BrokenPipeError:
                raise self._ended() from None
            except BlockingIOError:
                continue
        return self._last_id

    def _receive(self) -> None:
        """Wait for the next piece and act on the messages that it completes."""
        self._wait([self._from], [])
        piece = os.read(self._from, CHUNK)
        if not piece:
            raise self._ended()
        self._received += piece
        if 0 in piece:
            *messages, rest = bytes(self._received).split(b"\0")
            self._received = bytearray(rest)
            for message in messages:
                self._take(json.loads(message))

    def _wait(self, readable: list[int], writable: list[int]) -> None:
        """Wait until a pipe is ready."""
        left = self._deadline - time.monotonic()
        if left <= 0 or not any(select.select(readable, writable, [], left)):
            raise ExportError(
                f"Chromium did not finish within {self._limit:g} s and was stopped. Try again; "
                f"if it happens again, try {Path(find()).name} --headless --dump-dom about:blank"
            )

    def _take(self, message: dict) -> None:
        """Keep a result or act on an event."""
        if "id" in message:
            self._replies[message["id"]] = message
            return
        method, parameters = message["method"], message.get("params", {})
        self._events.append(method)
        if method == "Fetch.requestPaused":
            self._answer(parameters)
        elif method == "Log.entryAdded":
            entry = parameters["entry"]
            if entry["level"] in ("error", "warning"):
                self.console.append(entry["text"])
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning"):
            self.console += [str(arg.get("value", arg)) for arg in parameters["args"]]
        elif method == "Runtime.exceptionThrown":
            self.console.append(parameters["exceptionDetails"]["text"])
        elif method in ("Inspector.targetCrashed", "Target.targetCrashed"):
            raise ExportError("Chromium's page crashed; it may have run out of memory.")

    def _answer(self, request: dict) -> None:
        """Let a request for something local pass; remember and fail any other."""
        url, identity = request["request"]["url"], request["requestId"]
        if url.startswith(LOCAL):
            self._send("Fetch.continueRequest", {"requestId": identity})
        else:
            self.requests.append(url)
            failure = {"requestId": identity, "errorReason": "InternetDisconnected"}
            self._send("Fetch.failRequest", failure)

    def _ended(self) -> ExportError:
        """Return the error of a process that ended by itself, with its last words."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self._log.seek(0)
        words = self._log.read().decode(errors="replace").strip().splitlines()[-3:]
        said = f" It said: {' / '.join(words)}" if words else ""
        return ExportError(f"Chromium ended with status {self._process.returncode}.{said}")
