"""A soak as a drawing: its KPIs beside those of the control arm, and every change marked where it was proposed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seedbed.contracts import GateReport
from seedbed.dashboard._axis import Axis, Tick, data_axis, step_axis
from seedbed.dashboard._templates import environment
from seedbed.dashboard._words import number

if TYPE_CHECKING:  # the report of a run must not load torch, which the soak room does
    from seedbed.soak import IterationSummary, SoakReadback

__all__ = ["render_soak"]

_WIDTH, _LEFT, _RIGHT = 1000, 84, 980
_TOP, _PANEL, _GAP = 92, 132, 44
_MOST_PANELS = 5


@dataclass(frozen=True)
class KpiPanel:
    """One KPI: the curves of the plant and of the control arm, between `top` and `bottom`."""

    title: str
    top: float
    bottom: float
    ticks: tuple[Tick, ...]
    plant: str
    control: str
    dots: tuple[tuple[float, float, str], ...]


@dataclass(frozen=True)
class ChangeMark:
    """The changes of one iteration; `css` names their result."""

    x: float
    css: str
    title: str


def render_soak(readback: "SoakReadback", summaries: Sequence["IterationSummary"], report: GateReport) -> str:
    """The soak as an SVG document that needs no other file; the same input gives the same text."""
    steps = step_axis(max(2.0, float(len(summaries))), _LEFT, _RIGHT, 12)
    panels = tuple(_panels(summaries, _kpis(readback), steps))
    tally = readback.tally
    ratio = "no data" if tally.ratio is None else f"{tally.ratio:.3f}"
    plan = readback.plan
    return (
        environment()
        .get_template("soak.svg.j2")
        .render(
            width=_WIDTH,
            height=panels[-1].bottom + 46 if panels else _TOP,
            left=_LEFT,
            right=_RIGHT,
            top=_TOP - 8,
            bottom=panels[-1].bottom if panels else _TOP,
            title=f"{plan.plant.value}, {len(summaries)} iterations, tuner {plan.tuner.value}: {report.verdict.value}",
            aside=f"full-apply ratio {ratio}; {tally.full} proposals fully seen in use, {tally.partial} partly, "
            f"{tally.failed} not at all, {tally.skipped} held back",
            ticks=steps.ticks,
            panels=panels,
            marks=tuple(_marks(summaries, steps)),
        )
    )


def _kpis(readback: "SoakReadback") -> list[str]:
    """The KPIs to draw: the objective, those that the profile asks about, then others while there is space."""
    profile = readback.assembly.profile
    asked = [profile.objective, *(good.kpi for good in profile.good)]
    others = sorted(
        {name for each in readback.iterations for name in each.decision.observation.kpis if name.endswith("_mean")}
    )
    return list(dict.fromkeys([*asked, *others]))[:_MOST_PANELS]


def _panels(summaries: Sequence["IterationSummary"], kpis: Sequence[str], steps: Axis) -> Iterator[KpiPanel]:
    top = float(_TOP)
    for kpi in kpis:
        plant = [(each.iteration, each.summary.kpis[kpi]) for each in summaries if kpi in each.summary.kpis]
        control = [(each.iteration, each.summary.control[kpi]) for each in summaries if kpi in each.summary.control]
        axis = data_axis([value for _, value in (*plant, *control)], top + _PANEL, top, 4)
        yield KpiPanel(
            title=kpi,
            top=top,
            bottom=top + _PANEL,
            ticks=axis.ticks,
            plant=_path(plant, steps, axis),
            control=_path(control, steps, axis),
            dots=tuple((steps.at(at), axis.at(value), f"iteration {at}: {kpi} {number(value)}") for at, value in plant),
        )
        top += _PANEL + _GAP


def _path(points: Sequence[tuple[int, float]], steps: Axis, axis: Axis) -> str:
    return "M" + " ".join(f"{steps.at(at):g},{axis.at(value):g}" for at, value in points) if points else ""


def _marks(summaries: Sequence["IterationSummary"], steps: Axis) -> Iterator[ChangeMark]:
    for each in summaries:
        changes = [
            f"{key} {outcome.before:g} to {outcome.after:g}: {outcome.outcome.value.lower().replace('_', ' ')}"
            for key, outcome in (*each.tuning.outcomes.items(), *each.tuning.rolled_back.items())
        ]
        if changes:
            verdict = each.tuning.verdict.value.lower()
            css = "back" if verdict == "none" else verdict
            yield ChangeMark(steps.at(each.iteration), css, f"iteration {each.iteration}: " + "; ".join(changes))
