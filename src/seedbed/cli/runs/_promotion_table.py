"""Promotions as a table or as JSON."""

from collections.abc import Sequence

from seedbed.cli.console._render import out, print_json
from seedbed.records import Promotion
from seedbed.render.text._layout import plain_table
from seedbed.render.text._values import moment

__all__ = ["show_promotions"]


def show_promotions(
    records: Sequence[Promotion], as_json: bool, rules: Sequence[str] = (), lost: Sequence[Promotion] = ()
) -> None:
    """Print promotions, demotions and rules, as they were recorded.

    `rules` are those in force, `lost` the baselines whose commit is lost.
    """
    if as_json:
        baselines = [{**item.model_dump(mode="json"), "is_lost": item in lost} for item in records]
        print_json({"baselines": baselines, "rules": list(rules)})
        return
    if not records and not rules:
        out().print("no baseline; `seedbed runs promote RUN` makes one")
        return
    table = plain_table("what", "run", "commit", "group", "when", "reason", numeric=("commit",))
    for item in records:
        seq, group = f"{item.snapshot_seq or ''}{', lost' if item in lost else ''}", (item.group or "")[:8]
        reason = f"{item.rule}: {item.reason}" if item.kind == "RULE" else item.reason
        table.add_row(item.kind.value, item.run_id or "", seq, group, moment(item.timestamp), reason)
    out().print(table)
    for rule in rules:
        out().print(f"promoted by rule: {rule}")
