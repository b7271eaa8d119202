"""Time two ways of doing the same thing in turn, and put the ratios into a table.

The machine may be noisy, so nothing is timed alone: ours and the rival alternate, and what
counts is the ratio of each pair. What misses its goal says so.
"""

import contextlib
import ctypes
import io
import json
import math
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
FASTER = "at least {:g} x as fast"
NOT_SLOWER = "at most {:g} x its time"
STRAIGHT_LINE = 1.1  # largest exponent of what grows in proportion, with room for caches that fill
VECTORS = ("amx_tile", "avx512_bf16", "avx512f", "avx2", "avx")  # Linux' names, newest first
LIBRARIES = ("numpy", "scikit-learn", "torch", "torchvision", "tensorflow-cpu", "keras", "jax")


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
    pairs : int
        How many were timed.
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
    pairs: int


@dataclass(frozen=True)
class Missing:
    """A row that could not be timed here.

    Attributes
    ----------
    what, rival : str
        As in ``Row``.
    reason : str
    """

    what: str
    rival: str
    reason: str


@dataclass(frozen=True)
class Figure:
    """A figure that has a goal but no rival.

    Attributes
    ----------
    what, goal, value : str
        For the table.
    reached : bool
    """

    what: str
    goal: str
    value: str
    reached: bool


@dataclass(frozen=True)
class Growth:
    """How time and memory grow with the size of the work.

    Attributes
    ----------
    what, unit : str
        What is timed, and what its size counts.
    sizes : tuple of int
    seconds : tuple of float
        Median time at each size.
    megabytes : tuple of float
        Most memory taken beyond what the process had before; NaN where the system does not
        tell.
    exponent : float
        Slope of log time over log size by least squares, 1 for a straight line through 0: over
        all sizes or without the smallest, whose fixed cost flattens it, whichever is steeper.
    goal : str
        In words.
    reached : bool
        Whether the exponent meets the goal, and the memory its bound if it has one.
    """

    what: str
    unit: str
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    megabytes: tuple[float, ...]
    exponent: float
    goal: str
    reached: bool


def measure_growth(
    what: str,
    unit: str,
    sizes: Sequence[int],
    prepare: Callable[[int], Callable[[], object]],
    megabytes_each: float = math.inf,
    repeats: int = 5,
) -> Growth:
    """Time a piece of work at several sizes, after a warm-up at the smallest.

    Parameters
    ----------
    what, unit : str
        For the table.
    sizes : sequence of int
        In ascending order.
    prepare : callable
        Makes what work of the size it is given needs, which counts neither as time nor as
        memory, and returns a callable that does the work.
    megabytes_each : float
        Most memory that is acceptable for each unit of size.
    repeats : int
        Times through all sizes, so that a slow minute of the machine meets each; the median
        time counts, and the most memory.

    Returns
    -------
    Growth
    """
    prepare(sizes[0])()
    times = {size: [] for size in sizes}
    megabytes = {size: [] for size in sizes}
    for size in [*sizes] * repeats:
        work = prepare(size)
        before = _restart_peak_memory()
        times[size].append(_seconds(work))
        megabytes[size].append(_memory("VmHWM") - before)
    seconds = [*map(statistics.median, times.values())]
    return of_sizes(what, unit, sizes, seconds, [*map(max, megabytes.values())], megabytes_each)


def of_sizes(
    what: str,
    unit: str,
    sizes: Sequence[int],
    seconds: Sequence[float],
    megabytes: Sequence[float],
    megabytes_each: float = math.inf,
) -> Growth:
    """Return the growth of times and memory measured at several sizes; see ``measure_growth``."""
    exponent = _slope(sizes, seconds)
    if len(sizes) > 2:
        exponent = max(exponent, _slope(sizes[1:], seconds[1:]))
    goal = f"at most {STRAIGHT_LINE:g}"
    if megabytes_each < math.inf:
        goal += f"; memory at most {megabytes_each:g} MB x size"
    # NaN, an unknown memory, breaks no bound
    is_bounded = not any(m > megabytes_each * n for m, n in zip(megabytes, sizes, strict=True))
    return Growth(
        what=what,
        unit=unit,
        sizes=tuple(sizes),
        seconds=tuple(seconds),
        megabytes=tuple(megabytes),
        exponent=exponent,
        goal=goal,
        reached=exponent <= STRAIGHT_LINE and is_bounded,
    )


def _slope(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    return statistics.linear_regression(*(list(map(math.log, x)) for x in (sizes, seconds))).slope


def compare(
    what: str,
    rival_name: str,
    ours: Callable[[], object],
    rival: Callable[[], object],
    goal: float,
    at_most: bool = False,
    pairs: int = 7,
    check: Callable[[object, object], None] | None = None,
) -> Row:
    """Time ours and the rival in turn, after one warm-up of each.

    Parameters
    ----------
    what, rival_name : str
        For the table.
    ours, rival : callable
        Do the whole work once.
    goal : float
        Smallest acceptable speed-up, or with ``at_most`` the largest acceptable share of
        the rival's time.
    at_most : bool
    pairs : int
    check : callable, optional
        Is given the results of both warm-ups and raises unless they agree; without it they
        must have been compared before.

    Returns
    -------
    Row
    """
    results = ours(), rival()
    if check is not None:
        check(*results)
    times = [
        in_turn(number, lambda: _seconds(ours), lambda: _seconds(rival)) for number in range(pairs)
    ]
    return of_pairs(what, rival_name, times, goal, at_most)


def in_turn(number: int, ours: Callable[[], T], rival: Callable[[], T]) -> tuple[T, T]:
    """Call both for the pair of a number, and return ours and the rival's result.

    Each goes first in every other pair.
    """
    if number % 2 == 0:
        return ours(), rival()
    rivals_result = rival()
    return ours(), rivals_result


def of_pairs(
    what: str,
    rival_name: str,
    times: Sequence[tuple[float, float]],
    goal: float,
    at_most: bool = False,
) -> Row:
    """Return the row of times, ours and the rival's, taken in turn; see ``compare``."""
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
        pairs=len(times),
    )


