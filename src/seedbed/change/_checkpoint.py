"""The state of all changes, as a checkpoint keeps it."""

from pydantic import Field

from seedbed.contracts import Message

__all__ = ["ChangeState", "SeenState"]


class SeenState(Message):
    """What the watch on a parameter has seen of its latest change, as `Seen`."""

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
    seen: dict[str, SeenState] = Field(default_factory=dict)
