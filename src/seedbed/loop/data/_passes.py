"""The passes of a loop over its data: batches handed out one step at a time, epochs, and evaluations."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Generic, Protocol, TypeAlias, TypeVar, final

from seedbed.loop.data._data_position import DataPosition

__all__ = ["EvaluationBatches", "Passes", "StepKeeper"]

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

    def begin_pass(self) -> int:
        """A pass begins: close the step that is open, and have the settings of a restored run.

        Returns its number; 0 where it was over before the run was resumed, and hands out nothing.
        """

    def end_pass(self, number: int) -> None:
        """That pass was a whole one."""

    def leave_pass(self, number: int) -> None:
        """That pass was left by the loop, or a later one has begun."""

    @property
    def is_in_turn(self) -> bool:
        """Whether several passes are open."""

    def close_pass(self) -> None:
        """A pass hands out no more batches, for whatever reason."""


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
        if not (number := self._keeper.begin_pass()):
            return
        try:
            batches = self._position.begin(self._loader, in_turn=self._keeper.is_in_turn)
            for batch in self._tracked(self._loader, batches):
                self._position.handed_out(batch)
                yield self._keeper.begin_step(), batch
                self._keeper.end_step()
            self._keeper.end_pass(number)
        except GeneratorExit:
            self._keeper.leave_pass(number)
            raise
        except BaseException:
            self._keeper.leave_step()
            raise
        finally:
            self._keeper.close_pass()


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
