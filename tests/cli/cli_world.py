"""Finished runs as a training leaves them, made without a training; and a job that takes a second."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from seedbed.contracts import AuditRun, ChangeReport, ChangeSummary, FeatureAudit, Outcome, RuntimeMode, Stage
from seedbed.records import Commit, SnapshotDraft, Store, digest
from seedbed.stages import Trainer

PROJECT = "flights"
FLASH = "aten::_scaled_dot_product_flash_attention_for_cpu"

SMALL_CONFIG = """
project: small
model: {node_width: 8, time_width: 8, embedding_width: 8, num_neighbours: [3, 3]}
training: {epochs: 1, batch_size: 50, validation_events: 60, ranked_negatives: 3, warmup_steps: 1}
change: {patience: 1, min_delta: 0.5, cooldown_steps: 3}
runtime: {cdc: off, amp: off}
gate: [{metric: audit.degraded, op: "==", value: false, kind: contract}, changes.failed == 0]
"""


def small_job(folder: Path) -> list[str]:
    """Write 600 events and a configuration into `folder`; returns the command that trains on them."""
    rows = "\n".join(f"{i % 7},{100 + (i * i + i // 11) % 5},{i}" for i in range(600))
    (folder / "events.csv").write_text(f"src,dst,t\n{rows}\n")
    (folder / "small.yaml").write_text(SMALL_CONFIG)
    return ["train", str(folder / "events.csv"), "--config", str(folder / "small.yaml"), "--no-open"]


@contextmanager
def signalled(number: signal.Signals, step: int) -> Iterator[None]:
    """Within the block this process gets the signal in the middle of every training step `step`.

    A signal sent from another process may come after the last step of a training so short, or not be told from one that
    somebody sends to the tests.
    """
    take = Trainer.step

    def step_with_signal(trainer: Trainer, now: int) -> float:
        if now + 1 == step:
            signal.raise_signal(number)
        return take(trainer, now)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Trainer, "step", step_with_signal)
        yield


def finished(
    store: Path, run_id: str, *, ap: float = 0.9, seed: int = 0, data: str = "events", **fields: Any
) -> Commit:
    """Commit a training run with one change and a kept contract."""
    run = Store.open(store, create=True).start(PROJECT, run_id, Stage.TRAINING)
    run.log(1, {"loss": 0.5, "learning_rate": 1e-3})
    values: dict[str, Any] = {
        "metrics": _metrics(ap),
        "config": {
            "training": {"seed": seed, "learning_rate": 1e-3},
            "gate": ["metrics.test.random.ap >= 0.8 @ 95%"],
        },
        "factors": {"seed": seed},
        "fingerprints": {name: digest(name) for name in ("split", "target", "feature")} | {"data": digest(data)},
        "timing": {"wall_seconds": 75.0, "peak_memory_bytes": 3 << 29},
        "documents": {"audit_run": _audit().model_dump(mode="json"), "changes": _changes().model_dump(mode="json")},
        **fields,
    }
    return run.finish(
        SnapshotDraft(
            project=PROJECT,
            run_id=run_id,
            stage=Stage.TRAINING,
            attempt=run.attempt,
            metadata=_metadata(run_id),
            **values,
        )
    )


def interrupted(store: Path, run_id: str) -> None:
    """Make a run that was stopped and has no commit."""
    run = Store.open(store, create=True).start(PROJECT, run_id, Stage.TRAINING)
    run.log(1, {"loss": 0.5})
    run.interrupted("Ctrl-C")


def _metadata(run_id: str) -> dict[str, Any]:
    return {
        "stage": "TRAINING",
        "run_id": run_id,
        "cohort_id": "2013",
        "date_start": "2013-01-01",
        "date_end": "2013-03-01",
        "n_symbols": 100,
        "n_effective": 4000,
        "target": "link",
        "view": "chronological",
        "min_cs": "NOT_APPLICABLE",
        "max_cs_samples": None,
        "model_family": "tgat",
    }


def _metrics(ap: float) -> dict[str, Any]:
    interval = {"value": ap, "low": ap - 0.01, "high": ap + 0.01, "n": 30, "confidence": 0.95}
    of_model = dict.fromkeys(("ap", "auc", "mrr"), interval)
    of_baseline = dict.fromkeys(("ap", "auc", "mrr"), 0.85)
    kinds = ("random", "historical")
    return {
        "test": dict.fromkeys(kinds, of_model),
        "baselines": {name: dict.fromkeys(kinds, of_baseline) for name in ("pair_counter", "most_recent")},
        "validation": {"step": [10], "ap": [ap]},
        "train": {"loss": [0.5]},
    }


def _audit() -> AuditRun:
    used = FeatureAudit(
        requested=True, eligible=True, selected=True, observed=True, used=True, reason="", kernels={FLASH: 4}
    )
    off = FeatureAudit(
        requested=False, eligible=None, selected=False, observed=None, used=False, reason="switched off", kernels={}
    )
    return AuditRun(
        mode=RuntimeMode.STRICT,
        sdpa=used,
        flash=used,
        amp=off,
        cdc=off,
        degraded=False,
        reasons=(),
        incidents=(),
        wall_time=75.0,
        witness_time=0.1,
        peak_mem=3 << 29,
        pytorch_version="2.13.0",
        cuda_available=False,
        device_name="cpu",
        steps=100,
        steps_sampled=2,
        samples={"train": 2},
        settings={},
    )


def _changes() -> ChangeSummary:
    change = ChangeReport(
        id=1,
        step=40,
        parameter="optimizer.lr",
        unit="1",
        before=1e-3,
        wanted=5e-4,
        after=5e-4,
        reason="validation AP has not improved",
        proposer="stall",
        outcome=Outcome.EFFECTIVE,
        guard=None,
        story=("step 40: stall proposed optimizer.lr 0.001 -> 0.0005 1", "effective: optimizer step 41 used 0.0005"),
    )
    return ChangeSummary(
        requested=1, effective=1, clamped=0, blocked=0, no_op=0, failed=0, unknown=0, superseded=0, changes=(change,)
    )
