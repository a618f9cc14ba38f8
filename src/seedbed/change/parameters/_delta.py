"""A proposed new value, as an operation on the value that is live when it is proposed."""

from dataclasses import dataclass
from math import isfinite

from seedbed.errors import InvalidInput

__all__ = ["Add", "Delta", "Op", "Scale", "Set"]


@dataclass(frozen=True, slots=True)
class Set:
    """Become `value`."""

    value: float

    def resolve(self, before: float) -> float:  # noqa: ARG002  every operation resolves against the live value
        """The absolute value meant."""
        return self.value


@dataclass(frozen=True, slots=True)
class Add:
    """Move by `value`."""

    value: float

    def resolve(self, before: float) -> float:
        """The absolute value meant, given the live one."""
        return before + self.value


@dataclass(frozen=True, slots=True)
class Scale:
    """Become `value` times as large."""

    value: float

    def resolve(self, before: float) -> float:
        """The absolute value meant, given the live one."""
        return before * self.value


Op = Set | Add | Scale


@dataclass(frozen=True, slots=True)
class Delta:
    """Who wants which parameter changed how, and why. Raises InvalidInput unless the operation's number is finite."""

    parameter: str
    op: Op
    reason: str
    proposer: str

    def __post_init__(self) -> None:
        if not isfinite(self.op.value):
            raise InvalidInput(f"delta of {self.parameter!r} by {self.proposer!r}: {self.op} is not finite")

    def resolve(self, before: float) -> float:
        """The absolute value meant, given the live one. Raises InvalidInput when it overflows."""
        wanted = self.op.resolve(before)
        if not isfinite(wanted):
            raise InvalidInput(
                f"delta of {self.parameter!r} by {self.proposer!r}: {self.op} on {before!r} gives {wanted!r}; "
                "propose a finite value"
            )
        return wanted
