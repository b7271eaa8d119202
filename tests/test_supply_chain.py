"""What the environment is made of: one pinned set, every file of it known by its hash."""

import re

import pytest
from helpers import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SHA256 = re.compile(r"--hash=sha256:([0-9a-f]{64})\b")


def entries():
    """Return the requirement and the hashes of every entry of constraints.txt."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith((" ", "#"))]
    return [(Requirement(line.split(" --hash")[0]), SHA256.findall(line)) for line in lines]


def wanted():
    """Return the requirements of requirements.txt."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(text) for line in lines if (text := line.split("#")[0].strip())]


def pins_of(name):
    """Return the pinned versions of a library; they may differ by Python or system."""
    name = canonicalize_name(name)
    found = [pin for pin, _ in entries() if canonicalize_name(pin.name) == name]
    return [next(iter(pin.specifier)).version for pin in found]


def test_every_library_is_pinned_to_one_version_with_hashes():
    assert len(entries()) > 100
    for pin, hashes in entries():
        assert [part.operator for part in pin.specifier] == ["=="], pin
        assert len(hashes) == len(set(hashes)) >= 1, pin


@pytest.mark.parametrize("need", wanted(), ids=lambda need: need.name)
def test_the_pinned_set_holds_what_the_homework_asks_for(need):
    pins = pins_of(need.name)
    assert pins and all(need.specifier.contains(version) for version in pins), need


def test_the_environment_takes_nothing_whose_hash_is_not_known():
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").split("$(READY):")[1].split("\n\n")[0]
    installs = [line for line in recipe.splitlines() if "pip install" in line]
    assert len(installs) == 2
    assert "--require-hashes --requirement constraints.txt" in installs[0]
    # the project itself; without build isolation pip fetches nothing for it
    assert "--no-deps" in installs[1] and "--no-build-isolation" in installs[1]
