"""What a validation found is told in plain words, by what the model says that a field may be."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from seedbed.contracts._faults import faults_of


class Mode(StrEnum):
    FAST = "fast"


class Low(BaseModel, extra="forbid"):
    low: int
    unit: str | bool = ""


class High(BaseModel, extra="forbid"):
    high: int
    least: int


class Model(BaseModel, extra="forbid"):
    """A field of every kind."""

    token: str = Field(default="12345678", min_length=8)
    name: str = Field(default="a", min_length=1)
    kinds: Mapping[str, int] = {}
    either: int | str | bool | list[int] | None = 1
    alternatives: Annotated[Mode | Literal["auto"] | bool | None, Field(description="several")] = None
    part: Low | High | float | None = None
    pair: tuple[Annotated[int | bool, Field()], float] = (1, 1.0)
    row: tuple[dict[str, int | bool], ...] = ()
    lists: dict[str, list[int]] | Annotated[list[int], Field(min_length=1)] = {}
    some: tuple[Low, ...] = Field(default=(), min_length=1, max_length=3)
    anything: list = []
    distinct: frozenset[str] = Field(default=frozenset(), max_length=2)
    few: dict[str, int] = Field(default={}, max_length=1)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"token": "abc"}, ["token: expected a text of at least 8 characters"]),
        ({"name": ""}, ["name: expected a text that is not empty"]),
        ({"distinct": ["a", "b", "c"]}, ["distinct: expected at most 2 items, found more"]),
        ({"few": {"a": 1, "b": 2}}, ["few: expected at most 1 item, found more"]),
        # Names in a mapping that are those of kinds are names all the same.
        (
            {"kinds": {"int": "a", "float": "b"}},
            ["kinds.int: expected a whole number", "kinds.float: expected a whole number"],
        ),
        ({"either": {}}, ["either: expected a whole number, a text, true or false or a list"]),
        ({"either": [1, "x"]}, ["either.1: expected a whole number"]),
        ({"alternatives": "x"}, ["alternatives: expected 'fast', 'auto' or true or false"]),
        ({"part": "x"}, ["part: expected a mapping of fields or a number"]),
        ({"part": {"low": "x"}}, ["part.low: expected a whole number"]),
        ({"part": {"low": 1, "uint": ""}}, ["part.uint: no field has this name; did you mean unit?"]),
        ({"part": {"low": 1, "unit": 2}}, ["part.unit: expected a text or true or false"]),
        ({"pair": ("x", "y")}, ["pair.0: expected a whole number or true or false", "pair.1: expected a number"]),
        ({"row": [{"bool": "x"}]}, ["row.0.bool: expected a whole number or true or false"]),
        ({"lists": {"a": ["x"]}}, ["lists.a.0: expected a whole number"]),
        ({"lists": []}, ["lists: expected at least 1 item, found 0"]),
        ({"pair": [1, 2, 3]}, ["pair: expected at most 2 items, found 3"]),
        ({"some": [{"low": 1}] * 4}, ["some: expected at most 3 items, found 4"]),
        ({1: 2}, ["1: expected a text as the name"]),
        ({"part": {1: 2, "low": 1}}, ["part.1: expected a text as the name"]),
        ({"kinds": {1: 2}}, ["kinds.1: expected a text as the name"]),
        ({"some": [1, {}]}, ["some.0: expected a mapping of fields", "some.1.low: it is missing"]),
        ({"unknown": {"int": 1}}, ["unknown: no field has this name"]),
        ({"anything": 1, "nmae": 1}, ["anything: expected a list", "nmae: no field has this name; did you mean name?"]),
        (5, ["it: expected a mapping of fields"]),
    ],
)
def test_a_fault_is_told_once_at_its_field_by_what_the_model_says(given: Any, told: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        Model.model_validate(given)
    assert [fault.told("it") for fault in faults_of(caught.value, Model)] == told
