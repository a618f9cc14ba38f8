"""Checks the change journal record by record: each one is derived again from the measurements and the guards.

A process may end in the middle of a proposal, and another one may then resume the soak. The records that this leaves
are allowed, and no others.
"""

from collections.abc import Iterator, Sequence
from typing import final

from seedbed.change import ChangeHistory, ChangeRecord, Kind, Rules
from seedbed.change._rollback import ROLLBACK, rollback_deltas
from seedbed.change.phases._plan import judged_notes, plan, proposed_notes
from seedbed.records import Entry
from seedbed.soak._readback import SoakReadback
from seedbed.soak.verify._effects import ExpectedEntry, expected_effect, is_effect, watch_order_with
from seedbed.soak.verify._segment import Segment
from seedbed.soak.verify._settled import settlements, unsettled
from seedbed.soak.verify._verification import Accusation, Flaw

__all__ = ["ChangeJournalCheck"]

_WHICH = "changes.log was altered, or evidence.log was altered or cut"
_FLAWS = {Kind.PROPOSED: Flaw.PROPOSAL, Kind.GUARDED: Flaw.GUARD, Kind.INTENT: Flaw.STATE, Kind.APPLIED: Flaw.STATE}
_JUDGED = frozenset({Kind.GUARDED, Kind.INTENT})


@final
class ChangeJournalCheck:
    """Checks the change journal, one iteration after the other.

    After each iteration, `values` are the values in the settings file, and `states` the state hashes that the file had
    during this iteration, in order.
    """

    def __init__(self, readback: SoakReadback) -> None:
        self._registry = readback.assembly.registry
        self.values: dict[str, float] = dict(readback.assembly.plant().initial)
        self.states: list[str] = []
        self._history = ChangeHistory()
        self._watch_orders: set[tuple[int, ...]] = {()}
        self._last = readback.iterations[-1].measured.iteration if readback.iterations else 0

    def check(self, segment: Segment) -> Iterator[Accusation]:
        """Everything that is wrong in one iteration of the journal."""
        state = self._registry.state_hash(self.values)
        self.states = [state]
        if segment.measured.state_hash != state:
            began = f"began in state {segment.measured.state_hash[:12]}…, the changes lead to {state[:12]}…"
            yield Accusation(Flaw.STATE, f"evidence.log, iteration {segment.iteration}", began)
        effects = _leading_effects(segment.changes)
        yield from self._check_effects(segment, effects)
        yield from self._check_proposals(segment, segment.changes[len(effects) :])

    def states_at_end(self) -> set[str]:
        """The states that the settings file may have at the end: an open intent may have been written or not."""
        intended = {each.delta.parameter: each.after for each in self._history.open() if each.phase is Kind.INTENT}
        return {self._registry.state_hash(values) for values in (self.values, {**self.values, **intended})}

    def _check_effects(self, segment: Segment, effects: Sequence[Entry]) -> Iterator[Accusation]:
        """Check the records of what the measurement showed. They may come in several orders."""
        # A process may have ended here. The next one watches the changes in the order of the registry.
        self._watch_orders |= {self._by_registry(order) for order in self._watch_orders}
        by_order = {order: self._expected_effects(order, segment) for order in sorted(self._watch_orders)}
        can_be_cut = segment.may_be_cut and len(effects) == len(segment.changes)
        matching = {order for order, expected in by_order.items() if _allow(expected, effects, can_be_cut)}
        if not matching:
            yield _first_wrong_entry(next(iter(by_order.values())), effects, segment)
        failed = {int(entry.payload["id"]) for entry in effects if entry.kind == Kind.FAILED}
        left = matching or {next(iter(by_order))}
        self._watch_orders = {tuple(each for each in order if each not in failed) for order in left}
        for entry in effects:
            self._history.advance(entry)

    def _expected_effects(self, order: Sequence[int], segment: Segment) -> list[ExpectedEntry]:
        effects = (expected_effect(self._history[each], segment.measured, self._registry) for each in order)
        return [effect for effect in effects if effect is not None]

    def _by_registry(self, order: Sequence[int]) -> tuple[int, ...]:
        keys = list(self._registry.keys())
        return tuple(sorted(order, key=lambda each: keys.index(self._history[each].delta.parameter)))

    def _check_proposals(self, segment: Segment, entries: Sequence[Entry]) -> Iterator[Accusation]:
        first_id, was_rolled_back, at = self._history.next_id(), False, 0
        while at < len(entries):
            entry = entries[at]
            if entry.kind != Kind.PROPOSED:
                yield from self._check_settlement(segment, entry, first_id)
                at += 1
                continue
            batch = _batch(entries, at)
            at += len(batch)
            is_torn = entries[at].kind == Kind.RESUMED if at < len(entries) else segment.may_be_cut
            yield from self._check_proposal(segment, batch, was_rolled_back=was_rolled_back, is_torn=is_torn)
            was_rolled_back |= _is_rollback(batch)
        self._update_watch_orders(first_id)
        if not segment.may_be_cut:
            yield from self._missing_proposals(segment, was_rolled_back=was_rolled_back)
            place, is_last = f"changes.log, iteration {segment.iteration}", segment.iteration == self._last
            for record, why in unsettled(self._history, is_last=is_last):
                yield Accusation(Flaw.OUTCOME, place, f"change {record.id} of {record.delta.parameter} {why}")

    def _check_proposal(
        self, segment: Segment, batch: Sequence[Entry], *, was_rolled_back: bool, is_torn: bool
    ) -> Iterator[Accusation]:
        """Check one proposal: plan and judge it again from the state before it."""
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
        expected = [ExpectedEntry(kind, [payload]) for kind, payload in notes]
        if not _allow(expected, batch, is_torn):
            yield _first_wrong_entry(expected, batch, segment)
        for entry in batch:
            self._history.advance(entry)
        self.states += [str(entry.payload["state_after"]) for entry in batch[-1:] if entry.kind == Kind.INTENT]

    def _check_settlement(self, segment: Segment, entry: Entry, first_id: int) -> Iterator[Accusation]:
        """Check a record after the intent, by what was delivered to the plant and what the plant said it holds."""
        expected = settlements(self._history, first_id, segment, is_last=segment.iteration == self._last)
        if not any(each.allows(entry) for each in expected):
            kind = Kind(entry.kind)
            kinds = " or ".join(sorted({each.kind.value for each in expected})) or "nothing more"
            what = f"says {_shown(entry)}, which neither evidence nor journal bear out; expected {kinds}: {_WHICH}"
            yield Accusation(_FLAWS.get(kind, Flaw.OUTCOME), _place(entry, segment), what)
        self._history.advance(entry)
        if entry.kind in {Kind.APPLIED, Kind.ROLLED_BACK}:
            record = self._history[int(entry.payload["id"])]
            self.values[record.delta.parameter] = record.after if entry.kind == Kind.APPLIED else record.before
        self.states.append(self._registry.state_hash(self.values))

    def _update_watch_orders(self, first_id: int) -> None:
        new = [each for each in self._history.records if each.id >= first_id and each.phase is Kind.APPLIED]
        keys = {each.id: each.delta.parameter for each in self._history.records}
        added = {each.id: each.delta.parameter for each in new}
        self._watch_orders = {watch_order_with(order, added, keys) for order in self._watch_orders}

    def _missing_proposals(self, segment: Segment, *, was_rolled_back: bool) -> Iterator[Accusation]:
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
    """The records of one proposal: proposed, guarded, intent. It begins at index `at`."""
    first, end = entries[at].payload["batch"], at
    while end < len(entries) and entries[end].kind == Kind.PROPOSED and entries[end].payload["batch"] == first:
        end += 1
    while end < len(entries) and entries[end].kind in _JUDGED:
        end += 1
    return entries[at:end]


