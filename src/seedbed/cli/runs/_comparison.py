"""What differs between two runs, as a person reads it."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seedbed.cli.console._render import compact, plain_table
from seedbed.records import Diff, MetricDelta

__all__ = ["difference"]

_SHOWN_KEYS = 20


def difference(run_id: str, found: Diff) -> RenderableType:
    """The whole difference: may they be compared, why not, what was set aside, and which metrics moved."""
    if found.prev_run_id is None:
        return Text(f"{run_id}: {found.summary}")
    head = Text.assemble((run_id, "bold"), " since ", (found.prev_run_id, "bold"), f": {found.summary}")
    reasons = [Text(f"  because {reason}") for reason in found.reasons]
    aside = [
        Text(f"  set aside: {item.name} {compact(item.previous)} -> {compact(item.current)}")
        for item in found.excluded_factors
    ]
    return Group(head, *reasons, *aside, Text(), _metrics(found.metric_deltas), Text(), _keys(found.changed_keys))


def _metrics(deltas: Mapping[str, MetricDelta]) -> Table | Text:
    moved = {name: delta for name, delta in deltas.items() if delta.absolute != 0}
    if not moved:
        return Text(f"none of {len(deltas)} metrics differs")
    numeric = ("before", "after", "change", "%")
    table = plain_table("metric", *numeric, "against the replicates", numeric=numeric)
    for name, delta in moved.items():
        change = "" if delta.absolute is None else f"{delta.absolute:+.3g}"
        percent = "" if delta.percent is None else f"{delta.percent:+.2f}"
        noise = delta.noise if delta.z is None else f"{delta.noise}, z = {delta.z:+.1f}"
        table.add_row(name, f"{delta.previous:.6g}", f"{delta.current:.6g}", change, percent, noise)
    return table


def _keys(keys: tuple[str, ...]) -> Text:
    if not keys:
        return Text("no key differs")
    more = f" and {len(keys) - _SHOWN_KEYS} more (--json lists all)" if len(keys) > _SHOWN_KEYS else ""
    return Text(f"{len(keys)} keys differ: {', '.join(keys[:_SHOWN_KEYS])}{more}")
