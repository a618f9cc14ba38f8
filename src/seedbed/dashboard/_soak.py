"""A soak as a drawing: its KPIs beside those of the control arm, and every setting that was to be changed.

The drawing is narrow and its text large, so that it can be read on a phone: 16 units of 560 are 11 pixels of 390.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from seedbed.contracts import GateReport
from seedbed.dashboard._soak_settings import asked, setting_panels
from seedbed.dashboard._soak_words import Limit, caption, limits, unit
from seedbed.dashboard._templates import environment
from seedbed.render.facts._words import number
from seedbed.render.svg._axis import Axis, Tick, data_axis, step_axis

if TYPE_CHECKING:  # the report of a run must not load torch, which the soak room does
    from seedbed.soak import IterationSummary, SoakReadback

__all__ = ["render_soak"]

_WIDTH, _EDGE, _LEFT, _RIGHT = 560, 16, 82, 544
_LINE, _PANEL, _GAP, _FOOT = 21, 120, 26, 52
_LINE_WIDTH = 60  # characters
_MOST_PANELS = 5
_FARTHEST = 3.0  # a limit is drawn if the axis need not become more than so many times as long

# The style of each kind of line, and what it means.
_LEGEND = {
    "plant": "the plant",
    "control": "control, never changed",
    "good": "limit of the good range",
    "freeze": "limit for a freeze",
    "full": "changed, all seen in use",
    "partial": "changed, a part seen in use",
    "failed": "changed, nothing seen in use",
    "back": "rolled back",
    "skipped": "asked for and held back",
}


@dataclass(frozen=True)
class KpiPanel:
    """One KPI between `top` and `bottom`: the curves of both arms and its limits; `lines` of text stand above it."""

    title: str
    unit: str
    lines: tuple[tuple[float, str], ...]
    title_y: float
    top: float
    bottom: float
    ticks: tuple[Tick, ...]
    plant: str
    control: str
    limits: tuple[tuple[float, float, str, str], ...]
    dots: tuple[tuple[float, float, str], ...]


@dataclass(frozen=True)
class ChangeMark:
    """The changes of one iteration, or what it rolled back; `css` names which, and the result."""

    x: float
    css: str
    title: str


def render_soak(readback: "SoakReadback", summaries: Sequence["IterationSummary"], report: GateReport) -> str:
    """The soak as an SVG document that needs no other file; the same input gives the same text."""
    steps = step_axis(max(2.0, float(len(summaries))), _LEFT, _RIGHT, 6)
    marks = tuple(_marks(summaries, steps))
    head = _heading(readback, summaries, report)
    legend = _legend(readback, summaries, marks)
    top = 32.0 + _LINE * (len(head) + (len(legend) + 1) // 2)
    panels = tuple(_panels(readback, summaries, steps, top))
    between = (panels[-1].bottom if panels else top) + _GAP + _LINE
    settings = setting_panels(summaries, readback.assembly.registry, steps, between + _LINE)
    bottom = settings[-1].bottom if settings else between - _GAP
    return (
        environment()
        .get_template("soak.svg.j2")
        .render(
            width=_WIDTH,
            height=bottom + _FOOT,
            edge=_EDGE,
            left=_LEFT,
            right=_RIGHT,
            bottom=bottom,
            head=[(26 + _LINE * place, line) for place, line in enumerate(head)],
            legend=[
                (_EDGE + (_RIGHT - _EDGE) // 2 * (place % 2), 26 + _LINE * (len(head) + place // 2), css, words)
                for place, (css, words) in enumerate(legend)
            ],
            ticks=steps.ticks,
            panels=panels,
            marks=marks,
            settings=settings,
            settings_y=between,
        )
    )


def _heading(readback: "SoakReadback", summaries: Sequence["IterationSummary"], report: GateReport) -> list[str]:
    tally, plan = readback.tally, readback.plan
    ratio = "no data" if tally.ratio is None else f"{tally.ratio:.3f}"
    sentences = (
        f"{plan.plant.value}, {len(summaries)} iterations, tuner {plan.tuner.value}: {report.verdict.value}",
        f"full-apply ratio {ratio}; {tally.full} proposals fully seen in use, {tally.partial} partly, "
        f"{tally.failed} not at all, {tally.skipped} held back",
    )
    return [line for sentence in sentences for line in wrap(sentence, _LINE_WIDTH)]


def _legend(
    readback: "SoakReadback", summaries: Sequence["IterationSummary"], marks: Sequence[ChangeMark]
) -> list[tuple[str, str]]:
    """The kinds of lines that are in this drawing, each with its meaning."""
    profile = readback.assembly.profile
    drawn = {"plant", *(mark.css for mark in marks)}
    drawn |= {"control"} if any(each.summary.control for each in summaries) else set()
    drawn |= {limit.css for kpi in _kpis(readback) for limit in limits(profile, kpi)}
    return [(css, words) for css, words in _LEGEND.items() if css in drawn]


def _kpis(readback: "SoakReadback") -> list[str]:
    """The KPIs to draw: the objective, those that the profile asks about, then others while there is space."""
    profile = readback.assembly.profile
    asked = [profile.objective, *(good.kpi for good in profile.good)]
    others = sorted(
        {name for each in readback.iterations for name in each.decision.observation.kpis if name.endswith("_mean")}
    )
    return list(dict.fromkeys([*asked, *others]))[:_MOST_PANELS]


def _panels(
    readback: "SoakReadback", summaries: Sequence["IterationSummary"], steps: Axis, top: float
) -> Iterator[KpiPanel]:
    profile = readback.assembly.profile
    for kpi in _kpis(readback):
        text = wrap(caption(readback.plan.plant.value, profile, kpi), _LINE_WIDTH)
        title_y = top + _LINE
        first = title_y + _LINE * len(text) + 18
        yield _panel(summaries, kpi, limits(profile, kpi), steps, title_y, first, tuple(text))
        top = first + _PANEL + _GAP


def _panel(
    summaries: Sequence["IterationSummary"],
    kpi: str,
    known: Sequence[Limit],
    steps: Axis,
    title_y: float,
    top: float,
    text: tuple[str, ...],
) -> KpiPanel:
    plant = [(each.iteration, each.summary.kpis[kpi]) for each in summaries if kpi in each.summary.kpis]
    control = [(each.iteration, each.summary.control[kpi]) for each in summaries if kpi in each.summary.control]
    values = [value for _, value in (*plant, *control)]
    shown = [limit for limit in known if _is_near(limit.value, values)]
    axis = data_axis([*values, *(limit.value for limit in shown)], top + _PANEL, top, 4)
    return KpiPanel(
        title=kpi,
        unit=unit(kpi),
        lines=tuple((title_y + _LINE * place, line) for place, line in enumerate(text, 1)),
        title_y=title_y,
        top=top,
        bottom=top + _PANEL,
        ticks=axis.ticks,
        plant=_path(plant, steps, axis),
        control=_path(control, steps, axis),
        limits=tuple(_line(axis.at(limit.value), top, limit) for limit in shown),
        dots=tuple((steps.at(at), axis.at(value), f"iteration {at}: {kpi} {number(value)}") for at, value in plant),
    )


def _line(y: float, top: float, limit: Limit) -> tuple[float, float, str, str]:
    """A limit's line and the height of its words: above it, but below it at the top of the panel."""
    return y, y + 17 if y - top < _LINE else y - 5, limit.css, limit.words


def _is_near(limit: float, values: Sequence[float]) -> bool:
    low, high = min(values, default=limit), max(values, default=limit)
    return max(high, limit) - min(low, limit) <= _FARTHEST * (high - low)


def _path(points: Sequence[tuple[int, float]], steps: Axis, axis: Axis) -> str:
    return "M" + " ".join(f"{steps.at(at):g},{axis.at(value):g}" for at, value in points) if points else ""


def _marks(summaries: Sequence["IterationSummary"], steps: Axis) -> Iterator[ChangeMark]:
    """Of each iteration first what it rolled back, a broad line below that of the new changes."""
    for each in summaries:
        tuning = each.tuning
        for css, outcomes in (("back", tuning.rolled_back), (tuning.verdict.value.lower(), tuning.outcomes)):
            if outcomes:
                words = "; ".join(f"{key} {asked(outcome)}" for key, outcome in outcomes.items())
                undone = "rolled back: " if css == "back" else ""
                yield ChangeMark(steps.at(each.iteration), css, f"iteration {each.iteration}: {undone}{words}")
