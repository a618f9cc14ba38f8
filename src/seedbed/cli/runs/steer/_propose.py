"""`seedbed changes propose`: ask a run that goes on to change one of its settings."""

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

__all__ = ["propose"]


def propose(
    run: RunningArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A setting, as `seedbed changes settings` shows it.")],
    why: Annotated[str, typer.Option(metavar="TEXT", help="The reason, recorded with the change.")],
    scale: Annotated[float | None, typer.Option(metavar="FACTOR", help="Multiply the live value by this.")] = None,
    set_to: Annotated[float | None, typer.Option("--set", metavar="VALUE", help="Set it to this value.")] = None,
    add: Annotated[float | None, typer.Option(metavar="VALUE", help="Add this to the live value.")] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="Refuse it if any setting has moved since this state, shown by `settings`."),
    ] = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = None,
    expires: ExpiresOption = None,
    proposer: ProposerOption = "outside",
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Ask a running training to change a setting, from any machine that may write to the store.

    The run looks between its steps, asks its guards, writes the change
    into its journal, applies it and reads it back. With --wait the command
    ends with 0 once a step used the new value, with 1 if it was held back
    or failed, and with 3 if there is no answer, as when the run ends.

    \b
    Examples:
      seedbed changes propose latest lr --scale 0.5 --why "noisy since step 12000" --wait
      seedbed changes propose latest lr --set 3e-4 --why "sweep" --proposer bandit --expires 60
    """
    from seedbed.loop.steering import asked_change

    change = asked_change(name, why, against=against, set=set_to, add=add, scale=scale)
    there = remote(store, run)
    ask_and_show(
        there,
        lambda: there.propose(change, proposer=proposer, expires_seconds=expires),
        seconds=seconds_of(wait, timeout),
        as_json=as_json,
    )
