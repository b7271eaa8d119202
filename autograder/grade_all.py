"""Grading a whole class, on all cores or on a Dask cluster, stopped and continued at will.

The folder that is written holds a record for each submission (``students/KEY.json``, see
``gradebook``), of which ``scores.csv`` and ``report.html`` are made. Records are stored one by one
as they are done, and are all that the next run needs to go on.
"""

import contextlib
import fcntl
import os
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import joblib
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import BrokenProcessPool
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from autograder import gradebook
from autograder.gradebook import Entry
from autograder.grader import read_log, run_file, sweep, work_folder
from autograder.package import BUDGET
from autograder.report import write_report
from autograder.results import write_atomically
from autograder.rubric import items_of
from autograder.workers import close_graders, grade_one

BACKENDS = ("loky", "dask")
FRUITLESS = 3  # times that workers may die without having graded anything in between
CONNECT = 30  # seconds in which a cluster's scheduler must answer
LINE_EVERY = 10  # seconds between two lines of progress where there is no terminal


@dataclass
class Summary:
    """What came of a class.

    Attributes
    ----------
    records : list of dict
        One for each submission, in the order of their names.
    kept : int
        How many had been graded by an earlier run.
    table, report : Path
    """

    records: list[dict]
    kept: int
    table: Path
    report: Path

    @property
    def is_complete(self) -> bool:
        """Tell whether every item of every submission was graded."""
        return not any(r["state"] == "failed" or gradebook.not_graded(r) for r in self.records)

    def __str__(self) -> str:
        states = [record["state"] for record in self.records]
        counted = {"graded": "graded", "refused": "refused (zero points)", "failed": "failed"}
        parts = [f"{states.count(s)} {text}" for s, text in counted.items() if s in states]
        lines = [f"{len(states)} submissions: {', '.join(parts)}; {self.kept} from an earlier run"]
        if "failed" in states:
            lines.append("Failed ones are graded again when the same command is run again.")
        items = sorted({item for r in self.records for item in gradebook.not_graded(r)})
        if items:
            lines.append(f"Not graded, and not counted: {', '.join(items)}. The report says why.")
        return "\n".join([*lines, f"written: {self.table}, {self.report}"])


def grade_all(
    folder: Path,
    assignment: str,
    output: Path | None = None,
    items: Collection[str] | None = None,
    *,
    jobs: int | None = None,
    budget: float = BUDGET,
    backend: str = "loky",
    scheduler: str | None = None,
    again: bool = False,
    quiet: bool = False,
) -> Summary:
    """Grade all submissions of a folder that have no valid record yet.

    Parameters
    ----------
    folder : Path
        Gradescope's export with its submission_metadata.yml, or any folder of folders and zips.
    assignment : str
        "programming", "bonus-all" or "bonus-undergrad".
    output : Path, optional
        Folder for the results; by default the first one's name with ``-graded``, beside it.
    items : collection of str, optional
        Numbers of the items to grade; by default all.
    jobs : int, optional
        Submissions graded at a time on this machine; by default as many as it has cores.
    budget : float, optional
        Seconds for each submission; by default as on Gradescope.
    backend : str
        "loky" for this machine, "dask" for a cluster.
    scheduler : str, optional
        Address of the cluster's scheduler.
    again : bool
        Whether to grade anew what has been graded.
    quiet : bool
        Whether to show no progress.

    Raises
    ------
    ValueError
        If there is nothing to grade, another run is at work, or a setting makes no sense.
    KeyboardInterrupt
        If stopped; what was graded until then stays.
    """
    _check(jobs, budget, backend, scheduler)
    folder = Path(folder).resolve()
    output = _output_of(folder, output)
    numbers = None if items is None else sorted(items)
    chosen = items_of(assignment, numbers)
    entries = gradebook.discover(folder)
    terms = {"assignment": assignment, "items": numbers, "budget": budget}
    terms["grader"] = gradebook.grader_version(assignment)
    with _lock(output) as run:
        if again:
            _forget(output, entries)
        records, orders = _sort_out(entries, terms, output, run)
        kept = len(records)
        if orders:
            with (
                _Progress(len(orders), kept, quiet) as progress,
                _workers(backend, scheduler, jobs) as crew,
            ):
                for record in _graded(crew, orders):
                    if record["state"] == "failed":  # all others are stored by their graders
                        gradebook.write_record(output, record)
                    records[record["key"]] = record
                    progress.step(record)
        in_order = [records[entry.key] for entry in entries]
        summary = Summary(in_order, kept, output / "scores.csv", output / "report.html")
        gradebook.write_table(in_order, [item.number for item in chosen], summary.table)
        write_report(in_order, assignment, summary.report)
        return summary


