"""What the weights say of a change, what Seedbed says of it, and the verdict when both are compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import final

from torch import Tensor

from seedbed.contracts import Outcome

__all__ = ["RIGHT", "UNDECIDED", "WRONG", "Said", "Truth", "Verdict", "judge", "truth_of"]

SHARE = 1e-4
"""How far the changed weights may be from the meant ones, as a share of the distance that the change makes."""
ROUNDING = 1e-12
"""How far weights that are the same may be apart, relative to the largest. They are float64."""


class Verdict(StrEnum):
    """The comparison of what was said with what the weights say."""

    EFFECTIVE = "effective"
    HELD_BACK = "held back"
    FAILED = "failed"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    SILENTLY_LOST = "SILENTLY LOST"
    FALSELY_ACCUSED = "FALSELY ACCUSED"
    WRONG_STEP = "WRONG STEP"
    CHANGED_ANYWAY = "CHANGED ANYWAY"
    RAISED = "RAISED"


RIGHT = frozenset({Verdict.EFFECTIVE, Verdict.HELD_BACK, Verdict.FAILED})
UNDECIDED = frozenset({Verdict.UNKNOWN, Verdict.REFUSED})
WRONG = frozenset(Verdict) - RIGHT - UNDECIDED


@final
@dataclass(frozen=True)
class Truth:
    """What the weights say.

    `differs` is the first step after which the changed loop has other weights than its twin without the change (None:
    never), `strays` the first after which it has other weights than the loop in which the meant value was set by hand.
    """

    differs: int | None
    strays: int | None


@final
@dataclass(frozen=True)
class Said:
    """What Seedbed says: its reason, the outcome (None where it refused to bind), and the steps that it names.

    `raised`: it ended the loop by an error, which is the reason.
    """

    reason: str
    outcome: Outcome | None = None
    effective: int | None = None
    failed: int | None = None
    raised: bool = False


def truth_of(without: Sequence[Tensor], changed: Sequence[Tensor], meant: Sequence[Tensor]) -> Truth:
    """Compare the weights after each optimizer step, each [weights], of the three loops."""
    differ = [_distance(*pair) > _rounding(pair[0]) for pair in zip(without, changed, strict=True)]
    stray = [_strays(*three) for three in zip(without, changed, meant, strict=True)]
    return Truth(_first(differ), _first(stray))


def judge(said: Said, truth: Truth, half_used: int = 0) -> Verdict:
    """The verdict on what was said, where so many steps after the change use the value only in a part."""
    if said.raised:
        return Verdict.RAISED
    if said.outcome is None:
        return Verdict.REFUSED if truth.differs is None else Verdict.CHANGED_ANYWAY
    if said.effective is not None:
        if truth.differs is None:
            return Verdict.SILENTLY_LOST
        if said.effective != truth.differs + half_used:
            return Verdict.WRONG_STEP
    match said.outcome:
        case Outcome.EFFECTIVE | Outcome.CLAMPED:
            return Verdict.EFFECTIVE if truth.strays is None and truth.differs else Verdict.SILENTLY_LOST
        case Outcome.BLOCKED | Outcome.NO_OP:
            return Verdict.HELD_BACK if truth.differs is None else Verdict.CHANGED_ANYWAY
        case Outcome.FAILED:
            is_used = truth.differs is not None and truth.strays is None
            return Verdict.FALSELY_ACCUSED if is_used else Verdict.FAILED
    return Verdict.UNKNOWN


def _strays(without: Tensor, changed: Tensor, meant: Tensor) -> bool:
    allowed = max(SHARE * _distance(without, meant), _rounding(meant))
    return not _distance(changed, meant) <= allowed  # nan strays


def _rounding(weights: Tensor) -> float:
    return ROUNDING * float(weights.abs().max())


def _distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())


def _first(steps: Sequence[bool]) -> int | None:
    return next((number for number, found in enumerate(steps, 1) if found), None)
