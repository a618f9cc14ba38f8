"""A proposed change of one parameter: an operation on the live value, a reason and a proposer."""

from dataclasses import dataclass, field
from math import isfinite

from seedbed.change.parameters._parameter import finite
from seedbed.errors import InvalidInput

__all__ = ["Add", "Delta", "Operation", "Scale", "Set"]


@dataclass(frozen=True, slots=True)
class Set:
    """The operation that sets the parameter to `value`.

    `is_relative`: it repeats a change by a factor, so that a schedule goes on in proportion to it.
    """

    value: float
    is_relative: bool = field(default=False, compare=False, repr=False)

    def resolve(self, before: float) -> float:  # noqa: ARG002  every operation is resolved against the live value
        """The absolute value that is proposed."""
        return self.value


@dataclass(frozen=True, slots=True)
class Add:
    """The operation that adds `value` to the live value."""

    value: float

    @property
    def is_relative(self) -> bool:
        """Whether it is a change by a factor."""
        return False

    def resolve(self, before: float) -> float:
        """The absolute value that is proposed, given the live one."""
        return before + self.value


@dataclass(frozen=True, slots=True)
class Scale:
    """The operation that multiplies the live value by `value`."""

    value: float

    @property
    def is_relative(self) -> bool:
        """Whether it is a change by a factor."""
        return True

    def resolve(self, before: float) -> float:
        """The absolute value that is proposed, given the live one."""
        return before * self.value


Operation = Set | Add | Scale
"""What a delta does to the live value."""


@dataclass(frozen=True, slots=True)
class Delta:
    """One proposed change: which parameter, how, why, and by whom.

    `request` is the number of the request from outside the run that it carries out, 0 for none; the journal keeps it,
    so that no resumed run carries out a request again that was carried out already.
    Raises InvalidInput unless `op` is an operation with a finite number, an int or a float, and the others are texts.
    """

    parameter: str
    op: Operation
    reason: str
    proposer: str
    request: int = 0

    def __post_init__(self) -> None:
        delta = f"delta of {self.parameter!r} by {self.proposer!r}"
        for name in ("parameter", "reason", "proposer"):
            if not isinstance(getattr(self, name), str):
                raise InvalidInput(f"{delta}: {name} is {getattr(self, name)!r}, expected a text")
        if not isinstance(self.op, Operation):
            raise InvalidInput(f"{delta}: op is {self.op!r}, expected Set, Add or Scale of a number, such as Set(0.1)")
        if not isinstance(self.op.value, int | float):
            raise InvalidInput(f"{delta}: {self.op}, expected a number that is an int or a float, such as Set(0.1)")
        if finite(self.op.value) is None:
            raise InvalidInput(f"{delta}: {self.op} is not finite")

    def resolve(self, before: float) -> float:
        """The absolute value that is proposed, given the live one. Raises InvalidInput when it overflows."""
        wanted = self.op.resolve(before)
        if not isfinite(wanted):
            raise InvalidInput(
                f"delta of {self.parameter!r} by {self.proposer!r}: {self.op} on {before!r} gives {wanted!r}; "
                "propose a finite value"
            )
        return wanted