def _check(jobs: int | None, budget: float, backend: str, scheduler: str | None) -> None:
    """Refuse settings that make no sense."""
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
    if (backend == "dask") != (scheduler is not None):
        raise ValueError("the dask backend needs the scheduler's address, and only it takes one")
    if backend == "dask" and jobs is not None:
        raise ValueError("jobs is for this machine; a cluster grades on all workers it has")
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    if budget <= 0:
        raise ValueError(f"budget must be positive, got {budget}")


def _output_of(folder: Path, output: Path | None) -> Path:
    if output is None:
        return folder.with_name(f"{folder.name}-graded")
    output = Path(output).resolve()
    if output == folder or folder in output.parents:
        raise ValueError(f"the output must lie outside of the submissions' folder, got {output}")
    return output


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Let what asks a process to end stop it as Ctrl-C does."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    usual = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _lock(output: Path) -> Iterator[str]:
    """Keep other runs out of a folder; give this run's name, which its graders look for."""
    work_folder(output).mkdir(parents=True, exist_ok=True)
    with open(work_folder(output) / "lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another grade-all is at work on {output}") from None
        run = secrets.token_hex(8)
        write_atomically(run_file(output), run)
        try:
            sweep(output)
            yield run
        finally:
            sweep(output)


def _forget(output: Path, entries: list[Entry]) -> None:
    """Remove the records of these submissions."""
    for entry in entries:
        gradebook.record_path(output, entry.key).unlink(missing_ok=True)


def _sort_out(
    entries: list[Entry], terms: dict, output: Path, run: str
) -> tuple[dict[str, dict], list[dict]]:
    """Return the records that are still valid, and orders for everything else."""
    records, orders = {}, []
    for entry in entries:
        card, (digest, _) = entry.card(), gradebook.examine(entry.path, terms)
        record = gradebook.read_record(output, entry.key)
        if gradebook.is_final(record, digest):
            if record != record | card:  # a name was corrected, or a newer version came in
                record |= card
                gradebook.write_record(output, record)
            records[entry.key] = record
        else:
            order = {"card": card, "path": str(entry.path), "output": str(output), "run": run}
            orders.append({**order, "digest": digest, "terms": terms})
    # What was under way when a run was killed comes last: perhaps it was the reason.
    begun = Counter(key for what, key in read_log(output) if what == "begin")
    orders.sort(key=lambda order: begun[order["card"]["key"]])
    return records, orders


# --- work -----------------------------------------------------------------------------------------


# What has orders carried out, all at the same time: yields the records as they are done.
Crew = Callable[[list[dict]], Iterator[dict]]


@contextlib.contextmanager
def _workers(backend: str, scheduler: str | None, jobs: int | None) -> Iterator[Crew]:
    """Find workers, and let go of them at the end."""
    with contextlib.ExitStack() as stack:
        if backend == "dask":
            client = stack.enter_context(_client(scheduler))
            yield partial(_on_cluster, client)
        else:
            stack.callback(_end_local_workers)
            settings = {"n_jobs": jobs or -1, "initializer": _leave_ctrl_c_to_the_run}
            stack.enter_context(joblib.parallel_config(backend="loky", **settings))
            yield _on_this_machine


