"""A table of results for the terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text


def show(results: dict, console: Console | None = None) -> None:
    """Print results as a table, coloured where the terminal has colours.

    Parameters
    ----------
    results : dict
        Gradescope's results.
    console : rich.console.Console, optional
    """
    console = console or Console()
    table = Table(title=results["extra_data"]["assignment"], show_lines=False)
    for column, justify in (("item", "left"), ("score", "right"), ("of", "right"), ("s", "right")):
        table.add_column(column, justify=justify, no_wrap=True)
    table.add_column("what came out")
    for test in results["tests"]:
        style = _style(test)
        seconds = test["extra_data"].get("seconds", 0)
        table.add_row(
            Text(test["number"], style),
            Text(f"{test['score']:g}", style),
            f"{test['max_score']:g}",
            f"{seconds:.1f}",
            Text(f"{test['name']}\n{test['output']}" if style != "green" else test["name"]),
        )
    console.print(table)
    score = sum(test["score"] for test in results["tests"])
    total = sum(test["max_score"] for test in results["tests"])
    console.print(Text(f"{score:g} of {total:g} {results['extra_data']['unit']}", "bold"))
    console.print(Text(results["output"]))


def _style(test: dict) -> str:
    if test["status"] == "passed":
        return "green"
    return "yellow" if test["score"] > 0 else "red"
