"""Imports runs of other systems as commits, in the same way as any run: started, logged, finished.

A run is named after its name at the source, so a second import finds it. It is committed completely or not at all; if
an import is killed, the next one makes another attempt.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from seedbed.contracts import Stage
from seedbed.errors import Conflict, InvalidInput
from seedbed.integrations._outside import OutsideRun, RunSource
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

__all__ = ["IMPORTED", "ImportDescription", "ImportOutcome", "ImportResult", "import_runs"]

IMPORTED = MetadataSchema(
    name="IMPORTED",
    version=1,
    stages={Stage.TRAINING: (MetadataField("model_family", FieldKind.TEXT, may_not_apply=True),)},
)
_STAGE = Stage.TRAINING
_SOURCE = "source"
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,80}")
_REQUIRED = ("data", "split", "target", "feature")
_EXAMPLE_RUN = OutsideRun(source_id="any", params={}, metrics={}, steps=())


class ImportOutcome(StrEnum):
    """The outcome of importing one outside run. Append-only."""

    IMPORTED = "IMPORTED"
    PRESENT = "PRESENT"
    UNFINISHED = "UNFINISHED"
    REFUSED = "REFUSED"


@dataclass(frozen=True)
class ImportDescription:
    """Facts about the imported runs that the source does not record; `data` names the data that all were trained on."""

    project: str
    target: str
    cohort: str
    view: str = NOT_APPLICABLE
    model_family: str = NOT_APPLICABLE
    data: str | None = None


@dataclass(frozen=True)
class ImportResult:
    """The outcome of importing one run, and the reason; `seq` is the number of its commit, None when it has none."""

    source_id: str
    run_id: str
    outcome: ImportOutcome
    seq: int | None = None
    reason: str = ""


def import_runs(
    source: RunSource, store: Store | None, described: ImportDescription, *, dry: bool = False
) -> Iterator[ImportResult]:
    """Import every run of `source` into `store`, one at a time, and yield the result of each.

    With `dry`, or without a store, only yield what the results would be. A refused run leaves nothing behind, and the
    others are imported. Raises InvalidInput when `described` gives no valid metadata, and StoreUnavailable.
    """
    example = _EXAMPLE_RUN
    _draft(example, _origin(source.system, example), described, _run_id(source.system, example.source_id))
    for source_id in source.ids():
        run_id = _run_id(source.system, source_id)
        try:
            yield _import_one(source, source_id, store, described, dry)
        except (InvalidInput, Conflict) as refusal:
            yield ImportResult(source_id, run_id, ImportOutcome.REFUSED, reason=str(refusal))


def _import_one(
    source: RunSource, source_id: str, store: Store | None, described: ImportDescription, dry: bool
) -> ImportResult:
    run_id = _run_id(source.system, source_id)
    outside = source.read(source_id)
    if not outside.finished:
        reason = "it has not finished at its source; import it after that"
        return ImportResult(source_id, run_id, ImportOutcome.UNFINISHED, reason=reason)
    origin = _origin(source.system, outside)
    draft = _draft(outside, origin, described, run_id)
    present = store.log(described.project).find(run_id, _STAGE) if store else None
    if store and present:
        return _present(store, draft, origin, present.seq)
    if dry or not store:
        return ImportResult(source_id, run_id, ImportOutcome.IMPORTED)
    with store.start(described.project, run_id, _STAGE) as run:
        for step, values in outside.steps:
            run.log(step, values)
        commit = run.finish(replace(draft, attempt=run.attempt))
    return ImportResult(source_id, run_id, ImportOutcome.IMPORTED, commit.seq)


def _present(store: Store, draft: SnapshotDraft, origin: Mapping[str, Json], seq: int) -> ImportResult:
    known = store.log(draft.project).read(seq).snapshot.inputs.get(_SOURCE)
    source_id = str(origin["run_id"])
    if isinstance(known, dict) and known.get("digest") == origin["digest"]:
        return ImportResult(source_id, draft.run_id, ImportOutcome.PRESENT, seq)
    reason = f"commit {seq} has other content: the run changed after its import; import it into another project"
    return ImportResult(source_id, draft.run_id, ImportOutcome.REFUSED, seq, reason)


def _run_id(system: str, source_id: str) -> str:
    """The run_id for an outside run: always the same for the same run, and without names of machines or users."""
    is_plain = _PLAIN.fullmatch(source_id) and redact_text(source_id) == source_id
    return f"{system}-{source_id if is_plain else digest(source_id)[:32]}"


def _origin(system: str, outside: OutsideRun) -> dict[str, Json]:
    return {"system": system, "run_id": outside.source_id, "digest": outside.digest()}


def _draft(outside: OutsideRun, origin: Mapping[str, Json], described: ImportDescription, run_id: str) -> SnapshotDraft:
    _require_names(outside)
    fingerprints, sources = _fingerprints(outside, described, origin)
    return SnapshotDraft(
        project=described.project,
        run_id=run_id,
        stage=_STAGE,
        attempt=1,
        schema=IMPORTED,
        metadata=_metadata(described, run_id),
        metrics=outside.metrics,
        timing=_timing(outside),
        config=outside.params,
        fingerprints=fingerprints,
        fingerprint_sources=sources,
        inputs={_SOURCE: origin, **({"data": outside.data} if outside.data else {})},
        process=_process(outside),
        documents={"tags": outside.tags} if outside.tags else {},
        experiment_id=outside.experiment or NOT_APPLICABLE,
    )


def _metadata(described: ImportDescription, run_id: str) -> dict[str, object]:
    return {
        "stage": _STAGE,
        "run_id": run_id,
        "cohort_id": described.cohort,
        "target": described.target,
        "view": described.view,
        "model_family": described.model_family,
    }


def _fingerprints(
    outside: OutsideRun, described: ImportDescription, origin: Mapping[str, Json]
) -> tuple[dict[str, str], dict[str, str]]:
    """The fingerprints and their sources. For unknown data they are unique to the run: it is comparable with none."""
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
        return {}  # a system that stores only one time gives no duration
    return {"wall_seconds": (outside.ended - outside.started).total_seconds()}


def _process(outside: OutsideRun) -> dict[str, object]:
    times = {"started": outside.started, "ended": outside.ended}
    return {"steps": len(outside.steps), **outside.notes, **{name: when for name, when in times.items() if when}}


def _require_names(outside: OutsideRun) -> None:
    names = {name for _, values in outside.steps for name in values}
    if len({redact_text(name) for name in names}) < len(names):
        raise InvalidInput(f"metrics {sorted(names)} are the same after redaction; give them different names")
