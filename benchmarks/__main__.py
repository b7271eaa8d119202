"""Time the homework against its rivals: ``make bench``, or ``python -m benchmarks PART ...``.

Every part runs in a process of its own, with the threads it needs, and leaves its results in
build/benchmarks/; the tables in build/benchmarks.md and .json are made of all of them, so a
part can be timed again alone.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import harness

ONE_THREAD = {"OMP_NUM_THREADS": "1"}  # the products are too small to share
ONE_XLA_THREAD = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}
PARTS = {  # and the environment of their processes
    "question_1": ONE_THREAD | ONE_XLA_THREAD,
    "question_2": {},
    "question_3": ONE_THREAD,
    "question_5": {},
    "accelerator": {},
    "notebook": {},
}
BUILD = Path(__file__).resolve().parent.parent / "build"
RESULTS = BUILD / "benchmarks"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts and write the tables; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"PART must be one of {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    if options.here:
        run_here(options.parts[0])
        return 0
    failed = [part for part in options.parts or PARTS if not _run_apart(part)]
    results = [result for part in PARTS for result in _read(part)]
    print("\n" + harness.markdown(results))
    for path in harness.write(results, BUILD):
        print(f"Wrote {os.path.relpath(path)}")
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def run_here(part: str) -> None:
    """Time a part in this process and write its results."""
    module = importlib.import_module(f"benchmarks.{part}")
    results = []
    for timed in ("rows", "growth"):  # not every part has work that grows
        for result in getattr(module, timed, tuple)():
            results.append(harness.to_data(result))
            print(harness.markdown([result]).splitlines()[-1], flush=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{part}.json"
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def _run_apart(part: str) -> bool:
    """Time a part in a process of its own; tell whether that went well."""
    print(f"--- {part}", flush=True)
    command = [sys.executable, "-m", "benchmarks", part, "--here"]
    return subprocess.run(command, env=os.environ | PARTS[part], check=False).returncode == 0


def _read(part: str) -> list:
    """Return the results of a part's last run, or none."""
    path = RESULTS / f"{part}.json"
    if not path.exists():
        return []
    return [harness.from_data(data) for data in json.loads(path.read_text(encoding="utf-8"))]


if __name__ == "__main__":
    sys.exit(main())
