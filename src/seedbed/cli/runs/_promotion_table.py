"""Promotions as a table or as JSON."""

from collections.abc import Sequence

from seedbed.cli.console._render import moment, out, plain_table, print_json
from seedbed.records import Promotion

__all__ = ["show_promotions"]


def show_promotions(records: Sequence[Promotion], as_json: bool, rules: Sequence[str] = ()) -> None:
    """Print promotions, demotions and rules, as they were recorded; `rules` are those in force."""
    if as_json:
        print_json({"baselines": [item.model_dump(mode="json") for item in records], "rules": list(rules)})
        return
    if not records and not rules:
        out().print("no baseline; `seedbed runs promote RUN` makes one")
        return
    table = plain_table("what", "run", "commit", "group", "when", "reason", numeric=("commit",))
    for item in records:
        seq, group = str(item.snapshot_seq or ""), (item.group or "")[:8]
        reason = f"{item.rule}: {item.reason}" if item.kind == "RULE" else item.reason
        table.add_row(item.kind.value, item.run_id or "", seq, group, moment(item.timestamp), reason)
    out().print(table)
    for rule in rules:
        out().print(f"promoted by rule: {rule}")
