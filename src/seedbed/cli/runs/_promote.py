"""`seedbed runs promote`: which run later ones are compared with as their baseline."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, ProjectOption, ReasonOption, StoreOption
from seedbed.errors import InvalidInput

if TYPE_CHECKING:
    from seedbed.records import PromotionRule, Store
    from seedbed.records.log import Better

__all__ = ["promote"]


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
        Literal["higher", "lower"] | None,
        typer.Option(help="Which values of the metric are better; by default as its name says, such as loss or ap."),
    ] = None,
    reason: ReasonOption = "",
    project: ProjectOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Make a run the baseline of its comparison group: later runs are compared with it.

    Of a metric whose name ends in a usual word, such as accuracy, ap, loss or
    error, it is known which values are better. Any other needs --better.

    \b
    Examples:
      seedbed runs promote latest --reason "released in May"
      seedbed runs promote --best metrics.test.random.ap
      seedbed runs promote --rule metrics.test.loss --project flights
      seedbed runs promote --best metrics.test.gap --better lower
    """
    from seedbed.cli.runs._promotion_table import show_promotions
    from seedbed.cli.runs._select import find_finished
    from seedbed.records import Store
    from seedbed.records.log import best_of_groups
    from seedbed.records.query import metric_name

    if (run is not None) + (best is not None) + (rule is not None) != 1:
        raise InvalidInput("name a RUN, or give --best METRIC, or --rule METRIC: exactly one of the three")
    opened = Store.open(store)
    now = opened.clock.now()
    logs = [opened.log(name) for name in ([project] if project else opened.projects())]
    if run is not None:
        _, commit = find_finished(store, run)
        made = [opened.log(commit.snapshot.project).baselines.promote(commit, reason or "by hand", now)]
    elif best is not None:
        chosen = _rule(_known(opened, best), better)
        found = [(log, commit) for log in logs for commit in best_of_groups(log.commits(), chosen)]
        made = [log.baselines.promote(commit, reason or f"the best by {chosen}", now) for log, commit in found]
    else:
        new = _rule(metric_name(rule), better) if rule else None
        made = [log.baselines.set_rule(new, reason or "by hand", now) for log in logs]
    show_promotions(made, as_json)


def _rule(metric: str, better: "Better | None") -> "PromotionRule":
    """The rule by `metric`. Raises InvalidInput where neither `better` nor the metric's name says which is better."""
    from seedbed.records import PromotionRule

    return PromotionRule(metric=metric) if better is None else PromotionRule(metric=metric, better=better)


def _known(store: "Store", metric: str) -> str:
    """The name of a metric that some finished run has. Raises NotFound."""
    from seedbed.records import Catalog
    from seedbed.records.query import metric_name, require_metric

    with Catalog.open(store) as catalog:
        known = catalog.names("metrics")
    return require_metric(metric, known, f"the store {store.name}") if known else metric_name(metric)
