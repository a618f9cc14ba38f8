"""`seedbed runs end`: end a run whose process nobody can see any more."""

from rich.text import Text

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, ReasonOption, RunArgument, StoreOption
from seedbed.cli.console._render import out, print_json

__all__ = ["end"]


def end(
    run: RunArgument, reason: ReasonOption = "", store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False
) -> None:
    """End a run that counts as running although its machine is gone.

    A run of another machine counts as running while its last heartbeat is
    younger than a minute; if that machine's clock was ahead, it does so for
    long. Ended, it can be started again. Refused for a run whose process is
    alive on this machine: stop that process. Refused, too, where the last
    heartbeat is not in the future: stop the process there, or wait a minute.

    \b
    Examples:
      seedbed runs end 20260728-101500-421 --reason "the node was taken away"
    """
    from seedbed.cli.runs._select import find_run
    from seedbed.records import Store

    ended = Store.open(store).end(find_run(store, run), reason or "ended by hand")
    if as_json:
        print_json({"run_id": ended.run_id, "project": ended.project, "stage": ended.stage, "status": ended.status})
    else:
        out().print(Text(f"{ended.run_id}:{ended.stage} of {ended.project} is {ended.status}: {ended.reason}"))
