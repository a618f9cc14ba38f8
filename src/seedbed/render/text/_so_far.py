"""What a run without a record has told so far, as text: its newest values and its changes."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from seedbed.contracts import ChangeReport, ChangeSummary, Outcome
from seedbed.records.compare import one_line
from seedbed.render.text._change_text import change_text, ending_words, outcome_text
from seedbed.render.text._layout import section
from seedbed.render.text._values import figure

__all__ = ["so_far_text"]

_MOST = 12  # values, and changes


def so_far_text(steps: Mapping[str, Sequence[tuple[float, float]]], changes: ChangeSummary) -> RenderableType:
    """The newest of each logged value with its step, and the last changes; nothing of what there is none of."""
    return Group(*_values(steps), *_changes(changes.changes))


def _values(steps: Mapping[str, Sequence[tuple[float, float]]]) -> Iterator[RenderableType]:
    newest = {name: points[-1] for name, points in steps.items() if points}
    if not newest:
        return
    last = max(step for step, _ in newest.values())
    rows = [(one_line(name), figure(value), f"at step {step:,.0f}") for name, (step, value) in newest.items()]
    more = [(f"and {len(rows) - _MOST} more", "", "")] if len(rows) > _MOST else []
    yield section(Text(f"step {last:,.0f}", style="bold"), [*rows[:_MOST], *more])


def _changes(changes: Sequence[ChangeReport]) -> Iterator[RenderableType]:
    rows = [
        (_outcome(change), Text.assemble(change_text(change), "\n", (ending_words(change), "dim")))
        for change in changes[-_MOST:]
    ]
    if rows:
        title = "changes" if len(rows) == len(changes) else f"changes, the last {_MOST} of {len(changes)}"
        yield section(Text(title, style="bold"), rows)


def _outcome(change: ChangeReport) -> Text:
    """The outcome; of a change that waits for the step that uses it, that it is applied."""
    waits = change.outcome is Outcome.UNKNOWN and ending_words(change).startswith("applied: ")
    return Text("APPLIED", style="dim") if waits else outcome_text(change)
