"""The metrics and step series of a record as text, whatever their names are; beside baselines, where it holds them."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seedbed.records import Event, Snapshot
from seedbed.render.facts._history import StepSeries, history_of
from seedbed.render.facts._measured import Measured, measured
from seedbed.render.facts._novelty import MEANING, NoveltyTable, novelty_names, novelty_of
from seedbed.render.facts._results import Results, Row, Standing, label, results_of, tabled
from seedbed.render.facts._scores import Score
from seedbed.render.text._layout import plain_table, section
from seedbed.render.text._sparkline import sparkline
from seedbed.render.text._values import compact, figure

__all__ = ["metrics_text", "steps_text"]

_CURVE_WIDTH, _FEW, _LONGEST_NAME, _DIGITS = 20, 6, 40, 4


def metrics_text(snapshot: Snapshot) -> RenderableType:
    """Every metric: the model beside baselines, how new the test is, numbers with intervals, lists as curves."""
    results, novelty = results_of(snapshot), novelty_of(snapshot)
    shown = tabled(results, snapshot) | novelty_names(snapshot)
    rest = [item for item in measured(snapshot.metrics) if item.path not in shown]
    parts: list[RenderableType] = [part for table in results for part in (_results(table), Text())]
    if novelty:
        parts += [_novelty(novelty), Text()]
    if values := [item for item in rest if not item.numbers]:
        parts += [_values(values), Text()]
    if lists := [item for item in rest if item.numbers]:
        parts += [_curves("list", [(item.path, item.numbers, item.ends, _lost(item)) for item in lists]), Text()]
    return Group(*(parts or [Text("the record holds no metrics", style="dim"), Text()]))


def steps_text(snapshot: Snapshot, events: Sequence[Event]) -> RenderableType:
    """Every series that was logged at steps and is no list of the record; nothing where there is none."""
    listed = {item.path for item in measured(snapshot.metrics) if item.numbers}
    series = [each for each in history_of(snapshot, events) if each.name not in listed]
    rows = [(each.name, [value for _, value in each.points], each.ends, _not_finite(each)) for each in series]
    return Group(_curves("by step", rows), Text()) if rows else Group()


def _results(table: Results) -> RenderableType:
    names = [label(metric) for metric in table.metrics]
    grid = plain_table(f"test, {table.title}", *names, numeric=tuple(names))
    for row in table.rows:
        grid.add_row(row.name, *(_score(table, row, metric) for metric in table.metrics))
    return Group(grid, *(_standing(each) for each in table.standings))


def _score(table: Results, row: Row, metric: str) -> Text:
    score = row.scores.get(metric)
    if score is None:
        return Text("none", style="dim")
    shown = f"{score.value:.3f}"
    if score.interval:
        return Text.assemble(shown, (f"\n[{score.low:.3f}, {score.high:.3f}]", "dim"))
    return Text(f"{shown} *", style="bold") if table.is_strongest(row, metric) else Text(f"{shown}  ")


def _standing(standing: Standing) -> Text:
    """How the model stands to the strongest baseline of one metric; plainly, where it is worse."""
    best = f"the strongest baseline (*), {standing.baseline} {standing.value:.3f}"
    if standing.side is None:
        return Text(f"  {standing.metric}: {standing.verdict}: {standing.reason}; {best}")
    style = "bold red" if standing.lost else "dim" if standing.is_level else "green"
    by = f", {standing.reason}" if standing.reason else ""
    worse = ": the model is worse" if standing.lost else ""
    return Text.assemble(f"  {standing.metric}: ", (standing.side, style), f" {best}{by}", (worse, style))


def _novelty(table: NoveltyTable) -> RenderableType:
    """What is new in the test, and the scores of the model and of the strongest baseline on each part of it."""
    lines = [(Text(remark.words, style="yellow" if remark.warns else ""),) for remark in table.remarks]
    told = section(Text.assemble(("how new the test is", "bold"), (f" ({MEANING})", "dim")), lines)
    if not table.rows:
        return told
    names = [label(metric) for metric in table.metrics]
    grid = plain_table("model / strongest baseline", "negatives", *names, numeric=tuple(names))
    for part, kind, scores in table.rows:
        grid.add_row(part, kind, *scores)
    return Group(told, grid)


def _values(items: Sequence[Measured]) -> Table:
    table = _table("metric", [item.path for item in items])
    table.add_column("value", justify="right", overflow="fold")
    table.add_column("", overflow="fold")
    for item in items:
        value = compact(item.other, 10_000) if item.score is None else figure(item.score.value)
        table.add_row(item.path, value, Text(_interval(item.score), style="dim"))
    return table


def _interval(score: Score | None) -> str:
    if score is None or score.interval is None:
        return ""
    words = score.interval.words
    return f"[{figure(score.low)}, {figure(score.high)}]{f' at {words}' if words else ''}"


def _curves(head: str, rows: Sequence[tuple[str, Sequence[float], tuple[float, float], str]]) -> Table:
    table = _table(head, [name for name, *_ in rows])
    table.add_column("curve", no_wrap=True)
    table.add_column("values", overflow="fold")
    for name, values, ends, note in rows:
        table.add_row(name, sparkline(values, _CURVE_WIDTH) if len(values) > 1 else "", _words(values, ends, note))
    return table


def _table(head: str, names: Sequence[str]) -> Table:
    """A table whose first column holds `names`, which are broken only where they are very long."""
    table = plain_table()
    table.add_column(head, no_wrap=max(map(len, names)) <= _LONGEST_NAME, overflow="fold")
    return table


def _words(values: Sequence[float], ends: tuple[float, float], note: str) -> str:
    """All of a few finite values; of many, how many they are and the least and most of them, and the `ends` of all."""
    if len(values) <= _FEW:
        facts = [", ".join(figure(value, _DIGITS) for value in values)] if values else []
    else:
        told = {"first": ends[0], "last": ends[1], "least": min(values), "most": max(values)}
        facts = [f"{len(values):,} values", *(f"{name} {figure(value, _DIGITS)}" for name, value in told.items())]
    return ", ".join(filter(None, (*facts, note)))


def _lost(item: Measured) -> str:
    return f"{item.num_not_finite} not finite" if item.num_not_finite else ""


def _not_finite(series: StepSeries) -> str:
    count = len(series.not_finite)
    return f"{count} not finite, first at step {series.not_finite[0]}" if count else ""
