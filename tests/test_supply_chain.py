"""What the environment is made of: one pinned set, every file of it known by its hash."""

import pytest
from helpers import ROOT, pins, pins_of
from packaging.requirements import Requirement


def wanted():
    """Return the requirements of requirements.txt."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(text) for line in lines if (text := line.split("#")[0].strip())]


def test_every_library_is_pinned_to_one_version_with_hashes():
    assert len(pins()) > 100
    for pin, hashes in pins():
        assert [part.operator for part in pin.specifier] == ["=="], pin
        assert len(hashes) == len(set(hashes)) >= 1, pin


@pytest.mark.parametrize("need", wanted(), ids=lambda need: need.name)
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
