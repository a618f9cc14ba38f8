"""Operations by name: one table and one way to ask for one of them."""

from fractions import Fraction

import numpy as np
import pytest

from seedbed.change import Add, Scale, Set
from seedbed.change.parameters._operations import OPERATIONS, kind_of, operation_of
from seedbed.errors import InvalidInput
from seedbed.loop.steering._remote import asked_change


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"set_to": 1}, Set(1.0)),
        ({"add": -0.5}, Add(-0.5)),
        ({"scale": np.float32(0.5)}, Scale(0.5)),
        ({"set_to": 0}, Set(0.0)),
        ({"scale": Fraction(1, 4)}, Scale(0.25)),
    ],
)
def test_one_of_the_three_is_that_operation_and_has_its_name(given, asked):
    found = operation_of(**given)
    assert (found, type(found.value)) == (asked, float)
    assert OPERATIONS[kind_of(found)] is type(asked)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "expected exactly one of set, add and scale, found none of them"),
        ({"set_to": 1, "scale": 2}, "exactly one of set, add and scale, found set and scale"),
        ({"set_to": True}, "set is True of type bool"),
        ({"add": "1"}, "add is '1' of type str"),
        ({"scale": float("nan")}, "scale is nan of type float, expected a finite number"),
        ({"scale": float("inf")}, "scale is inf"),
        ({"set_to": 10**5000}, "set is an int of 16610 bits"),
        ({"set_to": 1j}, "set is 1j of type complex"),
    ],
)
def test_anything_else_is_refused_alike_within_the_loop_and_from_outside(given, says):
    with pytest.raises(InvalidInput, match=says):
        operation_of(**given)
    outside = {"set" if name == "set_to" else name: value for name, value in given.items()}
    with pytest.raises(InvalidInput, match=says):
        asked_change("lr", "why", **outside)
