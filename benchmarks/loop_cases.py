"""The loops of the table, in families."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch.optim import (
    ASGD,
    LBFGS,
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Muon,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
    Rprop,
)

from loop_knobs import (
    BATCH_SIZE,
    BETA1,
    CLIP,
    DROPOUT,
    FREEZE,
    FREEZE_IN_DDP,
    RATE_AFTER_HOOKS,
    rate_of,
    setting,
)
from loop_lines import (
    adds_group,
    at_milestones,
    callback_resets,
    cosine,
    decays,
    decays_weight_decay,
    goes_back,
    head_joins,
    hook_joins,
    hook_writes,
    layerwise,
    rebuilds_optimizer,
    reloads_optimizer,
    replaces_tensor,
    resets_state,
    warms_by_hand,
    warms_groups,
    writes_after,
    writes_before,
    writes_tensor,
)
from loop_optimizers import (
    SAM,
    AdamWThatCentralises,
    AdamWThatCounts,
    Lion,
    Lookahead,
    ReadsDefaults,
    ScheduleFreeSGD,
    SignSGD,
)
from loop_processes import fsdp, in_parallel, in_parallel_with_unused, zero
from loop_runs import Case, Meant, Net, parts
from loop_schedules import OF_TIMM, OF_TORCH, OF_TRANSFORMERS, OwnObject, imported
from loop_steps import (
    averaging,
    by_epochs,
    by_updates,
    clipped,
    compiled,
    each_fourth,
    evaluating,
    in_turn,
    in_two_losses,
    in_two_steps,
    scaled,
    stalling,
    with_closure,
    with_schedule_free,
)
from loop_wrappers import accelerated, as_accelerate, as_lightning, as_trainer
from seedbed.change import Add, Operation, OptimizerSetting, Scale, Set

__all__ = ["CASES"]


def of(cls: Any, **options: Any) -> Callable[[Net], Optimizer]:
    """An optimizer of the class over two groups."""
    return lambda net: cls(parts(net), **options)


def whole(cls: Any, **options: Any) -> Callable[[Net], Optimizer]:
    """The same over one group."""
    return lambda net: cls([*net.parameters()], **options)


def pinned(op: Operation, first: float) -> Meant:
    """An absolute value that nothing moves."""
    return lambda _own: op.resolve(first)


def unchanged(_op: Operation, _first: float) -> Meant:
    """No change."""
    return lambda own: own


def bounded(high: float) -> Callable[[Operation, float], Meant]:
    """In proportion, up to a bound of the first group's value."""
    return lambda op, first: lambda own: own * (min(op.resolve(first), high) / first)


def _rated(net: Net) -> Optimizer:
    """One optimizer over all weights whose rate is a tensor."""
    return Adam([*net.parameters()], lr=torch.tensor(1e-2, dtype=torch.float64), foreach=False)


def _encoder_only(net: Net) -> Optimizer:
    return AdamW([*net.encoder.parameters()], lr=1e-2)


def _named(net: Net) -> Optimizer:
    encoder, head = parts(net)
    return AdamW([{**encoder, "name": "encoder"}, {**head, "name": "head"}])


def of_layers(net: Net) -> Optimizer:
    """Groups with a scale of their own for the rate, as timm's layer decay has them."""
    return AdamW(
        [{**group, "lr": 1e-2, "lr_scale": scale} for group, scale in zip(parts(net), (0.5, 1.0), strict=True)]
    )


def schedule_free(net: Net) -> Optimizer:
    """The real one where it is installed."""
    library = imported("schedulefree")
    cls = ScheduleFreeSGD if library is None else library.SGDScheduleFree
    return cls(parts(net), warmup_steps=4)


def _lookahead(net: Net) -> Optimizer:
    return Lookahead(SGD(parts(net), momentum=0.9))


_cosine, _lambda, _one_cycle = (OF_TORCH[name] for name in ("CosineAnnealingLR", "LambdaLR", "OneCycleLR"))


