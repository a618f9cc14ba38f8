"""What the tests of the door share: a small model, its data, and a run around them."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

import seedbed
from seedbed.records import Commit, Event, Store, run_events

QUIET_RUNTIME = {"sdpa": "off", "flash": "off", "amp": "off", "cdc": "off"}


class Work:
    """A classifier of 96 points, 12 batches of 8, with Adam and a cosine."""

    loader: Any
    model: Any
    optimizer: Any
    scheduler: Any

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.x = torch.randn(96, 4)
        self.y = (self.x.sum(1) > 0).long()
        self.loader = DataLoader(TensorDataset(self.x, self.y), batch_size=8, shuffle=True)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1), nn.ReLU(), nn.Linear(8, 2))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2)
        self.scheduler = lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=48)

    def start(self, store: Path | Store, **more: Any) -> "seedbed.Run":
        given = {"project": "tests", "store": store, "runtime": QUIET_RUNTIME, "quiet": True, **more}
        return seedbed.start(self.model, self.optimizer, self.scheduler, **given)

    def step(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The user's lines."""
        loss = nn.functional.cross_entropy(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return loss

    def micro_step(self, x: torch.Tensor, y: torch.Tensor, *, is_last: bool) -> None:
        """The user's lines where several batches make one step of the optimizer; the scheduler stays."""
        nn.functional.cross_entropy(self.model(x), y).backward()
        if is_last:
            self.optimizer.step()
            self.optimizer.zero_grad()

    def weights(self) -> torch.Tensor:
        return torch.cat([weight.detach().flatten().clone() for weight in self.model.parameters()])

    def hooks(self) -> int:
        """How many hooks there are on the optimizer and on the modules."""
        of_modules = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in self.model.modules()]
        of_optimizer = len(self.optimizer._optimizer_step_pre_hooks) + len(self.optimizer._optimizer_step_post_hooks)
        return sum(of_modules) + of_optimizer


def twin_losses(num: int, seed: int = 0) -> list[float]:
    """The losses of `num` steps of the same loop without Seedbed."""
    work = Work(seed)
    losses: list[float] = []
    while len(losses) < num:
        for x, y in work.loader:
            losses.append(work.step(x, y).item())
    return losses[:num]


def logged(run: "seedbed.Run") -> list[Event]:
    """The points of the run in the order in which they were logged."""
    return list(run_events(run.store, run.store.find(run.run_id)))


def committed(run: "seedbed.Run") -> Commit:
    """The commit of a run that has finished."""
    assert run.commit is not None
    return run.commit
