"""What loops do besides a plain step: closures, mixed precision, two steps, two optimizers, lines of their own."""

import copy
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from math import cos, pi
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.utils.data import DataLoader, TensorDataset

from loop_optimizers import AcceleratedOptimizer, AcceleratedScheduler, LightningOptimizer
from loop_runs import Knob, Loop, Meant, by_hand_in_groups, data, plain
from seedbed.change import (
    BatchSize,
    Binding,
    ClipNorm,
    DropoutRate,
    Freeze,
    GroupSetting,
    LearningRate,
    OptimizerSetting,
    ResizableBatchSampler,
    track_batches,
)

Loss = Callable[[], Tensor]
Build = Callable[[Any], Any]


# How the step is made.


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


# The user's own lines.


def writes_before(rate: Callable[[int], float]) -> Callable[[Loop], None]:
    """`group["lr"] = f(step)` at the top of the loop."""

    def line(loop: Loop) -> None:
        for group in loop.optimizer.param_groups:
            group["lr"] = rate(loop.iteration)

    return line


def writes_after(rate: Callable[[int], float]) -> Callable[[Loop], None]:
    """The same at the end, for the next step."""

    def line(loop: Loop) -> None:
        for group in loop.optimizer.param_groups:
            group["lr"] = rate(loop.iteration + 1)

    return line


def cosine(step: int) -> float:
    """A rate by hand: a warm-up and a cosine."""
    return 1e-2 * (step / 5 if step < 5 else 0.5 * (1 + cos(pi * step / 40)))


def writes_tensor(loop: Loop) -> None:
    """A rate that is a tensor is written in place."""
    for group in loop.optimizer.param_groups:
        group["lr"].fill_(cosine(loop.iteration))


def replaces_tensor(loop: Loop) -> None:
    """A rate that is a tensor is replaced by another tensor."""
    for group in loop.optimizer.param_groups:
        group["lr"] = torch.tensor(cosine(loop.iteration), dtype=torch.float64)


def resets_state(loop: Loop) -> None:
    """The optimizer begins again at every sixth pass from its first state, as in Reptile's inner loops."""
    kept = loop.others.setdefault("first", _Kept(copy.deepcopy(loop.optimizer.state_dict())))
    if loop.iteration % 6 == 0:
        loop.optimizer.load_state_dict(copy.deepcopy(kept.state))


def warms_groups(until: int) -> Callable[[Loop], None]:
    """A warm-up by hand for each group, to what the scheduler would give, which steps each fourth pass, as YOLO's."""

    def line(loop: Loop) -> None:
        if loop.iteration <= until:
            for place, group in enumerate(loop.optimizer.param_groups):
                start = 0.05 if place else 0.0
                group["lr"] = start + (group["initial_lr"] - start) * loop.iteration / until

    return line


def each_fourth(loop: Loop, loss: Loss) -> None:
    """The schedule steps once an epoch of four passes."""
    schedule = loop.schedule
    loop.schedule = schedule if loop.iteration % 4 == 0 else None
    plain(loop, loss)
    loop.schedule = schedule


def goes_back(loop: Loop) -> None:
    """Model, optimizer and schedule of a checkpoint from before the change are loaded, as after a spike of the loss."""
    parts = (loop.net, loop.optimizer, loop.schedule)
    if loop.iteration == 8:
        loop.others["kept"] = _Kept(copy.deepcopy({str(n): part.state_dict() for n, part in enumerate(parts)}))
    if loop.iteration == 15:
        for number, part in enumerate(parts):
            part.load_state_dict(copy.deepcopy(loop.others["kept"].state[str(number)]))


def hook_writes(optimizer: Optimizer, build: Build) -> tuple[Any, Any]:
    """A library's hook writes the rate when each step begins; it was there before Seedbed."""
    counted = _Counted(optimizer)
    optimizer.register_step_pre_hook(lambda *_: counted.write())
    return optimizer, build(optimizer)


def hook_joins(loop: Loop) -> None:
    """Such a hook comes after the change."""
    if loop.iteration == 14:
        loop.optimizer.register_step_pre_hook(lambda optimizer, *_: _Counted(optimizer).write())


