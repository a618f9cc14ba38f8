"""The wait for use: which changes are watched, and what optimizer steps showed of them, here and on the peers."""

from collections.abc import Mapping
from typing import final

from seedbed.change._checkpoint import Seen
from seedbed.change._record import ChangeRecord, Kind
from seedbed.change.bindings._binding import Use, UseReport, holds
from seedbed.change.bindings._peers import Sighting
from seedbed.change.parameters._parameter import exactly
from seedbed.change.phases._bound_settings import BoundSettings
from seedbed.change.phases._ledger import Ledger
from seedbed.change.phases._read_back import words_of
from seedbed.errors import SeedbedError

__all__ = ["Watches"]


@final
class Watches:
    """At most one watched change for each parameter: the latest one. What a watch reports is noted in the journal.

    `standing` are the lost changes, by id, whose value stands although a step did not use it. With peers, a use is not
    noted here but told as a sighting, until all of them have seen it.
    """

    def __init__(self, settings: BoundSettings, ledger: Ledger) -> None:
        self._settings, self._ledger = settings, ledger
        self._watched: dict[str, int] = {}
        self._open: dict[int, str] = {}  # why the latest step was no proof
        self.standing: set[int] = set()
        self._has_peers = False
        self._sightings: dict[int, Sighting] = {}  # what the peers are to hear of
        self._behind: dict[int, str] = {}  # which of them have not seen a change in use, and why

    def join(self) -> None:
        """From now on a use counts when all peers saw it."""
        self._has_peers = True

    def begin(self, record: ChangeRecord, step: int) -> None:
        """Watch a change that is live after `step` steps. What was watched of its parameter before is given up."""
        key = record.delta.parameter
        if key in self._watched:
            self._ledger.give_up(self._watched[key], f"change {record.id} came before a step used it")
        self._watched[key] = record.id
        try:
            self._settings.target.watch(
                key, lambda report: self._note_use(record.id, step + report.steps_after, report)
            )
        except SeedbedError:
            raise
        except Exception as problem:  # of a library's own object: the change is made, and nobody will see it in use
            self._ledger.give_up(record.id, f"its use cannot be watched: {words_of(problem)}")

    def settle(self, step: int, seen: Mapping[str, Seen]) -> None:
        """Watch every change that is live and not watched yet; `seen` is what an earlier process saw, by key."""
        for parameter in self._settings.registry:
            record = self._ledger.history.held(parameter.key)
            if record is not None and record.id != self._watched.get(parameter.key):
                self._settle(record, step, seen.get(parameter.key))

    def is_open(self, change_id: int) -> bool:
        """Whether a step was seen that is no proof of the change."""
        return change_id in self._open

    def seen(self) -> dict[str, Seen]:
        """What was seen of the watched changes whose values others move, for a watch in another process."""
        watched = {key: each for key, each in self._settings.moving().items() if key in self._watched}
        return {key: seen for key, each in watched.items() if (seen := each.seen()) is not None}

    def sightings(self) -> dict[int, Sighting]:
        """With peers: what was seen here of changes, by id, and of which it is not noted that all have seen it."""
        history = self._ledger.history
        watched = {each: Sighting(Use.OPEN, why=self._open.get(each, "")) for each in self._watched.values()}
        still_open = {each: seen for each, seen in watched.items() if history[each].phase is Kind.APPLIED}
        return {**still_open, **self._sightings}

    def take_sightings(self, joined: Mapping[int, Sighting]) -> None:
        """With peers: note what all engines together saw of each change, by its id."""
        for change_id, seen in joined.items():
            record = self._ledger.history[change_id]
            if seen.use is Use.OPEN:
                self._behind[change_id] = seen.why
                continue
            self._sightings.pop(change_id, None)
            if seen.use is Use.LOST and record.phase in {Kind.APPLIED, Kind.EFFECTIVE}:
                self._ledger.fail(record, seen.why, step=seen.step)
            elif seen.use is Use.USED and record.phase is Kind.APPLIED:
                self._ledger.note(Kind.EFFECTIVE, id=change_id, step=seen.step, found=record.after)

    def give_up(self) -> None:
        """Note every watched change that no step has used until now as UNKNOWN."""
        for change_id in self._watched.values():
            reason = self._behind.get(change_id) or self._open.get(change_id)
            why = f": {reason}" if reason else ""
            self._ledger.give_up(change_id, f"the run ended before a step used it{why}")

    def end(self) -> None:
        """End every watch, and note nothing."""
        for parameter in self._settings.registry:
            self._settings.target.watch(parameter.key, None)
        self._watched.clear()

    def _settle(self, record: ChangeRecord, step: int, seen: Seen | None) -> None:
        key = record.delta.parameter
        found, binding = self._settings.target.read()[key], self._settings.moving().get(key)
        # Others may have moved a proven value, or one that was seen, on since then.
        if holds(found, record.after) or record.phase is Kind.EFFECTIVE or (binding is not None and seen is not None):
            if binding is not None:
                binding.recall(record.before, record.after, seen)
            self.begin(record, step)
        else:
            self._ledger.give_up(record.id, f"when it was settled, the live value was {found:g}")
            self._settings.target.watch(key, None)
            self._watched.pop(key, None)

    def _note_use(self, change_id: int, step: int, report: UseReport) -> None:
        record = self._ledger.history[change_id]
        if self._has_peers and record.phase not in {Kind.APPLIED, Kind.EFFECTIVE}:
            return  # a peer has lost it
        if report.use is Use.OPEN:
            self._open[change_id] = report.why
        elif report.use is Use.LOST:
            self._note_loss(record, step, report)
        elif record.phase is not Kind.EFFECTIVE and self._has_peers:
            self._sightings.setdefault(change_id, Sighting(Use.USED, step))
        elif record.phase is not Kind.EFFECTIVE:
            self._ledger.note(Kind.EFFECTIVE, id=change_id, step=step, found=report.found)

    def _note_loss(self, record: ChangeRecord, step: int, report: UseReport) -> None:
        if self._settings.stands(record.delta.parameter, report.expected):
            self.standing.add(record.id)
        reason = f"at step {step}: expected {report.expected:g}, found {exactly(report.found)}; {report.why}"
        self._ledger.fail(record, reason, report.found, step)
        if self._has_peers:
            self._sightings[record.id] = Sighting(Use.LOST, step, reason)
