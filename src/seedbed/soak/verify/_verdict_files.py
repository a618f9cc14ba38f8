"""Checks the files that hold the results of verification and gate: snapshot, drawing, page and metrics.

What they hold follows from the verdict too. Where something else is accused, a file that holds the verdict of the soak
as it was before is no second forgery, so each file may give either verdict then.
"""

from collections.abc import Iterator
from dataclasses import replace

from seedbed.gate import exposition, gate_metrics
from seedbed.soak._folder import SoakFolder
from seedbed.soak._readback import SoakReadback
from seedbed.soak.reports._drawing import SoakDrawing
from seedbed.soak.reports._metrics import soak_metrics
from seedbed.soak.reports._reports import judge_readback, post_soak_snapshot, soak_counts
from seedbed.soak.verify._drawing_check import check_drawing
from seedbed.soak.verify._files import has_ended, missing_remarks, report_flaws, text_flaws
from seedbed.soak.verify._page import verification_page
from seedbed.soak.verify._verification import Accusation, Remark, SoakVerification

__all__ = ["verdict_flaws"]


def verdict_flaws(
    folder: SoakFolder,
    readback: SoakReadback,
    core: SoakVerification,
    drawing: SoakDrawing | None,
    remarks: list[Remark],
) -> Iterator[Accusation]:
    """What is wrong in the files that hold the verdict. Adds what to know of them to `remarks`."""
    if has_ended(folder, readback):
        remarks += missing_remarks(folder)
    if core.clean:
        yield from _flaws(folder, readback, core, drawing, remarks)
        return
    without = list(_flaws(folder, readback, replace(core, accusations=()), drawing, remarks))
    accused = {each.where for each in _flaws(folder, readback, core, drawing, [])}
    yield from (each for each in without if each.where in accused)
    former = sorted(accused - {each.where for each in without})
    remarks += (Remark(name, "gives the verdict from before what is accused: it does not stand") for name in former)


def _flaws(
    folder: SoakFolder,
    readback: SoakReadback,
    core: SoakVerification,
    drawing: SoakDrawing | None,
    remarks: list[Remark],
) -> Iterator[Accusation]:
    """What differs from the files that a soak with this verification has."""
    report = judge_readback(readback, verified=core.clean)
    drawn = check_drawing(folder, readback, report, drawing)
    remarks += drawn.remarks
    snapshot = post_soak_snapshot(readback, report, verified=core.clean, drawing=drawn.sealed)
    of_snapshot = tuple(report_flaws(folder.snapshot_path, snapshot, ended=has_ended(folder, readback)))
    # A snapshot that cannot be read is the cause, and that nothing seals the drawing then only follows.
    yield from (*of_snapshot, *drawn.accusations) if drawn.sealed is None else (*drawn.accusations, *of_snapshot)
    page = verification_page(replace(core, repeated=True, strict=True))
    yield from text_flaws(folder.page_path, page)
    families = (*soak_metrics(soak_counts(readback)), *gate_metrics(report, {"run_id": readback.plan.soak_id}))
    yield from text_flaws(folder.metrics_path, exposition(families))
