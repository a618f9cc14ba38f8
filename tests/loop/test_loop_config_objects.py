"""Objects in a configuration: two that differ are two inputs or unknown, and one is the same in every process."""

import collections
import enum
import functools
import json
import os
import pathlib
import subprocess
import sys
import uuid
from typing import Any

import numpy as np
import pytest
import torch
from loop_world import Work, committed
from torch.nn import functional

from seedbed.loop._config import plain_config
from seedbed.records import compare_under_each


def times(factor: float) -> Any:
    def decorate(function: Any) -> Any:
        @functools.wraps(function)
        def inner(x: float) -> float:
            return factor * function(x)

        return inner

    return decorate


def base(x: float) -> float:
    return x


@times(0.5)
def decorated(x: float) -> float:
    return x


def with_attribute(rate: float) -> Any:
    def given(x: float) -> float:
        return x

    given.__qualname__ = "base"
    return having(given, rate=rate)


class Scaled:
    """Not known by its name: another class has it too."""


def made(rate: float) -> type:
    return type("Scaled", (), {"rate": rate, "__module__": __name__})


class Config(dict):
    def __init__(self, **attributes: object) -> None:
        super().__init__(a=1)
        self.__dict__.update(attributes)


class AsAttributes(dict):
    """As the classes of several libraries, whose items are attributes too."""

    def __init__(self, *args: object, **named: object) -> None:
        super().__init__(*args, **named)
        self.__dict__ = self


class Rows(list):
    seed = 0


class Slotted(tuple):
    __slots__ = ()


class Rate(float):
    __slots__ = ("unit",)


class Name(str):
    pass


class Folder(pathlib.PurePosixPath):
    pass


class Fraction(np.ndarray):
    pass


class Rights(enum.Flag):
    READ = 1


class Plain:
    pass


class Sub(Plain):
    def __init__(self) -> None:
        super().__init__()

    @classmethod
    def build(cls) -> "Sub":
        return cls()


def having(value: Any, **attributes: object) -> Any:
    for name, each in attributes.items():
        setattr(value, name, each)
    return value


DIFFERENT = {
    "a closure with the name of what it wraps": lambda k: times(k)(base),
    "a closure that took the place of what it wraps": lambda k: decorated,
    "a function with attributes, and the name of another": with_attribute,
    "a class that was made": made,
    "a method of a class that was made": lambda k: having(made(k), build=classmethod(lambda cls: cls)).build,
    "a function of arrays that was made of one of Python": lambda k: np.frompyfunc(lambda x: k * x, 1, 1),
    "a mapping with attributes": lambda k: Config(rate=k),
    "a mapping with a default": lambda k: collections.defaultdict(functools.partial(float, k)),
    "a mapping with a default that nobody knows": lambda k: collections.defaultdict(lambda: k),
    "a list with attributes": lambda k: having(Rows([1]), seed=k),
    "a list of the latest": lambda k: collections.deque([1], maxlen=int(10 * k)),
    "a number with attributes": lambda k: having(Rate(1.0), unit=k),
    "a text with attributes": lambda k: having(Name("x"), unit=k),
    "a path with attributes": lambda k: having(Folder("x"), unit=k),
    "an array with attributes": lambda k: having(np.zeros(3).view(Fraction), unit=k),
    "a tensor with attributes": lambda k: having(torch.ones(2), unit=k),
    "a partial function with attributes": lambda k: having(functools.partial(int), unit=k),
    "an attribute that nobody knows": lambda k: Config(rate=Plain()),
    "a key of one function of several": lambda k: {times(k)(base): 1},
    "a key that is a tuple": lambda k: {(base, k): 1},
    "a key with a class of its own": lambda k: {having(Name("x"), unit=k): 1},
    "a storage of torch": lambda k: torch.tensor([k]).untyped_storage(),
}


@pytest.mark.parametrize("make", DIFFERENT.values(), ids=DIFFERENT)
def test_objects_that_differ_are_two_inputs_or_unknown(make):
    one, other = (plain_config({"x": make(k)}) for k in (0.5, 0.9))
    assert one.values != other.values or not (one.is_whole or other.is_whole)


