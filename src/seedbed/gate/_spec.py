"""The specification of a gate: a list of checks, from a YAML or JSON file."""

from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from seedbed.contracts import Message
from seedbed.contracts._documents import parse_yaml
from seedbed.contracts._faults import FieldFault, faults_of
from seedbed.errors import InvalidInput, NotFound
from seedbed.gate._check import DECLARED_BEFORE, Check
from seedbed.gate._reachable import refuse_unreachable
from seedbed.gate._terse import QUOTES

__all__ = ["GateSpec", "declared_gate", "load_gate", "parse_gate", "unquoted_check"]


class GateSpec(Message):
    """A gate: its name and at least one check, since a gate without checks would pass everything."""

    gate: str = Field(default="gate", min_length=1)
    checks: tuple[Check, ...] = Field(min_length=1)


def parse_gate(data: object, *, source: str = "the given gate") -> GateSpec:
    """A gate from parsed YAML or JSON.

    Raises InvalidInput naming `source` and each wrong field, and each check that no value within its range can keep.
    """
    spec = _validated(data, source, None)
    refuse_unreachable(spec.checks, source)
    return spec


def declared_gate(data: object, *, source: str) -> GateSpec:
    """A gate that was declared before, as a record holds it. Raises InvalidInput naming `source` and each wrong field.

    What is refused of new gates alone is let through: a check that can never hold is judged, and fails, and a number
    that no float holds is the nearest one.
    """
    return _validated(data, source, DECLARED_BEFORE)


def _validated(data: object, source: str, context: Mapping[str, bool] | None) -> GateSpec:
    try:
        return GateSpec.model_validate(data, context=context)
    except ValidationError as problem:
        lines = [f"  {_told(each)} (found {_shown(each.found)})" for each in faults_of(problem, GateSpec)]
        raise InvalidInput("\n".join([f"{source}: {len(lines)} problem(s); fix them and try again", *lines])) from None


def _told(fault: FieldFault) -> str:
    return fault.told("") if fault.place else "expected 'checks:' and below it a list of checks"


def _shown(found: object) -> str:
    return "nothing" if found is None else repr(found)


def load_gate(path: Path) -> GateSpec:
    """The gate in a YAML or JSON file. Raises NotFound for a missing file and InvalidInput for a wrong one."""
    try:
        data = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound(f"no gate file at {path}; name one that exists") from None
    except OSError as problem:
        raise InvalidInput(f"the gate file {path} cannot be read: {problem.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise InvalidInput(f"{path} cannot be read as YAML or JSON: {problem}{unquoted_check(problem)}") from None
    return parse_gate(data, source=str(path))


def unquoted_check(problem: Exception) -> str:
    """What to do about YAML that a check in a list in brackets may have spoilt; empty where none did.

    Such a list takes the brackets of a range and its @ for its own.
    """
    if not isinstance(problem, yaml.MarkedYAMLError):
        return ""
    is_of_list = (problem.context or "").startswith("while parsing a flow") or "'@'" in (problem.problem or "")
    return f"\nif a check stands there, {QUOTES}" if is_of_list else ""
