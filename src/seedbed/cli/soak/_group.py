"""`seedbed soak`: its commands put together."""

import typer

from seedbed.cli.soak._gate import gate
from seedbed.cli.soak._run import run
from seedbed.cli.soak._verify import verify

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True, help="Tune a running system in a closed loop, verify what was changed, and judge it."
)

for _command in (run, verify, gate):
    app.command()(_command)
