"""The proof that an optimizer step used a setting: the update that it made is the one that the new value gives."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, final

import torch
from torch import Tensor
from torch.optim import Optimizer

from seedbed.change.bindings.proof._closure_proof import ClosureProof
from seedbed.change.bindings.proof._finding import Match, UpdateFinding, compared
from seedbed.change.bindings.proof._optimizers import READING, UPDATES, UpdateKind, known_class
from seedbed.change.bindings.proof._replica_proof import ReplicaProof
from seedbed.change.bindings.proof._twin import Part, Settings, State, parts_of, settings_of, state_of, stepped

__all__ = ["Proof", "proof_of"]

# Steps with gradients: a watch that nothing decides looks at each of the first, then at two in succession of a few,
# since what a step reads for the next shows only in the next.
_PATIENCE, _TOGETHER, _THEN_OF = 64, 2, 16

Former = Callable[[dict[int, dict[str, Any]]], None]
"""Sets the former value in a copy of the groups' settings."""


class Proof(Protocol):
    """Compares one step after another with twins until the use of a setting is decided."""

    def enter(self) -> None:
        """A step begins; its closure, if it has one, was not called yet."""

    def begin(self, places: Sequence[int], put_former: Former, /) -> None:
        """A step begins, and its gradients are there; the setting stands in the groups at these places."""

    def evaluated(self, loss: Any) -> None:
        """The closure of the step was called and gave this loss."""

    def finish(self) -> UpdateFinding:
        """The step has ended."""


def proof_of(optimizer: Optimizer, key: str) -> Proof:
    """The proof for a setting of that name in the groups of this optimizer."""
    stepping = _stepping(optimizer)
    cls = known_class(stepping)
    if cls is None:
        return ReplicaProof(optimizer)
    if UPDATES[cls.__name__] is UpdateKind.CLOSURE:
        return ClosureProof(optimizer, cls)
    return _UpdateProof(optimizer, stepping, cls, READING.get((cls.__name__, key), ""))


def _stepping(optimizer: Optimizer) -> Optimizer:
    """The optimizer that makes the updates of this process: the inner one of ZeRO, which hands it its settings."""
    inner: object = vars(optimizer).get("optim")
    if not isinstance(inner, Optimizer) or len(inner.param_groups) != len(optimizer.param_groups):
        return optimizer
    pairs = zip(inner.param_groups, optimizer.param_groups, strict=True)
    of_same = all({id(w) for w in own["params"]} <= {id(w) for w in whole["params"]} for own, whole in pairs)
    return inner if of_same else optimizer


