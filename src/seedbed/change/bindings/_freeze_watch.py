"""Watches: frozen weights must not change by a single bit, and unfrozen ones must train."""

from collections.abc import Callable, Mapping
from typing import final

import torch
from torch import Tensor
from torch.optim import Optimizer

from seedbed.change.bindings._binding import Use, UseReport
from seedbed.change.bindings._step_watch import StepWatch

__all__ = ["FrozenWatch", "UnfrozenWatch"]

Named = Callable[[], Mapping[str, Tensor]]
_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@final
class FrozenWatch:
    """Compares frozen tensors before and after each optimizer step.

    It copies the tensors that could change: at the first step all of them, later those that have a gradient or require
    one. For the others it compares the number of in-place writes, which PyTorch counts.
    """

    def __init__(
        self, optimizer: Optimizer, named: Named, read: Callable[[], float], report: Callable[[UseReport], None]
    ) -> None:
        self._named, self._read, self._report = named, read, report
        self._seen = False
        self._before: dict[str, tuple[Tensor | None, int]] = {}
        # Statistics change in the forward pass: they are compared with their values when the watch began.
        self._statistics = {key: each.detach().clone() for key, each in named().items() if not _is_weight(each)}
        self._steps = StepWatch(optimizer, self._remember, self._compare)

    def end(self) -> None:
        """End the watch."""
        self._before, self._statistics = {}, {}
        self._steps.end()

    def _remember(self, step: int) -> None:
        if (share := self._read()) != 1.0:
            self._report_loss(step, share, "requires_grad was turned on by code outside the bindings")
            return
        self._before = {
            key: (each.detach().clone() if self._could_change(each) else None, each._version)
            for key, each in self._named().items()
            if _is_weight(each)
        }

    def _could_change(self, weight: Tensor) -> bool:
        return not self._seen or weight.grad is not None

    def _compare(self, step: int) -> None:
        now = self._named()
        moved = [key for key, (copy, version) in self._before.items() if _has_changed(now.get(key), copy, version)]
        moved += [key for key, copy in self._statistics.items() if not _is_same(now.get(key), copy)]
        self._before, self._statistics = {}, {}
        if moved:
            share = 1 - len(moved) / len(now)
            self._report_loss(step, share, f"frozen, but changed: {', '.join(moved)}")
        elif not self._seen:
            self._seen = True
            self._steps.proven()
            self._report(UseReport(step, 1.0, 1.0, Use.USED))

    def _report_loss(self, step: int, found: float, why: str) -> None:
        self.end()
        self._report(UseReport(step, 1.0, found, Use.LOST, why))


@final
class UnfrozenWatch:
    """Checks that gradients reach what was unfrozen. They may still be missing at the first step."""

    def __init__(
        self, optimizer: Optimizer, named: Named, read: Callable[[], float], report: Callable[[UseReport], None]
    ) -> None:
        self._named, self._read, self._report = named, read, report
        self._seen = False
        self._steps = StepWatch(optimizer, self._look)

    def end(self) -> None:
        """End the watch."""
        self._steps.end()

    def _look(self, step: int) -> None:
        share = self._read()
        if share:
            self.end()
            why = "requires_grad was turned off by code outside the bindings"
            self._report(UseReport(step, 0.0, share, Use.LOST, why))
        elif not self._seen and any(each.grad is not None for each in self._named().values()):
            self._seen = True
            self._steps.proven()
            self._report(UseReport(step, 0.0, 0.0, Use.USED))
        elif not self._seen and step > 1:
            self.end()
            why = "no gradient reached it in two optimizer steps: look for no_grad, detach or an old graph"
            self._report(UseReport(step, 0.0, 1.0, Use.LOST, why))


def _is_weight(each: Tensor) -> bool:
    return isinstance(each, torch.nn.Parameter)


def _has_changed(now: Tensor | None, copy: Tensor | None, version: int) -> bool:
    if copy is None:
        return now is None or now._version != version
    return not _is_same(now, copy)


def _is_same(one: Tensor | None, other: Tensor) -> bool:
    """Whether all bits are equal, since 0 == -0 and NaN != NaN as numbers; False when the first is gone."""
    if one is None:
        return False
    one, other = one.detach(), other.detach()
    if one.is_complex():
        one, other = torch.view_as_real(one), torch.view_as_real(other)
    bits = _INTEGERS[one.element_size()]
    return one.shape == other.shape and torch.equal(one.view(bits), other.view(bits))
