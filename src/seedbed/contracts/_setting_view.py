"""One setting of a run as it is now, as lists, files and pages show it."""

from pydantic import Field

from seedbed.contracts._message import Message

__all__ = ["SettingView"]


class SettingView(Message):
    """One setting as it is now.

    `short` is its unambiguous short name, empty without one. `value` is None where there is no number to show, and
    `low` and `high` where nothing can be changed. `movable_at` is the number of optimizer steps after which a change is
    no longer too soon after the last one; None where it cannot be changed, and then `why_not` says why. In 100 steps
    the value may rise to `most_up` times itself and fall to 1/`most_down`; None for as far as the bounds. `members` are
    the settings that are changed together under this key.
    """

    key: str
    short: str = ""
    value: float | None = None
    unit: str = "1"
    low: float | None = None
    high: float | None = None
    most_up: float | None = None
    most_down: float | None = None
    movable_at: int | None = Field(default=None, ge=0)
    why_not: str = ""
    members: tuple[str, ...] = ()
