"""The configuration of a run: each value as what it is, and what cannot be recorded refused where it was given."""

import datetime
import decimal
import enum
import functools
import json
import math
import pathlib

import numpy as np
import pytest
import torch
from loop_world import Work, committed

from seedbed.errors import InvalidInput
from seedbed.loop._config import plain_config


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "recorded"),
    [
        (torch.tensor(3), 3),
        (torch.tensor([0.5, 2.0]), [0.5, 2.0]),
        (torch.nn.Parameter(torch.ones(1)), [1.0]),
        (torch.tensor(True), True),
        (torch.empty(2, device="meta"), "torch.Tensor (2,) of torch.float32"),
        (torch.zeros(1001), "torch.Tensor (1001,) of torch.float32"),
        (np.arange(3), [0, 1, 2]),
        (np.longdouble(1.5), 1.5),
        (np.array([[1.0], [2.0]], np.longdouble), [[1.0], [2.0]]),
        (np.float64(0.5), 0.5),
        (np.datetime64("2020-01-02"), "2020-01-02"),
        (math.inf, "inf"),
        (2**53, "9007199254740992"),
        (10**5000, hex(10**5000)),
        (decimal.Decimal("0.1"), "0.1"),
        (datetime.date(2020, 1, 2), "2020-01-02"),
        (1 + 2j, "(1+2j)"),
        (pathlib.PurePosixPath("a/b"), "a/b"),
        (Colour.RED, "RED"),
        (torch.float32, "torch.float32"),
        (torch.device("cpu"), "cpu"),
        (str.lower, "builtins.str.lower"),
        ("".join, "builtins.str.join"),
        (dict.fromkeys, "builtins.dict.fromkeys"),
        (math.sin, "math.sin"),
        (functools.partial(int), "functools.partial"),
        (object(), "builtins.object"),
        ("half \ud800", "half \\ud800"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_value_is_recorded_as_what_it_is(value, recorded):
    found = plain_config({"x": value})["x"]
    assert (found, type(found)) == (recorded, type(recorded))
    json.dumps(found, allow_nan=False).encode()


def test_a_shared_part_is_no_cycle():
    part = {"a": [1, 2]}
    assert plain_config({"x": part, "y": [part, part]}) == {"x": part, "y": [part, part]}


def nested(levels: int) -> list[object]:
    found: list[object] = [1]
    for _ in range(levels):
        found = [found]
    return found


def mapping_in_itself() -> dict[str, object]:
    within: dict[str, object] = {}
    within["again"] = within
    return within


def list_in_itself() -> list[object]:
    within: list[object] = []
    within.append(within)
    return within


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"model": mapping_in_itself()}, "config: model.again holds itself"),
        ({"model": list_in_itself()}, "config: model.0 holds itself"),
        ({"deep": nested(3000)}, r"config: deep.0.0.0… is nested deeper than 64 levels"),
        ({"outer": {1: "a", "1": "b"}}, "config: outer.1 is given twice"),
        ({"x" * 100_000: 1}, "has 100,000 characters, expected at most 500"),
        ({"gate": 1}, "'gate' is where"),
        ([("a", 1)], "expected a mapping"),
    ],
)
def test_what_cannot_be_recorded_is_refused_with_its_place_before_anything_is_made(tmp_path, config, says):
    with pytest.raises(InvalidInput, match=says):
        Work().start(tmp_path, config=config)
    assert not list(tmp_path.iterdir())


def test_the_commit_holds_the_configuration(tmp_path):
    with Work().start(tmp_path, config={"width": torch.tensor(3), 2: {"f": str.lower}}) as run:
        run.result(x=1)
    found = committed(run).snapshot.config
    assert {key: found[key] for key in ("width", "2")} == {"width": 3, "2": {"f": "builtins.str.lower"}}
