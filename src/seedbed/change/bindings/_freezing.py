"""Freezing a part of a live model, so that its weights do not change."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import final

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from seedbed.change.bindings._binding import UseReport
from seedbed.change.bindings._freeze_watch import FrozenWatch, UnfrozenWatch
from seedbed.change.bindings._watchable import watchable
from seedbed.errors import InvalidInput

__all__ = ["Freeze", "OnUnfreeze", "require_unused_found"]

_CUMULATIVE = -1.0  # a state's number for BatchNorm's momentum None
_OWN = "_seedbed_momentum"  # a held layer's attribute: its own momentum, also for another binding and for a copy


class OnUnfreeze(StrEnum):
    """What happens to a weight's optimizer state when it is unfrozen: it is kept, or reset."""

    KEEP = "keep"
    RESET = "reset"


@final
class Freeze:
    """Binds a parameter to whether a submodule is frozen: 1.0 or 0.0; in between, the share of its frozen weights.

    Freezing turns requires_grad off and sets the gradients to None: with an old gradient, or one of zeros, momentum and
    weight decay would still change the weights. If only some weights are frozen when the binding is made, those always
    stay frozen. The running statistics of normalisation layers are held too, by a momentum of 0, unless
    `hold_statistics` is False; other buffers, and the layers' mode, are not changed. A held layer still counts its
    batches (num_batches_tracked), which changes nothing; only a cumulative average (momentum None), where that number
    is the weight of what was averaged so far, does not count them either. Unfreezing gives each layer the momentum that
    it had when it was frozen, also after a resume; it keeps the optimizer's state of the weights, or removes it with
    `on_unfreeze=OnUnfreeze.RESET`.

    An averaged copy (AveragedModel) is not frozen: it still moves towards the weights. A copy that is made while the
    statistics are held holds its own, until it is unfrozen through a binding of its own. Raises InvalidInput when the
    model has no such submodule, when one of its weights is also used outside it, or for a DistributedDataParallel that
    does not look for unused weights.
    """

    def __init__(
        self,
        model: nn.Module,
        name: str,
        optimizer: Optimizer,
        *,
        on_unfreeze: OnUnfreeze = OnUnfreeze.KEEP,
        hold_statistics: bool = True,
    ) -> None:
        if not name or name not in dict(model.named_modules()):
            raise InvalidInput(
                f"{type(model).__name__} has no submodule {name!r}; it has {[n for n, _ in model.named_modules() if n]}"
            )
        self._model, self._name, self._optimizer = model, name, watchable(optimizer)
        self._on_unfreeze, self._holds = OnUnfreeze(on_unfreeze), hold_statistics
        self._others: frozenset[str] = frozenset()
        idle = frozenset(key for key, weight in self._weights().items() if not weight.requires_grad)
        self._others = idle if len(idle) < len(self._weights()) else frozenset()
        self._watch: FrozenWatch | UnfrozenWatch | None = None
        self._require_untied()
        require_unused_found(model)

    def read(self) -> float:
        """The share of its weights that is frozen."""
        weights = self._weights().values()
        return sum(not weight.requires_grad for weight in weights) / len(weights)

    def write(self, value: float) -> None:
        """Freeze at 1.0, unfreeze at 0.0. Raises InvalidInput for another value, or an unfrozen weight in no group."""
        if value not in {0.0, 1.0}:
            raise InvalidInput(f"freeze {self._name!r}: expected 1.0 (frozen) or 0.0, found {value!r}")
        if value == 0.0:
            self._require_in_a_group()
            self._remove_state_if_reset()
        for weight in self._weights().values():
            _set_frozen(weight, frozen=value == 1.0)
        for norm in self._norms().values():
            _set_statistics(norm, _own_momentum(norm), held=value == 1.0)

    def trained(self) -> list[nn.Parameter]:
        """Its weights that train now, which freezing would stop."""
        return [weight for weight in self._weights().values() if weight.requires_grad]

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        """Report whether the next optimizer step kept every bit of the frozen weights, or trained the unfrozen ones.

        The report names a frozen weight that changed. At later steps a weight is compared whenever something could
        change it: a gradient, requires_grad, or an in-place write. An unfrozen submodule is proven by a gradient; two
        steps without one are a loss.
        """
        if self._watch is not None:
            self._watch.end()
        self._watch = None
        if report is not None:
            kind = FrozenWatch if self.read() == 1.0 else UnfrozenWatch
            self._watch = kind(self._optimizer, self._named, self.read, report)

    def state(self) -> dict[str, float]:
        """Whether each weight is frozen; each layer's own momentum, and whether its statistics are held; by name."""
        numbers = {f"{key}.frozen": float(not weight.requires_grad) for key, weight in self._weights().items()}
        for key, norm in self._norms().items():
            own = _own_momentum(norm)
            numbers |= {f"{key}.momentum": _CUMULATIVE if own is None else own, f"{key}.held": float(_is_held(norm))}
        return numbers

    def restore(self, state: Mapping[str, float]) -> None:
        """Restore a state that `state` returned. Raises InvalidInput when it is of other weights."""
        if state.keys() != self.state().keys():
            raise InvalidInput(
                f"state of frozen {self._name!r}: expected {sorted(self.state())}, found {sorted(state)}; rebuild the "
                "model as it was when the state was taken"
            )
        for key, weight in self._weights().items():
            _set_frozen(weight, frozen=state[f"{key}.frozen"] == 1.0)
        for key, norm in self._norms().items():
            own = state[f"{key}.momentum"]
            _set_statistics(norm, None if own == _CUMULATIVE else own, held=state[f"{key}.held"] == 1.0)

    def _weights(self) -> dict[str, nn.Parameter]:
        module = self._model.get_submodule(self._name)
        return {key: weight for key, weight in module.named_parameters(self._name) if key not in self._others}

    def _norms(self) -> dict[str, _NormBase]:
        within = self._model.get_submodule(self._name).named_modules(prefix=self._name) if self._holds else ()
        return {key: each for key, each in within if isinstance(each, _NormBase) and each.running_mean is not None}

    def _named(self) -> dict[str, Tensor]:
        """The tensors that must not change: the weights, and the statistics held."""
        statistics = {
            f"{key}.{name}": buffer
            for key, norm in self._norms().items()
            for name, buffer in norm.named_buffers(recurse=False)
            if name != "num_batches_tracked" or _is_cumulative(norm)
        }
        return {**self._weights(), **statistics}

    def _require_untied(self) -> None:
        own = {id(weight): key for key, weight in self._weights().items()}
        if not own:
            raise InvalidInput(f"submodule {self._name!r} has no parameters to freeze")
        for key, weight in self._model.named_parameters(remove_duplicate=False):
            if id(weight) in own and not key.startswith(f"{self._name}."):
                raise InvalidInput(
                    f"{own[id(weight)]} is tied to {key}, outside {self._name!r}: freezing one would freeze both; "
                    "bind a submodule that holds both"
                )

    def _require_in_a_group(self) -> None:
        in_groups = {id(weight) for group in self._optimizer.param_groups for weight in group["params"]}
        if idle := [key for key, weight in self._weights().items() if id(weight) not in in_groups]:
            raise InvalidInput(
                f"unfreeze {self._name!r}: {', '.join(idle)} in no group of the optimizer and would never train; add "
                "them by add_param_group first"
            )

    def _remove_state_if_reset(self) -> None:
        for weight in self._weights().values():
            if self._on_unfreeze is OnUnfreeze.RESET and not weight.requires_grad:
                self._optimizer.state.pop(weight, None)


