"""The state of all changes, as a checkpoint keeps it."""

from pydantic import Field

from seedbed.contracts import Message

__all__ = ["ChangeState", "Seen"]


class Seen(Message):
    """What a watch has seen of a change: the values now, of each group, that would stand there without it.

    `by_schedule`: nothing but a declared schedule moved the value since the change.
    """

    former: tuple[float, ...]
    by_schedule: bool


class ChangeState(Message):
    """The state of all changes after `step` optimizer steps.

    `last_change` is the id of the newest change that the checkpoint contains; `values` holds, by parameter, every
    number that the setting is stored in. `journal_head` is the digest of the journal's last record then; `seen` holds
    what was seen of the latest changes whose values others move. States of earlier versions have neither.
    """

    step: int = Field(ge=0)
    last_change: int = Field(ge=0)
    values: dict[str, dict[str, float]]
    journal_head: str | None = None
    seen: dict[str, Seen] = Field(default_factory=dict)
