"""`seedbed init`: write a configuration file to start from."""

from pathlib import Path
from typing import Annotated

import typer

from seedbed.cli.console._render import errors
from seedbed.errors import Conflict

__all__ = ["TEMPLATE", "init"]

TEMPLATE = Path(__file__).with_name("template.yaml")


def init(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Where to write it.")] = Path("seedbed.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a configuration file that holds every default, with a comment on each.

    \b
    Examples:
      seedbed init
      seedbed init flights.yaml --force
    """
    from seedbed.records.storage import create, replace

    content = TEMPLATE.read_bytes()
    try:
        (replace if force else create)(path, content)
    except FileExistsError:
        raise Conflict(f"{path} exists; choose another name, or overwrite it with --force") from None
    errors().print(f"wrote {path}; edit it, then: seedbed train EVENTS --config {path}", soft_wrap=True)
