"""A committed run as a person reads it: what it reached, what changed, what ran, and what it compares with."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seedbed.cli._render import at, duration, moment, number, plain_table, size
from seedbed.contracts import AuditRun, ChangeReport, ChangeSummary, Feature, FeatureAudit, Outcome
from seedbed.records import Commit, Diff, Snapshot

__all__ = ["OUTCOME_STYLES", "change_line", "changes", "comparison", "headline", "metrics", "record", "witness"]

OUTCOME_STYLES = {
    Outcome.EFFECTIVE: "green",
    Outcome.CLAMPED: "green",
    Outcome.BLOCKED: "yellow",
    Outcome.NO_OP: "dim",
    Outcome.FAILED: "bold red",
    Outcome.UNKNOWN: "bold red",
}
_METRICS = {"ap": "AP", "auc": "AUC", "mrr": "MRR"}
_BASELINES = {"pair_counter": "pair counter", "most_recent": "most recent destination"}


def record(commit: Commit) -> RenderableType:
    """The whole record of one run."""
    snapshot = commit.snapshot
    return Group(
        headline(commit),
        Text(),
        metrics(snapshot),
        Text(),
        changes(snapshot),
        witness(snapshot),
        comparison(snapshot.diff_prev),
    )


def headline(commit: Commit) -> Text:
    """Which run, what place in which log, how long and how large."""
    snapshot, timing = commit.snapshot, commit.snapshot.timing
    facts = [f"commit {commit.seq} of {snapshot.project}", moment(snapshot.timestamp), f"attempt {snapshot.attempt}"]
    if isinstance(seconds := timing.get("wall_seconds"), int | float):
        facts.append(f"took {duration(seconds)}")
    if isinstance(peak := timing.get("peak_memory_bytes"), int | float):
        facts.append(f"{size(peak)} of memory at its peak")
    return Text.assemble((f"{snapshot.run_id}", "bold"), f"  {', '.join(facts)}")


def metrics(snapshot: Snapshot) -> RenderableType:
    """The test metrics beside the predictors that learn nothing; of another stage, every number by its name."""
    test = snapshot.metrics.get("test")
    return _link_metrics(snapshot.metrics) if isinstance(test, Mapping) else _plain_metrics(snapshot.metrics)


def changes(snapshot: Snapshot) -> RenderableType:
    """One line a change."""
    if "changes" not in snapshot.documents:
        return _section("changes", [Text("the record holds none of this", style="dim")])
    summary = ChangeSummary.model_validate(snapshot.documents["changes"])
    return _section("changes", [change_line(change) for change in summary.changes] or [Text("none was proposed")])


def change_line(change: ChangeReport) -> Text:
    """One change: its outcome, when, what, and why."""
    return Text.assemble(
        (f"{change.outcome.value:<9} ", OUTCOME_STYLES[change.outcome]),
        f"step {change.step}: {change.parameter} {change.before:g} -> {change.after:g}, {change.reason}",
    )


def witness(snapshot: Snapshot) -> RenderableType:
    """One line a feature: whether it was seen to run, and by what."""
    if "audit_run" not in snapshot.documents:
        return _section("runtime", [Text("the record holds none of this", style="dim")])
    audit = AuditRun.model_validate(snapshot.documents["audit_run"])
    lines = [_feature(feature, getattr(audit, feature.value.lower())) for feature in Feature]
    lines += [Text.assemble(("degraded  ", "yellow"), reason) for reason in audit.reasons]
    lines += [Text.assemble(("incident  ", "yellow"), incident) for incident in audit.incidents]
    return _section(f"runtime, {audit.mode.value}, {audit.steps_sampled} of {audit.steps} steps sampled", lines)


def comparison(diff: Diff) -> RenderableType:
    """What the run may be compared with."""
    if diff.prev_run_id is None:
        return _section("compared with", [Text(diff.summary)])
    lines = [Text(f"{diff.prev_run_id}, commit {diff.prev_snapshot_seq}: {diff.summary}")]
    lines += [
        Text(f"{item.name}: {item.previous} -> {item.current}", style="dim") for item in diff.excluded_factors[:5]
    ]
    return _section("compared with", lines)


def _section(title: str, lines: list[Text]) -> Group:
    for line in lines:
        line.pad_left(2)
    return Group(Text(title, style="bold"), *lines)


def _feature(feature: Feature, audit: FeatureAudit) -> Text:
    if audit.used:
        seen = ", ".join(f"{name} x {count}" for name, count in audit.kernels.items())
        return Text.assemble(f"{feature.value:<6}", ("used  ", "green"), seen or audit.reason)
    word, style = ("not seen  ", "yellow") if audit.requested else ("off  ", "dim")
    return Text.assemble(f"{feature.value:<6}", (word, style), audit.reason)


def _link_metrics(found: Mapping[str, Any]) -> Table:
    table = plain_table("test", "model", *_BASELINES.values(), "", numeric=tuple(_BASELINES.values()))
    for negatives in found["test"]:
        for name, label in _METRICS.items():
            interval = at(found, "test", negatives, name)
            others = [at(found, "baselines", baseline, negatives, name) for baseline in _BASELINES]
            table.add_row(
                f"{label}, {negatives} negatives",
                _interval(interval),
                *map(number, others),
                _standing(interval, others),
            )
    return table


def _interval(found: object) -> Text:
    if not isinstance(found, Mapping):
        return number(found)
    return Text.assemble(number(found["value"]), (f"  [{found['low']:.3f}, {found['high']:.3f}]", "dim"))


def _standing(interval: object, others: list[Any]) -> Text:
    """Where the model's interval lies against the best that needs no learning."""
    known = [other for other in others if isinstance(other, int | float)]
    if not isinstance(interval, Mapping) or not known:
        return Text()
    if interval["low"] > max(known):
        return Text("above both", style="green")
    return Text("below the best", style="yellow") if interval["high"] < max(known) else Text("level", style="dim")


def _plain_metrics(found: Mapping[str, Any]) -> Table:
    table = plain_table("metric", "value", numeric=("value",))
    for name, value in _leaves(found, ""):
        table.add_row(name, number(value, 6))
    return table


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif not isinstance(value, list | tuple):
        yield path, value
