"""Whether a number that other code rewrote still carries a change: judged by proportions. Pure."""

from collections.abc import Sequence
from math import inf, isclose, log
from typing import final

__all__ = ["Course", "is_rounding"]


def is_rounding(found: float, expected: float) -> bool:
    """Whether they differ by no more than a schedule's closed form and its recursion do in float32."""
    return isclose(found, expected, rel_tol=1e-6, abs_tol=1e-12)


@final
class Course:
    """Follows numbers that were changed from `former` to `written`, while code that nobody declared rewrites them.

    Such code either multiplies what it finds, and carries the change on, or computes a number of its own, and loses it.
    It is taken to do what moves the numbers less: from those that it found, or from those that it would have found
    without the change. A second rewrite by the same factor as the first confirms the one or the other.
    """

    def __init__(self, former: Sequence[float], written: Sequence[float]) -> None:
        self._former = list(former)
        self._first: tuple[float, float] | None = None
        self._written = list(written)

    def former(self, found: Sequence[float]) -> list[float]:
        """What would stand there without the change, in proportion to what is found."""
        pairs = zip(found, self._former, self._written, strict=False)
        return [number * (old / new) if new else old for number, old, new in pairs]

    def add(self, numbers: Sequence[float]) -> None:
        """More numbers stand there, which the change did not reach."""
        self._former.extend(numbers)
        self._written.extend(numbers)

    def carries(self, expected: Sequence[float], found: Sequence[float]) -> bool:
        """Whether `found` in the place of `expected` carries the change on."""
        moved = [
            (old, new, now)
            for old, new, now in zip(self.former(expected), expected, found, strict=False)
            if not is_rounding(now, new)
        ]
        if any(now == 0 for _, _, now in moved):
            return all(now == 0 and old != 0 for old, _, now in moved)
        if any(new <= 0 for _, new, _ in moved):
            return False
        if not moved:
            return True
        factors = [log(now / new) for _, new, now in moved]
        rivals = [log(now / old) if old > 0 else inf for old, _, now in moved]
        alone = len(moved) < len(found) and max(factors) > 0  # nobody's schedule raises some groups and not the others
        if alone or sum(map(abs, factors)) >= sum(map(abs, rivals)):
            return False
        return self._is_steady(*max(zip(factors, rivals, strict=True), key=lambda pair: abs(pair[0] - pair[1])))

    def _is_steady(self, factor: float, rival: float) -> bool:
        first, self._first = self._first, (factor, rival)
        if first is None:
            return True
        multiplied, computed = (isclose(factor, each, rel_tol=1e-4, abs_tol=1e-6) for each in first)
        return multiplied or not computed
