"""The norm that gradients are clipped to."""

from collections.abc import Callable, Iterable, Mapping
from math import isclose, isfinite
from typing import final

import torch
from torch import Tensor
from torch.optim import Optimizer

from seedbed.change.bindings._binding import Use, UseReport
from seedbed.change.bindings._step_watch import StepWatch
from seedbed.change.bindings._watchable import watchable
from seedbed.errors import InvalidInput

__all__ = ["ClipNorm"]


@final
class ClipNorm:
    """Clips gradients to a 2-norm that may change, and binds a parameter to it.

    The loop calls `clip` where it would call `torch.nn.utils.clip_grad_norm_`: after the last backward pass, after
    `scaler.unscale_(optimizer)` where there is a GradScaler, and before the optimizer's step. Raises InvalidInput
    unless `max_norm` is finite and above 0.
    """

    def __init__(self, optimizer: Optimizer, max_norm: float) -> None:
        self._optimizer = watchable(optimizer)
        self._max_norm = _checked(max_norm)
        self._watch: _Watch | None = None

    def clip(self, parameters: Iterable[Tensor]) -> Tensor:
        """Scale the gradients in place to at most the norm; returns their norm before, a tensor of shape []."""
        clipped = list(parameters)
        norm = torch.nn.utils.clip_grad_norm_(clipped, self._max_norm)
        if self._watch is not None:
            self._watch.note(self._max_norm, norm, clipped)
        return norm

    def read(self) -> float:
        """The norm that the next clip uses."""
        return self._max_norm

    def write(self, value: float) -> None:
        """Clip to `value` from now on. Raises InvalidInput unless it is finite and above 0."""
        self._max_norm = _checked(value)

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        """Report the first optimizer step whose gradients have the norm that `clip` gave them, and any later loss.

        A loss is: a step without a call of `clip` since the step before, or with gradients that were clipped while they
        were still scaled. Steps that mixed precision skips do not count.
        """
        if self._watch is not None:
            self._watch.end()
        self._watch = None if report is None else _Watch(self._optimizer, self._max_norm, report)

    def state(self) -> dict[str, float]:
        """The norm."""
        return {"max_norm": self._max_norm}

    def restore(self, state: Mapping[str, float]) -> None:
        """Restore a state that `state` returned. Raises InvalidInput when its names differ."""
        if state.keys() != {"max_norm"}:
            raise InvalidInput(f"clip-norm state: expected ['max_norm'], found {sorted(state)}")
        self._max_norm = _checked(state["max_norm"])


@final
class _Watch:
    """Compares the gradients at the beginning of a step with those after the last call of `clip`."""

    def __init__(self, optimizer: Optimizer, expected: float, report: Callable[[UseReport], None]) -> None:
        self._optimizer, self._expected, self._report = optimizer, expected, report
        self._clip: tuple[float, Tensor, list[Tensor]] | None = None
        self._seen = False
        self._steps = StepWatch(optimizer, self._look, self._forget)

    def end(self) -> None:
        """End the watch."""
        self._clip = None
        self._steps.end()

    def note(self, max_norm: float, norm: Tensor, clipped: list[Tensor]) -> None:
        """The loop clipped the gradients of these weights; their norm was `norm` before."""
        self._clip = (max_norm, norm, [] if self._seen else clipped)

    def _forget(self, _step: int) -> None:
        self._clip = None  # a closure may be called more than once in a step

    def _look(self, step: int) -> None:
        clip, self._clip = self._clip, None
        if clip is None:
            self._report_loss(step, 0.0, "the optimizer stepped and clip had not been called since its last step")
        elif clip[0] != self._expected:
            self._report_loss(step, clip[0], "it was clipped to another norm")
        elif not self._seen:
            self._compare_norms(step, float(clip[1]), clip[2])

    def _compare_norms(self, step: int, norm: float, clipped: list[Tensor]) -> None:
        expected = min(norm, self._expected)
        if vars(self._optimizer).get("grad_scale") is not None:
            self._report_loss(
                step, expected, "gradients were clipped while scaled: call scaler.unscale_(optimizer) before clip"
            )
            return
        found = _norm(clipped)
        if not (isfinite(norm) and isfinite(found)):
            return  # such a step proves nothing; the next one may
        if isclose(found, expected, rel_tol=0.02, abs_tol=1e-6):  # bfloat16 keeps two to three digits
            self._seen = True
            self._steps.proven()
            self._report(UseReport(step, self._expected, self._expected, Use.USED))
        else:
            why = f"clip left gradients of norm {expected:g} and the step began with {found:g}: other code changed them"
            self._report_loss(step, found, why)

    def _report_loss(self, step: int, found: float, why: str) -> None:
        self.end()
        self._report(UseReport(step, self._expected, found, Use.LOST, why))


def _norm(weights: Iterable[Tensor]) -> float:
    grads = [weight.grad for weight in weights if weight.grad is not None]
    return float(torch.nn.utils.get_total_norm(grads)) if grads else 0.0


def _checked(max_norm: float) -> float:
    if not (isfinite(max_norm) and max_norm > 0):
        raise InvalidInput(
            f"max_norm is {max_norm!r}: expected a finite number above 0; use a very large one to clip nothing"
        )
    return float(max_norm)
