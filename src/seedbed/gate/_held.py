"""Numbers that no float holds: rounded to the nearest one, a whole number would be compared as another."""

from decimal import Decimal

__all__ = ["not_held"]

_ALL_HELD = 2**53


def not_held(number: int | Decimal) -> str:
    """What is wrong with a number that is so large that no float holds it; empty where one does.

    Beyond 2^53 floats are further than 1 apart. A fraction below that is meant as the float nearest to it, and a number
    beyond all floats is infinite.
    """
    if abs(Decimal(number)) <= _ALL_HELD:
        return ""
    try:
        nearest = float(number)
    except OverflowError:
        return ""
    if abs(nearest) == float("inf") or Decimal(nearest) == number:
        return ""
    return f"no float holds {number}, and {int(nearest)} is the nearest that one does"
