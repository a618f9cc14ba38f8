"""`seedbed runs quarantine`: what is lost is recorded as lost, and readers pass over it."""

from typing import Annotated

import typer
from rich.text import Text

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, ReasonOption, StoreOption
from seedbed.cli.console._render import out, print_json

__all__ = ["quarantine"]


def quarantine(
    record: Annotated[str, typer.Argument(metavar="RECORD", help="The path that `seedbed runs fsck` names.")],
    reason: ReasonOption = "",
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Record that a damaged or missing record is lost, so that it is no damage any more, and readers pass over it.

    Try `seedbed runs recover` and a copy of the store first. A tombstone takes
    the record's place; the damaged bytes are kept under quarantine/. A record
    that can be read, whose bytes may be whole, that `recover` brings back or
    that a later version wrote is refused. A step log or journal of a run
    stays as it is, and commands that read it still tell of the loss.

    \b
    Examples:
      seedbed runs quarantine log/flights/00000000000000000003.json --reason "the disk of May"
      seedbed runs quarantine runs/flights/r1/TRAINING/events.log --reason "no copy of it"
    """
    from seedbed.cli.runs.upkeep._refresh import refresh_catalog
    from seedbed.records import Store
    from seedbed.records import quarantine as record_as_lost

    opened = Store.open(store)
    kept = record_as_lost(opened, record, reason or "by hand")
    refresh_catalog(opened)
    if as_json:
        print_json({"record": record, "kept": kept})
    else:
        what = f"its bytes are kept at {kept}" if kept else "there were no bytes to keep"
        out().print(Text(f"{record} is recorded as lost, and is no damage any more; {what}"), soft_wrap=True)
