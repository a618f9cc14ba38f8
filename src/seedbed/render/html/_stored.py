"""What a notebook shows of a run, read from its store, while it goes on and afterwards."""

from seedbed.records import RunView, Store, run_events
from seedbed.render.facts._changes_so_far import changes_so_far
from seedbed.render.facts._history import logged_points
from seedbed.render.html._fragments import RunFacts

__all__ = ["stored_facts"]


def stored_facts(store: Store, view: RunView) -> RunFacts:
    """The facts for `run_html`: status, values by step and changes so far, without the verdict, which the run has.

    Raises NotFound and StoreCorrupt as `run_events` and `read_journal`; a warning StoreDamaged says what is lost.
    """
    steps = logged_points(list(run_events(store, view)))
    status = f"{view.status.value.lower()}{f' ({view.reason})' if view.reason else ''}"
    last = max((int(points[-1][0]) for points in steps.values()), default=0)
    return RunFacts(
        run_id=view.run_id,
        facts=(view.project, status, f"step {last:,}"),
        values={name: points[-1][1] for name, points in steps.items()},
        steps=steps,
        changes=changes_so_far(view),
        commit=view.commit,
    )
