"""How this installation draws a soak, with the name of the code that does."""

from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from seedbed.dashboard._soak import render_soak
from seedbed.records import digest
from seedbed.records.canonical import digest_bytes

if TYPE_CHECKING:  # the report of a run must not load torch, which the soak room does
    from seedbed.soak import SoakDrawing

__all__ = ["soak_drawing"]

# The drawing itself, and axes and numbers; words that several rooms share; KPIs, plants and profiles; settings, units
# and good ranges.
_ROOMS = ("dashboard", "render", "contracts", "soak", "change")


def soak_drawing() -> "SoakDrawing":
    """The drawing for `finish`, `verify_soak` and `judge_soak` of `seedbed.soak`.

    The renderer's name is the digest of everything that has a say in the drawing: the files of this room, those of the
    rooms whose axes, words and values it draws, and the version of Jinja. So an altered installation is another
    renderer.
    """
    from seedbed.soak import SoakDrawing

    sources = {room: _digests(files(f"seedbed.{room}")) for room in _ROOMS}
    return SoakDrawing(digest({"sources": sources, "jinja2": version("jinja2")}), render_soak)


def _digests(folder: Traversable) -> dict[str, object]:
    """The digest of each file under `folder`, by name, without what Python itself leaves there."""
    return {
        each.name: _digests(each) if each.is_dir() else digest_bytes(each.read_bytes())
        for each in folder.iterdir()
        if each.name != "__pycache__"
    }
