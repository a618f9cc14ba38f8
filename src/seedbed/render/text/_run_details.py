"""The details of a committed run as text: metrics, steps, changes, kernels, what happened, and the comparison."""

import re
from collections.abc import Iterator, Sequence

from pydantic import ValidationError
from rich.console import Group, RenderableType
from rich.text import Text

from seedbed.contracts import AuditRun, ChangeSummary, Feature, FeatureAudit
from seedbed.records import NOT_APPLICABLE, Commit, Diff, Event, Snapshot
from seedbed.records.compare import allowed_pairs, one_line
from seedbed.render.facts._course import contract_words, resume_words, seen_words, unknown_words, uses_of
from seedbed.render.facts._words import flat
from seedbed.render.text._change_text import change_text, outcome_text, why_words
from seedbed.render.text._layout import section
from seedbed.render.text._run_metrics import metrics_text, steps_text
from seedbed.render.text._values import compact, duration, moment, size

__all__ = ["feature_row", "headline", "headline_facts", "run_details"]

_FACTORS = 5  # shown of those that differ
_PARTS = ("config", "factors", "fingerprints", "metadata", "inputs", "process", "outputs", "blobs", "timing")
_MOST = 30  # values of a part
_SHORT_DIGEST = re.compile(r"^([0-9a-f]{12})[0-9a-f]{47}…$")
_MISSING = (Text("not in the record", style="dim"),)


def run_details(commit: Commit, events: Sequence[Event] = ()) -> RenderableType:
    """All details of one run; `events` are what it logged at its steps."""
    snapshot = commit.snapshot
    return Group(
        headline(commit),
        Text(),
        metrics_text(snapshot),
        steps_text(snapshot, events),
        _changes(snapshot),
        _course(snapshot),
        _witness(snapshot),
        *_parts(snapshot),
        _comparison(snapshot.diff_prev),
    )


def headline(commit: Commit) -> Text:
    """The run's name, its place in the log, how long it took and how much memory."""
    return Text.assemble((f"{commit.snapshot.run_id}", "bold"), f"  {', '.join(headline_facts(commit))}")


def headline_facts(commit: Commit) -> list[str]:
    """What a headline says beside the name, each fact in a few words."""
    snapshot, timing = commit.snapshot, commit.snapshot.timing
    facts = [f"commit {commit.seq} of {snapshot.project}", moment(snapshot.timestamp), f"attempt {snapshot.attempt_id}"]
    if isinstance(seconds := timing.get("wall_seconds"), int | float):
        facts.append(f"took {duration(seconds)}")
    if isinstance(peak := timing.get("peak_memory_bytes"), int | float):
        facts.append(f"{size(peak)} of memory at its peak")
    if origin := snapshot.origin:
        where = f"of the store {origin.store}" if origin.store else "of this log"
        facts.append(f"copy of commit {origin.seq} {where}")
    return facts


def _changes(snapshot: Snapshot) -> RenderableType:
    """Each change, with its reason below it."""
    if "changes" not in snapshot.documents:
        return section(Text("changes", style="bold"), [_MISSING])
    summary = ChangeSummary.model_validate(snapshot.documents["changes"])
    rows = [
        (outcome_text(change), Text.assemble(change_text(change), "\n", (why_words(change), "dim")))
        for change in summary.changes
    ]
    return section(Text("changes", style="bold"), rows or [("none was proposed",)])


def _course(snapshot: Snapshot) -> RenderableType:
    """What counts as an input beside the configuration: the values that were used, the contract, the resumes."""
    rows = [(use.parameter, f"{use.words}, {use.origin}") for use in uses_of(snapshot)]
    facts = {"contract": contract_words(snapshot), "attempts": resume_words(snapshot)}
    rows += [(name, words) for name, words in facts.items() if words]
    rows += [("not known", words) for words in unknown_words(snapshot)]
    return section(Text("what happened", style="bold"), rows or [_MISSING])


def _witness(snapshot: Snapshot) -> RenderableType:
    """One line for each feature: whether its kernels were seen to run, and which."""
    try:
        audit = AuditRun.model_validate(snapshot.documents["audit_run"])
    except (KeyError, ValidationError):  # there is none, or a document of somebody else's has its name
        return section(Text("runtime", style="bold"), [_MISSING])
    rows = [feature_row(feature, audit.of(feature)) for feature in Feature]
    rows += [("", Text("degraded", style="yellow"), reason) for reason in audit.reasons]
    rows += [("", Text("incident", style="yellow"), incident) for incident in audit.incidents]
    return section(
        Text(
            f"runtime, {seen_words(audit)}",
            style="bold",
        ),
        rows,
    )


def _parts(snapshot: Snapshot) -> Iterator[RenderableType]:
    """What the run was given and what it noted, a line for each value: of a long part the first, with a count."""
    for part in _PARTS:
        found = [(name, value) for name, value in flat(getattr(snapshot, part)) if value != NOT_APPLICABLE]
        rows = [(one_line(name), _SHORT_DIGEST.sub(r"\1…", compact(value))) for name, value in found[:_MOST]]
        rows += [("", f"and {len(found) - _MOST} more; --json shows all")] if len(found) > _MOST else []
        if rows:
            yield section(Text(part, style="bold"), rows)


def _comparison(diff: Diff) -> RenderableType:
    """The run that this one is compared with."""
    before = "" if diff.prev_run_id is None else f"{diff.prev_run_id}, commit {diff.prev_snapshot_seq}: "
    pairs = allowed_pairs(diff)
    allowed = [f"{name}: {earlier} -> {now}" for name, earlier, now in pairs[:_FACTORS]]
    if num_more := len(pairs) - len(allowed):
        allowed.append(f"and {num_more} more, as `runs diff` shows")
    return section(Text("compared with", style="bold"), [(line,) for line in (before + diff.summary, *allowed)])


def feature_row(feature: Feature, audit: FeatureAudit) -> tuple[str, Text, str]:
    """A feature's name, whether its kernels were seen, and which, or why not."""
    seen = ", ".join(f"{name} x {count}" for name, count in audit.kernels.items()) or audit.reason
    if audit.used:
        return feature.value, Text("used", style="green"), seen
    if audit.requested:
        unknown = audit.observed is None
        return (
            feature.value,
            Text("unknown" if unknown else "not seen", style="dim" if unknown else "bold yellow"),
            seen,
        )
    return feature.value, Text("off", style="dim"), audit.reason
