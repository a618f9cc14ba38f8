"""Looking at a live object as each optimizer step that really moves weights begins, and after it."""

from collections.abc import Callable
from typing import Any, final

import torch
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

__all__ = ["StepWatch"]

Look = Callable[[int], None]
Hook = Callable[[Optimizer, tuple[Any, ...], dict[str, Any]], None]
_HUB = "_seedbed_hub"


@final
class StepWatch:
    """Calls `before` and `after` around each optimizer step, with the number of steps since the watch began, from 1.

    A step that mixed precision skips is none. GradScaler does not call `step` of most optimizers then; of those whose
    kernels unscale (fused=True) it does, with `found_inf` set, and nothing moves. That flag is read until `proven` is
    called, since reading it waits for the device. A watch may begin or end at any time, also within a step.
    """

    def __init__(self, optimizer: Optimizer, before: Look, after: Look | None = None) -> None:
        self._before, self._after = before, after
        self._steps = 0
        self._reads_flag = True
        self._within = False
        self._hub = _hub_of(optimizer)
        self._hub.watches.append(self)

    def proven(self) -> None:
        """From now on every call of `step` counts: what had to be seen was seen."""
        self._reads_flag = False

    def end(self) -> None:
        """Look no more."""
        self._within = False
        self._hub.drop(self)

    def on_begin(self, optimizer: Optimizer) -> None:
        """A step begins; told by the hub."""
        if self._reads_flag and _is_skipped(optimizer):
            return
        self._steps += 1
        self._within = True
        self._before(self._steps)

    def on_end(self) -> None:
        """A step has ended; told by the hub."""
        if self._within and self._after is not None:
            self._after(self._steps)
        self._within = False


@final
class _Hub:
    """One pair of hooks for all watches of an optimizer, there while there are any.

    PyTorch goes through its hooks as they stand in a dictionary, so that none may be added or removed meanwhile; but a
    watch that sees a loss ends within a step. A hub that is left empty within a step goes as the step ends, unless
    hooks of others come after its own; then it stays, and does nothing, until a watch ends outside.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.watches: list[StepWatch] = []
        self._optimizer = optimizer
        self._running = False
        self._handles: tuple[RemovableHandle, ...] = (
            optimizer.register_step_pre_hook(_untraced(self._begin)),
            optimizer.register_step_post_hook(_untraced(self._finish)),
        )

    def drop(self, watch: StepWatch) -> None:
        """Tell this watch no more."""
        self.watches = [each for each in self.watches if each is not watch]
        if not self.watches and not self._running:
            self._leave()

    def _begin(self, optimizer: Optimizer, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        self._running = True
        for watch in tuple(self.watches):
            watch.on_begin(optimizer)

    def _finish(self, _optimizer: Optimizer, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        for watch in tuple(self.watches):
            watch.on_end()
        self._running = False
        if not self.watches and self._is_last():
            self._leave()

    def _is_last(self) -> bool:
        hooks = self._handles[-1].hooks_dict_ref()
        return hooks is not None and next(reversed(hooks), None) == self._handles[-1].id

    def _leave(self) -> None:
        if vars(self._optimizer).get(_HUB) is self:
            del vars(self._optimizer)[_HUB]
        for handle in self._handles:
            handle.remove()


def _hub_of(optimizer: Optimizer) -> _Hub:
    # Kept on the optimizer, as GradScaler keeps its own there: it dies with it, and neither a copy nor a pickle has it.
    hub: _Hub = vars(optimizer).get(_HUB) or _Hub(optimizer)
    vars(optimizer)[_HUB] = hub
    return hub


def _untraced(hook: Hook) -> Hook:
    """The same hook, run as plain Python amid a compiled step: traced, its own numbers would become guards."""
    untraced: Hook = torch.compiler.disable(hook)  # type: ignore[no-untyped-call]
    return untraced


def _is_skipped(optimizer: Optimizer) -> bool:
    found_inf = vars(optimizer).get("found_inf")
    return found_inf is not None and bool(found_inf)
