"""The settings of models: the probability of dropout, and which modules are frozen."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import final

from torch import nn
from torch.nn.modules.dropout import _DropoutNd
from torch.optim import Optimizer

from seedbed.change.bindings._dropout import DropoutRate
from seedbed.change.bindings._freezing import Freeze, require_unused_found
from seedbed.errors import InvalidInput, NotFound
from seedbed.loop.settings._found import BoundSetting, Joint, Unbound, key_of_path
from seedbed.loop.settings._limits import Limits
from seedbed.loop.settings._live_objects import LiveObjects, plain_model, wrappers
from seedbed.loop.settings._nearest import FREEZE

__all__ = ["DropoutSettings", "FreezeSettings"]

_OWNER, _DROPOUT = "model", "dropout"
_MOST_PARTS = 16
_MOST_NAMED = 5


@final
class DropoutSettings:
    """Finds the dropout of models: one setting where its probabilities are equal, else one for each part that has one.

    Dropout that a model calls with a number of its own (`functional.dropout`) is not seen.
    """

    def find(self, objects: LiveObjects) -> Iterator[BoundSetting | Joint | Unbound]:
        """The dropout of every model."""
        for name, wrapped in objects.models.items():
            model, owner = plain_model(wrapped), name or _OWNER
            parts = _parts_of_one_probability(model)
            optimizer = objects.optimizer_of(model)
            if not parts:
                continue
            if optimizer is None:
                yield Unbound(key_of_path((owner, _DROPOUT)), _no_optimizer(owner))
            elif len(parts) > _MOST_PARTS:
                why = f"its probabilities differ in {len(parts)} places; at most {_MOST_PARTS} are bound by themselves"
                yield Unbound(key_of_path((owner, _DROPOUT)), why)
            else:
                yield from _dropout(owner, model, optimizer, parts)


@final
class FreezeSettings:
    """Finds the parts of models that can be frozen: those that a model consists of, and any other on request.

    Of a part that cannot be frozen, such as one whose embedding is tied to the head, those that it consists of are
    listed too. `freeze.encoder.layers.3` is bound when somebody asks for it.
    """

    def find(self, objects: LiveObjects) -> Iterator[BoundSetting | Unbound]:
        """The parts of every model, not of those with a single part."""
        for name, model in objects.models.items():
            parts = _large_parts(plain_model(model))
            listed = [_freeze(objects, name, part) for part in parts[:_MOST_PARTS]]
            yield from listed
            for part, each in zip(parts, listed, strict=False):
                if isinstance(each, Unbound):
                    yield from self._inside(objects, name, part)
            if len(parts) > _MOST_PARTS:
                why = f"{len(parts) - _MOST_PARTS} more parts, and every module inside one, by its path on request"
                yield Unbound(key_of_path((name or _OWNER, FREEZE, "<module>")), why)

    def _inside(self, objects: LiveObjects, name: str, part: str) -> Iterator[BoundSetting]:
        """The parts of a part that can be frozen."""
        within = plain_model(objects.models[name]).get_submodule(part)
        for inner in _large_parts(within, f"{part}.")[:_MOST_PARTS]:
            found = _freeze(objects, name, inner)
            if isinstance(found, BoundSetting):
                yield found

    def on_request(self, objects: LiveObjects, name: str) -> BoundSetting | None:
        """The freezing of the module whose path the name has, as in `model.freeze.PATH`, or `freeze.PATH`."""
        for model in objects.models:
            owner = model or _OWNER
            starts = [f"{owner}.{FREEZE}.", *([f"{FREEZE}."] if len(objects.models) == 1 else [])]
            start = next((each for each in starts if name.startswith(each)), None)
            if start is None:
                continue
            found = _freeze(objects, model, name.removeprefix(start))
            if isinstance(found, Unbound):
                raise InvalidInput(f"{found.key} cannot be changed: {found.why_not}")
            return found
        return None


def _dropout(owner: str, model: nn.Module, optimizer: Optimizer, parts: list[str]) -> Iterator[BoundSetting | Joint]:
    bindings = {part: DropoutRate(model, optimizer, [part]) for part in parts}
    for part, binding in bindings.items():
        path = (owner, _DROPOUT, *([part] if part else []))
        yield BoundSetting(path, binding, Limits.of_dropout(binding.read()))
    if len(parts) > 1:
        yield Joint(
            key_of_path((owner, _DROPOUT)), tuple(key_of_path((owner, _DROPOUT, part)) for part in parts), False
        )


def _parts_of_one_probability(model: nn.Module, path: str = "") -> list[str]:
    """The largest modules, by path, whose dropout has one probability."""
    found = {p for each in model.modules() if (p := _probability(each)) is not None}
    if len(found) <= 1 or _probability(model) is not None:
        return [path] if found else []
    children = [(f"{path}.{name}" if path else name, each) for name, each in model.named_children()]
    return [part for name, each in children for part in _parts_of_one_probability(each, name)]


def _probability(module: nn.Module) -> float | None:
    """The probability with which a module drops, where `DropoutRate` covers it."""
    if isinstance(module, _DropoutNd):
        return float(module.p)
    if isinstance(module, nn.MultiheadAttention | nn.RNNBase) and module.dropout > 0:
        return float(module.dropout)
    return None


def _freeze(objects: LiveObjects, name: str, part: str) -> BoundSetting | Unbound:
    wrapped = objects.models[name]
    model, path = plain_model(wrapped), (name or _OWNER, FREEZE, part)
    modules = dict(model.named_modules())
    if not part or part not in modules:
        raise NotFound(_no_module(model, part, [each for each in modules if each]))
    optimizer = objects.optimizer_of(modules[part]) or objects.optimizer_of(model)
    if optimizer is None:
        return Unbound(key_of_path(path), _no_optimizer(name or _OWNER))
    try:
        for each in wrappers(wrapped):
            require_unused_found(each)
        binding = Freeze(model, part, optimizer)
    except InvalidInput as problem:
        return Unbound(key_of_path(path), str(problem))
    return BoundSetting(path, binding, Limits.of_switch())


def _no_module(model: nn.Module, part: str, modules: Sequence[str]) -> str:
    """Why there is no such module to freeze: it is a weight, it is misspelt, or there are others."""
    if any(part == name for name, _ in model.named_parameters()):
        owner = part.rpartition(".")[0]
        whole = f"; freeze.{owner} freezes the whole module that has it" if owner else ""
        return f"{part!r} is a weight of {type(model).__name__}, and a module is frozen as a whole{whole}"
    near = get_close_matches(part, modules, n=3)
    told = f"the nearest {'is' if len(near) == 1 else 'are'} {', '.join(near)}" if near else _some(modules)
    return f"{type(model).__name__} has no module {part!r} to freeze; {told}"


def _some(modules: Sequence[str]) -> str:
    """The first of the modules, in words."""
    more = f" and {len(modules) - _MOST_NAMED} more" if len(modules) > _MOST_NAMED else ""
    return f"its modules are {', '.join(modules[:_MOST_NAMED])}{more}" if modules else "it has no modules of its own"


def _large_parts(model: nn.Module, path: str = "") -> list[str]:
    """The paths of the children that hold weights, of the outermost module that has several of them."""
    children = [(name, each) for name, each in model.named_children() if any(True for _ in each.parameters())]
    if len(children) == 1:
        name, only = children[0]
        return _large_parts(only, f"{path}{name}.")
    return [f"{path}{name}" for name, _ in children]


def _no_optimizer(owner: str) -> str:
    return f"no optimizer that is bound holds weights of {owner}: bind its optimizer too"
