"""Makes the snapshot that a finished training commits to the log."""

import hashlib
from collections.abc import Iterator, Sequence
from importlib import resources
from itertools import product
from typing import Any

import torch

import seedbed
from seedbed.contracts import ChangeSummary, Interval, Stage
from seedbed.gate import Check, GateSpec
from seedbed.gate._record_values import lint
from seedbed.records import NOT_APPLICABLE, PANEL, ActiveRun, SnapshotDraft, digest, environment_facts
from seedbed.stages._baselines import baseline_names
from seedbed.stages._config import TrainConfig
from seedbed.stages._dataset import LinkDataset, Split
from seedbed.stages._evaluation import NEGATIVE_KINDS, RANKING_METRICS, CandidateDraw, Evaluation
from seedbed.stages._execution import FinishedAttempt
from seedbed.stages._novelty import NEGATIVE_SHARES, NOVELTY_FACTS, Novelty
from seedbed.stages._strongest import margins, strongest, strongest_names

__all__ = ["lint_gate", "make_draft"]

_NEGATIVES = "uniform over the destinations met strictly before; over those of that time where none was"
_SOURCES = {
    "data": "the events as they were given, before scaling",
    "split": "the numbers of the first and last event of each part",
    "target": "process.target",
    "feature": "inputs.features",
    "code": "Seedbed's own source files",
    "environment": "process.environment",
}
_SPLIT = tuple(product(("seen", "new"), ("model", "strongest")))
_VOLATILE = ("/gate", "/runtime/sample_every", "/training/checkpoint_every")


def make_draft(
    config: TrainConfig,
    cohort: str,
    data: LinkDataset,
    run: ActiveRun,
    finished: FinishedAttempt,
    evaluation: Evaluation,
) -> SnapshotDraft:
    """The snapshot of a finished training. Measurements that depend on the clock are in `timing` only."""
    return SnapshotDraft(
        project=config.project,
        run_id=run.run_id,
        stage=Stage.TRAINING,
        attempt=run.attempt,
        schema=PANEL,
        metadata=_metadata(config, cohort, data, run),
        metrics=_metrics(config, data, finished, evaluation),
        predictions=evaluation.digest("model"),
        fingerprints={
            "data": data.digest,
            "split": digest(_ranges(data.split)),
            "target": digest(_target(config, data)),
            "feature": digest(_features(data)),
            "code": _code_digest(),
            "environment": digest(environment_facts()),
        },
        fingerprint_sources=_SOURCES,
        inputs={"events": len(data.stream), "nodes": data.stream.num_nodes, "features": _features(data)},
        process={"environment": environment_facts(), "target": _target(config, data)},
        outputs={
            "test_events": len(data.split.test),
            "parameters": finished.num_parameters,
            "events_before_any_destination": _events_before_any_destination(data),
        },
        timing={
            "wall_seconds": finished.audit.wall_time,
            "peak_memory_bytes": finished.audit.peak_mem,
            "train_events_per_second": finished.events_per_second,
        },
        config=config.model_dump(mode="json"),
        volatile_settings=_VOLATILE,
        factors={
            "seed": config.training.seed,
            "device": finished.audit.device_name,
            "threads": torch.get_num_threads(),
            "parameters": finished.num_parameters,
        },
        documents={
            "audit_run": finished.audit.model_dump(mode="json"),
            "changes": finished.changes.model_dump(mode="json"),
        },
    )


def _metrics(
    config: TrainConfig, data: LinkDataset, finished: FinishedAttempt, evaluation: Evaluation
) -> dict[str, Any]:
    progress, settings = finished.progress, config.training
    novelty = Novelty.of(data, CandidateDraw.for_test(settings), settings.batch_size)
    return {
        "test": _as_json(evaluation.intervals("model", settings.seed)),
        "baselines": {name: evaluation.metrics(name) for name in evaluation.baselines},
        "strongest": strongest(evaluation),
        "strongest_name": strongest_names(evaluation),
        "margin": _as_json(margins(evaluation, settings.seed)),
        "novelty": novelty.as_json(),
        "by_novelty": novelty.split(evaluation),
        "validation": {
            "step": [step for step, _ in progress.validation],
            "ap": [ap for _, ap in progress.validation],
        },
        "train": {"loss": list(progress.losses)},
    }