def _torch_schedules() -> list[Case]:
    optimizers: dict[str, tuple[str, Callable[[Net], Optimizer]]] = {
        "LambdaLR": ("SGD with momentum", of(SGD, momentum=0.9)),
        "MultiplicativeLR": ("Adam", of(Adam)),
        "StepLR": ("SGD with Nesterov's momentum", of(SGD, momentum=0.9, nesterov=True)),
        "MultiStepLR": ("RMSprop", of(RMSprop, momentum=0.5)),
        "ConstantLR": ("Adagrad", of(Adagrad)),
        "LinearLR": ("AdamW, foreach", of(AdamW, foreach=True)),
        "ExponentialLR": ("NAdam", of(NAdam)),
        "PolynomialLR": ("RAdam", of(RAdam)),
        "CosineAnnealingLR": ("AdamW, fused", of(AdamW, fused=True)),
        "CosineAnnealingWarmRestarts": ("Adamax", of(Adamax)),
        "CyclicLR": ("SGD", of(SGD)),
        "CyclicLR with a function": ("SGD", of(SGD)),
        "OneCycleLR": ("AdamW", of(AdamW)),
        "ReduceLROnPlateau": ("Adafactor", of(Adafactor)),
        "SWALR": ("SGD", of(SGD, momentum=0.9)),
        "SequentialLR": ("Adam, tensor rate", _rated),
        "ChainedScheduler": ("Adadelta", of(Adadelta)),
        "sequence in a sequence": ("AdamW", of(AdamW)),
        "chain of a sequence": ("AdamW", of(AdamW)),
        "sequence of functions": ("AdamW", of(AdamW)),
        "subclass that leaves get_lr alone": ("AdamW", of(AdamW)),
        "subclass with its own constructor": ("AdamW", of(AdamW)),
        "subclass with its own get_lr": ("AdamW", of(AdamW)),
        "subclass that goes on from the rate": ("SGD", of(SGD)),
    }
    special: dict[str, dict[str, Any]] = {
        "ReduceLROnPlateau": {"metric": stalling, "op": Set(4e-3)},
        "SWALR": {"train": averaging},
        "ExponentialLR": {"op": Set(2e-3)},
        "OneCycleLR": {"op": Set(1e-2), "resume_after": 15},
        "CosineAnnealingLR": {"op": Add(-2e-3)},
        "sequence in a sequence": {"resume_after": 15},
        "subclass with its own get_lr": {"resume_after": 15},
    }
    return [
        Case(f"{name}, {with_}", "torch's schedules", optimizer, OF_TORCH[name], **special.get(name, {}))
        for name, (with_, optimizer) in optimizers.items()
    ]


def _library_schedules() -> list[Case]:
    timm = partial(Case, family="timm's schedules")
    theirs = [
        Case(name, "transformers' schedules", schedule=schedule, resume_after=15 if name == "linear" else None)
        for name, schedule in OF_TRANSFORMERS.items()
    ]
    return [
        *theirs,
        timm("cosine by updates", schedule=OF_TIMM["cosine"], train=by_updates),
        timm(
            "cosine, rates by layer, resumed",
            optimizer=of_layers,
            schedule=OF_TIMM["cosine"],
            train=by_updates,
            resume_after=15,
        ),
        timm("plateau by epochs", optimizer=of(SGD), schedule=OF_TIMM["plateau"], train=by_epochs),
    ]


def _own_schedules() -> list[Case]:
    own = partial(Case, family="schedules of one's own")
    return [
        own("object with step()", schedule=OwnObject),
        own("object with step(), resumed", schedule=OwnObject, resume_after=15),
        own("written before the step", before=writes_before(cosine)),
        own(
            "written before the step, set",
            optimizer=whole(AdamW),
            before=writes_before(cosine),
            op=Set(3e-3),
            meant=pinned,
        ),
        own("written before the step, resumed", before=writes_before(cosine), resume_after=15),
        own("written after the step", optimizer=of(SGD, momentum=0.9), after=writes_after(cosine)),
        own("written for each group", before=layerwise),
        own("multiplied after the step", after=decays),
        own("written at milestones", optimizer=of(SGD), after=at_milestones(0.4)),
        own("written at milestones, the same number", optimizer=of(SGD), after=at_milestones(0.5)),
        own("a tensor, written in place", optimizer=_rated, before=writes_tensor),
        own("a tensor, replaced", optimizer=_rated, before=replaces_tensor),
        own("written in a hook of its own", wrap=hook_writes, knob=RATE_AFTER_HOOKS),
        own("object with step(), set", optimizer=whole(AdamW), schedule=OwnObject, op=Set(3e-3), meant=pinned),
        own("groups warmed by hand, then LambdaLR", schedule=_lambda, train=each_fourth, before=warms_groups(6)),
        own("warm-up by hand under ExponentialLR", schedule=OF_TORCH["ExponentialLR"], before=warms_by_hand),
        own("undeclared LambdaLR", schedule=_lambda, declares=False),
        own("undeclared CosineAnnealingLR", schedule=_cosine, declares=False),
    ]


