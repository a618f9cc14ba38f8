"""What stands in the live objects after a write, and whether the changes may be called applied."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from seedbed.change._record import ChangeRecord
from seedbed.change.bindings._binding import holds
from seedbed.change.bindings._target import Target
from seedbed.errors import SeedbedError, StoreUnavailable

__all__ = ["Invariant", "ReadBack", "read_back", "words_of"]

Invariant: TypeAlias = Callable[[], None]
"""Raises ContractBroken when the live objects are not as they must be after every change."""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """The values that are `found` where they are kept, and those that their user says it `held`; None for no answer.

    `wrong` says why the changes are not applied; it is empty when they are.
    """

    found: Mapping[str, float]
    held: Mapping[str, float] | None
    wrong: str


def read_back(records: Sequence[ChangeRecord], target: Target, invariants: Sequence[Invariant]) -> ReadBack:
    """Read every value, ask its user, call the invariants. Raises StoreUnavailable, which blames no change."""
    found: Mapping[str, float] = {}
    try:
        found = target.read()
        held = target.held()
    except StoreUnavailable:
        raise
    except Exception as refusal:  # of a library's own object too
        who = "its user refused it" if found else "it could not be read back"
        return ReadBack(found, None, f"{who}: {words_of(refusal)}")
    return ReadBack(found, held, _why_wrong(records, found, held) or _broken(invariants))


def words_of(problem: Exception) -> str:
    """What an error says; of one that is not Seedbed's own also its kind, without which its words may say nothing."""
    return str(problem) if isinstance(problem, SeedbedError) else f"{type(problem).__name__}: {problem}"


def _why_wrong(records: Sequence[ChangeRecord], found: Mapping[str, float], held: Mapping[str, float] | None) -> str:
    for record in records:
        key = record.delta.parameter
        if not holds(found[key], record.after):
            return f"{key} read back {found[key]:g}, expected {record.after:g}"
        in_use = found[key] if held is None else held.get(key, record.before)
        if not holds(in_use, record.after) and in_use != record.before:  # the user may still hold the old value
            return f"its user holds {key} at {in_use:g}, expected {record.after:g}"
    return ""


def _broken(invariants: Sequence[Invariant]) -> str:
    for invariant in invariants:
        try:
            invariant()
        except StoreUnavailable:
            raise
        except Exception as broken:  # of somebody's own check too: it could not say that all is as it must be
            return f"it broke what must hold of the live objects: {words_of(broken)}"
    return ""
