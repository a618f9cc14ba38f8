"""One pair of hooks around the steps of an optimizer, for all that listen to them."""

import os
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Protocol, TypeVar, cast, final

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils.hooks import RemovableHandle

__all__ = ["StepCalls", "StepHub", "hub_of"]

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
Returned = TypeVar("Returned")
_HUB = "_seedbed_hub"


@final
@dataclass(frozen=True, eq=False)
class StepCalls:
    """What is called at the steps of an optimizer: of five moments those that somebody asks for.

    `entered`: a step begins, and its closure, if it has one, was not called yet. `ready`: its gradients are there.
    `evaluated`: its closure was called and gave this loss. `ended`: it has ended. `elsewhere`: another optimizer, which
    is given, has stepped these weights twice.
    """

    entered: Callable[[], None] | None = None
    ready: Callable[[Optimizer], None] | None = None
    evaluated: Callable[[Any], None] | None = None
    ended: Callable[[Optimizer], None] | None = None
    elsewhere: Callable[[Optimizer], None] | None = None


class StepDriver(Protocol):
    """What changes an optimizer's settings for the time of its steps."""

    def begin(self, *, is_last: bool) -> None:
        """A step begins: no watch has looked, and no closure was called. `is_last`: no other hook comes after this."""

    def end(self) -> None:
        """A step has ended: no other hook was called, so that one which steps a schedule finds the schedule's rate."""


