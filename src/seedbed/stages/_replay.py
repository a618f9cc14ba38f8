"""Replays a run with the changes that took effect in it, and says whether the result is the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from seedbed.change import ChangeRecord, ReplayRule, replay_rule
from seedbed.change._history import fold
from seedbed.errors import Conflict, NotFound, StoreCorrupt
from seedbed.records import Commit, RunView, Store, merged_events, read_journal
from seedbed.stages._job import BegunJob, Job
from seedbed.stages._observer import Observer
from seedbed.stages._training import TrainingResult, train

__all__ = ["Replay", "ReplayDifference", "replay"]

_LOGGED = ("loss", "validation_ap")


@final
@dataclass(frozen=True, slots=True)
class ReplayDifference:
    """The first value in which a replay differs from its original; a value that is missing in one run is None.

    `step` is None for what is measured once, after the last step: the digests of the test's metrics and predictions.
    """

    what: str
    step: int | None
    original: float | str | None
    replayed: float | str | None


@final
@dataclass(frozen=True, slots=True)
class Replay:
    """The result of a replay. `not_repeated` are the changes that the guards or the live object did not allow again.

    `difference` is also None for a replay that was interrupted, which proves nothing.
    """

    result: TrainingResult
    rule: ReplayRule
    not_repeated: tuple[ChangeRecord, ...]
    difference: ReplayDifference | None

    @property
    def is_same(self) -> bool:
        """Whether it finished, with the same changes, losses, validations, metrics and predictions."""
        return self.result.commit is not None and not self.not_repeated and self.difference is None


def replay(original: RunView, job: Job, store: Store, observer: Observer, *, run_id: str | None = None) -> Replay:
    """Train as `original` did, propose its changes again at the same steps, and compare; `run_id` as in `train`.

    `job` must be the job of the original: its configuration (see `configuration_of`) and its events. Raises NotFound
    when the original is not finished or its job or changes are gone, StoreCorrupt when its changes are damaged,
    Conflict for another job, and all that `train` raises.
    """
    if original.commit is None:
        raise NotFound(f"run {original.run_id} is not finished: there is no end to compare with; resume it first")
    begun, journal = BegunJob.read(original.folder), original.folder / "changes.log"
    if begun is None or not journal.exists():
        raise NotFound(f"run {original.run_id}: {original.folder} lacks the job.json or changes.log to replay it from")
    _require_same_work(begun, job)
    begun.warn_of_other_neighbours(original.run_id)
    entries, recorded = read_journal(journal), original.commit.snapshot.logs.get(journal.name)
    if recorded and len(entries) < recorded.sequence:
        raise StoreCorrupt(
            f"the log {journal} is cut short: it holds {len(entries)} of the {recorded.sequence} records that its "
            "commit recorded, so not every change could be repeated; restore the file from a copy of the store"
        )
    rule = replay_rule(fold(entries), original.run_id)
    result = train(job, store, observer, run_id=run_id, replay=rule)
    if result.commit is None:
        return Replay(result, rule, (), None)
    view = store.find(result.run_id, project=original.project)
    history = fold(read_journal(view.folder / "changes.log"))
    difference = _first_difference(_logged(store, original), _logged(store, view))
    difference = difference or _difference_of_digests(original.commit, result.commit)
    return Replay(result, rule, rule.not_repeated(history), difference)


def _require_same_work(begun: BegunJob, job: Job) -> None:
    limit = job.config.data.limit
    stream = job.stream if limit is None or limit >= len(job.stream) else job.stream.head(limit)
    config = job.config.model_copy(update={"runtime": job.runtime.config})
    own = BegunJob(config=config, data=stream.digest(), replay_of=begun.replay_of)
    try:
        begun.require_same(own)
    except Conflict as problem:
        raise Conflict(f"this would not be a replay: {problem}") from None


def _logged(store: Store, run: RunView) -> dict[str, dict[int, float]]:
    """The logged values by name and step."""
    found: dict[str, dict[int, float]] = {name: {} for name in _LOGGED}
    for event in merged_events(store, run):
        for name in _LOGGED:
            if name in event.values:
                found[name][event.step] = event.values[name]
    return found


def _first_difference(
    original: Mapping[str, Mapping[int, float]], replayed: Mapping[str, Mapping[int, float]]
) -> ReplayDifference | None:
    for name in _LOGGED:
        before, now = original[name], replayed[name]
        for step in sorted({*before, *now}):
            if before.get(step) != now.get(step):
                return ReplayDifference(name, step, before.get(step), now.get(step))
    return None


def _difference_of_digests(original: Commit, replayed: Commit) -> ReplayDifference | None:
    for what in ("metrics", "predictions"):
        before, now = (commit.snapshot.digests.get(what) for commit in (original, replayed))
        if before != now:
            return ReplayDifference(what, None, before, now)
    return None
