"""Import one homework file and report what that did; a script that preflight runs by itself.

``python preflight_probe.py FOLDER NAME REPORT_FOLDER``. FOLDER holds the file NAME.py (and files
uploaded with it) and nothing else. REPORT_FOLDER holds request.json:

- preload: modules to import first, whose own noise and time are not the file's;
- hidden: the project's modules, to be found in FOLDER or not at all;
- names: the functions whose signatures are wanted, such as ``NeuralNet.forward``.

The file ``ready`` appears there when the libraries are loaded, and report.json when all is done.
It imports nothing of ``utilities``: the file must find nothing of the project. This finds mistakes.
It is no cage for malice: what a file does on purpose, it can also hide.
"""

import builtins
import importlib
import inspect
import json
import os
import random
import sys
import threading
import time
import traceback
import warnings
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import FrameType

LARGEST_FILE = 64 * 2**20  # bytes that may be written at import
MOST_MEMORY = 12 * 2**30  # bytes
WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

# What a file must not do at import: audit event -> how to say it.
DEEDS = {
    "os.mkdir": "makes the folder {}",
    "os.remove": "deletes {}",
    "os.rmdir": "deletes the folder {}",
    "os.rename": "renames {}",
    "os.link": "links {}",
    "os.symlink": "links {}",
    "os.truncate": "cuts off {}",
    "os.chmod": "changes the permissions of {}",
    "socket.connect": "opens a network connection",
    "socket.getaddrinfo": "asks the network for {}",
    "urllib.Request": "downloads {}",
    "subprocess.Popen": "starts the program {}",
    "os.system": "starts the program {}",
    "os.exec": "starts the program {}",
    "os.posix_spawn": "starts the program {}",
    "os.fork": "starts another process",
}


class Deeds:
    """Record, and refuse, what the code of a folder does to the world while it is imported."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.watching = False
        self.found = []

    def __call__(self, event: str, arguments: tuple) -> None:
        """Serve as audit hook."""
        if not self.watching or not (event in DEEDS or event == "open"):
            return
        target = _target(arguments)
        if event == "open" and not _is_write(arguments):
            return
        if not self._is_to_blame():
            return
        deed = DEEDS.get(event, "writes {}").format(self._seen_from_folder(target))
        if deed not in self.found:
            self.found.append(deed)
        raise PermissionError(f"not allowed at import: {deed}")

    def _is_to_blame(self) -> bool:
        """Tell whether the folder's code caused an event, rather than a library being loaded."""
        frame = sys._getframe(2)
        while frame is not None:
            if self.is_own(frame):
                return True
            if frame.f_code.co_filename.startswith("<frozen importlib"):
                return False
            frame = frame.f_back
        return False

    def is_own(self, frame: FrameType) -> bool:
        """Tell whether a frame runs code of the folder."""
        return os.path.dirname(frame.f_code.co_filename) == self.folder

    def _seen_from_folder(self, path: str) -> str:
        inside = os.path.dirname(os.path.abspath(path)) == self.folder
        return os.path.basename(path) if inside else path


def _target(arguments: tuple) -> str:
    """Return the first argument of an audit event as a short text."""
    target = arguments[0] if arguments else ""
    if isinstance(target, bytes):
        target = os.fsdecode(target)
    return str(target)[:120]


def _is_write(arguments: tuple) -> bool:
    """Tell whether an ``open`` event is one for writing a file."""
    path, mode, flags = arguments
    if path == os.devnull:  # leaves nothing
        return False
    if isinstance(mode, str) and set(mode) & set("wax+"):
        return True
    return isinstance(flags, int) and bool(flags & WRITE_FLAGS)


class OwnFolderOnly(MetaPathFinder):
    """Find the project's modules in the folder alone, and note which modules its files ask for."""

    def __init__(self, deeds: Deeds, hidden: list[str]) -> None:
        self.deeds = deeds
        self.hidden = set(hidden)
        self.asked_for = set()

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> ModuleSpec | None:
        """Take part in the import of a module that is not loaded yet."""
        top = fullname.partition(".")[0]
        if self._asked_by_own_code():
            self.asked_for.add(top)
        if top not in self.hidden:
            return None
        spec = PathFinder.find_spec(fullname, [self.deeds.folder])
        if spec is None:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return spec

    def _asked_by_own_code(self) -> bool:
        frame = sys._getframe(2)
        while frame is not None:
            name = frame.f_code.co_filename
            if not name.startswith("<frozen importlib") and name != importlib.__file__:
                return self.deeds.is_own(frame)
            frame = frame.f_back
        return False


def preload(modules: list[str]) -> str | None:
    """Import libraries without a word; return what is wrong with the first that cannot be."""
    with _Silence():
        for name in modules:
            try:
                module = importlib.import_module(name)
            except ModuleNotFoundError as error:
                if (error.name or "").partition(".")[0] == name.partition(".")[0]:
                    if "." not in name:
                        return f"{name} is not installed here"
                    continue  # a name of the module's, such as numpy.array, or a mistake
                return f"{name} cannot be imported here: {error}"
            except Exception as error:
                return f"{name} cannot be imported here: {_short(error)}"
            if name == "tensorflow":
                _ = module.keras.layers  # loaded lazily, and slowly
    return None


class _Silence:
    """Send standard output and error nowhere, also that of C libraries."""

    def __enter__(self) -> None:
        self._kept = [os.dup(1), os.dup(2)]
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)

    def __exit__(self, *_: object) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, kept in zip((1, 2), self._kept, strict=True):
            os.dup2(kept, number)
            os.close(kept)


