"""The numbers that a loop reads from a run: the norm that it clips to, and the passes that it accumulates over."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import final

import torch
from torch import Tensor

from seedbed.change.bindings._accumulation import Accumulation
from seedbed.change.bindings._clip_norm import ClipNorm
from seedbed.errors import InvalidInput
from seedbed.loop.settings._found import Candidate
from seedbed.loop.settings._limits import Limits
from seedbed.loop.settings._live_objects import LiveObjects, weights_of

__all__ = ["ACCUMULATION", "LoopNumbers"]

ACCUMULATION = "accumulation"
_CLIP, _NORM, _NAMED_NORM = "clip", "norm", "clip_norm"
_LEAST_PASSES = 16.0

Bind = Callable[[Candidate], None]


@final
class LoopNumbers:
    """Numbers that become settings when the loop uses them for the first time; `bind` takes each."""

    def __init__(self, objects: LiveObjects, bind: Bind) -> None:
        self._bind, self._watched = bind, objects.watched()
        self._clips: dict[str, ClipNorm] = {}
        self._given: dict[str, float] = {}  # the norm that the loop passed last, by optimizer
        self._accumulation: Accumulation | None = None

    def look_at(self, objects: LiveObjects) -> None:
        """Look at these objects from now on."""
        self._watched = objects.watched()

    def clip(self, parameters: Iterable[Tensor] | Tensor, max_norm: float) -> Tensor:
        """As `torch.nn.utils.clip_grad_norm_`, with the norm of the setting: at first that is `max_norm`.

        A loop that passes another `max_norm` later sets it, and overwrites a change. A norm that is not finite clips
        nothing, and is no setting. Raises InvalidInput unless it is above 0.
        """
        given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
        name = self._owner(given)
        if name is None or not isfinite(max_norm):
            return torch.nn.utils.clip_grad_norm_(given, max_norm)
        if name not in self._clips:
            self._add_clip(name, max_norm)
        elif self._given.setdefault(name, max_norm) != max_norm:
            self._clips[name].restore({"max_norm": max_norm})
        self._given[name] = max_norm
        return self._clips[name].clip(given)

    def accumulation(self, start: int = 1) -> int:
        """How many backward passes the next step takes: at first `start`, which must be 1 or more."""
        if self._accumulation is None:
            self._add_accumulation(start)
        return self._accumulation.number() if self._accumulation is not None else start

    def prepare(self, states: Mapping[str, Mapping[str, float]]) -> None:
        """Bind what a checkpoint holds, by key, before the loop uses it for the first time."""
        for name in self._watched:
            norm = states.get(".".join(_clip_path(name)), {}).get("max_norm")
            if norm is not None and name not in self._clips:
                self._add_clip(name, norm)
        passes = states.get(ACCUMULATION, {}).get("accumulation")
        if passes is not None and self._accumulation is None:
            self._add_accumulation(int(passes))

    def _add_clip(self, name: str, max_norm: float) -> None:
        clip = ClipNorm(self._watched[name], max_norm)
        self._bind(Candidate(_clip_path(name), clip, Limits.of_clip_norm(max_norm), "" if name else _CLIP))
        self._clips[name] = clip

    def _add_accumulation(self, start: int) -> None:
        optimizer = next(iter(self._watched.values()), None)
        if optimizer is None:
            raise InvalidInput(
                "accumulation: no optimizer is bound whose steps could prove it; bind the optimizer first"
            )
        accumulation = Accumulation(optimizer, start)
        self._bind(Candidate((ACCUMULATION,), accumulation, Limits.of_count(start, _LEAST_PASSES)))
        self._accumulation = accumulation

    def _owner(self, given: Sequence[Tensor]) -> str | None:
        """The name of the optimizer that holds these weights; None where none is bound that does."""
        optimizers = self._watched
        if len(optimizers) <= 1 or not given:
            return next(iter(optimizers), None)
        first = id(given[0])
        return next((name for name, each in optimizers.items() if first in weights_of(each)), None)


def _clip_path(name: str) -> tuple[str, str]:
    return (name, _NAMED_NORM) if name else (_CLIP, _NORM)
