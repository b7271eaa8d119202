"""Running the packages as Gradescope does, and measuring what they need.

Each zip is unpacked into a tree like Gradescope's /autograder, with the reference as submission
and a metadata file, and its run_autograder is started at half a CPU and 768 MB: in control
groups where this process may make some (version 1 or 2), else without, which the report says.

``python -m autograder.rehearsal`` is behind ``make rehearse``.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.reference import PROJECT
from autograder.rubric import ASSIGNMENTS, items_of, required_files

CPUS, MEMORY_MB = 0.5, 768  # Gradescope's default
PERIOD = 100_000  # microseconds in which a share of the CPU may be used
V1, V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup/cgroup.controllers")


@dataclass
class Report:
    """What one run needed.

    Attributes
    ----------
    results : dict
        Content of results.json.
    seconds, peak_mb : float
        On the clock; the peak of the whole group (0 without control groups), and of the largest
        check.
    limited : bool
        Whether CPU and memory were limited.
    """

    assignment: str
    results: dict
    log: str
    seconds: float
    peak_mb: float
    largest_check_mb: float
    limited: bool

    @property
    def score(self) -> tuple[float, float]:
        """Return points got and points to be got."""
        tests = self.results["tests"]
        return sum(t["score"] for t in tests), sum(t["max_score"] for t in tests)


def unpack(package: Path, tree: Path) -> Path:
    """Unpack a zip as Gradescope does, with its permissions; return the tree."""
    with zipfile.ZipFile(package) as archive:
        for info in archive.infolist():
            archive.extract(info, tree / "source")
            (tree / "source" / info.filename).chmod(info.external_attr >> 16)
    return tree


def submit(tree: Path, assignment: str, files: dict[str, bytes] | None = None) -> None:
    """Put a submission, by default the reference, and all that Gradescope adds into a tree."""
    for name in ("submission", "results"):
        (tree / name).mkdir(exist_ok=True)
    (tree / "run_autograder").write_bytes((tree / "source/run_autograder").read_bytes())
    (tree / "run_autograder").chmod(0o755)
    if files is None:
        files = {name: (PROJECT / name).read_bytes() for name in required_files(assignment)}
    for name, content in files.items():
        (tree / "submission" / name).write_bytes(content)
    total = sum(item.max_score(assignment) for item in items_of(assignment))
    metadata = {
        "id": 123456,
        "created_at": "2026-11-20T18:22:33.123456-05:00",
        "assignment": {
            "due_date": "2026-12-01T23:59:00.000000-05:00",
            "group_size": 1,
            "id": 25828,
            "title": ASSIGNMENTS[assignment],
            "total_points": f"{total:.1f}",
        },
        "users": [{"email": "student@example.edu", "id": 1234, "name": "A Student"}],
        "previous_submissions": [],
    }
    (tree / "submission_metadata.json").write_text(json.dumps(metadata), encoding="utf-8")


def run(
    tree: Path, assignment: str, cpus: float = CPUS, memory_mb: int = MEMORY_MB, limit: bool = True
) -> Report:
    """Start a tree's run_autograder.

    Parameters
    ----------
    tree : Path
    assignment : str
    cpus : float
        Share of a CPU.
    memory_mb : int
    limit : bool
        Whether to make control groups at all.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "HW4_"))}
    environment["AUTOGRADER_ROOT"] = str(tree)
    if not (tree / "venv").exists():  # no setup.sh was run: the project's environment has it all
        environment["HW4_PYTHON"] = sys.executable
    with _control_groups(cpus, memory_mb, limit) as groups:
        joins = "".join(f"echo $$ > {group}/cgroup.procs && " for group in groups)
        start = time.monotonic()
        done = subprocess.run(
            ["bash", "-c", f"{joins}exec ./run_autograder"],
            cwd=tree,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - start
        peak = _peak_mb(groups)
    results = json.loads((tree / "results/results.json").read_text(encoding="utf-8"))
    used = [test["extra_data"].get("peak_mb", 0) for test in results["tests"]]
    return Report(
        assignment, results, done.stdout, seconds, peak, max(used, default=0), bool(groups)
    )


@contextlib.contextmanager
def _control_groups(cpus: float, memory_mb: int, limit: bool) -> Iterator[list[Path]]:
    """Make control groups with the limits, and remove them afterwards."""
    groups: list[Path] = []
    try:
        if limit and os.geteuid() == 0:
            with contextlib.suppress(OSError):
                groups = _make_groups(cpus, memory_mb)
        yield groups
    finally:
        for group in groups:
            with contextlib.suppress(OSError):
                group.rmdir()


def _make_groups(cpus: float, memory_mb: int) -> list[Path]:
    name, quota, size = f"hw4-{os.getpid()}", int(cpus * PERIOD), memory_mb << 20
    if V1.is_dir():
        settings = {
            V1 / name: {"memory.limit_in_bytes": size},
            V1.parent / "cpu" / name: {"cpu.cfs_period_us": PERIOD, "cpu.cfs_quota_us": quota},
        }
    elif V2.exists():
        files = {"memory.max": size, "cpu.max": f"{quota} {PERIOD}", "memory.swap.max": 0}
        settings = {V2.parent / name: files}
    else:
        return []
    for group, files in settings.items():
        group.mkdir()
        for file, value in files.items():
            (group / file).write_text(str(value))
    return list(settings)


def _peak_mb(groups: list[Path]) -> float:
    for group in groups:
        for name in ("memory.max_usage_in_bytes", "memory.peak"):
            with contextlib.suppress(OSError):
                return int((group / name).read_text()) / (1 << 20)
    return 0.0


def main() -> int:
    """Rehearse the packages in build/; return 1 if the reference loses a point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path, default=PROJECT / "build")
    parser.add_argument("--assignment", choices=ASSIGNMENTS, action="append")
    parser.add_argument("--memory", type=int, default=MEMORY_MB)
    parser.add_argument("--cpus", type=float, default=CPUS)
    parser.add_argument("--tree", type=Path, help="a tree in which setup.sh has been run")
    options = parser.parse_args()
    lost = False
    print(f"{options.cpus:g} CPU, {options.memory} MB")
    print("| assignment | score | seconds | peak MB, group | peak MB, largest check |")
    print("| --- | --- | --- | --- | --- |")
    for assignment in options.assignment or ASSIGNMENTS:
        report = _rehearse(assignment, options)
        got, total = report.score
        peak = f"{report.peak_mb:.0f}" if report.limited else "not limited here"
        figures = f"{report.seconds:.0f} | {peak} | {report.largest_check_mb:.0f}"
        print(f"| {assignment} | {got:g} of {total:g} | {figures} |", flush=True)
        if got < total or not total:
            lost = True
            print(report.log)
            for test in report.results["tests"]:
                if test["status"] == "failed":
                    print(test["number"], test["output"])
    return int(lost)


def _rehearse(assignment: str, options: argparse.Namespace) -> Report:
    """Rehearse one assignment, in a tree made for it or in the one given."""
    with tempfile.TemporaryDirectory(prefix="hw4-rehearsal-") as folder:
        tree = options.tree
        if tree is None:
            tree = unpack(options.packages / f"autograder-{assignment}.zip", Path(folder) / "a")
        submit(tree, assignment)
        return run(tree, assignment, options.cpus, options.memory)


if __name__ == "__main__":
    sys.exit(main())