def streams() -> list[str]:
    """Return where the global random streams of the loaded libraries stand."""
    found = [repr(random.getstate())]
    if "numpy" in sys.modules:
        kind, keys, *rest = sys.modules["numpy"].random.get_state()
        found.append(f"{kind} {keys.tobytes().hex()} {rest}")
    if "torch" in sys.modules:
        found.append(sys.modules["torch"].get_rng_state().numpy().tobytes().hex())
    return found


def import_file(name: str, deeds: Deeds) -> dict:
    """Import a file and return how that ended and what it left behind."""
    before, threads = streams(), set(threading.enumerate())
    shown = _watch_show()
    started = time.process_time()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        deeds.watching = True
        problem, module = None, None
        try:
            module = importlib.import_module(name)
        except BaseException as error:  # SystemExit and KeyboardInterrupt are findings too
            problem = _described(error, deeds)
        deeds.watching = False
    return {
        "module": module,
        "problem": problem,
        "seconds": time.process_time() - started,
        "deeds": deeds.found,
        "files": sorted(os.listdir(deeds.folder)),
        "stream_moved": before != streams()[: len(before)],
        "threads": len([t for t in threading.enumerate() if t not in threads]),
        "figures": _open_figures(),
        "shown": len(shown),
        "warnings": [
            f"line {w.lineno}: {w.category.__name__}: {w.message}"
            for w in warned
            if os.path.dirname(w.filename) == deeds.folder
        ][:5],
    }


def _watch_show() -> list:
    """Replace pyplot's show, if it is loaded, by one that counts its calls."""
    calls = []
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].show = lambda *_, **__: calls.append(1)
    return calls


def _open_figures() -> int:
    pyplot = sys.modules.get("matplotlib.pyplot")
    return len(pyplot.get_fignums()) if pyplot else 0


def _described(error: BaseException, deeds: Deeds) -> dict:
    """Return an exception's kind, message and line in the folder's own code."""
    lines = [
        (os.path.basename(frame.filename), frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if os.path.dirname(frame.filename) == deeds.folder
    ]
    return {
        "kind": type(error).__name__,
        "message": _short(error),
        "missing": str(error.name) if isinstance(error, ModuleNotFoundError) else None,
        "where": lines[-1] if lines else None,
    }


def _short(error: BaseException) -> str:
    """Return an exception's message in one line of at most 200 characters."""
    try:
        lines = str(error).strip().splitlines()
    except Exception:
        lines = []
    return lines[0][:200] if lines else type(error).__name__


def signature_of(module: object, path: str) -> dict | None:
    """Return the parameters of a function or method as plain data, or None if it is missing."""
    owner, _, name = path.rpartition(".")
    holder = getattr(module, owner, None) if owner else module
    function = getattr(holder, name, None)
    if not callable(function) or (owner and not inspect.isclass(holder)):
        return None
    is_static = isinstance(inspect.getattr_static(holder, name), staticmethod)
    if owner and name == "__init__" and function is object.__init__:
        return {"static": False, "parameters": []}
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    if owner and not is_static:
        parameters = parameters[1:]  # self
    return {"static": is_static, "parameters": [_plain_parameter(p) for p in parameters]}


def _plain_parameter(parameter: inspect.Parameter) -> list:
    """Return [name, repr of its default or None], stars included."""
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_ONLY):
        stars = f"{parameter.kind.description} "
    has_default = parameter.default is not parameter.empty
    return [stars + parameter.name, repr(parameter.default)[:80] if has_default else None]


def _limit_resources() -> None:
    """Bound memory and file size where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for which, most in ((resource.RLIMIT_FSIZE, LARGEST_FILE), (resource.RLIMIT_DATA, MOST_MEMORY)):
        _, hard = resource.getrlimit(which)
        if hard == resource.RLIM_INFINITY or hard > most:
            resource.setrlimit(which, (most, hard))


def main(folder: str, name: str, report_folder: str) -> None:
    """Answer the request and leave at once, whatever threads or exit handlers there are."""
    request = json.loads(Path(report_folder, "request.json").read_text(encoding="utf-8"))
    _limit_resources()
    builtins.exit = builtins.quit = sys.exit  # site's close the standard input first
    missing = preload(request["preload"])
    deeds = Deeds(folder)
    finder = OwnFolderOnly(deeds, request["hidden"])
    sys.meta_path.insert(0, finder)
    sys.path.insert(0, folder)
    sys.argv[1:] = []
    sys.addaudithook(deeds)
    Path(report_folder, "ready").touch()
    report = {"missing_library": missing}
    if missing is None:
        found = import_file(name, deeds)
        module = found.pop("module")
        found["asked_for"] = sorted(finder.asked_for)
        found["signatures"] = {path: _safely(module, path) for path in request["names"]}
        report |= found
    unfinished = Path(report_folder, "report.unfinished")
    unfinished.write_text(json.dumps(report), encoding="utf-8")
    unfinished.rename(Path(report_folder, "report.json"))
    for stream in (sys.stdout, sys.stderr):
        _flush(stream)
    os._exit(0)


def _safely(module: object, path: str) -> dict | None:
    """Return a signature, None also if the module makes looking for it fail."""
    try:
        return signature_of(module, path)
    except Exception:
        return None


def _flush(stream: object) -> None:
    try:
        stream.flush()
    except Exception:  # closed or replaced by the file
        return


if __name__ == "__main__":
    main(*sys.argv[1:])
