"""`seedbed changes settings`: what can be changed while a run goes on, as the run says it."""

from typing import TYPE_CHECKING

from rich.text import Text

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, RunArgument, StoreOption
from seedbed.cli.console._render import out, print_json
from seedbed.render.text._layout import plain_table
from seedbed.render.text._values import figure, moment

if TYPE_CHECKING:
    from seedbed.loop.steering import SettingRow

__all__ = ["settings"]


def settings(run: RunArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show what can be changed in a running training: live values, bounds, and when each may move again.

    The run writes this every few seconds. The state at the end names all
    live values together: give it to `propose --against`.

    \b
    Examples:
      seedbed changes settings latest
      seedbed changes settings latest --json
    """
    from seedbed.cli.runs.steer._asking import remote

    there = remote(store, run)
    door = there.door()
    if as_json:
        print_json({"run_id": there.view.run_id, **door.model_dump(mode="json", exclude={"schema_version"})})
        return
    table = plain_table(
        "setting", "short", "value", "low", "high", "unit", "may move", numeric=("value", "low", "high")
    )
    for row in door.settings:
        numbers = ("" if number is None else figure(number) for number in (row.value, row.low, row.high))
        cells = (row.key, row.short, *numbers, row.unit, _when(row, door.step))
        table.add_row(*map(Text, cells))
    out().print(table)
    doing = f": {door.told}" if door.told else ""
    out().print(Text(f"after step {door.step} of attempt {door.attempt}, {moment(door.at)}{doing}"))
    out().print(Text(f"state {door.state}"))


def _when(row: "SettingRow", step: int) -> str:
    if row.movable_at is None:
        return f"no: {row.why_not}"
    told = f"from step {row.movable_at}" if row.movable_at > step else "not now" if row.why_not else "now"
    return f"{told}: {row.why_not}" if row.why_not else told
