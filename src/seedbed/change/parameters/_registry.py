"""All parameters of a plant, and the conversion between flat keys and a nested document."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import pairwise
from math import isfinite
from typing import final

from seedbed.change.parameters._delta import Delta
from seedbed.change.parameters._grid import allowed, neighbours, on_grid
from seedbed.change.parameters._parameter import Number, Parameter, finite, in_unit
from seedbed.errors import InvalidInput, NotFound
from seedbed.records import Json, digest

__all__ = ["Registry"]

_REMEMBERED_HASHES = 16


@final
class Registry:
    """The parameters of one plant, by key. Pure: it converts documents and values, and keeps neither.

    A *document* is the nested JSON that settings are kept in; *values* are floats by flat key. Every
    input is checked: its type, its bounds and its grid; a value that differs from a grid point only by rounding becomes
    that point. Raises InvalidInput for two parameters of one key, or when a path is equal to, or part of, another.
    """

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self._parameters: dict[str, Parameter] = {}
        for parameter in parameters:
            if parameter.key in self._parameters:
                raise InvalidInput(f"parameter {parameter.key!r} is declared twice")
            self._parameters[parameter.key] = parameter
        self._hashes: dict[tuple[tuple[str, float], ...], str] = {}  # each change asks for the same few several times
        self._require_separate_paths()

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters.values())

    def __len__(self) -> int:
        return len(self._parameters)

    def __contains__(self, key: object) -> bool:
        return key in self._parameters

    def __getitem__(self, key: str) -> Parameter:
        """The parameter of that key. Raises NotFound, with the nearest keys."""
        if key not in self._parameters:
            raise NotFound(f"no parameter {key!r}; {_nearest(key, self._parameters)}")
        return self._parameters[key]

    def keys(self) -> tuple[str, ...]:
        """Every key, in the order of declaration."""
        return tuple(self._parameters)

    def validate(self, values: Mapping[str, float]) -> dict[str, float]:
        """The values, as floats. Raises NotFound for an undeclared key, InvalidInput with key, value and bound."""
        return {key: _checked(self[key], value) for key, value in values.items()}

    def validate_all(self, values: Mapping[str, float]) -> dict[str, float]:
        """As `validate`, for exactly one value for each parameter. Raises InvalidInput for unknown and missing keys."""
        unknown = sorted(values.keys() - self._parameters.keys())
        missing = sorted(self._parameters.keys() - values.keys())
        if unknown or missing:
            expected = f"expected a value for each of {len(self)} parameters"
            raise InvalidInput(f"settings: unknown {unknown}, missing {missing}; {expected}")
        return self.validate(values)

    def document(self, values: Mapping[str, float]) -> dict[str, Json]:
        """The nested document that holds these values, each in its kind of number. Raises as `validate`."""
        return self._nested(self.validate(values))

    def get_all(self, document: Mapping[str, Json]) -> dict[str, float]:
        """Every value in a document. Raises InvalidInput if one is missing, unknown or invalid."""
        found = dict(_leaves(document, ()))
        paths = {parameter.path: parameter for parameter in self}
        known = [".".join(path) for path in paths]
        unknown = sorted(".".join(path) for path in found.keys() - paths.keys())
        missing = sorted(".".join(path) for path in paths.keys() - found.keys())
        if unknown:
            raise InvalidInput(f"settings: unknown {unknown}, missing {missing}; {_nearest(unknown[0], known)}")
        if missing:
            raise InvalidInput(f"settings: missing {missing}; expected each of the {len(self)} declared ones")
        return {parameter.key: _read(parameter, found[parameter.path]) for parameter in self}

    def get(self, document: Mapping[str, Json], key: str) -> float:
        """One value in a document. Raises NotFound for an undeclared key, InvalidInput if it is missing or invalid."""
        parameter, found = self[key], dict(_leaves(document, ()))
        if parameter.path not in found:
            raise InvalidInput(f"settings: {key} is missing at {'.'.join(parameter.path)}")
        return _read(parameter, found[parameter.path])

    def set(self, document: Mapping[str, Json], key: str, value: float) -> dict[str, Json]:
        """A copy of the document with one value changed. Raises as `get_all` and `validate`."""
        return self.document({**self.get_all(document), key: value})

    def apply_deltas(self, document: Mapping[str, Json], deltas: Iterable[Delta]) -> dict[str, Json]:
        """A copy of the document after all deltas. Raises as `validate` for the first delta that is refused."""
        values = self.get_all(document)
        for delta in deltas:
            parameter = self[delta.parameter]
            values[parameter.key] = _checked(parameter, delta.resolve(values[parameter.key]))
        return self.document(values)

    def state_hash(self, values: Mapping[str, float]) -> str:
        """The digest of the document of all values. Live values outside the limits are accepted.

        Raises InvalidInput if one is missing or not finite.
        """
        if missing := sorted(self._parameters.keys() - values.keys()):
            raise InvalidInput(f"state hash: missing {missing}; expected a value for each of {len(self)} parameters")
        known = tuple(values.items())
        if known not in self._hashes:
            if len(self._hashes) >= _REMEMBERED_HASHES:
                self._hashes.clear()
            self._hashes[known] = digest(self._nested(values))
        return self._hashes[known]

    def _nested(self, values: Mapping[str, float]) -> dict[str, Json]:
        nested: dict[str, Json] = {}
        for key, value in values.items():
            _set_at_path(nested, self[key], on_grid(self[key], value) if isfinite(value) else value)
        return nested

    def _require_separate_paths(self) -> None:
        paths = sorted((parameter.path, parameter.key) for parameter in self)
        for (first, key), (second, other) in pairwise(paths):
            if second[: len(first)] == first:
                raise InvalidInput(
                    f"parameters {key!r} and {other!r}: the path {'.'.join(first)!r} leads to or through both; give "
                    "each its own path"
                )


def _checked(parameter: Parameter, value: object) -> float:
    number = finite(value)
    if number is None or (isinstance(value, bool) and parameter.number is not Number.BOOL):
        expected = f"expected a finite {parameter.number.value} within {_bounds(parameter)}"
        raise InvalidInput(f"{parameter.key} = {value!r}: {expected}")
    kept = allowed(parameter, number)
    if kept is None:
        raise InvalidInput(f"{parameter.key} = {value!r}: {_objection(parameter, number)}")
    return kept


def _objection(parameter: Parameter, number: float) -> str:
    if not parameter.low <= number <= parameter.high:
        bound = "low" if number < parameter.low else "high"
        return f"{bound} bound is {getattr(parameter, bound):.12g}, of {_bounds(parameter)}"
    points = " and ".join(f"{each:.12g}" for each in neighbours(parameter, number))
    return f"expected steps of {parameter.increment:.12g} from {parameter.low:.12g}; the nearest are {points}"


def _bounds(parameter: Parameter) -> str:
    return in_unit(f"{parameter.low:.12g} .. {parameter.high:.12g}", parameter.unit)


def _read(parameter: Parameter, found: Json) -> float:
    """A value of a document, checked: BOOL must be true or false, a number must not. In JSON, 0 and 0.0 are equal."""
    number = finite(found)
    wrong = number is None or isinstance(found, bool) is not (parameter.number is Number.BOOL)
    if wrong or (parameter.number is Number.INT and number is not None and not number.is_integer()):
        raise InvalidInput(f"{parameter.key} = {found!r}: expected {parameter.number.value}")
    return _checked(parameter, found)


def _set_at_path(nested: dict[str, Json], parameter: Parameter, value: float) -> None:
    *sections, last = parameter.path
    for part in sections:
        section = nested.setdefault(part, {})
        assert isinstance(section, dict)  # no path is part of another one
        nested = section
    if parameter.number is Number.BOOL and value in {0, 1}:
        nested[last] = bool(value)
    elif parameter.number is Number.INT and float(value).is_integer():
        nested[last] = int(value)
    else:
        nested[last] = float(value)


def _nearest(name: str, names: Iterable[str]) -> str:
    known = sorted(names)
    near = get_close_matches(name, known, n=3)
    return f"the nearest declared are {near}" if near else f"declared are {known}"


def _leaves(document: Mapping[str, Json], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Json]]:
    """Every value with the path to it. An empty section counts as a value, so that nothing in a document is ignored."""
    for key, item in document.items():
        if isinstance(item, Mapping) and item:
            yield from _leaves(item, (*path, key))
        else:
            yield (*path, key), item
