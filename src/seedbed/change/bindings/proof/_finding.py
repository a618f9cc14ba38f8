"""What the comparison of an update with those of the new and of the former value came to."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import final

import torch
from torch import Tensor

__all__ = ["NOT_FINITE", "Match", "UpdateFinding", "compared"]

NOT_FINITE = "the update holds numbers that are not finite"

_SHARE = 0.02  # of the distance between both updates: rounding of kernels that differ is far below


class Match(StrEnum):
    """NEW: the update is the new value's, and not the former's. FORMER: the reverse. OPEN: both or neither."""

    NEW = "new"
    FORMER = "former"
    OPEN = "open"


@final
@dataclass(frozen=True, slots=True)
class UpdateFinding:
    """Which update the one that was made is, with the reason why that is open."""

    match: Match
    why: str = ""


def compared(made: Sequence[Tensor], new: Sequence[Tensor], former: Sequence[Tensor]) -> UpdateFinding:
    """Which of both updates the one that was made is. Equal bits decide; else distances, for kernels that round.

    It is open unless both updates differ and all numbers, of the one that was made too, are finite.
    """
    if not all(map(_is_finite, (made, new, former))):
        return UpdateFinding(Match.OPEN, NOT_FINITE)
    apart = _distance(new, former)
    if apart == 0:
        return UpdateFinding(Match.OPEN, "the update is the same with the former value")
    if _is_near(made, new, apart):
        return UpdateFinding(Match.NEW)
    if _is_near(made, former, apart):
        return UpdateFinding(Match.FORMER)
    return UpdateFinding(Match.OPEN, "the update is neither the one that the new value gives nor that of the former")


def _is_finite(weights: Sequence[Tensor]) -> bool:
    return all(bool(torch.isfinite(each).all()) for each in weights)


def _is_near(one: Sequence[Tensor], other: Sequence[Tensor], apart: float) -> bool:
    if all(torch.equal(x, y) for x, y in zip(one, other, strict=True)):
        return True
    return isfinite(apart) and _distance(one, other) <= _SHARE * apart


def _distance(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    """The sum of the distances of all weights; inf where a difference overflows."""
    return sum((float((x - y).abs().sum(dtype=torch.float64)) for x, y in zip(one, other, strict=True)), 0.0)
