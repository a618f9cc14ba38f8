"""The state of all changes, as a checkpoint keeps it."""

from pydantic import Field

from seedbed.contracts import Message

__all__ = ["ChangeState"]


class ChangeState(Message):
    """The state of all changes after `step` optimizer steps.

    `last_change` is the id of the newest change that the checkpoint contains; `values` holds, by parameter, every
    number that the setting is stored in. `journal_head` is the digest of the journal's last record then; states of
    earlier versions have none.
    """

    step: int = Field(ge=0)
    last_change: int = Field(ge=0)
    values: dict[str, dict[str, float]]
    journal_head: str | None = None
