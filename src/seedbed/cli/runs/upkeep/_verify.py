"""`seedbed runs verify`: are the bytes of a run still those that its commit recorded?"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, RunArgument, StoreOption
from seedbed.cli.console._render import errors, out, print_json
from seedbed.errors import ExitCode, StoreCorrupt
from seedbed.render.text._layout import plain_table
from seedbed.render.text._values import compact

if TYPE_CHECKING:
    from seedbed.records import DigestCheck

__all__ = ["verify"]

_SCHEMA_VERSION = 2  # in version 1 the key `is_expired` of a check was named `is_released`

_SHORT, _WHOLE = 13, 200


def verify(run: RunArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Compute every digest of a run again, and compare it with the one in its commit. Exits with 1 when one differs.

    \b
    Examples:
      seedbed runs verify latest
    """
    from seedbed.cli.runs._select import find_finished
    from seedbed.records import Store
    from seedbed.records import verify as recompute

    try:
        view, _ = find_finished(store, run)
        checks = recompute(Store.open(store), view)
    except StoreCorrupt as damage:  # the log itself cannot be read, so the run does not verify
        if as_json:
            print_json(
                {"run": run, "holds": False, "problem": str(damage), "checks": []}, schema_version=_SCHEMA_VERSION
            )
        errors().print(f"{damage}; `seedbed runs fsck` lists all damage", soft_wrap=True)
        raise typer.Exit(ExitCode.FAIL) from None
    holds = all(check.holds for check in checks)
    if as_json:
        print_json(
            {"run": view.run_id, "holds": holds, "checks": _digests_json(checks)}, schema_version=_SCHEMA_VERSION
        )
    else:
        out().print(_digests_table(checks))
    raise typer.Exit(ExitCode.PASS if holds else ExitCode.FAIL)


def _digests_json(checks: "Sequence[DigestCheck]") -> list[dict[str, Any]]:
    """One object for each digest."""
    return [{**asdict(check), "holds": check.holds} for check in checks]


def _digests_table(checks: "Sequence[DigestCheck]") -> Table:
    """One line for each digest; one that differs is shown whole."""
    table = plain_table("digest of", "", "recorded", "found")
    for check in checks:
        width = _SHORT if check.expected == check.found else _WHOLE
        table.add_row(check.name, _word(check), compact(check.expected, _SHORT), compact(check.found, width))
    return table


def _word(check: "DigestCheck") -> Text:
    if check.is_expired:
        return Text("expired", style="yellow")
    return Text("holds", style="green") if check.holds else Text("differs", style="bold red")