@final
class StepHub:
    """One pair of hooks for all that listen to an optimizer's steps or drive them; it exists as long as anything does.

    PyTorch iterates over a dictionary of hooks during a step, so that none may be added or removed then; but a watch
    that sees a loss ends during a step. A hub to which nobody listens therefore removes its hooks when the step ends,
    unless other hooks come after its own; then it stays, without effect, until somebody is dropped outside a step.

    In a forked child nobody listens: its steps are those of a copy, and the run and its journal are the parent's. It
    keeps the drivers, since its optimizer goes on with the settings that were changed.

    A class whose `step` calls that of its base calls the hooks twice, if PyTorch has wrapped both; the inner calls are
    a part of the same step.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._listen_to(())
        self._drivers: list[StepDriver] = []
        self._restoring: RemovableHandle | None = None
        self._optimizer = optimizer
        self._running = False
        self._num_nested = 0
        self._num_strange_steps = 0
        self._is_first = True  # whether the closure of this step was not called yet
        # Made once, since `torch.compiler.disable` takes longer than many steps.
        self._observe = _untraced(self._evaluate)
        self._begin_apart, self._finish_apart = _apart(self._begin), _apart(self._finish)
        self._shares: weakref.WeakKeyDictionary[Optimizer, tuple[int, int, bool]] = weakref.WeakKeyDictionary()
        _forget_in_children()
        _hubs.add(self)
        self._handles: tuple[RemovableHandle, ...] = (
            optimizer.register_step_pre_hook(self._begin),
            optimizer.register_step_post_hook(self._finish),
        )

    def on_other(self, other: Optimizer) -> None:
        """Another optimizer begins a step."""
        if other is self._optimizer or not self._elsewhere or not self._has_weights_of(other):
            return
        self._num_strange_steps += 1
        if self._num_strange_steps == 2:
            for elsewhere in self._elsewhere:
                elsewhere(other)

    def listen(self, calls: StepCalls) -> None:
        """Call these from now on, also within the step that is under way."""
        if calls.elsewhere is not None:
            _see_every_step()
        self._listen_to((*self._calls, calls))

    def drop(self, calls: StepCalls) -> None:
        """Call these no more."""
        self._listen_to(tuple(each for each in self._calls if each is not calls))
        self._remove_unused_hooks()

    def forget(self) -> None:
        """Call nobody any more."""
        self._listen_to(())

    def _listen_to(self, calls: tuple[StepCalls, ...]) -> None:
        # Sorted here and not at each step. A step that is under way goes on with the tuple that it had.
        self._calls = calls
        self._entered = tuple(each.entered for each in calls if each.entered is not None)
        self._ready = tuple(each.ready for each in calls if each.ready is not None)
        self._evaluated = tuple(each.evaluated for each in calls if each.evaluated is not None)
        self._ended = tuple(each.ended for each in calls if each.ended is not None)
        self._elsewhere = tuple(each.elsewhere for each in calls if each.elsewhere is not None)

    def attach(self, driver: StepDriver) -> None:
        """Let it change settings from the next step on."""
        if self._restoring is None and not self._running:
            self._restoring = _first(self._optimizer.register_step_post_hook(_untraced(self._restore)))
        self._drivers = [*self._drivers, driver]

    def detach(self, driver: StepDriver) -> None:
        """Remove this driver."""
        self._drivers = [each for each in self._drivers if each is not driver]
        if not (self._drivers or self._running or self._restoring is None):
            self._restoring.remove()
            self._restoring = None
        self._remove_unused_hooks()

    @property
    def _is_used(self) -> bool:
        return bool(self._calls or self._drivers)

    def _remove_unused_hooks(self) -> None:
        if not self._is_used and not self._running:
            self._remove_hooks()

    def _begin(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments | None:
        if torch.compiler.is_dynamo_compiling():
            return self._begin_apart(optimizer, args, kwargs)
        if self._running and _is_nested(optimizer):
            self._num_nested += 1
            return None
        self._running, self._num_nested, self._num_strange_steps = True, 0, 0
        for driver in self._drivers:
            driver.begin(is_last=_is_newest(self._handles[0]))
        for entered in self._entered:
            entered()
        closure = args[1] if len(args) > 1 else kwargs.get("closure")
        if closure is None:
            for ready in self._ready:
                ready(optimizer)
            return None
        observed = self._observed(optimizer, closure)
        return ((args[0], observed, *args[2:]), kwargs) if len(args) > 1 else (args, {**kwargs, "closure": observed})

    def _observed(self, optimizer: Optimizer, closure: Callable[[], Any]) -> Callable[[], Any]:
        """The closure, which tells that it was called."""
        self._is_first = True
        return partial(self._observe, optimizer, closure)

    def _evaluate(self, optimizer: Optimizer, closure: Callable[[], Any]) -> Any:
        loss = closure()
        if self._is_first:
            self._is_first = False
            for ready in self._ready:
                ready(optimizer)
        for evaluated in self._evaluated:
            evaluated(loss)
        return loss

    def _has_weights_of(self, other: Optimizer) -> bool:
        """Whether both hold a weight; it is asked again when either was given more of them."""
        sizes = _num_weights(self._optimizer), _num_weights(other)
        *known, shares = self._shares.get(other, (0, 0, False))
        if tuple(known) != sizes:
            own, theirs = (
                {id(w) for group in o.param_groups for w in group["params"]} for o in (self._optimizer, other)
            )
            shares = not own.isdisjoint(theirs)
            self._shares[other] = (*sizes, shares)
        return shares

    def _restore(self, _optimizer: Optimizer, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        for driver in self._drivers if not self._num_nested else ():
            driver.end()

    def _finish(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if torch.compiler.is_dynamo_compiling():
            self._finish_apart(optimizer, args, kwargs)
            return
        if self._num_nested:
            self._num_nested -= 1
            return
        if self._drivers and self._restoring is None:
            self._restore(optimizer, args, kwargs)
        for ended in self._ended:
            ended(optimizer)
        self._running = False
        if not (self._calls or self._drivers) and _is_newest(self._handles[-1]):
            self._remove_hooks()

    def _remove_hooks(self) -> None:
        if vars(self._optimizer).get(_HUB) is self:
            del vars(self._optimizer)[_HUB]
        for handle in (*self._handles, self._restoring):
            if handle is not None:
                handle.remove()


def _is_nested(optimizer: Optimizer) -> bool:
    """Whether a step of it runs within another one, and not after one that raised."""
    num_running, frame = 0, sys._getframe()
    while (caller := frame.f_back) is not None:
        frame = caller
        if frame.f_globals.get("__name__") == Optimizer.__module__ and frame.f_code.co_name == "wrapper":
            num_running += frame.f_locals.get("self") is optimizer
    return num_running > 1


def _is_newest(handle: RemovableHandle) -> bool:
    """Whether no hook of its kind was registered after it."""
    hooks = handle.hooks_dict_ref()
    return hooks is not None and next(reversed(hooks), None) == handle.id


def _first(handle: RemovableHandle) -> RemovableHandle:
    """The same hook, called before those that were registered earlier."""
    hooks = handle.hooks_dict_ref()
    if hooks is not None:
        hooks.move_to_end(handle.id, last=False)
    return handle


def _num_weights(optimizer: Optimizer) -> int:
    return sum(len(group["params"]) for group in optimizer.param_groups)


def hub_of(optimizer: Optimizer) -> StepHub:
    """The hub of this optimizer; it is made when there is none."""
    # Kept on the optimizer, as GradScaler keeps its state: it is deleted with it, and not copied or pickled.
    hub: StepHub = vars(optimizer).get(_HUB) or StepHub(optimizer)
    vars(optimizer)[_HUB] = hub
    return hub


# The hubs that exist, for the one hook that sees the steps of all optimizers. It is registered when somebody first asks
# for what happens elsewhere, and never removed: the garbage collector may end a hub while PyTorch iterates over hooks.
_hubs: weakref.WeakSet[StepHub] = weakref.WeakSet()


@cache
def _see_every_step() -> None:
    def hook(optimizer: Optimizer, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        num_hubs = len(_hubs)
        if not num_hubs or (num_hubs == 1 and vars(optimizer).get(_HUB) is not None):
            return  # the usual cases: there is no hub, or the only one is that of this optimizer
        for hub in tuple(_hubs):
            hub.on_other(optimizer)

    register_optimizer_step_pre_hook(_untraced(hook))


@cache
def _forget_in_children() -> None:
    if hasattr(os, "register_at_fork"):  # where processes can fork
        os.register_at_fork(after_in_child=_forget_all)


def _forget_all() -> None:
    for hub in tuple(_hubs):
        hub.forget()


def _untraced(hook: Callable[..., Returned]) -> Callable[..., Returned]:
    """The same hook, run as plain Python in a compiled step: if it were traced, its numbers would become guards."""
    apart = _apart(hook)

    def call(*args: Any) -> Returned:
        # Elsewhere the hook is called itself: what is done around a call apart takes longer than most hooks.
        return apart(*args) if torch.compiler.is_dynamo_compiling() else hook(*args)

    return call


def _apart(hook: Callable[..., Returned]) -> Callable[..., Returned]:
    """The same hook, which is not traced where a compiled step calls it."""
    disable = cast("Callable[..., Callable[..., Returned]]", torch.compiler.disable)  # PyTorch declares no types for it
    return disable(hook)