def markdown(results: Sequence[Row | Missing | Figure | Growth], notes: Sequence[str] = ()) -> str:
    """Return the results as Markdown tables, under the machine, the versions and the notes."""
    lines = [
        ", ".join(f"{name} {value}" for name, value in machine().items()),
        "",
        *(f"- {note}" for note in notes),
        "",
        "| what | rival | goal | ratio (min to max) | ours | rival's | |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(_line(result) for result in results if not isinstance(result, Growth)),
    ]
    growths = [result for result in results if isinstance(result, Growth)]
    if growths:
        lines += [
            "",
            "| how cost grows | size: time, peak memory | goal | exponent (1: straight line) | |",
            "| --- | --- | --- | --- | --- |",
            *(_growth_line(growth) for growth in growths),
        ]
    return "\n".join(lines) + "\n"


def _line(result: Row | Missing | Figure) -> str:
    if isinstance(result, Missing):
        return f"| {result.what} | {result.rival} | | | | | not timed: {result.reason} |"
    if isinstance(result, Figure):
        return f"| {result.what} | | {result.goal} | | {result.value} | | {_verdict(result)} |"
    spread = "one pair" if result.pairs == 1 else f"{result.lowest:.2f} to {result.highest:.2f}"
    return (
        f"| {result.what} | {result.rival} | {result.goal} | {result.ratio:.2f} ({spread}) "
        f"| {duration(result.seconds)} | {duration(result.rival_seconds)} | {_verdict(result)} |"
    )


def _growth_line(growth: Growth) -> str:
    points = "; ".join(
        f"{size:,}: {duration(seconds)}, {megabytes:,.0f} MB"
        for size, seconds, megabytes in zip(
            growth.sizes, growth.seconds, growth.megabytes, strict=True
        )
    )
    return (
        f"| {growth.what}, by {growth.unit} | {points} | {growth.goal} | {growth.exponent:.2f} "
        f"| {_verdict(growth)} |"
    )


def _verdict(result: Row | Figure | Growth) -> str:
    return "reached" if result.reached else "FALLS SHORT"


def write(
    results: Sequence[Row | Missing | Figure | Growth], folder: Path, notes: Sequence[str] = ()
) -> list[Path]:
    """Write the tables as benchmarks.md and benchmarks.json into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    as_text, as_data = folder / "benchmarks.md", folder / "benchmarks.json"
    as_text.write_text(markdown(results, notes), encoding="utf-8")
    content = {
        "machine": machine(),
        "notes": list(notes),
        "results": [to_data(result) for result in results],
    }
    as_data.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return [as_text, as_data]


def to_data(result: Row | Missing | Figure | Growth) -> dict:
    """Return a result as plain data that ``from_data`` reads."""
    return {"kind": type(result).__name__, **asdict(result)}


def from_data(data: dict) -> Row | Missing | Figure | Growth:
    """Return the result that ``to_data`` wrote."""
    kinds = {kind.__name__: kind for kind in (Row, Missing, Figure, Growth)}
    fields = {key: value for key, value in data.items() if key != "kind"}
    return kinds[data["kind"]](**fields)


def machine() -> dict[str, str]:
    """Return what the figures depend on: processor, Python and the libraries."""
    return {
        "processor": _processor(),
        "Python": platform.python_version(),
        **{library: _version(library) for library in LIBRARIES},
    }


def quietly(function: Callable, *args: object, **kwargs: object) -> object:
    """Call a function without its prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        return function(*args, **kwargs)


def duration(seconds: float) -> str:
    """Return seconds as a short text with a fitting unit."""
    if seconds >= 1000:
        return f"{seconds:,.0f} s"
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _processor() -> str:
    """Return the processor's name, its newest vector instructions and the number of cores."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        flags = {flag for line in lines if line.startswith("flags") for flag in line.split()}
        # virtual machines of one name may differ in them
        newest = next((vector for vector in VECTORS if vector in flags), "none beyond SSE")
        name = f"{names[0]} ({newest}), {len(names)} cores" if names else name
    return name


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "absent"


def give_back_freed_memory() -> None:
    """Let the C library return what was freed, which otherwise counts as in use."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # not glibc
            ctypes.CDLL(None).malloc_trim(0)


def _restart_peak_memory() -> float:
    """Let the peak count from now on; return the memory in use, in MB."""
    give_back_freed_memory()
    with contextlib.suppress(OSError):  # Linux only
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _memory("VmRSS")


def _memory(field: str) -> float:
    """Return a field of this process' memory status in MB, or NaN where there is none."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1000
    return math.nan
