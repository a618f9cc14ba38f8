"""Writes the artifacts of a soak that has ended: reports, verification, verdict and metrics. Each can be made again."""

from collections.abc import Callable
from dataclasses import dataclass

from seedbed.contracts import GateReport
from seedbed.errors import StoreCorrupt
from seedbed.gate import GateSpec, gate_metrics, write_textfile
from seedbed.records.storage import replace
from seedbed.soak._folder import SoakFolder
from seedbed.soak._plan import Assembly, SoakPlan
from seedbed.soak._readback import SoakReadback, read_soak
from seedbed.soak.reports._drawing import SealedDrawing, SoakDrawing
from seedbed.soak.reports._metrics import soak_metrics
from seedbed.soak.reports._reports import (
    PostSoakSnapshot,
    calibrate_readback,
    judge_readback,
    post_soak_snapshot,
    soak_counts,
    tuning_report,
)
from seedbed.soak.verify._drawing_check import stated_drawing
from seedbed.soak.verify._page import verification_page
from seedbed.soak.verify._verification import Accusation, SoakVerification
from seedbed.soak.verify._verify import examine_soak, read_and_verify, unreadable

__all__ = ["FinishedSoak", "JudgedSoak", "finish", "judge_and_verify", "judge_soak"]


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


@dataclass(frozen=True, slots=True)
class JudgedSoak:
    """A soak that was judged: its logs read back, its verification, and the gate's report."""

    readback: SoakReadback
    verification: SoakVerification
    report: GateReport


def judge_soak(
    folder: SoakFolder,
    assemble: Callable[[SoakPlan], Assembly],
    *,
    spec: GateSpec | None = None,
    anchor: str | None = None,
    drawing: SoakDrawing | None = None,
    metrics: bool = False,
    calibrate: bool = False,
) -> GateReport:
    """Verify and judge a soak. A snapshot that a finished one lacks is written, and with `metrics` its metrics.

    A snapshot that is there stays as it is, so that its seal can be kept elsewhere. An interrupted soak gets none: it
    would be that of another soak when this one goes on. With `spec`, a gate other than the soak's own, none is written.
    `anchor` and `drawing` are those of `verify_soak`. `calibrate` adds the false-pass rate of each check on a series.
    Raises StoreCorrupt for logs that cannot be read.
    """
    judged = judge_and_verify(
        folder, assemble, spec=spec, anchor=anchor, drawing=drawing, metrics=metrics, calibrate=calibrate
    )
    return judged.report


def judge_and_verify(
    folder: SoakFolder,
    assemble: Callable[[SoakPlan], Assembly],
    *,
    spec: GateSpec | None,
    anchor: str | None,
    drawing: SoakDrawing | None,
    metrics: bool,
    calibrate: bool,
) -> JudgedSoak:
    """As `judge_soak`, with what was read and found, so that nothing is read again to say why."""
    folder.plan()  # a plan of a later version, or a file that is none, has an error of its own
    readback, verification = read_and_verify(folder, assemble, strict=True, repeat=True, anchor=anchor, drawing=drawing)
    if readback is None:
        raise _not_readable(folder, verification.accusations[0])
    if not readback.iterations and not verification.clean:  # there is nothing to judge, and that is why
        raise _not_readable(folder, verification.accusations[0])
    report = judge_readback(readback, verified=verification.clean, spec=spec)
    is_lacking = readback.is_finished and not folder.snapshot_path.exists()
    if spec is None and verification.clean and is_lacking:
        sealed = stated_drawing(folder)
        folder.write(folder.snapshot_path, post_soak_snapshot(readback, report, verified=True, drawing=sealed))
    if metrics:
        _write_metrics(folder, readback, report)
    if calibrate:
        report = calibrate_readback(readback, report, verified=verification.clean, spec=spec)
    return JudgedSoak(readback, verification, report)


def finish(
    folder: SoakFolder, assemble: Callable[[SoakPlan], Assembly], *, drawing: SoakDrawing | None = None
) -> FinishedSoak:
    """Write all artifacts of a soak that has ended, with `drawing` also `KPIS.svg`.

    Raises StoreCorrupt for logs that cannot be read.
    """
    readback = _readable(folder, assemble)
    folder.write(folder.tuning_report_path, tuning_report(readback))
    _, verification = examine_soak(folder, assemble, strict=True)
    report = judge_readback(readback, verified=verification.clean)
    sealed = None if drawing is None else _write_drawing(folder, readback, report, drawing)
    snapshot = post_soak_snapshot(readback, report, verified=verification.clean, drawing=sealed)
    folder.write(folder.snapshot_path, snapshot)
    replace(folder.page_path, verification_page(verification).encode(), durable=False)
    _write_metrics(folder, readback, report)
    return FinishedSoak(readback, verification, snapshot)


def _readable(folder: SoakFolder, assemble: Callable[[SoakPlan], Assembly]) -> SoakReadback:
    """The soak read back. Raises StoreCorrupt, with the file, when it cannot be read."""
    folder.plan()  # a plan of a later version, or a file that is none, has an error of its own
    for each in unreadable(folder, assemble):
        raise _not_readable(folder, each)
    plan = folder.plan()
    return read_soak(folder, plan, assemble(plan))


def _not_readable(folder: SoakFolder, why: Accusation) -> StoreCorrupt:
    advice = "" if "; restore " in why.what else "; restore the file from a copy"
    return StoreCorrupt(f"{folder.path}: {why.where}: {why.what}{advice}")


def _write_drawing(
    folder: SoakFolder, readback: SoakReadback, report: GateReport, drawing: SoakDrawing
) -> SealedDrawing:
    data, sealed = drawing.draw(readback, report)
    replace(folder.drawing_path, data, durable=False)
    return sealed


def _write_metrics(folder: SoakFolder, readback: SoakReadback, report: GateReport) -> None:
    families = (*soak_metrics(soak_counts(readback)), *gate_metrics(report, {"run_id": readback.plan.soak_id}))
    write_textfile(folder.metrics_path, families)