def test_a_commit_of_each_is_no_replicate_of_the_other(tmp_path):
    found = []
    for config in ({"x": times(0.5)(base)}, {"x": times(0.9)(base)}):
        with Work().start(tmp_path, config=config, data=torch.ones(3)) as run:
            run.result(x=1)
        found.append(committed(run).snapshot)
    exact = compare_under_each(*found)[0]
    assert not exact.comparable
    assert any("nobody said which config_objects either run used" in each for each in exact.reasons)


@pytest.mark.parametrize(
    ("value", "recorded"),
    [
        (base, f"{__name__}.base"),
        (Sub.build, f"{__name__}.Sub.build"),
        (Sub.__init__, f"{__name__}.Sub.__init__"),
        (Sub, f"{__name__}.Sub"),
        (int, "builtins.int"),
        (type(None), "builtins.NoneType"),
        (torch.nn.Linear, "torch.nn.modules.linear.Linear"),
        (torch.relu, "torch._VariableFunctionsClass.relu"),
        (functional.gelu, "torch._C._nn.gelu"),
        (functional.cross_entropy, "torch.nn.functional.cross_entropy"),
        (np.mean, "numpy.mean"),
        (np.add, "<ufunc 'add'>"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (torch.strided, "torch.strided"),
        (AsAttributes(a=1, b=[2]), {"a": 1, "b": [2]}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.Counter("aa"), {"a": 2}),
        (collections.UserDict({"a": 1}), {"a": 1}),
        (Slotted((1, 2)), [1, 2]),
        (torch.Size([1, 2]), [1, 2]),
        (Rights(0), {"name": None, "value": 0}),
        ({Rights(0): 1}, {"0": 1}),
        ({base: 1, Sub: 2, int: 3}, {f"{__name__}.base": 1, f"{__name__}.Sub": 2, "builtins.int": 3}),
        ({1: 1, 0.5: 2, None: 4}, {"1": 1, "0.5": 2, "None": 4}),
        ({10**5000: 1}, None),
        ({frozenset(("bb", "aa")): 1, (1, "a"): 2}, {'["aa", "bb"]': 1, '[1, "a"]': 2}),
        ({pathlib.PurePosixPath("a"): 1, torch.float32: 2}, {"a": 1, "torch.float32": 2}),
        (
            Config(rate=0.5),
            {"class": f"{__name__}.Config", "value": {"a": 1}, "attributes": {"rate": 0.5}},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_name_or_its_values_say_all_of_is_whole(value, recorded):
    if recorded is None:
        with pytest.raises(Exception, match="expected at most 500"):
            plain_config({"x": value})
        return
    config = plain_config({"x": value})
    assert (config.values["x"], config.is_whole) == (recorded, True)


def test_keys_of_unknown_content_are_counted():
    config = plain_config({"x": {Plain(): 1, Plain(): 2, Plain(): 3}})
    name = f"{__name__}.Plain, content unknown"
    assert (config.values, config.is_whole) == ({"x": {name: 1, f"{name}, 2": 2, f"{name}, 3": 3}}, False)


SCRIPT = """
import enum, functools, json, pathlib, sys
import numpy as np, torch
sys.path.insert(0, {here!r})
import test_loop_config_objects as tests
from seedbed.loop._config import plain_config
def own(x): return x
class Plain: pass
made = {{name: make(0.5) for name, make in tests.DIFFERENT.items()}}
keys = {{own: 1, Plain: 2, Plain(): 3, frozenset(["aa", "bb", "cc"]): 4, (own, frozenset("xyz")): 5, torch.relu: 6}}
config = plain_config({{"made": made, "keys": keys, "sets": {{"a", "b", "c"}}, "objects": [Plain(), own]}})
print(json.dumps([config.values, config.is_whole]))
"""


@pytest.mark.slow
def test_the_same_script_gives_the_same_configuration_in_every_process():
    script = SCRIPT.format(here=str(pathlib.Path(__file__).parent))
    said = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert json.loads(said[0])[0]["keys"]["__main__.own"] == 1
