"""What is written when a soak has ended: reports, verification, verdict, metrics. Each can be made again."""

from collections.abc import Callable
from dataclasses import dataclass

from seedbed.contracts import GateReport
from seedbed.gate import GateSpec, exposition, gate_metrics, soak_metrics
from seedbed.records import replace
from seedbed.soak._account import Account, account
from seedbed.soak._folder import SoakFolder
from seedbed.soak._plan import Assembly, SoakPlan
from seedbed.soak._reports import PostSoakSnapshot, judge_soak, post_soak, soak_counts, tuning_report
from seedbed.soak._verification import SoakVerification
from seedbed.soak._verify import examine_soak
from seedbed.soak._verify_page import verification_page

__all__ = ["Finished", "finish"]


@dataclass(frozen=True, slots=True)
class Finished:
    """A soak's end: what was found, and what it comes to."""

    account: Account
    verification: SoakVerification
    snapshot: PostSoakSnapshot

    @property
    def report(self) -> GateReport:
        """The gate's answer."""
        return self.snapshot.gate


def finish(folder: SoakFolder, assemble: Callable[[SoakPlan], Assembly], *, spec: GateSpec | None = None) -> Finished:
    """Write what a soak that has ended leaves. Raises StoreCorrupt for logs that cannot be read."""
    plan = folder.plan()
    found = account(folder, plan, assemble(plan))
    folder.write("TUNING_REPORT.json", tuning_report(found))
    _, verification = examine_soak(folder, assemble, strict=True)
    report = judge_soak(found, verified=verification.clean, spec=spec)
    snapshot = post_soak(found, report, verified=verification.clean)
    folder.write("POST_SOAK_SNAPSHOT.json", snapshot)
    replace(folder.path / "DELTA_VERIFY_REPORT.md", verification_page(verification).encode(), durable=False)
    families = (*soak_metrics(soak_counts(found)), *gate_metrics(report, {"run_id": plan.soak_id}))
    replace(folder.path / "POST_SOAK_METRICS.prom", exposition(families).encode(), durable=False)
    return Finished(found, verification, snapshot)
