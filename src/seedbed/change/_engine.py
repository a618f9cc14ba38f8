"""The engine: a change is proposed, guarded, intended, applied, read back, and seen in use."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, final

from seedbed.change._checkpoint import ChangeState, Seen
from seedbed.change._history import ChangeHistory, fold
from seedbed.change._record import ChangeRecord, Kind
from seedbed.change._rollback import rollback_deltas
from seedbed.change._summary import summary
from seedbed.change.bindings._binding import Binding
from seedbed.change.bindings._peers import Peers, Sighting
from seedbed.change.bindings._target import Target
from seedbed.change.guards._guards import GUARDS
from seedbed.change.guards._proposal import Guard
from seedbed.change.parameters._delta import Delta
from seedbed.change.parameters._parameter import Parameter
from seedbed.change.phases._applier import Applier
from seedbed.change.phases._bound_settings import BoundSettings
from seedbed.change.phases._ledger import ChangeJournal, Ledger
from seedbed.change.phases._plan import Rules, judged_notes, plan, proposed_notes
from seedbed.change.phases._read_back import Invariant
from seedbed.change.phases._resuming import require_anew, require_own, restore
from seedbed.change.phases._settler import Settler, may_have_begun
from seedbed.change.phases._watches import Watches
from seedbed.contracts import Outcome
from seedbed.errors import Conflict, ContractBroken, InvalidInput
from seedbed.records.canonical import redacted_object

__all__ = ["ChangeEngine", "Invariant"]


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
        self._settings = BoundSettings(target, parameters)
        self._rules = Rules(self._settings.registry, tuple(guards))
        self._ledger = Ledger(journal)
        self._watches = Watches(self._settings, self._ledger)
        self._applier = Applier(self._settings, self._ledger, self._watches, invariants)
        self._settler = Settler(self._settings.target, self._ledger, self._applier)
        self._find: Callable[[str], object] | None = None
        # Until it is settled what became of an earlier process's changes, nobody can tell of them.
        self._is_settled = not journal.entries()
        self._at_end: list[Callable[[], None]] = []
        journal.summarise_with(
            lambda: summary(fold(journal.entries())).model_dump(mode="json") if self._is_settled else None
        )
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
        self._settings.extend(bindings, parameters)
        self._rules = replace(self._rules, registry=self._settings.registry)

    def ask(self, find: Callable[[str], object]) -> None:
        """Before a change of an undeclared parameter is refused, call `find` with its key, which may `extend` by it."""
        self._find = find

    def join(self, peers: Peers) -> None:
        """Make every change from now on together with `peers`, or not at all.

        A change is noted as EFFECTIVE when `take_sightings` says that all of them saw it in use.
        """
        self._applier.join(peers)
        self._watches.join()

    def sightings(self) -> dict[int, Sighting]:
        """With peers: what was seen here of changes, by id, and of which it is not noted that all have seen it."""
        return self._watches.sightings()

    def take_sightings(self, joined: Mapping[int, Sighting]) -> None:
        """With peers: note what all engines together saw of each change, by its id."""
        self._watches.take_sightings(joined)

    def values(self) -> dict[str, float]:
        """Every parameter's live value."""
        return self._settings.target.read()

    def state_hash(self) -> str:
        """The digest of all parameters' live values."""
        return self._settings.registry.state_hash(self._settings.target.read())

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
        for delta in deltas:
            if self._find is not None and delta.parameter not in self._settings.registry:
                self._find(delta.parameter)
        registry = self._settings.registry
        _require_one_per_parameter([registry[delta.parameter].key for delta in deltas])
        values = self._require_state(against, step)
        rules, first = rules or self._rules, self.history.next_id()
        planned = plan(enumerate(deltas, start=first), step, values, self.history, rules)
        state = registry.state_hash(values)
        self._ledger.note_all(
            [*proposed_notes(planned, registry, state), *judged_notes(planned, registry, values, state)]
        )
        self._applier.carry_out(planned, values, rules)
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
        live = self._look(step)
        deltas = rollback_deltas(self.history, live, self._settings.undoing(), self._watches.standing)
        return self.propose_all(deltas, step, rules=Rules(self._settings.registry, guards=())) if deltas else ()

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
        still_open, live = self.history.open(), self._settings.target.read()
        if still_open and not may_have_begun(self.history, still_open, live):
            self._ledger.note(Kind.RESUMED, step=step, kept=still_open[0].batch - 1, restored=[])
        self.settle(step)

    def state(self, step: int) -> ChangeState:
        """What a checkpoint must keep when it is taken now, after `step` optimizer steps."""
        self._settings.look_for_losses()
        return self._state(step, self.history.next_id() - 1)

    def resume(self, state: ChangeState | None) -> None:
        """Continue from a checkpoint's state (None without a checkpoint); load model, optimizer and scheduler before.

        Changes made after the checkpoint belong to lost work and are superseded. A live value that loading did not
        restore is restored here, and every change that is still live is watched again. Raises InvalidInput when the
        state has other parameters, or belongs to another journal, and when there is no state although a live value is
        what a change left, ContractBroken when the live object does not take a value.
        """
        if state is None:
            require_anew(self._settings, self.history)
            state = self._state(0, 0)
        else:
            require_own(state, self._ledger)
        restored = restore(state, self._settings, self.history)
        self._watches.end()
        self._ledger.note(Kind.RESUMED, step=state.step, kept=state.last_change, restored=restored)
        self._settle(state.step, state.seen)

    def close(self) -> None:
        """End every watch. A change that no step has used until now is UNKNOWN."""
        self._watches.give_up()
        self.release()

    def release(self) -> None:
        """End every watch and note nothing: what becomes of the changes of a run that may be resumed, nobody knows."""
        self._watches.end()
        for call in self._at_end:
            call()

    def at_end(self, call: Callable[[], None]) -> None:
        """Call this whenever the watches end: for what a guard or an invariant watches by itself."""
        self._at_end.append(call)

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
        return ChangeState(
            step=step,
            last_change=last_change,
            values=self._settings.target.state(),
            journal_head=self._ledger.head,
            seen=self._watches.seen(),
        )

    def _settle(self, step: int, seen: Mapping[str, Seen]) -> None:
        self._settler.settle_open()
        self._watches.settle(step, seen)
        self._is_settled = True

    def _look(self, step: int) -> dict[str, float]:
        """Every live value, when all that can be known of earlier changes is noted."""
        self._require_settled()
        self.settle(step)
        self._settings.look_for_losses()
        return self._settings.target.read()

    def _require_state(self, against: str | None, step: int) -> dict[str, float]:
        values = self._look(step)
        if against is not None and not self._settings.is_state(against, values):
            state = self._settings.registry.state_hash(values)
            raise Conflict(f"proposed against state {against}, found {state}: read the live values and propose again")
        return values

    def _require_settled(self) -> None:
        if not self._is_settled:
            raise Conflict(
                f"the journal was begun before and holds {len(self.history.records)} changes: call resume(state) with "
                "the checkpoint's state, resume(None) to begin again, or settle(step) with the same live objects; the "
                "changes of a new run belong into a journal of its own, such as run.journal()"
            )

    def _register(self, proposers: Mapping[str, Mapping[str, Any]]) -> None:
        """Register in a new journal; in one that was begun, what is registered cannot change any more."""
        wanted, found = redacted_object(proposers), self.history.proposers
        if self._is_settled and wanted:
            self._ledger.note(Kind.REGISTERED, proposers=wanted)
        elif found and found != wanted:
            raise Conflict(
                f"the journal was begun with proposers {dict(found)}, now they are {wanted}; other settings of "
                "theirs need a new run"
            )


def _require_one_per_parameter(keys: Sequence[str]) -> None:
    repeated = sorted({key for key in keys if keys.count(key) > 1})
    if repeated:
        raise InvalidInput(
            f"one proposal holds several deltas of {repeated}: combine them into one, or propose one after another"
        )
