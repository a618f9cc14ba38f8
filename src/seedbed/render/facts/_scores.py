"""A metric's value with its interval."""

import math
from dataclasses import dataclass
from typing import TypeGuard

from pydantic import JsonValue

__all__ = ["Range", "Score", "is_number", "score_of"]


@dataclass(frozen=True)
class Range:
    """The ends of an interval, its number of samples and its confidence; None where the record does not say."""

    low: float
    high: float
    n: int | None = None
    confidence: float | None = None

    @property
    def words(self) -> str:
        """The confidence and the number of samples, as far as they are known: `95%, n = 9,000`."""
        share = "" if self.confidence is None else f"{100 * self.confidence:.6g}%"
        count = "" if self.n is None else f"n = {self.n:,}"
        return ", ".join(filter(None, (share, count)))


@dataclass(frozen=True)
class Score:
    """A metric and, where the record gives one, its interval."""

    value: float
    interval: Range | None = None

    @property
    def low(self) -> float:
        """The interval's lower end; the value, where there is no interval."""
        return self.interval.low if self.interval else self.value

    @property
    def high(self) -> float:
        """The interval's upper end; the value, where there is no interval."""
        return self.interval.high if self.interval else self.value

    def against(self, other: float) -> str:
        """Whether the whole interval is above or below `other`, or includes it."""
        return "above" if self.low > other else "below" if self.high < other else "level with"


def score_of(value: JsonValue) -> Score | None:
    """The score that `value` is: a finite number, or a mapping with the numbers value, low and high; else None."""
    if is_number(value):
        return Score(value)
    if not isinstance(value, dict):
        return None
    middle, low, high = (value.get(name) for name in ("value", "low", "high"))
    if not (is_number(middle) and is_number(low) and is_number(high)):
        return None
    n, confidence = value.get("n"), value.get("confidence")
    return Score(
        middle, Range(low, high, n if isinstance(n, int) else None, confidence if is_number(confidence) else None)
    )


def is_number(value: JsonValue) -> TypeGuard[int | float]:
    """Whether `value` is a finite number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
