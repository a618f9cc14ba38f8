"""`seedbed changes requests`: what a run was asked from outside, and what it answered."""

from typing import TYPE_CHECKING

from rich.text import Text

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, RunningArgument, StoreOption
from seedbed.cli.console._render import out, print_json
from seedbed.render.text._layout import plain_table
from seedbed.render.text._values import moment

if TYPE_CHECKING:
    from seedbed.loop.steering import RunRequest

__all__ = ["requests"]


def requests(run: RunningArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show every request to a run, running or ended, with its newest answer.

    \b
    Examples:
      seedbed changes requests latest
      seedbed changes requests latest --json
    """
    from seedbed.cli.runs.steer._asking import answer_json, remote

    there = remote(store, run)
    asked = there.requests()
    if as_json:
        print_json({"run_id": there.view.run_id, "requests": [answer_json(each) for each in asked]})
        return
    if not asked:
        out().print(Text(f"{there.view.run_id} was asked for nothing"))
        return
    table = plain_table("request", "asked", "by", "what", "answer", numeric=("request",))
    for each in asked:
        cells = (str(each.number), moment(each.request.asked), each.request.proposer, _what(each.request), each.told)
        table.add_row(*map(Text, cells))
    out().print(table)


def _what(request: "RunRequest") -> str:
    from seedbed.loop.steering import Command, Proposal

    match request.what:
        case Proposal(name=name, op=op, value=value, why=why):
            return f"{name} {op.lower()} {value:g}: {why}"
        case Command(verb=verb):
            return str(verb.value)
        case withdrawal:
            return f"withdraw request {withdrawal.request}"
