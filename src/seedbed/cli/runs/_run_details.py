"""The details of a committed run as text: metrics, changes, the kernels that ran, and the comparison."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seedbed.cli.console._render import compact, duration, moment, number, plain_table, section, size, value_at
from seedbed.contracts import AuditRun, ChangeReport, ChangeSummary, Feature, FeatureAudit, Outcome
from seedbed.records import Commit, Diff, Snapshot

__all__ = ["change_text", "outcome_text", "run_details"]

_OUTCOME_STYLES = {
    Outcome.EFFECTIVE: "green",
    Outcome.CLAMPED: "green",
    Outcome.BLOCKED: "yellow",
    Outcome.NO_OP: "dim",
    Outcome.FAILED: "bold red",
    Outcome.UNKNOWN: "bold red",
}
_MISSING = (Text("not in the record", style="dim"),)
_METRICS = {"ap": "AP", "auc": "AUC", "mrr": "MRR"}
_BASELINES = {"pair_counter": "pair counter", "most_recent": "most recent destination"}


def run_details(commit: Commit) -> RenderableType:
    """All details of one run."""
    snapshot = commit.snapshot
    return Group(
        _headline(commit),
        Text(),
        _metrics(snapshot),
        Text(),
        _changes(snapshot),
        _witness(snapshot),
        _comparison(snapshot.diff_prev),
    )


def _headline(commit: Commit) -> Text:
    """The run's name, its place in the log, how long it took and how much memory."""
    snapshot, timing = commit.snapshot, commit.snapshot.timing
    facts = [f"commit {commit.seq} of {snapshot.project}", moment(snapshot.timestamp), f"attempt {snapshot.attempt_id}"]
    if isinstance(seconds := timing.get("wall_seconds"), int | float):
        facts.append(f"took {duration(seconds)}")
    if isinstance(peak := timing.get("peak_memory_bytes"), int | float):
        facts.append(f"{size(peak)} of memory at its peak")
    return Text.assemble((f"{snapshot.run_id}", "bold"), f"  {', '.join(facts)}")


def _metrics(snapshot: Snapshot) -> RenderableType:
    """The test metrics beside the baselines; for other stages, every number with its name."""
    test = snapshot.metrics.get("test")
    return _link_metrics(snapshot.metrics) if isinstance(test, Mapping) else _plain_metrics(snapshot.metrics)


def _changes(snapshot: Snapshot) -> RenderableType:
    """One line for each change."""
    if "changes" not in snapshot.documents:
        return section(Text("changes", style="bold"), [_MISSING])
    summary = ChangeSummary.model_validate(snapshot.documents["changes"])
    rows = [(outcome_text(change), change_text(change), Text(_why(change), style="dim")) for change in summary.changes]
    return section(Text("changes", style="bold"), rows or [("none was proposed",)])


def _why(change: ChangeReport) -> str:
    """The reason of a change; for one that did not take effect as asked, how it ended."""
    return change.reason if change.outcome is Outcome.EFFECTIVE else next(reversed(change.story), change.reason)


def outcome_text(change: ChangeReport) -> Text:
    """A change's outcome in its colour."""
    return Text(change.outcome.value, style=_OUTCOME_STYLES[change.outcome])


def change_text(change: ChangeReport) -> str:
    """A change's step, parameter and values; for a blocked one, the value that it asked for."""
    target = change.wanted if change.outcome is Outcome.BLOCKED else change.after
    return f"step {change.step}: {change.parameter} {change.before:.3g} -> {target:.3g}"


def _witness(snapshot: Snapshot) -> RenderableType:
    """One line for each feature: whether its kernels were seen to run, and which."""
    if "audit_run" not in snapshot.documents:
        return section(Text("runtime", style="bold"), [_MISSING])
    audit = AuditRun.model_validate(snapshot.documents["audit_run"])
    rows = [_feature(feature, audit.of(feature)) for feature in Feature]
    rows += [("", Text("degraded", style="yellow"), reason) for reason in audit.reasons]
    rows += [("", Text("incident", style="yellow"), incident) for incident in audit.incidents]
    return section(
        Text(f"runtime, {audit.mode}, {audit.steps_sampled} of {audit.steps} steps seen", style="bold"), rows
    )


def _comparison(diff: Diff) -> RenderableType:
    """The run that this one is compared with."""
    before = "" if diff.prev_run_id is None else f"{diff.prev_run_id}, commit {diff.prev_snapshot_seq}: "
    allowed = [
        f"{item.name}: {compact(item.previous)} -> {compact(item.current)}" for item in diff.excluded_factors[:5]
    ]
    return section(Text("compared with", style="bold"), [(line,) for line in (before + diff.summary, *allowed)])


def _feature(feature: Feature, audit: FeatureAudit) -> tuple[str, Text, str]:
    seen = ", ".join(f"{name} x {count}" for name, count in audit.kernels.items()) or audit.reason
    if audit.used:
        return feature.value, Text("used", style="green"), seen
    if audit.requested:
        return feature.value, Text("not seen", style="bold yellow"), seen
    return feature.value, Text("off", style="dim"), audit.reason


def _link_metrics(found: Mapping[str, Any]) -> Table:
    table = plain_table("test", "model", *_BASELINES.values(), "", numeric=tuple(_BASELINES.values()))
    for negatives in sorted(found["test"], reverse=True):  # random first: what most papers report
        for name, label in _METRICS.items():
            interval = value_at(found, "test", negatives, name)
            others = [value_at(found, "baselines", baseline, negatives, name) for baseline in _BASELINES]
            table.add_row(
                f"{label}, {negatives} negatives",
                _interval(interval),
                *map(number, others),
                _against_baselines(interval, others),
            )
    return table


def _interval(found: object) -> Text:
    if not isinstance(found, Mapping):
        return number(found)
    return Text.assemble(number(found["value"]), (f"  [{found['low']:.3f}, {found['high']:.3f}]", "dim"))


def _against_baselines(interval: object, others: list[Any]) -> Text:
    """Whether the model's interval lies above or below the best baseline."""
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
