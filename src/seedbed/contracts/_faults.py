"""The faults that a validation found, in words for the author of a file, without what only follows from others."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

__all__ = ["FieldFault", "faults_of", "plain_words"]

_LIBRARY_WORDS = ("Value error, ", "Assertion failed, ")
_Place = tuple[int | str, ...]
_Kinds = tuple[object, ...]  # the types that a value may have: several where the field is a union, none if not known
_NO_FIELD, _MAPPING = "no field has this name", "expected a mapping of fields"
_KEY, _AS_NAME = "[key]", " as the name"  # what the library calls the name of an entry, in place of its value
_WORDS = {
    "missing": "it is missing",
    "extra_forbidden": _NO_FIELD,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dict_type": _MAPPING,
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "string_type": "expected a text",
    "invalid_key": f"expected a text{_AS_NAME}",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "expected a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "expected a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "expected true or false"),
}
_LIMITS = {"ge": "at least", "le": "at most", "gt": "more than", "lt": "less than"}
_COUNTS = {"too_short": ("at least", "min_length"), "too_long": ("at most", "max_length")}
_OF_OTHER_KIND = ("_type", "_parsing", "literal_error", "enum")  # how the types of such errors end


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One fault: the dotted place of the field, empty for the whole, what is wrong there, and the value found."""

    place: str
    what: str
    found: object

    def told(self, whole: str) -> str:
        """The fault in a line; `whole` is what to call the whole where no field is at fault."""
        return f"{self.place or whole}: {self.what}"


def faults_of(problem: ValidationError, model: type[BaseModel]) -> list[FieldFault]:
    """The faults that `model` found, in order. A field is not blamed beside one of its parts, nor for each kind.

    A value that fits none of the kinds that its field takes has one fault, which names them all. A name that no field
    has is told with the nearest names.
    """
    return list(_at((), 0, (model,), problem.errors(include_url=False)))


def plain_words(error: ErrorDetails) -> str:
    """What is wrong, in plain words: what was expected, and not what the library calls it."""
    if error["type"] in _COUNTS:
        limit, name = _COUNTS[error["type"]]
        count = error["ctx"][name]
        found = error["ctx"]["actual_length"]
        if found is None:  # a set or a mapping is counted no further
            found = "more"
        return f"expected {limit} {count} {'item' if count == 1 else 'items'}, found {found}"
    if error["type"] == "string_too_short":
        least = error["ctx"]["min_length"]
        return f"expected a text {'that is not empty' if least == 1 else f'of at least {least} characters'}"
    for name, limit in _LIMITS.items():
        if name in error.get("ctx", {}):
            return f"expected {limit} {error['ctx'][name]}"
    message = _WORDS.get(error["type"], error["msg"]).replace("Input should be ", "expected ")
    for words in _LIBRARY_WORDS:
        message = message.removeprefix(words)
    return message


def _at(
    place: _Place, depth: int, kinds: _Kinds, errors: Sequence[ErrorDetails], names: Iterable[str] = ()
) -> Iterator[FieldFault]:
    """The faults of the value at `place`, which is one of `kinds`, from its `errors`.

    `depth` is how many parts of their `loc` lead to it: it names also which kind of a union was tried. `names` are the
    fields that may stand beside it.
    """
    tried = defaultdict[int | str, list[ErrorDetails]](list)
    for error in errors:
        if len(error["loc"]) > depth:
            tried[error["loc"][depth]].append(error)
    if not tried:
        for error in errors:
            what = plain_words(error)
            yield _fault(place, f"{what}{_near(place, names)}" if what == _NO_FIELD else what, error)
        return
    if len(kinds) > 1:
        yield from _of_union(place, depth, kinds, tried)
        return
    kind = kinds[0] if kinds else None
    fields = kind.model_fields if _is_model(kind) else ()
    for part, inner in tried.items():
        yield from _at((*place, part), depth + 1, _inside(kind, part), inner, fields)


def _of_union(
    place: _Place, depth: int, kinds: _Kinds, tried: Mapping[int | str, list[ErrorDetails]]
) -> Iterator[FieldFault]:
    """The faults by the kind that the value is closest to; one fault that names all where it is of none."""
    closer = {name: errors for name, errors in tried.items() if not _is_of_other_kind(errors, depth + 1)}
    if closer:
        name = min(closer, key=lambda name: len(closer[name]))
        named = [kind for kind in kinds if _name_of(kind) == str(name).partition("[")[0]]
        yield from _at(place, depth + 1, tuple(named[:1]), closer[name])
        return
    found = [error for errors in tried.values() for error in errors]
    *first, last = dict.fromkeys(plain_words(error).removeprefix("expected ") for error in found)
    yield _fault(place, f"expected {' or '.join(filter(None, (', '.join(first), last)))}", found[0])


def _is_of_other_kind(errors: Sequence[ErrorDetails], depth: int) -> bool:
    return all(len(error["loc"]) == depth and error["type"].endswith(_OF_OTHER_KIND) for error in errors)


def _fault(place: _Place, what: str, error: ErrorDetails) -> FieldFault:
    if place[-1:] == (_KEY,):
        place, what = place[:-1], f"{what}{_AS_NAME}"
    return FieldFault(".".join(map(str, place)), what, error["input"])


def _near(place: _Place, names: Iterable[str]) -> str:
    """The `names` that are nearest to the one at `place`; empty without any."""
    near = get_close_matches(str(place[-1]), names, n=2)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _is_model(kind: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _name_of(kind: object) -> str:
    return getattr(get_origin(kind) or kind, "__name__", "")


def _inside(kind: object, part: int | str) -> _Kinds:
    """The kinds of what a value of `kind` holds at `part`."""
    if _is_model(kind):
        field = kind.model_fields.get(str(part))
        return _kinds(field.annotation) if field else ()
    origin, inner = get_origin(kind), get_args(kind)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _kinds(inner[1])
    if origin is tuple and Ellipsis not in inner and isinstance(part, int):
        return _kinds(inner[part])
    return _kinds(inner[0]) if inner else ()


def _kinds(annotation: object) -> _Kinds:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kinds(inner[0])
    if origin in (Union, UnionType):
        return tuple(kind for each in inner if each is not NoneType for kind in _kinds(each))
    return (annotation,)
