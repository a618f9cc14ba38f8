"""Hooks before and after each optimizer step that really changes weights."""

import weakref
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeVar, cast, final

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils.hooks import RemovableHandle

from seedbed.errors import InvalidInput

__all__ = ["StepWatch", "watchable"]

Look = Callable[[int], None]
Elsewhere = Callable[[Optimizer, int], None]
Arguments = tuple[tuple[Any, ...], dict[str, Any]]
Hook = Callable[[Optimizer, tuple[Any, ...], dict[str, Any]], Arguments | None]
Traced = TypeVar("Traced", bound=Callable[..., Any])
_HUB = "_seedbed_hub"
_HOOKS = "_optimizer_step_pre_hooks"
_INNER = ("optimizer", "_optimizer", "base_optimizer", "inner_optimizer")


def watchable(optimizer: Optimizer) -> Optimizer:
    """The optimizer whose steps are watched: the innermost one that `optimizer` wraps and whose groups it shows.

    That is `optimizer` itself when it wraps none. Raises InvalidInput for what has no step hooks, and wraps no
    optimizer that has them: a change of it could be made, and never be seen in use.
    """
    *_, innermost = _layers(optimizer)
    if isinstance(innermost, Optimizer) and hasattr(innermost, _HOOKS):
        return innermost
    raise InvalidInput(
        f"a {type(optimizer).__qualname__} cannot be watched: it is no torch.optim.Optimizer with step hooks, and "
        f"wraps none ({', '.join(_INNER)}) whose parameter groups it shows; bind the optimizer that takes the steps"
    )


def _layers(optimizer: Any) -> Iterator[Any]:
    """The optimizer, and what it wraps, from the outside to the inside."""
    seen: list[object] = []
    layer: Any = optimizer
    while layer is not None:
        if any(layer is each for each in seen):
            raise InvalidInput(
                f"a {type(optimizer).__qualname__} cannot be watched: what it wraps wraps it again; bind the optimizer "
                "that takes the steps"
            )
        yield layer
        seen.append(layer)
        layer = _wrapped_by(layer)


def _wrapped_by(layer: Any) -> Any:
    for name in _INNER:
        inner = _attribute(layer, name)
        if inner is not None and inner is not layer and _shows_groups_of(layer, inner):
            return inner
    return None


def _attribute(layer: Any, name: str) -> Any:
    try:
        return getattr(layer, name, None)
    except Exception as error:  # a property may raise anything
        raise InvalidInput(
            f"a {type(layer).__qualname__} cannot be watched: its {name} raises {type(error).__name__} ({error}); bind "
            "the optimizer that takes the steps"
        ) from error


def _shows_groups_of(wrapper: object, inner: object) -> bool:
    outer, own = (_attribute(each, "param_groups") for each in (wrapper, inner))
    if not (isinstance(outer, list) and isinstance(own, list)):
        return False
    return len(outer) == len(own) and all(one is other for one, other in zip(outer, own, strict=True))


@final
class StepWatch:
    """Calls `before` and `after` around each optimizer step, with the number of steps since the watch began, from 1.

    `before` is called when the gradients of the step are there: at its beginning, or when its closure was called for
    the first time. `evaluated` is called with the loss after each call of the closure. `elsewhere` is called when
    another optimizer has stepped weights of this one twice and this one has not stepped in between, with that optimizer
    and the number that the first of these steps would have had.

    Steps that mixed precision skips do not count. For most optimizers GradScaler does not call `step` then. For those
    whose kernels unscale (fused=True) it does, with `found_inf` set, and nothing changes. That flag is read only until
    `proven` is called, since reading it waits for the device. A watch may begin or end at any time, also in a step.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        before: Look,
        after: Look | None = None,
        evaluated: Callable[[Any], None] | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._before, self._after, self._evaluated, self._elsewhere = before, after, evaluated, elsewhere
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

    def on_evaluated(self, loss: Any) -> None:
        """The closure of a step was called; called by the hub."""
        if self._in_step and self._evaluated is not None:
            self._evaluated(loss)

    def on_end(self) -> None:
        """A step has ended; called by the hub."""
        if self._in_step and self._after is not None:
            self._after(self._steps)
        self._in_step = False

    def on_elsewhere(self, optimizer: Optimizer) -> None:
        """Another optimizer steps these weights; called by the hub."""
        if self._elsewhere is not None:
            self._elsewhere(optimizer, self._steps + 1)


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
        self._num_strange_steps = 0
        self._shares: weakref.WeakKeyDictionary[Optimizer, bool] = weakref.WeakKeyDictionary()
        _see_every_step()
        _hubs.add(self)
        self._handles: tuple[RemovableHandle, ...] = (
            optimizer.register_step_pre_hook(_untraced(self._begin)),
            optimizer.register_step_post_hook(_untraced(self._finish)),
        )

    def on_other(self, other: Optimizer) -> None:
        """Another optimizer begins a step."""
        if other is self._optimizer or not self.watches or not self._has_weights_of(other):
            return
        self._num_strange_steps += 1
        if self._num_strange_steps == 2:
            for watch in tuple(self.watches):
                watch.on_elsewhere(other)

    def drop(self, watch: StepWatch) -> None:
        """Remove this watch."""
        self.watches = [each for each in self.watches if each is not watch]
        if not self.watches and not self._running:
            self._remove_hooks()

    def _begin(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments | None:
        self._running, self._num_strange_steps = True, 0
        closure = args[1] if len(args) > 1 else kwargs.get("closure")
        if closure is None:
            self._ready(optimizer)
            return None
        observed = self._observed(optimizer, closure)
        return ((args[0], observed, *args[2:]), kwargs) if len(args) > 1 else (args, {**kwargs, "closure": observed})

    def _observed(self, optimizer: Optimizer, closure: Callable[[], Any]) -> Callable[[], Any]:
        """The closure, which tells the watches that it was called."""
        is_first = True

        def observed() -> Any:
            nonlocal is_first
            loss = closure()
            if is_first:
                is_first = False
                self._ready(optimizer)
            for watch in tuple(self.watches):
                watch.on_evaluated(loss)
            return loss

        return _untraced(observed)

    def _ready(self, optimizer: Optimizer) -> None:
        for watch in tuple(self.watches):
            watch.on_begin(optimizer)

    def _has_weights_of(self, other: Optimizer) -> bool:
        found = self._shares.get(other)
        if found is None:
            own, theirs = (
                {id(w) for group in o.param_groups for w in group["params"]} for o in (self._optimizer, other)
            )
            found = self._shares[other] = not own.isdisjoint(theirs)
        return found

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


# The hubs that exist, for the one hook that sees the steps of all optimizers. It is registered with the first watch
# and never removed: the garbage collector may end a hub while PyTorch iterates over such hooks.
_hubs: weakref.WeakSet[_Hub] = weakref.WeakSet()


@cache
def _see_every_step() -> None:
    def hook(optimizer: Optimizer, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        for hub in tuple(_hubs):
            hub.on_other(optimizer)

    register_optimizer_step_pre_hook(_untraced(hook))


def _untraced(hook: Traced) -> Traced:
    """The same hook, run as plain Python in a compiled step: if it were traced, its numbers would become guards."""
    disable = cast("Callable[[Traced], Traced]", torch.compiler.disable)  # PyTorch declares no types for it
    return disable(hook)


def _is_skipped(optimizer: Optimizer) -> bool:
    found_inf = vars(optimizer).get("found_inf")
    return found_inf is not None and bool(found_inf)
