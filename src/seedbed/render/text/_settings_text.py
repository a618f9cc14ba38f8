"""The settings of a run as a table, for a console and for a page."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from seedbed.contracts import SettingView
from seedbed.render.text._layout import plain_lines, plain_table
from seedbed.render.text._values import figure

__all__ = ["SETTING_COLUMNS", "SETTING_NUMBERS", "setting_cells", "settings_lines", "settings_text"]

SETTING_COLUMNS = ("setting", "short", "value", "low", "high", "unit", "may move")
SETTING_NUMBERS = ("value", "low", "high")


def settings_text(settings: Sequence[SettingView], step: int) -> Table:
    """The settings after `step` steps, for a rich console of any width."""
    table = plain_table(*SETTING_COLUMNS, numeric=SETTING_NUMBERS)
    for each in settings:
        table.add_row(*map(Text, setting_cells(each, step)))
    return table


def settings_lines(settings: Sequence[SettingView], step: int, width: int = 120) -> tuple[str, ...]:
    """The lines of `settings_text` without colour, each at most `width` characters long."""
    return plain_lines(settings_text(settings, step), width)


def setting_cells(setting: SettingView, step: int) -> tuple[str, ...]:
    """The cells of one setting, in the order of `SETTING_COLUMNS`."""
    numbers = ("" if each is None else figure(each) for each in (setting.value, setting.low, setting.high))
    return setting.key, setting.short, *numbers, setting.unit, _when(setting, step)


def _when(setting: SettingView, step: int) -> str:
    at, why_not = setting.movable_at, setting.why_not
    if at is None:
        return f"no: {why_not}"
    told = f"from step {at}" if at > step else "not now" if why_not else "now"
    told = f"{told}: {why_not}" if why_not else told
    return f"{told}, all of {', '.join(setting.members)}" if setting.members else told
