"""`seedbed changes withdraw`: take a request back that a run has not carried out yet."""

from typing import Annotated

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, RunningArgument, StoreOption
from seedbed.cli.runs.steer._asking import ProposerOption, TimeoutOption, WaitOption, ask_and_show, remote, seconds_of

__all__ = ["withdraw"]


def withdraw(
    run: RunningArgument,
    request: Annotated[int, typer.Argument(metavar="REQUEST", min=1, help="The number of the request.")],
    wait: WaitOption = False,
    timeout: TimeoutOption = None,
    proposer: ProposerOption = "outside",
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Take back a request to a run.

    A change that is made already stands, and is undone by proposing the way
    back; but a resume that loses it does not repeat it then.

    \b
    Examples:
      seedbed changes withdraw latest 3
    """
    there = remote(store, run)
    ask_and_show(
        there, lambda: there.withdraw(request, proposer=proposer), seconds=seconds_of(wait, timeout), as_json=as_json
    )
