"""The end of a run in about twenty lines: its commit, results, changes, what ran, and the verdict."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from seedbed.contracts import AuditRun, ChangeSummary, Feature, GateReport
from seedbed.records import Commit, Diff, MetricDelta, Snapshot
from seedbed.records.compare import allowed_pairs, one_line
from seedbed.render.facts._course import seen_words
from seedbed.render.facts._documents import document_of
from seedbed.render.facts._in_short import main_changes, main_results
from seedbed.render.facts._scores import Score
from seedbed.render.text._change_text import change_text, counts_words, ending_words, outcome_text
from seedbed.render.text._gate_text import gate_text
from seedbed.render.text._layout import plain_lines, section
from seedbed.render.text._run_details import feature_row, headline
from seedbed.render.text._values import figure

__all__ = ["summary_lines", "summary_text"]

_RESULTS, _DIFFERENCES, _CHANGES, _REASONS = 4, 3, 3, 2  # shown of each
_NOBODY_SAW = "no step that was seen could show it; `seedbed runs show` tells why"


def summary_text(commit: Commit, report: GateReport | None = None) -> RenderableType:
    """What `seedbed runs show` tells of a run, in short, and its verdict; for a rich console of any width."""
    snapshot = commit.snapshot
    verdict = Text("gate: not judged", style="bold") if report is None else gate_text(report, snapshot)
    return Group(
        Text("run ").append_text(headline(commit)),
        *_results(snapshot),
        section(Text("compared with", style="bold"), [(line,) for line in _differences(snapshot.diff_prev)]),
        _changes(snapshot),
        _witness(snapshot),
        verdict,
    )


def summary_lines(commit: Commit, report: GateReport | None = None, width: int = 120) -> tuple[str, ...]:
    """The lines of `summary_text` without colour, each at most `width` characters long."""
    return plain_lines(summary_text(commit, report), width)


def _results(snapshot: Snapshot) -> Iterator[RenderableType]:
    results, num_more = main_results(snapshot, _RESULTS)
    rows = [
        (
            one_line(result.name),
            figure(result.score.value),
            Text.assemble((_interval(result.score), "dim"), _delta(result.delta)),
        )
        for result in results
    ]
    rows += [(f"and {num_more} more", "", Text())] if num_more else []
    if rows:
        yield section(Text("results", style="bold"), rows)


def _interval(score: Score) -> str:
    return "" if score.interval is None else f"[{figure(score.low)}, {figure(score.high)}]  "


def _delta(delta: MetricDelta | None) -> str:
    if delta is None or delta.absolute is None:
        return ""
    if delta.absolute == 0:
        return "as before"
    return f"before {figure(delta.previous)}, {delta.absolute:+.3g}: {delta.noise}"


def _differences(diff: Diff) -> Iterator[str]:
    """The predecessor, why it may not be compared or what may differ, and how many keys differ."""
    before = "" if diff.prev_run_id is None else f"{diff.prev_run_id}, commit {diff.prev_snapshot_seq}: "
    yield one_line(before + diff.summary)
    pairs = list(allowed_pairs(diff))
    told = [f"{name}: {earlier} -> {now}" for name, earlier, now in pairs if earlier != now]  # both may be unknown
    told = told if pairs else list(diff.reasons)
    yield from map(one_line, told[:_DIFFERENCES])
    if len(told) > _DIFFERENCES:
        yield f"and {len(told) - _DIFFERENCES} more, as `seedbed runs diff` shows"


def _changes(snapshot: Snapshot) -> RenderableType:
    summary, note = document_of(snapshot, "changes", ChangeSummary)
    if summary is None:
        return Text.assemble(("changes: ", "bold"), (note, "dim"))
    rows: list[tuple[Text, ...]] = [
        (outcome_text(change), Text.assemble(change_text(change), "\n", (ending_words(change), "dim")))
        for change in main_changes(summary.changes, _CHANGES)
    ]
    num_more = len(summary.changes) - len(rows)
    rows += [(Text(), Text(f"and {num_more} more, as `seedbed changes show` shows"))] if num_more else []
    title = Text.assemble(("changes: ", "bold"), counts_words(summary))
    return section(title, rows) if rows else title


def _witness(snapshot: Snapshot) -> RenderableType:
    """What was asked of the machine: seen, lost or not known; and why."""
    audit, note = document_of(snapshot, "audit_run", AuditRun)
    if audit is None:
        return Text.assemble(("runtime: ", "bold"), (note, "dim"))
    title = Text(f"runtime, {seen_words(audit)}", style="bold")
    asked = {feature: audit.of(feature) for feature in Feature if audit.of(feature).requested}
    rows = [feature_row(feature, fact) for feature, fact in asked.items() if fact.observed is not None]
    unknown = ", ".join(feature.value for feature, fact in asked.items() if fact.observed is None)
    rows += [("", Text("unknown", style="dim"), f"{unknown}: {_NOBODY_SAW}")] if unknown else []
    rows += [("", Text("degraded", style="yellow"), one_line(reason)) for reason in audit.reasons[:_REASONS]]
    rows += [("", Text("incident", style="yellow"), one_line(incident)) for incident in audit.incidents[:_REASONS]]
    return section(title, rows or [("", Text("no feature was requested"), "")])
