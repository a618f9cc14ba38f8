"""Every setting of a plant, declared once: flat keys on the one side, a nested document on the other."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import pairwise
from math import isfinite
from typing import final

from seedbed.change._delta import Delta
from seedbed.change._parameter import Number, Parameter, in_unit
from seedbed.errors import InvalidInput, NotFound
from seedbed.records import Json, digest

__all__ = ["Registry"]


@final
class Registry:
    """The parameters of one plant, by key. Pure: documents and values go in and come out, nothing is held.

    A *document* is the nested JSON that settings are kept in; *values* are floats by flat key. Raises InvalidInput for
    two parameters of one key, or when one's path leads through another's.
    """

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self._parameters: dict[str, Parameter] = {}
        for parameter in parameters:
            if parameter.key in self._parameters:
                raise InvalidInput(f"parameter {parameter.key!r} is declared twice")
            self._parameters[parameter.key] = parameter
        self._require_paths_apart()

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters.values())

    def __len__(self) -> int:
        return len(self._parameters)

    def __contains__(self, key: object) -> bool:
        return key in self._parameters

    def __getitem__(self, key: str) -> Parameter:
        """The parameter of that key. Raises NotFound, with the nearest keys."""
        if key not in self._parameters:
            near = get_close_matches(key, self._parameters, n=3) or sorted(self._parameters)
            raise NotFound(f"no parameter {key!r}; declared are {near}")
        return self._parameters[key]

    def keys(self) -> tuple[str, ...]:
        """Every key, in the order of declaration."""
        return tuple(self._parameters)

    def validate(self, values: Mapping[str, float]) -> dict[str, float]:
        """The values, as floats. Raises NotFound for an undeclared key, InvalidInput with key, value and bound."""
        return {key: self._checked(self[key], value) for key, value in values.items()}

    def document(self, values: Mapping[str, float]) -> dict[str, Json]:
        """The nested document that holds these values, each as its kind of number says."""
        nested: dict[str, Json] = {}
        for key, value in values.items():
            self._put(nested, self[key], value)
        return nested

    def get_all(self, document: Mapping[str, Json]) -> dict[str, float]:
        """Every value in a document. Raises InvalidInput for one missing, unknown, of a wrong type or out of bounds."""
        found = dict(_leaves(document, ()))
        paths = {parameter.path: parameter for parameter in self}
        strangers = sorted(".".join(path) for path in found.keys() - paths.keys())
        absent = sorted(".".join(path) for path in paths.keys() - found.keys())
        if strangers or absent:
            raise InvalidInput(f"settings: unknown {strangers}, missing {absent}; expected {len(self)} declared ones")
        return {parameter.key: self._read(parameter, found[parameter.path]) for parameter in self}

    def get(self, document: Mapping[str, Json], key: str) -> float:
        """One value in a document. Raises NotFound for an undeclared key, InvalidInput for a value that is none."""
        parameter, found = self[key], dict(_leaves(document, ()))
        if parameter.path not in found:
            raise InvalidInput(f"settings: {key} is missing at {'.'.join(parameter.path)}")
        return self._read(parameter, found[parameter.path])

    def set(self, document: Mapping[str, Json], key: str, value: float) -> dict[str, Json]:
        """The document with one value changed; the given one stays as it is. Raises as `validate`."""
        return self.document({**self.get_all(document), **self.validate({key: value})})

    def apply_deltas(self, document: Mapping[str, Json], deltas: Iterable[Delta]) -> dict[str, Json]:
        """The document after every delta, or none of them: the first to be refused raises as `validate`."""
        values = self.get_all(document)
        for delta in deltas:
            parameter = self[delta.parameter]
            values[parameter.key] = self._checked(parameter, delta.resolve(values[parameter.key]))
        return self.document(values)

    def state_hash(self, values: Mapping[str, float]) -> str:
        """The digest of the document that holds these values."""
        return digest(self.document(values))

    def _checked(self, parameter: Parameter, value: object) -> float:
        key, bounds = parameter.key, in_unit(f"{parameter.low:g} .. {parameter.high:g}", parameter.unit)
        if not isinstance(value, int | float) or not isfinite(value):
            raise InvalidInput(f"{key} = {value!r}: expected a finite number within {bounds}")
        if parameter.number is not Number.FLOAT and value != int(value):
            raise InvalidInput(f"{key} = {value!r}: expected a whole number within {bounds}")
        if not parameter.low <= value <= parameter.high:
            bound = "low" if value < parameter.low else "high"
            raise InvalidInput(f"{key} = {value!r}: {bound} bound is {getattr(parameter, bound):g}, of {bounds}")
        return float(value)

    def _read(self, parameter: Parameter, found: Json) -> float:
        if isinstance(found, bool) is not (parameter.number is Number.BOOL) or not isinstance(found, int | float):
            raise InvalidInput(f"{parameter.key} = {found!r}: expected {parameter.number.value}")
        return self._checked(parameter, found)

    def _put(self, nested: dict[str, Json], parameter: Parameter, value: float) -> None:
        *above, last = parameter.path
        for part in above:
            below = nested.setdefault(part, {})
            assert isinstance(below, dict)  # paths do not lead through one another
            nested = below
        kinds: Mapping[Number, type[float | int | bool]] = {Number.INT: int, Number.BOOL: bool, Number.FLOAT: float}
        nested[last] = kinds[parameter.number](value)

    def _require_paths_apart(self) -> None:
        paths = sorted((parameter.path, parameter.key) for parameter in self)
        for (first, key), (second, other) in pairwise(paths):
            if second[: len(first)] == first:
                raise InvalidInput(f"parameters {key!r} and {other!r}: the path {first} leads to or through both")


def _leaves(document: Mapping[str, Json], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Json]]:
    for key, item in document.items():
        if isinstance(item, Mapping):
            yield from _leaves(item, (*path, key))
        else:
            yield (*path, key), item
