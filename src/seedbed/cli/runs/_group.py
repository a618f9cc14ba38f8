"""`seedbed runs`: its commands put together."""

import typer

from seedbed.cli.console._commands import RunsGroup, ShownCommand
from seedbed.cli.runs._baselines import baselines
from seedbed.cli.runs._demote import demote
from seedbed.cli.runs._diff import diff
from seedbed.cli.runs._export import export_runs
from seedbed.cli.runs._import import import_runs
from seedbed.cli.runs._list import list_runs
from seedbed.cli.runs._promote import promote
from seedbed.cli.runs._show import show
from seedbed.cli.runs._steps import steps
from seedbed.cli.runs._trend import trend
from seedbed.cli.runs._why import why
from seedbed.cli.runs.steer._ask import ask
from seedbed.cli.runs.upkeep._end import end
from seedbed.cli.runs.upkeep._fsck import fsck
from seedbed.cli.runs.upkeep._gc import gc
from seedbed.cli.runs.upkeep._index import index
from seedbed.cli.runs.upkeep._merge import merge
from seedbed.cli.runs.upkeep._quarantine import quarantine
from seedbed.cli.runs.upkeep._recover import recover
from seedbed.cli.runs.upkeep._stats import stats
from seedbed.cli.runs.upkeep._verify import verify
from seedbed.cli.runs.upkeep._views import views

__all__ = ["app"]

app = typer.Typer(
    cls=RunsGroup,
    no_args_is_help=True,
    help="List, show and compare recorded runs, check their bytes, free disk space.",
)

app.command("list")(list_runs)
for _command in (show, diff, steps, why, trend, promote, demote, baselines, ask, end):
    app.command()(_command)
for _upkeep in (verify, fsck, recover, merge, quarantine, stats, gc, index, views):
    app.command()(_upkeep)
app.command("import")(import_runs)
app.command("export", cls=ShownCommand)(export_runs)