class _Counted:
    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer, self.num = optimizer, 0

    def write(self) -> None:
        self.num += 1
        for group in self.optimizer.param_groups:
            group["lr"] = cosine(self.num)


def decays(loop: Loop) -> None:
    """`group["lr"] *= 0.95` at the end of each pass."""
    for group in loop.optimizer.param_groups:
        group["lr"] *= 0.95


def at_milestones(factor: float) -> Callable[[Loop], None]:
    """The rate of the configuration times a factor at each milestone, written only then.

    With the factor of the change itself, the number that is written is the one that stands there.
    """

    def line(loop: Loop) -> None:
        if loop.iteration in (6, 14, 20):
            for group in loop.optimizer.param_groups:
                group["lr"] = 1e-2 * factor ** (6, 14, 20).index(loop.iteration)

    return line


def layerwise(loop: Loop) -> None:
    """A rate for each group, by hand."""
    for place, group in enumerate(loop.optimizer.param_groups):
        group["lr"] = cosine(loop.iteration) * 0.5**place


def warms_by_hand(loop: Loop) -> None:
    """A warm-up by hand under a scheduler of torch's that goes on from it."""
    if loop.iteration <= 5:
        for group in loop.optimizer.param_groups:
            group["lr"] = 1e-2 * loop.iteration / 5


def decays_weight_decay(loop: Loop) -> None:
    """`group["weight_decay"] = f(step)`, as DINO has it."""
    for group in loop.optimizer.param_groups:
        group["weight_decay"] = 0.04 + 0.36 * (1 - cos(pi * loop.iteration / 40)) / 2


def adds_group(at: int, **options: Any) -> Callable[[Loop], None]:
    """The head joins the optimizer after some passes, with a rate of its own or the optimizer's default."""

    def line(loop: Loop) -> None:
        if loop.iteration == at:
            loop.optimizer.add_param_group({"params": [*loop.net.head.parameters()], **options})

    return line


def head_joins(loop: Loop) -> None:
    """The head is frozen at first, and trains from some pass after the change."""
    loop.net.head.requires_grad_(loop.iteration > 13)


def reloads_optimizer(loop: Loop) -> None:
    """A state of the optimizer from before the change is loaded again, as after a spike of the loss."""
    if loop.iteration == 9:
        loop.others["kept"] = _Kept(copy.deepcopy(loop.optimizer.state_dict()))
    if loop.iteration == 15:
        loop.optimizer.load_state_dict(copy.deepcopy(loop.others["kept"].state))


class _Kept:
    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state


def callback_resets(loop: Loop) -> None:
    """A callback that knows only the configuration's rate writes it once after the change."""
    if loop.iteration == 16:
        for group in loop.optimizer.param_groups:
            group["lr"] = 1e-2


def rebuilds_optimizer(loop: Loop) -> None:
    """The optimizer is built again after the change, from the configuration."""
    if loop.iteration == 15:
        loop.optimizer = loop.stepped = loop.case.optimizer(loop.net)


# How optimizer and schedule are wrapped.


def as_accelerate(every: int = 1, num_processes: int = 1) -> Callable[[Optimizer, Build], tuple[Any, Any]]:
    """Both are wrapped, as `accelerator.prepare` does."""

    def wrap(optimizer: Optimizer, build: Build) -> tuple[Any, Any]:
        wrapped = AcceleratedOptimizer(optimizer, every)
        bare = build(optimizer)
        return wrapped, None if bare is None else AcceleratedScheduler(bare, wrapped, num_processes)

    return wrap


def as_trainer(optimizer: Optimizer, build: Build) -> tuple[Any, Any]:
    """The scheduler is built on the wrapped optimizer, as transformers' Trainer has it."""
    wrapped = AcceleratedOptimizer(optimizer)
    return wrapped, build(wrapped)


def as_lightning(optimizer: Optimizer, build: Build) -> tuple[Any, Any]:
    """The optimizer is wrapped, the scheduler knows the inner one."""
    return LightningOptimizer(optimizer), build(optimizer)


def accelerated(loop: Loop, loss: Loss) -> None:
    """Accelerate's loop: step and schedule at every micro-batch, of which the wrapper takes some."""
    loop.stepped.calls += 1
    (loss() / loop.stepped.every).backward()
    with loop.by_hand():
        loop.stepped.step()
    loop.step_schedule()
    if loop.stepped.syncs:
        loop.took_step()
    loop.stepped.zero_grad()


