"""Baselines: the one snapshot of a comparison group that all later snapshots of the group are compared with.

Promotions are recorded in their own log beside the commits: sealed, numbered, published by put-if-absent. The newest
record of a group counts. A rule promotes automatically every commit that is better than the baseline by one metric.
"""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from seedbed.contracts import Message
from seedbed.errors import InvalidInput, StoreCorrupt, StoreDamaged
from seedbed.records.canonical._canonical import plain
from seedbed.records.canonical._numbers import read_number
from seedbed.records.canonical._redaction import redact_text
from seedbed.records.canonical._seal import seal
from seedbed.records.log._better import Better, better
from seedbed.records.snapshot._commit import Commit
from seedbed.records.snapshot._snapshot import Snapshot
from seedbed.records.storage._files import Files
from seedbed.records.storage._layout import baselines_folder
from seedbed.records.storage._numbered_log import LostRecord, NumberedLog, Sealed, advised, parsed, slot_taken
from seedbed.records.storage._owner import OwnLock, alone

__all__ = ["Baselines", "Promotion", "PromotionKind", "PromotionRule", "best_of_groups", "metric_at", "number_at"]

_SCHEMA_VERSION = 1


class PromotionKind(StrEnum):
    """What one record of the log does. Append-only."""

    PROMOTED = "PROMOTED"
    DEMOTED = "DEMOTED"
    RULE = "RULE"


class PromotionRule(Message):
    """A rule that promotes commits which are better by `metric`, a path such as metrics.test.ap.

    Without `better`, the usual words at the end of the metric's name say which values are the better ones, such as
    accuracy or loss. Raises InvalidInput for a name that says nothing.
    """

    metric: str
    better: Literal["higher", "lower"] = Field(default_factory=lambda said: _better_of(said["metric"]))

    def prefers(self, candidate: float, baseline: float) -> bool:
        """Whether `candidate` is better than `baseline`."""
        return candidate > baseline if self.better == "higher" else candidate < baseline

    def __str__(self) -> str:
        return f"{self.metric} {self.better}"


class Promotion(Message):
    """One record of the log: a project's rule, or the baseline of `group`, the digest of a comparison group."""

    schema_version: int = _SCHEMA_VERSION
    kind: PromotionKind
    timestamp: datetime
    reason: str
    group: str | None = None
    snapshot_seq: int | None = None
    run_id: str | None = None
    digest: str | None = None
    rule: PromotionRule | None = None


