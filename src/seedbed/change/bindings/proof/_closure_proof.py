"""The proof for LBFGS: the calls of its closure are recorded, and replayed with the new and with the former value."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, final

import torch
from torch import Tensor
from torch.optim import Optimizer

from seedbed.change.bindings.proof._finding import NOT_FINITE, Match, UpdateFinding
from seedbed.change.bindings.proof._optimizers import unhooked_step
from seedbed.change.bindings.proof._twin import settings_of

__all__ = ["ClosureProof"]

_MAX_ELEMENTS = 2**24  # kept for one step, over all calls of the closure
_ROUNDING = 4  # units in the last place


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of the closure: the weights it was called with, the loss, and the gradients."""

    weights: list[Tensor]
    loss: Any
    gradients: list[Tensor | None]


class _AstrayError(Exception):
    """A replay asks for a point that the step never came to."""


@final
class ClosureProof:
    """Records where a step called its closure, and asks whether the same step with either value comes to these points.

    The user's closure is not called again. Weights of more than 2**24 elements, times the calls of one step, are not
    recorded: the use is then not shown.
    """

    def __init__(self, optimizer: Optimizer, cls: type[Optimizer]) -> None:
        self._optimizer, self._cls = optimizer, cls
        self._calls: list[_Call] = []
        self._too_large = False
        self._state: dict[str, Any] = {}
        self._settings: dict[int, dict[str, Any]] = {}
        self._former: dict[int, dict[str, Any]] = {}

    def enter(self) -> None:
        """Nothing to take: LBFGS changes nothing before it calls the closure."""

    def begin(self, _places: Sequence[int], put_former: Callable[[dict[int, dict[str, Any]]], None]) -> None:
        """Take the state and both settings; the first call of the closure has just ended."""
        weights = self._weights()
        self._calls, self._too_large = [], False
        self._state = {key: _kept(value) for key, value in self._optimizer.state.get(weights[0], {}).items()}
        self._settings, self._former = settings_of(self._optimizer), settings_of(self._optimizer)
        put_former(self._former)

    def evaluated(self, loss: Any) -> None:
        """Keep this call."""
        weights = self._weights()
        num_elements = (len(self._calls) + 1) * sum(weight.numel() for weight in weights)
        self._too_large |= num_elements > _MAX_ELEMENTS
        if not self._too_large:
            gradients = [None if each.grad is None else each.grad.detach().clone() for each in weights]
            kept = loss.detach().clone() if isinstance(loss, Tensor) else loss
            self._calls.append(_Call([each.detach().clone() for each in weights], kept, gradients))

    def finish(self) -> UpdateFinding:
        """Replay the step with either value."""
        calls, self._calls = self._calls, []
        if self._too_large:
            return UpdateFinding(Match.OPEN, "its weights are too large to record the step")
        if not calls or all(gradient is None for gradient in calls[0].gradients):
            return UpdateFinding(Match.OPEN, "no weight of its groups had a gradient")
        with torch.no_grad():
            if not all(torch.isfinite(each).all() for each in self._weights()):
                return UpdateFinding(Match.OPEN, NOT_FINITE)
            new, former = (self._leads_here(calls, each) for each in (self._settings, self._former))
        if new and former:
            return UpdateFinding(Match.OPEN, "the update is the same with the former value")
        if new or former:
            return UpdateFinding(Match.NEW if new else Match.FORMER)
        return UpdateFinding(
            Match.OPEN, "the update is neither the one that the new value gives nor that of the former"
        )

    def _leads_here(self, calls: Sequence[_Call], settings: dict[int, dict[str, Any]]) -> bool:
        """Whether a step with these settings comes to the same points, in the same order, and ends where it ended."""
        weights = [weight.clone() for weight in calls[0].weights]
        twin = self._cls(weights)  # type: ignore[call-arg]
        twin.param_groups[0].update(settings[0])
        if self._state:
            twin.state[weights[0]] = {key: _kept(value) for key, value in self._state.items()}
        left = iter(calls)

        def closure() -> Any:
            call = next(left, None)
            if call is None or not _near(weights, call.weights):
                raise _AstrayError
            for weight, gradient in zip(weights, call.gradients, strict=True):
                weight.grad = None if gradient is None else gradient.clone()
            return call.loss

        try:
            unhooked_step(self._cls)(twin, closure)
        except _AstrayError:
            return False
        return next(left, None) is None and _near(weights, self._weights())

    def _weights(self) -> list[Tensor]:
        weights: list[Tensor] = self._optimizer.param_groups[0]["params"]
        return weights


def _near(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> bool:
    return all(_is_near(one.detach(), other.detach()) for one, other in zip(found, wanted, strict=True))


def _is_near(one: Tensor, other: Tensor) -> bool:
    if torch.equal(one, other):
        return True
    limit = _ROUNDING * torch.finfo(one.dtype).eps * float(other.abs().max())
    return isfinite(limit) and float((one - other).abs().max()) <= limit


def _kept(value: Any) -> Any:
    """A copy that a step of a twin leaves alone: LBFGS never writes into the tensors of its lists, only into others."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    return list(value) if isinstance(value, list) else value
