"""Why a proposed change was not made."""

from typing import Self

from pydantic import Field, model_validator

from seedbed.contracts._message import Message

__all__ = ["SkipReason"]


class SkipReason(Message):
    """Which guard denied a change: exactly one flag is true, and `note` says why.

    Append-only: flags are added, never renamed or removed; a flag that an older record does not have is false there.
    `other` is the flag of all guards that are not Seedbed's own; the note names the guard.
    """

    cooldown: bool = False
    velocity: bool = False
    oscillation: bool = False
    freeze: bool = False
    no_op: bool = False
    health: bool = False
    drift: bool = False
    bounds: bool = False
    other: bool = False
    note: str = Field(min_length=1)

    @model_validator(mode="after")
    def _one_guard_denied(self) -> Self:
        true = [name for name in type(self).model_fields if getattr(self, name) is True]
        if len(true) != 1:
            raise ValueError(f"the flags {true} are true, expected exactly one: the first guard to deny ends it")
        return self
