"""`seedbed runs baselines`: the baseline of each comparison group."""

from typing import Annotated

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, ProjectOption, StoreOption

__all__ = ["baselines"]


def baselines(
    project: ProjectOption = None,
    history: Annotated[bool, typer.Option("--history", help="Every promotion and demotion there was.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """List the baseline of every comparison group that has one, and the rules that promote.

    \b
    Examples:
      seedbed runs baselines
      seedbed runs baselines --history --json
    """
    from seedbed.cli.runs._promotion_table import show_promotions
    from seedbed.records import Store

    opened = Store.open(store)
    ours = [opened.log(name).baselines for name in ([project] if project else opened.projects())]
    shown = [item for one in ours for item in (one.history() if history else one.current())]
    rules = [str(one.rule) for one in ours if one.rule]
    show_promotions(shown, as_json, rules)
