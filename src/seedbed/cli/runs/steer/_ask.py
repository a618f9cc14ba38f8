"""`seedbed runs ask`: have a run save a checkpoint, pause, go on or stop."""

from typing import Annotated

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, RunningArgument, StoreOption
from seedbed.cli.runs.steer._asking import (
    ExpiresOption,
    ProposerOption,
    TimeoutOption,
    WaitOption,
    ask_and_show,
    remote,
    seconds_of,
)

__all__ = ["ask"]


def ask(
    run: RunningArgument,
    verb: Annotated[str, typer.Argument(metavar="checkpoint|pause|continue|stop", help="What the run is to do.")],
    wait: WaitOption = False,
    timeout: TimeoutOption = None,
    expires: ExpiresOption = None,
    proposer: ProposerOption = "outside",
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Ask a running training to save a checkpoint, to pause after its step, to continue, or to stop.

    It is asked of the attempt that runs now: none that resumes the run later
    does it. With --wait the command ends with 0 once it is done.

    \b
    Examples:
      seedbed runs ask latest checkpoint --wait
      seedbed runs ask latest pause
    """
    there = remote(store, run)
    ask_and_show(
        there,
        lambda: there.ask(verb, proposer=proposer, expires_seconds=expires),
        seconds=seconds_of(wait, timeout),
        as_json=as_json,
    )
