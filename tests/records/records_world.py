"""The small world that the tests of `records` share: one project of runs that differ where a test says."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seedbed.contracts import ChangeReport, ChangeSummary, Outcome, Stage
from seedbed.records import ActiveRun, Commit, Snapshot, SnapshotDraft, Store, digest, required_fields, write_views
from seedbed.records._status import Status
from seedbed.records.snapshot._draft import build_body
from seedbed.records.snapshot._snapshot import NO_BASELINE, NO_PREDECESSOR

PROJECT = "flights"
_METADATA = {
    "cohort_id": "2013",
    "date_start": "2013-01-01",
    "date_end": "2013-03-01",
    "n_symbols": 4147,
    "n_effective": 4000,
    "target": "destination",
    "view": "departures",
    "min_cs": "NOT_APPLICABLE",
    "max_cs_samples": None,
    "model_family": "TGAT",
}


def metadata(run_id: str, stage: Stage = Stage.TRAINING, **changes: Any) -> dict[str, Any]:
    whole = {**_METADATA, "stage": stage.value, "run_id": run_id}
    return {**{name: whole[name] for name in required_fields(stage)}, **changes}


def draft(
    run_id: str,
    *,
    stage: Stage = Stage.TRAINING,
    attempt: int = 1,
    ap: float = 0.9,
    seed: int = 0,
    data: str = "data",
    described: Mapping[str, Any] | None = None,
    **fields: Any,
) -> SnapshotDraft:
    values: dict[str, Any] = {
        "metrics": {"test": {"ap": ap, "events": 9000}},
        "config": {"optimizer": {"lr": 0.001}, "report": "report.html", "seed": seed},
        "volatile_settings": ("/report",),
        "factors": {"seed": seed, "threads": 2},
        "fingerprints": {name: digest(name) for name in ("split", "target", "feature", "code")}
        | {"data": digest(data)},
        "timing": {"wall_seconds": 12.5},
        "documents": {"audit_run": {"degraded": False}},
        **fields,
    }
    described = metadata(run_id, stage) if described is None else described
    return SnapshotDraft(project=PROJECT, run_id=run_id, stage=stage, attempt=attempt, metadata=described, **values)


def change_report(
    number: int,
    after: float,
    step: int,
    used: int | None,
    outcome: Outcome = Outcome.EFFECTIVE,
    proposer: str = "somebody",
    parameter: str = "optimizer.lr",
) -> ChangeReport:
    """A change to `after`, proposed after `step` steps and first seen in use at step `used`."""
    story = () if used is None else (f"effective: step {used} used {after:g}",)
    values: dict[str, Any] = {"before": 1.0, "wanted": after, "after": after, "guard": None, "story": story}
    return ChangeReport(
        id=number,
        step=step,
        parameter=parameter,
        unit="1",
        reason="",
        proposer=proposer,
        outcome=outcome,
        **values,
    )


def change_summary(*changes: ChangeReport, proposers: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The document `changes` of a run that was changed so."""
    counts = {outcome.value.lower(): sum(each.outcome is outcome for each in changes) for outcome in Outcome}
    found = ChangeSummary(
        requested=len(changes), superseded=0, changes=changes, proposers=dict(proposers or {}), **counts
    )
    return found.model_dump(mode="json")


CUT = change_summary(change_report(1, 0.5, 10, 11))


def snapshot(run_id: str, seq: int = 1, **options: Any) -> Snapshot:
    """The snapshot of a draft, as it would stand at place `seq` of an empty log."""
    body = build_body(draft(run_id, **options), {}, datetime(2026, 1, 1, tzinfo=UTC)).content
    return Snapshot.model_validate(
        {**body, "snapshot_seq": seq, "previous": None, "diff_prev": NO_PREDECESSOR, "diff_baseline": NO_BASELINE}
    )


def commit(store: Store, run_id: str, **options: Any) -> Any:
    """Start `run_id`, log a step, and finish it."""
    run = store.start(PROJECT, run_id, options.get("stage", Stage.TRAINING))
    run.log(1, {"loss": 0.5})
    return run.finish(draft(run_id, attempt=run.attempt, **options))


def pretend_process(run: ActiveRun, **changes: Any) -> None:
    """Rewrite whose process an attempt is, as if another one had started it."""
    for path in (run.path(f"attempt-{run.attempt}.json"), run.path("status.json")):
        if path.exists():
            status = Status.model_validate_json(path.read_bytes())
            process = status.process.model_copy(update=changes)
            path.write_text(status.model_copy(update={"process": process}).model_dump_json())


def all_views(store: Store) -> list[str]:
    """Write every view of every finished run; the keys of those that were not there."""
    return [key for run in store.runs() if run.commit for key in write_views(store, run)]


def store_of_three(path: Path) -> Store:
    """A new store in which the runs r1 to r3 ended."""
    store = Store.open(path, create=True)
    for place in (1, 2, 3):
        commit(store, f"r{place}")
    return store


def again(store: Store) -> Store:
    """The store as another process finds it."""
    return Store.open(store.work)


def key(seq: int) -> str:
    """Where the commit of that number lies in the store."""
    return f"log/{PROJECT}/{seq:020d}.json"


def original_of(made: Commit) -> dict[str, Any]:
    """The body of the commit of which `made` is a copy."""
    body: Any = made.body
    return dict(body["origin"]["commit"])
