"""Hostile uploads: archives and folders that try to harm whoever unpacks or reads them.

Each builder gets a folder of its own and the world of ``prelude``, and returns what to grade.
"""

import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

UPLOADS: list[Callable[[Path, dict], Path]] = []
NOTHING = "class NeuralNet:\n    pass\n"


def upload(function: Callable[[Path, dict], Path]) -> Callable[[Path, dict], Path]:
    """Add a hostile upload to the list."""
    UPLOADS.append(function)
    return function


def _zip(folder: Path, members: dict[str, str], **options: object) -> Path:
    """Write an archive with the given members."""
    path = folder / "submission.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def _linked(name: str, target: str) -> zipfile.ZipInfo:
    """Return the entry of a symbolic link."""
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@upload
def slips_out_of_the_archive(folder: Path, world: dict) -> Path:
    """Members with .., absolute and Windows paths, aimed at the next student and the root."""
    neighbour = world["neighbour"]
    names = ["../slipped", "../../neighbour/slipped", f"{neighbour}/slipped", "/tmp/slipped"]
    names += ["a/../../../../../../tmp/slipped", "..\\..\\slipped", "C:\\slipped", "./../slipped"]
    return _zip(folder, {"NN.py": NOTHING} | dict.fromkeys(names, "out"))


@upload
def links_out_of_the_archive(folder: Path, world: dict) -> Path:
    """NN.py is a link to the reference; a link to the next student's folder, then a file in it."""
    path = folder / "submission.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, target in (
            ("NN.py", world["root"] + "/NN.py"),
            ("way", world["neighbour"]),
            ("secret.txt", world["neighbour"] + "/secret.txt"),
        ):
            archive.writestr(_linked(name, target), target)
        archive.writestr("way/slipped", "out")
    return path


@upload
def links_in_a_folder(folder: Path, world: dict) -> Path:
    """A folder whose NN.py is a link to the neighbour's right solution."""
    submission = folder / "submission"
    submission.mkdir()
    (submission / "NN.py").symlink_to(world["neighbour"] + "/NN.py")
    (submission / "random_forest.py").symlink_to("/dev/zero")
    return submission


@upload
def is_a_link_to_the_neighbour(folder: Path, world: dict) -> Path:
    """A submission's folder inside the archive is itself a link to another submission."""
    submission = folder / "submission"
    submission.mkdir()
    (submission / "work").symlink_to(world["neighbour"], target_is_directory=True)
    return submission


@upload
def waits_in_a_pipe(folder: Path, world: dict) -> Path:
    """NN.py is a named pipe that nobody writes to: reading it never ends."""
    submission = folder / "submission"
    submission.mkdir()
    os.mkfifo(submission / "NN.py")
    return submission


@upload
def has_a_folder_for_a_file(folder: Path, world: dict) -> Path:
    """NN.py is a folder with an __init__.py."""
    submission = folder / "submission"
    (submission / "NN.py").mkdir(parents=True)
    (submission / "NN.py" / "__init__.py").write_text(NOTHING)
    return submission


@upload
def explodes(folder: Path, world: dict) -> Path:
    """A zip bomb: 200 MB of zeros in 200 KB, half of them in NN.py."""
    path = folder / "submission.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("NN.py", "data.bin"):
            with archive.open(name, "w") as member:
                for _ in range(100):
                    member.write(b"#" * (1 << 20))
    return path


@upload
def lies_about_its_size(folder: Path, world: dict) -> Path:
    """A zip bomb whose directory claims that NN.py has 100 bytes."""
    path = explodes(folder, world)
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        start = content.find(signature)
        while start >= 0:
            content[start + offset : start + offset + 4] = struct.pack("<I", 100)
            start = content.find(signature, start + 4)
    path.write_bytes(content)
    return path


@upload
def has_countless_members(folder: Path, world: dict) -> Path:
    """Twenty thousand small files in as many folders."""
    return _zip(folder, {"NN.py": NOTHING} | {f"d{i}/f": "" for i in range(20_000)})


@upload
def nests_without_end(folder: Path, world: dict) -> Path:
    """A member below three hundred folders, and an archive in an archive."""
    inner = _zip(folder, {"NN.py": NOTHING}).read_bytes()
    return _zip(folder, {"d/" * 300 + "NN.py": NOTHING, "NN.zip": inner, "d" * 300: "long"})


@upload
def names_members_strangely(folder: Path, world: dict) -> Path:
    """Names with control characters and markup, empty names, and NN.py four times."""
    members = {"<script>.py": "", "a\nb\x1b[31m.py": "", " ": "", "nn.py": "", "NN.PY": ""}
    members |= {"x/NN.py": NOTHING, "__MACOSX/NN.py": "\x00", "NN.py/": ""}
    return _zip(folder, members)


@upload
def is_no_archive(folder: Path, world: dict) -> Path:
    """A zip cut off in the middle."""
    path = _zip(folder, {"NN.py": NOTHING * 1000})
    path.write_bytes(path.read_bytes()[:60])
    return path


@upload
def shadows_the_libraries(folder: Path, world: dict) -> Path:
    """Files named as the modules that the grader and Python import."""
    submission = folder / "submission"
    submission.mkdir()
    shadow = (
        "import os\n"
        f"open({world['neighbour'] + '/shadowed'!r}, 'w').close()\n"
        "def __getattr__(name):\n    return lambda *a, **k: True\n"
    )
    names = ["numpy", "json", "struct", "random", "sitecustomize", "usercustomize", "runner"]
    for name in [*names, "channel", "confine", "standins", "conftest", "__init__"]:
        (submission / f"{name}.py").write_text(shadow)
    for package in ("autograder", "numpy"):
        (submission / package).mkdir()
        (submission / package / "__init__.py").write_text(shadow)
    (submission / "numpy.pth").write_text("import os; os._exit(0)\n")
    (submission / "results.json").write_text('{"score": 100}')
    (submission / "NN.py").write_text(NOTHING)
    return submission


@upload
def is_not_python(folder: Path, world: dict) -> Path:
    """NN.py of null bytes, with a coding line that names a codec with side effects."""
    submission = folder / "submission"
    submission.mkdir()
    (submission / "NN.py").write_bytes(b"# -*- coding: rot13 -*-\n" + b"\x00\xff\xfe" * 1000)
    return submission


@upload
def nests_parentheses(folder: Path, world: dict) -> Path:
    """A source whose parsing takes the compiler's stack: thousands of brackets."""
    submission = folder / "submission"
    submission.mkdir()
    (submission / "NN.py").write_text("x = " + "(" * 50_000 + ")" * 50_000 + "\n" + NOTHING)
    return submission
