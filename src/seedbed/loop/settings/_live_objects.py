"""The live objects of a loop, by name, seen through what wraps them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self, TypeVar

from torch import nn
from torch._dynamo.eval_frame import OptimizedModule
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.optim import Optimizer

from seedbed.change.bindings._watchable import watchable
from seedbed.change.bindings.schedules._schedule import innermost, optimizers_of
from seedbed.errors import Conflict, InvalidInput

__all__ = ["LiveObjects", "argument_words", "class_words", "plain_model", "weights_of", "wrappers"]

Object = TypeVar("Object")


@dataclass(frozen=True, eq=False)
class LiveObjects:
    """The models, optimizers, schedulers and loaders of a loop, each by its name; "" for a single one.

    `named` holds the keys of settings that an earlier attempt of the run had: what it found as one setting stays one,
    whatever the objects hold by now.
    """

    models: Mapping[str, nn.Module] = field(default_factory=dict)
    optimizers: Mapping[str, Optimizer] = field(default_factory=dict)
    schedulers: Mapping[str, object] = field(default_factory=dict)
    loaders: Mapping[str, object] = field(default_factory=dict)
    named: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        model: nn.Module | Mapping[str, nn.Module] | None = None,
        optimizer: Optimizer | Mapping[str, Optimizer] | None = None,
        scheduler: object = None,
        loader: object = None,
    ) -> Self:
        """One object of each kind, several by name, or none.

        Raises InvalidInput for a name that cannot begin a key.
        """
        return cls(
            _named(model, "model"),
            _named(optimizer, "optimizer"),
            _named(scheduler, "scheduler"),
            _named(loader, "loader"),
        )

    def watched(self) -> dict[str, Optimizer]:
        """The optimizers whose steps can be watched, inside what wraps them."""
        found: dict[str, Optimizer] = {}
        for name, each in self.optimizers.items():
            with suppress(InvalidInput):
                found[name] = watchable(each)
        return found

    def optimizer_of(self, module: nn.Module) -> Optimizer | None:
        """The optimizer that holds the most weights of this module; None where none holds any."""
        own = {id(each) for each in module.parameters()}
        held = [(len(own & weights_of(each)), each) for each in self.watched().values()]
        most, optimizer = max(held, key=lambda each: each[0], default=(0, None))
        return optimizer if most else None

    def updated(self, others: "LiveObjects") -> "LiveObjects":
        """These objects, with `others` in the place of those of equal names.

        Raises InvalidInput for a scheduler whose optimizer is not among them: nobody would see what it writes.
        """
        together = LiveObjects(
            {**self.models, **others.models},
            {**self.optimizers, **others.optimizers},
            {**self.schedulers, **others.schedulers},
            {**self.loaders, **others.loaders},
            self.named | others.named,
        )
        _require_owners(together)
        return together

    def joined(self, further: "LiveObjects") -> "LiveObjects":
        """As `updated`; but only a loader may take the place of one, and a model may be wrapped since.

        Raises Conflict besides, where another model or optimizer has the name of one that is there, for an optimizer
        under a second name, and for a scheduler whose optimizer is there without it: its rate is bound with both.
        """
        for name in self.models.keys() & further.models.keys():
            if plain_model(self.models[name]) is not plain_model(further.models[name]):
                raise _taken("model", name)
        theirs = further.watched()
        own = [innermost(each) for each in self.schedulers.values()]
        new = [each for each in map(innermost, further.schedulers.values()) if not any(each is one for one in own)]
        for name, optimizer in self.watched().items():
            if theirs.get(name, optimizer) is not optimizer:
                raise _taken("optimizer", name)
            if any(each is optimizer and other != name for other, each in theirs.items()):
                raise Conflict("the optimizer is bound already under another name: bind each once")
            if any(_belongs_to(each, optimizer) for each in new):
                raise Conflict("the optimizer of the scheduler is bound already without it: bind both together")
        return self.updated(further)

    def scheduler_of(self, name: str) -> object | None:
        """The scheduler of the optimizer of this name: one that says so itself, else the one of the same name."""
        optimizer = self.watched().get(name)
        for each in self.schedulers.values():
            if _belongs_to(each, optimizer):
                return each
        return self.schedulers.get(name)


def wrappers(model: nn.Module) -> Iterator[nn.Module]:
    """The model, and what it wraps, from the outside to the inside: DistributedDataParallel, a compiled module."""
    yield model
    if isinstance(model, DistributedDataParallel | DataParallel):
        yield from wrappers(model.module)
    elif isinstance(model, OptimizedModule):
        yield from wrappers(model._orig_mod)


def plain_model(model: nn.Module) -> nn.Module:
    """The model inside all that wraps it."""
    *_, innermost = wrappers(model)
    return innermost


def weights_of(optimizer: Optimizer) -> set[int]:
    """The identities of the weights of an optimizer."""
    return {id(weight) for group in optimizer.param_groups for weight in group["params"]}


def argument_words(argument: str, name: str) -> str:
    """An argument as messages name it, with the name of the object in it that is meant."""
    return f"{argument}[{name!r}]" if name else argument


def class_words(value: object) -> str:
    """The class of an object as messages name it."""
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


def _require_owners(objects: LiveObjects) -> None:
    bound = [*objects.watched().values()]
    for name, scheduler in objects.schedulers.items():
        for own in optimizers_of(scheduler):
            if not any(own is each for each in bound):
                raise InvalidInput(
                    f"{argument_words('scheduler', name)}: the {class_words(innermost(scheduler))} writes the rate of "
                    f"{_other(own, bound)}; bind its optimizer with it, as optimizer="
                )


def _other(optimizer: Optimizer, bound: Sequence[Optimizer]) -> str:
    another = "another" if any(type(each) is type(optimizer) for each in bound) else "the"
    return f"{another} {type(optimizer).__name__}, which is not bound"


def _belongs_to(scheduler: object, optimizer: Optimizer | None) -> bool:
    return any(own is optimizer for own in optimizers_of(scheduler))


def _taken(what: str, name: str) -> Conflict:
    return Conflict(f"another {what} is bound{f' as {name!r}' if name else ''}: bind this one under a name of its own")


def _named(objects: Object | Mapping[str, Object] | None, what: str) -> dict[str, Object]:
    """One object, several by name, or none, as a mapping. Raises InvalidInput for a name that cannot be in a key."""
    if objects is None:
        return {}
    if not isinstance(objects, Mapping):
        return {"": objects}
    for name in objects:
        if not isinstance(name, str) or not name or "." in name or name != name.strip():
            raise InvalidInput(f"a {what} is named {name!r}: expected a text without dots, which begins its settings")
    return dict(objects)
