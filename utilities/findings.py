"""What a check found, and the table that shows it."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

PASS, WARNING, FAIL, SKIPPED = "pass", "warning", "fail", "skipped"
COLOURS = {PASS: "green", WARNING: "yellow", FAIL: "bold red", SKIPPED: "dim"}
PIPE_WIDTH = 160  # columns where the output is no terminal


@dataclass(frozen=True)
class Finding:
    """The result of one check of one file, with one line of advice unless it passed."""

    status: str
    file: str
    check: str
    advice: str = ""


def finding(file: str, check: str, problems: list[str], status: str = FAIL) -> Finding:
    """Return a pass without problems, else the first problem and how many there are.

    Parameters
    ----------
    file, check : str
        What was checked, and for what.
    problems : list of str
    status : str
        What a problem amounts to.
    """
    if not problems:
        return Finding(PASS, file, check)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Finding(status, file, check, problems[0] + more)


def print_findings(findings: Iterable[Finding], title: str) -> None:
    """Print a table of findings, the checks that a file passed in one row, and a last line."""
    findings = list(findings)
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("result", "file", "check", "advice"):
        table.add_column(column, overflow="fold")
    for file, of_file in groupby(findings, key=lambda found: found.file):
        of_file = list(of_file)
        passed = [found.check for found in of_file if found.status == PASS]
        if passed:
            checks = f"all {len(of_file)}" if len(passed) == len(of_file) else ", ".join(passed)
            table.add_row(Text(PASS, COLOURS[PASS]), Text(file), Text(checks), "")
        for found in of_file:
            if found.status != PASS:
                status = Text(found.status, COLOURS[found.status])
                table.add_row(status, Text(file), Text(found.check), Text(found.advice))
    console.print(table)
    print(summary(findings))


def summary(findings: Iterable[Finding]) -> str:
    """Return how many checks ended how, in one line."""
    statuses = [found.status for found in findings]
    counts = [f"{statuses.count(s)} {s}" for s in (PASS, WARNING, FAIL, SKIPPED) if s in statuses]
    return "Checks: " + ", ".join(counts)


def is_good(findings: Iterable[Finding]) -> bool:
    """Tell whether nothing failed."""
    return all(found.status != FAIL for found in findings)
