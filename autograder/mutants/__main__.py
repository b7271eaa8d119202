"""Grade all mutants and write the kill matrix: ``python -m autograder.mutants``."""

import argparse
import sys
import time

from autograder.mutants.catalogue import CATALOGUE
from autograder.mutants.kill import MATRIX, ON_THE_RUNS, kill_all, mistakes
from autograder.mutants.matrix import written


def main() -> int:
    """Return 1 if a mutant lost other items than it should."""
    parser = argparse.ArgumentParser(prog="python -m autograder.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these mutants; the matrix stays as it is")
    parser.add_argument("--jobs", type=int, help="how many at a time (default: all cores)")
    parser.add_argument("--no-runs", action="store_true", help="leave the long trainings out")
    options = parser.parse_args()
    unknown = set(options.names) - {mutant.name for mutant in CATALOGUE}
    if unknown:
        parser.error(f"no mutant is named {', '.join(sorted(unknown))}")
    chosen = [m for m in CATALOGUE if not options.names or m.name in options.names]
    runs = () if options.no_runs else ON_THE_RUNS
    outcomes, wrong, start = [], 0, time.monotonic()
    for mutant, outcome in kill_all(chosen, runs, options.jobs):
        outcomes.append((mutant, outcome))
        problem = mistakes(mutant, outcome)
        wrong += bool(problem)
        lost = ", ".join(sorted(outcome.lost)) or "nothing"
        print(f"{mutant.name}: " + (f"WRONG: {problem}" if problem else f"lost {lost}"), flush=True)
    print(f"{len(chosen)} mutants, {wrong} wrong, {time.monotonic() - start:.0f} s")
    if not options.names and not options.no_runs:
        MATRIX.write_text(written(outcomes), encoding="utf-8")
        print(f"wrote {MATRIX.name}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
