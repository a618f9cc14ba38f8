"""The faults that a validation found, in words for whoever wrote the file, without what only follows from others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

__all__ = ["FieldFault", "faults_of", "plain_words"]

_LIBRARY_WORDS = ("Value error, ", "Assertion failed, ")
_PLACE = tuple[int | str, ...]
_NO_FIELD, _MAPPING = "no field has this name", "expected a mapping of fields"
_WORDS = {
    "missing": "it is missing",
    "extra_forbidden": _NO_FIELD,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dict_type": _MAPPING,
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "string_too_short": "expected a text that is not empty",
    "string_type": "expected a text",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "expected a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "expected a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "expected true or false"),
}
_LIMITS = {"ge": "at least", "le": "at most", "gt": "more than", "lt": "less than"}
_KINDS = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "a text"}


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One fault: the dotted place of the field, empty for the whole, what is wrong there, and the value found."""

    place: str
    what: str
    found: object

    def told(self, whole: str) -> str:
        """The fault in a line; `whole` is what to call the whole where no field is at fault."""
        return f"{self.place or whole}: {self.what}"


def faults_of(problem: ValidationError, model: type[BaseModel] | None = None) -> list[FieldFault]:
    """The faults of `problem`, in order. A field is not blamed again for one of its parts, nor for each of its kinds.

    With the `model` that was validated, a name that no field has is told with the nearest names.
    """
    errors = list(_without_kinds(problem.errors(include_url=False)))
    places = [place for place, _, _ in errors]
    return [
        FieldFault(".".join(map(str, place)), f"{what}{_near(model, place) if what == _NO_FIELD else ''}", found)
        for place, what, found in errors
        if not any(other != place and other[: len(place)] == place for other in places)
    ]


def plain_words(error: ErrorDetails) -> str:
    """What is wrong, in plain words: what was expected, and not what the library calls it."""
    if error["type"] == "too_short":
        least = error["ctx"]["min_length"]
        return f"expected at least {least} {'item' if least == 1 else 'items'}, found {error['ctx']['actual_length']}"
    for name, limit in _LIMITS.items():
        if name in error.get("ctx", {}):
            return f"expected {limit} {error['ctx'][name]}"
    message = _WORDS.get(error["type"], error["msg"]).replace("Input should be ", "expected ")
    for words in _LIBRARY_WORDS:
        message = message.removeprefix(words)
    return message


def _without_kinds(errors: Sequence[ErrorDetails]) -> Iterator[tuple[_PLACE, str, object]]:
    """Each fault once: a field of several kinds has one for each of them, which say together what it may be."""
    told: set[_PLACE] = set()
    for each in errors:
        place = each["loc"][:-1]
        of_kinds = [other for other in errors if other["loc"][:-1] == place and other["loc"][-1:] and _is_kind(other)]
        if each not in of_kinds or len(of_kinds) == 1:
            yield each["loc"], plain_words(each), each["input"]
        elif place not in told:
            told.add(place)
            closer = [other for other in of_kinds if not other["type"].endswith(("_type", "_parsing"))]
            *first, last = (_KINDS[str(other["loc"][-1])] for other in of_kinds)
            kinds = f"expected {', '.join(first)} or {last}"
            yield place, plain_words(closer[0]) if closer else kinds, each["input"]


def _is_kind(error: ErrorDetails) -> bool:
    return error["loc"][-1] in _KINDS


def _near(model: type[BaseModel] | None, place: _PLACE) -> str:
    """The names of the fields that are nearest to the one at `place`; empty without any."""
    fields = () if model is None else _fields_at(model, place[:-1])
    near = get_close_matches(str(place[-1]), fields, n=2)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _fields_at(model: type[BaseModel], place: _PLACE) -> set[str]:
    """The names of the fields that a mapping at `place` may have; an item's number says nothing of them."""
    models = [model]
    for name in place:
        fields = [each.model_fields[name] for each in models if name in each.model_fields]
        models = [inner for field in fields for inner in _models_in(field.annotation)] if fields else models
    return {name for each in models for name in each.model_fields}


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models_in(each)