def lint_gate(checks: Sequence[Check]) -> None:
    """Raise InvalidInput for a check on a fact that no training's record holds, before hours are spent on training.

    Which facts the audit holds depends on what is observed, so checks on them are left to the gate.
    """
    checkable = tuple(check for check in checks if not check.metric.startswith("audit."))
    if checkable:
        lint(GateSpec(checks=checkable), _known_facts())


def _known_facts() -> Iterator[str]:
    for kind in NEGATIVE_KINDS:
        for metric in RANKING_METRICS:
            yield f"metrics.test.{kind}.{metric}"
            yield from (f"metrics.{part}.{kind}.{metric}" for part in ("strongest", "strongest_name", "margin"))
            yield from (f"metrics.by_novelty.{part}.{who}.{kind}.{metric}" for part, who in _SPLIT)
            yield from (f"metrics.baselines.{name}.{kind}.{metric}" for name in baseline_names())
        yield from (f"metrics.novelty.negatives.{kind}.{share}" for share in NEGATIVE_SHARES)
    yield from (f"metrics.novelty.{name}" for name in NOVELTY_FACTS)
    yield from (f"timing.{name}" for name in ("wall_seconds", "peak_memory_bytes", "train_events_per_second"))
    yield from (f"changes.{name}" for name in ChangeSummary.model_fields if name != "changes")
    yield "contract.kept"


def _as_json(metrics: dict[str, dict[str, Interval | float]]) -> dict[str, dict[str, Any]]:
    return {
        kind: {name: found.model_dump() if isinstance(found, Interval) else found for name, found in of_kind.items()}
        for kind, of_kind in metrics.items()
    }


def _metadata(config: TrainConfig, cohort: str, data: LinkDataset, run: ActiveRun) -> dict[str, Any]:
    stream, split = data.stream, data.split
    return {
        "stage": Stage.TRAINING.value,
        "run_id": run.run_id,
        "cohort_id": cohort,
        "date_start": data.dates[0],
        "date_end": data.dates[1],
        "n_symbols": stream.num_nodes,
        "n_effective": len(split.train),
        "target": "link",
        "view": f"chronological {config.data.train:g}/{config.data.validation:g}",
        "min_cs": NOT_APPLICABLE,
        "max_cs_samples": None,
        "model_family": "tgat",
    }


def _features(data: LinkDataset) -> dict[str, Any]:
    return {"known": list(data.stream.feature_names), "late": list(data.stream.late_names), "scaled_on": "train"}


def _target(config: TrainConfig, data: LinkDataset) -> dict[str, Any]:
    """What is asked of the model. Runs with other negatives, or another idea of a pair, are not compared."""
    asked: dict[str, Any] = {"task": "link prediction", "negatives": list(NEGATIVE_KINDS)}
    if config.training.negatives == "met":
        asked["random"] = _NEGATIVES
    if data.stream.undirected:
        asked["undirected"] = True
    return asked


def _events_before_any_destination(data: LinkDataset) -> dict[str, float]:
    """The share of each part's events before which no destination was met, so that no earlier one could be drawn."""
    parts = {"train": data.split.train, "validation": data.split.validation, "test": data.split.test}
    return {
        name: float(data.negatives.before_any_destination(data.events(part)[2]).mean()) for name, part in parts.items()
    }


def _ranges(split: Split) -> dict[str, list[int]]:
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    return {name: [part.start, part.stop] for name, part in parts.items()}


def _code_digest() -> str:
    """The SHA-256 of Seedbed's own source files, by name and content."""
    sha256 = hashlib.sha256()
    root = resources.files(seedbed)
    with resources.as_file(root) as folder:
        for path in sorted(folder.rglob("*.py")):
            sha256.update(f"{path.relative_to(folder)}\n".encode())
            sha256.update(path.read_bytes())
    return sha256.hexdigest()
