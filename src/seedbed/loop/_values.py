"""The values that a loop logs: detached at once, read from the device in batches, written step by step."""

import math
import operator
import reprlib
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from numbers import Real
from typing import Any, TypeAlias, final

import torch

from seedbed.errors import InvalidInput
from seedbed.records.canonical._canonical import LARGEST_EXACT

__all__ = ["StepValues", "flat_names", "number_of", "require_names", "require_numbers_in"]

_MOST_WAITING = 256
_SECONDS = 1.0
_LONGEST_NAME = 500

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
        self._names: set[str] = set()  # those that were looked at
        self.latest: dict[str, float] = {}

    def add(self, values: Mapping[str, object], step: int | None) -> None:
        """Take `values` of `step`, or of the step in progress.

        Raises InvalidInput for what is not one number, or no name, and for a step that there cannot be.
        """
        if not values.keys() <= self._names:
            require_names(values, "log: ")
            self._names.update(values)
        number = None if step is None else _step_of(step)
        read: dict[str, list[_Read]] = {}
        for name, value in values.items():
            read[name] = [self._read(name, value)]
        if number is not None:
            self._waiting.append((number, read))
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
        if self._waiting:
            self._flush_if_due()

    def unfinished(self) -> dict[str, list[float]]:
        """The values of the step in progress so far, for a checkpoint."""
        if self._is_remote:
            [(_, self._current)] = _fetched([(0, self._current)])
        return {name: [float(value) for value in found] for name, found in self._current.items()}

    def restore(self, values: Mapping[str, list[float]], step: int) -> None:
        """Write what `unfinished` returned as the values of `step`, when the first ones are written."""
        self._waiting = [(step, {name: [*found] for name, found in values.items()})] if values else []

    def _flush_if_due(self) -> None:
        if len(self._waiting) >= _MOST_WAITING or time.monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Write every finished step; nothing where none waits. Where `write` raises, that step and later ones wait."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        try:
            if self._is_remote:
                waiting = _fetched(waiting)
                self._is_remote = False
            self._due = time.monotonic() + _SECONDS
            while waiting:
                step, values = waiting[0]
                means = {name: _mean(found) for name, found in values.items()}
                self.latest.update(means)
                self._write(step, means)
                del waiting[0]
        finally:
            self._waiting[:0] = waiting

    def _read(self, name: str, value: object) -> _Read:
        if type(value) is float:
            return value
        if isinstance(value, torch.Tensor):
            is_usual = type(value) is torch.Tensor and value.dtype is torch.float32 and value.ndim == 0
            if is_usual and value.is_cpu and value.layout is torch.strided:
                return value.item()  # nothing else is to be asked
            require_numbers_in(f"log: {name}", value)
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
    require_names(values)
    require_names(named)
    return {**values, **named}


def require_names(names: Iterable[object], where: str = "") -> None:
    """Raise InvalidInput, which begins with `where`, for what cannot be the name of a value."""
    for name in names:
        if not isinstance(name, str) or not name or not name.isprintable():
            raise InvalidInput(f"{where}expected names that are texts of printable characters, found {_short(name)}")
        if len(name) > _LONGEST_NAME:
            raise InvalidInput(
                f"{where}the name {_short(name)} has {len(name):,} characters, expected at most {_LONGEST_NAME}"
            )


def require_numbers_in(what: str, tensor: torch.Tensor) -> None:
    """Raise InvalidInput, naming `what` it is, for a tensor whose elements are no real numbers that can be read.

    That is one on the meta device, which has none; a sparse, nested or quantized one; one of complex numbers.
    """
    found, way = "", "reduce it, such as by .abs()"
    if tensor.is_meta:
        found, way = "on the meta device, which holds no numbers", "compute it on a real device"
    elif tensor.is_nested or tensor.layout is not torch.strided:
        found, way = f"of layout {'nested' if tensor.is_nested else tensor.layout}", "make it dense by .to_dense()"
    elif tensor.is_quantized:
        found, way = f"of {tensor.dtype}", "give its numbers by .dequantize()"
    elif tensor.is_complex():
        found = f"of {tensor.dtype}"
    if found:
        raise InvalidInput(f"{what} is a tensor {found}, expected real numbers; {way}")


def number_of(what: str, value: object) -> float:
    """The one number that `value` is, Python's or NumPy's. Raises InvalidInput, naming `what` it is."""
    if type(value) is float:
        return value
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray | numpy.generic) and value.size == 1:
        value = value.item()
    if isinstance(value, Real):
        try:
            return float(value)
        except OverflowError:
            raise InvalidInput(
                f"{what} is a {type(value).__qualname__} beyond 1.8e308, expected a number that a float can hold; "
                "give its logarithm"
            ) from None
    raise InvalidInput(f"{what} is {_short(value)} of type {type(value).__qualname__}, expected one number")


def _step_of(step: object) -> int:
    try:
        number = -1 if isinstance(step, bool) else operator.index(step)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if not 0 <= number <= LARGEST_EXACT:
        raise InvalidInput(f"log: step={_short(step)}, expected the number of a step, from 0 on")
    return number


def _short(value: object) -> str:
    """A value for a message, however large it is."""
    return f"{value:#x}"[:40] if type(value) is int and abs(value) > LARGEST_EXACT else reprlib.repr(value)


def _mean(values: list[Any]) -> float:
    if len(values) == 1:
        return float(values[0])
    if not _all_finite(values):
        return float(sum(values))
    try:
        return math.fsum(values) / len(values)
    except OverflowError:  # of the sum: the mean lies between the values
        return float(sum(map(Fraction, values)) / len(values))


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
