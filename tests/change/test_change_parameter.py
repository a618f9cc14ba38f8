"""A parameter whose limits leave no room, or contradict one another, is refused by field, value and expectation."""

from typing import Any

import numpy as np
import pytest

from seedbed.change import Add, Delta, Number, Parameter, Scale, Set
from seedbed.errors import InvalidInput


def typed(operation: Any, value: Any) -> Any:
    return operation(value)


def declared(**limits: Any) -> Parameter:
    fields: dict[str, Any] = {"key": "optimizer.lr", "unit": "1", "low": 0.0, "high": 1.0}
    return Parameter(**(fields | limits))


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"low": 2.0}, r"expected finite bounds with low <= high, found low=2.0 and high=1.0"),
        ({"low": float("nan")}, "found low=nan"),
        ({"high": float("inf")}, "and high=inf"),
        ({"cooldown_steps": -1}, "cooldown_steps is -1, expected 0 or more"),
        ({"velocity_cap": 0.0}, "velocity_cap is 0.0, expected None or a finite number above 0"),
        ({"velocity_cap": -1.0}, "velocity_cap is -1.0"),
        ({"velocity_cap": float("nan")}, "velocity_cap is nan"),
        ({"velocity_cap": float("inf")}, "velocity_cap is inf"),
        ({"velocity_cap": 0.05, "increment": 0.1}, "velocity_cap is 0.05, expected at least the increment, 0.1"),
        ({"velocity_window_steps": 0}, "velocity_window_steps is 0, expected 1 or more"),
        ({"oscillation_window": 1}, "oscillation_window is 1, expected 0 for never, or 3 or more"),
        ({"oscillation_window": 2}, "oscillation_window is 2"),
        ({"oscillation_window": -3}, "oscillation_window is -3"),
        ({"low": 4.3e-234, "high": 1.0, "increment": 0.1}, "low is 4.3e-234, expected 0, or"),
        ({"oscillation_horizon_steps": 0}, "oscillation_horizon_steps is 0, expected None or 1 or more"),
        ({"increment": 0.0}, "increment is 0.0, expected None or a finite number above 0"),
        ({"increment": -0.1}, "increment is -0.1"),
        ({"increment": float("nan")}, "increment is nan"),
        ({"increment": float("inf")}, "increment is inf"),
        (
            {"increment": 1e-13},
            "increment is 1e-13, expected 9.09495e-13 or more, so that floats can distinguish its values",
        ),
        ({"lag_steps": 0}, "lag_steps is 0, expected 1 or more"),
        ({"path": ("optimizer", "")}, r"path is \('optimizer', ''\), expected parts that are not empty"),
        ({"key": ""}, r"parameter '': path is \('',\)"),
        ({"key": "optimizer..lr"}, r"path is \('optimizer', '', 'lr'\)"),
        ({"number": Number.INT, "low": 0.5, "high": 3}, "low is 0.5, expected a whole number for INT"),
        ({"number": Number.INT, "high": 2.5}, "high is 2.5, expected a whole number for INT"),
        ({"number": Number.INT, "increment": 0.5}, "increment is 0.5, expected a whole number for INT"),
        ({"number": Number.INT, "high": 2**60}, "high is 1152921504606846976, expected a whole number for INT"),
        ({"number": Number.INT, "velocity_cap": 0.5}, "velocity_cap is 0.5, expected at least the increment, 1.0"),
        ({"number": Number.BOOL, "high": 2}, "high is 2, expected 0 or 1 for BOOL"),
        ({"number": Number.BOOL, "low": -1}, "low is -1, expected 0 or 1 for BOOL"),
        ({"number": Number.BOOL, "high": 0.5}, "high is 0.5, expected a whole number for BOOL"),
    ],
)
def test_limits_that_leave_no_room_are_refused(limits: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as refusal:
        declared(**limits)
    assert str(refusal.value).startswith("parameter '")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"key": 3}, "key is 3, expected a text"),
        ({"unit": None}, "unit is None, expected a text"),
        ({"subsystem": 3}, "subsystem is 3, expected a text"),
        ({"owner": ("me",)}, r"owner is \('me',\), expected a text"),
        ({"path": "optimizer.lr"}, "path is 'optimizer.lr', expected a tuple of texts"),
        ({"path": ["optimizer", "lr"]}, r"path is \['optimizer', 'lr'\], expected a tuple of texts"),
        ({"path": ("optimizer", 3)}, r"path is \('optimizer', 3\), expected a tuple of texts"),
        ({"number": "INT"}, "number is 'INT', expected one of Number.FLOAT, Number.INT, Number.BOOL"),
        ({"low": "0"}, "expected finite bounds with low <= high, found low='0' and high=1.0"),
        ({"high": None}, "and high=None"),
        ({"high": 10**400}, "expected finite bounds"),
        ({"cooldown_steps": None}, "cooldown_steps is None, expected 0 or more"),
        ({"velocity_cap": "1"}, "velocity_cap is '1', expected None or a finite number above 0"),
        ({"velocity_window_steps": "1"}, "velocity_window_steps is '1', expected 1 or more"),
        ({"oscillation_window": None}, "oscillation_window is None, expected 0 for never, or 3 or more"),
        ({"oscillation_horizon_steps": "9"}, "oscillation_horizon_steps is '9', expected None or 1 or more"),
        ({"increment": "0.1"}, "increment is '0.1', expected None or a finite number above 0"),
        ({"lag_steps": [1]}, r"lag_steps is \[1\], expected 1 or more"),
    ],
)
def test_a_field_of_another_type_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        declared(**fields)


