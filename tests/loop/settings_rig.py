"""A small loop whose settings are found, as the tests of settings drive it."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.utils.data import DataLoader, TensorDataset

from seedbed.change import Add, ChangeJournal, ChangeRecord, Delta, Operation, Scale, Set
from seedbed.loop.settings import LiveObjects, Settings
from seedbed.records import MemoryJournal


@pytest.fixture(autouse=True)
def nothing_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no search for schedulers walk through all that the suite put aside."""
    monkeypatch.setattr("seedbed.change.bindings.schedules._live_schedulers._hidden", list)


class Net(nn.Module):
    """Two parts that hold weights, of layers, and dropout between them."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8))
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.drop(self.encoder(x).relu()))


class Loop:
    """A training loop; `step` is one optimizer step, and counts them."""

    def __init__(
        self,
        optimizer: Optimizer | None = None,
        scheduler: object = None,
        settings: Mapping[str, Any] = MappingProxyType({}),
        journal: ChangeJournal | None = None,
    ) -> None:
        torch.manual_seed(0)
        self.model = Net()
        self.optimizer = optimizer or AdamW(self.model.parameters(), lr=1e-3)
        self.objects = live(self.model, self.optimizer, scheduler)
        self.settings = Settings(self.objects, settings)
        self.engine = self.settings.engine(journal or MemoryJournal())
        self.num_steps = 0
        data = TensorDataset(torch.randn(64, 4), torch.randn(64, 1))
        self.loader = DataLoader(data, batch_size=8)

    def batch(self) -> Sequence[Tensor]:
        made = torch.Generator().manual_seed(self.num_steps)
        return torch.randn(8, 4, generator=made), torch.randn(8, 1, generator=made)

    def backward(self, batch: Sequence[Tensor] | None = None) -> None:
        x, y = batch or self.batch()
        (self.model(x) - y).square().mean().backward()

    def step(self, num: int = 1, *, clip: float | None = None) -> None:
        for _ in range(num):
            self.backward()
            if clip is not None:
                self.settings.clip(self.model.parameters(), clip)
            self.update()

    def update(self) -> None:
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.num_steps += 1

    def over(self, loader: DataLoader) -> Iterator[int]:
        """Train on the batches of a loader, as counted; the rows of each."""
        self.settings.add(LiveObjects(loaders={"": loader}))
        for batch in self.settings.tracked(loader):
            self.backward(batch)
            self.update()
            yield len(batch[0])

    def propose(self, name: str, op: Operation, *, against: str | None = None) -> tuple[ChangeRecord, ...]:
        return self.settings.propose(Delta(name, op, "by hand", "me"), self.num_steps, against=against)

    def outcome(self, change: ChangeRecord) -> str:
        return self.engine.history[change.id].outcome.value


def live(model=None, optimizer=None, scheduler=None, loader=None) -> LiveObjects:
    """The live objects, each one or several by name."""
    return LiveObjects.of(model, optimizer, scheduler, loader)


def keys(objects: LiveObjects) -> list[str]:
    return [each.key for each in Settings(objects).found]


__all__ = ["Add", "Loop", "Net", "Scale", "Set", "keys", "live", "nothing_is_hidden"]
