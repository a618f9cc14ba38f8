"""Requests to a run from outside: from another terminal, machine or program, while the run goes on.

Nothing here imports torch, so that who asks for something need not wait for it.
"""

from seedbed.loop.steering._answer import AnswerState, RequestAnswer
from seedbed.loop.steering._client import ask, propose, withdraw
from seedbed.loop.steering._controls import Controls
from seedbed.loop.steering._desk import close_door
from seedbed.loop.steering._door import Door
from seedbed.loop.steering._remote import DEFAULT_PROPOSER, RemoteRun, RequestView, asked_change
from seedbed.loop.steering._request import Command, Proposal, RunRequest, Verb, Withdrawal
from seedbed.loop.steering._steering import Asked, Steering

__all__ = [
    "DEFAULT_PROPOSER",
    "AnswerState",
    "Asked",
    "Command",
    "Controls",
    "Door",
    "Proposal",
    "RemoteRun",
    "RequestAnswer",
    "RequestView",
    "RunRequest",
    "Steering",
    "Verb",
    "Withdrawal",
    "ask",
    "asked_change",
    "close_door",
    "propose",
    "withdraw",
]
