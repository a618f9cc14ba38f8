"""A script run twice and compared: as it is, with its changes repeated, or stopped half-way and resumed."""

import json
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, final

from seedbed.change import ChangeRecord, replay_rule
from seedbed.change._history import fold
from seedbed.errors import ExitCode
from seedbed.loop.repro._child import Ended, run_child
from seedbed.loop.repro._compare import TENSORS, ReproDifference, first_difference, num_compared
from seedbed.loop.repro._dump import Distance, distance
from seedbed.loop.repro._plan import Plan
from seedbed.loop.repro._trace import Trace
from seedbed.records import Store, read_journal

__all__ = ["ReproAnswer", "ReproKind", "ReproRequest", "Say", "check", "measure", "narrow"]

_CUT = "cut.json"
_FEWEST = 2
_NO_BATCH = (
    "a pass that was over when the run was stopped hands out no batches to the resumed one: what only the body of the "
    "loop sets is not set then"
)

Say = Callable[[str, int, int], None]
"""Takes what is done, the steps so far, and how many there will be; 0 where nobody knows."""


class ReproKind(StrEnum):
    """How the second run differs from the first."""

    REPEAT = "repeat"
    REPLAY = "replay"
    RESUME = "resume"


@final
@dataclass(frozen=True)
class ReproRequest:
    """What is to be compared, in a folder that nothing else uses."""

    kind: ReproKind
    command: tuple[str, ...]
    folder: Path
    every: int = 1
    only_weights: bool = False
    ignored: frozenset[str] = field(default_factory=frozenset)

    def plan(self, name: str, **more: object) -> Plan:
        """The instructions of the run of that name."""
        place = self.folder.absolute() / name
        given = {
            "traces": place / "traces",
            "store": place / "store",
            "files": place / "files",
            "every": self.every,
            "only_weights": self.only_weights,
        }
        return Plan.model_validate({**given, **more})


@final
@dataclass(frozen=True)
class ReproAnswer:
    """What was found: `steps` steps of `tensors` tensors were compared; `difference` is the first one, if any.

    `why_not` says why nothing could be compared. `first` and `second` are the traces that differ. A script may start
    several runs, `num_runs`. Where `is_narrowed`, the difference is the first of all steps, and not of every N-th.
    """

    steps: int = 0
    tensors: int = 0
    difference: ReproDifference | None = None
    why_not: str = ""
    notes: tuple[str, ...] = ()
    first: Trace | None = None
    second: Trace | None = None
    resumed_at: int = 0
    num_runs: int = 1
    is_narrowed: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """Of the command line."""
        if self.difference is not None:
            return ExitCode.FAIL
        return ExitCode.NO_ANSWER if self.why_not else ExitCode.PASS


def check(request: ReproRequest, say: Say) -> ReproAnswer:
    """Run the script as often as the request needs, and compare. Raises InvalidInput and StoreCorrupt."""
    whole = run_child(
        request.command, request.plan("first"), request.folder / "first", lambda now: _told(say, "first run", now, 0)
    )
    if not any(trace.steps for trace in whole.traces):
        return ReproAnswer(why_not=_nothing(whole, "the script"))
    if why_not := _why_not(request, whole):
        return ReproAnswer(why_not=why_not)
    if request.kind is ReproKind.RESUME:
        return _resumed(request, whole, say)
    plan = request.plan("second", **_replaying(request))
    answer = compared(request, whole, _second(request, whole.traces, plan, "second run", say))
    if request.kind is ReproKind.REPLAY:
        count = len(_changes(request, whole))
        return replace(answer, notes=(f"changes made again: {count}", *answer.notes))
    return answer


def narrow(request: ReproRequest, answer: ReproAnswer, say: Say) -> ReproAnswer:
    """Where only every N-th step was compared and one differs: run both again up to it, and compare each step."""
    found = answer.difference
    if found is None or request.every == 1 or answer.first is None or found.what == "end" or answer.num_runs > 1:
        return answer
    first, second = _again(replace(request, every=1), answer, ("first near", "second near"), ({}, {}), say)
    for pair in zip(first.traces, second.traces, strict=False):
        if (earlier := first_difference(*pair, request.ignored, is_whole=False)) is not None:
            return replace(answer, difference=earlier, first=pair[0], second=pair[1], is_narrowed=True)
    told = "another pair of runs, compared at each step, was equal up to there: it does not differ each time"
    return replace(answer, notes=(*answer.notes, told))


