"""Time the homework against its rivals: ``make bench``, or ``python -m benchmarks PART ...``.

Every part runs in a process of its own, with the threads it needs, and leaves its results in
build/benchmarks/; the tables in build/benchmarks.md and .json are made of all of them, so a
part can be timed again alone. The tables tell when each part was timed, and at which commit, and
leave out what another machine or other versions gave. How cost grows is a part apart from the
rows, as what memory these had would be taken for memory in use: the C library keeps it in pieces.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from benchmarks import harness
from utilities.commit import current_commit

ONE_THREAD = {"OMP_NUM_THREADS": "1"}  # the products are too small to share
ONE_XLA_THREAD = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
PARTS = {  # and the environment of their processes
    "question_1": ONE_THREAD | ONE_XLA_THREAD,
    "question_1.growth": ONE_THREAD,
    "question_2": {},
    "question_3": ONE_THREAD,
    "question_3.growth": ONE_THREAD,
    "question_5": {},
    "question_5.growth": {},
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
    results, notes = _collected()
    print("\n" + harness.markdown(results, notes))
    for path in harness.write(results, BUILD, notes):
        print(f"Wrote {os.path.relpath(path)}")
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def run_here(part: str) -> None:
    """Time a part in this process and write each result as it comes, with machine and commit."""
    # files may be changed while it runs
    origin = {"machine": harness.machine(), "commit": current_commit()}
    module, _, timed = part.partition(".")
    results = []
    RESULTS.mkdir(parents=True, exist_ok=True)  # the notebooks leave their copies there as well
    for result in getattr(importlib.import_module(f"benchmarks.{module}"), timed or "rows")():
        results.append(harness.to_data(result))
        _keep(part, origin, results, is_whole=False)
        print(harness.markdown([result]).splitlines()[-1], flush=True)
    _keep(part, origin, results, is_whole=True)


def _keep(part: str, origin: dict, results: list[dict], is_whole: bool) -> None:
    date = datetime.now().isoformat(" ", "minutes")
    content = origin | {"date": date, "is_whole": is_whole, "results": results}
    _path(part).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _run_apart(part: str) -> bool:
    """Forget a part's last results, time it in a process of its own; tell if that went well."""
    print(f"--- {part}", flush=True)
    _path(part).unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks", part, "--here"]
    return subprocess.run(command, env=os.environ | PARTS[part], check=False).returncode == 0


def _collected() -> tuple[list, list[str]]:
    """Return the results of all parts timed on this machine, and a note on each part."""
    results, notes = [], []
    for part in PARTS:
        if not _path(part).exists():
            notes.append(f"{part}: not timed")
            continue
        content = json.loads(_path(part).read_text(encoding="utf-8"))
        note = f"{part}: timed {content['date']} at commit {content.get('commit', 'unknown')}"
        if not content.get("is_whole", True):
            note += ", not to its end"
        if content["machine"] == harness.machine():
            results += map(harness.from_data, content["results"])
        else:
            note += " on another machine or with other versions, left out"
        notes.append(note)
    return results, notes


def _path(part: str) -> Path:
    return RESULTS / f"{part}.json"


if __name__ == "__main__":
    sys.exit(main())
