"""A settings file and its lock, across processes and within one."""

from pathlib import Path

import pytest

from seedbed.change import ChangeEngine, Delta, Number, Parameter, Registry, Set, SettingsFile
from seedbed.contracts import Outcome
from seedbed.errors import StoreUnavailable
from seedbed.records import MemoryJournal, read_json_with_hash
from seedbed.testing import durable_faults, fails_with

REGISTRY = Registry([Parameter("workers", "1", 1, 16, number=Number.INT, lag_steps=3)])
FIRST = {"workers": 4.0}


class Reader:
    """Holds what the file holds, and may do something else first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.num_looks = 0

    def reload(self) -> dict[str, float]:
        self.num_looks += 1
        return REGISTRY.get_all(read_json_with_hash(self.path)[0])


class World:
    def __init__(self, folder: Path, journal: MemoryJournal) -> None:
        self.reader = Reader(folder / "settings.json")
        self.file = SettingsFile(self.reader.path, REGISTRY, self.reader)
        if not self.reader.path.exists():
            self.file.create(FIRST)
        self.engine = ChangeEngine(journal, self.file, REGISTRY)

    def propose(self) -> None:
        self.engine.propose(Delta("workers", Set(8.0), "r", "me"), step=1)

    @property
    def outcome(self) -> Outcome:
        return self.engine.history[1].outcome


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


def resumed(tmp_path: Path, journal: MemoryJournal, *, waited_steps: int) -> World:
    world = World(tmp_path, journal)
    world.engine.recover(1 + waited_steps)
    world.file.resume_watch("workers", former=4.0, waited_steps=waited_steps, seen=False)
    return world


@pytest.mark.parametrize("waited", [0, 1, 2])
def test_a_watch_that_another_process_began_goes_on_counting_where_it_stood(
    tmp_path: Path, journal: MemoryJournal, waited: int
) -> None:
    world = World(tmp_path, journal)
    world.propose()
    for _ in range(waited):
        world.file.note_use(FIRST)
    world = resumed(tmp_path, journal, waited_steps=waited)
    for _ in range(2 - waited):
        world.file.note_use(FIRST)
        assert world.outcome is Outcome.UNKNOWN
    world.file.note_use(FIRST)
    assert world.outcome is Outcome.FAILED
    assert world.engine.history[1].reason == (
        "at step 4: expected 8, found 4; the step ran with 4, still, 3 steps after"
    )


def test_a_watch_that_had_seen_its_value_takes_the_former_one_for_a_loss(
    tmp_path: Path, journal: MemoryJournal
) -> None:
    world = World(tmp_path, journal)
    world.propose()
    world.file.note_use({"workers": 8.0})
    world = World(tmp_path, journal)
    world.engine.recover(2)
    world.file.resume_watch("workers", former=4.0, waited_steps=1, seen=True)
    world.file.note_use(FIRST)
    assert "which nobody set here" in world.engine.history[1].reason


def test_what_is_not_watched_cannot_be_recalled(tmp_path: Path, journal: MemoryJournal) -> None:
    world = World(tmp_path, journal)
    world.file.resume_watch("workers", former=4.0, waited_steps=1, seen=True)
    world.file.note_use(FIRST)
    assert journal.entries() == []


def test_the_lock_may_be_taken_again_while_held_and_is_released_by_an_error(
    tmp_path: Path, journal: MemoryJournal
) -> None:
    world = World(tmp_path, journal)
    with pytest.raises(KeyError), world.file.locked(), world.file.locked():
        raise KeyError
    world.propose()
    other = SettingsFile(world.reader.path, REGISTRY, world.reader)
    other.write({"workers": 5.0}, {"workers": 8.0})
    assert other.read() == {"workers": 5.0}


def test_a_disk_that_refuses_is_no_verdict_on_a_change(tmp_path: Path, journal: MemoryJournal) -> None:
    world = World(tmp_path, journal)
    with durable_faults(1, fails_with(5)), pytest.raises(StoreUnavailable):
        world.propose()
    assert world.outcome is Outcome.UNKNOWN
    world.engine.recover(1)
    assert [len(each) for each in (world.engine.history.records, world.engine.history.superseded)] == [0, 1]
    world.propose()
    world.file.note_use({"workers": 8.0})
    assert world.engine.history[2].outcome is Outcome.EFFECTIVE
