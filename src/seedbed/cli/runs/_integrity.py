"""Digests and damage, as a person and as a program reads them."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from seedbed.cli.console._render import compact, plain_table
from seedbed.records import DigestCheck, Finding

__all__ = ["digests_json", "digests_table", "findings_json", "findings_text"]

_SHORT, _WHOLE = 13, 200


def digests_json(checks: Sequence[DigestCheck]) -> list[dict[str, Any]]:
    """One object a digest."""
    return [{**asdict(check), "holds": check.holds} for check in checks]


def digests_table(checks: Sequence[DigestCheck]) -> Table:
    """One line a digest; of one that does not hold, all that was found instead."""
    table = plain_table("digest of", "", "recorded", "found")
    for check in checks:
        width = _SHORT if check.expected == check.found else _WHOLE
        table.add_row(check.name, _word(check), compact(check.expected, _SHORT), compact(check.found, width))
    return table


def _word(check: DigestCheck) -> Text:
    if check.is_expired:
        return Text("let go", style="yellow")
    return Text("holds", style="green") if check.holds else Text("differs", style="bold red")


def findings_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """One object a finding."""
    return [{**asdict(item), "kind": item.kind.value, "is_damage": item.kind.is_damage} for item in findings]


def findings_text(mended: Sequence[Finding], left: Sequence[Finding]) -> Text:
    """What was mended, then what is left, with what to do about each."""
    lines = [Text.assemble(("mended ", "green"), f"{item.kind.value}  {item.path}: {item.problem}") for item in mended]
    for item in left:
        style = "bold red" if item.kind.is_damage else "yellow"
        lines.append(Text.assemble((item.kind.value, style), f"  {item.path}: {item.problem}\n  {item.advice}"))
    if not any(item.kind.is_damage for item in left):
        lines.append(Text("no damage: every acknowledged byte is there", style="green"))
    return Text("\n").join(lines)
