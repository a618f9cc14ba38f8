"""The weights of the terms of a loss."""

from collections.abc import Callable, Mapping
from functools import reduce
from math import isfinite
from typing import final

import torch
from torch import Tensor
from torch.optim import Optimizer

from seedbed.change.bindings._binding import UseReport
from seedbed.change.bindings._use_watch import Uses, UseWatch, ValueReader
from seedbed.change.bindings._watchable import watchable
from seedbed.errors import InvalidInput

__all__ = ["LossWeight", "LossWeights"]


@final
class LossWeights:
    """Named weights of loss terms, and the sum that uses them: `weights.combine({"link": link_loss, "aux": aux_loss})`.

    Call `combine` in the loop, not inside a compiled function. Raises InvalidInput unless there are terms and all
    weights are finite.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        if not weights:
            raise InvalidInput("loss weights: expected one term or more, found none")
        self._weights = {term: _checked(term, weight) for term, weight in weights.items()}
        self._uses = {term: Uses() for term in weights}

    def combine(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum, of the losses' common shape. Raises InvalidInput unless each term has its loss."""
        if losses.keys() != self._weights.keys():
            raise InvalidInput(
                f"loss terms: expected {sorted(self._weights)}, found {sorted(losses)}; without its loss a term "
                "would be ignored silently"
            )
        for term, weight in self._weights.items():
            self._uses[term].note(weight)
        return reduce(torch.add, [weight * losses[term] for term, weight in self._weights.items()])

    def __getitem__(self, term: str) -> float:
        """The weight of a term. Raises InvalidInput when there is none of that name."""
        self._require(term)
        return self._weights[term]

    def put(self, term: str, weight: float) -> None:
        """Change the weight of a term, from the next sum on. Raises InvalidInput for an unknown term, NaN and inf."""
        self._require(term)
        self._weights[term] = _checked(term, weight)

    def used(self, term: str) -> set[float]:
        """The weights that `combine` used for the term since the last call of `used`."""
        return self._uses[term].take()

    def _require(self, term: str) -> None:
        if term not in self._weights:
            raise InvalidInput(f"no loss term {term!r}; there are {sorted(self._weights)}")


@final
class LossWeight:
    """Binds a parameter to the weight of one term. Raises InvalidInput when there is no such term."""

    def __init__(self, weights: LossWeights, term: str, optimizer: Optimizer) -> None:
        self._weights, self._term, self._optimizer = weights, term, watchable(optimizer)
        self._watch: UseWatch | None = None
        self.read()

    def read(self) -> float:
        """The weight that the next sum uses."""
        return self._weights[self._term]

    def write(self, value: float) -> None:
        """Set the weight to `value`, from the next sum on. Raises InvalidInput unless it is finite."""
        self._weights.put(self._term, value)

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        """Report the first optimizer step for which every sum used the weight, and any later loss of it."""
        if self._watch is not None:
            self._watch.end()
        unused = "combine was not called in two optimizer steps"
        reading = ValueReader(self.read, lambda: self._weights.used(self._term), unused)
        self._watch = None if report is None else UseWatch(self._optimizer, reading, report)

    def state(self) -> dict[str, float]:
        """The weight."""
        return {"weight": self.read()}

    def restore(self, state: Mapping[str, float]) -> None:
        """Restore a state that `state` returned. Raises InvalidInput when its names differ."""
        if state.keys() != {"weight"}:
            raise InvalidInput(f"state of loss term {self._term!r}: expected ['weight'], found {sorted(state)}")
        self.write(state["weight"])


def _checked(term: str, weight: float) -> float:
    if not isfinite(weight):
        raise InvalidInput(f"the weight of loss term {term!r} is {weight!r}: expected a finite number")
    return float(weight)
