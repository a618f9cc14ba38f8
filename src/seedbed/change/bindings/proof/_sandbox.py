"""A step of a copy that may write to the copy alone: what would reach anything else is stopped before it happens."""

import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["GeneratorStates", "OutsideError", "only_writing_to"]

_COMMUNICATING = frozenset({"c10d", "_c10d_functional", "c10d_functional", "symm_mem"})


class OutsideError(Exception):
    """A step would have reached something else than the copy."""


@contextmanager
def only_writing_to(tensors: Iterable[Tensor]) -> Iterator[None]:
    """Let nothing write to other tensors than these and those that are made within, nor talk to other processes.

    Raises OutsideError at the operation that would.
    """
    with _Sandbox(tensors):
        yield


@final
class _Sandbox(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation before it runs."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._own: dict[int, object] = {}  # held, so that no other storage gets the address of one
        for each in tensors:
            self._add(each)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the operation, if it stays within the copy."""
        if func.namespace in _COMMUNICATING:
            raise OutsideError(f"it talks to other processes ({func})")
        given = kwargs or {}
        for place, argument in enumerate(func._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                value = args[place] if place < len(args) else given.get(argument.name)
                self._require_own(tree_leaves(value), func)
        is_fresh = func is torch.ops.aten.lift_fresh.default  # what torch.tensor(...) hands over, made just before
        strange = set() if is_fresh else {_key(each) for each in _tensors((args, given))} - self._own.keys()
        made = func(*args, **given)
        for each in _tensors(made):
            if _key(each) not in strange:
                self._add(each)
        return made

    def _require_own(self, values: Sequence[Any], func: Any) -> None:
        for each in values:
            if isinstance(each, Tensor) and each.numel() and _key(each) not in self._own:
                raise OutsideError(f"it writes to a tensor that is not its own ({func})")

    def _add(self, tensor: Tensor) -> None:
        if (key := _key(tensor)) is not None:
            self._own[key] = tensor.untyped_storage()


def _tensors(nested: Any) -> list[Tensor]:
    return [each for each in tree_leaves(nested) if isinstance(each, Tensor)]


def _key(tensor: Tensor) -> int | None:
    """What two tensors of one storage share; None for a sparse one, which has several."""
    return tensor.untyped_storage()._cdata if tensor.layout is torch.strided else None


@final
class GeneratorStates:
    """The states of the random generators at one moment, of Python, NumPy and PyTorch: a step may draw from them."""

    def __init__(self) -> None:
        self._torch = torch.random.get_rng_state()
        self._devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
        self._python = random.getstate()
        numpy = sys.modules.get("numpy")
        self._numpy = None if numpy is None else numpy.random.get_state()

    def restore(self) -> None:
        """Go back to that moment."""
        torch.random.set_rng_state(self._torch)
        if self._devices:
            torch.cuda.set_rng_state_all(self._devices)
        random.setstate(self._python)
        if self._numpy is not None:
            sys.modules["numpy"].random.set_state(self._numpy)

    def again(self, step: Callable[[], None]) -> None:
        """Call `step` with the draws that follow that moment, and leave the generators as they are now."""
        now = GeneratorStates()
        self.restore()
        try:
            step()
        finally:
            now.restore()
