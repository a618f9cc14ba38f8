"""The values that a loop logs: detached at once, read from the device in batches, written step by step."""

import math
import sys
import time
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any, TypeAlias, final

import torch

from seedbed.errors import InvalidInput

__all__ = ["StepValues", "flat_names", "number_of"]

_MOST_WAITING = 256
_SECONDS = 1.0

_Read: TypeAlias = "float | torch.Tensor"


@final
class StepValues:
    """Collects the values of the step in progress and hands finished steps to `write`, with its number.

    Values of the micro-batches of one step are averaged. A tensor on the CPU is read at once; one on another device is
    copied there and read later, many in one transfer, so that logging never waits for the device at a step. Finished
    steps are written about once a second, so that a step that takes milliseconds does not pay for a write.
    """

    def __init__(self, write: Callable[[int, Mapping[str, float]], None]) -> None:
        self._write = write
        self._current: dict[str, list[_Read]] = {}
        self._waiting: list[tuple[int, dict[str, list[_Read]]]] = []
        self._is_remote = False  # whether anything waits on another device
        self._due = 0.0
        self.latest: dict[str, float] = {}

    def add(self, values: Mapping[str, object], step: int | None) -> None:
        """Take `values` of `step`, or of the step in progress. Raises InvalidInput for what is not one number."""
        read = {name: [self._read(name, value)] for name, value in values.items()}
        if step is not None:
            self._waiting.append((step, read))
            self._flush_if_due()
        elif self._current:
            for name, found in read.items():
                self._current.setdefault(name, []).extend(found)
        else:
            self._current = read

    def end_step(self, step: int) -> None:
        """The values so far are those of `step`."""
        if self._current:
            self._waiting.append((step, self._current))
            self._current = {}
        self._flush_if_due()

    def _flush_if_due(self) -> None:
        if self._waiting and (len(self._waiting) >= _MOST_WAITING or time.monotonic() >= self._due):
            self.flush()

    def flush(self) -> None:
        """Write every finished step; nothing where none waits."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        if self._is_remote:
            waiting = _fetched(waiting)
            self._is_remote = False
        self._due = time.monotonic() + _SECONDS
        for step, values in waiting:
            means = {name: _mean(found) for name, found in values.items()}
            self.latest.update(means)
            self._write(step, means)

    def _read(self, name: str, value: object) -> _Read:
        if type(value) is float:
            return value
        if isinstance(value, torch.Tensor):
            if value.numel() != 1:
                raise InvalidInput(
                    f"log: {name} is a tensor of shape {tuple(value.shape)}, expected one number; reduce it, such as "
                    f"{name}.mean(), or give samples to run.result"
                )
            if value.device.type == "cpu":
                return number_of(f"log: {name}", value.item())
            self._is_remote = True
            return value.detach().reshape(()).clone()  # the loop may go on to change it in place
        return number_of(f"log: {name}", value)


def flat_names(values: Mapping[str, object], named: Mapping[str, object]) -> dict[str, object]:
    """Both together. Raises InvalidInput for a name that is given twice or is none, and for no mapping."""
    if not isinstance(values, Mapping):
        raise InvalidInput(
            f"expected values by name, such as loss=0.5, or a mapping of names to values; found {values!r} of type "
            f"{type(values).__qualname__}"
        )
    if twice := sorted(values.keys() & named.keys()):
        raise InvalidInput(f"{', '.join(twice)}: given twice, in the mapping and by name; give each name once")
    for name in values:
        if not isinstance(name, str) or not name:
            raise InvalidInput(f"expected names that are texts, found {name!r}")
    return {**values, **named}


def number_of(what: str, value: object) -> float:
    """The one number that `value` is, Python's or NumPy's. Raises InvalidInput, naming `what` it is."""
    if type(value) is float:
        return value
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray | numpy.generic) and value.size == 1:
        value = value.item()
    if isinstance(value, Real):
        return float(value)
    raise InvalidInput(f"{what} is {value!r} of type {type(value).__qualname__}, expected one number")


def _mean(values: list[Any]) -> float:
    return values[0] if len(values) == 1 else math.fsum(values) / len(values) if _all_finite(values) else sum(values)


def _all_finite(values: list[float]) -> bool:
    return all(map(math.isfinite, values))


def _fetched(waiting: list[tuple[int, dict[str, list[_Read]]]]) -> list[tuple[int, dict[str, list[_Read]]]]:
    """The same, with every tensor read: one transfer for each device."""
    tensors = [value for _, values in waiting for found in values.values() for value in found]
    remote = [value for value in tensors if isinstance(value, torch.Tensor)]
    numbers: dict[int, float] = {}
    for device in {value.device for value in remote}:
        here = [value for value in remote if value.device == device]
        wide = torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64
        read = torch.stack([value.to(wide) for value in here]).tolist()
        numbers.update(zip(map(id, here), read, strict=True))
    return [
        (step, {name: [numbers.get(id(value), value) for value in found] for name, found in values.items()})
        for step, values in waiting
    ]
