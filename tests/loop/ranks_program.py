"""One process of several that train a small model together; `torchrun` starts it, as `SCENARIO STORE`."""

import faulthandler
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import seedbed

MOST_STEPS = 4_000
RUNTIME = {"sdpa": "off", "flash": "off", "amp": "off", "cdc": "off"}


class Training:
    """A regression in which each rank has data of its own; `wrap` distributes the model."""

    def __init__(self, store: Path) -> None:
        self.rank, self.store = dist.get_rank(), store
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.model: nn.Module = DistributedDataParallel(self.net)
        self.optimizer: Any = torch.optim.SGD(self.model.parameters(), lr=0.1)
        generator = torch.Generator().manual_seed(self.rank)
        self.x = torch.randn(16, 4, generator=generator)
        self.y = self.x.sum(1, keepdim=True) * 3 + torch.randn(16, 1, generator=generator)
        self.rates: list[float] = []  # what each step used, by the weights

    def start(self, **more: Any) -> "seedbed.Run":
        given = {"project": "ranks", "store": self.store, "runtime": RUNTIME, **more}
        return seedbed.start(self.model, self.optimizer, **given)

    def step(self) -> torch.Tensor:
        """The user's lines."""
        loss = nn.functional.mse_loss(self.model(self.x), self.y)
        self.optimizer.zero_grad()
        loss.backward()
        bias = next(reversed(list(self.net.parameters())))
        before = bias.detach().clone()
        self.optimizer.step()
        assert bias.grad is not None
        self.rates.append(round(((before - bias.detach()) / bias.grad).mean().item(), 4))
        return loss


def outside(training: Training) -> dict[str, Any]:
    """Train until somebody has halved the rate, and ten steps more."""
    with training.start(run="steered") as run:
        left = 10
        while left and run.step < MOST_STEPS:
            with run.one_step():
                run.log(loss=training.step())
            left -= training.rates[-1] < 0.1
            time.sleep(0.005)
        run.result(loss=1.0)
    return {"rates": training.rates, "outcomes": outcomes(run), "code": run.exit_code, "id": run.run_id}


def outcomes(run: "seedbed.Run") -> list[list[Any]]:
    return [[each.id, each.outcome.value, each.before, each.after, each.reason] for each in run.engine.history.records]


def main() -> None:
    scenario, store, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    faulthandler.dump_traceback_later(40, exit=True)
    dist.init_process_group("gloo")
    told = globals()[scenario](Training(store))
    (out / f"{os.environ['RANK']}.json").write_text(json.dumps(told), encoding="utf-8")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