def test_the_numbers_of_numpy_are_numbers() -> None:
    assert declared(low=np.float32(0.5), cooldown_steps=np.int64(3)) == declared(low=0.5, cooldown_steps=3)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"op": 0.1}, r"delta of 'optimizer.lr' by 'me': op is 0.1, expected Set, Add or Scale.* such as Set\(0.1\)"),
        ({"op": "0.1"}, "op is '0.1', expected Set, Add or Scale of a number"),
        ({"op": Set}, "op is <class .*Set'>, expected Set, Add or Scale of a number"),
        ({"op": typed(Set, "0.1")}, r"Set\(value='0.1'\), expected a number that is an int or a float, such as Set"),
        ({"op": typed(Scale, None)}, r"Scale\(value=None\), expected a number"),
        ({"op": typed(Add, np.float32(0.1))}, "expected a number that is an int or a float"),  # as a journal takes
        ({"op": Set(10**400)}, "is not finite"),
        ({"parameter": 3}, "parameter is 3, expected a text"),
        ({"reason": None}, "reason is None, expected a text"),
        ({"proposer": 3}, "proposer is 3, expected a text"),
    ],
)
def test_a_delta_of_another_type_is_refused(fields: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"parameter": "optimizer.lr", "op": Set(0.1), "reason": "r", "proposer": "me"}
    with pytest.raises(InvalidInput, match=said):
        Delta(**(given | fields))


def test_the_limits_at_the_edge_of_what_is_allowed_are_taken() -> None:
    declared(cooldown_steps=0, velocity_window_steps=1, oscillation_window=3, lag_steps=1, increment=1e-12)
    declared(velocity_cap=0.1, increment=0.1)
    declared(low=1.0, number=Number.BOOL)
    declared(low=-(2**53), high=2**53, number=Number.INT)


def test_what_is_not_given_follows_from_the_key_and_the_kind() -> None:
    rate, count, switch = declared(), declared(number=Number.INT, high=9), declared(number=Number.BOOL)
    assert (rate.path, rate.subsystem, rate.increment) == (("optimizer", "lr"), "optimizer", None)
    assert (count.increment, switch.increment) == (1.0, 1.0)
    moved = declared(path=("train", "lr"), subsystem="rates")
    assert (moved.path, moved.subsystem, declared(path=("train", "lr")).subsystem) == (
        ("train", "lr"),
        "rates",
        "train",
    )
