"""Where in its data a loop is, so that a resumed one goes on with the batch after its last step, or says why not."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any, TypeVar, cast, final

from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from seedbed.change import ResizableBatchSampler
from seedbed.loop.data._batch_digest import batch_digest
from seedbed.loop.data._generators import generator_of, generator_states, restore_generators

__all__ = ["DataPosition"]

Batch = TypeVar("Batch")

_PLAIN = (list, tuple, range, Tensor)
_BATCHERS = (BatchSampler, ResizableBatchSampler)
_SAMPLERS = (SequentialSampler, RandomSampler, SubsetRandomSampler, WeightedRandomSampler, DistributedSampler)
_GENERATORS = {"Generator", "RandomState", "Random"}  # of torch, NumPy and Python
_ELSEWHERE = "the loop takes its batches from elsewhere than run.steps"
_RESIZED = "the batch size was changed within the pass, so that a number of batches is no place in the data"
_ANOTHER = "the last batch before the resume is another one when it is drawn again"


@final
class DataPosition:
    """The place of a loop in its data.

    `delivered` batches of the pass were handed out, `used` of them by the last optimizer step. A resumed loop goes on
    from the state that the loader keeps; else it draws the used batches again, from the generators as they were when
    the pass began, and looks whether the last of them is the same. `unknown` is why the data since a resume may be
    other than without one, empty where it is the same; `tell` is called with it.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.delivered = self.used = 0
        self.unknown = ""
        self.is_elsewhere = False
        self._tell = tell
        self._loader: object = None
        self._last: object = None
        self._begun: dict[str, Any] | None = None
        self._was_warm = False
        self._sampler: Any = None  # of a kind whose batch size may change
        self._size, self._is_resized = 0, False
        self._pending: Mapping[str, Any] | None = None

    def begin(self, loader: Iterable[Batch]) -> Iterator[Batch]:
        """Begin a pass over `loader`, or go on with the one that was restored."""
        pending, self._pending = self._pending, None
        if pending is not None and pending["of"] != _called(loader):
            self._note(f"the checkpoint is of a pass over {pending['of']}, and the loop goes on with {_called(loader)}")
            pending = None
        self._loader, self._last = loader, None
        sampler: object = getattr(loader, "batch_sampler", None)
        self._sampler = sampler if isinstance(sampler, _BATCHERS) else None
        self._size, self._is_resized = 0 if self._sampler is None else self._sampler.batch_size, False
        if pending is not None:
            return self._resumed(loader, pending)
        self._begin_anew(loader)
        return iter(loader)

    def handed_out(self, batch: object) -> None:
        """One more batch was handed out."""
        self.delivered += 1
        self._last = batch
        if self._sampler is not None and self._sampler.batch_size != self._size:
            self._is_resized = True

    def stepped(self) -> None:
        """The optimizer stepped, with all batches that were handed out."""
        self.used = self.delivered

    def end(self) -> None:
        """The pass has ended."""
        self.delivered = self.used = 0
        self._begun = self._last = None

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        if self._pending is not None:  # the pass that was restored has not begun
            return {**self._pending, "unknown": self.unknown}
        is_whole = self.used == self.delivered
        kept = _state_of(self._loader) if is_whole else None
        return {
            "of": _called(self._loader),
            "used": self.used,
            "begun": self._begun,
            "own": _own(self._loader),
            "loader": kept,
            "is_warm": _is_warm(self._loader) if self._begun is None else self._was_warm,
            "last": batch_digest(self._last) if is_whole and self.used and kept is None else "",
            "unknown": self.unknown or ("" if kept is not None else self._why_lost()),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state` at the next `begin`."""
        self._pending = state if state["of"] else None
        self._note(state["unknown"])

    def release(self) -> None:
        """Let the loader go, and the workers that it keeps."""
        self._loader = self._last = self._sampler = None

    def _why_lost(self) -> str:
        """Why a loop that is resumed from here may see other data."""
        if self.is_elsewhere:
            return _ELSEWHERE
        if self._loader is None:
            return ""
        if isinstance(self._loader, Iterator):
            return f"a {type(self._loader).__qualname__} is an iterator, which no resume can begin again"
        if self._begun is None:
            return _why_unlike(self._loader)
        resized = self._sampler is not None and self._sampler.batch_size != self._size
        return _RESIZED if self.used and (self._is_resized or resized) else ""

    def _note(self, why: str) -> None:
        if why and not self.unknown:
            self.unknown = why
            self._tell(why)

    def _begin_anew(self, loader: Iterable[Batch]) -> None:
        self.delivered = self.used = 0
        self._begun, self._was_warm = _states(loader), _is_warm(loader)

    def _resumed(self, loader: Iterable[Batch], pending: Mapping[str, Any]) -> Iterator[Batch]:
        load = getattr(loader, "load_state_dict", None)
        if pending["loader"] is not None and callable(load):
            load(pending["loader"])
            self._begin_anew(loader)
            self.delivered = self.used = pending["used"]
            return iter(loader)
        if pending["is_warm"]:
            _warm(loader)
        if pending["begun"] is None:
            _set_own(loader, pending["own"])
            self._begin_anew(loader)
            return iter(loader)
        return self._drawn_again(loader, pending)

    def _drawn_again(self, loader: Iterable[Batch], pending: Mapping[str, Any]) -> Iterator[Batch]:
        """The rest of the pass, after the batches that were used; the generators go on from where they are."""
        self._begun, self._was_warm = pending["begun"], pending["is_warm"]
        self.delivered = self.used = pending["used"]
        now = generator_states()
        restore_generators(cast("dict[str, Any]", pending["begun"]))
        _set_own(loader, pending["begun"]["own"])
        batches, last = iter(loader), cast("object", None)
        for _ in range(self.used):
            last = next(batches, None)
        restore_generators(now)
        if pending["last"] and batch_digest(last) != pending["last"]:
            self._note(_ANOTHER)
        return batches


def _why_unlike(loader: object) -> str:
    """Why the next pass over it may be another one in a process that has begun anew; empty where it is the same."""
    if isinstance(loader, _PLAIN):
        return ""
    if not isinstance(loader, DataLoader):
        return f"a {type(loader).__qualname__} may draw from a generator of its own"
    if isinstance(loader.dataset, IterableDataset) or _keeps_generator(loader.dataset):
        return f"a {type(loader.dataset).__qualname__} may draw from a generator of its own"
    if _is_warm(loader) and loader.num_workers and type(loader.dataset) is not TensorDataset:  # which draws nothing
        return "workers that stay between passes have random generators of their own"
    batches: object = loader.batch_sampler
    rows: object = getattr(batches, "sampler", None) if type(batches) in _BATCHERS else loader.sampler
    if (batches is not None and type(batches) not in _BATCHERS) or type(rows) not in _SAMPLERS:
        unlike = batches if batches is not None and type(batches) not in _BATCHERS else rows
        return f"a {type(unlike).__qualname__} may draw from a generator of its own"
    return ""


def _keeps_generator(data: object, depth: int = 3) -> bool:
    """Whether a dataset, or one inside it, has a random generator among its attributes."""
    values = [*getattr(data, "__dict__", {}).values()]  # datasets share no class
    if any(type(each).__name__ in _GENERATORS for each in values):
        return True
    return depth > 0 and any(_keeps_generator(each, depth - 1) for each in values if isinstance(each, Dataset))


def _state_of(loader: object) -> Any:
    """What the loader keeps of its position; None where it keeps nothing."""
    own = getattr(loader, "state_dict", None)
    try:
        return own() if callable(own) else None
    except AttributeError:  # Accelerate's loader has the method, and a state only around a stateful loader
        return None


def _is_warm(loader: object) -> bool:
    """Whether it has workers that stay: its next pass draws no seed for them, so that all that it draws is another."""
    return isinstance(loader, DataLoader) and getattr(loader, "_iterator", None) is not None


def _warm(loader: object) -> None:
    """Start the workers of a loader that keeps them, as an earlier pass did."""
    if isinstance(loader, DataLoader) and loader.persistent_workers and not _is_warm(loader):
        now = _states(loader)
        iter(loader)
        restore_generators(now)
        _set_own(loader, now["own"])


def _called(loader: object) -> str:
    """What tells it from another loader of the loop: its class, its data, their number; empty without one."""
    if loader is None:
        return ""
    data: object = getattr(loader, "dataset", None)  # loaders share no class
    of = f" of {type(data).__qualname__}" if data is not None else ""
    return f"a {type(loader).__qualname__}{of}, {_length(data if isinstance(data, Sized) else loader)}"


def _length(items: object) -> str:
    try:
        return f"{len(items)} long" if isinstance(items, Sized) else "of unknown length"
    except TypeError:  # a DataLoader has a length only where its data have one
        return "of unknown length"


def _states(loader: object) -> dict[str, Any]:
    return {**generator_states(), "own": _own(loader)}


def _own(loader: object) -> list[Any]:
    return [each.get_state() for each in generator_of(loader)]


def _set_own(loader: object, states: list[Any]) -> None:
    for generator, state in zip(generator_of(loader), states, strict=False):
        generator.set_state(state)
