"""`seedbed runs fsck`: damage anywhere in a store, and its repair."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, StoreOption
from seedbed.cli.console._progress_bar import labelled_progress_bar
from seedbed.cli.console._render import out, print_json
from seedbed.errors import ExitCode
from seedbed.render.text._values import counted

if TYPE_CHECKING:
    from seedbed.records import Finding

__all__ = ["fsck"]

_SCHEMA_VERSION = 2  # in version 1 the key `repaired` was named `mended`


def fsck(
    repair: Annotated[
        bool, typer.Option("--repair", help="Repair derived files and remove leftovers; commits are never touched.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Check every record, blob, log and view of the store against its digest or its commit.

    Exits with 1 when acknowledged bytes are damaged. What a killed process
    leaves behind is listed, but is no damage.

    \b
    Examples:
      seedbed runs fsck
      seedbed runs fsck --repair
    """
    from seedbed.records import Store
    from seedbed.records import fsck as check
    from seedbed.records import repair as repair_store

    opened = Store.open(store)
    with labelled_progress_bar() as progress:
        repaired = repair_store(opened, progress=progress) if repair else []
        findings = check(opened, progress=progress)
    damaged = any(finding.kind.is_damage for finding in findings)
    if as_json:
        found = {"damaged": damaged, "repaired": _findings_json(repaired), "findings": _findings_json(findings)}
        print_json(found, schema_version=_SCHEMA_VERSION)
    else:
        out().print(_findings_text(repaired, findings), soft_wrap=True)
    raise typer.Exit(ExitCode.FAIL if damaged else ExitCode.PASS)


def _findings_json(findings: "Sequence[Finding]") -> list[dict[str, Any]]:
    """One object for each finding."""
    return [{**asdict(item), "kind": item.kind.value, "is_damage": item.kind.is_damage} for item in findings]


def _findings_text(repaired: "Sequence[Finding]", left: "Sequence[Finding]") -> Text:
    """What was repaired, then what is left, with what to do about each."""
    from seedbed.records import FindingKind

    lines = [
        Text.assemble(("repaired ", "green"), f"{item.kind.value}  {item.path}: {item.problem}") for item in repaired
    ]
    for item in left:
        style = "bold red" if item.kind.is_damage else "yellow"
        lines.append(Text.assemble((item.kind.value, style), f"  {item.path}: {item.problem}\n  {item.advice}"))
    num_torn = sum(item.kind is FindingKind.LOG_TORN for item in (*repaired, *left))
    num_accepted = sum(item.kind is FindingKind.QUARANTINED for item in left)
    if not any(item.kind.is_damage for item in left):
        but = f", but for {counted(num_accepted, 'file')} in quarantine" if num_accepted else ""
        said = "every acknowledged byte is there"
        if num_torn:  # of a tail, points that were logged
            said = f"a machine that stops may leave the end of {counted(num_torn, 'log')} torn, and all else is there"
        lines.append(Text(f"no damage: {said}{but}", style="green"))
    return Text("\n").join(lines)
