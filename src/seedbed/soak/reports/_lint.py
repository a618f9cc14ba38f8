"""What a gate may ask of a soak, known before it runs: a plan binds its gate, and no wrong name could be corrected."""

from collections.abc import Iterable

from seedbed.change import ChangeHistory
from seedbed.gate import Series
from seedbed.gate._record_values import asked_of, lint, lint_kinds, record_values
from seedbed.soak._plan import Assembly, SoakPlan
from seedbed.soak._readback import SoakReadback
from seedbed.soak._tally import tally
from seedbed.soak.reports._reports import soak_gate_record

__all__ = ["refuse_unknown_metrics"]

_OF_ITERATION = ("mean", "p95", "low", "high")


def refuse_unknown_metrics(plan: SoakPlan, assembly: Assembly, kpis: Iterable[str]) -> None:
    """Raise InvalidInput for a gate of the plan that asks for what no soak of a plant with these KPIs records."""
    if plan.gate is None:
        return
    length, counted = assembly.controller(plan).length, tally((), (), assembly.registry)
    empty = SoakReadback(plan, assembly, (), (), (), ChangeHistory(), (), counted, length, "")
    named, none = list(kpis), Series(())
    arms = {arm: dict.fromkeys(named, none) for arm in ("kpi", "control", "window", "control_window")}
    each = {f"{kpi}_{statistic}": none for kpi in named for statistic in _OF_ITERATION}
    record = {**soak_gate_record(empty, verified=True), **arms, "iteration": each}
    values = record_values(record, asked_of(plan.gate))
    lint(plan.gate, values)
    lint_kinds(plan.gate, values)
