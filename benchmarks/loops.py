"""Loops as people write them, each with a change half-way: what became of it by the weights, and by what was said.

    python benchmarks/loops.py [--json] [--only WORD]

Each case trains three times from one seed: alone, with the change made through Seedbed, and with the meant value set by
hand in every step. Where the weights first differ from those of the first, and where they leave those of the third, is
the truth; Seedbed is not asked for it. The exit code is 1 when a change was lost in silence, said to be lost and was
not, said to be effective at another step than the first that used it, or made although it was held back; when a loop
that does not lose a change by itself lost one; and when more than 5 are unknown, or one of torch's, transformers' or
timm's schedules.
"""

import argparse
import json
import logging
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import torch
from rich.console import Console
from rich.table import Table

from loop_cases import CASES
from loop_judging import UNDECIDED, WRONG, Verdict
from loop_measures import Row, measure
from loop_processes import measure_together

MOST_UNKNOWN = 5
LIBRARIES = ("torch's schedules", "transformers' schedules", "timm's schedules")

progress = Console(stderr=True, highlight=False)


def rows(only: str = "") -> Iterator[Row]:
    """The rows of the whole table, or those whose family and name hold the word."""
    chosen = [case for case in CASES if only in f"{case.family}: {case.name}"]
    for number, case in enumerate((case for case in chosen if not case.in_processes), 1):
        progress.print(f"{number}/{len(chosen)} {case.family}: {case.name}")
        yield measure(case)
    if together := [case for case in chosen if case.in_processes]:
        progress.print(f"{len(together)} in two processes")
        yield from measure_together(together)


def summary(found: Sequence[Row]) -> dict[str, object]:
    """The number of rows with each verdict, and what must not be."""
    return {
        "loops": len(found),
        **Counter(row.verdict.value for row in found),
        "silently_lost": _count(found, Verdict.SILENTLY_LOST),
        "falsely_accused": _count(found, Verdict.FALSELY_ACCUSED),
        "lost_although_the_loop_keeps_it": len(_lost(found)),
        "unknown_in_all": len(_undecided(found)),
        "unknown_of_libraries": sum(row.family in LIBRARIES for row in _undecided(found)),
    }


def is_good(found: Sequence[Row]) -> bool:
    """Whether the table is as it must be."""
    undecided = _undecided(found)
    are_few = len(undecided) <= MOST_UNKNOWN and not any(row.family in LIBRARIES for row in undecided)
    return are_few and not _lost(found) and not any(row.verdict in WRONG for row in found)


def _count(found: Sequence[Row], verdict: Verdict) -> int:
    return sum(row.verdict is verdict for row in found)


def _lost(found: Sequence[Row]) -> list[Row]:
    return [row for row in found if row.verdict is Verdict.FAILED and not row.can_lose]


def _undecided(found: Sequence[Row]) -> list[Row]:
    return [row for row in found if row.verdict in UNDECIDED]


def show(found: Sequence[Row]) -> None:
    """Print the table, the reasons of what is not effective, and the sums."""
    console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
    for family in dict.fromkeys(row.family for row in found):
        table = Table("loop", "used from", "lost from", "said", "verdict", title=family, title_justify="left")
        mine = [row for row in found if row.family == family]
        for row in mine:
            table.add_row(row.case, _step(row.truth.differs), _step(row.truth.strays), _said(row), row.verdict.value)
        console.print(table)
        for row in mine:
            if row.verdict is not Verdict.EFFECTIVE:
                console.print(f"  {row.case}: {row.said.reason}")
    console.print(json.dumps(summary(found)))


def _step(number: int | None) -> str:
    return "never" if number is None else str(number)


def _said(row: Row) -> str:
    said = row.said
    steps = [f"{name} {step}" for name, step in (("used", said.effective), ("lost", said.failed)) if step is not None]
    first = "an error" if said.raised else said.outcome.value if said.outcome else "refused"
    return ", ".join([first, *steps])


def main() -> int:
    """Print the table; 1 when it is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    parser.add_argument("--only", default="", metavar="NAME", help="only the loops with this in 'family: name'")
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable()  # the table tells it
    warnings.simplefilter("ignore")  # of the loops' own: a schedule's step before the first of the optimizer
    found = list(rows(options.only))
    if options.json:
        print(json.dumps({"summary": summary(found), "loops": [asdict(row) for row in found]}))
    else:
        show(found)
    return 0 if is_good(found) else 1


if __name__ == "__main__":
    sys.exit(main())
