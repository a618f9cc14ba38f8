"""What the commands share that ask a run for something: how its answers are shown, and with which code they end."""

from collections.abc import Callable
from contextlib import nullcontext
from math import inf
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from seedbed.cli.console._render import errors, out, print_json
from seedbed.contracts import RunStatus
from seedbed.errors import ExitCode

if TYPE_CHECKING:
    from seedbed.loop.steering import RemoteRun, RequestAnswer, RequestView

__all__ = [
    "ExpiresOption",
    "ProposerOption",
    "TimeoutOption",
    "WaitOption",
    "answer_json",
    "ask_and_show",
    "exit_code_of",
    "remote",
    "seconds_of",
]

WaitOption = Annotated[
    bool,
    typer.Option("--wait", help="Show the answers as they come, until the change is in use or the answer is final."),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", min=0, help="Wait so long at most, as --wait does; the request stands after that."),
]
ProposerOption = Annotated[str, typer.Option(metavar="NAME", help="Who asks: a name that the journal keeps.")]
ExpiresOption = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Do not carry it out any more once so many seconds have passed."),
]

_NO_ANSWER = {"UNKNOWN", "APPLIED", "SUPERSEDED"}
_COLOURS = {True: "green", False: "yellow"}


def remote(store: str, run: str) -> "RemoteRun":
    """The run that an argument names, as those see it who steer it."""
    from seedbed.cli.runs._select import find_running
    from seedbed.loop.steering import RemoteRun
    from seedbed.records import Store

    return RemoteRun(Store.open(store), find_running(store, run))


def seconds_of(wait: bool, timeout: float | None) -> float:
    """How long to wait for the answer: not at all without either option, and without a limit by --wait alone."""
    return (inf if wait else 0.0) if timeout is None else timeout


def ask_and_show(run: "RemoteRun", ask: "Callable[[], RequestView]", *, seconds: float, as_json: bool) -> None:
    """Ask, show the answers that come in so many seconds, and end the command with the code that the answer gives."""
    asked = ask()
    try:
        asked = _shown(run, asked, seconds=seconds, as_json=as_json)
    except KeyboardInterrupt:
        errors().print(
            Text(
                f"the request stands: the run will answer it; `seedbed changes requests {asked.run_id}` shows how, "
                f"`seedbed changes withdraw {asked.run_id} {asked.number}` takes it back"
            ),
            soft_wrap=True,
        )
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    if as_json:
        print_json(answer_json(asked))
    raise typer.Exit(exit_code_of(asked) if seconds else ExitCode.PASS)


def exit_code_of(asked: "RequestView") -> ExitCode:
    """0 for a change in use or a command that is done, 3 where nobody knows, 1 for everything else."""
    if asked.last is None or asked.last.state in _NO_ANSWER:
        return ExitCode.NO_ANSWER
    return ExitCode.PASS if asked.last.is_good else ExitCode.FAIL


def answer_json(asked: "RequestView") -> dict[str, object]:
    """A request with its answers, for machines."""
    request = asked.request.model_dump(mode="json", exclude={"schema_version", "nonce"})
    return {
        "project": asked.project,
        "run_id": asked.run_id,
        "request": asked.number,
        "state": asked.last.state if asked.last else None,
        "final": asked.last is not None and asked.last.is_final,
        "answers": [each.model_dump(mode="json", exclude={"schema_version"}) for each in asked.answers],
        **request,
    }


def _shown(run: "RemoteRun", asked: "RequestView", *, seconds: float, as_json: bool) -> "RequestView":
    if not as_json:
        errors().print(Text(f"request {asked.number} to {asked.run_id} of {asked.project}"))
    if seconds:
        return _waited(run, asked, seconds, as_json=as_json)
    if not as_json:
        again = f"seedbed changes requests {asked.run_id}"
        errors().print(Text(f"the run answers within a second or after its step; `{again}` shows it"), soft_wrap=True)
    return asked


def _waited(run: "RemoteRun", asked: "RequestView", seconds: float, *, as_json: bool) -> "RequestView":
    console, shown = errors(), 0
    with console.status(Text("waiting for the run to answer")) if console.is_terminal else nullcontext():
        for view in run.follow(asked, seconds):
            asked = view
            for answer in asked.answers[shown:]:
                _show(answer, as_json=as_json)
            shown = len(asked.answers)
    if not asked.is_settled and asked.status is RunStatus.RUNNING:
        again = f"seedbed changes requests {asked.run_id}"
        console.print(Text(f"{asked.told}; the request stands, `{again}` shows its answer"), soft_wrap=True)
    elif not asked.is_settled:
        is_carried_over = asked.request.what.kind == "propose"
        then = "the next attempt of the run answers it" if is_carried_over else "no other attempt does it"
        console.print(Text(f"{asked.told}; {'the request stands, and ' * is_carried_over}{then}"), soft_wrap=True)
    return asked


def _show(answer: "RequestAnswer", *, as_json: bool) -> None:
    console = errors() if as_json else out()
    console.print(Text.assemble((f"{answer.state.lower()}  ", _COLOURS[answer.is_good]), answer.told), soft_wrap=True)
