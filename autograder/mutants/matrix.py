"""The kill matrix as a table: written from outcomes, and read again to be checked."""

from collections.abc import Collection, Iterable

from autograder.mutants.kill import Outcome, items_for
from autograder.mutants.submission import FILES, Mutant

LOST, KEPT, NOT_GRADED = "✗", "·", ""

INTRODUCTION = """\
# Kill matrix

Every row is a submission with one described mistake, from `autograder/mutants/`, as the grader
judged it: ✗ the item lost points, · it kept all of them, empty: not graded. Base r is a change
to the reference solution, base s to the second, plainly written one in
`autograder/mutants/student/`. The last rows of a table, named right-, are no mistakes, and must
keep everything. An item is judged as if the others were right, so a mistake costs its own item,
and where the three trainings of 60,000 iterations (1.2 to 1.4) run into it, those as well.

Written by `make mutants`; do not edit by hand.
"""


def written(outcomes: Iterable[tuple[Mutant, Outcome]]) -> str:
    """Return the document."""
    outcomes = list(outcomes)
    parts = [INTRODUCTION]
    for file in FILES:
        rows = [(mutant, outcome) for mutant, outcome in outcomes if mutant.file == file]
        if rows:
            parts.append(f"## {file}\n\n{_table(file, rows)}")
    return "\n".join(parts)


def _table(file: str, rows: list[tuple[Mutant, Outcome]]) -> str:
    items = [item for numbers in items_for(file, with_runs=True).values() for item in numbers]
    lines = [["mutant", "base", "mistake", *items], ["---"] * (3 + len(items))]
    for mutant, outcome in rows:
        lines.append([mutant.name, mutant.base[0], mutant.why, *(_cell(i, outcome) for i in items)])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _cell(item: str, outcome: Outcome) -> str:
    if item not in outcome.full:
        return NOT_GRADED
    return LOST if item in outcome.lost else KEPT


def disagreements(document: str, mutants: Collection[Mutant]) -> list[str]:
    """Return where a document differs from what the catalogue says, one sentence each."""
    found, seen = [], []
    by_name = {mutant.name: mutant for mutant in mutants}
    for name, base, why, graded in _rows(document):
        seen.append(name)
        mutant = by_name.get(name)
        if mutant is None:
            found.append(f"{name} is no longer in the catalogue")
            continue
        if (base, why) != (mutant.base[0], mutant.why):
            found.append(f"{name} is described otherwise in the catalogue")
        lost = {item for item, cell in graded.items() if cell == LOST}
        if lost != mutant.loses & set(graded):
            found.append(f"{name} lost {sorted(lost)}, should lose {sorted(mutant.loses)}")
        missing = {i for numbers in items_for(mutant.file, False).values() for i in numbers}
        if not missing <= set(graded):
            found.append(f"{name} was not graded on {sorted(missing - set(graded))}")
    in_order = [m.name for file in FILES for m in mutants if m.file == file]
    if [name for name in seen if name in by_name] != [name for name in in_order if name in seen]:
        found.append("the rows are not in the catalogue's order")
    return found + [f"{name} has no row" for name in by_name if name not in seen]


def _rows(document: str) -> Iterable[tuple[str, str, str, dict[str, str]]]:
    """Give every row's name, base, mistake, and the cells of the items it was graded on."""
    items: list[str] = []
    for line in document.splitlines():
        if not line.startswith("|") or line.startswith("| ---"):
            continue
        name, base, why, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        if name == "mutant":
            items = cells
        else:
            graded = dict(zip(items, cells, strict=True))
            yield name, base, why, {i: c for i, c in graded.items() if c != NOT_GRADED}