def measure(request: ReproRequest, answer: ReproAnswer, say: Say) -> Distance | None:
    """Run both again up to the step that differs, keep its tensors, and say how far apart the first one is.

    None where they cannot be compared: nothing differs, it is no tensor that both have, or has another shape, or was
    not computed again.
    """
    found = answer.difference
    if found is None or found.what not in TENSORS or found.first:
        return None
    dumps = [request.folder.absolute() / f"{name}.safetensors" for name in ("first", "second")]
    kept: list[dict[str, object]] = [{"dump_at": found.step, "dump": each} for each in dumps]
    _again(request, answer, ("first again", "second again"), kept, say)
    return distance(dumps[0], dumps[1], found.name)


def _again(
    request: ReproRequest,
    answer: ReproAnswer,
    names: tuple[str, str],
    more: Sequence[dict[str, object]],
    say: Say,
) -> list[Ended]:
    """Run both once more up to the step that differs, by plans with `more`; the second is stopped and resumed again."""
    step = 0 if answer.difference is None else answer.difference.step
    cut = _cut_of(request) if answer.resumed_at else {}  # else it differs before it was stopped
    second = _replaying(request)
    if cut:
        stopped = request.plan(names[1], **cut)
        _run(request, stopped, f"{names[1]}, to its stop", say)
        second = {"restore": stopped.checkpoint}
    plans = [
        request.plan(name, **{"kill_after": step, **each, **own})
        for name, each, own in zip(names, more, ({}, second), strict=True)
    ]
    ended = [_run(request, plan, name, say, step) for plan, name in zip(plans, names, strict=True)]
    return [ended[0], replace(ended[1], traces=ended[1].traces[1:])] if cut else ended


def _cut_of(request: ReproRequest) -> dict[str, Any]:
    """Where and how the second run of a resume was stopped."""
    return dict(json.loads((request.folder / _CUT).read_text("utf-8")))


def _replaying(request: ReproRequest) -> dict[str, object]:
    is_replay = request.kind is ReproKind.REPLAY
    return {"replay_of": request.folder.absolute() / "first" / "traces"} if is_replay else {}


def _why_not(request: ReproRequest, whole: Ended) -> str:
    """Why the first run cannot be compared in this way; "" where it can be."""
    processes = max(int(trace.process.get("processes", 1)) for trace in whole.traces)
    if request.kind is not ReproKind.REPEAT and processes > 1:
        return (
            f"the script trains in {processes} processes together, and only one would be stopped or have its changes "
            "made again: use `seedbed repro repeat`, or train in one process"
        )
    if request.kind is ReproKind.REPLAY:
        return "" if _changes(request, whole) else "nothing to replay: no change of the first run took effect"
    if outside := _changes(request, whole, from_outside=True):
        told = ", ".join(f"{each.delta.parameter} after step {each.step}" for each in outside)
        return f"the first run was changed from outside ({told}), which only `seedbed repro replay` does again"
    return ""


def _changes(request: ReproRequest, whole: Ended, *, from_outside: bool = False) -> list[ChangeRecord]:
    """The changes of the first run that took effect; with `from_outside` those that the script did not propose."""
    store, found = Store.open(request.plan("first").store), []
    for trace in (each for each in whole.traces if each.run_id):
        journal = store.find(trace.run_id).folder / "changes.log"
        own = {each for _, ids in trace.own for each in ids} if from_outside else set()
        replayed = replay_rule(fold(read_journal(journal)), "").replayed if journal.exists() else ()
        found += [each for each in replayed if each.id not in own]
    return found


def _run(request: ReproRequest, plan: Plan, words: str, say: Say, num: int = 0) -> Ended:
    return run_child(request.command, plan, plan.traces.parent, lambda now: _told(say, words, now[-1:], num))


def _second(request: ReproRequest, first: Sequence[Trace], plan: Plan, words: str, say: Say, skip: int = 0) -> Ended:
    """Run the script again until it differs; of its traces the first `skip` are those of an earlier process."""
    num = sum(len(trace.steps) for trace in first)

    def look(now: Sequence[Trace]) -> bool:
        _told(say, words, now[skip:], num)
        pairs = zip(first, now[skip:], strict=False)
        return any(first_difference(*pair, request.ignored, is_whole=False) for pair in pairs)

    ended = run_child(request.command, plan, plan.traces.parent, look)
    return replace(ended, traces=ended.traces[skip:])


