"""Runs of other systems become commits through the door that every run takes: started, logged, finished.

A run is named after what it is called at its source, so importing again finds it. It is committed whole or not at all;
what a killed import left behind is the next one's first attempt.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from seedbed.contracts import Stage
from seedbed.errors import Conflict, InvalidInput
from seedbed.integrations._outside import OutsideRun, RunSource, finite
from seedbed.records import (
    NOT_APPLICABLE,
    FieldKind,
    Json,
    MetadataField,
    MetadataSchema,
    SnapshotDraft,
    Store,
    digest,
    redact_text,
)

__all__ = ["IMPORTED", "Described", "ImportOutcome", "Imported", "import_runs"]

IMPORTED = MetadataSchema(
    name="IMPORTED",
    version=1,
    stages={Stage.TRAINING: (MetadataField("model_family", FieldKind.TEXT, may_not_apply=True),)},
)
_STAGE = Stage.TRAINING
_SOURCE = "source"
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,80}")
_REQUIRED = ("data", "split", "target", "feature")
_ANY = OutsideRun(source_id="any", params={}, metrics={}, steps=())


class ImportOutcome(StrEnum):
    """What became of one outside run. Append-only."""

    IMPORTED = "IMPORTED"
    PRESENT = "PRESENT"
    UNFINISHED = "UNFINISHED"
    REFUSED = "REFUSED"


@dataclass(frozen=True)
class Described:
    """What whoever imports knows of the runs, and their source does not say. `data` names what they all learnt from."""

    project: str
    target: str
    cohort: str
    view: str = NOT_APPLICABLE
    model_family: str = NOT_APPLICABLE
    data: str | None = None


@dataclass(frozen=True)
class Imported:
    """What became of one run, and why; `seq` is its commit's, None when it has none."""

    source_id: str
    run_id: str
    outcome: ImportOutcome
    seq: int | None = None
    reason: str = ""


def import_runs(
    source: RunSource, store: Store | None, described: Described, *, dry: bool = False
) -> Iterator[Imported]:
    """Import every run of `source` into `store`, one at a time, and tell of each as it is done.

    With `dry`, or where there is no store, only tell. A run that is refused leaves nothing behind, and the others are
    imported. Raises InvalidInput when what is described is no metadata of any run, and StoreUnavailable.
    """
    _draft(_ANY, _origin(source.system, _ANY), described, _run_id(source.system, _ANY.source_id))
    for source_id in source.ids():
        run_id = _run_id(source.system, source_id)
        try:
            yield _imported(source, source_id, store, described, dry)
        except (InvalidInput, Conflict) as refusal:
            yield Imported(source_id, run_id, ImportOutcome.REFUSED, reason=str(refusal))


def _imported(source: RunSource, source_id: str, store: Store | None, described: Described, dry: bool) -> Imported:
    run_id = _run_id(source.system, source_id)
    outside = source.read(source_id)
    if not outside.finished:
        reason = "it has not finished at its source; import it when it has"
        return Imported(source_id, run_id, ImportOutcome.UNFINISHED, reason=reason)
    origin = _origin(source.system, outside)
    draft = _draft(outside, origin, described, run_id)
    present = store.log(described.project).find(run_id, _STAGE) if store else None
    if store and present:
        return _present(store, draft, origin, present.seq)
    if dry or not store:
        return Imported(source_id, run_id, ImportOutcome.IMPORTED)
    with store.start(described.project, run_id, _STAGE) as run:
        for step, values in outside.steps:
            run.log(step, values)
        commit = run.finish(replace(draft, attempt=run.attempt))
    return Imported(source_id, run_id, ImportOutcome.IMPORTED, commit.seq)


def _present(store: Store, draft: SnapshotDraft, origin: Mapping[str, Json], seq: int) -> Imported:
    known = store.log(draft.project).read(seq).snapshot.inputs.get(_SOURCE)
    source_id = str(origin["run_id"])
    if isinstance(known, dict) and known.get("digest") == origin["digest"]:
        return Imported(source_id, draft.run_id, ImportOutcome.PRESENT, seq)
    reason = f"commit {seq} is of other content: it changed since it was imported; import it into another project"
    return Imported(source_id, draft.run_id, ImportOutcome.REFUSED, seq, reason)


def _run_id(system: str, source_id: str) -> str:
    """A name that the same run always gets, and that tells of nobody's machine."""
    plain = _PLAIN.fullmatch(source_id) and redact_text(source_id) == source_id
    return f"{system}-{source_id if plain else digest(source_id)[:32]}"


def _origin(system: str, outside: OutsideRun) -> dict[str, Json]:
    return {"system": system, "run_id": outside.source_id, "digest": outside.digest()}


def _draft(outside: OutsideRun, origin: Mapping[str, Json], described: Described, run_id: str) -> SnapshotDraft:
    _require_names(outside)
    metrics, not_finite = finite(outside.metrics)
    fingerprints, sources = _fingerprints(outside, described, origin)
    return SnapshotDraft(
        project=described.project,
        run_id=run_id,
        stage=_STAGE,
        attempt=1,
        schema=IMPORTED,
        metadata=_metadata(described, run_id),
        metrics=metrics,
        timing=_timing(outside),
        config=outside.params,
        fingerprints=fingerprints,
        fingerprint_sources=sources,
        inputs={_SOURCE: origin, **({"data": outside.data} if outside.data else {})},
        process=_process(outside),
        outputs={"not_finite": not_finite} if not_finite else {},
        documents={"tags": outside.tags} if outside.tags else {},
        experiment_id=outside.experiment or NOT_APPLICABLE,
    )


def _metadata(described: Described, run_id: str) -> dict[str, object]:
    return {
        "stage": _STAGE,
        "run_id": run_id,
        "cohort_id": described.cohort,
        "target": described.target,
        "view": described.view,
        "model_family": described.model_family,
    }


def _fingerprints(
    outside: OutsideRun, described: Described, origin: Mapping[str, Json]
) -> tuple[dict[str, str], dict[str, str]]:
    """Of the data, what is known of it; where nothing is, a digest that no other run shares, so that none compares."""
    if described.data is not None:
        of, source = digest({"named": described.data}), "the name of the data, given at the import"
    elif outside.data:
        of, source = digest(outside.data), f"the data sets that {origin['system']} recorded"
    else:
        of, source = digest({"unknown": dict(origin)}), "not known; stands for this run alone"
    fingerprints = dict.fromkeys(_REQUIRED, of) | {"target": digest(described.target)}
    return fingerprints, dict.fromkeys(_REQUIRED, source) | {"target": "the name of the target, given at the import"}


def _timing(outside: OutsideRun) -> dict[str, object]:
    if outside.started is None or outside.ended is None or outside.ended <= outside.started:
        return {}  # a system that keeps one moment only knows of no duration
    return {"wall_seconds": (outside.ended - outside.started).total_seconds()}


def _process(outside: OutsideRun) -> dict[str, object]:
    times = {"started": outside.started, "ended": outside.ended}
    return {"steps": len(outside.steps), **outside.notes, **{name: when for name, when in times.items() if when}}


def _require_names(outside: OutsideRun) -> None:
    names = {name for _, values in outside.steps for name in values}
    if len({redact_text(name) for name in names}) < len(names):
        raise InvalidInput(f"metrics {sorted(names)} are the same once paths and names are removed; name them apart")
