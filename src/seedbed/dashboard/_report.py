"""One run's report: a single page that needs no script, no network and no other file."""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from seedbed.contracts import AuditRun, ChangeSummary, Feature, GateReport
from seedbed.contracts._move import move_words
from seedbed.dashboard._templates import environment
from seedbed.dashboard._tiles import tiles
from seedbed.errors import NotFound
from seedbed.records import Event, Snapshot, read_step_events
from seedbed.records.compare import allowed_pairs
from seedbed.records.storage import EVENTS, replace
from seedbed.render.facts._course import contract_words, resume_words, unknown_words, uses_of
from seedbed.render.facts._differences import metric_rows, new_values
from seedbed.render.facts._documents import document_of
from seedbed.render.facts._epochs import epoch_ends
from seedbed.render.facts._history import history_of
from seedbed.render.facts._measured import measured
from seedbed.render.facts._novelty import MEANING, novelty_names, novelty_of
from seedbed.render.facts._requests import REACHED
from seedbed.render.facts._results import Standing, results_of, tabled
from seedbed.render.svg._intervals import interval_chart
from seedbed.render.svg._plots import figures, on_boundaries

__all__ = ["render_report", "write_report"]

# One of the two is shown: the text of the wide drawing would be too small on a phone.
_SIZES = (("wide", 920), ("narrow", 380))
_UNCUT = 10**9  # characters


def render_report(snapshot: Snapshot, events: Sequence[Event], gate: GateReport | None = None) -> str:
    """The report on `snapshot` as one HTML page that is also well-formed XML; the same input gives the same text.

    The page shows every metric, step series, change and kernel of the record, whatever their names are, and compares
    the scores of the test with those of the baselines where the record holds both. `events` are the run's step metrics
    in the order they were logged; where attempts overlap, the last attempt counts. `gate` is the report of the gate, or
    None. The page names each document that the record lacks or that cannot be read. Only the arguments are read, and
    no content of a record raises an error.
    """
    audit, audit_note = document_of(snapshot, "audit_run", AuditRun)
    summary, changes_note = document_of(snapshot, "changes", ChangeSummary)
    changes = summary.changes if summary else ()
    results = results_of(snapshot)
    shown = tabled(results, snapshot) | novelty_names(snapshot)
    history = history_of(snapshot, events, [change.parameter for change in changes])
    ends = epoch_ends(snapshot, history)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            snapshot=snapshot,
            gate=gate,
            tiles=tiles(gate, audit, summary, snapshot.diff_prev, results),
            results=[(table, interval_chart(table)) for table in results],
            lost=[(table, standing) for table in results for standing in table.standings if standing.lost],
            paired=any(_is_paired(standing) for table in results for standing in table.standings),
            unpaired=any(not _is_paired(standing) for table in results for standing in table.standings),
            novelty=novelty_of(snapshot),
            new=MEANING,
            metrics=[item for item in measured(snapshot.metrics) if item.path not in shown],
            history=history,
            drawn=[(name, figures(history, changes, ends, width)) for name, width in _SIZES] if history else [],
            epoch_ends=ends,
            on_boundaries=on_boundaries(changes, ends),
            changes=summary,
            changes_note=changes_note,
            reached=REACHED,
            moves={change.id: move_words(change, change.unit) for change in changes},
            uses=uses_of(snapshot),
            contract=contract_words(snapshot),
            resumes=resume_words(snapshot),
            unknown=unknown_words(snapshot),
            audit=audit,
            audit_note=audit_note,
            features={feature: audit.of(feature) for feature in Feature} if audit else {},
            deltas=metric_rows(snapshot.diff_prev),
            new_values=new_values(snapshot.diff_prev),
            allowed=allowed_pairs(snapshot.diff_prev, width=_UNCUT),
            run=quote(snapshot.run_id),
        )
    )


def write_report(folder: Path, snapshot: Snapshot, gate: GateReport | None = None, page: Path | None = None) -> Path:
    """Write the report on the run whose files are in `folder` to `page`, by default report.html in that folder.

    Returns the path of the page. A warning StoreDamaged says what of the step metrics is lost. Raises StoreUnavailable.
    """
    page = page or folder / "report.html"
    try:
        events = read_step_events(folder / EVENTS, snapshot.logs.get(EVENTS))
    except NotFound:  # it logged none, or they have expired, or are in a bucket
        events = []
    replace(page, render_report(snapshot, events, gate).encode(), durable=False)
    return page


def _is_paired(standing: Standing) -> bool:
    """Whether the interval of the margin decided."""
    return standing.margin is not None and standing.margin.interval is not None
