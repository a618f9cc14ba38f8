"""What the comparison of an update with those of the new and of the former value came to."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import final

import torch
from torch import Tensor

__all__ = ["Finding", "Verdict", "compared"]

_SHARE = 0.02  # of the distance between both updates: rounding of kernels that differ is far below


class Verdict(StrEnum):
    """USED: the update is that of the new value, and not that of the former. NOT_USED: the reverse. OPEN: neither."""

    USED = "used"
    NOT_USED = "not used"
    OPEN = "open"


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict, with the reason why it is open."""

    verdict: Verdict
    why: str = ""


def compared(made: Sequence[Tensor], new: Sequence[Tensor], former: Sequence[Tensor]) -> Finding:
    """Which of both updates the one that was made is. Equal bits decide; else distances, for kernels that round."""
    if _same(new, former):
        return Finding(Verdict.OPEN, "the update is the same with the former value")
    if _same(made, new):
        return Finding(Verdict.USED)
    if _same(made, former):
        return Finding(Verdict.NOT_USED)
    apart = _distance(new, former)
    if _distance(made, new) <= _SHARE * apart:
        return Finding(Verdict.USED)
    if _distance(made, former) <= _SHARE * apart:
        return Finding(Verdict.NOT_USED)
    return Finding(Verdict.OPEN, "the update is neither the one that the new value gives nor that of the former")


def _same(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(one, other, strict=True))


def _distance(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    total = sum((float((x - y).abs().sum(dtype=torch.float64)) for x, y in zip(one, other, strict=True)), 0.0)
    return total if total == total else float("inf")  # NaN is far from everything