# The settings that are changed, besides the rate of all groups.


def rate_of(group: int | str, place: int) -> Knob:
    """The rate of one group."""
    return Knob(
        bind=lambda loop: LearningRate(loop.stepped, loop.declared, group=group),
        step=lambda loop, meant: by_hand_in_groups(loop.optimizer.param_groups[place : place + 1], "lr", meant),
    )


def setting(which: OptimizerSetting) -> Knob:
    """Weight decay or momentum of all groups."""
    return Knob(
        bind=lambda loop: GroupSetting(loop.stepped, which, scheduler=loop.declared),
        step=lambda loop, meant: by_hand_in_groups(loop.optimizer.param_groups, which.value, meant),
    )


@contextmanager
def _after_hooks(loop: Loop, meant: Meant) -> Iterator[None]:
    """The rate by hand in a hook that comes after all others, since they write it."""
    hand = by_hand_in_groups(loop.optimizer.param_groups, "lr", meant)
    handle = loop.optimizer.register_step_pre_hook(lambda *_: hand.__enter__())
    yield
    handle.remove()
    hand.__exit__()


def _bind_clip(loop: Loop) -> Binding:
    binding = ClipNorm(loop.stepped, 0.05)
    loop.clip = lambda weights: binding.clip(weights)
    return binding


@contextmanager
def _clip_by_hand(loop: Loop, meant: Meant) -> Iterator[None]:
    own = loop.clip
    loop.clip = lambda weights: nn.utils.clip_grad_norm_(weights, meant(0.05))
    yield
    loop.clip = own


@contextmanager
def _beta_by_hand(loop: Loop, meant: Meant) -> Iterator[None]:
    own = [group["betas"] for group in loop.optimizer.param_groups]
    for group, (one, two) in zip(loop.optimizer.param_groups, own, strict=True):
        group["betas"] = (meant(one), two)
    yield
    for group, betas in zip(loop.optimizer.param_groups, own, strict=True):
        group["betas"] = betas


@contextmanager
def _dropout_by_hand(loop: Loop, meant: Meant) -> Iterator[None]:
    own = loop.net.dropout.p
    loop.net.dropout.p = meant(own)
    yield
    loop.net.dropout.p = own


@contextmanager
def _frozen_by_hand(loop: Loop, _meant: Meant) -> Iterator[None]:
    for weight in loop.net.encoder.parameters():
        weight.grad = None
    yield


def _bind_batch_size(loop: Loop) -> Binding:
    batches = ResizableBatchSampler(range(len(data()[0])), loop.batch_size)
    loop.batches = iter(track_batches(DataLoader(TensorDataset(*data()), batch_sampler=batches), batches))
    return BatchSize(batches, loop.stepped)


@contextmanager
def _batch_size_by_hand(loop: Loop, meant: Meant) -> Iterator[None]:
    loop.batch_size = int(meant(loop.case.batch_size))
    yield


FIRST_RATE = Knob(
    bind=lambda loop: LearningRate(loop.stepped, loop.declared),
    step=lambda loop, meant: by_hand_in_groups(loop.optimizer.param_groups[:1], "lr", meant),
)
RATE_AFTER_HOOKS = Knob(
    bind=lambda loop: LearningRate(loop.stepped, loop.declared), step=lambda loop, meant: _after_hooks(loop, meant)
)
CLIP = Knob(bind=_bind_clip, whole=_clip_by_hand)
BETA1 = Knob(
    bind=lambda loop: GroupSetting(loop.stepped, OptimizerSetting.BETA1, scheduler=loop.declared), step=_beta_by_hand
)
DROPOUT = Knob(bind=lambda loop: DropoutRate(loop.net, loop.stepped), whole=_dropout_by_hand)
FREEZE = Knob(bind=lambda loop: Freeze(loop.model, "encoder", loop.stepped), step=_frozen_by_hand)
FREEZE_IN_DDP = Knob(bind=lambda loop: Freeze(loop.model, "module.encoder", loop.stepped), step=_frozen_by_hand)
BATCH_SIZE = Knob(bind=_bind_batch_size, whole=_batch_size_by_hand)
