"""The path of a change: proposed, guarded, intended, applied, read back, and seen in use."""

from collections.abc import Mapping, Sequence
from ctypes import c_float
from typing import final

from seedbed.change._binding import Binding, Sighting
from seedbed.change._case import Case, Guard, Move
from seedbed.change._checkpoint import ChangeState
from seedbed.change._delta import Delta
from seedbed.change._guards import GUARDS, judge_proposal
from seedbed.change._history import ChangeHistory, ChangeRecord, Kind
from seedbed.change._ledger import Ledger
from seedbed.change._parameter import Parameter
from seedbed.contracts import Outcome
from seedbed.errors import Conflict, ContractBroken, InvalidInput, NotFound, SeedbedError
from seedbed.records import Journal, digest

__all__ = ["ChangeEngine"]


@final
class ChangeEngine:
    """Changes live settings so that every change is guarded, durable before it is made, read back, and proven in use.

    `bindings` and `parameters` name the same keys; anything else raises InvalidInput. The history is a fold over the
    journal and nothing else. Around a journal that already holds changes, call `resume` (another process began) or
    `settle` (the live objects are still the same ones) before the first proposal.
    """

    def __init__(
        self,
        journal: Journal,
        bindings: Mapping[str, Binding],
        parameters: Sequence[Parameter],
        guards: Sequence[Guard] = GUARDS,
    ) -> None:
        self._parameters = {parameter.key: parameter for parameter in parameters}
        if self._parameters.keys() != bindings.keys():
            raise InvalidInput(
                f"each parameter needs one binding: declared are {sorted(self._parameters)}, bound {sorted(bindings)}"
            )
        self._bindings = dict(bindings)
        self._guards = tuple(guards)
        self._ledger = Ledger(journal)
        self._watched: dict[str, int] = {}
        self._settled = not journal.entries()

    @property
    def history(self) -> ChangeHistory:
        """Every change so far."""
        return self._ledger.history

    def state_hash(self) -> str:
        """The digest of all parameters' live values."""
        return digest({key: binding.read() for key, binding in self._bindings.items()})

    def propose(self, delta: Delta, step: int, *, against: str | None = None) -> ChangeRecord:
        """Take a delta down the whole path at `step`, the number of optimizer steps taken so far.

        Returns the change as it stands: denied, failed, or applied; an applied one becomes EFFECTIVE when the next
        optimizer step uses it. `against` is the state hash that the proposer saw. Raises NotFound for an undeclared
        parameter, and Conflict when the state has moved on since `against` or an earlier process's changes were not
        settled; nothing is written then.
        """
        if delta.parameter not in self._parameters:
            raise NotFound(f"no parameter {delta.parameter!r}; declared are {sorted(self._parameters)}")
        state = self._require_state(against, step)
        record = self._guard(self._propose(delta, step, state))
        if not record.denied:
            self._ledger.note(Kind.INTENT, id=record.id, before=record.before, after=record.after, state=state)
            self._apply(record, state)
        return self.history[record.id]

    def settle(self, step: int) -> None:
        """Decide, from the live values, every change that was left open, and watch those still held.

        `step` is the number of optimizer steps taken so far.
        """
        for record in self.history.records:
            if record.phase is Kind.INTENT:
                self._settle_intent(record)
            elif record.phase in {Kind.PROPOSED, Kind.GUARDED} and not record.denied:
                self._ledger.fail(record, "the process ended before the intent; nothing was touched")
        for key in self._bindings:
            self._settle_watch(key, step)
        self._settled = True

    def state(self, step: int) -> ChangeState:
        """What a checkpoint taken now, after `step` optimizer steps, must keep."""
        values = {key: binding.state() for key, binding in self._bindings.items()}
        return ChangeState(step=step, last_change=self.history.next_id() - 1, values=values)

    def resume(self, state: ChangeState | None) -> None:
        """Go on from a checkpoint's state, once model, optimizer and scheduler are loaded; None without a checkpoint.

        Changes made after the checkpoint belong to lost work and are superseded. A live value that loading did not
        bring back is restored, and every change still held is watched again. Raises InvalidInput when the state is of
        other parameters, ContractBroken when the live object does not take a value.
        """
        state = state or self.state(0).model_copy(update={"last_change": 0})
        values = state.values
        if values.keys() != self._bindings.keys():
            raise InvalidInput(f"resume: the state holds {sorted(values)}, bound are {sorted(self._bindings)}")
        stale = [key for key, binding in self._bindings.items() if binding.state() != values[key]]
        for key in stale:
            self._bindings[key].restore(values[key])
            if (found := self._bindings[key].state()) != values[key]:
                raise ContractBroken(f"resume: {key} was set to {values[key]} and reads back {found}")
        self._end_watches()
        self._ledger.note(Kind.RESUMED, step=state.step, kept=state.last_change, restored=stale)
        self.settle(state.step)

    def close(self) -> None:
        """End every watch. A change that no optimizer step has used by then is UNKNOWN."""
        for change_id in self._watched.values():
            self._ledger.give_up(change_id, "the run ended before an optimizer step used it")
        self._end_watches()

    def require_effective(self) -> None:
        """Raise ContractBroken, naming the first, if any change failed or is unknown."""
        for record in self.history.records:
            if record.outcome in {Outcome.FAILED, Outcome.UNKNOWN}:
                raise ContractBroken(
                    f"change {record.id} of {record.delta.parameter} at step {record.step} ({record.before:g} -> "
                    f"{record.after:g}) is {record.outcome.value}: {record.reason}"
                )

    def _require_state(self, against: str | None, step: int) -> str:
        if not self._settled:
            raise Conflict(
                f"the journal already holds {len(self.history.records)} changes: call resume(state) with the "
                "checkpoint's state, resume(None) to begin again, or settle(step) if the live objects are the same ones"
            )
        self.settle(step)
        state = self.state_hash()
        if against not in {None, state}:
            raise Conflict(f"proposed against state {against}, found {state}: read the live values and propose anew")
        return state

    def _propose(self, delta: Delta, step: int, state: str) -> ChangeRecord:
        before = self._bindings[delta.parameter].read()
        change_id = self.history.next_id()
        self._ledger.note(
            Kind.PROPOSED,
            id=change_id,
            step=step,
            parameter=delta.parameter,
            unit=self._parameters[delta.parameter].unit,
            op={"kind": type(delta.op).__name__.upper(), "value": delta.op.value},
            reason=delta.reason,
            proposer=delta.proposer,
            before=before,
            wanted=delta.resolve(before),
            state=state,
        )
        return self.history[change_id]

    def _guard(self, record: ChangeRecord) -> ChangeRecord:
        key = record.delta.parameter
        move = Move(record.step, record.before, record.wanted)
        ruling = judge_proposal(self._guards, Case(self._parameters[key], move, tuple(self.history.moves(key))))
        self._ledger.note(
            Kind.GUARDED,
            id=record.id,
            decision=ruling.decision.value,
            guard=ruling.guard,
            after=ruling.after,
            reason=ruling.reason,
        )
        return self.history[record.id]

    def _apply(self, record: ChangeRecord, state: str) -> None:
        binding = self._bindings[record.delta.parameter]
        if (moved_to := self.state_hash()) != state:
            self._ledger.fail(record, f"the state moved from {state} to {moved_to} before it could be applied")
            return
        former = binding.state()
        try:
            binding.write(record.after)
        except SeedbedError as refusal:
            self._undo(record, former, f"the live object refused it: {refusal}")
            return
        found = binding.read()
        if not _holds(found, record.after):
            self._undo(record, former, f"read back {found:g}, expected {record.after:g}")
            return
        self._ledger.note(Kind.APPLIED, id=record.id, found=found, state=self.state_hash())
        self._watch(record, record.step)

    def _undo(self, record: ChangeRecord, former: Mapping[str, float], reason: str) -> None:
        self._ledger.fail(record, reason)
        binding = self._bindings[record.delta.parameter]
        binding.restore(former)
        if binding.state() == former:
            self._ledger.note(Kind.ROLLED_BACK, id=record.id, reason="the former value was restored and read back")

    def _settle_intent(self, record: ChangeRecord) -> None:
        found = self._bindings[record.delta.parameter].read()
        if _holds(found, record.after):
            self._ledger.note(Kind.APPLIED, id=record.id, found=found, state=self.state_hash())
        elif _holds(found, record.before):
            self._ledger.fail(record, "the process ended before it was applied", found)
        else:
            reason = f"the process ended while it was applied; the live value is {found:g}, neither old nor new"
            self._ledger.note(Kind.UNKNOWN, id=record.id, reason=reason, found=found)

    def _settle_watch(self, key: str, step: int) -> None:
        record = self.history.held(key)
        if record is None or record.id == self._watched.get(key):
            return
        found = self._bindings[key].read()
        if record.phase is Kind.EFFECTIVE or _holds(found, record.after):  # a proven value may decay as scheduled
            self._watch(record, step)
        else:
            self._ledger.give_up(record.id, f"when it was settled, the live value was {found:g}")
            self._bindings[key].watch(None)
            self._watched.pop(key, None)

    def _watch(self, record: ChangeRecord, step: int) -> None:
        key = record.delta.parameter
        if key in self._watched:
            self._ledger.give_up(self._watched[key], f"change {record.id} came before an optimizer step used it")
        self._watched[key] = record.id
        self._bindings[key].watch(lambda sighting: self._saw(record.id, step + sighting.steps_after, sighting))

    def _saw(self, change_id: int, step: int, sighting: Sighting) -> None:
        record = self.history[change_id]
        if sighting.why:
            numbers = f"expected {sighting.expected:g}, found {sighting.found:g}"
            self._ledger.fail(record, f"at step {step}: {numbers}; {sighting.why}", sighting.found)
        elif record.phase is not Kind.EFFECTIVE:
            self._ledger.note(Kind.EFFECTIVE, id=change_id, step=step, found=sighting.found)

    def _end_watches(self) -> None:
        for binding in self._bindings.values():
            binding.watch(None)
        self._watched.clear()


def _holds(found: float, wanted: float) -> bool:
    """Whether `found` is the value wanted, or what a float32 tensor keeps of it."""
    return found in {wanted, c_float(wanted).value}
