"""The numbers that a loop reads from a run: the norm that it clips to, and the passes that it accumulates over."""

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from math import isfinite
from typing import final

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from seedbed.change.bindings._accumulation import Accumulation
from seedbed.change.bindings._clip_norm import ClipNorm
from seedbed.errors import InvalidInput
from seedbed.loop.settings._found import BoundSetting, key_of_path
from seedbed.loop.settings._limits import Limits
from seedbed.loop.settings._live_objects import LiveObjects, weights_of

__all__ = ["ACCUMULATION", "LoopNumbers"]

ACCUMULATION = "accumulation"
_CLIP, _NORM, _NAMED_NORM = "clip", "norm", "clip_norm"
_LEAST_PASSES = 16.0

Bind = Callable[[BoundSetting], None]
IsChanged = Callable[[str], bool]


@final
class LoopNumbers:
    """Numbers that become settings when the loop uses them for the first time; `bind` takes each.

    `is_changed` says of a key whether a change of it stands: then it counts more than the loop's number after a resume.
    """

    def __init__(self, objects: LiveObjects, bind: Bind, is_changed: IsChanged) -> None:
        self._bind, self._is_changed, self._watched = bind, is_changed, objects.watched()
        self._clips: dict[str, ClipNorm] = {}
        self._given: dict[str, float] = {}  # the norm that the loop passed last, by optimizer
        self._owners: MutableMapping[Tensor, str] = WeakTensorKeyDictionary()  # by the first weight that is clipped
        self._accumulation: Accumulation | None = None
        self._is_prepared = False  # the number is that of a checkpoint, and the loop did not give its own yet

    def look_at(self, objects: LiveObjects) -> None:
        """Look at these objects from now on."""
        self._watched, self._owners = objects.watched(), WeakTensorKeyDictionary()

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
        elif self._given.get(name) != max_norm and (name in self._given or not self._changed(*_clip_path(name))):
            self._clips[name].restore({**self._clips[name].state(), "max_norm": max_norm})
        self._given[name] = max_norm
        return self._clips[name].clip(given)

    def accumulation(self, start: int = 1) -> int:
        """How many backward passes the next step takes: at first `start`, which must be 1 or more."""
        accumulation = self._accumulation or self._add_accumulation(start)
        if self._is_prepared and not self._changed(ACCUMULATION):
            accumulation.write(start)
        self._is_prepared = False
        return accumulation.number()

    def prepare(self, states: Mapping[str, Mapping[str, float]]) -> None:
        """Bind what a checkpoint holds, by key, before the loop uses it for the first time.

        The bounds are derived from the number that the run began with, however often it was resumed since.
        """
        for name in self._watched:
            state = states.get(key_of_path(_clip_path(name)))
            if state is not None and name not in self._clips:
                self._add_clip(name, state.get("start", state["max_norm"])).restore(state)
        state = states.get(ACCUMULATION)
        if state is not None and self._accumulation is None:
            self._add_accumulation(int(state.get("start", state["accumulation"]))).restore(state)
            self._is_prepared = True

    def _changed(self, *path: str) -> bool:
        return self._is_changed(key_of_path(path))

    def _add_clip(self, name: str, max_norm: float) -> ClipNorm:
        clip = ClipNorm(self._watched[name], max_norm)
        self._bind(BoundSetting(_clip_path(name), clip, Limits.of_clip_norm(max_norm), "" if name else _CLIP))
        self._clips[name] = clip
        return clip

    def _add_accumulation(self, start: int) -> Accumulation:
        optimizer = next(iter(self._watched.values()), None)
        if optimizer is None:
            raise InvalidInput(
                "accumulation: no optimizer is bound whose steps could prove it; bind the optimizer first"
            )
        accumulation = Accumulation(optimizer, start)
        self._bind(BoundSetting((ACCUMULATION,), accumulation, Limits.of_count(start, _LEAST_PASSES)))
        self._accumulation = accumulation
        return accumulation

    def _owner(self, given: Sequence[Tensor]) -> str | None:
        """The name of the optimizer that holds these weights, or the first of them that one holds; None for none."""
        if not given:
            return None
        known = self._owners.get(given[0])
        if known is not None:
            return known
        held = {name: weights_of(each) for name, each in self._watched.items()}
        owner = next((name for weight in given for name, own in held.items() if id(weight) in own), None)
        if owner is not None:
            self._owners[given[0]] = owner
        return owner


def _clip_path(name: str) -> tuple[str, str]:
    return (name, _NAMED_NORM) if name else (_CLIP, _NORM)
