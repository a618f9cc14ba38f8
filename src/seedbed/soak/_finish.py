"""What is written when a soak has ended: reports, verification, verdict, metrics. Each can be made again."""

from collections.abc import Callable
from dataclasses import dataclass

from seedbed.contracts import GateReport
from seedbed.gate import GateSpec, gate_metrics, write_textfile
from seedbed.records.storage import replace
from seedbed.soak._folder import SoakFolder
from seedbed.soak._metrics import soak_metrics
from seedbed.soak._plan import Assembly, SoakPlan
from seedbed.soak._readback import SoakReadback, account
from seedbed.soak._reports import PostSoakSnapshot, calibrated_soak, judge_soak, post_soak, soak_counts, tuning_report
from seedbed.soak.verify._page import verification_page
from seedbed.soak.verify._verification import SoakVerification
from seedbed.soak.verify._verify import examine_soak, verify_soak

__all__ = ["FinishedSoak", "finish", "judged_again"]

SNAPSHOT, METRICS = "POST_SOAK_SNAPSHOT.json", "POST_SOAK_METRICS.prom"


@dataclass(frozen=True, slots=True)
class FinishedSoak:
    """A soak's end: what was found, and what it comes to."""

    account: SoakReadback
    verification: SoakVerification
    snapshot: PostSoakSnapshot

    @property
    def report(self) -> GateReport:
        """The gate's answer."""
        return self.snapshot.gate


def judged_again(
    folder: SoakFolder,
    assemble: Callable[[SoakPlan], Assembly],
    *,
    spec: GateSpec | None = None,
    metrics: bool = False,
    calibrate: bool = False,
) -> GateReport:
    """Verify and judge a soak that was run, writing its snapshot anew, and with `metrics` those too.

    By a gate other than its own, the snapshot stays as it is. `calibrate` has each check on a series say its false-pass
    rate. Raises StoreCorrupt for logs that cannot be read.
    """
    plan = folder.plan()
    found = account(folder, plan, assemble(plan))
    verification = verify_soak(folder, assemble, strict=True)
    report = judge_soak(found, verified=verification.clean, spec=spec)
    if spec is None and verification.clean:
        folder.write(SNAPSHOT, post_soak(found, report, verified=True))
    if metrics:
        _write_metrics(folder, found, report)
    return calibrated_soak(found, report, verified=verification.clean, spec=spec) if calibrate else report


def finish(folder: SoakFolder, assemble: Callable[[SoakPlan], Assembly]) -> FinishedSoak:
    """Write what a soak that has ended leaves. Raises StoreCorrupt for logs that cannot be read."""
    plan = folder.plan()
    found = account(folder, plan, assemble(plan))
    folder.write("TUNING_REPORT.json", tuning_report(found))
    _, verification = examine_soak(folder, assemble, strict=True)
    report = judge_soak(found, verified=verification.clean)
    snapshot = post_soak(found, report, verified=verification.clean)
    folder.write(SNAPSHOT, snapshot)
    replace(folder.path / "DELTA_VERIFY_REPORT.md", verification_page(verification).encode(), durable=False)
    _write_metrics(folder, found, report)
    return FinishedSoak(found, verification, snapshot)


def _write_metrics(folder: SoakFolder, found: SoakReadback, report: GateReport) -> None:
    families = (*soak_metrics(soak_counts(found)), *gate_metrics(report, {"run_id": found.plan.soak_id}))
    write_textfile(folder.path / METRICS, families)
