"""The changes of another run, made again in its place of the script's own proposals."""

from collections.abc import Callable
from pathlib import Path
from typing import Self, final

from seedbed.change import ChangeEngine, ChangeRecord, Delta, ReplayRule, Set, replay_rule
from seedbed.change._history import fold
from seedbed.errors import Conflict, NotFound
from seedbed.loop.repro._trace import Trace, read_traces
from seedbed.records import Store, read_journal

__all__ = ["Replayed"]


@final
class Replayed:
    """Makes the changes of a run again: what the script proposed when it proposes again, all else after its step.

    `own` names the changes of each proposal of the script, in its order.
    """

    def __init__(self, rule: ReplayRule, records: dict[int, ChangeRecord], trace: Trace) -> None:
        self._rule, self._records = rule, records
        self._own = list(trace.own)
        own = {each for _, ids in trace.own for each in ids}
        self._outside = [each for each in rule.replayed if each.id not in own]
        self._missing: NotFound | None = None  # why the first of them could not be made after its step

    @classmethod
    def of(cls, traces: Path, number: int) -> Self:
        """Those of the run that wrote the trace of this number in the folder `traces`, which lies beside its store.

        Raises Conflict where there was no such run.
        """
        found = read_traces(traces)
        if number > len(found) or not found[number - 1].run_id:
            raise Conflict(f"replay: this is run {number} of the script; the first time it started {len(found)}")
        trace = found[number - 1]
        view = Store.open(traces.parent / "store").find(trace.run_id)
        history = fold(read_journal(view.folder / "changes.log"))
        return cls(replay_rule(history, trace.run_id), {each.id: each for each in history.records}, trace)

    def proposed(
        self, step: int, propose: Callable[[], tuple[ChangeRecord, ...]], engine: ChangeEngine
    ) -> tuple[ChangeRecord, ...]:
        """The script proposes: what took effect the first time is set; else the answer is what it was then.

        Raises Conflict where the first run proposed nothing at this place.
        """
        expected, ids = self._own.pop(0) if self._own else (None, ())
        if expected != step:
            then = "nothing more" if expected is None else f"next after step {expected}"
            raise Conflict(f"replay: the script proposes a change after step {step}; the first run proposed {then}")
        if not ids:
            return propose()  # it was refused then, before anything was changed
        again = [each for each in self._rule.replayed if each.id in ids]
        return self._propose(again, step, engine) if again else tuple(self._records[each] for each in ids)

    def outside(self, step: int, engine: ChangeEngine) -> None:
        """Between two steps: what came from outside the script after this step, each once.

        A setting may come before the next step, such as that of a loader whose pass begins. Raises NotFound where it
        did not.
        """
        if self._missing is not None and self._outside[0].step < step:
            raise self._missing
        self._missing = None
        self._outside = [each for each in self._outside if each.step >= step]
        due = [each for each in self._outside if each.step == step]
        for batch in sorted({each.batch for each in due}):
            try:
                self._propose([each for each in due if each.batch == batch], step, engine)
            except NotFound as missing:
                self._missing = missing
                return
            self._outside = [each for each in self._outside if each.batch != batch]

    def _propose(self, records: list[ChangeRecord], step: int, engine: ChangeEngine) -> tuple[ChangeRecord, ...]:
        deltas = [
            Delta(
                each.delta.parameter,
                Set(each.after, each.delta.op.is_relative),
                each.delta.reason,
                self._rule.proposer(each.delta.proposer),
            )
            for each in records
        ]
        return engine.propose_all(deltas, step)
