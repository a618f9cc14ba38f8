"""The norm that gradients are clipped to by another library, which keeps it as an attribute of its own."""

from collections.abc import Callable, Mapping
from typing import final

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from seedbed.change import ClipNorm, Use, UseReport

__all__ = ["LibraryClip"]


@final
class LibraryClip:
    """Binds a parameter to the norm that a library clips the gradients of `optimizer` to.

    `read` and `write` reach the attribute. The library's callback calls `clips` before the library does or, where it
    `is_called_after`, `clipped`: then the norms of the gradients are noted as backward passes make them. Both cost
    something only until a step was seen to use the value.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        read: Callable[[], float],
        write: Callable[[float], None],
        *,
        is_called_after: bool = False,
    ) -> None:
        self._optimizer = optimizer
        self._read, self._write, self._is_called_after = read, write, is_called_after
        self._clip = ClipNorm(optimizer, read())
        self._is_open = False  # whether a watch looks for the first use
        self._norms: dict[Tensor, Tensor] = {}
        self._hooks: list[RemovableHandle] = []

    def clips(self) -> None:
        """The library clips the gradients next."""
        held = self._with_gradient() if self._is_open else []
        norm = torch.nn.utils.get_total_norm([each.grad for each in held if each.grad is not None])
        self._clip.clipped(held, norm, self._read())

    def clipped(self) -> None:
        """The library has clipped the gradients."""
        held = [each for each in self._with_gradient() if each in self._norms]
        norm = torch.nn.utils.get_total_norm([self._norms[each] for each in held])
        self._norms.clear()
        self._clip.clipped(held, norm, self._read())

    def read(self) -> float:
        """The norm that the library's next clip uses."""
        return self._read()

    def write(self, value: float) -> None:
        """Clip to `value` from now on. Raises InvalidInput unless it is finite and above 0."""
        self._clip.write(value)
        self._write(value)

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        """As `ClipNorm.watch`."""
        self._end_notes()
        self._is_open = report is not None
        self._clip.watch(None if report is None else lambda found: self._reported(report, found))
        if self._is_open and self._is_called_after:
            self._hooks = [_hooked(weight, self._note) for weight in self._weights()]

    def state(self) -> dict[str, float]:
        """The norm."""
        return self._clip.state()

    def restore(self, state: Mapping[str, float]) -> None:
        """Restore a state that `state` returned. Raises InvalidInput when its names differ."""
        self._clip.restore(state)
        self._write(self._clip.read())

    def _reported(self, report: Callable[[UseReport], None], found: UseReport) -> None:
        if found.use is not Use.OPEN:
            self._end_notes()
        report(found)

    def _end_notes(self) -> None:
        self._is_open = False
        for hook in self._hooks:
            hook.remove()
        self._hooks, self._norms = [], {}

    def _note(self, weight: Tensor) -> None:
        if weight.grad is not None:
            self._norms[weight] = torch.linalg.vector_norm(weight.grad.detach())

    def _weights(self) -> list[Tensor]:
        weights = (weight for group in self._optimizer.param_groups for weight in group["params"])
        return [weight for weight in weights if weight.requires_grad]

    def _with_gradient(self) -> list[Tensor]:
        return [weight for weight in self._weights() if weight.grad is not None]


def _hooked(weight: Tensor, note: Callable[[Tensor], None]) -> RemovableHandle:
    register: Callable[[Callable[[Tensor], None]], RemovableHandle] = weight.register_post_accumulate_grad_hook
    return register(note)
