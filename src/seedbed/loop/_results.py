"""The results of a run: numbers as they are, samples as their mean with an interval."""

import sys
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch

from seedbed.contracts import Interval
from seedbed.errors import InvalidInput
from seedbed.gate import block_bootstrap, bounded_mean
from seedbed.gate.bounds._bootstrap import FEWEST
from seedbed.loop._values import number_of, require_names, require_numbers_in
from seedbed.records import canonical_json
from seedbed.records.canonical._numbers import with_plain_numbers

__all__ = ["added", "nested", "result_of"]

_FEWEST = 2
_DEEPEST = 16


def added(results: Mapping[str, object], given: Mapping[str, object]) -> dict[str, object]:
    """The results with what is given besides, as it is recorded. Raises InvalidInput for what cannot be recorded."""
    together = {**results, **{name: result_of(name, value) for name, value in given.items()}}
    canonical_json(with_plain_numbers(nested(together)))  # what cannot be recorded is refused here, and not at the end
    return together


def result_of(name: str, value: object, depth: int = 0) -> Any:
    """`value` as it is recorded: a number, a text, or an interval around the mean of one-dimensional samples.

    Of hits and misses (booleans, or 0 and 1 alone) the interval is exact. Of other samples it is `block_bootstrap`'s,
    which rare or skewed samples break: give `bounded_mean(samples, low, high)` where their range is known. Fewer than
    8 samples, or samples that do not vary, are recorded as their mean alone; so are samples of which one is not finite,
    whose mean is NaN or infinite. Raises InvalidInput for anything else. Mappings may be nested in each other, `depth`
    is how deep this one is.
    """
    if isinstance(value, Mapping):
        _require_depth(name, depth)
        require_names(value, f"result: {name}: ")
        return {sys.intern(key): result_of(f"{name}.{key}", each, depth + 1) for key, each in value.items()}
    if isinstance(value, Interval):
        return value.model_dump()
    if isinstance(value, torch.Tensor):
        value = _array_of(name, value)
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, Real):
        return number_of(f"result: {name}", value)
    if isinstance(value, list | tuple):
        return _of_array(name, _array_of_list(name, value))
    if isinstance(value, np.ndarray | np.generic):
        return _of_array(name, np.asarray(value))
    raise InvalidInput(
        f"result: {name} is of type {type(value).__qualname__}, expected a number, samples (a tensor, array or list of "
        "one dimension), or a mapping of these"
    )


def nested(values: Mapping[str, object]) -> dict[str, Any]:
    """Names with a slash, such as "val/loss", as objects in objects. Raises InvalidInput where two names collide."""
    found: dict[str, Any] = {}
    for path, value in values.items():
        *parents, last = path.split("/")
        place = found
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise InvalidInput(f"result: {path} is below {parent}, which is a value itself; name one of them anew")
        if last in place:
            raise InvalidInput(f"result: {path} is given twice; name one of them anew")
        place[last] = _copied(value)
    return found


def _copied(value: object) -> object:
    """Mappings as ones of their own, since further names may be put below them."""
    return {name: _copied(each) for name, each in value.items()} if isinstance(value, dict) else value


def _require_depth(name: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise InvalidInput(
            f"result: {name[:80]} is nested deeper than {_DEEPEST} levels; flatten it, or break the cycle where a "
            "mapping holds itself"
        )


def _array_of(name: str, tensor: torch.Tensor) -> "np.ndarray[Any, Any]":
    require_numbers_in(f"result: {name}", tensor)
    return tensor.detach().to("cpu").to(torch.float64 if tensor.is_floating_point() else tensor.dtype).numpy()


def _array_of_list(name: str, values: Sequence[object]) -> "np.ndarray[Any, Any]":
    """The samples of a list, which may be tensors of no dimension."""
    plain = [_array_of(name, each) if isinstance(each, torch.Tensor) else each for each in values]
    try:
        return np.asarray(plain)
    except ValueError:
        raise InvalidInput(f"result: {name} is a list of parts that differ in length, expected numbers") from None


def _of_array(name: str, values: "np.ndarray[Any, Any]") -> Any:
    if values.dtype.kind not in "biuf":
        raise InvalidInput(f"result: {name} holds {values.dtype}, expected numbers")
    if values.size == 1 and values.ndim == 0:
        found = values.item()
        return found if isinstance(found, bool | int | float) else float(found)
    if values.ndim != 1:
        raise InvalidInput(
            f"result: {name} has shape {values.shape}, expected a number or samples in one dimension; flatten it if "
            "each of its elements is a sample"
        )
    samples = values.astype(np.float64)
    if samples.size < _FEWEST:
        raise InvalidInput(f"result: {name} holds {samples.size} samples, expected at least {_FEWEST}, or a number")
    if not np.isfinite(samples).all():
        with np.errstate(invalid="ignore"):  # of both infinities it is NaN
            return float(samples.mean())
    if np.isin(samples, (0.0, 1.0)).all():
        return bounded_mean(samples).model_dump()
    if samples.size < FEWEST or samples.min() == samples.max():
        return float(samples.mean())
    return block_bootstrap(samples).model_dump()
