"""The norm that gradients are clipped to."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isclose, isfinite, sqrt
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
        self._start: float | None = self._max_norm  # None after a resume from a state that does not hold it
        self._former: float | None = None
        self._watch: _Watch | None = None

    def clip(self, parameters: Iterable[Tensor]) -> Tensor:
        """Scale the gradients in place to at most the norm; returns their norm before, a tensor of shape []."""
        clipped = list(parameters)
        norm = torch.nn.utils.clip_grad_norm_(clipped, self._max_norm)
        self.clipped(clipped, norm, self._max_norm)
        return norm

    def clipped(self, parameters: Iterable[Tensor], norm: Tensor, max_norm: float) -> None:
        """Another library clips, or clipped, these gradients to `max_norm`; `norm` was theirs before, of shape []."""
        if self._watch is not None:
            self._watch.note(max_norm, norm, list(parameters))

    def read(self) -> float:
        """The norm that the next clip uses."""
        return self._max_norm

    def write(self, value: float) -> None:
        """Clip to `value` from now on. Raises InvalidInput unless it is finite and above 0."""
        self._former, self._max_norm = self._max_norm, _checked(value)

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        """Report the first optimizer step whose gradients have the norm that only this value gives, and any later loss.

        The use is open while no gradients reach this norm or the former one, and while a weight of the optimizer has a
        gradient that `clip` was not given. A loss is: a step without a call of `clip` since the step before, or with
        gradients that were clipped while they were still scaled. Steps that mixed precision skips do not count.
        """
        if self._watch is not None:
            self._watch.end()
        self._watch = None if report is None else _Watch(self._optimizer, self._max_norm, self._former, report)

    def state(self) -> dict[str, float]:
        """The norm, and the one that it began with, from which safe bounds are derived again after a resume."""
        return {"max_norm": self._max_norm, **({} if self._start is None else {"start": self._start})}

    def restore(self, state: Mapping[str, float]) -> None:
        """Restore a state that `state` returned, now or before it held `start`. Raises InvalidInput for other names."""
        if state.keys() - {"start"} != {"max_norm"}:
            raise InvalidInput(f"clip-norm state: expected ['max_norm', 'start'], found {sorted(state)}")
        self._former, self._max_norm = None, _checked(state["max_norm"])
        self._start = _checked(state["start"]) if "start" in state else None


@final
@dataclass(frozen=True, slots=True)
class _Clip:
    """One call of `clip`: the limit, the norm before, and the weights that it was given."""

    max_norm: float
    norm: Tensor
    weights: list[Tensor]


@final
class _Watch:
    """Compares the gradients at the beginning of a step with those after the last calls of `clip`.

    `former` is the norm before the change, None when nobody knows it any more.
    """

    def __init__(
        self, optimizer: Optimizer, expected: float, former: float | None, report: Callable[[UseReport], None]
    ) -> None:
        self._optimizer, self._expected, self._report = optimizer, expected, report
        self._former = inf if former is None or former == expected else former
        self._clips: list[_Clip] = []
        self._seen = False
        self._open = ""
        self._steps = StepWatch(optimizer, self._look, self._forget)

    def end(self) -> None:
        """End the watch."""
        self._clips = []
        self._steps.end()

    def note(self, max_norm: float, norm: Tensor, clipped: list[Tensor]) -> None:
        """The loop clipped the gradients of these weights; their norm was `norm` before."""
        if self._seen:
            self._clips = [_Clip(max_norm, norm, [])]
            return
        ids = set(map(id, clipped))
        self._clips = [each for each in self._clips if ids.isdisjoint(map(id, each.weights)) and each.weights]
        self._clips.append(_Clip(max_norm, norm, clipped))

    def _forget(self, _step: int) -> None:
        self._clips = []  # a closure may be called more than once in a step

    def _look(self, step: int) -> None:
        clips, self._clips = self._clips, []
        other = next((each.max_norm for each in clips if each.max_norm != self._expected), None)
        if not clips:
            self._report_loss(step, 0.0, "the optimizer stepped and clip had not been called since its last step")
        elif other is not None:
            self._report_loss(step, other, "it was clipped to another norm")
        elif not self._seen:
            self._compare_norms(step, clips)

    def _compare_norms(self, step: int, clips: Sequence[_Clip]) -> None:
        norms = [float(each.norm) for each in clips]
        if vars(self._optimizer).get("grad_scale") is not None:
            why = "gradients were clipped while scaled: call scaler.unscale_(optimizer) before clip"
            self._report_loss(step, min(norms[0], self._expected), why)
            return
        held = [_norm(each.weights) for each in clips]
        if not all(map(isfinite, [*norms, *held])):
            return  # such a step proves nothing; the next one may
        for norm, found, each in zip(norms, held, clips, strict=True):
            left = _left(norm, self._expected)
            if not isclose(found, left, rel_tol=0.02, abs_tol=_grain(each.weights)):  # bfloat16 keeps two digits
                why = f"clip left gradients of norm {left:g} and the step began with {found:g}: other code changed them"
                self._report_loss(step, found, why)
                return
        self._prove(step, clips, norms, held)

    def _prove(self, step: int, clips: Sequence[_Clip], norms: Sequence[float], held: Sequence[float]) -> None:
        """The gradients are as clip left them: a proof if it had all of them, and the former norm leaves others."""
        clipped = {id(weight) for each in clips for weight in each.weights}
        weights = [weight for group in self._optimizer.param_groups for weight in group["params"]]
        with_gradient = [weight for weight in weights if weight.grad is not None]
        missed = sum(id(weight) not in clipped for weight in with_gradient)
        if missed or not with_gradient:
            self._report_open(
                step,
                f"clip was given {len(with_gradient) - missed} of the {len(with_gradient)} weights with a gradient",
            )
        elif any(self._tells(norm, found) for norm, found in zip(norms, held, strict=True)):
            self._seen = True
            self._steps.proven()
            self._report(UseReport(step, self._expected, self._expected, Use.USED))
        else:
            self._report_open(step, "no step's gradients reached a limit, the new or the former one")

    def _tells(self, norm: float, found: float) -> bool:
        """Whether gradients of that norm before would have another one now with the former limit."""
        new, former = _left(norm, self._expected), _left(norm, self._former)
        return new != former and abs(found - new) < abs(found - former)

    def _report_open(self, step: int, why: str) -> None:
        if why != self._open:
            self._open = why
            self._report(UseReport(step, self._expected, self._expected, Use.OPEN, why))

    def _report_loss(self, step: int, found: float, why: str) -> None:
        self.end()
        self._report(UseReport(step, self._expected, found, Use.LOST, why))


def _left(norm: float, max_norm: float) -> float:
    """The norm that `clip_grad_norm_` leaves of gradients of this norm; its 1e-6 counts where gradients are small."""
    return norm * min(1.0, max_norm / (norm + 1e-6))


def _grain(weights: Iterable[Tensor]) -> float:
    """The norm of gradients that all are the least number above 0: so much is lost where numbers are too small."""
    grads = [weight.grad for weight in weights if weight.grad is not None]
    kinds = [torch.finfo(grad.dtype) for grad in grads]
    return max((kind.tiny * kind.eps for kind in kinds), default=0.0) * sqrt(sum(grad.numel() for grad in grads))


def _norm(weights: Iterable[Tensor]) -> float:
    grads = [weight.grad for weight in weights if weight.grad is not None]
    return float(torch.nn.utils.get_total_norm(grads)) if grads else 0.0


def _checked(max_norm: float) -> float:
    if not (isfinite(max_norm) and max_norm > 0):
        raise InvalidInput(
            f"max_norm is {max_norm!r}: expected a finite number above 0; use a very large one to clip nothing"
        )
    return float(max_norm)