@final
class _UpdateProof:
    """Steps two twins over a sample of the weights: one with the settings as they are, one with the former value.

    While both give the same weights and another state, as where a rate is read for the next step, the twin of the
    former value goes on from its own state.
    """

    def __init__(self, outer: Optimizer, optimizer: Optimizer, cls: type[Optimizer], reading: str) -> None:
        self._outer, self._optimizer, self._cls, self._reading = outer, optimizer, cls, reading
        self._parts: list[Part] = []
        self._start: list[tuple[Tensor, State, Tensor | None]] = []
        self._former_state: list[State] | None = None
        self._left: list[tuple[Tensor, State]] | None = None
        self._settings: Settings = {}
        self._former: Settings = {}
        self._num_used = 0
        self._looks = True
        self._last = UpdateFinding(Match.OPEN, "no step was looked at")

    def enter(self) -> None:
        """Nothing to take: these classes change nothing before they call the closure."""

    def begin(self, places: Sequence[int], put_former: Former) -> None:
        """Take the sample, its state and its gradients, and both settings."""
        self._looks = bool(self._reading) or self._num_used < _PATIENCE or self._num_used % _THEN_OF < _TOGETHER
        if not self._looks:
            self._num_used += 1
            self._left = None
            return
        with torch.no_grad():
            self._continue_or_sample(places)
            self._num_used += bool(self._parts)
            self._settings, former = self._given(), self._given()
        put_former(former)
        self._former = former

    def _given(self) -> dict[int, dict[str, Any]]:
        """The settings that the step reads; an outer optimizer hands its own to the inner one as the step begins."""
        own, given = settings_of(self._optimizer), settings_of(self._outer)
        return {place: {**own[place], **given[place]} for place in own}

    def evaluated(self, loss: Any) -> None:
        """Nothing to take: these classes call the closure once, before the step."""

    def finish(self) -> UpdateFinding:
        """Compare what was made with both twins; a step that is not looked at says what the last one said, and that."""
        if self._looks:
            self._last = self._found()
            return self._last
        return UpdateFinding(Match.OPEN, f"{self._last.why}; {_TOGETHER} steps in {_THEN_OF} are looked at by now")

    def _found(self) -> UpdateFinding:
        if not self._parts:
            return UpdateFinding(Match.OPEN, "no weight of its groups had a gradient")
        with torch.no_grad():
            finding = self._compared()
        return UpdateFinding(Match.OPEN, self._reading) if finding.match is Match.OPEN and self._reading else finding

    def _continue_or_sample(self, places: Sequence[int]) -> None:
        left, self._left = self._left, None
        here = [(part.take(part.weight), state_of(self._optimizer, part)) for part in self._parts] if left else []
        if left is None or not _equal(here, left):
            self._former_state = None
            self._parts = parts_of(self._optimizer, self._cls, places)
            here = [(part.take(part.weight), state_of(self._optimizer, part)) for part in self._parts]
        gradients = [part.gradient() for part in self._parts]
        self._start = [(*each, gradient) for each, gradient in zip(here, gradients, strict=True)]

    def _compared(self) -> UpdateFinding:
        made = [part.take(part.weight) for part in self._parts]
        finding, new, former = self._against(made, self._start)
        if finding.match is not Match.NEW:
            # A hook that ran after the sample was taken may have changed the gradients.
            later = [
                (weight, state, part.gradient())
                for part, (weight, state, _) in zip(self._parts, self._start, strict=True)
            ]
            if not _equal(later, self._start):
                again, new_later, former_later = self._against(made, later)
                if again.match is not Match.OPEN:
                    finding, new, former = again, new_later, former_later
        if finding.match is Match.OPEN:
            self._carry(new, former, made)
        return finding

    def _against(
        self, made: Sequence[Tensor], start: Sequence[tuple[Tensor, State, Tensor | None]]
    ) -> tuple[UpdateFinding, list[tuple[Tensor, State]], list[tuple[Tensor, State]]]:
        states = self._former_state or [state for _, state, _ in start]
        theirs = [(weight, state, gradient) for (weight, _, gradient), state in zip(start, states, strict=True)]
        new = stepped(self._optimizer, self._cls, self._parts, start, self._settings)
        former = stepped(self._optimizer, self._cls, self._parts, theirs, self._former)
        return compared(made, [each for each, _ in new], [each for each, _ in former]), new, former

    def _carry(
        self, new: list[tuple[Tensor, State]], former: list[tuple[Tensor, State]], made: Sequence[Tensor]
    ) -> None:
        """Let the former value's twin go on, if it kept another state for the same weights."""
        same_weights = _equal([each for each, _ in new], [each for each, _ in former])
        if same_weights and not _equal(new, former):
            self._former_state = [state for _, state in former]
            self._left = [(each, state_of(self._optimizer, part)) for each, part in zip(made, self._parts, strict=True)]


def _equal(one: Any, other: Any) -> bool:
    """Whether two nestings of lists, tuples, dictionaries, tensors and numbers are equal, bit by bit."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        if one.is_sparse or other.is_sparse:
            return one.is_sparse == other.is_sparse and _equal(_dense(one), _dense(other))
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(_equal(x, y) for x, y in zip(one, other, strict=True))
    return type(one) is type(other) and bool(one == other)


def _dense(tensor: Tensor) -> list[Tensor]:
    coalesced = tensor.coalesce()
    return [coalesced.indices(), coalesced.values()]
