"""A soak that is resumed goes on by its plan: an option that states another one is refused."""

from collections.abc import Iterator, Mapping
from typing import Any

from seedbed.errors import InvalidInput
from seedbed.gate import GateSpec
from seedbed.soak import SoakPlan, TunerKind

__all__ = ["require_same_plan"]

_FIELDS = {
    "iterations": "iterations",
    "plant": "plant",
    "profile": "profile",
    "seed": "seed",
    "inject": "fault",
    "inject_at": "fault_from",
}


def require_same_plan(plan: SoakPlan, stated: Mapping[str, Any], gate: GateSpec | None) -> None:
    """Raise InvalidInput, with both values, where an option in `stated` is another than the plan's.

    `gate` is what the file of `--spec` holds. Options that are no part of a plan may be any.
    """
    differing = dict(_differing(plan, stated, gate))
    if differing:
        *first, last = differing
        options = f"{', '.join(first)} and {last}" if first else last
        raise InvalidInput(
            f"{options} {'state' if first else 'states'} another plan than the soak {plan.soak_id} began with "
            f"({'; '.join(differing.values())}), and a soak goes on as it began; resume it without {options}, or start "
            "a new soak"
        )


def _differing(plan: SoakPlan, stated: Mapping[str, Any], gate: GateSpec | None) -> Iterator[tuple[str, str]]:
    """The options that differ from the plan, each with what it was and what is stated now."""
    planned = plan.model_dump(mode="json")
    for name, field in _FIELDS.items():
        if name == "plant" and stated.get("mock"):  # which is short for another one
            continue
        if name in stated and stated[name] != planned[field]:
            option = f"--{name.replace('_', '-')}"
            yield option, f"{option[2:]} was {_shown(planned[field])}, not {_shown(stated[name])}"
    if stated.get("mock") and planned["plant"] != "mock":
        yield "--mock", f"plant was {planned['plant']}, not mock"
    if stated.get("auto_tune") and plan.tuner is TunerKind.NONE:
        yield "--auto-tune", f"tuner was none, not {stated.get('tuner', TunerKind.RULES.value)}"
    if "tuner" in stated and plan.tuner not in {TunerKind.NONE, stated["tuner"]}:  # without --auto-tune it says nothing
        yield "--tuner", f"tuner was {plan.tuner.value}, not {stated['tuner']}"
    if "control" in stated and stated["control"] != plan.control:
        option = "--control" if stated["control"] else "--no-control"
        yield option, f"it began {'with' if plan.control else 'without'} a control arm, not {_with(stated['control'])}"
    if gate is not None and gate != plan.gate:
        yield "--spec", f"its gate was {_gate_shown(plan.gate)}, not {_gate_shown(gate)}"


def _shown(value: object) -> str:
    return "none" if value is None else str(value)


def _with(control: bool) -> str:
    return "with one" if control else "without one"


def _gate_shown(gate: GateSpec | None) -> str:
    if gate is None:
        return "that of its profile"
    return f"'{gate.gate}' with {', '.join(f'`{check.subject} {check.expected}`' for check in gate.checks)}"
