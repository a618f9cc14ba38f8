"""`seedbed runs diff`: what differs between two runs, and whether they may be compared."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, RunArgument, StoreOption
from seedbed.cli.console._render import compact, out, plain_table, print_json
from seedbed.errors import ExitCode, InvalidInput

if TYPE_CHECKING:
    from seedbed.records import Diff, MetricDelta

__all__ = ["diff"]

_SHOWN_KEYS = 20


def diff(
    run: RunArgument,
    other: Annotated[
        str | None, typer.Argument(metavar="OTHER", help="The earlier run; by default the newest comparable one.")
    ] = None,
    policy: Annotated[
        Literal["exact", "replicate", "ablation"] | None,
        typer.Option(
            help="What may differ; by default the strictest policy under which they are comparable.",
            case_sensitive=False,
        ),
    ] = None,
    factor: Annotated[
        list[str] | None, typer.Option(help="With --policy ablation: a setting or factor that may differ. Repeatable.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show what differs between RUN and OTHER, and whether the two may fairly be compared.

    Exits with 1 when they are not comparable under the policy of --policy.

    \b
    Examples:
      seedbed runs diff latest
      seedbed runs diff latest 20260102 --policy replicate
      seedbed runs diff latest 20260102 --policy ablation --factor learning_rate
    """
    from seedbed.cli.runs._select import find_run, require_commit
    from seedbed.records import EXACT, REPLICATE, Store, ablation

    if bool(factor) != (policy == "ablation"):
        raise InvalidInput("--policy ablation and --factor go together: name each factor that may differ with --factor")
    wanted = {"exact": EXACT, "replicate": REPLICATE, "ablation": ablation(*factor or ())}[policy] if policy else None
    commit = require_commit(find_run(store, run))
    snapshot = commit.snapshot
    found = snapshot.diff_prev
    earlier = other or (found.prev_run_id if wanted else None)
    if earlier is not None:
        before = require_commit(find_run(store, earlier))
        found = Store.open(store).log(before.snapshot.project).diff(before, commit, wanted)
    if as_json:
        print_json({"run_id": snapshot.run_id, **found.model_dump(mode="json")})
    else:
        out().print(_difference(snapshot.run_id, found))
    raise typer.Exit(ExitCode.FAIL if wanted is not None and found.comparable is False else ExitCode.PASS)


def _difference(run_id: str, found: "Diff") -> RenderableType:
    """The difference as text: may the runs be compared, why not, what may differ, and which metrics moved."""
    if found.prev_run_id is None:
        return Text(f"{run_id}: {found.summary}")
    head = Text.assemble((run_id, "bold"), " since ", (found.prev_run_id, "bold"), f": {found.summary}")
    reasons = [Text(f"  because {reason}") for reason in found.reasons]
    allowed = [
        Text(f"  may differ: {item.name} {compact(item.previous)} -> {compact(item.current)}")
        for item in found.excluded_factors
    ]
    return Group(head, *reasons, *allowed, Text(), _metrics(found.metric_deltas), Text(), _keys(found.changed_keys))


def _metrics(deltas: "Mapping[str, MetricDelta]") -> Table | Text:
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
