"""`seedbed changes`: its commands put together."""

import typer

from seedbed.cli.runs._changes_replay import replay
from seedbed.cli.runs._changes_show import show
from seedbed.cli.runs.steer._propose import propose
from seedbed.cli.runs.steer._requests import requests
from seedbed.cli.runs.steer._settings import settings
from seedbed.cli.runs.steer._withdraw import withdraw

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="Show the changes that were made during a run, propose one to a run that goes on, or repeat a run with them.",
)

for _command in (show, settings, propose, withdraw, requests, replay):
    app.command()(_command)
