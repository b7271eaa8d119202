"""Command line: python -m autograder grade PATH --assignment programming."""

import argparse
import sys
from pathlib import Path

from autograder.rubric import ASSIGNMENTS

FAULT = 2  # exit status when something could not be graded
ITEMS_HELP = "only these item numbers, for example 1.1a,1.1b"
STOPPED = 130  # when the user stopped it, as shells have it


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return 0, or 2 if not everything could be graded."""
    parser = argparse.ArgumentParser(prog="python -m autograder", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_grade(commands.add_parser("grade", help="grade one submission, a folder or a zip"))
    _add_grade_all(commands.add_parser("grade-all", help="grade a whole class in parallel"))
    _add_starter(commands.add_parser("starter", help="make the student edition"))
    _add_package(commands.add_parser("package", help="make the zips to upload to Gradescope"))
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return FAULT


def _numbers(text: str) -> list[str]:
    return [number.strip() for number in text.split(",")]


def _add_grade(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, help="the submission: a folder or a zip")
    parser.add_argument("--assignment", required=True, choices=ASSIGNMENTS)
    parser.add_argument("--results", type=Path, default=Path("results.json"))
    parser.add_argument("--items", type=_numbers, help=ITEMS_HELP)
    parser.add_argument("--budget", type=float, help="seconds for the whole submission")
    parser.add_argument("--quiet", action="store_true", help="do not print the table")
    parser.set_defaults(run=_grade)


def _grade(options: argparse.Namespace) -> int:
    from autograder.console import show
    from autograder.grading import grade_submission

    results = grade_submission(
        options.path, options.assignment, options.results, options.items, budget=options.budget
    )
    if not options.quiet:
        show(results)
        print(f"written to {options.results}")
    return FAULT if results["extra_data"].get("not_graded") else 0


def _add_grade_all(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="Gradescope's export, or folders and zips")
    parser.add_argument("--assignment", required=True, choices=ASSIGNMENTS)
    parser.add_argument("--output", type=Path, help="folder for the results (FOLDER-graded)")
    parser.add_argument("--jobs", type=int, help="submissions at a time (as many as cores)")
    parser.add_argument("--items", type=_numbers, help=ITEMS_HELP)
    parser.add_argument("--budget", type=float, help="seconds for each (as on Gradescope)")
    parser.add_argument("--backend", choices=("loky", "dask"), default="loky")
    parser.add_argument("--scheduler", help="address of a Dask scheduler")
    parser.add_argument("--again", action="store_true", help="grade anew what has been graded")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.set_defaults(run=_grade_all)


def _grade_all(options: argparse.Namespace) -> int:
    from autograder.grade_all import grade_all, stoppable

    names = ("jobs", "backend", "scheduler", "again", "quiet")
    settings = {name: getattr(options, name) for name in names}
    if options.budget is not None:
        settings["budget"] = options.budget
    try:
        with stoppable():
            summary = grade_all(
                options.folder,
                options.assignment,
                options.output,
                options.items,
                **settings,
            )
    except KeyboardInterrupt:
        print("stopped; the same command goes on with what is not graded yet", file=sys.stderr)
        return STOPPED
    if not options.quiet:
        print(summary)
    return 0 if summary.is_complete else FAULT


def _add_starter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("output", type=Path, help="folder for the student edition")
    parser.set_defaults(run=_starter)


def _starter(options: argparse.Namespace) -> int:
    from autograder.starter import build_starter

    for path in build_starter(options.output):
        print(path)
    return 0


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
