"""`DELTA_VERIFY_REPORT.md`: the verification's findings as a page for people."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from seedbed.soak.verify._verification import SoakVerification

__all__ = ["verification_page", "verification_shown"]


def verification_page(found: SoakVerification) -> str:
    """The page in Markdown, in the words of the files of former versions: they are compared with it byte for byte."""
    return "\n".join(_lines(found, _Words(_demand(found), "| | |", "iterations that broke the consumer's word"))) + "\n"


def verification_shown(found: SoakVerification) -> str:
    """The page as a terminal shows it: its table has a head, and its words are today's."""
    breaks = "iterations whose plant ran with other values than it said it held"
    return "\n".join(_lines(found, _Words(_demand_today(found), "| counted | result |", breaks))) + "\n"


@final
@dataclass(frozen=True, slots=True)
class _Words:
    """What the file and the terminal say differently."""

    demand: str
    head: str
    breaks: str


def _lines(found: SoakVerification, words: _Words) -> Iterator[str]:
    yield f"# Verification of soak {found.soak_id}"
    yield ""
    verdict, how = "PASSED" if found.passes else "NOT PASSED", "strict" if found.strict else "plain"
    yield f"**{verdict}**, {how}: {words.demand}"
    yield ""
    yield from _counts(found, words)
    yield "## Accusations"
    yield ""
    if found.clean:
        again = (
            "and the plant measured again gave the same samples" if found.repeated else "the plant was not asked again"
        )
        yield f"None: every hash, decision and outcome worked out anew from the logs is the one on file, {again}."
    for each in found.accusations:
        yield f"- **{each.flaw.value}**, {each.where}: {each.what}"


def _demand(found: SoakVerification) -> str:
    of = f"of what the guards let through, at least {found.threshold:.0%} of proposals must have"
    return f"{of}\nbeen seen in use whole."


def _demand_today(found: SoakVerification) -> str:
    """The demand, or that there is nothing to ask it of."""
    counted = found.tally
    if counted is None or counted.ratio is not None:
        return _demand(found)
    if not counted.skipped:
        return "no proposals were made, so there is none to be seen in use."
    held = "the one proposal was" if counted.skipped == 1 else f"all {counted.skipped} proposals were"
    return f"{held} held back by the guards, so there is none to be seen in use."


def _counts(found: SoakVerification, words: _Words) -> Iterator[str]:
    if found.tally is None:
        return
    counted = found.tally
    ratio = "no data" if counted.ratio is None else f"{counted.ratio:.3f}"
    coverage = "no data" if counted.skip_coverage is None else f"{counted.skip_coverage:.0%}"
    reasons = ", ".join(f"{name} {count}" for name, count in counted.skip_reasons.items()) or "none"
    rows = [
        ("iterations", counted.iterations),
        ("proposals seen in use whole", counted.full),
        ("in part", counted.partial),
        ("not at all", counted.failed),
        ("held back, with a reason", counted.skipped),
        ("full-apply ratio", ratio),
        ("iterations with a stuck signature", len(counted.stuck)),
        ("held-back deltas that say why", coverage),
        ("skip reasons", reasons),
        ("deltas by outcome", ", ".join(f"{name} {count}" for name, count in counted.outcomes.items() if count)),
        ("rolled back", counted.rollbacks),
        (words.breaks, len(counted.breaks)),
    ]
    yield words.head
    yield "|---|---|"
    yield from (f"| {name} | {value} |" for name, value in rows)
    yield ""
