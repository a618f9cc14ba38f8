"""`seedbed init`: write a configuration file to start from."""

from pathlib import Path
from typing import Annotated

import typer

from seedbed.cli.console._render import errors
from seedbed.cli.console._where import place
from seedbed.errors import Conflict

__all__ = ["TEMPLATE", "init"]

TEMPLATE = Path(__file__).with_name("template.yaml")


def init(
    former: Annotated[Path | None, typer.Argument(metavar="PATH", hidden=True)] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write it; by default seedbed.yaml.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a configuration file that holds every default, with a comment on each.

    \b
    Examples:
      seedbed init
      seedbed init --out flights.yaml --force
    """
    from seedbed.records.storage import create, replace

    path = place(out, former, "PATH") or Path("seedbed.yaml")
    content = TEMPLATE.read_bytes()
    try:
        (replace if force else create)(path, content)
    except FileExistsError:
        raise Conflict(f"{path} exists; choose another name, or overwrite it with --force") from None
    errors().print(f"wrote {path}; edit it, then: seedbed train EVENTS --config {path}", soft_wrap=True)
