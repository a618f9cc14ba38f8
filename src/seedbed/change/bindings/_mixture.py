"""The mixture of datasets that a loop trains on."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from math import isfinite
from typing import final

import numpy as np
from torch.optim import Optimizer
from torch.utils.data import Sampler

from seedbed.change.bindings._binding import UseReport
from seedbed.change.bindings._use_watch import Uses, UseWatch, ValueReader
from seedbed.change.bindings._watchable import watchable
from seedbed.errors import InvalidInput

__all__ = ["MixtureSampler", "MixtureWeight"]

_BLOCK = 1024  # draws whose random numbers are made at once


@final
class MixtureSampler(Sampler[int]):
    """A sampler that draws, with replacement, from several datasets by weights that may change at any draw.

    `lengths` holds each dataset's size by name, in the order in which `torch.utils.data.ConcatDataset` joins them;
    an index drawn is one of the joined dataset. `weights` are normalised on use. Draw number n depends only on the
    seed, on n and on the weights at that time, not on earlier draws: a loop that resumes passes its saved
    `num_delivered` as `first_draw`. A pass has `draws_per_pass` draws. Raises InvalidInput unless each length is 1 or
    more and each weight, of the same names, is finite and 0 or more; a draw raises it when all weights are 0.
    """

    def __init__(
        self,
        lengths: Mapping[str, int],
        weights: Mapping[str, float],
        draws_per_pass: int,
        seed: int,
        *,
        first_draw: int = 0,
    ) -> None:
        if not lengths or lengths.keys() != weights.keys() or min(lengths.values()) < 1:
            raise InvalidInput(
                f"mixture: lengths {dict(lengths)} and weights {dict(weights)} must name the same datasets, each of 1 "
                "row or more"
            )
        self._lengths = list(lengths.values())
        self._offsets = [0, *accumulate(self._lengths)][:-1]
        self._weights = {name: float(weights[name]) for name in lengths}
        self._draws_per_pass, self._seed = draws_per_pass, seed
        self._next = self._num_delivered = first_draw
        self._weights_from: list[tuple[int, dict[str, float]]] = []
        self._uses = {name: Uses() for name in lengths}
        self.is_asked = True  # it counts every draw
        self._block = -1
        self._numbers: list[list[float]] = []
        self._set_all(self._weights)

    @property
    def num_delivered(self) -> int:
        """The number of draws that have reached the loop, including those of the runs that it resumes."""
        return self._num_delivered

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the datasets, in the order in which they are joined."""
        return tuple(self._weights)

    def __getitem__(self, name: str) -> float:
        """The weight of a dataset, not normalised. Raises InvalidInput when there is none of that name."""
        if name not in self._weights:
            raise InvalidInput(f"no dataset {name!r} in the mixture; there are {sorted(self._weights)}")
        return self._weights[name]

    def put(self, name: str, weight: float) -> None:
        """Change the weight of a dataset, from the next draw on. Raises InvalidInput for an unknown one and below 0."""
        if weight != self[name]:
            self._set_all({**self._weights, name: float(weight)})

    def is_last(self, name: str) -> bool:
        """Whether the weights of all other datasets are 0."""
        return not any(weight for other, weight in self._weights.items() if other != name)

    def __iter__(self) -> Iterator[int]:
        """One pass of indices."""
        for _ in range(self._draws_per_pass):
            number, self._next = self._next, self._next + 1
            yield self._draw(number)

    def __len__(self) -> int:
        """Draws in a pass."""
        return self._draws_per_pass

    def begin(self) -> None:
        """A pass begins; called by `track_batches`. Draws of the last pass that never reached the loop are lost."""
        self._num_delivered = self._next

    def delivered(self, num_rows: int) -> None:
        """The loop got the next `num_rows` draws; called by `track_batches`."""
        first, self._num_delivered = self._num_delivered, self._num_delivered + num_rows
        while len(self._weights_from) > 1 and self._weights_from[1][0] <= first:
            del self._weights_from[0]
        for first_draw, weights in self._weights_from:
            if first_draw < self._num_delivered:
                for name, uses in self._uses.items():
                    uses.note(weights[name])

    def used(self, name: str) -> set[float]:
        """The weights of the dataset at the draws that the loop got since the last call."""
        return self._uses[name].take()

    def _set_all(self, weights: dict[str, float]) -> None:
        if not all(isfinite(each) and each >= 0 for each in weights.values()):
            raise InvalidInput(f"mixture weights {weights}: expected finite numbers of 0 or more")
        self._weights = weights
        self._bounds = list(accumulate(weights.values()))
        self._last = max((i for i, weight in enumerate(weights.values()) if weight), default=0)
        self._weights_from = [each for each in self._weights_from if each[0] != self._next] + [(self._next, weights)]

    def _draw(self, number: int) -> int:
        block, place = divmod(number, _BLOCK)
        if block != self._block:
            numbers = np.random.default_rng([self._seed, block]).random((_BLOCK, 2))
            self._block, self._numbers = block, numbers.tolist()  # plain floats are faster to read one by one
        which, where = self._numbers[place]
        if not self._bounds[-1]:
            raise InvalidInput(f"mixture weights {self._weights} are all 0: nothing can be drawn; raise one of them")
        # Rounding may put a draw beyond the last interval that is not empty.
        source = min(bisect_right(self._bounds, which * self._bounds[-1]), self._last)
        length = self._lengths[source]
        return self._offsets[source] + min(int(where * length), length - 1)


@final
class MixtureWeight:
    """Binds a parameter to the weight of one dataset in a mixture. Raises InvalidInput when there is none of that name.

    The loop must read its batches through `track_batches(loader, mixture)`. The value is the weight as given; the
    share of the draws also depends on the other weights.
    """

    def __init__(self, mixture: MixtureSampler, name: str, optimizer: Optimizer) -> None:
        self._mixture, self._name, self._optimizer = mixture, name, watchable(optimizer)
        self._watch: UseWatch | None = None
        self.read()

    def read(self) -> float:
        """The weight for the next draw."""
        return self._mixture[self._name]

    def write(self, value: float) -> None:
        """Set the weight, from the next draw on. Raises InvalidInput if it is negative, not finite, or makes all 0."""
        if value == 0 and self._mixture.is_last(self._name):
            raise InvalidInput(f"the weight of dataset {self._name!r} is the last above 0: raise another weight first")
        self._mixture.put(self._name, value)

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        """Report the first optimizer step all of whose rows were drawn with the weight, and any later loss of it."""
        if self._watch is not None:
            self._watch.end()
        reading = ValueReader(self.read, lambda: self._mixture.used(self._name))
        self._watch = None if report is None else UseWatch(self._optimizer, reading, report)

    def look(self) -> None:
        """Compare the value now, as `LookingBinding`."""
        if self._watch is not None:
            self._watch.look()

    def state(self) -> dict[str, float]:
        """The weight."""
        return {"weight": self.read()}

    def restore(self, state: Mapping[str, float]) -> None:
        """Restore a state that `state` returned. Raises InvalidInput when its names differ."""
        if state.keys() != {"weight"}:
            raise InvalidInput(f"state of dataset {self._name!r}: expected ['weight'], found {sorted(state)}")
        # Unlike in write, all weights may be 0 here: the others are restored after this one.
        self._mixture.put(self._name, state["weight"])
