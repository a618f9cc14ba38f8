"""The interface that the engine needs of a live setting, a `Binding`, and its answer, a `UseReport`."""

from collections.abc import Callable, Mapping, Sequence
from ctypes import c_float
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

from seedbed.change._checkpoint import Seen
from seedbed.errors import Conflict, InvalidInput

__all__ = [
    "Binding",
    "CoupledBinding",
    "LookingBinding",
    "MovingBinding",
    "RelativeBinding",
    "TellingBinding",
    "UndoingBinding",
    "Unproven",
    "Use",
    "UseReport",
    "group_added",
    "holds",
    "moved_on",
    "without",
]


class Use(StrEnum):
    """What a step showed. USED: the value. LOST: another value. OPEN: neither; the watch goes on."""

    USED = "used"
    LOST = "lost"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class UseReport:
    """What the live object really used at a step: the step with number `steps_after` since the watch began, from 1.

    `expected` and `found` are in the parameter's unit. `why` says what overwrote the value when it was LOST, and why
    the step is no proof when its use is OPEN: it did not use the value, or nobody can tell. Raises InvalidInput when
    `use` is no `Use`, or when a `why` is missing, or given for a value that was USED.
    """

    steps_after: int
    expected: float
    found: float
    use: Use
    why: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.use, Use):
            raise InvalidInput(
                f"the report of step {self.steps_after} says {self.use!r} of the use: expected one of "
                f"{', '.join(map(str, Use.__members__))}, as Use.{Use.USED.name}"
            )
        if bool(self.why) is (self.use is Use.USED):
            wanted = "no reason" if self.use is Use.USED else "a reason"
            raise InvalidInput(
                f"the report of step {self.steps_after} says Use.{self.use.name} with {self.why!r} as why: expected "
                f"{wanted}"
            )


class Binding(Protocol):
    """A live setting. Every method looks at the live object again, since its parts may be replaced at any time."""

    def read(self) -> float:
        """The value that the live object holds now."""

    def write(self, value: float) -> None:
        """Set the value, and change everything that would overwrite it. Raises InvalidInput when that is impossible."""

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        """Report the next step's use of the present value, and any later loss of it. None ends the watch."""

    def state(self) -> dict[str, float]:
        """Every number that the setting is stored in, by name: what a checkpoint must restore."""

    def restore(self, state: Mapping[str, float]) -> None:
        """Restore a state that `state` returned. Raises InvalidInput when its names differ."""


@runtime_checkable
class CoupledBinding(Protocol):
    """A binding that changes other settings together with its own."""

    def coupled(self) -> Mapping[str, float]:
        """The values of the other settings now, by name."""


@runtime_checkable
class TellingBinding(Protocol):
    """A binding that has something to say of its latest write, besides the value."""

    def way(self) -> str:
        """What the latest write came to, such as how a schedule keeps it, for the story of the change; or empty."""


@runtime_checkable
class RelativeBinding(Protocol):
    """A binding of a value that a schedule writes: it tells a change by a factor from a change to a number."""

    def write_relative(self, before: float, after: float) -> None:
        """Change the value, now `before`, to `after`, and by the same factor whatever a schedule makes of it later."""

    def way(self) -> str:
        """How the latest write is kept under the schedule, for the story of the change; empty where there is none."""


class Unproven(NamedTuple):
    """A change from one value to another that no step was seen to use; `is_lost` if its value was overwritten."""

    before: float
    after: float
    is_lost: bool


@runtime_checkable
class LookingBinding(Protocol):
    """A binding whose watch can tell a loss before the next step."""

    def look(self) -> None:
        """Compare what is live now with what the watch expects, as the next step will; report a loss."""


@runtime_checkable
class UndoingBinding(Protocol):
    """A binding that tells where its value would stand without changes; others go back to the value before."""

    def without(self, changes: Sequence[Unproven]) -> float | None:
        """The value that would stand there without the latest changes, oldest first; None if nothing is left of them.

        Raises Conflict where other settings or other code moved the value on since, and nobody knows where it would
        stand.
        """


@runtime_checkable
class MovingBinding(LookingBinding, UndoingBinding, Protocol):
    """A binding whose value others may move on after a change, as a schedule does."""

    def seen(self) -> Seen | None:
        """What the watch has seen, for a watch in another process; None where the use of the value is open."""

    def recall(self, before: float, after: float, seen: Seen | None) -> None:
        """Know of the change that the next watch is about, if this binding did not make it, and what was seen of it."""


def holds(found: float, wanted: float) -> bool:
    """Whether `found` is the wanted value, or that value rounded to float32."""
    return found in {wanted, c_float(wanted).value}


def without(
    changes: Sequence[Unproven], found: float, moved: Callable[[float, Unproven], float] | None = None
) -> float | None:
    """As `UndoingBinding.without`, of a value that is `found` now.

    `moved` takes a value that was moved on since a change, and gives the one that would stand there without the change.
    """
    value, is_left = found, False
    for place, change in reversed(list(enumerate(changes))):
        numbers, stands = f"from {change.before:g} to {change.after:g}", holds(value, change.after)
        if change.is_lost and (stands or not all(each.is_lost for each in changes[:place])):
            raise Conflict(
                f"the change {numbers} was overwritten by {value:g}, and nobody knows whether that holds "
                f"{'it' if stands else 'the changes before it'}; propose the value that you want"
            )
        if stands:
            value, is_left = change.before, True
        elif not change.is_lost and moved is not None:
            value, is_left = moved(value, change), True
        elif not change.is_lost:
            raise moved_on(f"{value:g} after the change {numbers}")
    return value if is_left and value != found else None


def moved_on(where: str) -> Conflict:
    """The refusal where a value was moved on to `where`, so that nobody knows where it would stand without a change."""
    return Conflict(
        f"the value was moved on to {where}, and nobody knows where it would stand without the change; declare "
        "the scheduler that moves it, if it is not declared, or propose the value that you want"
    )


def group_added() -> Conflict:
    """The refusal where a change of all groups cannot be taken back in one that it did not reach."""
    return Conflict("a group was added after the change, which did not reach it; propose the values that you want")