def _optimizers() -> list[Case]:
    kind = partial(Case, family="optimizers")
    return [
        kind("LBFGS", optimizer=whole(LBFGS, lr=0.3, max_iter=4), train=with_closure),
        kind(
            "LBFGS, StepLR", optimizer=whole(LBFGS, lr=0.3, max_iter=3), schedule=OF_TORCH["StepLR"], train=with_closure
        ),
        kind("Adam with a closure", optimizer=of(Adam), schedule=_cosine, train=with_closure),
        kind("ASGD", optimizer=of(ASGD)),
        kind("Rprop, a layer joins later", optimizer=of(Rprop), before=head_joins),
        kind("Muon and a schedule", optimizer=lambda net: Muon([net.encoder.weight], lr=1e-2), schedule=_lambda),
        kind("compiled step, tensor rate", optimizer=_rated, schedule=_lambda, train=compiled),
        kind("subclass of AdamW, same update", optimizer=of(AdamWThatCounts), schedule=_cosine),
        kind("subclass of AdamW, own step", optimizer=of(AdamWThatCentralises), schedule=_lambda),
        kind("a user's own, sign of momentum", optimizer=of(SignSGD), schedule=_cosine),
        kind("a user's own, Lion", optimizer=of(Lion), before=writes_before(lambda step: 1e-3 * 0.97**step)),
        kind("schedule-free SGD", optimizer=schedule_free, train=with_schedule_free),
        kind(
            "SAM in two steps", optimizer=of(SAM, base=partial(SGD, momentum=0.9)), train=in_two_steps, schedule=_lambda
        ),
        kind("Lookahead", optimizer=_lookahead, schedule=_lambda),
    ]


def _wrappers() -> list[Case]:
    kind = partial(Case, family="wrappers")
    prepared: dict[str, Any] = {"train": accelerated, "passes": 48, "change_after": 20}
    return [
        kind("Accelerate, LambdaLR", wrap=as_accelerate(), schedule=_lambda, train=accelerated),
        kind("Accelerate, accumulation", wrap=as_accelerate(every=2), schedule=_cosine, **prepared),
        kind(
            "Accelerate, 2 schedule steps a step",
            wrap=as_accelerate(num_processes=2),
            schedule=_lambda,
            train=accelerated,
        ),
        kind(
            "Trainer, scheduler of the wrapper", wrap=as_trainer, schedule=OF_TRANSFORMERS["linear"], train=accelerated
        ),
        kind("Lightning, closure", wrap=as_lightning, schedule=_one_cycle, train=with_closure),
        kind("GradScaler skips after the change", optimizer=of(SGD), schedule=_lambda, train=scaled({11, 12, 15})),
        kind("GradScaler skips, fused", optimizer=of(AdamW, fused=True), schedule=_cosine, train=scaled({11, 12, 15})),
        kind("GradScaler skips, by hand", before=writes_before(cosine), train=scaled({11, 15})),
        kind("Accelerate, no schedule, resumed", wrap=as_accelerate(), train=accelerated, resume_after=15),
    ]


def _habits() -> list[Case]:
    kind = partial(Case, family="habits")
    decay, momentum = setting(OptimizerSetting.WEIGHT_DECAY), setting(OptimizerSetting.MOMENTUM)
    between: dict[str, Any] = {"accumulate": 2, "passes": 48, "change_after": 21}
    every_second: dict[str, Any] = {"accumulate": 2, "passes": 48, "change_after": 20}
    return [
        kind("accumulation, changed between two", schedule=_lambda, **between),
        kind("dropout, accumulation", knob=DROPOUT, dropout=0.2, op=Set(0.5), half_used=1, **between),
        kind("dropout, evaluation inside", knob=DROPOUT, dropout=0.2, op=Set(0.5), train=evaluating, resume_after=15),
        kind("rate, evaluation inside", train=evaluating, schedule=_cosine),
        kind("GAN, the generator", optimizer=_encoder_only, schedule=_lambda, train=in_turn),
        kind("GAN, the generator each second round", optimizer=_encoder_only, train=in_turn, **every_second),
        kind("changed twice, LambdaLR", schedule=_lambda, earlier=(6, Scale(0.5)), op=Scale(3.0), resume_after=15),
        kind("changed twice, by hand", before=writes_before(cosine), earlier=(6, Scale(0.5)), op=Scale(3.0)),
        kind("two steps in each pass", schedule=_lambda, train=in_two_losses, passes=12, change_after=5),
        kind("state reset at each sixth pass", optimizer=of(SGD, momentum=0.9), after=resets_state),
        kind("clip norm", knob=CLIP, train=clipped, optimizer=of(SGD, momentum=0.9)),
        kind("batch size", knob=BATCH_SIZE, op=Set(8.0)),
        kind("freeze", knob=FREEZE, op=Set(1.0), meant=pinned, optimizer=of(SGD, momentum=0.9, weight_decay=0.1)),
        kind("weight decay under OneCycleLR", knob=decay, op=Set(0.5), schedule=_one_cycle),
        kind("weight decay, written before the step", knob=decay, before=decays_weight_decay, can_lose=True),
        kind("momentum, resumed", knob=momentum, optimizer=of(SGD, momentum=0.9), op=Set(0.5), resume_after=15),
        kind("beta1 under a schedule", knob=BETA1, schedule=_lambda, op=Set(0.5)),
        kind("one group of OneCycleLR", knob=rate_of(1, 1), schedule=_one_cycle),
        kind("a named group, by hand", knob=rate_of("head", 1), optimizer=_named, before=layerwise),
        kind("a group joins with its own rate", optimizer=_encoder_only, after=adds_group(15, lr=3e-3)),
        kind("a group joins, the first is changed", knob=rate_of(0, 0), optimizer=_encoder_only, after=adds_group(15)),
        kind("a group joins with the default", optimizer=_encoder_only, after=adds_group(15), can_lose=True),
    ]


