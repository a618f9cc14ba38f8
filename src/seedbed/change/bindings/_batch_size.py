"""The size of the batches that a loop trains on."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from enum import StrEnum
from math import ceil, isclose, sqrt
from typing import Protocol, final

from torch.optim import Optimizer
from torch.utils.data import Sampler

from seedbed.change.bindings._binding import Unproven, Use, UseReport, without
from seedbed.change.bindings._use_watch import Uses, UseWatch, ValueReader
from seedbed.change.bindings.rates._learning_rate import LearningRate
from seedbed.change.bindings.rates._rate_way import RateFollow
from seedbed.errors import Conflict, InvalidInput

__all__ = ["BatchSize", "Batches", "RateRule", "ResizableBatchSampler"]

_Pair = tuple[float, float]
_MOST_MADE = 64


class RateRule(StrEnum):
    """How the learning rate follows the batch size: not at all, linearly, or with its square root.

    Linear: Goyal et al., arXiv 1706.02677. Square root: Krizhevsky, arXiv 1404.5997, and for Adam Malladi et al.,
    arXiv 2205.10287.
    """

    NONE = "none"
    LINEAR = "linear"
    SQRT = "sqrt"

    def factor(self, ratio: float) -> float:
        """What the rate is multiplied by when the batch becomes `ratio` times as large."""
        return {RateRule.NONE: 1.0, RateRule.LINEAR: ratio, RateRule.SQRT: sqrt(ratio)}[self]


class Batches(Protocol):
    """Batches whose size may change between two of them, and which count those that reach the loop."""

    @property
    def batch_size(self) -> int:
        """The size of the next batch that is sampled."""

    def resize(self, batch_size: int) -> None:
        """Sample batches of this size. Raises InvalidInput unless it is 1 or more."""

    def used(self) -> set[float]:
        """The sizes of the batches that the loop got since the last call."""


@final
class ResizableBatchSampler(Sampler[list[int]]):
    """A batch sampler whose size may change between two batches: `DataLoader(data, batch_sampler=batches)`.

    `DataLoader.batch_size` is then None, so it cannot show an old size. `len()` is the number of batches in a
    pass at the present size. Raises InvalidInput unless the size is 1 or more.
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, *, drop_last: bool = False) -> None:
        self._sampler, self._drop_last = sampler, drop_last
        self._batch_size = _checked(batch_size)
        self._uses = Uses()
        self.is_asked = False  # until somebody asks for what was used

    @property
    def sampler(self) -> Iterable[int]:
        """The inner sampler, whose indices it gathers."""
        return self._sampler

    @property
    def batch_size(self) -> int:
        """The size of the next batch that is sampled. Workers may still fetch batches of the size before."""
        return self._batch_size

    def resize(self, batch_size: int) -> None:
        """Sample batches of this size from the next one on. Raises InvalidInput unless it is 1 or more."""
        self._batch_size = _checked(batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        """Batches of indices; the size of each is the one that was set when the batch began."""
        batch: list[int] = []
        size = self._batch_size
        for index in self._sampler:
            if not batch:
                size = self._batch_size
            batch.append(index)
            if len(batch) == size:
                yield batch
                batch = []
        if batch and not self._drop_last:
            yield batch

    def __len__(self) -> int:
        """Batches in a pass at this size. Raises InvalidInput when the inner sampler has no length."""
        if not isinstance(self._sampler, Sized):
            raise InvalidInput(f"{type(self._sampler).__name__} has no length, so the number of batches is unknown")
        whole = len(self._sampler) / self._batch_size
        return int(whole) if self._drop_last else ceil(whole)

    def begin(self) -> None:
        """A pass begins; called by `track_batches`."""

    def delivered(self, num_rows: int) -> None:
        """The loop got a batch; called by `track_batches`."""
        self._uses.note(num_rows)

    def used(self) -> set[float]:
        """The sizes of the batches that the loop got since the last call; at the first call, maybe not all of them."""
        self.is_asked = True
        return self._uses.take()


@final
class BatchSize:
    """Binds a parameter to the batch size, and changes a learning rate with it: both, or neither.

    The loop must read its batches through `track_batches(loader, batches)`. The rate changes at once; with workers,
    that is some batches before the first batch of the new size. The guards see the batch size alone, not the limits of
    a parameter for the rate. Raises InvalidInput for a rule without a rate, and for a rate without a rule.
    """

    def __init__(
        self,
        batches: Batches,
        optimizer: Optimizer,
        rate: LearningRate | None = None,
        rule: RateRule = RateRule.NONE,
    ) -> None:
        self._batches, self._optimizer, self._rate, self._rule = batches, optimizer, rate, RateRule(rule)
        self._watch: UseWatch | None = None
        self._rate_watch: RateFollow | None = None
        self._made: list[tuple[_Pair, _Pair]] = []  # the latest changes, of the size and of the rate with it
        if (rate is None) != (self._rule is RateRule.NONE):
            raise InvalidInput(
                f"rule {self._rule.value!r} and rate {rate!r}: give both a rate and linear or sqrt, or neither"
            )

    def read(self) -> float:
        """The size of the next batch that is sampled."""
        return float(self._batches.batch_size)

    def write(self, value: float) -> None:
        """Resize, and scale the rate by the rule. Raises InvalidInput, with both as they were, if one is refused."""
        size, before = _checked(value), self.read()
        if self._rate is not None:  # it refuses before it changes anything, and the size is already checked
            rate = self._rate.read()
            self._rate.write_relative(rate, rate * self._rule.factor(size / before))
            self._made = [*self._made[1 - _MOST_MADE :], ((before, value), (rate, self._rate.read()))]
        self._batches.resize(size)

    def coupled(self) -> Mapping[str, float]:
        """The rate that changes with the size, where one does."""
        return {} if self._rate is None else {"rate": self._rate.read()}

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        """Report the first optimizer step all of whose batches had the new size, and any later loss of the size.

        Batches that were fetched before the change, and the short last batch of a pass, prove nothing. A loss of the
        rate is a loss too.
        """
        self._end_watch()
        if report is None and self._rate is not None:
            self._rate.forget_former()
        if report is not None:
            self._watch = UseWatch(self._optimizer, ValueReader(self.read, self._batches.used), report)
            if self._rate is not None:
                self._rate_watch = self._rate.follow(lambda rate: self._report_rate_loss(rate, report))

    def look(self) -> None:
        """Compare the size now, and the rate that changes with it, as `LookingBinding`."""
        for watch in (self._watch, self._rate_watch):
            if watch is not None:
                watch.look()

    def without(self, changes: Sequence[Unproven]) -> float | None:
        """The size before the changes, as `UndoingBinding`.

        Raises Conflict also where it is not known that the rate would stand where the rule leads it with the size.
        """
        size = without(changes, self.read())
        if size is None or self._rate is None:
            return size
        made = self._made[-len(changes) :]
        if [(each.before, each.after) for each in changes] != [sizes for sizes, _ in made]:
            raise Conflict("the size was changed in another process, and nobody knows the rate before it; propose both")
        rate = self._rate.without(
            [Unproven(*rates, is_lost=each.is_lost) for each, (_, rates) in zip(changes, made, strict=True)]
        )
        led = self._rate.read() * self._rule.factor(size / self.read())
        if rate is None or not isclose(rate, led, rel_tol=1e-9):
            raise Conflict("the rate that goes with the size does not go back with it; propose both as you want them")
        return size

    def state(self) -> dict[str, float]:
        """The size, and the numbers of the rate that changes with it."""
        rate = {} if self._rate is None else {f"rate.{name}": value for name, value in self._rate.state().items()}
        return {"batch_size": self.read(), **rate}

    def restore(self, state: Mapping[str, float]) -> None:
        """Restore a state that `state` returned. Raises InvalidInput when its names differ."""
        if "batch_size" not in state or (self._rate is None and len(state) > 1):
            raise InvalidInput(f"batch-size state: expected {sorted(self.state())}, found {sorted(state)}")
        size = _checked(state["batch_size"])
        if self._rate is not None:
            self._rate.restore(
                {name.removeprefix("rate."): value for name, value in state.items() if name != "batch_size"}
            )
        self._batches.resize(size)
        self._made = []

    def _report_rate_loss(self, rate: UseReport, report: Callable[[UseReport], None]) -> None:
        if rate.use is Use.LOST:
            self._end_watch()
            numbers = f"expected {rate.expected:g}, found {rate.found:g}"
            why = f"the learning rate that goes with it was lost: {numbers}; {rate.why}"
            report(UseReport(rate.steps_after, self.read(), self.read(), Use.LOST, why))

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.end()
        if self._rate is not None and self._rate_watch is not None:
            self._rate.unfollow(self._rate_watch)
        self._watch = self._rate_watch = None


def _checked(size: float) -> int:
    if not (float(size).is_integer() and size >= 1):
        raise InvalidInput(f"batch size {size!r}: expected a whole number of 1 or more")
    return int(size)
