"""What a run was started with, checked at that line."""

import enum
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, TypeAlias, final

from seedbed.errors import InvalidInput
from seedbed.gate import GateSpec, parse_gate
from seedbed.loop._mirror import Mirror
from seedbed.records.canonical._canonical import LARGEST_EXACT
from seedbed.runtime import ResolvedConfig, door_config

__all__ = ["DEFAULT_CHECKS", "Declared", "GateGiven", "RuntimeGiven", "config_of", "gate_of", "runtime_of"]

DEFAULT_CHECKS = ("contract.kept == true", "changes.failed == 0")
"""What a run is judged by, besides the checks that it was given."""

GateGiven: TypeAlias = "str | Sequence[str] | GateSpec"
RuntimeGiven: TypeAlias = "str | Mapping[str, object]"

_GATE = "gate"


@final
@dataclass(frozen=True)
class Declared:
    """The name, configuration, gate and contract of a run, and how it ends and shows itself."""

    project: str
    config: Mapping[str, Any]
    runtime: ResolvedConfig
    quiet: bool = False
    exits: bool = False
    steer: bool = True
    mirrors: tuple[Mirror, ...] = ()


def config_of(given: Mapping[str, object], gate: GateSpec) -> dict[str, Any]:
    """The configuration as JSON values, with the gate in it.

    What is no JSON value is named by its text where that is the same in every process: paths, enumerations, types,
    functions, torch's devices and data types. Other objects are named by their class. Raises InvalidInput for a
    configuration that has a `gate` of its own.
    """
    if not isinstance(given, Mapping):
        raise InvalidInput(f"config: expected a mapping such as vars(args), found {type(given).__qualname__}")
    if _GATE in given:
        raise InvalidInput("config: 'gate' is where the run's gate is recorded; give checks as gate=, or rename it")
    return {**_plain(dict(given)), _GATE: [check.model_dump(mode="json", exclude_none=True) for check in gate.checks]}


def gate_of(given: GateGiven) -> GateSpec:
    """The checks of the default and of `given`. Raises InvalidInput for a check that is wrong."""
    if isinstance(given, GateSpec):
        return GateSpec(gate=given.gate, checks=(*parse_gate({"checks": [*DEFAULT_CHECKS]}).checks, *given.checks))
    checks = [given] if isinstance(given, str) else list(given)
    return parse_gate({"checks": [*DEFAULT_CHECKS, *checks]}, source="gate=")


def runtime_of(given: RuntimeGiven) -> ResolvedConfig:
    """The runtime settings: a mode, such as "STRICT", or a mapping of settings. Raises InvalidInput."""
    return door_config(given, os.environ)


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, int) and abs(value) > LARGEST_EXACT:
        return str(value)  # JSON would round it
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")  # no half of a character
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(each) for each in value), key=str)
    return _named(value)


def _named(value: Any) -> Any:
    if isinstance(value, PurePath):
        return str(value)
    if type(value).__module__ in {"torch", "numpy"}:  # devices, data types, and scalars
        item = getattr(value, "item", None)
        return _plain(item()) if callable(item) and getattr(value, "size", 0) == 1 else str(value)
    named = value if isinstance(value, type) or hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"
