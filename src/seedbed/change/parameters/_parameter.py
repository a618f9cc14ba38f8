"""A setting that may change in a run, and its limits."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from numbers import Real

from seedbed.errors import InvalidInput

__all__ = ["Number", "Parameter", "exactly", "finite", "in_unit"]

_FINEST = 2**-40
"""The finest grid, relative to the larger bound: a thousandth of its increment is still well above rounding."""
_LARGEST_WHOLE = 2**53


class Number(StrEnum):
    """The kind of number that a parameter is. In memory every value is a float; a file holds it in its own kind."""

    FLOAT = "FLOAT"
    INT = "INT"
    BOOL = "BOOL"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A setting that may change, with its limits: within `low`..`high`, changes at least `cooldown_steps` apart.

    `key` is its flat name (`optimizer.lr`), `unit` the unit of `low`, `high` and every value ("1" for a bare number).
    `path` is its place in a nested document, by default `key` split at its dots. With an `increment`, values are on a
    grid that begins at `low`; INT and BOOL have an increment of 1.

    In any `velocity_window_steps` steps it moves by at most `velocity_cap` in total (in its unit; None for no cap).
    `oscillation_window` effective moves that alternate in sign, including the proposed one, are an oscillation (3 or
    more; 0 for never); moves older than `oscillation_horizon_steps` are ignored (None for never). `subsystem` is the
    group that it is frozen with, by default the first part of its path; `owner` is who is responsible for it;
    `lag_steps` is how many steps may pass until a change is seen in use. Raises InvalidInput, with the field, when a
    field is of another type, no value is allowed or limits contradict each other.
    """

    key: str
    unit: str
    low: float
    high: float
    cooldown_steps: int = 0
    number: Number = Number.FLOAT
    path: tuple[str, ...] = ()
    increment: float | None = None
    velocity_cap: float | None = None
    velocity_window_steps: int = 1
    oscillation_window: int = 0
    oscillation_horizon_steps: int | None = None
    subsystem: str = ""
    owner: str = ""
    lag_steps: int = 1

    def __post_init__(self) -> None:
        self._require(self._types())
        object.__setattr__(self, "path", self.path or tuple(self.key.split(".")))
        object.__setattr__(self, "subsystem", self.subsystem or self.path[0])
        if self.number is not Number.FLOAT and self.increment is None:
            object.__setattr__(self, "increment", 1.0)
        if finite(self.low) is None or finite(self.high) is None or self.low > self.high:
            raise InvalidInput(
                f"parameter {self.key!r}: expected finite bounds with low <= high, found low={self.low!r} and "
                f"high={self.high!r}; declare the range that you would accept without supervision"
            )
        self._require(self._requirements())

    def _require(self, requirements: Iterator[tuple[str, bool, str]]) -> None:
        for field, holds, expected in requirements:
            if not holds:
                found = getattr(self, field)
                raise InvalidInput(f"parameter {self.key!r}: {field} is {found!r}, expected {expected}")

    def _types(self) -> Iterator[tuple[str, bool, str]]:
        """As `_requirements`, for the fields that are no numbers."""
        for field in ("key", "unit", "subsystem", "owner"):
            yield field, isinstance(getattr(self, field), str), "a text"
        is_path = isinstance(self.path, tuple) and all(isinstance(part, str) for part in self.path)
        yield "path", is_path, "a tuple of texts"
        kinds = ", ".join(f"Number.{number.name}" for number in Number)
        yield "number", isinstance(self.number, Number), f"one of {kinds}"

    def _requirements(self) -> Iterator[tuple[str, bool, str]]:
        """For each field: its name, whether it is valid, and what is expected. The bounds are finite by then."""
        cap, finest = self.velocity_cap, max(abs(self.low), abs(self.high)) * _FINEST
        yield "path", all(self.path), "parts that are not empty"
        yield "cooldown_steps", _reaches(self.cooldown_steps, 0), "0 or more"
        yield "velocity_cap", cap is None or _is_positive(cap), "None or a finite number above 0"
        yield "velocity_window_steps", _reaches(self.velocity_window_steps, 1), "1 or more"
        window = self.oscillation_window
        yield (
            "oscillation_window",
            window == 0 or _reaches(window, 3),
            "0 for never, or 3 or more: fewer changes cannot alternate",
        )
        horizon = self.oscillation_horizon_steps
        yield "oscillation_horizon_steps", horizon is None or _reaches(horizon, 1), "None or 1 or more"
        yield "lag_steps", _reaches(self.lag_steps, 1), "1 or more"
        step = self.increment
        yield "increment", step is None or _is_positive(step), "None or a finite number above 0"
        yield "velocity_cap", cap is None or step is None or cap >= step, f"at least the increment, {step}"
        if self.number is Number.FLOAT:
            yield (
                "increment",
                step is None or step >= finest,
                f"{finest:g} or more, so that floats can distinguish its values",
            )
            apart = step is None or self.low == 0 or abs(self.low) >= finest
            yield "low", apart, f"0, or {finest:g} or more away from it, so that floats can distinguish its values"
            return
        for field in ("low", "high", "increment"):
            value = float(getattr(self, field))
            whole = value.is_integer() and abs(value) <= _LARGEST_WHOLE
            yield field, whole, f"a whole number for {self.number.value}"
        if self.number is Number.BOOL:
            yield "low", self.low >= 0, "0 or 1 for BOOL"
            yield "high", self.high <= 1, "0 or 1 for BOOL"


def finite(value: object) -> float | None:
    """A number as a float; None for anything else, for infinity and NaN, and for an integer too large for a float."""
    try:
        return float(value) if isinstance(value, Real) and isfinite(value) else None
    except OverflowError:
        return None


def _reaches(value: object, least: int) -> bool:
    number = finite(value)
    return number is not None and number >= least


def _is_positive(value: object) -> bool:
    number = finite(value)
    return number is not None and number > 0


def exactly(value: float) -> str:
    """The value with six digits where these are all, else with as many as it has."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def in_unit(quantity: str, unit: str) -> str:
    """`quantity` with its unit, for people; the unit "1" of a bare number is left out."""
    return quantity if unit == "1" else f"{quantity} {unit}"
