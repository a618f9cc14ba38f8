"""The calls of those who ask: one line each, from any process that may write to the store of the run.

seedbed.propose("20261130-101500-421-ab12", "lr", scale=0.5, why="the loss is noisy", store="s3://bucket/runs")
"""

from pathlib import Path

from seedbed.loop.steering._remote import DEFAULT_PROPOSER, RemoteRun, RequestView, asked_change
from seedbed.loop.steering._request import Verb
from seedbed.records import Store

__all__ = ["ask", "propose", "withdraw"]


def propose(
    run: str,
    name: str,
    *,
    why: str,
    set: float | None = None,  # noqa: A002  the word of `Run.propose`
    add: float | None = None,
    scale: float | None = None,
    against: str | None = None,
    expires: float | None = None,
    proposer: str = DEFAULT_PROPOSER,
    wait: float | None = None,
    store: Store | Path | str | None = None,
) -> RequestView:
    """Ask a run that goes on to change one of its settings; returns the request with the answers so far.

    `name` is the whole or short name of a setting, as `seedbed changes settings RUN` shows them. It is `set` to a
    number, or one is added, or it is multiplied by `scale`: give exactly one. `against` is the state hash that was seen
    there: with any other state the request is refused. The request is not carried out once `expires` seconds have
    passed, by the clocks of both machines. With `wait`, wait so many seconds at most for the change to be in use.

    Raises NotFound for a run or a setting that is not there, InvalidInput for what no request can hold, Conflict where
    the run takes no requests, and StoreUnavailable: then nothing was asked.
    """
    remote = RemoteRun.open(run, store)
    asked = remote.propose(
        asked_change(name, why, against=against, set=set, add=add, scale=scale),
        proposer=proposer,
        expires_seconds=expires,
    )
    return _waited(remote, asked, wait)


def ask(
    run: str,
    verb: Verb | str,
    *,
    expires: float | None = None,
    proposer: str = DEFAULT_PROPOSER,
    wait: float | None = None,
    store: Store | Path | str | None = None,
) -> RequestView:
    """Ask a run that goes on for a "checkpoint", to "pause", to "continue" or to "stop". As `propose` otherwise."""
    remote = RemoteRun.open(run, store)
    return _waited(remote, remote.ask(verb, proposer=proposer, expires_seconds=expires), wait)


def withdraw(
    run: str,
    request: int,
    *,
    proposer: str = DEFAULT_PROPOSER,
    wait: float | None = None,
    store: Store | Path | str | None = None,
) -> RequestView:
    """Withdraw a request that is not carried out yet; one that is stands, but no resume repeats it.

    Raises as `propose`, and Conflict for a request that has its final answer.
    """
    remote = RemoteRun.open(run, store)
    return _waited(remote, remote.withdraw(request, proposer=proposer), wait)


def _waited(remote: RemoteRun, asked: RequestView, wait: float | None) -> RequestView:
    for each in remote.follow(asked, wait or 0.0):
        asked = each
    return asked
