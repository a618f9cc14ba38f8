"""What a run was started with, checked at that line."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

from seedbed.errors import InvalidInput
from seedbed.gate import GateSpec, parse_gate
from seedbed.loop._config import PlainConfig, plain_config
from seedbed.loop._mirror import Mirror
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
    is_config_whole: bool = True  # False where an object in it is named by its class alone


def config_of(given: Mapping[str, object], gate: GateSpec) -> PlainConfig:
    """The configuration as JSON values, as `plain_config`, with the gate in it.

    Raises InvalidInput for a configuration that has a `gate` of its own.
    """
    if not isinstance(given, Mapping):
        raise InvalidInput(f"config: expected a mapping such as vars(args), found {type(given).__qualname__}")
    if _GATE in given:
        raise InvalidInput("config: 'gate' is where the run's gate is recorded; give checks as gate=, or rename it")
    plain, checks = plain_config(given), [each.model_dump(mode="json", exclude_none=True) for each in gate.checks]
    return replace(plain, values={**plain.values, _GATE: checks})


def gate_of(given: GateGiven) -> GateSpec:
    """The checks of the default and of `given`. Raises InvalidInput for a check that is wrong."""
    if isinstance(given, GateSpec):
        return GateSpec(gate=given.gate, checks=(*parse_gate({"checks": [*DEFAULT_CHECKS]}).checks, *given.checks))
    checks = [given] if isinstance(given, str) else list(given)
    return parse_gate({"checks": [*DEFAULT_CHECKS, *checks]}, source="gate=")


def runtime_of(given: RuntimeGiven) -> ResolvedConfig:
    """The runtime settings: a mode, such as "STRICT", or a mapping of settings. Raises InvalidInput."""
    return door_config(given, os.environ)
