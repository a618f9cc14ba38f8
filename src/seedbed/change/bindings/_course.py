"""Whether a number that other code rewrote still carries a change: judged by proportions. Pure."""

from collections.abc import Container, Sequence
from enum import StrEnum
from math import inf, isclose, isinf, log
from typing import final

__all__ = ["LIKENESS", "Carry", "Course", "is_rounding", "rewritten"]

LIKENESS = 0.25
"""Of the distance between two explanations: what is so near to one is of its kind."""

_LARGE = 0.5  # a change, as the logarithm of its ratio


class Carry(StrEnum):
    """What a rewrite did to a change: CARRIED on, LOST, or OPEN: it may have done either."""

    CARRIED = "carried"
    LOST = "lost"
    OPEN = "open"


def is_rounding(found: float, expected: float) -> bool:
    """Whether both differ as little as a schedule's closed form and its recursion do in float32; only 0 is near 0."""
    return isclose(found, expected, rel_tol=1e-6)


def rewritten(found: float, step: int) -> str:
    """Why a use is open after a rewrite that may have lost the change."""
    return (
        f"something else wrote {found:g} before step {step} after the change; whether it carries the change on was not "
        "seen"
    )


@final
class Course:
    """Follows numbers that were changed from `former` to `written`, while code that nobody declared rewrites them.

    Such code either multiplies what it finds, and carries the change on, or computes a number of its own, and loses it.
    One rewrite is a loss that raises the numbers to nearer what it would have found without the change, or lowers them
    to near that. Another leaves both open: its factor is either the one from there or the one from the number without
    the change. A later factor is the same in both cases, so that it tells which of both the first one was. A number
    that became 0 tells nothing, since any number times 0 is 0. A 0 that became another number is a loss, since 0 times
    anything is 0.
    """

    def __init__(self, former: Sequence[float], written: Sequence[float]) -> None:
        self._former = list(former)
        self._written = list(written)
        self._first: dict[int, tuple[float, float]] = {}
        self._confirmed = True

    @property
    def is_open(self) -> bool:
        """Whether something rewrote the numbers, and whether it carries the change on was not seen."""
        return not self._confirmed

    def former(self, found: Sequence[float]) -> list[float]:
        """What would stand there without the change, in proportion to what is found."""
        pairs = zip(found, self._former, self._written, strict=False)
        return [number * (old / new) if new else old for number, old, new in pairs]

    def add(self, numbers: Sequence[float]) -> None:
        """More numbers stand there, which the change did not reach."""
        self._former.extend(numbers)
        self._written.extend(numbers)

    def reached(self, place: int) -> bool:
        """Whether the change changed the number there."""
        return self._former[place] != self._written[place]

    def moved(self, place: int, expected: float, found: float) -> bool:
        """Whether `found` is not what was expected there, and no 0 that a multiplication may have made."""
        return not is_rounding(found, expected) and (found != 0 or self._former[place] == 0)

    def follow(self, expected: Sequence[float], found: Sequence[float], *, by_any: Container[int] = ()) -> Carry:
        """What was done to the change by the code that wrote `found` in the place of `expected`.

        The factors of the places in `by_any` may be of any size, so that a first one tells nothing.
        """
        moved = {
            place: (old, new, now)
            for place, (old, new, now) in enumerate(zip(self.former(expected), expected, found, strict=False))
            if self.moved(place, new, now)
        }
        changed = {place: each for place, each in moved.items() if self.reached(place)}
        if not changed:
            return Carry.OPEN if self.is_open else Carry.CARRIED
        if any(new <= 0 or now <= 0 for _, new, now in changed.values()):
            return Carry.LOST
        factors = {
            place: (log(now / new), log(now / old) if old > 0 else inf) for place, (old, new, now) in changed.items()
        }
        # Nobody's schedule raises some groups and not the others.
        is_of_some = len(moved) < len(found) and max(factor for factor, _ in factors.values()) > 0
        if is_of_some or any(_is_set_back(*each) for place, each in factors.items() if place not in by_any):
            return Carry.LOST
        return self._compare(factors)

    def _compare(self, factors: dict[int, tuple[float, float]]) -> Carry:
        """Compare the factors with those of the first rewrite, and keep those of numbers that had none."""
        pairs = [(self._first[place], factor) for place, (factor, _) in factors.items() if place in self._first]
        if len(pairs) < len(factors):
            self._confirmed, self._first = False, {**factors, **self._first}
        if pairs and self.is_open and all(_is_own(own, first, factor) for (first, own), factor in pairs):
            return Carry.LOST
        if len(pairs) == len(self._first) and all(_is_alike(*both, factor) for both, factor in pairs):
            self._confirmed = True
        return Carry.OPEN if self.is_open else Carry.CARRIED


def _is_set_back(factor: float, own: float) -> bool:
    """Whether a number was led back to the one without the change; `own` is the factor from there.

    Code that multiplies seldom raises a rate, but often lowers it, by any factor.
    """
    return abs(own) <= abs(factor) * (1.0 if factor > 0 else LIKENESS)


def _is_alike(first: float, own: float, factor: float) -> bool:
    """Whether a later factor is like the first one, taken as a multiplication."""
    return isclose(factor, first, rel_tol=1e-4, abs_tol=max(1e-6, LIKENESS * _apart(first, own)))


def _is_own(own: float, first: float, factor: float) -> bool:
    """Whether a later factor is like the first one, taken as that of a schedule of its own.

    What a small change makes of a factor is no more than what a schedule's factors differ by from one to the next.
    """
    apart = _apart(first, own)
    return isclose(factor, own, rel_tol=1e-4, abs_tol=LIKENESS * apart if apart > _LARGE else 1e-6)


def _apart(first: float, own: float) -> float:
    return 0.0 if isinf(own) else abs(first - own)
