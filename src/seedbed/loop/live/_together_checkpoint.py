"""Checkpoints of a run in several processes: one file, which rank 0 writes and each of them reads."""

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seedbed.errors import Conflict, SeedbedError
from seedbed.loop._checkpoint import parts_of, read_checkpoint, write_parts
from seedbed.loop._state_file import packed, unpacked
from seedbed.loop.live._asked_places import asked_beside
from seedbed.loop.ranks._ranks import Place, Ranks
from seedbed.loop.settings import LiveObjects

__all__ = ["own_state", "read_together", "write_together"]

_RANKS, _RANK, _AS_GIVEN = "ranks", "rank", "as given"


def write_together(
    ranks: Ranks, path: Path, objects: LiveObjects, run: Mapping[str, Any], given: Mapping[str, object]
) -> None:
    """Write the checkpoint at `path`, on rank 0; each process gives its part.

    Raises as `write_checkpoint` on rank 0, and Conflict elsewhere.
    """
    parts = parts_of(objects)
    own = packed({"generators": run["generators"], "position": run["steps"]["position"]})
    said = ranks.exchange(Place.SAVED, text=base64.b64encode(own).decode())

    def write() -> str:
        each = [unpacked(base64.b64decode(one.text)) for one in said]
        write_parts(path, parts, {**run, _RANKS: each}, given)
        return ""

    ranks.led(Place.SAVED, write)


def read_together(
    ranks: Ranks, path: Path, resumable: Callable[[Path], tuple[Path, dict[str, Any]] | None]
) -> tuple[Path, dict[str, Any]] | None:
    """The checkpoint that `resumable` takes on rank 0, and its path, in each process; None where it finds none.

    Raises Conflict where a process cannot read it.
    """
    found: dict[str, Any] | None = None

    def find() -> str:
        nonlocal found
        taken = resumable(path)
        found = None if taken is None else taken[1]
        return "" if taken is None else _AS_GIVEN if taken[0] == path else "asked"

    if not (told := ranks.led(Place.RESTORE, find)):
        return None
    path, why = path if told == _AS_GIVEN else asked_beside(path), ""
    if found is None:
        try:
            found = read_checkpoint(path)
            why = "" if found is not None else f"there is no {path}"
        except SeedbedError as problem:
            why = str(problem)
    said = ranks.exchange(Place.RESTORE, text=why)
    if missing := [f"rank {rank}: {each.text}" for rank, each in enumerate(said) if each.text]:
        raise Conflict(f"{'; '.join(missing)}; keep the checkpoint where every process can read it")
    return None if found is None else (path, found)


def own_state(state: Mapping[str, Any], ranks: Ranks | None) -> Mapping[str, Any] | None:
    """What a checkpoint keeps of this process alone: `generators` and `position`; None where it does not have it."""
    rank, size = (0, 1) if ranks is None else (ranks.rank, ranks.size)
    every = state.get(_RANKS)
    if every is None:
        kept = {"generators": state["generators"], "position": state["steps"]["position"]}
        return kept if state.get(_RANK, 0) == rank and size == state.get("size", 1) else None
    return every[rank] if len(every) == size else None
