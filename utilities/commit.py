"""Which state of the project this is, for results that are kept."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def current_commit() -> str:
    """Return the project's commit, marked where files differ from it, or "unknown"."""
    ask = ("git", "describe", "--always", "--dirty", "--exclude=*")
    try:
        finished = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):  # no git, or a copy without history
        return "unknown"
    return finished.stdout.strip()