def _is_rollback(batch: Sequence[Entry]) -> bool:
    return bool(batch[0].payload["proposer"] == ROLLBACK)


def _allow(expected: Sequence[ExpectedEntry], entries: Sequence[Entry], may_be_cut: bool) -> bool:
    is_whole = len(expected) == len(entries) or (may_be_cut and len(entries) < len(expected))
    return is_whole and all(each.allows(entry) for each, entry in zip(expected, entries, strict=False))


def _first_wrong_entry(expected: Sequence[ExpectedEntry], entries: Sequence[Entry], segment: Segment) -> Accusation:
    for each, entry in zip(expected, entries, strict=False):
        if not each.allows(entry):
            flaw = _FLAWS.get(each.kind, Flaw.OUTCOME)
            return Accusation(flaw, _place(entry, segment), f"says {_shown(entry)}, expected {_expected(each)}")
    if len(entries) > len(expected):
        extra = entries[len(expected)]
        flaw = _FLAWS.get(Kind(extra.kind), Flaw.OUTCOME)
        return Accusation(flaw, _place(extra, segment), f"says {_shown(extra)}, expected nothing")
    missing = expected[len(entries)]
    place = f"changes.log, iteration {segment.iteration}"
    return Accusation(_FLAWS.get(missing.kind, Flaw.OUTCOME), place, f"does not say {_expected(missing)}")


def _place(entry: Entry, segment: Segment) -> str:
    return f"changes.log, record {entry.sequence} (iteration {segment.iteration})"


def _shown(entry: Entry) -> str:
    return f"{entry.kind} {dict(sorted(entry.payload.items()))}"


def _expected(entry: ExpectedEntry) -> str:
    return f"{entry.kind.value} " + " or ".join(str(dict(sorted(payload.items()))) for payload in entry.payloads)
