"""Engines that change their settings together: a change is made by all of them or by none, and used by all of them."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import final

import pytest
from change_knob import Knob

from seedbed.change import ChangeEngine, Delta, Kind, Parameter, Set, joined_sightings
from seedbed.contracts import Outcome
from seedbed.errors import InvalidInput, StoreUnavailable
from seedbed.records import MemoryJournal

PARAMETERS = [Parameter(key, unit="1", low=0.0, high=1.0) for key in ("rate", "size")]
BOTH = [Delta("rate", Set(0.5), "together", "me"), Delta("size", Set(0.5), "together", "me")]


@final
class Seat:
    """One of the peers that sit in the threads of a process, each of which hears what is wrong with the others."""

    def __init__(self, rank: int, said: list[str], barrier: Barrier) -> None:
        self.rank, self.said, self.barrier = rank, said, barrier

    def agreed(self, wrong: str) -> str:
        self.said[self.rank] = wrong
        self.barrier.wait()
        heard = "; ".join(f"rank {rank}: {each}" for rank, each in enumerate(self.said) if each)
        self.barrier.wait()
        return heard


@final
class Alone:
    """Peers that do not answer any more."""

    def agreed(self, wrong: str) -> str:
        raise StoreUnavailable("the others are gone")


Knobs = dict[str, Knob]


def knobs() -> Knobs:
    return {"rate": Knob(0.1), "size": Knob(0.1)}


def values(of: Knobs) -> list[float]:
    return [each.value for each in of.values()]


def joined(worlds: list[Knobs]) -> list[ChangeEngine]:
    said, barrier = [""] * len(worlds), Barrier(len(worlds), timeout=60)
    engines = [ChangeEngine(MemoryJournal(), each, PARAMETERS) for each in worlds]
    for rank, engine in enumerate(engines):
        engine.join(Seat(rank, said, barrier))
    return engines


def propose_everywhere(engines: list[ChangeEngine]) -> None:
    with ThreadPoolExecutor(len(engines)) as threads:
        list(threads.map(lambda engine: engine.propose_all(BOTH, step=3), engines))


def share_sightings(engines: list[ChangeEngine]) -> None:
    seen = joined_sightings([engine.sightings() for engine in engines])
    for engine in engines:
        engine.take_sightings(seen)


def refuse(value: float) -> float:
    raise InvalidInput(f"{value} is not for me")


def test_a_change_is_effective_when_every_peer_used_it():
    worlds = [knobs(), knobs()]
    engines = joined(worlds)
    propose_everywhere(engines)
    assert [values(each) for each in worlds] == [[0.5, 0.5], [0.5, 0.5]]
    worlds[0]["rate"].step()
    share_sightings(engines)
    assert [engine.history[1].phase for engine in engines] == [Kind.APPLIED, Kind.APPLIED]
    worlds[1]["rate"].step()
    share_sightings(engines)
    assert [engine.history[1].outcome for engine in engines] == [Outcome.EFFECTIVE, Outcome.EFFECTIVE]


def test_a_change_that_one_peer_lost_has_failed_on_all():
    worlds = [knobs(), knobs()]
    engines = joined(worlds)
    propose_everywhere(engines)
    worlds[0]["rate"].step()
    worlds[1]["rate"].step(used=0.1)
    share_sightings(engines)
    assert [engine.history[1].outcome for engine in engines] == [Outcome.FAILED, Outcome.FAILED]
    assert engines[0].history[1].reason.startswith("rank 1: at step 4")


def test_what_one_peer_refuses_is_undone_on_all():
    worlds = [knobs(), knobs()]
    worlds[1]["size"].accepts = refuse
    engines = joined(worlds)
    propose_everywhere(engines)
    assert [values(each) for each in worlds] == [[0.1, 0.1], [0.1, 0.1]]
    for engine in engines:
        assert [each.phase for each in engine.history.records] == [Kind.ROLLED_BACK, Kind.ROLLED_BACK]
        assert engine.history[1].reason.startswith("rank 1: the live object refused it")


def test_a_change_that_peers_never_saw_in_use_ends_with_who_is_behind():
    worlds = [knobs(), knobs()]
    engines = joined(worlds)
    propose_everywhere(engines)
    worlds[0]["rate"].step()
    share_sightings(engines)
    engines[0].close()
    assert engines[0].history[1].outcome is Outcome.UNKNOWN
    assert "rank 1: no step was seen to use it" in engines[0].history[1].reason


@pytest.mark.parametrize("is_refused", [False, True])
def test_nothing_stays_written_when_the_peers_do_not_answer(is_refused):
    world = knobs()
    if is_refused:
        world["size"].accepts = refuse  # when the rate is written already
    engine = ChangeEngine(MemoryJournal(), world, PARAMETERS)
    engine.join(Alone())
    with pytest.raises(StoreUnavailable, match="the others are gone"):
        engine.propose_all(BOTH, step=3)
    assert values(world) == [0.1, 0.1]
    assert [each.phase for each in engine.history.records] == [Kind.INTENT, Kind.INTENT]
