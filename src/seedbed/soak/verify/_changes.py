"""The change journal, record by record, against what the measurements and the guards make of it: nothing is believed.

An honest journal may have been cut short and gone on: what a process leaves that ends in the middle of a proposal, and
what the next one makes of it, is allowed for, and nothing else.
"""

from collections.abc import Iterator, Sequence
from typing import final

from seedbed.change import ChangeHistory, ChangeRecord, Kind, Rules
from seedbed.change._plan import judged_notes, plan, proposed_notes
from seedbed.change._rollback import ROLLBACK, rollback_deltas
from seedbed.records import Entry
from seedbed.soak._readback import SoakReadback
from seedbed.soak.verify._effects import Due, effect_of, is_effect, later_use
from seedbed.soak.verify._segment import Segment
from seedbed.soak.verify._settled import settlements, unsettled
from seedbed.soak.verify._verification import Accusation, Flaw

__all__ = ["ChangeWalk"]

_FLAWS = {Kind.PROPOSED: Flaw.PROPOSAL, Kind.GUARDED: Flaw.GUARD, Kind.INTENT: Flaw.STATE, Kind.APPLIED: Flaw.STATE}
_JUDGED = frozenset({Kind.GUARDED, Kind.INTENT})


@final
class ChangeWalk:
    """Takes one iteration after the other. `values` are what the settings file then holds, `path` every state of it.

    `path` holds the state hashes that the file had in the last iteration taken, in order.
    """

    def __init__(self, found: SoakReadback) -> None:
        self._registry = found.assembly.registry
        self.values: dict[str, float] = dict(found.assembly.plant().initial)
        self.path: list[str] = []
        self._history = ChangeHistory()
        self._orders: set[tuple[int, ...]] = {()}
        self._last = found.told[-1].measured.iteration if found.told else 0

    def take(self, segment: Segment) -> Iterator[Accusation]:
        """Everything that is wrong with the journal in one iteration."""
        state = self._registry.state_hash(self.values)
        self.path = [state]
        if segment.measured.state_hash != state:
            began = f"began in state {segment.measured.state_hash[:12]}…, the changes lead to {state[:12]}…"
            yield Accusation(Flaw.STATE, f"evidence.log, iteration {segment.iteration}", began)
        effects = _leading_effects(segment.changes)
        yield from self._effects(segment, effects)
        yield from self._acts(segment, segment.changes[len(effects) :])

    def states_at_end(self) -> set[str]:
        """The states that the settings file may be in after the last iteration: an open intent may have been made."""
        intended = {each.delta.parameter: each.after for each in self._history.open() if each.phase is Kind.INTENT}
        return {self._registry.state_hash(values) for values in (self.values, {**self.values, **intended})}

    def _effects(self, segment: Segment, effects: Sequence[Entry]) -> Iterator[Accusation]:
        """The notes of what the measurement showed, in one of the orders that they may come in."""
        # A process may have ended here, and the next one watches in the order of the registry.
        self._orders |= {self._by_registry(order) for order in self._orders}
        due = {order: self._due(order, segment) for order in sorted(self._orders)}
        can_break_off = segment.may_break_off and len(effects) == len(segment.changes)
        fitting = {order for order, notes in due.items() if _fits(notes, effects, can_break_off)}
        if not fitting:
            yield _first_difference(next(iter(due.values())), effects, segment)
        failed = {int(entry.payload["id"]) for entry in effects if entry.kind == Kind.FAILED}
        left = fitting or {next(iter(due))}
        self._orders = {tuple(each for each in order if each not in failed) for order in left}
        for entry in effects:
            self._history.advance(entry)

    def _due(self, order: Sequence[int], segment: Segment) -> list[Due]:
        dues = (effect_of(self._history[each], segment.measured, self._registry) for each in order)
        return [due for due in dues if due is not None]

    def _by_registry(self, order: Sequence[int]) -> tuple[int, ...]:
        keys = list(self._registry.keys())
        return tuple(sorted(order, key=lambda each: keys.index(self._history[each].delta.parameter)))

    def _acts(self, segment: Segment, entries: Sequence[Entry]) -> Iterator[Accusation]:
        first_id, was_rolled_back, at = self._history.next_id(), False, 0
        while at < len(entries):
            entry = entries[at]
            if entry.kind != Kind.PROPOSED:
                yield from self._settles(segment, entry, first_id)
                at += 1
                continue
            batch = _batch(entries, at)
            at += len(batch)
            is_torn = entries[at].kind == Kind.RESUMED if at < len(entries) else segment.may_break_off
            yield from self._proposes(segment, batch, was_rolled_back=was_rolled_back, is_torn=is_torn)
            was_rolled_back |= _is_rollback(batch)
        self._watch(first_id)
        if not segment.may_break_off:
            yield from self._left_undone(segment, was_rolled_back=was_rolled_back)
            place, is_last = f"changes.log, iteration {segment.iteration}", segment.iteration == self._last
            for record, why in unsettled(self._history, is_last=is_last):
                yield Accusation(Flaw.OUTCOME, place, f"change {record.id} of {record.delta.parameter} {why}")

    def _proposes(
        self, segment: Segment, batch: Sequence[Entry], *, was_rolled_back: bool, is_torn: bool
    ) -> Iterator[Accusation]:
        """A proposal, planned and judged again on what stood before it."""
        place, decision, is_rollback = _place(batch[0], segment), segment.decision, _is_rollback(batch)
        back = rollback_deltas(self._history, self.values) if decision.lost else ()
        if self._is_decided(segment):
            yield Accusation(Flaw.PROPOSAL, place, f"was proposed although a proposal of {segment.iteration} stands")
        if not is_rollback and back and not was_rolled_back:
            yield Accusation(Flaw.PROPOSAL, place, f"was proposed before changes {list(decision.lost)} were taken back")
        rules = Rules(self._registry, guards=()) if is_rollback else decision.rules
        wanted = enumerate(back if is_rollback else decision.deltas, start=self._history.next_id())
        planned = plan(wanted, segment.iteration, self.values, self._history, rules)
        state = self._registry.state_hash(self.values)
        notes = [
            *proposed_notes(planned, self._registry, state),
            *judged_notes(planned, self._registry, self.values, state),
        ]
        dues = [Due(kind, [payload]) for kind, payload in notes]
        if not _fits(dues, batch, is_torn):
            yield _first_difference(dues, batch, segment)
        for entry in batch:
            self._history.advance(entry)
        self.path += [str(entry.payload["state_after"]) for entry in batch[-1:] if entry.kind == Kind.INTENT]

    def _settles(self, segment: Segment, entry: Entry, first_id: int) -> Iterator[Accusation]:
        """What came of a proposal once it was intended, by what the plant was then handed and said it holds."""
        dues = settlements(self._history, first_id, segment, is_last=segment.iteration == self._last)
        if not any(due.fits(entry) for due in dues):
            kind = Kind(entry.kind)
            expected = " or ".join(sorted({due.kind.value for due in dues})) or "nothing more"
            told = f"says {_told(entry)}, which neither evidence nor journal bear out; expected {expected}"
            yield Accusation(_FLAWS.get(kind, Flaw.OUTCOME), _place(entry, segment), told)
        self._history.advance(entry)
        if entry.kind in {Kind.APPLIED, Kind.ROLLED_BACK}:
            record = self._history[int(entry.payload["id"])]
            self.values[record.delta.parameter] = record.after if entry.kind == Kind.APPLIED else record.before
        self.path.append(self._registry.state_hash(self.values))

    def _watch(self, first_id: int) -> None:
        new = [each for each in self._history.records if each.id >= first_id and each.phase is Kind.APPLIED]
        keys = {each.id: each.delta.parameter for each in self._history.records}
        added = {each.id: each.delta.parameter for each in new}
        self._orders = {later_use(order, added, keys) for order in self._orders}

    def _left_undone(self, segment: Segment, *, was_rolled_back: bool) -> Iterator[Accusation]:
        place, decision = f"changes.log, iteration {segment.iteration}", segment.decision
        is_decided = self._is_decided(segment)
        if decision.deltas and not is_decided:
            wanted = ", ".join(f"{delta.parameter} {delta.op}" for delta in decision.deltas)
            yield Accusation(Flaw.PROPOSAL, place, f"no proposal stands, expected {wanted}")
        if decision.lost and not is_decided and not was_rolled_back and rollback_deltas(self._history, self.values):
            yield Accusation(Flaw.PROPOSAL, place, f"changes {list(decision.lost)} were lost and never taken back")

    def _is_decided(self, segment: Segment) -> bool:
        records: Iterator[ChangeRecord] = reversed(self._history.records)
        return any(each.step == segment.iteration and each.delta.proposer != ROLLBACK for each in records)


