"""How loops make their steps: with closures, mixed precision, two passes, two optimizers, evaluation in between."""

from collections.abc import Callable, Collection

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from loop_runs import Loop, data, plain

__all__ = [
    "averaging",
    "by_epochs",
    "by_updates",
    "clipped",
    "compiled",
    "each_fourth",
    "evaluating",
    "in_turn",
    "in_two_losses",
    "in_two_steps",
    "scaled",
    "stalling",
    "with_closure",
    "with_schedule_free",
]

Loss = Callable[[], Tensor]


def with_closure(loop: Loop, loss: Loss) -> None:
    """The optimizer calls forward and backward by itself, once or several times."""

    def closure() -> Tensor:
        loop.stepped.zero_grad()
        found = loss()
        found.backward()
        return found

    with loop.by_hand():
        loop.stepped.step(closure)
    loop.took_step()
    loop.step_schedule()


def scaled(skips: Collection[int] = ()) -> Callable[[Loop, Loss], None]:
    """Mixed precision's scaler, which skips the passes of these numbers since their gradients overflow."""

    def train(loop: Loop, loss: Loss) -> None:
        scaler = loop.others.setdefault("scaler", torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=1000))
        loop.stepped.zero_grad()
        scaler.scale(loss() * (float("inf") if loop.iteration in skips else 1.0)).backward()
        with loop.by_hand():
            scaler.step(loop.stepped)
        scaler.update()
        if loop.iteration not in skips:
            loop.took_step()
            loop.step_schedule()

    return train


def in_two_steps(loop: Loop, loss: Loss) -> None:
    """As SAM's authors write it: a climb, and the step with the gradients there."""
    loss().backward()
    loop.stepped.first_step()
    loss().backward()
    with loop.by_hand():
        loop.stepped.second_step()
    loop.took_step()
    loop.step_schedule()


def clipped(loop: Loop, loss: Loss) -> None:
    """The norm of the gradients is clipped before the step."""
    loop.stepped.zero_grad()
    loss().backward()
    loop.clip([*loop.net.parameters()])
    loop.stepped.step()
    loop.took_step()
    loop.step_schedule()


def evaluating(loop: Loop, loss: Loss) -> None:
    """A pass in evaluation mode between forward and backward, and one after the step, with dropout and without."""
    found = loss()
    _evaluate(loop)
    loop.stepped.zero_grad()
    found.backward()
    with loop.by_hand():
        loop.stepped.step()
    loop.took_step()
    loop.step_schedule()
    _evaluate(loop)


def _evaluate(loop: Loop) -> None:
    loop.model.eval()
    with torch.no_grad():
        loop.model(data()[0][:4])
    loop.model.train()


def averaging(loop: Loop, loss: Loss) -> None:
    """An averaged copy of the model is kept, as with SWALR."""
    average = loop.others.setdefault("average", torch.optim.swa_utils.AveragedModel(loop.net))
    plain(loop, loss)
    average.update_parameters(loop.net)


def with_schedule_free(loop: Loop, loss: Loss) -> None:
    """Averaged weights for evaluation, and back."""
    loop.stepped.train()
    plain(loop, loss)
    loop.stepped.eval()
    _evaluate(loop)
    loop.stepped.train()


def in_turn(loop: Loop, loss: Loss) -> None:
    """Two optimizers, as a GAN's: one steps the head on a loss of its own, then the bound one steps the encoder."""
    other = loop.others.setdefault("other", Adam(loop.net.head.parameters(), lr=3e-3))
    other.zero_grad()
    (loss() + loop.net.head.weight.square().mean()).backward()
    other.step()
    plain(loop, loss)


def in_two_losses(loop: Loop, loss: Loss) -> None:
    """Two losses, each with a backward pass and a step of its own."""
    plain(loop, lambda: loss() + loop.net.head.weight.square().mean())
    plain(loop, loss)


def by_updates(loop: Loop, loss: Loss) -> None:
    """A timm schedule is told the number of updates."""
    schedule, loop.schedule = loop.schedule, None
    plain(loop, loss)
    loop.schedule = schedule
    schedule.step_update(num_updates=loop.steps)


def by_epochs(loop: Loop, loss: Loss) -> None:
    """A timm schedule is told the epoch, here each second pass, and a metric that stalls."""
    schedule, loop.schedule = loop.schedule, None
    plain(loop, loss)
    loop.schedule = schedule
    if loop.iteration % 2 == 0:
        schedule.step(loop.iteration // 2, stalling(loop.steps))


def each_fourth(loop: Loop, loss: Loss) -> None:
    """The schedule steps once an epoch of four passes."""
    schedule = loop.schedule
    loop.schedule = schedule if loop.iteration % 4 == 0 else None
    plain(loop, loss)
    loop.schedule = schedule


def compiled(loop: Loop, loss: Loss) -> None:
    """The optimizer's step runs as a compiled function; its rate must be a tensor."""
    step = loop.others.setdefault("compiled step", _Compiled(loop.stepped))
    loop.stepped.zero_grad()
    loss().backward()
    with loop.by_hand():
        step.run()
    loop.took_step()
    loop.step_schedule()


class _Compiled:
    """A compiled step; it has no state to save."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.run = torch.compile(lambda: optimizer.step(), backend="eager")


def stalling(step: int) -> float:
    """A metric that falls for some steps and then stalls."""
    return max(1.0 - 0.1 * step, 0.3)
