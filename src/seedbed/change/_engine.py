"""The path of a change: proposed, guarded, intended, applied, read back, and seen in use."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, final

from seedbed.change._checkpoint import ChangeState, Seen
from seedbed.change._history import ChangeHistory, ChangeRecord, Kind, fold
from seedbed.change._ledger import ChangeJournal, Ledger
from seedbed.change._plan import Planned, Rules, judged_notes, plan, proposed_notes, retried_notes
from seedbed.change._rollback import rollback_deltas, taken_back
from seedbed.change._summary import summary
from seedbed.change.bindings._binding import Binding, MovingBinding, Use, UseReport, holds
from seedbed.change.bindings._peers import Peers, Sighting
from seedbed.change.bindings._target import Bindings, Target
from seedbed.change.guards._guards import GUARDS
from seedbed.change.guards._proposal import Guard
from seedbed.change.parameters._delta import Delta
from seedbed.change.parameters._parameter import Parameter, exactly
from seedbed.change.parameters._registry import Registry
from seedbed.contracts import Outcome
from seedbed.errors import Conflict, ContractBroken, InvalidInput, SeedbedError, StoreUnavailable
from seedbed.records.canonical import redacted_object

__all__ = ["ChangeEngine"]

_TRIES = 4

Invariant = Callable[[], None]
"""Raises ContractBroken when the live objects are not as they must be after every change."""


@final
class ChangeEngine:
    """Changes live settings so that every change is guarded, durable before it is made, read back, and proven in use.

    `target` holds the settings that `parameters` declare: a mapping of bindings by key, or another `Target`; keys that
    differ raise InvalidInput. Each of `invariants` is called after every change; if one raises, the change is undone.
    `proposers` are the settings of those that decide by rules of the run's configuration, by the name that their deltas
    carry. They are registered when the journal is new: then, if these settings stand under that name in the config of
    the record, their changes follow from the configuration, and runs of other seeds that they changed otherwise are
    still replicates.
    In a journal begun without any they are ignored; other settings than the registered ones raise Conflict.
    The history is a fold over the journal and nothing else. When the journal already holds records, call `resume` (in a
    new process) or `settle` (with the same live objects) before the first proposal.
    """

    def __init__(
        self,
        journal: ChangeJournal,
        target: Mapping[str, Binding] | Target,
        parameters: Iterable[Parameter],
        guards: Sequence[Guard] = GUARDS,
        invariants: Sequence[Invariant] = (),
        proposers: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    ) -> None:
        self._registry = parameters if isinstance(parameters, Registry) else Registry(parameters)
        self._target: Target = Bindings(target) if isinstance(target, Mapping) else target
        if set(self._registry.keys()) != self._target.read().keys():
            raise InvalidInput(
                f"each parameter needs one binding: declared are {sorted(self._registry.keys())}, bound "
                f"{sorted(self._target.read())}"
            )
        self._earlier: list[Registry] = []  # what was declared before each `extend`
        self._added: set[str] = set()  # the keys that came by it
        self._rules = Rules(self._registry, tuple(guards))
        self._invariants = tuple(invariants)
        self._ledger = Ledger(journal)
        # Until it is settled what became of an earlier process's changes, nobody can tell of them.
        journal.summarise_with(
            lambda: summary(fold(journal.entries())).model_dump(mode="json") if self._settled else None
        )
        self._watched: dict[str, int] = {}
        self._open: dict[int, str] = {}
        self._peers: Peers | None = None
        self._sightings: dict[int, Sighting] = {}  # what the peers are to hear of
        self._behind: dict[int, str] = {}  # which of them have not seen a change in use, and why
        self._standing: set[int] = set()  # the lost changes whose value stands, although a step did not use it
        self._settled = not journal.entries()
        self._register(proposers)

    @property
    def history(self) -> ChangeHistory:
        """Every change so far."""
        return self._ledger.history

    @property
    def rules(self) -> Rules:
        """The rules that judge a proposal, unless the call passes others."""
        return self._rules

    def extend(self, bindings: Mapping[str, Binding], parameters: Iterable[Parameter]) -> None:
        """Take further settings, which can be changed from now on: of objects that were made, or found, later.

        Neither the history nor an earlier setting is touched. The state hash covers the new settings too; one that was
        computed before still counts as `against` while the values that it covers are as they were. A checkpoint that
        was taken from now on holds the new settings: extend by them before `resume`. One that was taken before leaves
        them as they are then. Raises InvalidInput, and takes nothing, when keys differ or are declared already, and for
        a target that is no mapping of bindings.
        """
        if not isinstance(self._target, Bindings):
            raise InvalidInput(
                f"extend: the target is a {type(self._target).__name__}, whose settings are declared once; only an "
                "engine over a mapping of bindings takes further ones"
            )
        added = Registry(parameters)
        if set(added.keys()) != bindings.keys():
            raise InvalidInput(
                f"each parameter needs one binding: declared are {sorted(added.keys())}, bound {sorted(bindings)}"
            )
        if not bindings:
            return
        extended = Registry([*self._registry, *added])
        self._target.extend(bindings)
        self._earlier.append(self._registry)
        self._registry = extended
        self._added.update(bindings)
        self._rules = replace(self._rules, registry=extended)

    def join(self, peers: Peers) -> None:
        """Make every change from now on together with `peers`, or not at all.

        A change is noted as EFFECTIVE when `take_sightings` says that all of them saw it in use.
        """
        self._peers = peers

    def sightings(self) -> dict[int, Sighting]:
        """With peers: what was seen here of changes, by id, and of which it is not noted that all have seen it."""
        watched = {each: Sighting(Use.OPEN, why=self._open.get(each, "")) for each in self._watched.values()}
        still_open = {each: seen for each, seen in watched.items() if self.history[each].phase is Kind.APPLIED}
        return {**still_open, **self._sightings}

    def take_sightings(self, joined: Mapping[int, Sighting]) -> None:
        """With peers: note what all engines together saw of each change, by its id."""
        for change_id, seen in joined.items():
            record = self.history[change_id]
            if seen.use is Use.OPEN:
                self._behind[change_id] = seen.why
                continue
            self._sightings.pop(change_id, None)
            if seen.use is Use.LOST and record.phase in {Kind.APPLIED, Kind.EFFECTIVE}:
                self._ledger.fail(record, seen.why, step=seen.step)
            elif seen.use is Use.USED and record.phase is Kind.APPLIED:
                self._ledger.note(Kind.EFFECTIVE, id=change_id, step=seen.step, found=record.after)

    def values(self) -> dict[str, float]:
        """Every parameter's live value."""
        return self._target.read()

    def state_hash(self) -> str:
        """The digest of all parameters' live values."""
        return self._registry.state_hash(self._target.read())

    def propose(self, delta: Delta, step: int, *, against: str | None = None) -> ChangeRecord:
        """As `propose_all`, for one delta."""
        return self.propose_all([delta], step, against=against)[0]

    def propose_all(
        self, deltas: Sequence[Delta], step: int, *, against: str | None = None, rules: Rules | None = None
    ) -> tuple[ChangeRecord, ...]:
        """Judge deltas of different parameters and apply them, at `step`, the number of steps taken so far.

        What the guards let through is applied together or not at all. Returns the changes: denied, failed or applied.
        An applied change becomes EFFECTIVE when the next step uses it. `against` is the state hash that the proposer
        saw. When another writer changes the state meanwhile, the deltas are resolved and judged again. Raises NotFound
        for an undeclared parameter, InvalidInput for two deltas of one parameter, and Conflict when the state is no
        longer `against` or changes of an earlier process are not settled; then nothing is written.
        """
        _require_one_per_parameter([self._registry[delta.parameter].key for delta in deltas])
        values = self._require_state(against, step)
        rules, first = rules or self._rules, self.history.next_id()
        planned = plan(enumerate(deltas, start=first), step, values, self.history, rules)
        state = self._registry.state_hash(values)
        self._ledger.note_all(
            [
                *proposed_notes(planned, self._registry, state),
                *judged_notes(planned, self._registry, values, state),
            ]
        )
        self._carry_out(planned, values, rules)
        return tuple(self.history[each.id] for each in planned)

    def rollback(self, step: int) -> tuple[ChangeRecord, ...]:
        """Take back every change that no step was seen to use; each such step is a change like any other.

        A value goes back to the last one that was seen in use; one that a declared schedule moves, to what the schedule
        would have there now without those changes. No guard is asked, since those values were judged before. A change
        that is taken back at its own `step`, before another step could use it, ends as NO_OP. Returns () when every
        live value is proven: a change that was in use is undone by proposing the way back. Raises Conflict, with every
        live value as it was, where other code moved a value on so that nobody knows what would stand there, and when
        changes of an earlier process are not settled.
        """
        self._require_settled()
        self.settle(step)
        self._look_for_losses()
        undoing = self._target.undoing() if isinstance(self._target, Bindings) else {}
        deltas = rollback_deltas(self.history, self._target.read(), undoing, self._standing)
        return self.propose_all(deltas, step, rules=Rules(self._registry, guards=())) if deltas else ()

    def settle(self, step: int) -> None:
        """Decide the outcome of every open change from the live values, and watch the changes that are still live.

        `step` is the number of optimizer steps taken so far. A change that is found in the live values goes through the
        same checks as a new one: it is applied if its user holds the value, and undone otherwise.
        """
        self._settle(step, {})

    def recover(self, step: int) -> None:
        """As `settle`, after a crash that the target survived: a proposal that never reached the target is superseded.

        It may then be proposed again. A change is UNKNOWN when nobody can say whether it was made.
        """
        still_open, live = self.history.open(), self._target.read()
        if still_open and not self._may_have_begun(still_open, live):
            self._ledger.note(Kind.RESUMED, step=step, kept=still_open[0].batch - 1, restored=[])
        self.settle(step)

    def state(self, step: int) -> ChangeState:
        """What a checkpoint must keep when it is taken now, after `step` optimizer steps."""
        self._look_for_losses()
        return self._state(step, self.history.next_id() - 1)

    def resume(self, state: ChangeState | None) -> None:
        """Continue from a checkpoint's state (None without a checkpoint); load model, optimizer and scheduler before.

        Changes made after the checkpoint belong to lost work and are superseded. A live value that loading did not
        restore is restored here, and every change that is still live is watched again. Raises InvalidInput when the
        state has other parameters, or belongs to another journal, and when there is no state although a live value is
        what a change left, ContractBroken when the live object does not take a value.
        """
        if state is None:
            self._require_anew()
        else:
            self._require_own(state)
        state = state or self._state(0, 0)
        values, live = dict(state.values), self._target.state()
        later = (live.keys() - values.keys()) & self._added
        self._require_unchanged(later)
        values.update({key: live[key] for key in later})
        if values.keys() != live.keys():
            raise InvalidInput(f"resume: the state holds {sorted(state.values)}, bound are {sorted(live)}")
        stale = [key for key in live if live[key] != values[key]]
        self._target.restore({key: values[key] for key in stale})
        found = self._target.state()
        for key in stale:
            if found[key] != values[key]:
                raise ContractBroken(f"resume: {key} was set to {values[key]} and reads back {found[key]}")
        self._end_watches()
        self._ledger.note(Kind.RESUMED, step=state.step, kept=state.last_change, restored=stale)
        self._settle(state.step, state.seen)

    def close(self) -> None:
        """End every watch. A change that no step has used until now is UNKNOWN."""
        for change_id in self._watched.values():
            reason = self._behind.get(change_id) or self._open.get(change_id)
            why = f": {reason}" if reason else ""
            self._ledger.give_up(change_id, f"the run ended before a step used it{why}")
        self._end_watches()

    def release(self) -> None:
        """End every watch and note nothing: what becomes of the changes of a run that may be resumed, nobody knows."""
        self._end_watches()

    def require_effective(self) -> None:
        """Raise ContractBroken if any change failed or is unknown; the error names the first one.

        Raises Conflict when changes of an earlier process are not settled: nobody looked at the live values.
        """
        self._require_settled()
        for record in self.history.records:
            if record.outcome in {Outcome.FAILED, Outcome.UNKNOWN}:
                raise ContractBroken(
                    f"change {record.id} of {record.delta.parameter} at step {record.step} ({record.before:g} -> "
                    f"{record.after:g}) is {record.outcome.value}: {record.reason}"
                )

    def _state(self, step: int, last_change: int) -> ChangeState:
        seen = {key: each.seen() for key, each in self._moving().items() if key in self._watched}
        return ChangeState(
            step=step,
            last_change=last_change,
            values=self._target.state(),
            journal_head=self._ledger.head,
            seen={key: each for key, each in seen.items() if each is not None},
        )

    def _settle(self, step: int, seen: Mapping[str, Seen]) -> None:
        if still_open := self.history.open():
            with self._target.locked():
                self._settle_open(still_open)
        for parameter in self._registry:
            self._settle_watch(parameter.key, step, seen.get(parameter.key))
        self._settled = True

    def _look_for_losses(self) -> None:
        """Note the losses that no step has met yet."""
        if isinstance(self._target, Bindings):
            self._target.look()

    def _moving(self) -> dict[str, MovingBinding]:
        return self._target.moving() if isinstance(self._target, Bindings) else {}

    def _require_own(self, state: ChangeState) -> None:
        newest = self.history.next_id() - 1
        if state.last_change > newest or not (state.journal_head is None or self._ledger.holds(state.journal_head)):
            raise InvalidInput(
                f"resume: the state, taken after change {state.last_change}, belongs to another journal than this one, "
                f"which holds {newest} changes; open the journal of the run that the checkpoint is of"
            )

    def _require_anew(self) -> None:
        for key, live, held, before in self._left_by_changes(self._registry.keys()):
            raise InvalidInput(
                f"resume(None) begins again, but {key} reads {live:g}, as change {held} left it, and was {before:g} "
                "before all changes: the state of a checkpoint was loaded; resume with the engine's state of that "
                "checkpoint"
            )

    def _require_unchanged(self, later: Iterable[str]) -> None:
        for key, live, held, before in self._left_by_changes(later):
            raise InvalidInput(
                f"resume: the state was taken before {key} was bound, which reads {live:g}, as change {held} left it; "
                f"set it to {before:g}, as it was before all changes, or build its object anew"
            )

    def _left_by_changes(self, keys: Iterable[str]) -> Iterator[tuple[str, float, int, float]]:
        """The settings with the value that a change left: key, value, the change, and the value before all changes."""
        values = self._target.read()
        for key in keys:
            first, held = self.history.first_touched(key), self.history.held(key)
            if first and held and values[key] == held.after != first.before:
                yield key, values[key], held.id, first.before

    def _register(self, proposers: Mapping[str, Mapping[str, Any]]) -> None:
        """Register in a new journal; in one that was begun, what is registered cannot change any more."""
        wanted, found = redacted_object(proposers), self.history.proposers
        if self._settled and wanted:
            self._ledger.note(Kind.REGISTERED, proposers=wanted)
        elif found and found != wanted:
            raise Conflict(
                f"the journal was begun with proposers {dict(found)}, now they are {wanted}; other settings of "
                "theirs need a new run"
            )

    def _may_have_begun(self, still_open: Sequence[ChangeRecord], live: Mapping[str, float]) -> bool:
        """Whether any change of the open proposal reached the target, or may have."""
        if any(each.reached and each.batch == still_open[0].batch for each in self.history.records):
            return True
        return _is_intended(still_open) and any(
            not holds(live[each.delta.parameter], each.before) for each in still_open
        )

    def _require_state(self, against: str | None, step: int) -> dict[str, float]:
        self._require_settled()
        self.settle(step)
        self._look_for_losses()
        values = self._target.read()
        if against is not None and not self._is_state(against, values):
            state = self._registry.state_hash(values)
            raise Conflict(f"proposed against state {against}, found {state}: read the live values and propose again")
        return values

    def _is_state(self, hashed: str, values: Mapping[str, float]) -> bool:
        """Whether it is the hash of these values, of all or of those that were declared at some time."""
        return any(
            registry.state_hash({each.key: values[each.key] for each in registry}) == hashed
            for registry in (self._registry, *reversed(self._earlier))
        )

    def _require_settled(self) -> None:
        if not self._settled:
            raise Conflict(
                f"the journal was begun before and holds {len(self.history.records)} changes: call resume(state) with "
                "the checkpoint's state, resume(None) to begin again, or settle(step) with the same live objects; the "
                "changes of a new run belong into a journal of its own, such as run.journal()"
            )

    def _carry_out(self, planned: Sequence[Planned], values: Mapping[str, float], rules: Rules) -> None:
        """Apply what the guards let through; when another writer was faster, plan again on the new values."""
        for _ in range(_TRIES):
            records = [self.history[each.id] for each in planned if not each.denied]
            if not records or self._apply(records, values):
                return
            values = self._target.read()
            planned = plan([(each.id, each.delta) for each in records], records[0].step, values, self.history, rules)
            state = self._registry.state_hash(values)
            self._ledger.note_all([*retried_notes(planned), *judged_notes(planned, self._registry, values, state)])
        for record in (self.history[each.id] for each in planned if not each.denied):
            self._ledger.fail(record, f"others moved the state {_TRIES} times, each time before it could be applied")

    def _apply(self, records: Sequence[ChangeRecord], values: Mapping[str, float]) -> bool:
        """Write, read back and ask the user of the values; undo everything if one of these is wrong. False: try again.

        A disk error says nothing about the change: it stays open, and is settled when the disk works again.
        """
        with self._target.locked():
            earlier_state = self._target.state()
            try:
                self._write(records, values)
            except Conflict as moved:
                if self._peers is None:
                    return False
                self._undo(records, earlier_state, self._peers.agreed(f"another writer moved the state: {moved}"))
                return True
            except StoreUnavailable:
                raise
            except SeedbedError as refusal:
                wrong = f"the live object refused it: {refusal}"
                self._undo(records, earlier_state, wrong if self._peers is None else self._peers.agreed(wrong))
                return True
            found, held, wrong = self._look(records)
            if self._peers is not None:
                wrong = self._agreed(self._peers, wrong, earlier_state)
            if wrong:
                self._undo(records, earlier_state, wrong)
                return True
            self._note_applied(records, found, held)
            for record in records:
                self._watch(record, record.step)
            return True

    def _agreed(self, peers: Peers, wrong: str, earlier_state: Mapping[str, Mapping[str, float]]) -> str:
        """Why the change that is written must be undone, here or elsewhere; without an answer nothing stays written."""
        try:
            return peers.agreed(wrong)
        except BaseException:
            self._target.restore(earlier_state)
            raise

    def _write(self, records: Sequence[ChangeRecord], values: Mapping[str, float]) -> None:
        wanted = {record.delta.parameter: record.after for record in records}
        if isinstance(self._target, Bindings):
            relative = {each.delta.parameter for each in records if each.delta.op.is_relative}
            self._target.write(wanted, values, relative)
        else:
            self._target.write(wanted, values)

    def _look(self, records: Sequence[ChangeRecord]) -> tuple[dict[str, float], Mapping[str, float] | None, str]:
        """The values kept now, the values that their user says it holds, and why the records are not applied, if so."""
        found = self._target.read()
        try:
            held = self._target.held()
        except StoreUnavailable:
            raise
        except SeedbedError as refusal:
            return found, None, f"its user refused it: {refusal}"
        return found, held, self._wrong(records, found, held)

    def _note_applied(
        self, records: Sequence[ChangeRecord], found: Mapping[str, float], held: Mapping[str, float] | None
    ) -> None:
        state = self._registry.state_hash(found)
        facts = [_applied_facts(record, found, held, state) for record in records]
        for record, each in zip(records, facts, strict=True):
            if isinstance(self._target, Bindings) and (coupled := self._target.coupled(record.delta.parameter)):
                each["coupled"] = dict(coupled)
            if isinstance(self._target, Bindings) and (way := self._target.way(record.delta.parameter)):
                each["way"] = way
        back = [
            (
                Kind.ROLLED_BACK,
                {"id": each.id, "by": record.id, "reason": f"change {record.id} took it back before a step used it"},
            )
            for record in records
            for each in taken_back(self.history, record)
            if each.id not in self._open
        ]
        self._ledger.note_all([*((Kind.APPLIED, each) for each in facts), *back])

    def _wrong(
        self, records: Sequence[ChangeRecord], found: Mapping[str, float], held: Mapping[str, float] | None
    ) -> str:
        """Why the records cannot be called applied; empty when they can."""
        for record in records:
            key = record.delta.parameter
            if not holds(found[key], record.after):
                return f"{key} read back {found[key]:g}, expected {record.after:g}"
            in_use = found[key] if held is None else held.get(key, record.before)
            if not holds(in_use, record.after) and in_use != record.before:  # the user may still hold the old value
                return f"its user holds {key} at {in_use:g}, expected {record.after:g}"
        for invariant in self._invariants:
            try:
                invariant()
            except ContractBroken as broken:
                return f"it broke what must hold of the live objects: {broken}"
        return ""

    def _undo(
        self, records: Sequence[ChangeRecord], earlier_state: Mapping[str, Mapping[str, float]], reason: str
    ) -> None:
        """Restore, then note the failure: a crash in between must not leave a failed change in the live object."""
        live = self._target.state()
        self._target.restore({key: state for key, state in earlier_state.items() if live[key] != state})
        self._note_failed(records, reason, records if self._target.state() == earlier_state else ())

    def _take_back(self, records: Sequence[ChangeRecord], reason: str) -> None:
        """As `_undo`, for what an earlier process made."""
        self._target.write({record.delta.parameter: record.before for record in records}, self._target.read())
        self._target.held()
        found = self._target.read()
        restored = [record for record in records if holds(found[record.delta.parameter], record.before)]
        self._note_failed(records, reason, restored)

    def _note_failed(self, records: Sequence[ChangeRecord], reason: str, restored: Sequence[ChangeRecord]) -> None:
        for record in records:
            self._ledger.fail(record, reason)
        done = "the former value was restored and read back"
        self._ledger.note_all([(Kind.ROLLED_BACK, {"id": record.id, "reason": done}) for record in restored])

    def _settle_open(self, still_open: Sequence[ChangeRecord]) -> None:
        for batch in sorted({record.batch for record in still_open}):
            records = [record for record in still_open if record.batch == batch]
            if _is_intended(records):
                self._settle_intended(records)
                continue
            for record in sorted(records, key=lambda each: each.phase is not Kind.INTENT):
                # Intents first: an intent that is left alone would look like one that may have been applied.
                self._ledger.fail(record, "the process ended before the intent; nothing was touched")

    def _settle_intended(self, records: Sequence[ChangeRecord]) -> None:
        """Decide from the live values whether a proposal was made; if only a part of it was, take that back."""
        found = self._target.read()
        made = [record for record in records if holds(found[record.delta.parameter], record.after)]
        if len(made) == len(records):
            found, held, wrong = self._look(made)
            if wrong:
                self._take_back(made, wrong)
            else:
                self._note_applied(made, found, held)
            return
        if made:
            self._take_back(made, "the process ended while its proposal was applied, and the rest of it was not")
        for record in records:
            if record not in made:
                self._settle_unmade(record, found[record.delta.parameter])

    def _settle_unmade(self, record: ChangeRecord, found: float) -> None:
        if holds(found, record.before):
            self._ledger.fail(record, "the process ended before it was applied", found)
        else:
            reason = f"the process ended while it was applied; the live value is {found:g}, neither old nor new"
            self._ledger.note(Kind.UNKNOWN, id=record.id, reason=reason, found=found)

    def _settle_watch(self, key: str, step: int, seen: Seen | None) -> None:
        record = self.history.held(key)
        if record is None or record.id == self._watched.get(key):
            return
        found, binding = self._target.read()[key], self._moving().get(key)
        # Others may have moved a proven value, or one that was seen, on since then.
        if holds(found, record.after) or record.phase is Kind.EFFECTIVE or (binding is not None and seen is not None):
            if binding is not None:
                binding.recall(record.before, record.after, seen)
            self._watch(record, step)
        else:
            self._ledger.give_up(record.id, f"when it was settled, the live value was {found:g}")
            self._target.watch(key, None)
            self._watched.pop(key, None)

    def _watch(self, record: ChangeRecord, step: int) -> None:
        key = record.delta.parameter
        if key in self._watched:
            self._ledger.give_up(self._watched[key], f"change {record.id} came before a step used it")
        self._watched[key] = record.id
        self._target.watch(key, lambda report: self._note_use(record.id, step + report.steps_after, report))

    def _note_use(self, change_id: int, step: int, report: UseReport) -> None:
        record = self.history[change_id]
        if self._peers is not None and record.phase not in {Kind.APPLIED, Kind.EFFECTIVE}:
            return  # a peer has lost it
        if report.use is Use.OPEN:
            self._open[change_id] = report.why
        elif report.use is Use.LOST:
            numbers = f"expected {report.expected:g}, found {exactly(report.found)}"
            if isinstance(self._target, Bindings) and holds(
                self._target.read()[record.delta.parameter], report.expected
            ):
                self._standing.add(change_id)
            reason = f"at step {step}: {numbers}; {report.why}"
            self._ledger.fail(record, reason, report.found, step)
            if self._peers is not None:
                self._sightings[change_id] = Sighting(Use.LOST, step, reason)
        elif record.phase is not Kind.EFFECTIVE and self._peers is not None:
            self._sightings.setdefault(change_id, Sighting(Use.USED, step))
        elif record.phase is not Kind.EFFECTIVE:
            self._ledger.note(Kind.EFFECTIVE, id=change_id, step=step, found=report.found)

    def _end_watches(self) -> None:
        for parameter in self._registry:
            self._target.watch(parameter.key, None)
        self._watched.clear()


def _is_intended(records: Sequence[ChangeRecord]) -> bool:
    """Whether all open changes of a proposal have an intent: only then may any of them have been made."""
    return all(record.phase is Kind.INTENT for record in records)


def _applied_facts(
    record: ChangeRecord, found: Mapping[str, float], held: Mapping[str, float] | None, state: str
) -> dict[str, Any]:
    key = record.delta.parameter
    return {"id": record.id, "found": found[key], "held": None if held is None else held.get(key), "state": state}


def _require_one_per_parameter(keys: Sequence[str]) -> None:
    repeated = sorted({key for key in keys if keys.count(key) > 1})
    if repeated:
        raise InvalidInput(
            f"one proposal holds several deltas of {repeated}: combine them into one, or propose one after another"
        )