def require_unused_found(model: nn.Module) -> None:
    """Raise InvalidInput for a DistributedDataParallel that does not look for unused weights.

    It waits for a gradient of every weight that had one when it was made.
    """
    if isinstance(model, DistributedDataParallel) and not model.find_unused_parameters:
        raise InvalidInput(
            "a frozen weight gets no gradient, and DistributedDataParallel waits for it: the next forward pass would "
            "fail; make it with find_unused_parameters=True"
        )


def _set_frozen(weight: nn.Parameter, *, frozen: bool) -> None:
    weight.requires_grad_(not frozen)
    if frozen:
        weight.grad = None


def _set_statistics(norm: _NormBase, own: float | None, *, held: bool) -> None:
    """Let the layer's statistics go on with their `own` momentum, or hold them."""
    if _is_cumulative(norm) and hasattr(norm, _OWN):
        norm.track_running_stats = True
    vars(norm).pop(_OWN, None)
    norm.momentum = own
    if held and _is_moving(norm):
        if _is_cumulative(norm):
            norm.track_running_stats = False  # then it counts no batches
        setattr(norm, _OWN, own)
        norm.momentum = 0.0


def _own_momentum(norm: _NormBase) -> float | None:
    """The layer's momentum; while its statistics are held, the one from before."""
    own: float | None = getattr(norm, _OWN) if _is_held(norm) else norm.momentum
    return own


def _is_held(norm: _NormBase) -> bool:
    """Whether its statistics are held; no more, where other code gave the layer a momentum since."""
    return hasattr(norm, _OWN) and norm.momentum == 0.0


def _is_cumulative(norm: _NormBase) -> bool:
    """Whether the layer averages over all batches, whose number then counts."""
    return isinstance(norm, _BatchNorm) and getattr(norm, _OWN, norm.momentum) is None


def _is_moving(norm: _NormBase) -> bool:
    """Whether its statistics move in training; BatchNorm's do not, where other code ended their tracking."""
    return norm.track_running_stats or not isinstance(norm, _BatchNorm)
