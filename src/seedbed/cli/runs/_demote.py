"""`seedbed runs demote`: take a comparison group's baseline away."""

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, ReasonOption, RunArgument, StoreOption

__all__ = ["demote"]


def demote(
    run: RunArgument, reason: ReasonOption = "", store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False
) -> None:
    """Take the baseline away from the comparison group of a run.

    \b
    Examples:
      seedbed runs demote latest --reason "the data was wrong"
    """
    from seedbed.cli.runs._promotion_table import show_promotions
    from seedbed.cli.runs._select import find_finished
    from seedbed.records import Store

    _, commit = find_finished(store, run)
    snapshot = commit.snapshot
    opened = Store.open(store)
    made = opened.log(snapshot.project).baselines.demote(
        snapshot.digests["comparison_group"], reason or "by hand", opened.clock.now()
    )
    show_promotions([] if made is None else [made], as_json)
