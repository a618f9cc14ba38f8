"""Changes of a run in several processes: at the same step everywhere, or nowhere."""

import enum
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, final

from seedbed.change import ChangeRecord, Delta, Set, Sighting, Use, joined_sightings
from seedbed.change.parameters._operations import OPERATIONS, kind_of
from seedbed.errors import Conflict, ContractBroken
from seedbed.loop._attempt import Attempt
from seedbed.loop._stop import StopRequested
from seedbed.loop.ranks._ranks import Place, Ranks, Said

__all__ = ["Together"]

_SECONDS = 1.0
_FASTER = 4


class _Order(enum.IntEnum):
    GO = 0  # go on; the other number says after how many passes all meet again
    WAIT = 1
    PROPOSE = 2
    CHECKPOINT = 3
    STOP = 4
    FAIL = 5


class _Vote(enum.IntEnum):
    NOT_MADE = 0
    MADE = 1
    WRONG = 2


@final
class Together:
    """The changes of one run in several `ranks`, each of which has an attempt, an engine and live objects of its own.

    About once a second all meet between two steps, after a number of passes that rank 0 told at the meeting before: it
    carries out requests then, which the others hear of. A change is made by each rank, which reads it back and votes;
    if it is wrong anywhere, all undo it. It is EFFECTIVE when all saw it in use. `checkpoint` writes one.
    """

    def __init__(self, ranks: Ranks, attempt: Attempt, checkpoint: Callable[[], str | None]) -> None:
        self.ranks = ranks
        self._attempt, self._checkpoint = attempt, checkpoint
        self._has_voted = False
        self._passes = self._left = 1
        self._met = time.monotonic()
        attempt.engine.join(self)

    def agreed(self, wrong: str) -> str:
        """Why a change must be undone, here or elsewhere; called by the engine."""
        self._has_voted = True
        said = self.ranks.exchange(Place.VOTE, _Vote.WRONG if wrong else _Vote.MADE, text=wrong)
        return "; ".join(
            f"rank {rank}: {each.text or 'did not make it'}"
            for rank, each in enumerate(said)
            if each.first != _Vote.MADE
        )

    def propose(self, delta: Delta, step: int, against: str | None = None) -> tuple[ChangeRecord, ...]:
        """Propose a delta that every rank proposes at this step. Raises ContractBroken where one proposes another."""
        self._meet(Place.PROPOSE, step, told=_packed(delta))
        return self._made(delta, step, against)

    def announce(self, delta: Delta, step: int, against: str | None) -> tuple[ChangeRecord, ...]:
        """On rank 0, at a meeting: propose a delta that the others hear of now."""
        if against is None or self._attempt.settings.view(step).state == against:
            self._tell(_Order.PROPOSE, step, told=_packed(delta))
            return self._made(delta, step, None)
        return self._attempt.propose(delta, step, against)  # it raises, and writes nothing

    def announce_checkpoint(self, step: int) -> str | None:
        """On rank 0, at a meeting: write a checkpoint, of which the others hear now; None where it is owed."""
        self._tell(_Order.CHECKPOINT, step)
        return self._written()

    def announce_wait(self, step: int) -> None:
        """On rank 0, while it is paused at a meeting: keep the others waiting."""
        self._tell(_Order.WAIT, step)

    def between(self, step: int, look: Callable[[int], None], waits: Callable[[], bool]) -> None:
        """Between two passes of the loop: meet the others when that is due. `look` carries out requests, on rank 0.

        Where it `waits` with that, for the end of a step of several passes, all meet again after the next pass.
        """
        self._left -= 1
        if self._left > 0:
            return
        if self.ranks.leads and waits():
            self._left, self._passes = 1, self._passes + 1
            self._tell(_Order.GO, step, self._left)
        else:
            self.meet(step, look)

    def meet(self, step: int, look: Callable[[int], None]) -> None:
        """Meet the others now, as all of them do. `look` carries out requests, on rank 0."""
        if self.ranks.leads:
            self._lead(step, look)
        else:
            self._follow(step)

    def settle(self, place: Place, step: int) -> None:
        """Share what was seen of changes; see that they are the same everywhere. Raises ContractBroken."""
        self._meet(place, step)

    def _lead(self, step: int, look: Callable[[int], None]) -> None:
        try:
            look(step)
        except BaseException as problem:
            if not self.ranks.is_broken:
                order = _Order.STOP if isinstance(problem, StopRequested) else _Order.FAIL
                self._tell(order, step, told=str(problem))
            raise
        now = time.monotonic()
        pace = (now - self._met) / self._passes
        wanted = round(_SECONDS / pace) if pace * self._passes * _FASTER > _SECONDS else self._passes * _FASTER
        self._met, self._left = now, max(1, wanted)
        self._passes = self._left
        self._tell(_Order.GO, step, self._left)

    def _follow(self, step: int) -> None:
        while True:
            leader = self._meet(Place.BETWEEN, step)
            order, told = _Order(leader.first % _FIELD), json.loads(leader.text).get("told", "") if leader.text else ""
            match order:
                case _Order.GO:
                    self._left = leader.first // _FIELD
                    return
                case _Order.PROPOSE:
                    self._try(partial(self._made, _unpacked(told), step, None))
                case _Order.CHECKPOINT:
                    self._try(self._written)
                case _Order.STOP:
                    raise StopRequested(told)
                case _Order.FAIL:
                    raise Conflict(f"rank 0: {told}")

    def _try(self, do: Callable[[], object]) -> None:
        """Do what rank 0 does too, and answers for: what fails here must not end the training."""
        try:
            do()
        except Exception:  # also of what a library raises as it writes
            if self.ranks.is_broken:
                raise

    def _written(self) -> str | None:
        """Write a checkpoint in each process. Raises what this one raises, and Conflict where it fails in another."""
        told, problem = None, None
        try:
            told = self._checkpoint()
        except Exception as error:  # whatever a library raises: the others hear of it
            if self.ranks.is_broken:
                raise
            problem = error
        said = self.ranks.exchange(Place.SAVED, text="" if problem is None else f"{type(problem).__name__}: {problem}")
        if problem is not None:
            raise problem
        if failed := [f"rank {rank}: {each.text}" for rank, each in enumerate(said) if each.text]:
            raise Conflict("; ".join(failed))
        return told

    def _made(self, delta: Delta, step: int, against: str | None) -> tuple[ChangeRecord, ...]:
        self._has_voted = False
        try:
            return self._attempt.propose(delta, step, against)
        finally:
            if not self._has_voted and not self.ranks.is_broken:
                self.ranks.exchange(Place.VOTE, _Vote.NOT_MADE)

    def _tell(self, order: _Order, step: int, left: int = 0, told: str = "") -> None:
        self._meet(Place.BETWEEN, step, order + _FIELD * left, told)

    def _meet(self, place: Place, step: int, first: int = 0, told: str = "") -> Said:
        """Share the state and what was seen of changes; what rank 0 said."""
        engine = self._attempt.engine
        seen = {str(each): asdict(sighting) for each, sighting in engine.sightings().items()}
        content = {**({"seen": seen} if seen else {}), **({"told": told} if told else {})}
        said = self.ranks.exchange(place, first, self._digest(step), json.dumps(content) if content else "")
        read: list[dict[str, Any]] = [json.loads(each.text) if each.text else {} for each in said]
        if len({each.second for each in said}) > 1:
            self._name_the_different(step)
        if place is Place.PROPOSE and len({each.get("told") for each in read}) > 1:
            told_by = "; ".join(f"rank {rank}: {each.get('told')}" for rank, each in enumerate(read))
            raise ContractBroken(f"the processes of the run propose different changes after step {step}: {told_by}")
        if any("seen" in each for each in read):
            engine.take_sightings(joined_sightings([_sightings(each.get("seen", {})) for each in read]))
        return said[0]

    def _state(self, step: int) -> dict[str, Any]:
        """What must be the same everywhere: the steps, the changes, and the values that these have touched."""
        history, values = self._attempt.engine.history, self._attempt.engine.values()
        touched = {record.delta.parameter for record in history.records if record.touched}
        return {"steps": step, "changes": len(history.records), **{key: values[key] for key in sorted(touched)}}

    def _digest(self, step: int) -> int:
        data = hashlib.sha256(json.dumps(self._state(step)).encode()).digest()
        return int.from_bytes(data[:7], "big")

    def _name_the_different(self, step: int) -> None:
        said = self.ranks.exchange(Place.VOTE, text=json.dumps(self._state(step)))
        states = [json.loads(each.text) for each in said]
        told = [
            f"rank {rank} has {key} {state.get(key)}, rank 0 has {states[0].get(key)}"
            for rank, state in enumerate(states)
            for key in sorted({*state, *states[0]})
            if state.get(key) != states[0].get(key)
        ]
        self.ranks.is_broken = True
        raise ContractBroken(
            f"the processes of the run are not in one state after step {step}: {'; '.join(told)}; propose changes, "
            "and step optimizers and schedulers, equally in each of them"
        )


_FIELD = len(_Order)


def _packed(delta: Delta) -> str:
    operation = {
        "kind": kind_of(delta.op),
        "value": delta.op.value,
        "relative": isinstance(delta.op, Set) and delta.op.is_relative,
    }
    return json.dumps([delta.parameter, operation, delta.reason, delta.proposer, delta.request])


def _unpacked(text: str) -> Delta:
    parameter, op, reason, proposer, request = json.loads(text)
    kind, value = OPERATIONS[op["kind"]], op["value"]
    operation = Set(value, is_relative=True) if op["relative"] else kind(value)
    return Delta(parameter, operation, reason, proposer, request)


def _sightings(told: Mapping[str, Mapping[str, Any]]) -> dict[int, Sighting]:
    return {int(each): Sighting(Use(seen["use"]), seen["step"], seen["why"]) for each, seen in told.items()}
