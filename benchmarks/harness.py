"""Time two ways of doing the same thing in turn, and put the ratios into a table.

The machine may be noisy, so nothing is timed alone: ours and the rival alternate, and what
counts is the ratio of each pair. A row whose median ratio misses its goal says so.
"""

import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

FASTER = "at least {:g} x as fast"
NOT_SLOWER = "at most {:g} x its time"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    what, rival : str
        What is timed, and against what.
    goal : str
        In words.
    ratio, lowest, highest : float
        The rival's time over ours (or, for a goal of at most so much time, ours over the
        rival's): median, minimum and maximum over the pairs.
    seconds, rival_seconds : float
        Median time of each.
    reached : bool
        Whether the median ratio meets the goal.
    """

    what: str
    rival: str
    goal: str
    ratio: float
    lowest: float
    highest: float
    seconds: float
    rival_seconds: float
    reached: bool


def compare(
    what: str,
    rival_name: str,
    ours: Callable[[], object],
    rival: Callable[[], object],
    goal: float,
    at_most: bool = False,
    pairs: int = 7,
) -> Row:
    """Time ours and the rival in turn, after one warm-up of each.

    Parameters
    ----------
    what, rival_name : str
        For the table.
    ours, rival : callable
        Do the whole work once; their results must have been compared before.
    goal : float
        Smallest acceptable speed-up, or with ``at_most`` the largest acceptable share of
        the rival's time.
    at_most : bool
    pairs : int

    Returns
    -------
    Row
    """
    ours(), rival()
    times = [(_seconds(ours), _seconds(rival)) for _ in range(pairs)]
    ratios = [a / b if at_most else b / a for a, b in times]
    ratio = statistics.median(ratios)
    return Row(
        what=what,
        rival=rival_name,
        goal=(NOT_SLOWER if at_most else FASTER).format(goal),
        ratio=ratio,
        lowest=min(ratios),
        highest=max(ratios),
        seconds=statistics.median(a for a, _ in times),
        rival_seconds=statistics.median(b for _, b in times),
        reached=ratio <= goal if at_most else ratio >= goal,
    )


def markdown(rows: list[Row]) -> str:
    """Return the rows as a Markdown table, under the machine and the versions."""
    lines = [
        ", ".join(f"{name} {value}" for name, value in machine().items()),
        "",
        "| what | rival | goal | ratio (min to max) | ours | rival's | |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        lines.append(
            f"| {row.what} | {row.rival} | {row.goal} "
            f"| {row.ratio:.2f} ({row.lowest:.2f} to {row.highest:.2f}) "
            f"| {_duration(row.seconds)} | {_duration(row.rival_seconds)} "
            f"| {'reached' if row.reached else 'FALLS SHORT'} |"
        )
    return "\n".join(lines) + "\n"


def write(rows: list[Row], folder: Path) -> list[Path]:
    """Write the table as benchmarks.md and benchmarks.json into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    as_text, as_data = folder / "benchmarks.md", folder / "benchmarks.json"
    as_text.write_text(markdown(rows), encoding="utf-8")
    content = {"machine": machine(), "rows": [asdict(row) for row in rows]}
    as_data.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return [as_text, as_data]


def machine() -> dict[str, str]:
    """Return what the figures depend on: processor, Python and the libraries."""
    libraries = ("numpy", "scikit-learn", "torch", "keras")
    return {
        "processor": platform.processor() or platform.machine(),
        "Python": platform.python_version(),
        **{library: version(library) for library in libraries},
    }


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"
