"""`seedbed runs baselines`: the baseline of each comparison group."""

from typing import Annotated

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, ProjectOption, StoreOption

__all__ = ["baselines"]


def baselines(
    project: ProjectOption = None,
    history: Annotated[bool, typer.Option("--history", help="List every promotion and demotion so far.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """List the baseline of every comparison group that has one, and the rules that promote new runs.

    \b
    Examples:
      seedbed runs baselines
      seedbed runs baselines --history --json
    """
    from seedbed.cli.runs._promotion_table import show_promotions
    from seedbed.records import Store

    opened = Store.open(store)
    of_projects = [opened.log(name).baselines for name in ([project] if project else opened.projects())]
    shown = [item for one in of_projects for item in (one.history() if history else one.current())]
    rules = [str(one.rule) for one in of_projects if one.rule]
    show_promotions(shown, as_json, rules)
