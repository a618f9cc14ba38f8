"""Records, changes and verdicts as fragments of HTML, as a notebook shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from seedbed.contracts import AuditRun, ChangeReport, ChangeSummary, Feature, FeatureAudit, GateReport, SettingView
from seedbed.contracts._move import move_words
from seedbed.records import Commit, Diff, MetricDelta
from seedbed.records.compare import allowed_pairs, is_part_of_interval
from seedbed.render.facts._documents import document_of
from seedbed.render.facts._history import step_series
from seedbed.render.facts._in_short import ShortResult, main_results
from seedbed.render.facts._requests import REACHED
from seedbed.render.html._style import fragment_style
from seedbed.render.html._templates import environment
from seedbed.render.svg._plots import Figure, figures
from seedbed.render.text._change_text import counts_words
from seedbed.render.text._run_details import headline_facts
from seedbed.render.text._settings_text import SETTING_COLUMNS, SETTING_NUMBERS, setting_cells

__all__ = [
    "RunFacts",
    "change_html",
    "changes_html",
    "commit_html",
    "diff_html",
    "run_html",
    "settings_html",
    "steps_svg",
    "verdict_html",
]

_RESULTS, _DELTAS, _PAIRS = 12, 12, 8  # shown of each


@dataclass(frozen=True)
class RunFacts:
    """What a notebook shows of a run that may still go on.

    `facts` are a few words each, as `running`, `step 300` or `store .seedbed`. `values` are the newest of each metric,
    `steps` all of them by step, `changes` those that were proposed so far. Once the run is committed, its metrics,
    changes and audit are those of `commit`.
    """

    run_id: str
    facts: Sequence[str] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    steps: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    changes: ChangeSummary | None = None
    commit: Commit | None = None
    report: GateReport | None = None


def run_html(facts: RunFacts) -> str:
    """A run with its values, plots by step, changes and, once it has ended, its commit and verdict."""
    known = _Shown(newest=facts.values) if facts.commit is None else _of_commit(facts.commit)
    if facts.changes is not None and not known.counts:
        known = replace(known, counts=counts_words(facts.changes), changes=facts.changes.changes)
    return _fragment(
        replace(
            known,
            heading=facts.run_id,
            facts=(*facts.facts, *known.facts),
            figures=_figures(facts.steps, known.changes),
            report=facts.report,
        )
    )


def commit_html(commit: Commit) -> str:
    """A commit: results beside those of its predecessor, what may differ, changes, and what ran."""
    return _fragment(_of_commit(commit))


def diff_html(diff: Diff) -> str:
    """What differs from an earlier run: metrics that moved, factors, and the names of all keys that differ."""
    moved = {name: delta for name, delta in sorted(diff.metric_deltas.items()) if delta.absolute != 0}
    deltas = [(name, delta) for name, delta in moved.items() if not is_part_of_interval(name, diff.metric_deltas)]
    num_more = max(0, len(deltas) - _DELTAS)
    return _fragment(
        _Shown(diff=diff, deltas=deltas[:_DELTAS], num_more=num_more, allowed=_allowed(diff), all_keys=True)
    )


def changes_html(summary: ChangeSummary) -> str:
    """Every change with its outcome and story."""
    return _fragment(_Shown(counts=counts_words(summary), changes=summary.changes))


def change_html(change: ChangeReport) -> str:
    """One change with its outcome and story."""
    return _fragment(_Shown(counts=f"of step {change.step}", changes=(change,)))


def settings_html(settings: Sequence[SettingView], step: int) -> str:
    """What can be changed of a run after `step` steps: live values, bounds, and when each may move again."""
    return _fragment(_Shown(settings=[setting_cells(each, step) for each in settings], settings_step=step))


def verdict_html(report: GateReport) -> str:
    """A gate's verdict with each of its checks."""
    return _fragment(_Shown(report=report))


def steps_svg(
    steps: Mapping[str, Sequence[tuple[float, float]]], changes: Sequence[ChangeReport] = (), width: int = 920
) -> str:
    """Plots of each series by optimizer step, with every change as a numbered line, as one SVG document.

    `steps` holds, by name, pairs of step and value; of two with one step the later counts, and values that are not
    finite are left out. `width` and the height, which follows from the number of series, are in pixels.
    """
    drawn = _figures(steps, changes, width)
    tops = [sum(figure.height for figure in drawn[:place]) for place in range(len(drawn) + 1)]
    template = environment().get_template("steps.svg.j2")
    placed = list(zip(tops[:-1], drawn, strict=True))
    return template.render(style=fragment_style(), placed=placed, width=width, height=max(tops[-1], 1))


@dataclass(frozen=True)
class _Shown:
    """What one fragment shows; a part that is empty is left out."""

    heading: str = ""
    facts: Sequence[str] = ()
    newest: Mapping[str, float] = field(default_factory=dict)
    results: Sequence[ShortResult] = ()
    num_more: int = 0
    figures: Sequence[Figure] = ()
    diff: Diff | None = None
    deltas: Sequence[tuple[str, MetricDelta]] = ()
    allowed: Sequence[tuple[str, str, str]] = ()
    all_keys: bool = False
    counts: str = ""
    changes: Sequence[ChangeReport] = ()
    audit: AuditRun | None = None
    report: GateReport | None = None
    settings: Sequence[tuple[str, ...]] = ()
    settings_step: int | None = None

    @property
    def features(self) -> Sequence[tuple[str, FeatureAudit]]:
        """Each feature that was requested."""
        found = [] if self.audit is None else [(each.value, self.audit.of(each)) for each in Feature]
        return [(name, audit) for name, audit in found if audit.requested]


def _of_commit(commit: Commit) -> _Shown:
    snapshot = commit.snapshot
    results, num_more = main_results(snapshot, _RESULTS)
    summary, _ = document_of(snapshot, "changes", ChangeSummary)
    audit, _ = document_of(snapshot, "audit_run", AuditRun)
    return _Shown(
        heading=snapshot.run_id,
        facts=headline_facts(commit),
        results=results,
        num_more=num_more,
        diff=snapshot.diff_prev,
        allowed=_allowed(snapshot.diff_prev),
        counts=counts_words(summary) if summary else "",
        changes=summary.changes if summary else (),
        audit=audit,
    )


def _allowed(diff: Diff) -> Sequence[tuple[str, str, str]]:
    return allowed_pairs(diff)[:_PAIRS]


def _figures(
    steps: Mapping[str, Sequence[tuple[float, float]]], changes: Sequence[ChangeReport], width: int = 920
) -> tuple[Figure, ...]:
    rising = [(name, tuple(sorted(dict(points).items()))) for name, points in steps.items()]
    history = step_series(rising, [change.parameter for change in changes])
    return figures(history, changes, (), width) if history else ()


def _fragment(shown: _Shown) -> str:
    template = environment().get_template("fragment.html.j2")
    return template.render(
        shown=shown,
        style=fragment_style(),
        reached=REACHED,
        moved=move_words,
        columns=SETTING_COLUMNS,
        numbers=SETTING_NUMBERS,
    )