def _leading_effects(entries: Sequence[Entry]) -> Sequence[Entry]:
    at = 0
    while at < len(entries) and is_effect(entries[at]):
        at += 1
    return entries[:at]


def _batch(entries: Sequence[Entry], at: int) -> Sequence[Entry]:
    """The records of one proposal, from its first on: proposed, judged, intended."""
    first, end = entries[at].payload["batch"], at
    while end < len(entries) and entries[end].kind == Kind.PROPOSED and entries[end].payload["batch"] == first:
        end += 1
    while end < len(entries) and entries[end].kind in _JUDGED:
        end += 1
    return entries[at:end]


def _is_rollback(batch: Sequence[Entry]) -> bool:
    return bool(batch[0].payload["proposer"] == ROLLBACK)


def _fits(dues: Sequence[Due], entries: Sequence[Entry], may_break_off: bool) -> bool:
    is_whole = len(dues) == len(entries) or (may_break_off and len(entries) < len(dues))
    return is_whole and all(due.fits(entry) for due, entry in zip(dues, entries, strict=False))


def _first_difference(dues: Sequence[Due], entries: Sequence[Entry], segment: Segment) -> Accusation:
    for due, entry in zip(dues, entries, strict=False):
        if not due.fits(entry):
            flaw = _FLAWS.get(due.kind, Flaw.OUTCOME)
            return Accusation(flaw, _place(entry, segment), f"says {_told(entry)}, expected {_expected(due)}")
    if len(entries) > len(dues):
        extra = entries[len(dues)]
        flaw = _FLAWS.get(Kind(extra.kind), Flaw.OUTCOME)
        return Accusation(flaw, _place(extra, segment), f"says {_told(extra)}, expected nothing")
    missing = dues[len(entries)]
    place = f"changes.log, iteration {segment.iteration}"
    return Accusation(_FLAWS.get(missing.kind, Flaw.OUTCOME), place, f"does not say {_expected(missing)}")


def _place(entry: Entry, segment: Segment) -> str:
    return f"changes.log, record {entry.sequence} (iteration {segment.iteration})"


def _told(entry: Entry) -> str:
    return f"{entry.kind} {dict(sorted(entry.payload.items()))}"


def _expected(due: Due) -> str:
    return f"{due.kind.value} " + " or ".join(str(dict(sorted(payload.items()))) for payload in due.payloads)
