"""`seedbed changes settings`: what can be changed while a run goes on, as the run says it."""

from rich.text import Text

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, RunningArgument, StoreOption
from seedbed.cli.console._render import out, print_json
from seedbed.render.text._settings_text import settings_text
from seedbed.render.text._values import moment

__all__ = ["settings"]


def settings(run: RunningArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show what can be changed in a running training: live values, bounds, and when each may move again.

    The run writes this every few seconds. The state at the end names all
    live values together: give it to `propose --against`. While a schedule
    moves one of them, pause the run first: `runs ask RUN pause`.

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
    out().print(settings_text(door.settings, door.step))
    doing = f": {door.told}" if door.told else ""
    out().print(Text(f"after step {door.step} of attempt {door.attempt}, {moment(door.at)}{doing}"))
    out().print(Text(f"state {door.state}"))
