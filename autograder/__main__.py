"""Command line: python -m autograder grade PATH --assignment programming."""

import argparse
import sys
from pathlib import Path

from autograder.rubric import ASSIGNMENTS

FAULT = 2  # exit status when something could not be graded


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return 0, or 2 if not everything could be graded."""
    parser = argparse.ArgumentParser(prog="python -m autograder", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_grade(commands.add_parser("grade", help="grade one submission, a folder or a zip"))
    _add_package(commands.add_parser("package", help="make the zips to upload to Gradescope"))
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return FAULT


def _add_grade(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, help="the submission: a folder or a zip")
    parser.add_argument("--assignment", required=True, choices=ASSIGNMENTS)
    parser.add_argument("--results", type=Path, default=Path("results.json"))
    parser.add_argument("--items", help="only these item numbers, for example 1.1a,1.1b")
    parser.add_argument("--budget", type=float, help="seconds for the whole submission")
    parser.add_argument("--quiet", action="store_true", help="do not print the table")
    parser.set_defaults(run=_grade)


def _grade(options: argparse.Namespace) -> int:
    from autograder.console import show
    from autograder.grading import grade_submission

    items = None if options.items is None else [n.strip() for n in options.items.split(",")]
    results = grade_submission(
        options.path, options.assignment, options.results, items, budget=options.budget
    )
    if not options.quiet:
        show(results)
        print(f"written to {options.results}")
    return FAULT if results["extra_data"].get("not_graded") else 0


def _add_package(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, default=Path("build"), help="folder for the zips")
    parser.add_argument("--assignment", choices=ASSIGNMENTS, help="only this one")
    parser.set_defaults(run=_package)


def _package(options: argparse.Namespace) -> int:
    from autograder.package import build

    for assignment in [options.assignment] if options.assignment else ASSIGNMENTS:
        path = build(assignment, options.output)
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