class Baselines:
    """One project's baselines. Any number of processes may promote; a record is never changed."""

    def __init__(self, files: Files, project: str) -> None:
        self._files, self._folder = files, baselines_folder(project)
        self._lock = OwnLock(self._begin)
        self._begin()

    def _begin(self) -> None:
        """Know nothing of what is in the log yet."""
        self._records = NumberedLog(self._files, self._folder)
        self._num_read = 0
        self._by_group: dict[str, Promotion] = {}
        self._rule: PromotionRule | None = None

    def key(self, seq: int) -> str:
        """The key of record `seq`."""
        return self._records.key(seq)

    def read(self, seq: int) -> Promotion:
        """Record `seq`. Raises NotFound, StoreCorrupt when it is damaged, InvalidInput for one of a later version."""
        return parsed(Promotion, self._records.read(seq).body, self.key(seq))

    @alone
    def of(self, group: str) -> Promotion | None:
        """The baseline of a comparison group; None, too, when a record that cannot be read may have ended it."""
        self._catch_up()
        return self._by_group.get(group)

    @alone
    def current(self) -> list[Promotion]:
        """The baseline of every group that has one, in the order of their commits; as `of`."""
        self._catch_up()
        return sorted(self._by_group.values(), key=lambda item: item.snapshot_seq or 0)

    @property
    def rule(self) -> PromotionRule | None:
        """The rule by which new commits are promoted, as of the last call of `of`; None when there is none."""
        return self._rule

    def history(self) -> Iterator[Promotion]:
        """Every record that can be read, oldest first."""
        seq = 0
        while found := self._followed(seq + 1):
            seq += 1
            if isinstance(found, Promotion):
                yield found

    @alone
    def promote(self, commit: Commit, reason: str, now: datetime, rule: PromotionRule | None = None) -> Promotion:
        """Make `commit` the baseline of its group; a no-op when it already is. Raises StoreUnavailable."""
        record = _promotion(commit, redact_text(reason), now, rule)
        made = self._publish(lambda: None if self._is_baseline(commit) else record)
        return made or self._by_group[_group(commit)]

    @alone
    def demote(self, group: str, reason: str, now: datetime) -> Promotion | None:
        """Remove the group's baseline; None when it has none. Raises StoreUnavailable."""
        record = Promotion(kind=PromotionKind.DEMOTED, timestamp=now, reason=redact_text(reason), group=group)
        return self._publish(lambda: record if group in self._by_group else None)

    @alone
    def set_rule(self, rule: PromotionRule | None, reason: str, now: datetime) -> Promotion:
        """Promote by `rule` from now on; None ends automatic promotion. Raises InvalidInput and StoreUnavailable."""
        if rule and not rule.metric.startswith("metrics."):
            raise InvalidInput(f"the rule's metric is {rule.metric!r}, expected a path such as metrics.test.ap")
        clean = rule and rule.model_copy(update={"metric": redact_text(rule.metric)})
        record = Promotion(kind=PromotionKind.RULE, timestamp=now, reason=redact_text(reason), rule=clean)
        self._publish(lambda: record)
        return record

    @alone
    def consider(
        self, commit: Commit, promoted: Callable[[Promotion], Commit | None], now: datetime
    ) -> Promotion | None:
        """Promote `commit` if the rule prefers it to its group's baseline at that moment. Raises StoreUnavailable.

        `promoted` gives the commit of a promotion; None when it cannot be read. Such a baseline is not replaced: nobody
        knows which of the two is better.
        """
        return self._publish(lambda: self._preferred(commit, promoted, now))

    def _preferred(
        self, commit: Commit, promoted: Callable[[Promotion], Commit | None], now: datetime
    ) -> Promotion | None:
        rule, current = self._rule, self._by_group.get(_group(commit))
        candidate = metric_at(commit.snapshot, rule.metric) if rule else None
        if rule is None or candidate is None or self._is_baseline(commit):
            return None
        before = None
        if current is not None:
            baseline = promoted(current)
            before = None if baseline is None else metric_at(baseline.snapshot, rule.metric)
            if baseline is None or (before is not None and not rule.prefers(candidate, before)):
                return None
        return _promotion(commit, redact_text(f"by the rule {rule}: {candidate:g} after {before}"), now, rule)

    def _is_baseline(self, commit: Commit) -> bool:
        current = self._by_group.get(_group(commit))
        return current is not None and current.digest == commit.digest

    @alone
    def _publish(self, wanted: Callable[[], Promotion | None]) -> Promotion | None:
        """Record what is `wanted`, which is asked again of what others recorded after each lost race; None for nothing.

        So no number is claimed for what was decided on an earlier state of the log.
        """
        races = self._records.races()
        self._catch_up()
        while record := wanted():
            taken = self._num_read + 1
            if self._records.publish(taken, seal(plain(record.model_dump(mode="json")))[0]):
                self._apply(record)
                break
            next(races)
            self._catch_up()
            if self._num_read < taken:
                raise slot_taken(self._records.key(taken))
        return record

    @alone
    def _catch_up(self) -> None:
        while found := self._followed(self._num_read + 1):
            self._apply(found)

    def _followed(self, seq: int) -> Promotion | LostRecord | None:
        found = self._records.follow(seq)
        if not isinstance(found, Sealed):
            return found
        try:
            return parsed(Promotion, found.body, self.key(seq))
        except (StoreCorrupt, InvalidInput) as problem:
            return LostRecord(seq, str(problem))

    def _apply(self, record: Promotion | LostRecord) -> None:
        self._num_read += 1
        if isinstance(record, LostRecord):
            self._forget(record)
        elif record.kind is PromotionKind.RULE:
            self._rule = record.rule
        elif record.kind is PromotionKind.PROMOTED:
            self._by_group[record.group or ""] = record
        else:
            self._by_group.pop(record.group or "", None)

    def _forget(self, lost: LostRecord) -> None:
        """Hold no baseline and no rule from here on: what the record did is not known."""
        if lost.is_known:
            return
        self._rule = None
        self._by_group.clear()
        why = "no baseline and no rule stand before the next promotion, since any of them may have ended there"
        warnings.warn(advised(lost.problem, why), StoreDamaged, stacklevel=2)


def _better_of(metric: str) -> Better:
    found = better(metric)
    if found is None:
        raise InvalidInput(
            f"the name {metric} does not say which values are better; say higher or lower, by `better` in Python and "
            "--better in commands"
        )
    return found


def _group(commit: Commit) -> str:
    return commit.side.digests["comparison_group"]


def _promotion(commit: Commit, reason: str, now: datetime, rule: PromotionRule | None) -> Promotion:
    return Promotion(
        kind=PromotionKind.PROMOTED,
        timestamp=now,
        reason=reason,
        group=_group(commit),
        snapshot_seq=commit.seq,
        run_id=commit.snapshot.run_id,
        digest=commit.digest,
        rule=rule,
    )


def best_of_groups(commits: Iterable[Commit], rule: PromotionRule) -> list[Commit]:
    """The best commit by `rule` of every comparison group that has the metric."""
    best: dict[str, tuple[float, Commit]] = {}
    for commit in commits:
        group, found = commit.snapshot.digests["comparison_group"], metric_at(commit.snapshot, rule.metric)
        if found is not None and (group not in best or rule.prefers(found, best[group][0])):
            best[group] = found, commit
    return [commit for _, commit in best.values()]


def metric_at(snapshot: Snapshot, path: str) -> float | None:
    """The metric of a snapshot as `number_at`; None if it is not finite."""
    found = number_at(snapshot, path)
    return None if found is None or not math.isfinite(found) else found


def number_at(snapshot: Snapshot, path: str) -> float | None:
    """The metric of a snapshot at `path`, such as metrics.test.ap (of an interval, its value); None if it has none."""
    value: object = {"metrics": snapshot.metrics}
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, dict):
        value = value.get("value")
    found = read_number(value)
    return None if found is None else float(found)
