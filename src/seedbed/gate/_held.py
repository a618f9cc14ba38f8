"""Numbers that no float holds: rounded to the nearest one, a whole number would be compared as another."""

from decimal import Decimal

__all__ = ["ALL_HELD", "not_held"]

ALL_HELD = 2**53


def not_held(number: int | Decimal) -> str:
    """What is wrong with a number that is so large that no float holds it; empty where one does.

    Beyond 2^53 floats are further than 1 apart. A fraction below that is meant as the float nearest to it, a number
    beyond all floats is infinite, and the shortest spelling of a float, as JSON writes it, is that float.
    """
    if -ALL_HELD <= number <= ALL_HELD:
        return ""
    try:
        nearest = float(number)
    except OverflowError:
        return ""
    if abs(nearest) == float("inf") or number in {Decimal(nearest), Decimal(repr(nearest))}:
        return ""
    return f"no float holds {number}, and {int(nearest)} is the nearest that one does"
