"""Hooks before and after each optimizer step that really changes weights."""

from collections.abc import Callable
from typing import Any, cast, final

import torch
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from seedbed.errors import InvalidInput

__all__ = ["StepWatch", "watchable"]

Look = Callable[[int], None]
Hook = Callable[[Optimizer, tuple[Any, ...], dict[str, Any]], None]
_HUB = "_seedbed_hub"
_HOOKS = "_optimizer_step_pre_hooks"
_INNER = ("optimizer", "_optimizer", "base_optimizer", "inner_optimizer")


def watchable(optimizer: Optimizer) -> Optimizer:
    """The optimizer whose steps are watched: `optimizer`, or the one that it wraps and whose groups it shows.

    Raises InvalidInput for what has no step hooks, and wraps no optimizer that has them: a change of it could be made,
    and never be seen in use.
    """
    if isinstance(optimizer, Optimizer) and hasattr(optimizer, _HOOKS):
        return optimizer
    for name in _INNER:
        inner = getattr(optimizer, name, None)
        if inner is not None and inner is not optimizer and _shows_groups_of(optimizer, inner):
            return watchable(inner)
    raise InvalidInput(
        f"a {type(optimizer).__qualname__} cannot be watched: it is no torch.optim.Optimizer with step hooks, and "
        f"wraps none ({', '.join(_INNER)}) whose parameter groups it shows; bind the optimizer that takes the steps"
    )


def _shows_groups_of(wrapper: object, inner: object) -> bool:
    outer, own = (getattr(each, "param_groups", None) for each in (wrapper, inner))
    if not (isinstance(outer, list) and isinstance(own, list)):
        return False
    return len(outer) == len(own) and all(one is other for one, other in zip(outer, own, strict=True))


@final
class StepWatch:
    """Calls `before` and `after` around each optimizer step, with the number of steps since the watch began, from 1.

    Steps that mixed precision skips do not count. For most optimizers GradScaler does not call `step` then. For those
    whose kernels unscale (fused=True) it does, with `found_inf` set, and nothing changes. That flag is read only until
    `proven` is called, since reading it waits for the device. A watch may begin or end at any time, also in a step.
    """

    def __init__(self, optimizer: Optimizer, before: Look, after: Look | None = None) -> None:
        self._before, self._after = before, after
        self._steps = 0
        self._reads_flag = True
        self._in_step = False
        self._hub = _hub_of(optimizer)
        self._hub.watches.append(self)

    def proven(self) -> None:
        """Count every call of `step` from now on: the use has been seen."""
        self._reads_flag = False

    def end(self) -> None:
        """End the watch."""
        self._in_step = False
        self._hub.drop(self)

    def on_begin(self, optimizer: Optimizer) -> None:
        """A step begins; called by the hub."""
        if self._reads_flag and _is_skipped(optimizer):
            return
        self._steps += 1
        self._in_step = True
        self._before(self._steps)

    def on_end(self) -> None:
        """A step has ended; called by the hub."""
        if self._in_step and self._after is not None:
            self._after(self._steps)
        self._in_step = False


@final
class _Hub:
    """One pair of hooks for all watches of an optimizer; it exists as long as there is a watch.

    PyTorch iterates over a dictionary of hooks during a step, so that none may be added or removed then; but a watch
    that sees a loss ends during a step. A hub without watches therefore removes its hooks when the step ends, unless
    other hooks come after its own; then it stays, without effect, until a watch ends outside a step.
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
        """Remove this watch."""
        self.watches = [each for each in self.watches if each is not watch]
        if not self.watches and not self._running:
            self._remove_hooks()

    def _begin(self, optimizer: Optimizer, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        self._running = True
        for watch in tuple(self.watches):
            watch.on_begin(optimizer)

    def _finish(self, _optimizer: Optimizer, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        for watch in tuple(self.watches):
            watch.on_end()
        self._running = False
        if not self.watches and self._is_last():
            self._remove_hooks()

    def _is_last(self) -> bool:
        hooks = self._handles[-1].hooks_dict_ref()
        return hooks is not None and next(reversed(hooks), None) == self._handles[-1].id

    def _remove_hooks(self) -> None:
        if vars(self._optimizer).get(_HUB) is self:
            del vars(self._optimizer)[_HUB]
        for handle in self._handles:
            handle.remove()


def _hub_of(optimizer: Optimizer) -> _Hub:
    # Kept on the optimizer, as GradScaler keeps its state: it is deleted with it, and not copied or pickled.
    hub: _Hub = vars(optimizer).get(_HUB) or _Hub(optimizer)
    vars(optimizer)[_HUB] = hub
    return hub


def _untraced(hook: Hook) -> Hook:
    """The same hook, run as plain Python in a compiled step: if it were traced, its numbers would become guards."""
    disable = cast("Callable[[Hook], Hook]", torch.compiler.disable)  # PyTorch declares no types for it
    return disable(hook)


def _is_skipped(optimizer: Optimizer) -> bool:
    found_inf = vars(optimizer).get("found_inf")
    return found_inf is not None and bool(found_inf)