def _resumed(request: ReproRequest, whole: Ended, say: Say) -> ReproAnswer:
    """Run the script again, kill it half-way, go on in a new process, and compare both with the whole run."""
    first = whole.traces[0]
    last = max(first.steps)
    if len(whole.traces) > 1:
        return ReproAnswer(why_not=f"the script starts {len(whole.traces)} runs, and only one can be resumed")
    if last < _FEWEST:
        return ReproAnswer(why_not=f"the run has {last} step{'s' * (last > 1)}, too few to be stopped half-way")
    checkpoint = None if _saves_itself(first) else request.folder.absolute() / "half-way.pt"
    cut = {"kill_after": _stop_of(first), "checkpoint": checkpoint}
    (request.folder / _CUT).write_text(json.dumps(cut, default=str), "utf-8")
    stopped = _second(request, whole.traces, request.plan("second", **cut), "second run, to its stop", say)
    early = compared(request, whole, replace(stopped, was_stopped=True, exit_code=whole.exit_code))
    if early.difference is not None:
        return replace(early, notes=("it differs before it was stopped: `seedbed repro repeat` looks at that",))
    if early.why_not or stopped.exit_code != -signal.SIGKILL:
        return ReproAnswer(why_not=_nothing(stopped, "the run that was to be stopped"))
    ending = {} if checkpoint is None else {"restore": checkpoint, "kill_after": last}
    plan = request.plan("second", **ending)
    again = _second(request, whole.traces, plan, "second run, resumed", say, skip=1)
    if ending and again.exit_code == -signal.SIGKILL:  # a loop that does not know of the resume would go on
        again = replace(again, exit_code=whole.exit_code)
    began = again.traces[0].begun_after if again.traces else 0
    if not began and again.exit_code == whole.exit_code:
        return ReproAnswer(why_not="nothing was resumed: the new process began with the first step again")
    answer = compared(request, whole, again)
    if began in first.passes and not again.was_stopped and again.exit_code not in (0, whole.exit_code):
        answer = replace(answer, notes=(*answer.notes, _NO_BATCH))
    return replace(answer, resumed_at=began + 1)


def _saves_itself(trace: Trace) -> bool:
    """Whether the script writes checkpoints and would restore them."""
    return trace.restores and any(step < max(trace.steps) for step in trace.checkpoints)


def _stop_of(trace: Trace) -> int:
    """The step to stop after: half of them, or the one after a checkpoint of the script's own that is near."""
    last = max(trace.steps)
    if not _saves_itself(trace):
        return last // 2
    written = sorted(step for step in trace.checkpoints if step < last)
    before = [step for step in written if step <= last // 2]
    return min((before[-1:] or written)[0] + 1, last - 1)  # the next: it may be written between two steps


def compared(request: ReproRequest, whole: Ended, again: Ended) -> ReproAnswer:
    """The answer to two runs of a script; a second one that was stopped is compared as far as it went."""
    counts = [num_compared(*pair) for pair in zip(whole.traces, again.traces, strict=False)]
    steps, tensors = sum(each for each, _ in counts), max((each for _, each in counts), default=0)
    for first, second in zip(whole.traces, again.traces, strict=False):
        found = first_difference(first, second, request.ignored, is_whole=not again.was_stopped)
        if found is not None:
            notes = _failed(again) if found.what == "steps" else ()
            return ReproAnswer(steps, tensors, found, "", notes, first, second, num_runs=len(whole.traces))
    if not steps:
        return ReproAnswer(why_not=_nothing(again, "the second run"))
    if again.exit_code != whole.exit_code or len(again.traces) != len(whole.traces):
        ends = [f"exit code {each.exit_code}, {len(each.traces)} runs" for each in (whole, again)]
        found = ReproDifference(max(whole.traces[-1].steps, default=0), "end", "", 1, ends[0], ends[1])
        return ReproAnswer(steps, tensors, found, "", _failed(again), whole.traces[-1], again.traces[-1])
    notes = (f"both ended with exit code {whole.exit_code}",) if whole.exit_code else ()
    return ReproAnswer(steps, tensors, None, "", notes)


def _told(say: Say, what: str, now: Sequence[Trace], num: int) -> bool:
    say(what, sum(len(trace.steps) for trace in now), num)
    return False


def _nothing(ended: Ended, what: str) -> str:
    told = f"no step was compared: {what} ended with exit code {ended.exit_code}"
    if ended.exit_code == 0:
        return f"{told}, and took no step of a run; it must call seedbed.start, and take at least one step"
    return f"{told}; the end of what it printed:\n{ended.tail}"


def _failed(ended: Ended) -> tuple[str, ...]:
    return () if ended.exit_code == 0 else (f"the end of what the second run printed:\n{ended.tail}",)
