"""Checks the files that hold the results of verification and gate: snapshot, drawing, page and metrics.

What they hold follows from the verdict too. Where something else is accused, a file that holds the verdict of the soak
as it was before is no second forgery, so each file may give either verdict then.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import final

from seedbed.gate import exposition, gate_metrics
from seedbed.soak._folder import SoakFolder
from seedbed.soak._readback import SoakReadback
from seedbed.soak.reports._drawing import SoakDrawing
from seedbed.soak.reports._metrics import soak_metrics
from seedbed.soak.reports._reports import judge_readback, post_soak_snapshot, soak_counts
from seedbed.soak.verify._drawing_check import check_drawing
from seedbed.soak.verify._files import has_ended, missing_remarks, snapshot_flaws, text_flaws
from seedbed.soak.verify._page import verification_page
from seedbed.soak.verify._verification import Accusation, Remark, SoakVerification

__all__ = ["VerdictFiles"]


@final
@dataclass(frozen=True, slots=True)
class VerdictFiles:
    """The files of a soak that hold its verdict, and what they are made from."""

    folder: SoakFolder
    readback: SoakReadback
    drawing: SoakDrawing | None

    def flaws(self, core: SoakVerification, remarks: list[Remark]) -> Iterator[Accusation]:
        """What is wrong in them, by what `core` found in all other files. Adds what to know of them to `remarks`."""
        if has_ended(self.folder, self.readback):
            remarks += missing_remarks(self.folder)
        if core.clean:
            yield from self._differences(core, remarks)
            return
        without = list(self._differences(replace(core, accusations=()), remarks))
        accused = {each.where for each in self._differences(core, [])}
        yield from (each for each in without if each.where in accused)
        former = sorted(accused - {each.where for each in without})
        remarks += (Remark(name, "gives the verdict from before what is accused: it does not stand") for name in former)

    def _differences(self, core: SoakVerification, remarks: list[Remark]) -> Iterator[Accusation]:
        """What differs from the files that a soak with this verification has."""
        folder, readback = self.folder, self.readback
        report = judge_readback(readback, verified=core.clean)
        drawn = check_drawing(folder, readback, report, self.drawing)
        remarks += drawn.remarks
        snapshot = post_soak_snapshot(readback, report, verified=core.clean, drawing=drawn.sealed)
        ended = has_ended(folder, readback)
        of_snapshot = tuple(snapshot_flaws(folder.snapshot_path, snapshot, remarks, ended=ended))
        # A snapshot that cannot be read is the cause, and that nothing seals the drawing then only follows.
        yield from (*of_snapshot, *drawn.accusations) if drawn.sealed is None else (*drawn.accusations, *of_snapshot)
        yield from text_flaws(folder.page_path, verification_page(replace(core, repeated=True, strict=True)))
        families = (*soak_metrics(soak_counts(readback)), *gate_metrics(report, {"run_id": readback.plan.soak_id}))
        yield from text_flaws(folder.metrics_path, exposition(families))