def _graded(crew: Crew, orders: list[dict]) -> Iterator[dict]:
    """Yield records as they are done; where workers die, give what they had to new ones."""
    waiting = {order["card"]["key"]: order for order in orders}
    fruitless = 0
    while waiting:
        before = len(waiting)
        try:
            for record in crew([*waiting.values()]):
                del waiting[record["key"]]
                yield record
        except BrokenProcessPool:
            fruitless = fruitless + 1 if len(waiting) == before else 0
            if fruitless == FRUITLESS:
                raise ValueError("workers die before they have graded anything") from None


def _on_this_machine(orders: list[dict]) -> Iterator[dict]:
    """Grade with joblib's processes."""
    # no more handed out than loky has room for: it stops with an error while others wait
    settings = {"return_as": "generator_unordered", "batch_size": 1, "pre_dispatch": "2*n_jobs"}
    yield from joblib.Parallel(**settings)(joblib.delayed(grade_one)(order) for order in orders)


def _leave_ctrl_c_to_the_run() -> None:
    """Let a worker go on when a terminal interrupts it too: the run ends its workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end_local_workers() -> None:
    """End joblib's processes, which would wait for more work, and with them their graders."""
    close_graders()  # with one job joblib starts no process: the grader is this one's
    get_reusable_executor().shutdown(wait=True, kill_workers=True)


def _client(scheduler: str):
    """Return a client of a Dask cluster."""
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise ValueError("the dask backend needs the packages dask and distributed") from None
    try:
        client = Client(scheduler, timeout=CONNECT)
    except (OSError, ValueError) as error:
        raise ValueError(f"no Dask scheduler at {scheduler} ({error})") from None
    try:
        client.submit(os.getpid, pure=False).result(timeout=CONNECT)
    except TimeoutError:
        client.close()
        raise ValueError(f"the Dask scheduler at {scheduler} has no workers") from None
    return client


def _on_cluster(client, orders: list[dict]) -> Iterator[dict]:
    """Grade on a cluster, by Dask itself.

    joblib's backend for Dask (1.6) hears of tasks that end well only: one that Dask gives up,
    because its workers died four times, would be waited for without end.
    """
    from distributed import as_completed

    futures = {client.submit(grade_one, order, pure=False): order for order in orders}
    for future in as_completed(list(futures)):
        order = futures.pop(future)
        if future.status == "error":
            why = f"Dask gave it up: {type(future.exception()).__name__}"
            yield gradebook.failed_record(order["card"], order["terms"], order["digest"], why)
            continue
        try:
            record = future.result()
        except (OSError, CancelledError):
            text = "the Dask scheduler was lost; the same command goes on from here"
            raise ValueError(text) from None
        yield record


# --- what is seen of it ---------------------------------------------------------------------------


class _Progress:
    """Says how far the class is: a bar on a terminal, else a line now and then."""

    def __init__(self, total: int, kept: int, quiet: bool) -> None:
        self.total, self.kept, self.quiet = total, kept, quiet
        self.done = self.failed = 0
        self.console = Console(stderr=True)
        self.bar: Progress | None = None

    def __enter__(self) -> "_Progress":
        self.start = self.spoken = time.monotonic()
        if self.quiet:
            return self
        if self.kept:
            self.console.print(f"{self.kept} submissions have been graded before")
        if self.console.is_terminal:
            columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
            self.bar = Progress(*columns, console=self.console)
            self.task = self.bar.add_task("starting", total=self.total)
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def step(self, record: dict) -> None:
        """Count a submission that is done."""
        self.done += 1
        self.failed += record["state"] == "failed"
        now = time.monotonic()
        if self.bar:
            self.bar.update(self.task, completed=self.done, description=self._words(now))
        elif not self.quiet and (now - self.spoken >= LINE_EVERY or self.done == self.total):
            self.spoken = now
            print(f"{self.done} of {self.total}, {self._words(now)}", file=sys.stderr, flush=True)

    def _words(self, now: float) -> str:
        """Say how fast it goes and for how long still."""
        passed = now - self.start
        left = _duration(passed / self.done * (self.total - self.done))
        words = f"{60 * self.done / passed:.1f} a minute, {left} left"
        return f"{words}, {self.failed} failed" if self.failed else words


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"