def _held_back() -> list[Case]:
    kind = partial(Case, family="held back")
    return [
        kind("a frozen subsystem", conditions={"*": "it works well"}, schedule=_lambda, meant=unchanged),
        kind(
            "a slip by 1000x, bounded", schedule=_cosine, op=Scale(1000.0), limits={"high": 2e-2}, meant=bounded(2e-2)
        ),
        kind("at the bound already", limits={"high": 1e-2}, op=Scale(2.0), meant=unchanged),
        kind("less than a whole row more", knob=BATCH_SIZE, op=Scale(1.1), limits={"increment": 1.0}, meant=unchanged),
    ]


def _in_processes() -> list[Case]:
    kind = partial(Case, family="two processes", in_processes=True)
    return [
        kind("DDP, CosineAnnealingLR", model=in_parallel, schedule=_cosine),
        kind("DDP, written before the step", model=in_parallel, before=writes_before(cosine)),
        kind(
            "DDP, freeze",
            model=in_parallel_with_unused,
            knob=FREEZE_IN_DDP,
            op=Set(1.0),
            optimizer=of(SGD, momentum=0.9),
        ),
        kind("DDP, resumed", model=in_parallel, schedule=_lambda, resume_after=15),
        kind("ZeRO-1, LambdaLR", model=in_parallel, optimizer=zero, schedule=_lambda),
        kind("FSDP2, OneCycleLR", model=fsdp, schedule=_one_cycle),
        kind("FSDP2, LambdaLR, SGD", model=fsdp, optimizer=of(SGD, momentum=0.9), schedule=_lambda),
    ]


def _losing() -> list[Case]:
    kind = partial(Case, family="planted losses", can_lose=True)
    return [
        kind("an old state of the optimizer is loaded", after=reloads_optimizer),
        kind("a callback writes the configuration's rate", optimizer=of(SGD), after=callback_resets),
        kind("a checkpoint from before the change is loaded", schedule=_lambda, after=goes_back),
        kind("changed while groups warm by hand", schedule=_lambda, train=each_fourth, before=warms_groups(14)),
        kind("a hook that writes the rate joins", optimizer=of(SGD), after=hook_joins, knob=RATE_AFTER_HOOKS),
        kind("the optimizer is built again", after=rebuilds_optimizer, schedule=None),
        kind("an optimizer that ignores its groups", optimizer=whole(ReadsDefaults, lr=1e-2)),
    ]


_AT_THE_DOOR = (
    "LambdaLR, SGD with momentum",
    "CosineAnnealingLR, AdamW, fused",
    "OneCycleLR, AdamW",
    "subclass with its own get_lr, AdamW",
    "linear",
    "cosine, rates by layer, resumed",
    "object with step()",
    "written before the step",
    "written before the step, resumed",
    "multiplied after the step",
    "LBFGS",
    "schedule-free SGD",
    "Accelerate, accumulation",
    "Lightning, closure",
    "GradScaler skips after the change",
    "GradScaler skips, fused",
    "accumulation, changed between two",
    "dropout, accumulation",
    "dropout, evaluation inside",
    "GAN, the generator",
    "changed twice, by hand",
    "two steps in each pass",
    "freeze",
    "weight decay under OneCycleLR",
    "momentum, resumed",
    "a named group, by hand",
)


def _at_the_door(cases: Sequence[Case]) -> list[Case]:
    door: dict[str, Any] = {"family": "through a run", "at_the_door": True}
    slip = Case("a slip by 1000x, at the door", schedule=_cosine, op=Scale(1000.0), meant=unchanged, **door)
    chosen = [case for case in cases if case.name in _AT_THE_DOOR]
    return [slip, *(replace(case, name=f"{case.name}, at the door", **door) for case in chosen)]


_WITH_AN_ENGINE: tuple[Case, ...] = (
    *_torch_schedules(),
    *_library_schedules(),
    *_own_schedules(),
    *_optimizers(),
    *_wrappers(),
    *_habits(),
    *_in_processes(),
    *_held_back(),
    *_losing(),
)

CASES: tuple[Case, ...] = (*_WITH_AN_ENGINE, *_at_the_door(_WITH_AN_ENGINE))
"""Every case, in the order of the table."""
