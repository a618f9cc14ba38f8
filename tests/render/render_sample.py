"""Committed runs of a real store, whose every part a test may choose; nothing is trained."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from seedbed.contracts import (
    AuditRun,
    ChangeReport,
    ChangeSummary,
    CheckKind,
    CheckReport,
    FeatureAudit,
    GateReport,
    Interval,
    Outcome,
    RuntimeMode,
    Verdict,
)
from seedbed.records import Commit, Store

FLASH = "aten::_scaled_dot_product_flash_attention_for_cpu"
HOSTILE = '</style></svg><script>alert("1")</script>&\x1b[2J'
PRINTS = {"data": "a1" * 32, "split": "b2" * 32, "target": "c3" * 32, "feature": "d4" * 32}


def change(number: int, step: int, outcome: Outcome, after: float = 0.0005, name: str = "optimizer.lr") -> ChangeReport:
    end = f"effective: step {step + 1} used {after:g}" if outcome is Outcome.EFFECTIVE else f"ended as {outcome.value}"
    return ChangeReport(
        id=number,
        step=step,
        parameter=name,
        unit="1",
        before=0.001,
        wanted=0.0005,
        after=after,
        reason="the loss is noisy",
        proposer="loop",
        outcome=outcome,
        guard="cooldown" if outcome is Outcome.BLOCKED else None,
        story=(f"step {step}: loop proposed {name}", end),
    )


def summary_of(*changes: ChangeReport) -> ChangeSummary:
    counts = Counter(each.outcome for each in changes)
    return ChangeSummary.model_validate(
        {outcome.value.lower(): counts[outcome] for outcome in Outcome}
        | {"requested": len(changes), "superseded": 0, "changes": changes}
    )


def feature(*, requested: bool = True, used: bool | None = True, reason: str = "") -> FeatureAudit:
    return FeatureAudit(
        requested=requested,
        eligible=True if requested else None,
        selected=requested,
        observed=used if requested else None,
        used=requested and used is True,
        reason=reason,
        kernels={FLASH: 6} if requested and used else {},
    )


def audit(flash: FeatureAudit | None = None, reasons: tuple[str, ...] = ()) -> AuditRun:
    off = feature(requested=False, reason="switched off")
    return AuditRun(
        mode=RuntimeMode.COMPAT,
        sdpa=feature(),
        flash=flash or feature(),
        amp=off,
        cdc=off,
        degraded=bool(reasons),
        reasons=reasons,
        incidents=(),
        wall_time=75.0,
        witness_time=0.1,
        peak_mem=3 << 29,
        pytorch_version="2.13.0",
        cuda_available=False,
        device_name="cpu",
        steps=300,
        steps_sampled=6,
        samples={"train": 6},
        settings={},
    )


def commit(
    folder: Path,
    run_id: str,
    metrics: Mapping[str, object],
    changes: ChangeSummary | None = None,
    runtime: AuditRun | None = None,
    seed: int = 0,
) -> Commit:
    run = Store.open(folder / "store", create=True).start("digits", run_id)
    documents = {"changes": changes, "audit_run": runtime}
    return run.finish(
        run.draft(
            metrics=metrics,
            fingerprints=PRINTS,
            factors={"seed": seed},
            timing={"wall_seconds": 75.0},
            documents={name: each.model_dump(mode="json") for name, each in documents.items() if each is not None},
        )
    )


def interval(value: float) -> dict[str, object]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01, "n": 400, "confidence": 0.95}


def judged(verdict: Verdict = Verdict.PASS, metric: str = "metrics.accuracy", reason: str = "found it") -> GateReport:
    held = CheckReport(
        metric="audit.degraded",
        kind=CheckKind.CONTRACT,
        expected="== false",
        found=False,
        verdict=Verdict.PASS,
        reason="found false",
    )
    asked = CheckReport(
        metric=metric,
        kind=CheckKind.THRESHOLD,
        expected=">= 0.85 @ 95%",
        found=Interval(value=0.9, low=0.89, high=0.91, n=400, confidence=0.95),
        verdict=verdict,
        reason=reason,
    )
    code = {Verdict.PASS: 0, Verdict.FAIL: 1}.get(verdict, 3)
    return GateReport(gate="of the loop", verdict=verdict, exit_code=code, checks=(held, asked))
