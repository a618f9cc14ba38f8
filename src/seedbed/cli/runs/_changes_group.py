"""`seedbed changes`: its commands put together."""

import typer

from seedbed.cli.runs._changes_replay import replay
from seedbed.cli.runs._changes_show import show

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True, help="Show the changes that were made during a run, or repeat the run with them."
)

for _command in (show, replay):
    app.command()(_command)
