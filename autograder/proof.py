"""The proof of grade-all on a class of 300: speed, kills, a cluster that loses a worker.

``python -m autograder.proof`` writes the class (see ``synthetic``) and what was measured into
``build/class``; name parts to do only these. Every run of grade-all is a process of its own,
started as a user starts it. The undisturbed run with two jobs is what all others must equal.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil

from autograder.grader import read_log
from autograder.hostile.catalogue import ENDLESS, HOSTILE
from autograder.reference import PROJECT
from autograder.results import write_atomically
from autograder.synthetic import write_class

ITEMS = "1.1a,1.1c,1.1e"
BUDGET = 240  # seconds: some hostile submissions use up every limit there is
BUDGET_OF_A_WHOLE = 560  # as on Gradescope
KILLS = 10
QUIET = 0.7  # a load of the machine below which speed is measured
PARTS = ("two-jobs", "one-job", "scaling", "kills", "cluster", "thousand", "waiting", "whole")
ROUNDS = 3  # of the measurement of scaling
SLEEPERS, SLEEPERS_BUDGET = 96, 25  # submissions that sleep until their budget is used up


def command(
    folder: Path, output: Path, *options: str, items: str = ITEMS, budget: float = BUDGET
) -> list[str]:
    """Return the command line that grades a class, on all items if none are named."""
    fixed = ["--assignment", "programming", "--output", str(output), "--budget", str(budget)]
    chosen = ["--items", items] if items else []
    return [sys.executable, "-m", "autograder", "grade-all", str(folder), *fixed, *chosen, *options]


def start(arguments: list[str], log: Path) -> subprocess.Popen:
    """Start a run in a process group of its own."""
    with open(log, "a", encoding="utf-8") as file:
        return subprocess.Popen(
            arguments, cwd=PROJECT, stdout=file, stderr=file, start_new_session=True
        )


def finish(arguments: list[str], log: Path) -> float:
    """Run to the end and return the seconds.

    Raises
    ------
    RuntimeError
        If something was not graded.
    """
    begin = time.monotonic()
    status = start(arguments, log).wait()
    if status:
        raise RuntimeError(f"grade-all ended with status {status}; see {log}")
    return time.monotonic() - begin


# --- what a log of gradings says ------------------------------------------------------------------


def gradings(output: Path) -> tuple[Counter[str], Counter[str], list[str]]:
    """Count what graders noted.

    Returns
    -------
    begun, stored : Counter of str
        How often, by key.
    again : list of str
        Keys whose grading was begun although a record had been stored.
    """
    begun: Counter[str] = Counter()
    stored: Counter[str] = Counter()
    again = []
    for what, key in read_log(output):
        if what == "begin":
            begun[key] += 1
            again += [key] if stored[key] else []
        else:
            stored[key] += 1
    return begun, stored, again


def account(output: Path, size: int) -> dict:
    """Return the sums of a class's log; raise if a submission was graded twice or never.

    Raises
    ------
    RuntimeError
        If so.
    """
    begun, stored, again = gradings(output)
    records = len(list((output / "students").glob("*.json")))
    # a grader that was killed between storing a record and noting it leaves one note out
    if again or max(stored.values()) > 1 or len(begun) != size or records != size:
        raise RuntimeError(f"{output}: {len(again)} again, {len(begun)} begun, {records} records")
    interrupted = sum(begun.values()) - size
    return {"submissions": records, "graded twice": 0, "begun and interrupted": interrupted}


def same_table(output: Path, expected: Path) -> bool:
    """Tell whether two tables are the same to the last byte."""
    return (output / "scores.csv").read_bytes() == (expected / "scores.csv").read_bytes()


# --- the parts ------------------------------------------------------------------------------------


class Proof:
    """A class, and what is done to it."""

    def __init__(self, place: Path, size: int, seed: int, patience: float) -> None:
        self.place, self.size, self.seed, self.patience = place, size, seed, patience
        self.folder = place / "submissions"
        self.expected = place / "two-jobs"
        if not self.folder.exists():
            write_class(self.folder, size, seed)

    def two_jobs(self) -> dict:
        """Grade undisturbed with two jobs; the table that all others must equal."""
        return self._timed(self.expected, 2)

    def one_job(self) -> dict:
        """Grade undisturbed with one job, and compare."""
        output = self.place / "one-job"
        report = self._timed(output, 1)
        return report | {"same table as with two jobs": same_table(output, self.expected)}

    def scaling(self) -> dict:
        """Grade what needs the processor, not the clock, with one job and two, in turns."""
        folder, rounds = self.place / "brisk-submissions", []
        if not folder.exists():
            write_class(folder, self.size, self.seed, leave_out=ENDLESS)
        for _ in range(ROUNDS):
            runs = {}
            for jobs in (1, 2):
                output = self.place / f"brisk-{jobs}"
                arguments = command(folder, output, "--jobs", str(jobs))
                runs[jobs] = self._measured(arguments, output, self.size)
            scaling = runs[1]["seconds"] / runs[2]["seconds"] / 2
            rounds.append({"scaling": round(scaling, 3), "processors": processors(), "runs": runs})
        return {"rounds": rounds}

    def _timed(self, output: Path, jobs: int) -> dict:
        arguments = command(self.folder, output, "--jobs", str(jobs))
        return {"jobs": jobs, **self._measured(arguments, output, self.size)}

    def _measured(self, arguments: list[str], output: Path, size: int) -> dict:
        """Run to the end on a machine that is as quiet as it gets."""
        shutil.rmtree(output, ignore_errors=True)
        load = wait_for_quiet(self.patience)
        seconds = finish(arguments, self._log(output))
        return {
            "seconds": round(seconds, 1),
            "submissions a minute": round(60 * size / seconds, 2),
            "load before": load,
            "load after": round(os.getloadavg()[0], 2),
            "seconds by submission": spent(output),
            **account(output, size),
        }

    def kills(self) -> dict:
        """Kill the run again and again, resume it each time, and compare."""
        output = self.place / "kills"
        shutil.rmtree(output, ignore_errors=True)
        rng = random.Random(self.seed)
        typical = json.loads((self.place / "two-jobs.json").read_text())["seconds"]
        moments = []
        for number in range(KILLS):
            run = start(command(self.folder, output, "--jobs", "2"), self._log(output))
            wait = rng.uniform(1, 1.4 * typical / KILLS)
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.wait(wait)
            if run.poll() is not None:
                raise RuntimeError(f"the run ended before kill {number + 1}; see the log")
            kill(run.pid, everything=number % 2 == 1)
            run.wait()
            moments.append({"after s": round(wait, 1), "stored": _stored(output)})
        finish(command(self.folder, output, "--jobs", "2"), self._log(output))
        same = same_table(output, self.expected)
        return {"kills": moments, "same table": same, **account(output, self.size)}

    def cluster(self) -> dict:
        """Grade on a scheduler with two workers, one of which is killed midway, and compare."""
        output = self.place / "cluster"
        shutil.rmtree(output, ignore_errors=True)
        with cluster(self.place / "cluster.log", workers=2) as (address, workers):
            options = ("--backend", "dask", "--scheduler", address)
            begin = time.monotonic()
            run = start(command(self.folder, output, *options), self._log(output))
            while _stored(output) < self.size // 2 and run.poll() is None:
                time.sleep(0.05)
            workers[0].kill()
            before = _stored(output)
            status = run.wait()
        if status:
            raise RuntimeError(f"grade-all ended with status {status}; see {self._log(output)}")
        return {
            "seconds": round(time.monotonic() - begin, 1),
            "stored when the worker was killed": before,
            "same table": same_table(output, self.expected),
            **account(output, self.size),
        }

    def thousand(self) -> dict:
        """Grade a class of a thousand on one item."""
        folder, output, size = self.place / "thousand-submissions", self.place / "thousand", 1000
        if not folder.exists():
            write_class(folder, size, self.seed, leave_out=ENDLESS)
        arguments = command(folder, output, "--jobs", "2", items="1.1a")
        report = self._measured(arguments, output, size)
        begin = time.monotonic()
        finish(arguments, self._log(output))
        report["seconds of a run that finds all graded"] = round(time.monotonic() - begin, 1)
        return report

    def waiting(self) -> dict:
        """Grade submissions that only sleep: what is lost by many jobs, if not for processors."""
        folder, reports = self.place / "sleepers", []
        if not folder.exists():
            for number in range(SLEEPERS):
                place = folder / f"sleeper-{number}"
                place.mkdir(parents=True)
                HOSTILE["sleeps"].build(place, {}).rename(place / "homework")
        for jobs in (4, 16, 32):
            output = self.place / f"waiting-{jobs}"
            options = {"items": "1.1a", "budget": SLEEPERS_BUDGET}
            arguments = command(folder, output, "--jobs", str(jobs), **options)
            report = self._measured(arguments, output, SLEEPERS)
            ideal = report["seconds by submission"]["sum"] / jobs
            reports.append(
                {"jobs": jobs, "share of the ideal": ideal / report["seconds"], **report}
            )
        return {"runs": reports}

    def whole(self) -> dict:
        """Grade some submissions on every item, for an honest figure of the cost of a class."""
        folder, output, size = self.place / "some-submissions", self.place / "whole", 20
        if not folder.exists():
            write_class(folder, size, self.seed, leave_out=ENDLESS)
        arguments = command(folder, output, "--jobs", "2", items="", budget=BUDGET_OF_A_WHOLE)
        return self._measured(arguments, output, size)

    def _log(self, output: Path) -> Path:
        return output.with_suffix(".log")


def _stored(output: Path) -> int:
    """Count the records there are."""
    return len(list((output / "students").glob("*.json")))


def spent(output: Path) -> dict:
    """Return how the seconds of a class's submissions are spread."""
    records = [json.loads(path.read_text()) for path in (output / "students").glob("*.json")]
    seconds = sorted(record["seconds"] for record in records)
    middle, last = seconds[len(seconds) // 2], seconds[-1]
    return {"sum": round(sum(seconds), 1), "median": middle, "longest": last}


def processors() -> float:
    """Return the scaling of the machine itself: of a loop in one process and in two."""
    loop = [sys.executable, "-c", "for i in range(30_000_000): pass"]
    seconds = []
    for count in (1, 2):
        begin = time.monotonic()
        for process in [subprocess.Popen(loop) for _ in range(count)]:
            process.wait()
        seconds.append(time.monotonic() - begin)
    return round(seconds[0] / seconds[1], 3)


def kill(pid: int, everything: bool) -> None:
    """Kill a process group, or every process that descends from its leader, at one blow."""
    processes = [psutil.Process(pid)]
    if everything:
        processes += processes[0].children(recursive=True)
    else:
        os.killpg(pid, signal.SIGKILL)
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


@contextlib.contextmanager
def cluster(log: Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """Start a Dask scheduler and workers as processes of their own; give address and workers."""
    address_file = log.with_suffix(".scheduler.json")
    address_file.unlink(missing_ok=True)
    dask = [sys.executable, "-m", "dask"]
    scheduler = [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    worker = [*dask, "worker", "--no-nanny", "--nthreads", "1", "--no-dashboard"]
    worker += ["--local-directory", str(log.parent)]
    started = [start([*scheduler, "--scheduler-file", str(address_file)], log)]
    try:
        while not address_file.exists() or not address_file.read_text().rstrip().endswith("}"):
            if started[0].poll() is not None:
                raise RuntimeError(f"the scheduler did not start; see {log}")
            time.sleep(0.1)
        address = json.loads(address_file.read_text())["address"]
        started += [start([*worker, address], log) for _ in range(workers)]
        yield address, started[1:]
    finally:
        for process in reversed(started):
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()


def wait_for_quiet(patience: float) -> float:
    """Wait for a quiet machine, so many seconds at most; return how busy it was at last."""
    end = time.monotonic() + patience
    while os.getloadavg()[0] > QUIET and time.monotonic() < end:
        time.sleep(5)
    return round(os.getloadavg()[0], 2)


def main() -> int:
    """Do the parts and write down what came of each."""
    parser = argparse.ArgumentParser(prog="python -m autograder.proof", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="only these")
    parser.add_argument("--place", type=Path, default=PROJECT / "build" / "class")
    parser.add_argument("--size", type=int, default=300)
    parser.add_argument("--seed", type=int, default=4641)
    parser.add_argument("--patience", type=float, default=300, help="seconds to wait for quiet")
    options = parser.parse_args()
    options.place.mkdir(parents=True, exist_ok=True)
    proof = Proof(options.place.resolve(), options.size, options.seed, options.patience)
    for part in options.parts or PARTS:
        report = getattr(proof, part.replace("-", "_"))()
        write_atomically(options.place / f"{part}.json", json.dumps(report, indent=1) + "\n")
        print(part, json.dumps(report, indent=1), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
