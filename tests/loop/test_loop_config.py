"""The configuration of a run: each value as what it is, and what cannot be recorded refused where it was given."""

import argparse
import collections
import dataclasses
import datetime
import decimal
import enum
import functools
import json
import logging
import math
import pathlib
import types
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
import pydantic
import pytest
import torch
from loop_world import Work, committed

from seedbed.errors import InvalidInput
from seedbed.loop._config import plain_config
from seedbed.records import compare_under_each


@dataclasses.dataclass
class Opt:
    width: int = 1
    inner: "Opt | None" = None


class Size(NamedTuple):
    height: int
    width: int


class Trained(pydantic.BaseModel):
    rate: float


class Attrs:
    """As the classes that attrs makes, which the tests do not need."""

    __attrs_attrs__ = (types.SimpleNamespace(name="width"),)

    def __init__(self, width: int) -> None:
        self.width = width


class Plain:
    def __init__(self, width: int) -> None:
        self.width = width

    def method(self) -> int:
        return self.width


def local(width: int) -> Any:
    return lambda: width


class Colour(enum.Enum):
    RED = 1
    BLUE = Size(0, 255)
    OWN = Plain(1)


class Spelt(enum.StrEnum):
    RED = "red"


class Rights(enum.IntFlag):
    READ = 1
    WRITE = 2


class Former(enum.Enum):
    SMALL = 64


class Later(enum.Enum):
    SMALL = 128


@pytest.mark.parametrize(
    ("value", "recorded"),
    [
        (torch.tensor(3), 3),
        (torch.tensor([0.5, 2.0]), [0.5, 2.0]),
        (torch.nn.Parameter(torch.ones(1)), [1.0]),
        (torch.tensor(True), True),
        (torch.empty(2, device="meta"), "torch.Tensor (2,) of torch.float32"),
        (torch.zeros(1001), f"torch.Tensor (1001,) of torch.float32, sha256 {sha256(bytes(4004)).hexdigest()}"),
        (np.zeros(1001), f"numpy.ndarray (1001,) of float64, sha256 {sha256(bytes(8008)).hexdigest()}"),
        (b"ab", f"2 bytes, sha256 {sha256(b'ab').hexdigest()}"),
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
        (Colour.RED, {"name": "RED", "value": 1}),
        (Colour.BLUE, {"name": "BLUE", "value": plain_config({"x": Size(0, 255)}).values["x"]}),
        (Spelt.RED, {"name": "RED", "value": "red"}),
        (Rights.READ | Rights.WRITE, {"name": "READ|WRITE", "value": 3}),
        ({Colour.RED: 1}, {"RED": 1}),
        (torch.float32, "torch.float32"),
        (torch.device("cpu"), "cpu"),
        (str.lower, "builtins.str.lower"),
        (dict.fromkeys, "builtins.dict.fromkeys"),
        (math.sin, "math.sin"),
        (Opt(width=8), {"class": f"{__name__}.Opt", "width": 8, "inner": None}),
        (Opt(inner=Opt()), {"class": f"{__name__}.Opt", "width": 1, "inner": plain_config({"x": Opt()}).values["x"]}),
        (Size(2, 3), {"class": f"{__name__}.Size", "height": 2, "width": 3}),
        (Trained(rate=0.1), {"class": f"{__name__}.Trained", "rate": 0.1}),
        (Attrs(4), {"class": f"{__name__}.Attrs", "width": 4}),
        (argparse.Namespace(w=8, n=argparse.Namespace(m=1)), {"w": 8, "n": {"m": 1}}),
        (types.SimpleNamespace(w=8), {"w": 8}),
        (collections.deque([1, 2]), [1, 2]),
        ({"a": 1}.keys(), ["a"]),
        (
            functools.partial(int, "7", base=8),
            {"class": "functools.partial", "function": "builtins.int", "args": ["7"], "keywords": {"base": 8}},
        ),
        ("half \ud800", "half \\ud800"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_value_is_recorded_as_what_it_is(value, recorded):
    config = plain_config({"x": value})
    found = config.values["x"]
    assert (found, type(found), config.is_whole) == (recorded, type(recorded), True)
    json.dumps(found, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("value", "recorded"),
    [
        (Plain(1), f"{__name__}.Plain"),
        (Plain(1).method, f"{__name__}.Plain.method"),
        (local(1), f"{__name__}.local.<locals>.<lambda>"),
        (", ".join, "builtins.str.join"),
        (logging.getLogger("a"), "logging.Logger"),
        (np.array([object()]), "numpy.ndarray (1,) of object"),
        (torch.eye(2).to_sparse(), "torch.Tensor (2, 2) of torch.float32"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_object_whose_content_nobody_knows_is_said_to_be_unknown(value, recorded):
    config = plain_config({"x": [value]})
    assert (config.values["x"], config.is_whole) == ([f"{recorded}, content unknown"], False)


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        ({"opt": Opt(8)}, {"opt": Opt(64)}, "config/opt/width differs: 8 / 64"),
        ({"a": Opt(inner=Opt(8))}, {"a": Opt(inner=Opt(9))}, "config/a/inner/width differs: 8 / 9"),
        ({"size": Former.SMALL}, {"size": Later.SMALL}, "config/size/value differs: 64 / 128"),
        ({"api_key": Plain(8)}, {"api_key": Plain(64)}, "nobody said which config_objects either run used"),
    ],
)
def test_objects_that_differ_are_never_the_same_input(tmp_path, one, other, says):
    found = []
    for config in (one, other):
        with Work().start(tmp_path, config=config, data=torch.ones(3)) as run:
            run.result(x=1)
        found.append(committed(run).snapshot)
    exact = compare_under_each(*found)[0]
    assert not exact.comparable
    assert any(says in each for each in exact.reasons)


def test_a_member_whose_value_nobody_knows_is_recorded_by_its_name_and_said_to_be_unknown():
    config = plain_config({"x": Colour.OWN})
    recorded = {"name": "OWN", "value": f"{__name__}.Plain, content unknown"}
    assert (config.values["x"], config.is_whole) == (recorded, False)


def test_a_shared_part_is_no_cycle():
    part = {"a": [1, 2]}
    assert plain_config({"x": part, "y": [part, part]}).values == {"x": part, "y": [part, part]}


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
