"""What the environment is made of: one pinned set, every file of it known by its hash."""

import os
import shutil
import subprocess
import sys

import pytest
from helpers import ROOT, clean_environment, pins, pins_of
from packaging.requirements import Requirement


def requirements_of(file):
    """Return the requirements in a file that people write."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return [Requirement(text) for line in lines if (text := line.split("#")[0].strip())]


def test_every_library_is_pinned_to_one_version_with_hashes():
    assert len(pins()) > 100
    for pin, hashes in pins():
        assert [part.operator for part in pin.specifier] == ["=="], pin
        assert len(hashes) == len(set(hashes)) >= 1, pin


@pytest.mark.parametrize("need", requirements_of("requirements.txt"), ids=lambda need: need.name)
def test_the_pinned_set_holds_what_the_homework_asks_for(need):
    versions = pins_of(need.name)
    assert versions and all(need.specifier.contains(version) for version in versions), need


def test_the_environment_takes_nothing_whose_hash_is_not_known():
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").split("$(READY):")[1].split("\n\n")[0]
    installs = [line for line in recipe.splitlines() if "pip install" in line]
    assert len(installs) == 2
    assert "--require-hashes --requirement constraints.txt" in installs[0]
    # the project itself; without build isolation pip fetches nothing for it
    assert "--no-deps" in installs[1] and "--no-build-isolation" in installs[1]


def test_nothing_else_is_ever_put_into_the_environment_without_its_hash():
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    installs = [line for line in lines if "$(PY) -m pip install" in line]
    assert len(installs) == 3
    for line in installs:
        assert "--require-hashes" in line or "--no-deps" in line, line


def make_with(pythons, folder, *words):
    """Call make where these commands, and no other Pythons that it knows, are of these versions."""
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("python3", "python3.13", "python3.12", "python3.11"):
        version = pythons.get(name, (2, 7, 18))
        told = f"import sys; sys.version_info = {version}; "
        script = folder / name  # -c CODE, told another version
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{told} $2"\n')
        script.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    env = clean_environment(PATH=path, MAKEFLAGS=None, MAKELEVEL=None)
    return subprocess.run(
        ["make", *words], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("pythons", "chosen"),
    [
        ({"python3": (3, 11, 0), "python3.13": (3, 13, 0)}, "python3"),
        ({"python3": (3, 13, 9), "python3.12": (3, 12, 1)}, "python3"),
        ({"python3": (3, 14, 0), "python3.12": (3, 12, 1), "python3.11": (3, 11, 7)}, "python3.12"),
        ({"python3": (3, 10, 9), "python3.11": (3, 11, 7)}, "python3.11"),
        ({"python3": (3, 14, 0)}, "python3"),  # and then says what is the matter
    ],
    ids=str,
)
def test_make_takes_a_python_that_the_libraries_have_wheels_for(tmp_path, pythons, chosen):
    done = make_with(pythons, tmp_path, "--eval", "chosen: ; @echo $(PYTHON)", "chosen")
    assert (done.returncode, done.stdout.split()) == (0, [chosen]), done.stderr


@pytest.mark.parametrize("version", [(3, 10, 14), (3, 14, 0)], ids=str)
def test_make_refuses_a_python_that_they_have_none_for(tmp_path, version):
    for name in ("requirements.txt", "constraints.txt", "pyproject.toml"):
        (tmp_path / name).touch()
    done = make_with({"python3": version}, tmp_path, "env")
    assert done.returncode == 2 and not (tmp_path / ".venv").exists()
    assert "hw4 needs Python 3.11, 3.12 or 3.13; name one with: make PYTHON" in done.stdout


def test_what_the_benchmarks_add_leaves_the_pinned_set_as_it_is():
    (need,) = requirements_of("benchmarks/requirements.txt")
    added = dict(pins("benchmarks/constraints.txt"))
    assert [str(pin.specifier) for pin in added if pin.name == need.name] == [str(need.specifier)]
    assert all(added.values())  # hashes
    for pin in added:
        versions = pins_of(pin.name)
        assert not versions or next(iter(pin.specifier)).version in versions, pin
