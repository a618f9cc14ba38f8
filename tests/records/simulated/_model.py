"""What the writers were told, and what must therefore be in the store: worked out without the store's own code."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from records_world import PROJECT

from seedbed.records import Commit, Event, Finding

__all__ = ["Drafted", "Model", "Violation", "require"]


_LOG = f"log/{PROJECT}"


class Violation(AssertionError):
    """The store broke a promise."""


def require(holds: object, what: str) -> None:
    if not holds:
        raise Violation(what)


class Drafted(NamedTuple):
    """What a writer asked the store to commit, at which step."""

    run_id: str
    attempt: int
    ap: float
    group: str
    begun: int


class Acknowledged(NamedTuple):
    """What `finish` returned, at which step."""

    run_id: str
    seq: int
    digest: str
    at: int


@dataclass
class Model:
    """What was asked and acknowledged so far. A disk that lied `may_lose` it."""

    may_lose: bool = False
    asked: set[tuple[str, str]] = field(default_factory=set)  # which process asked to start which run
    drafted: dict[tuple[str, int], Drafted] = field(default_factory=dict)
    acknowledged: dict[str, Acknowledged] = field(default_factory=dict)
    started: dict[tuple[str, int], tuple[str, str]] = field(default_factory=dict)  # by whom, and on which machine
    points: dict[str, dict[tuple[int, int], str]] = field(default_factory=dict)  # by run, with the machine
    records: dict[str, int] = field(default_factory=dict)  # how many of a journal
    blobs: dict[str, bytes] = field(default_factory=dict)
    promoted: set[str] = field(default_factory=set)
    failed: dict[str, int] = field(default_factory=dict)  # which attempt was acknowledged to have failed
    seen: dict[int, str] = field(default_factory=dict)  # the digest of each number that anybody has read

    def starts(self, run_id: str, attempt: int, who: str, place: str) -> None:
        before = self.started.setdefault((run_id, attempt), (who, place))[0]
        require(before == who or self.may_lose, f"{before} and {who} were both given attempt {attempt} of {run_id}")

    def finishes(self, draft: Drafted) -> None:
        self.drafted[draft.run_id, draft.attempt] = draft

    def finished(self, commit: Commit, at: int) -> None:
        run_id = commit.snapshot.run_id
        told = Acknowledged(run_id, commit.seq, commit.digest, at)
        if self.may_lose:
            self.acknowledged[run_id] = told
            return
        known = self.acknowledged.setdefault(run_id, told)
        require((known.seq, known.digest) == (commit.seq, commit.digest), f"{run_id} was acknowledged twice")
        self.saw(commit)

    def is_lost(self, run_id: str) -> bool:
        """Whether the run was acknowledged to a writer, by a disk that may have kept its status and not its commit."""
        return self.may_lose and run_id in self.acknowledged

    def saw(self, commit: Commit) -> None:
        """Somebody read the commit: its number never has another content."""
        if self.may_lose:
            return
        before = self.seen.setdefault(commit.seq, commit.digest)
        require(before == commit.digest, f"number {commit.seq} was {before[:8]}, and is {commit.digest[:8]}")

    def lost_power(self, place: str) -> None:
        """Forget what the store does not promise after a power cut: points of runs that have not finished there.

        Nor does it promise the claim of an attempt of which nothing else is durable, and a commit that was only read
        where no later one was acknowledged.
        """
        self.started = {key: by for key, by in self.started.items() if by[1] != place}
        for run_id, points in self.points.items():
            if run_id not in self.acknowledged:
                self.points[run_id] = {key: where for key, where in points.items() if where != place}
        last = max((each.seq for each in self.acknowledged.values()), default=0)
        self.seen = {seq: digest for seq, digest in self.seen.items() if seq <= last}

    # At the end

    def check_log(self, commits: Sequence[Commit]) -> None:
        """Every acknowledged commit is there once, with its content, in its place, with its right predecessor."""
        require([item.seq for item in commits] == [*range(1, len(commits) + 1)], "the numbers have a gap")
        found = {item.snapshot.run_id: item for item in commits}
        require(len(found) == len(commits), "a run is committed twice")
        for commit in commits:
            self.saw(commit)
            self._check_content(commit)
        for told in self.acknowledged.values():
            there = found.get(told.run_id)
            require(there and (there.seq, there.digest) == (told.seq, told.digest), f"{told.run_id} is lost: {told}")
        require(self.seen.keys() == {item.seq for item in commits}, "a commit that was read is gone")
        self._check_order()
        self._check_predecessors(commits)

    def _draft_of(self, commit: Commit) -> Drafted:
        key = commit.snapshot.run_id, commit.snapshot.attempt_id
        require(key in self.drafted, f"nobody asked to commit {key}")
        return self.drafted[key]

    def _check_content(self, commit: Commit) -> None:
        found, asked = commit.snapshot.metrics, self._draft_of(commit)
        require(found == {"test": {"ap": asked.ap, "events": 9000}}, f"{asked} was asked, and {found} committed")

    def _check_order(self) -> None:
        for told in self.acknowledged.values():
            for later in self.acknowledged.values():
                begun = min(each.begun for each in self.drafted.values() if each.run_id == later.run_id)
                if told.at < begun:
                    require(told.seq < later.seq, f"{told.run_id} finished before {later.run_id} began: {told} {later}")

    def _check_predecessors(self, commits: Sequence[Commit]) -> None:
        newest: dict[str, list[tuple[int, str]]] = {}
        for commit in commits:
            draft = self._draft_of(commit)
            earlier = newest.setdefault(draft.group, [])
            expected = next((seq for seq, run_id in reversed(earlier) if run_id != draft.run_id), None)
            found = commit.snapshot.diff_prev.prev_snapshot_seq
            require(found == expected, f"the predecessor of {commit.seq} is {found}, expected {expected}")
            earlier.append((commit.seq, draft.run_id))

    def check_points(self, run_id: str, events: Iterable[Event]) -> None:
        """Every point that `log` took is there once, with its value."""
        found: dict[tuple[int, int], Mapping[str, float]] = {}
        for event in events:
            require((event.attempt, event.step) not in found, f"point {event.step} of {run_id} is there twice")
            found[event.attempt, event.step] = event.values
            require(event.values == {"loss": value_of(event.attempt, event.step)}, f"{run_id}: {event} was not logged")
        lost = self.points.get(run_id, {}).keys() - found.keys()
        require(not lost, f"points of {run_id} are lost: {sorted(lost)}; there are {sorted(found)}")

    def check_losses(self, readable: Sequence[Commit], findings: Sequence[Finding], known: Mapping[str, bytes]) -> int:
        """Of a disk that lied: each acknowledged commit that is gone is named as damage, if anything of it is `known`.

        `known` are the bytes of all files. Returns how many are gone.
        """
        there = {item.snapshot.run_id: item for item in readable}
        gone = [
            told
            for told in self.acknowledged.values()
            if told.run_id not in there or there[told.run_id].digest != told.digest
        ]
        damage = [finding for finding in findings if finding.kind.is_damage]
        for told in gone:
            if _is_known(told, known):
                require(_named(told, damage), f"{told} is gone, and not named in {damage}")
        return len(gone)


def value_of(attempt: int, step: int) -> float:
    """What is logged at `step`."""
    return 1 / (step + attempt)


def _is_known(told: Acknowledged, files: Mapping[str, bytes]) -> bool:
    """Whether its number is missing before a later one, a record or pointer names its digest, or its run shows it."""
    numbers = {int(name): path for path in files if (name := path.partition(f"{_LOG}/")[2][:20]).isdecimal()}
    if told.seq not in numbers and any(number > told.seq for number in numbers):
        return True
    if any(told.digest.encode() in files[path] for number, path in numbers.items() if number != told.seq):
        return True
    shown = (name for name in files if name.endswith(("LATEST.json", f"/{told.run_id}/TRAINING/snapshot.json")))
    return any(_digest_in(files[path]) == told.digest for path in shown)


def _digest_in(data: bytes) -> object:
    try:
        found = json.loads(data)
    except ValueError:
        return None
    return found.get("digest") if isinstance(found, dict) else None


def _named(told: Acknowledged, damage: Sequence[Finding]) -> bool:
    for finding in damage:
        text = f"{finding.path} {finding.problem}"
        if f"{told.seq:020d}" in text or f"/{told.run_id}/" in text:
            return True
        # A gap is named by its first number, and says how long it is.
        name = finding.path.rpartition("/")[2].removesuffix(".json")
        length = finding.problem.split(" ", 1)[0]
        if name.isdecimal() and length.isdecimal() and int(name) <= told.seq < int(name) + int(length):
            return True
    return False
