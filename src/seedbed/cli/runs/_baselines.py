"""`seedbed runs baselines`: the baseline of each comparison group."""

from typing import TYPE_CHECKING, Annotated

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, ProjectOption, StoreOption
from seedbed.cli.console._render import errors
from seedbed.errors import ExitCode

if TYPE_CHECKING:
    from seedbed.records import CommitLog, Promotion

__all__ = ["baselines"]


def baselines(
    project: ProjectOption = None,
    history: Annotated[bool, typer.Option("--history", help="List every promotion and demotion so far.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """List the baseline of every comparison group that has one, and the rules that promote new runs.

    Exits with 1 where the commit of a baseline is lost.

    \b
    Examples:
      seedbed runs baselines
      seedbed runs baselines --history --json
    """
    from seedbed.cli.runs._promotion_table import show_promotions
    from seedbed.records import Store

    opened = Store.open(store)
    logs = [opened.log(name) for name in ([project] if project else opened.projects())]
    found = [(log, item) for log in logs for item in log.baselines.current()]
    lost = [item for log, item in found if _is_lost(log, item)]
    shown = [item for log in logs for item in log.baselines.history()] if history else [item for _, item in found]
    show_promotions(shown, as_json, [str(log.baselines.rule) for log in logs if log.baselines.rule], lost)
    if lost:
        told = (
            f"no later run is compared with a baseline whose commit is lost: {', '.join(str(i.run_id) for i in lost)}"
        )
        what = "`seedbed runs fsck` says what can be done; or promote another run of its group, or demote one"
        errors().print(f"{told}; {what}", soft_wrap=True)
        raise typer.Exit(ExitCode.FAIL)


def _is_lost(log: "CommitLog", promotion: "Promotion") -> bool:
    """Whether the commit that was promoted cannot be read, or another one has its number."""
    commit = log.readable(promotion.snapshot_seq or 0)
    return commit is None or commit.digest != promotion.digest
