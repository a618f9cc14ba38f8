"""`seedbed runs promote`: which run later ones are compared with as their baseline."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, ProjectOption, ReasonOption, StoreOption
from seedbed.errors import InvalidInput

if TYPE_CHECKING:
    from seedbed.records import Store

__all__ = ["promote"]

_NO_METRIC = "metrics.none"


def promote(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="The run to promote.")] = None,
    best: Annotated[
        str | None,
        typer.Option(metavar="METRIC", help="Promote the run of each comparison group that has the best METRIC."),
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option(metavar="METRIC", help="From now on promote each run that has a better METRIC; '' ends the rule."),
    ] = None,
    better: Annotated[
        Literal["higher", "lower"], typer.Option(help="Which values of the metric are better.")
    ] = "higher",
    reason: ReasonOption = "",
    project: ProjectOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Make a run the baseline of its comparison group: later runs are compared with it.

    \b
    Examples:
      seedbed runs promote latest --reason "released in May"
      seedbed runs promote --best metrics.test.random.ap
      seedbed runs promote --rule metrics.test.loss --better lower --project flights
    """
    from seedbed.cli.runs._promotion_table import show_promotions
    from seedbed.cli.runs._select import find_run, require_commit
    from seedbed.records import PromotionRule, Store
    from seedbed.records.log import best_of_groups
    from seedbed.records.query import metric_name

    if (run is not None) + (best is not None) + (rule is not None) != 1:
        raise InvalidInput("name a RUN, or give --best METRIC, or --rule METRIC: exactly one of the three")
    opened = Store.open(store)
    now = opened.clock.now()
    if run is not None:
        commit = require_commit(find_run(store, run))
        made = [opened.log(commit.snapshot.project).baselines.promote(commit, reason or "by hand", now)]
    else:
        name = metric_name(rule or _NO_METRIC) if best is None else _known(opened, best)
        chosen = PromotionRule(metric=name, better=better)
        logs = [opened.log(name) for name in ([project] if project else opened.projects())]
        if best is None:
            made = [log.baselines.set_rule(chosen if rule else None, reason or "by hand", now) for log in logs]
        else:
            found = [(log, commit) for log in logs for commit in best_of_groups(log.commits(), chosen)]
            made = [log.baselines.promote(commit, reason or f"the best by {chosen}", now) for log, commit in found]
    show_promotions(made, as_json)


def _known(store: "Store", metric: str) -> str:
    """The name of a metric that some finished run has. Raises NotFound."""
    from seedbed.records import Catalog
    from seedbed.records.query import metric_name, require_metric

    with Catalog.open(store) as catalog:
        known = catalog.names("metrics")
    return require_metric(metric, known, f"the store {store.name}") if known else metric_name(metric)
