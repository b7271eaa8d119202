"""Grade mutants and enter what they lost into the kill matrix: ``python -m autograder.mutants``."""

import argparse
import sys
import time

from autograder.mutants.catalogue import CATALOGUE
from autograder.mutants.kill import MATRIX, kill_all, mistakes
from autograder.mutants.matrix import cells_in, cells_of, written
from autograder.results import write_atomically


def main() -> int:
    """Return 1 if a mutant lost other items than it should."""
    parser = argparse.ArgumentParser(prog="python -m autograder.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these mutants or files; other rows stay")
    parser.add_argument("--jobs", type=int, help="how many at a time (default: all cores)")
    parser.add_argument("--quick", action="store_true", help="leave out the slow items")
    options = parser.parse_args()
    unknown = set(options.names) - {name for m in CATALOGUE for name in (m.name, m.file)}
    if unknown:
        parser.error(f"no mutant or file is named {', '.join(sorted(unknown))}")
    chosen = [m for m in CATALOGUE if not options.names or {m.name, m.file} & set(options.names)]
    wrong, start = 0, time.monotonic()
    for mutant, outcome in kill_all(chosen, not options.quick, options.jobs):
        _enter(mutant.name, cells_of(outcome))
        problem = mistakes(mutant, outcome)
        wrong += bool(problem)
        lost = ", ".join(sorted(outcome.lost)) or "nothing"
        print(f"{mutant.name}: " + (f"WRONG: {problem}" if problem else f"lost {lost}"), flush=True)
    print(f"{len(chosen)} mutants, {wrong} wrong, {time.monotonic() - start:.0f} s")
    return int(wrong > 0)


def _enter(name: str, graded: dict[str, str]) -> None:
    """Put a row's new cells into the document, beside those it has; an interruption loses none."""
    cells = cells_in(MATRIX.read_text(encoding="utf-8")) if MATRIX.exists() else {}
    cells[name] = cells.get(name, {}) | graded
    write_atomically(MATRIX, written(cells, CATALOGUE))


if __name__ == "__main__":
    sys.exit(main())
