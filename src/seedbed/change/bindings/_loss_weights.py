"""The weights of the terms of a loss."""

from collections.abc import Callable, Mapping
from functools import reduce
from math import isfinite, nan
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
        total = reduce(torch.add, [weight * losses[term] for term, weight in self._weights.items()])
        if total.requires_grad:
            used = {term: weight if losses[term].requires_grad else nan for term, weight in self._weights.items()}
            total.register_hook(lambda _: self._note(used))  # type: ignore[no-untyped-call]
        return total

    def __getitem__(self, term: str) -> float:
        """The weight of a term. Raises InvalidInput when there is none of that name."""
        self._require(term)
        return self._weights[term]

    def put(self, term: str, weight: float) -> None:
        """Change the weight of a term, from the next sum on. Raises InvalidInput for an unknown term, NaN and inf."""
        self._require(term)
        self._weights[term] = _checked(term, weight)

    def used(self, term: str) -> set[float]:
        """The weights of the term in the sums that were backpropagated since the last call of `used`.

        It holds NaN for a sum in which the term was a constant.
        """
        return self._uses[term].take()

    def _note(self, used: Mapping[str, float]) -> None:
        for term, weight in used.items():
            self._uses[term].note(weight)

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
        """Report the first optimizer step for which every sum that was backpropagated used the weight, and any loss.

        A sum that is only logged is no use, and neither is one in which the term is a constant, without a gradient.
        """
        if self._watch is not None:
            self._watch.end()
        unused = "no sum that combine made was backpropagated in two optimizer steps"
        idle = f"no sum in which term {self._term!r} has a gradient was backpropagated"
        reading = ValueReader(self.read, lambda: self._weights.used(self._term), unused, idle)
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
            raise InvalidInput(f"state of loss term {self._term!r}: expected ['weight'], found {sorted(state)}")
        self.write(state["weight"])


def _checked(term: str, weight: float) -> float:
    if not isfinite(weight):
        raise InvalidInput(f"the weight of loss term {term!r} is {weight!r}: expected a finite number")
    return float(weight)
