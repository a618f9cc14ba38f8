"""Checks the drawing of a soak: against the digest that its snapshot seals, and drawn again by the same code."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from seedbed.contracts import GateReport
from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records.canonical import digest_bytes
from seedbed.soak._folder import SoakFolder
from seedbed.soak._readback import SoakReadback
from seedbed.soak._sealed import unsealed
from seedbed.soak.reports._drawing import SealedDrawing, SoakDrawing
from seedbed.soak.verify._files import text_flaws
from seedbed.soak.verify._verification import Accusation, Flaw, Remark

__all__ = ["DrawingCheck", "check_drawing", "stated_drawing"]


@dataclass(frozen=True, slots=True)
class DrawingCheck:
    """What is wrong with a drawing, what to know of it, and what its snapshot must say of it."""

    accusations: tuple[Accusation, ...] = ()
    remarks: tuple[Remark, ...] = ()
    sealed: SealedDrawing | None = None


def stated_drawing(folder: SoakFolder) -> SealedDrawing | None:
    """What the snapshot on file says of the drawing; None when it says nothing that can be read."""
    try:
        return SealedDrawing.model_validate(unsealed(folder.snapshot_path).get("drawing"))
    except (NotFound, StoreCorrupt, ValidationError):
        return None


def check_drawing(
    folder: SoakFolder, readback: SoakReadback, report: GateReport, drawing: SoakDrawing | None
) -> DrawingCheck:
    """Check the drawing on file. Without `drawing`, or if other code drew it, only its digest can be checked."""
    path, stated = folder.drawing_path, stated_drawing(folder)
    if not readback.plan.is_bound:
        return DrawingCheck(remarks=tuple(_former(folder, readback, report, drawing)))
    if stated is None or not path.exists():
        there = "nothing seals it: the snapshot does not name it" if path.exists() else "is missing"
        is_wrong = path.exists() or stated is not None
        found = (Accusation(Flaw.REPORT, path.name, there),) if is_wrong else ()
        return DrawingCheck(found, sealed=stated)
    if drawing is not None and drawing.renderer == stated.renderer:
        data, sealed = drawing.draw(readback, report)
        differs = tuple(text_flaws(path, data.decode(), what="the drawing that the logs give"))
        return DrawingCheck(differs, sealed=sealed)
    there = digest_bytes(path.read_bytes())
    what = f"has the digest {there[:12]}…, the snapshot seals {stated.digest[:12]}…"
    found = (Accusation(Flaw.REPORT, path.name, what),) if there != stated.digest else ()
    why = "" if drawing is None else ", since other code drew it"
    remark = Remark(path.name, f"was not drawn again{why}: only the digest in the snapshot binds it")
    return DrawingCheck(found, (remark,), stated)


def _former(
    folder: SoakFolder, readback: SoakReadback, report: GateReport, drawing: SoakDrawing | None
) -> Iterator[Remark]:
    path = folder.drawing_path
    if path.exists() and (drawing is None or drawing.draw(readback, report)[0] != path.read_bytes()):
        what = "is not bound: no file of a soak of version 1 seals it, and it is not what is drawn today; draw it again"
        yield Remark(path.name, what)
