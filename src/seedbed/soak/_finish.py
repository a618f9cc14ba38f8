"""Writes the artifacts of a soak that has ended: reports, verification, verdict and metrics. Each can be made again."""

from collections.abc import Callable
from dataclasses import dataclass

from seedbed.contracts import GateReport
from seedbed.gate import GateSpec, gate_metrics, write_textfile
from seedbed.records.storage import replace
from seedbed.soak._folder import SoakFolder
from seedbed.soak._metrics import soak_metrics
from seedbed.soak._plan import Assembly, SoakPlan
from seedbed.soak._readback import SoakReadback, read_soak
from seedbed.soak._reports import (
    PostSoakSnapshot,
    calibrate_readback,
    judge_readback,
    post_soak_snapshot,
    soak_counts,
    tuning_report,
)
from seedbed.soak.verify._page import verification_page
from seedbed.soak.verify._verification import SoakVerification
from seedbed.soak.verify._verify import examine_soak, verify_soak

__all__ = ["FinishedSoak", "finish", "judge_soak"]


@dataclass(frozen=True, slots=True)
class FinishedSoak:
    """A finished soak: its logs read back, its verification, and its snapshot with the verdict."""

    readback: SoakReadback
    verification: SoakVerification
    snapshot: PostSoakSnapshot

    @property
    def report(self) -> GateReport:
        """The gate's report."""
        return self.snapshot.gate


def judge_soak(
    folder: SoakFolder,
    assemble: Callable[[SoakPlan], Assembly],
    *,
    spec: GateSpec | None = None,
    anchor: str | None = None,
    metrics: bool = False,
    calibrate: bool = False,
) -> GateReport:
    """Verify and judge a finished soak. Its snapshot is written again, and with `metrics` its metrics too.

    With `spec`, a gate other than its own, the snapshot stays as it is. `anchor` is that of `verify_soak`. `calibrate`
    adds the false-pass rate of each check on a series. Raises StoreCorrupt for logs that cannot be read.
    """
    plan = folder.plan()
    readback = read_soak(folder, plan, assemble(plan))
    verification = verify_soak(folder, assemble, strict=True, anchor=anchor)
    report = judge_readback(readback, verified=verification.clean, spec=spec)
    if spec is None and verification.clean:
        folder.write(folder.snapshot_path, post_soak_snapshot(readback, report, verified=True))
    if metrics:
        _write_metrics(folder, readback, report)
    return calibrate_readback(readback, report, verified=verification.clean, spec=spec) if calibrate else report


def finish(folder: SoakFolder, assemble: Callable[[SoakPlan], Assembly]) -> FinishedSoak:
    """Write all artifacts of a soak that has ended. Raises StoreCorrupt for logs that cannot be read."""
    plan = folder.plan()
    readback = read_soak(folder, plan, assemble(plan))
    folder.write(folder.tuning_report_path, tuning_report(readback))
    _, verification = examine_soak(folder, assemble, strict=True)
    report = judge_readback(readback, verified=verification.clean)
    snapshot = post_soak_snapshot(readback, report, verified=verification.clean)
    folder.write(folder.snapshot_path, snapshot)
    replace(folder.page_path, verification_page(verification).encode(), durable=False)
    _write_metrics(folder, readback, report)
    return FinishedSoak(readback, verification, snapshot)


def _write_metrics(folder: SoakFolder, readback: SoakReadback, report: GateReport) -> None:
    families = (*soak_metrics(soak_counts(readback)), *gate_metrics(report, {"run_id": readback.plan.soak_id}))
    write_textfile(folder.metrics_path, families)
