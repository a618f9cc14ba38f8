"""A request to a run from outside it, as its file says it: a proposed change, a command, or a withdrawal."""

import secrets
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, AwareDatetime, Field, ValidationError

from seedbed.contracts import Message
from seedbed.errors import InvalidInput
from seedbed.records import canonical_json

__all__ = [
    "LONGEST_TEXT",
    "MOST_BYTES",
    "Command",
    "Proposal",
    "RunRequest",
    "Verb",
    "Withdrawal",
    "new_nonce",
    "parsed",
]

MOST_BYTES = 16_384
"""A larger file is refused unread."""
LONGEST_TEXT = 2_000
"""Characters of a reason."""
_LONGEST_NAME = 200
_LARGEST_NUMBER = 10**18


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it holds a line break or a control character, expected one line of text")
    return text


_Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME), AfterValidator(_one_line)]
_Reason: TypeAlias = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(_one_line)]


class Verb(StrEnum):
    """What a run can be told to do."""

    CHECKPOINT = "checkpoint"
    PAUSE = "pause"
    CONTINUE = "continue"
    STOP = "stop"


class Proposal(Message):
    """A change of one setting, as `Run.propose` takes it: `value` is what it is set to, or added, or multiplied by.

    `against` is the state hash that the proposer saw: with any other state, the request is refused.
    """

    kind: Literal["propose"] = "propose"
    name: _Name
    op: Literal["SET", "ADD", "SCALE"]
    value: float
    why: _Reason
    against: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


class Command(Message):
    """Something that the run is to do. It is meant for the attempt that runs when it is asked, and for no later one."""

    kind: Literal["command"] = "command"
    verb: Verb


class Withdrawal(Message):
    """The withdrawal of the request with the number `request`."""

    kind: Literal["withdraw"] = "withdraw"
    request: int = Field(ge=1, le=_LARGEST_NUMBER)


class RunRequest(Message):
    """One request. `attempt` is the run's attempt when it was made; after `expires` it is not carried out any more.

    `nonce` tells it from another one of the same content: where a bucket's answer to a put is lost, equal bytes count
    as the writer's own.
    """

    schema_version: Literal[1] = 1
    nonce: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    what: Annotated[Proposal | Command | Withdrawal, Field(discriminator="kind")]
    proposer: _Name
    asked: AwareDatetime
    expires: AwareDatetime | None = None
    attempt: int = Field(ge=1, le=_LARGEST_NUMBER)

    def encoded(self) -> bytes:
        """The bytes of its file. Raises InvalidInput where they are too many."""
        data = canonical_json(self.model_dump(mode="json"))
        if len(data) > MOST_BYTES:
            raise InvalidInput(f"the request has {len(data):,} bytes, expected at most {MOST_BYTES:,}; shorten it")
        return data


def new_nonce() -> str:
    """The nonce of a new request."""
    return secrets.token_hex(8)


def parsed(data: bytes) -> RunRequest:
    """The request in a file that anybody may have written.

    Raises InvalidInput that says what is wrong with it, and quotes none of it.
    """
    try:
        return RunRequest.model_validate_json(data, strict=True)
    except ValidationError as problem:
        found = problem.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, found["loc"][:3])) or "the top"
        raise InvalidInput(f"it is no request: {found['msg']} at {place[:_LONGEST_NAME]}") from None
