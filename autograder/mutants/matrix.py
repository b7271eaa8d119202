"""The kill matrix as a table: written from outcomes, and read again to be checked."""

from collections.abc import Collection, Iterator

from autograder.mutants.kill import SLOW, Outcome, items_for
from autograder.mutants.submission import FILES, Mutant

LOST, KEPT, NOT_GRADED = "✗", "·", ""

INTRODUCTION = """\
# Kill matrix

Every row is a submission with one described mistake, from `autograder/mutants/`, as the grader
judged it: ✗ the item lost points, · it kept all of them, empty: not graded. Base r is a change
to the reference solution, base s to the second, plainly written one in
`autograder/mutants/student/`. The last rows of a table, named right-, are no mistakes, and must
keep everything. An item is judged as if the others were right, so a mistake costs its own item,
and where the three trainings of 60,000 iterations (1.2 to 1.4) or the forests of the bean data
(3.2, 3.4) run into it, those as well. On these slow items only a sample is graded.

Written by `make mutants`; do not edit by hand.
"""


Cells = dict[str, str]  # by item: LOST or KEPT; items that were not graded are missing


def cells_of(outcome: Outcome) -> Cells:
    """Return a row's cells."""
    return {item: LOST if item in outcome.lost else KEPT for item in outcome.full}


def cells_in(document: str) -> dict[str, Cells]:
    """Return the cells of every row of a document, by the mutant's name."""
    return {name: cells for name, _, _, cells in _rows(document)}


def written(cells: dict[str, Cells], mutants: Collection[Mutant]) -> str:
    """Return the document with a row for each mutant that has cells."""
    parts = [INTRODUCTION]
    for file in FILES:
        rows = [mutant for mutant in mutants if mutant.file == file and mutant.name in cells]
        if rows:
            parts.append(f"## {file}\n\n{_table(file, rows, cells)}")
    return "\n".join(parts)


def _table(file: str, rows: list[Mutant], cells: dict[str, Cells]) -> str:
    items = [item for numbers in items_for(file, SLOW).values() for item in numbers]
    lines = [["mutant", "base", "mistake", *items], ["---"] * (3 + len(items))]
    for mutant in rows:
        graded = [cells[mutant.name].get(item, NOT_GRADED) for item in items]
        lines.append([mutant.name, mutant.base[0], mutant.why, *graded])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def disagreements(document: str, mutants: Collection[Mutant]) -> list[str]:
    """Return where a document differs from what the catalogue says, one sentence each."""
    found, seen, lost_by_any = [], [], set()
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
        lost_by_any |= lost
        if lost != mutant.loses & set(graded):
            found.append(f"{name} lost {sorted(lost)}, should lose {sorted(mutant.loses)}")
        missing = {i for numbers in items_for(mutant.file).values() for i in numbers}
        if not missing <= set(graded):
            found.append(f"{name} was not graded on {sorted(missing - set(graded))}")
    in_order = [m.name for file in FILES for m in mutants if m.file == file]
    if [name for name in seen if name in by_name] != [name for name in in_order if name in seen]:
        found.append("the rows are not in the catalogue's order")
    spared = set().union(*(mutant.loses for mutant in mutants)) - lost_by_any
    found += [f"no mutant lost {item}" for item in sorted(spared)]
    return found + [f"{name} has no row" for name in by_name if name not in seen]


def _rows(document: str) -> Iterator[tuple[str, str, str, Cells]]:
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
