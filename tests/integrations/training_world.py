"""What the tests of training libraries share: a loop without any library beside each, and what a store holds after."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import final

import pytest
import torch
from torch import Tensor, nn

from seedbed.change import summary
from seedbed.contracts import RunStatus, Stage
from seedbed.loop import Run, steering
from seedbed.records import RunView, Store, run_events
from seedbed.testing import FakeClock

NUM_STEPS, NUM_EPOCHS, ACCUMULATED, ROWS = 8, 2, 2, 4
RATE, CLIPPED_TO = 0.05, 0.5
# A net of one layer has nothing that could show attention, mixed precision or compilation.
RUNTIME = {"sdpa": "off", "flash": "off", "amp": "off", "cdc": "off"}


def epoch() -> list[Tensor]:
    """The batches of each epoch, in order: tensors of shape [ROWS, 4]."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(ROWS, 4, generator=generator) for _ in range(NUM_STEPS * ACCUMULATED // NUM_EPOCHS)]


def small_net() -> nn.Linear:
    torch.manual_seed(1)
    return nn.Linear(4, 2)


def loss_of(net: nn.Module, batch: Tensor) -> Tensor:
    found: Tensor = (net(batch) - batch[:, :2]).square().mean()
    return found


def cosine(step: int) -> float:
    """The rate that step `step` uses, from 1, of a cosine to 0 over twice the steps."""
    return RATE * (1 + math.cos(math.pi * (step - 1) / (2 * NUM_STEPS))) / 2


def twin(
    rate_of: Callable[[int], float] = cosine, clip_of: Callable[[int], float] = lambda step: CLIPPED_TO
) -> tuple[nn.Linear, list[float]]:
    """The same training as a loop of its own, with the rate and the norm of each step; the net, and the mean losses."""
    net, data, losses = small_net(), epoch() * NUM_EPOCHS, []
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    for step in range(1, NUM_STEPS + 1):
        optimizer.param_groups[0]["lr"] = rate_of(step)
        optimizer.zero_grad()
        found = [loss_of(net, data.pop(0)) for _ in range(ACCUMULATED)]
        for loss in found:
            (loss / ACCUMULATED).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), clip_of(step))
        optimizer.step()
        losses.append(sum(float(loss.detach()) for loss in found) / ACCUMULATED)
    return net, losses


def halved_after(step: int) -> Callable[[int], float]:
    """The rates of the cosine, halved after that step."""
    return lambda each: cosine(each) / (1 if each <= step else 2)


@final
class Outside:
    """Somebody who asks a run for something from outside, and whose clock moves on by more than it is looked at."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.store = Store.open(folder / "store", create=True, clock=self.clock)

    def propose(self, run: Run, scale: float) -> None:
        """Ask for another rate."""
        steering.propose(run.run_id, "lr", scale=scale, why="it spikes", store=self.store)
        self.clock.advance(2.0)

    def ask(self, run: Run, verb: str) -> None:
        """Ask for something else."""
        steering.ask(run.run_id, verb, store=self.store)
        self.clock.advance(2.0)

    def answers(self, run: Run) -> list[str]:
        """How each request stands, in one line."""
        return [each.told for each in steering.RemoteRun.open(run.run_id, self.store).requests()]


def let_steps_last_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what is asked within a step answered there, as in a step that lasts too long to wait for its end."""
    monkeypatch.setattr("seedbed.loop.live._live_run._LONG_STEP", 0.0)


def while_paused(monkeypatch: pytest.MonkeyPatch, *calls: Callable[[], object]) -> None:
    """Have a paused run call one of these instead of each second that it waits; none may be missing."""
    left = list(calls)
    monkeypatch.setattr("seedbed.loop.live._requests.time", SimpleNamespace(sleep=lambda _: left.pop(0)()))


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.allclose(mine, theirs, rtol=1e-5, atol=1e-7) for mine, theirs in pairs)


def view_of(run: Run) -> RunView:
    return run.store.find(run.run_id, project=run.project, stage=Stage.TRAINING)


def status_of(run: Run) -> RunStatus:
    return view_of(run).status


def logged(run: Run, name: str) -> dict[int, float]:
    """What was logged under this name, by step; each step once in each attempt."""
    events = [event for event in run_events(run.store, view_of(run)) if name in event.values]
    assert len(events) == len({(event.step, event.attempt) for event in events})
    return {event.step: float(event.values[name]) for event in events}


def outcomes(run: Run) -> Sequence[str]:
    return [change.outcome.value for change in summary(run.engine.history).changes]


def stories(run: Run) -> str:
    return "\n".join(line for change in summary(run.engine.history).changes for line in change.story)


def num_hooks(net: nn.Module, optimizer: torch.optim.Optimizer) -> Mapping[str, int]:
    """How many hooks these objects have."""
    steps = len(optimizer._optimizer_step_pre_hooks) + len(optimizer._optimizer_step_post_hooks)
    return {"steps": steps, "weights": sum(len(each._post_accumulate_grad_hooks or {}) for each in net.parameters())}
