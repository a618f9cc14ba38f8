"""The proof for optimizers of any class: copies of it make the step again, with the new and with the former value."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor
from torch.optim import Optimizer

from seedbed.change.bindings.proof._finding import Match, UpdateFinding, compared
from seedbed.change.bindings.proof._replica import Replica, chosen_weights, replica_of
from seedbed.change.bindings.proof._sandbox import GeneratorStates, OutsideError, only_writing_to
from seedbed.change.bindings.proof._twin import Settings, settings_of

__all__ = ["ReplicaProof"]

_MOST_CALLS = 16  # of a closure in one step
# Looks: a watch that nothing decides copies the optimizer at each of the first steps, then at one of a few.
_PATIENCE, _THEN_OF = 16, 16

_NEITHER = UpdateFinding(
    Match.OPEN, "a copy of the optimizer that made the same step did not make this update, neither with the new value"
)


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of the closure: the weights it was called with, the loss, and the gradients."""

    weights: list[Tensor]
    loss: Any
    gradients: list[Tensor | None]


class _AstrayError(Exception):
    """A copy asks for a point that the step never came to."""


@final
class ReplicaProof:
    """Copies the optimizer as the step begins; after it, one copy steps as it is and one with the former value.

    A copy writes to its own tensors alone, has no hooks, calls no closure of the user's and draws what the step drew.
    The update is the new value's when the first copy made it and the second one did not; nothing of the optimizer has
    to be known for that. It is the former value's only where the bits are equal, since hidden numbers could differ.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._start: Replica | None = None
        self._weights: list[Tensor] = []
        self._former: dict[int, dict[str, Any]] = {}
        self._calls: list[_Call] = []
        self._draws: GeneratorStates | None = None
        self._num_steps = 0
        self._never = ""  # why no step can be shown
        self._why = "no step was looked at"

    def enter(self) -> None:
        """Copy the optimizer, before it changes anything."""
        self._start, self._calls = None, []
        self._num_steps += 1
        if self._never or not (self._num_steps <= _PATIENCE or self._num_steps % _THEN_OF == 0):
            return
        self._weights, self._draws = chosen_weights(self._optimizer), GeneratorStates()
        try:
            self._start = replica_of(self._optimizer, self._weights) if self._weights else None
        except Exception as error:  # copying calls code of the objects that it holds
            self._never = f"it cannot be copied: {type(error).__name__} ({error})"

    def begin(self, _places: Sequence[int], put_former: Callable[[dict[int, dict[str, Any]]], None]) -> None:
        """Take what of the groups' settings the former value changes, and nothing else of them."""
        given, former = settings_of(self._optimizer), settings_of(self._optimizer)
        put_former(former)
        self._former = {
            place: {key: value for key, value in each.items() if _differ(value, given[place][key])}
            for place, each in former.items()
        }

    def evaluated(self, loss: Any) -> None:
        """Keep this call of the closure."""
        if self._start is None or len(self._calls) == _MOST_CALLS:
            self._start = None
            return
        gradients = [None if each.grad is None else each.grad.detach().clone() for each in self._weights]
        kept = loss.detach().clone() if isinstance(loss, Tensor) else loss
        self._calls.append(_Call([each.detach().clone() for each in self._weights], kept, gradients))

    def finish(self) -> UpdateFinding:
        """Let the copies make the step."""
        if self._start is not None:
            finding = self._found(self._start)
            self._start = None
            if finding.match is not Match.OPEN:
                return finding
            self._why = finding.why
        return UpdateFinding(Match.OPEN, self._told(self._never or self._why))

    def _told(self, why: str) -> str:
        cls = type(self._optimizer)
        return f"{cls.__module__}.{cls.__qualname__} is no optimizer of torch.optim, and {why}"

    def _found(self, start: Replica) -> UpdateFinding:
        try:
            finding = self._compared(start)
            if finding.match is Match.OPEN and not self._calls and start.take_gradients(self._weights):
                return self._compared(start)  # a hook that ran after the copy was made changed the gradients
            return finding
        except OutsideError as error:
            self._never = f"a copy of it cannot make the step alone: {error}"
            return UpdateFinding(Match.OPEN, self._never)
        except Exception as error:  # the step is code of somebody's own
            return UpdateFinding(Match.OPEN, f"a copy of it raised {type(error).__name__} ({error})")

    def _compared(self, start: Replica) -> UpdateFinding:
        made = [each.detach() for each in self._weights]
        new, former = self._stepped(start, None), self._stepped(start, self._former)
        with torch.no_grad():
            finding = _judged(made, new, former)
        if finding.match is Match.NEW and not _are_same(new, self._stepped(start, None)):
            return UpdateFinding(Match.OPEN, "a copy of it that made the same step again made another update")
        return finding

    def _stepped(self, start: Replica, settings: Settings | None) -> list[Tensor] | None:
        """The weights after the step of a copy; None where its closure was called at other points."""
        copied = start.again()
        if settings is not None:
            copied.put(settings)
        left = iter(self._calls)
        is_astray = False

        def closure() -> Any:
            call = next(left, None)
            if call is None or not all(map(torch.equal, copied.weights, call.weights)):
                raise _AstrayError
            for weight, gradient in zip(copied.weights, call.gradients, strict=True):
                weight.grad = None if gradient is None else gradient.clone()
            return call.loss

        def step() -> None:
            with only_writing_to(copied.tensors):
                copied.optimizer.step(*([closure] if self._calls else []))

        draws = self._draws or GeneratorStates()
        try:
            draws.again(step)
        except _AstrayError:
            is_astray = True
        return None if is_astray or next(left, None) is not None else [each.detach() for each in copied.weights]


def _judged(made: Sequence[Tensor], new: Sequence[Tensor] | None, former: Sequence[Tensor] | None) -> UpdateFinding:
    """Which of both updates was made, where a copy that went astray made none."""
    if new is not None and former is not None:
        finding = compared(made, new, former)
    else:
        finding = UpdateFinding(Match.NEW if new is not None and _equal(made, new) else Match.OPEN, _NEITHER.why)
        if former is not None and _equal(made, former):
            finding = UpdateFinding(Match.FORMER)
    if finding.match is Match.FORMER and not (former is not None and _equal(made, former)):
        return _NEITHER
    return finding


def _differ(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return not torch.equal(one, other)
    return bool(one != other)


def _are_same(one: Sequence[Tensor] | None, other: Sequence[Tensor] | None) -> bool:
    return one is not None and other is not None and _equal(one, other)


def _equal(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    return all(map(torch.equal, one, other))
