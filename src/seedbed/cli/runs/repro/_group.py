"""`seedbed repro`: its commands put together."""

import typer

from seedbed.cli.runs.repro._commands import repeat, replay, resume

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="Run a training script twice, and name the first step and tensor that differ, bit by bit.",
)

for _command in (repeat, replay, resume):
    app.command()(_command)
