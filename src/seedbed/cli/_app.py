"""The `seedbed` command: all commands put together, and every error turned into one sentence and an exit code."""

import sys
from collections.abc import Sequence
from textwrap import fill
from typing import Annotated, NoReturn

import typer
from rich.text import Text

from seedbed import __version__
from seedbed._before_torch import prepare_environment
from seedbed.cli._doctor import doctor
from seedbed.cli._gate import gate
from seedbed.cli._report import report
from seedbed.cli.console._commands import ShownCommand
from seedbed.cli.console._damage import damage_shown
from seedbed.cli.console._docs import docs
from seedbed.cli.console._render import errors, out
from seedbed.cli.runs import _changes_group as _changes
from seedbed.cli.runs import _group as _runs
from seedbed.cli.runs.repro import _group as _repro
from seedbed.cli.soak import _group as _soak
from seedbed.cli.training._demo import demo
from seedbed.cli.training._init import init
from seedbed.cli.training._shard import shard
from seedbed.cli.training._train import train
from seedbed.errors import EXIT_CODES, ExitCode, SeedbedError

__all__ = ["app", "main"]

_TRACEBACK = "--traceback"

_CODES = fill(f"Exit codes: {'; '.join(f'{code} {meaning}' for code, meaning in EXIT_CODES.items())}.", width=76)
_HELP = f"""Train PyTorch models that change while they train, and prove every change.

\b
Start here:
  seedbed doctor            check which accelerations run on this machine
  seedbed demo              train, change, record and judge, in minutes
  seedbed runs list         see what was recorded
\b
{_CODES}
"""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _version(wanted: bool) -> None:
    if wanted:
        out().print(f"seedbed {__version__}")
        raise typer.Exit


@app.callback(help=_HELP)
def _root(
    traceback: Annotated[
        bool, typer.Option(_TRACEBACK, help="Show the traceback of an error. Works anywhere in the command.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The options of `seedbed` itself."""


for _command in (demo, train, init, shard, doctor, gate, report, docs):
    app.command(cls=ShownCommand)(_command)
app.add_typer(_runs.app, name="runs")
app.add_typer(_changes.app, name="changes")
app.add_typer(_repro.app, name="repro")
app.add_typer(_soak.app, name="soak")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the `seedbed` command with `arguments` (the process's own by default) and exit with its code."""
    prepare_environment()
    given = sys.argv[1:] if arguments is None else arguments
    wanted = [argument for argument in given if argument != _TRACEBACK]
    with damage_shown(errors()) as damage:
        code = _run(wanted, with_traceback=_TRACEBACK in given)
    # An answer over records that were passed over is no whole answer; what trains or judges one run goes on.
    shows = wanted[:1] in (["runs"], ["changes"], ["report"])
    sys.exit(ExitCode.FAIL if damage and not code and shows else code)


def _run(wanted: Sequence[str], *, with_traceback: bool) -> str | int | None:
    try:
        app(wanted, prog_name="seedbed")
    except SystemExit as end:
        return end.code
    except Exception as error:
        return _explain(error, with_traceback=with_traceback)
    return ExitCode.PASS


def _explain(error: Exception, *, with_traceback: bool) -> int:
    """Print on stderr what failed, and return the exit code."""
    console = errors()
    if with_traceback:
        console.print_exception()
    expected = isinstance(error, SeedbedError)
    title = "error" if expected else "internal error"
    text = str(error) if expected else f"{type(error).__name__}: {error}"
    console.print(Text.assemble((f"{title}: ", "bold red"), text), soft_wrap=True)
    for note in getattr(error, "__notes__", ()):
        console.print(Text(note), soft_wrap=True)
    if not expected:
        console.print("This is a bug in Seedbed. Run the command again with --traceback, and report what it shows.")
    return error.exit_code if isinstance(error, SeedbedError) else ExitCode.INTERNAL_ERROR
