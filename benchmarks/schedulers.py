"""Every kind of change under each of PyTorch's schedules, with and without a resume: held, or refused with the reason.

    python benchmarks/schedulers.py [--json] [--only WORD]

Beside each, the table shows what is left of a plain assignment (`group["lr"] = value`, `requires_grad_(False)` and so
on) 1 and 10 steps later, in the same run: kept, or the number found and the number expected. measure_schedulers.py says
how a cell is measured. The exit code is 1 when a change was lost.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

import torch
from rich.console import Console
from rich.table import Table

from measure_schedulers import LOOKED_AT, Cell, measure
from scheduler_changes import CHANGES
from scheduler_loops import SCHEDULES

progress = Console(stderr=True, highlight=False)


def cells(only: str = "") -> Iterator[Cell]:
    """The cells of the whole table, or of the changes that have the word in their name."""
    for change in (name for name in CHANGES if only in name):
        progress.print(change)
        for schedule in SCHEDULES:
            for resume in (False, True):
                yield measure(change, schedule, resume=resume)


def show(found: list[Cell]) -> None:
    """Print one table for each kind of change."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    for change in dict.fromkeys(cell.change for cell in found):
        table = Table("schedule", "changed", "and resumed", title=change)
        for steps in LOOKED_AT:
            table.add_column(f"plain, {steps} later")
        table.add_column(f"plain, resumed, {LOOKED_AT[-1]} later")
        mine = [cell for cell in found if cell.change == change]
        for once, resumed in zip(mine[::2], mine[1::2], strict=True):
            plain = [_plain(once, steps) for steps in LOOKED_AT]
            table.add_row(once.schedule, once.verdict, resumed.verdict, *plain, _plain(resumed, LOOKED_AT[-1]))
        console.print(table)
        for reason in dict.fromkeys(cell.reason for cell in mine if cell.reason):
            console.print(f"  {reason}", highlight=False)
    console.print(json.dumps(summary(found)))


def summary(found: list[Cell]) -> dict[str, object]:
    """The number of cells with each verdict, and how often the plain assignment was lost."""
    once, resumed = ([cell for cell in found if cell.resume is resume] for resume in (False, True))
    lost = {f"plain_lost_{steps}_later": sum(not cell.plain_kept(steps) for cell in once) for steps in LOOKED_AT}
    return {
        "cells": len(found),
        **Counter(cell.verdict for cell in found),
        "silently_lost": sum(cell.silent for cell in found),
        "plain_cells": len(once),
        **lost,
        f"plain_resumed_lost_{LOOKED_AT[-1]}_later": sum(not cell.plain_kept(LOOKED_AT[-1]) for cell in resumed),
    }


def _plain(cell: Cell, steps: int) -> str:
    found, meant, _ = cell.plain[steps]
    return "kept" if cell.plain_kept(steps) else f"{found:.3g} for {meant:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what happens to a change under each of PyTorch's schedules.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    parser.add_argument("--only", default="", metavar="WORD", help="only the changes with this word in their name")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = list(cells(options.only))
    if options.json:
        rows = [asdict(cell) | {"plain_kept": {n: cell.plain_kept(n) for n in LOOKED_AT}} for cell in found]
        print(json.dumps({"summary": summary(found), "cells": rows}))
    else:
        show(found)
    sys.exit(any(cell.verdict == "lost" for cell in found))


if __name__ == "__main__":
    main()
