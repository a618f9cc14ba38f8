"""What a list of settings shows, as a document that another program reads and as a table of text."""

from pydantic import Field

from seedbed.contracts import Message

__all__ = ["SettingView", "SettingsView", "settings_table"]


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


class SettingsView(Message):
    """Every setting of a run after `step` optimizer steps.

    `state` is the hash of all values, for a proposal against them; empty where one is not finite.
    """

    step: int = Field(ge=0)
    state: str
    settings: tuple[SettingView, ...]


def settings_table(view: SettingsView) -> str:
    """The list as lines of text, without an end of line."""
    head = ("setting", "value", "bounds", "may change")
    rows = [head, *(_cells(each, view.step) for each in view.settings)]
    widths = [max(len(row[place]) for row in rows) for place in range(3)]
    return "\n".join(_line(row, widths) for row in rows)


def _cells(each: SettingView, step: int) -> tuple[str, str, str, str]:
    name = f"{each.key} ({each.short})" if each.short else each.key
    value = "" if each.value is None else _number(each.value)
    bounds = "" if each.low is None or each.high is None else f"{_number(each.low)} .. {_number(each.high)}"
    if each.why_not:
        return name, value, bounds, f"no: {each.why_not}"
    when = "now" if each.movable_at is None or each.movable_at <= step else f"after step {each.movable_at}"
    return name, value, bounds, f"{when}, with {', '.join(each.members)}" if each.members else when


def _number(value: float) -> str:
    return f"{value:.6g}"


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    *cells, last = row
    return "  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), last]).rstrip()
