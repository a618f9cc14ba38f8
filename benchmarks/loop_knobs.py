"""The settings that the loops change, besides the rate of all groups: each with its binding, and set by hand."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from loop_runs import Knob, Loop, Meant, by_hand_in_groups, data
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

__all__ = [
    "BATCH_SIZE",
    "BETA1",
    "CLIP",
    "DROPOUT",
    "FREEZE",
    "FREEZE_IN_DDP",
    "RATE_AFTER_HOOKS",
    "rate_of",
    "setting",
]


def rate_of(group: int | str, place: int) -> Knob:
    """The rate of one group."""
    return Knob(
        bind=lambda loop: LearningRate(loop.stepped, loop.declared, group, holds=loop.declared is None),
        step=lambda loop, meant: by_hand_in_groups(loop.optimizer.param_groups[place : place + 1], "lr", meant),
        name=f"lr.{group}",
    )


def setting(which: OptimizerSetting) -> Knob:
    """Weight decay or momentum of all groups."""
    return Knob(
        bind=lambda loop: GroupSetting(loop.stepped, which, scheduler=loop.declared),
        step=lambda loop, meant: by_hand_in_groups(loop.optimizer.param_groups, which.value, meant),
        name=which.value,
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


RATE_AFTER_HOOKS = Knob(
    bind=lambda loop: LearningRate(loop.stepped, loop.declared, holds=loop.declared is None),
    step=lambda loop, meant: _after_hooks(loop, meant),
)
CLIP = Knob(bind=_bind_clip, whole=_clip_by_hand)
BETA1 = Knob(
    bind=lambda loop: GroupSetting(loop.stepped, OptimizerSetting.BETA1, scheduler=loop.declared), step=_beta_by_hand
)
DROPOUT = Knob(bind=lambda loop: DropoutRate(loop.net, loop.stepped), whole=_dropout_by_hand, name="dropout")
FREEZE = Knob(
    bind=lambda loop: Freeze(loop.model, "encoder", loop.stepped), step=_frozen_by_hand, name="freeze.encoder"
)
FREEZE_IN_DDP = Knob(bind=lambda loop: Freeze(loop.model, "module.encoder", loop.stepped), step=_frozen_by_hand)
BATCH_SIZE = Knob(bind=_bind_batch_size, whole=_batch_size_by_hand)
