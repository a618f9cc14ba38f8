"""What came from outside the script is made again after its step, once, as soon as its setting is there."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from seedbed.change import ChangeEngine, Delta, Set, replay_rule
from seedbed.errors import NotFound
from seedbed.loop.repro._replayed import Replayed
from seedbed.loop.repro._trace import Trace
from seedbed.loop.settings import LiveObjects, Settings
from seedbed.records import MemoryJournal


class World:
    """A net of two layers, its optimizer and its loader, which is bound by itself."""

    def __init__(self) -> None:
        self.net = nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4)), nn.Linear(4, 1))
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=0.1)
        self.loader = DataLoader(TensorDataset(torch.zeros(24, 3)), batch_size=4)
        self.settings = Settings(LiveObjects.of(self.net, self.optimizer))
        self.engine: ChangeEngine = self.settings.engine(MemoryJournal())

    def bind_loader(self) -> None:
        self.settings.add(LiveObjects.of(loader=self.loader))

    def step(self) -> None:
        for (rows,) in self.settings.tracked(self.loader):
            self.net(rows).sum().backward()
            self.optimizer.step()
            break

    def values(self) -> dict[str, float]:
        return self.engine.values()


def replay_of(first: World) -> Replayed:
    rule = replay_rule(first.engine.history, "20260101-000000-000-0000")
    return Replayed(rule, {each.id: each for each in first.engine.history.records}, Trace())


@pytest.fixture
def first() -> World:
    """After its step 3: a rate, a module that is frozen on request, and a batch size were asked for, and were used."""
    world = World()
    world.bind_loader()
    for name, value in (("lr", 0.05), ("freeze.0.1", 1.0), ("batch_size", 8.0)):
        world.settings.propose(Delta(name, Set(value), "by hand", "somebody"), 3)
    world.step()
    return world


def test_a_setting_that_is_bound_on_request_and_one_whose_loader_comes_later_are_set_again_once(first: World) -> None:
    replayed, again = replay_of(first), World()
    replayed.outside(2, again.engine)
    assert again.values()["optimizer.lr"] == 0.1
    replayed.outside(3, again.engine)
    assert again.values()["model.freeze.0.1"] == 1.0
    assert "loader.batch_size" not in again.values()
    again.bind_loader()
    for _ in range(2):
        replayed.outside(3, again.engine)
    again.step()
    replayed.outside(4, again.engine)
    assert again.values() == first.values()
    made = [len(each.engine.history.records) for each in (first, again)]
    assert made == [3, 3]
    assert again.settings.view(4).settings  # the settings know what was bound for the replay
    assert again.settings.resolve("freeze.0.1") == "model.freeze.0.1"


def test_a_setting_that_did_not_come_before_the_next_step_is_named(first: World) -> None:
    replayed, again = replay_of(first), World()
    replayed.outside(3, again.engine)
    with pytest.raises(NotFound, match=r"loader\.batch_size"):
        replayed.outside(4, again.engine)
