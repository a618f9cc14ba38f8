"""The passes of a loop over its data: batches handed out one step at a time, epochs, and evaluations."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, cast, final

from seedbed.loop._generators import generator_of, generator_states, restore_generators

__all__ = ["DataPosition", "EvaluationBatches", "Passes", "StepKeeper"]

Batch = TypeVar("Batch")


Tracked: TypeAlias = Callable[[Iterable[Batch], Iterator[Batch]], Iterator[Batch]]
"""Counts the batches of a loader as they are handed out."""


class StepKeeper(Protocol):
    """What opens and closes the steps of a loop."""

    def begin_step(self) -> int:
        """Open a step; its number."""

    def end_step(self) -> None:
        """Close the step that is open; nothing where none is."""

    def leave_step(self) -> None:
        """Close the step that is open, as the loop is left; an error is kept for the end of the run."""

    def end_pass(self) -> None:
        """A whole pass over the data has ended."""


@final
@dataclass
class DataPosition:
    """Where in the data a loop is, so that a resumed one goes on with the batch after its last optimizer step.

    `delivered` batches of the pass were handed out, `used` of them by the last optimizer step. `begun` holds the states
    of the generators when the pass began, `loader_state` what the loader itself keeps. `is_known` is false where the
    loop takes its batches from elsewhere, and after a resume of such a loop.
    """

    delivered: int = 0
    used: int = 0
    begun: dict[str, Any] | None = None
    is_known: bool = False
    _loader: object = None
    _pending: Mapping[str, Any] | None = field(default=None, repr=False)

    def begin(self, loader: Iterable[Batch]) -> Iterator[Batch]:
        """Begin a pass over `loader`, or go on with the one that was restored."""
        pending, self._pending = self._pending, None
        self._loader = loader
        if pending is None:
            self.delivered = self.used = 0
            self.begun = _states(loader)
            self.is_known = True
            return iter(loader)
        return self._resumed(loader, pending)

    def handed_out(self) -> None:
        """One more batch was handed out."""
        self.delivered += 1

    def stepped(self) -> None:
        """The optimizer stepped, with all batches that were handed out."""
        self.used = self.delivered

    def end(self) -> None:
        """The pass has ended."""
        self.delivered = self.used = 0
        self.begun, self._loader = None, None

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        kept: dict[str, Any] = {"used": self.used, "is_known": self.is_known, "begun": self.begun, "loader": None}
        if self.used == self.delivered:
            kept["loader"] = _state_of(self._loader)
        return kept

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state` at the next `begin`."""
        self.is_known = bool(state["is_known"])
        is_within = state["begun"] is not None or state["loader"] is not None
        self._pending = state if is_within else None

    def _resumed(self, loader: Iterable[Batch], pending: Mapping[str, Any]) -> Iterator[Batch]:
        load = getattr(loader, "load_state_dict", None)
        self.delivered = self.used = pending["used"]
        self.begun = pending["begun"]
        if pending["loader"] is not None and callable(load):
            load(pending["loader"])
            return iter(loader)
        now = _states(loader)
        _restore(loader, cast("dict[str, Any]", pending["begun"]))
        batches = iter(loader)
        for _ in range(self.delivered):
            with suppress(StopIteration):
                next(batches)
        _restore(loader, {**now, "own": _states(loader)["own"]})  # the loader's own go on from where they are
        return batches


@final
class Passes(Generic[Batch]):
    """One pass over `loader`, as `Run.steps` returns it: the number of each step, and its batch.

    It has the length of the loader, if that has one.
    """

    def __init__(
        self, loader: Iterable[Batch], position: DataPosition, keeper: StepKeeper, tracked: Tracked[Batch]
    ) -> None:
        self._loader, self._position, self._keeper, self._tracked = loader, position, keeper, tracked

    def __len__(self) -> int:
        return len(self._loader)  # type: ignore[arg-type]  # raises TypeError as the loader itself does

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        self._keeper.end_step()
        try:
            for batch in self._tracked(self._loader, self._position.begin(self._loader)):
                self._position.handed_out()
                yield self._keeper.begin_step(), batch
                self._keeper.end_step()
            self._position.end()
            self._keeper.end_pass()
        finally:
            self._keeper.leave_step()


def _state_of(loader: object) -> Any:
    """What the loader keeps of its position; None where it keeps nothing."""
    own = getattr(loader, "state_dict", None)
    try:
        return own() if callable(own) else None
    except AttributeError:  # Accelerate's loader has the method, and a state only around a stateful loader
        return None


def _states(loader: object) -> dict[str, Any]:
    return {**generator_states(), "own": [each.get_state() for each in generator_of(loader)]}


def _restore(loader: object, states: dict[str, Any]) -> None:
    restore_generators(states)
    for generator, state in zip(generator_of(loader), states["own"], strict=False):
        generator.set_state(state)


@final
class EvaluationBatches(Generic[Batch]):
    """The batches of `loader`, each handed out within `block`, which is closed before the next one is fetched."""

    def __init__(self, loader: Iterable[Batch], block: Callable[[], AbstractContextManager[None]]) -> None:
        self._loader, self._block = loader, block

    def __len__(self) -> int:
        return len(self._loader)  # type: ignore[arg-type]  # raises TypeError as the loader itself does

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._loader:
            with self._block():
                yield batch
