"""What is found on live objects: every setting that can be changed, and with a reason what cannot."""

from collections.abc import Callable, Iterator, Mapping

import pytest
import torch
from settings_rig import Net, keys, live, nothing_is_hidden  # noqa: F401
from torch import nn
from torch.optim import SGD, Adafactor, AdamW, Optimizer, RMSprop, lr_scheduler
from torch.optim.optimizer import ParamsT
from torch.utils.data import ConcatDataset, DataLoader, IterableDataset, TensorDataset

from seedbed.change import MixtureSampler, ResizableBatchSampler
from seedbed.errors import InvalidInput
from seedbed.loop.settings import BoundSetting, Findings, Limits, LiveObjects, find_settings

PARTS = ["model.freeze.encoder", "model.freeze.head"]
ROWS = TensorDataset(torch.zeros(64, 4))


def adamw(net: nn.Module) -> Optimizer:
    return AdamW(net.parameters(), lr=1e-3)


def reasons(findings: Findings) -> dict[str, str]:
    return {each.key: each.why_not for each in findings.unbound}


def test_a_model_and_an_optimizer_have_these_settings_and_nothing_is_hung_on_them() -> None:
    net = Net()
    optimizer = adamw(net)
    kinds = ["lr", "weight_decay", "beta1", "beta2", "eps"]
    assert keys(live(net, optimizer)) == [*(f"optimizer.{kind}" for kind in kinds), "model.dropout", *PARTS]
    assert not optimizer._optimizer_step_pre_hooks
    assert not any(each._forward_pre_hooks for each in net.modules())


@pytest.mark.parametrize(
    ("build", "kinds"),
    [
        (lambda w: SGD(w, lr=0.1), ["lr", "weight_decay", "momentum"]),
        (lambda w: RMSprop(w, lr=0.1), ["lr", "weight_decay", "momentum", "eps"]),
    ],
)
def test_an_optimizer_has_the_settings_that_its_groups_hold(
    build: Callable[[ParamsT], Optimizer], kinds: list[str]
) -> None:
    assert keys(live(optimizer=build([nn.Parameter(torch.ones(2))]))) == [f"optimizer.{kind}" for kind in kinds]


def test_what_is_no_number_is_listed_with_the_reason() -> None:
    class Relative(SGD):
        """As Adafactor with relative_step: it computes its rate itself."""

    optimizer = Relative([nn.Parameter(torch.ones(2))], lr=0.1)
    optimizer.param_groups[0]["lr"] = None
    found = reasons(find_settings(live(optimizer=optimizer)))
    assert "it computes its rates itself" in found["optimizer.lr"]
    found = reasons(find_settings(live(optimizer=Adafactor([nn.Parameter(torch.ones(2))]))))
    assert "which is no number" in found["optimizer.eps"]


def test_groups_of_equal_values_are_one_setting_and_others_are_also_together() -> None:
    net = Net()
    groups = [
        {"params": net.encoder.parameters(), "weight_decay": 0.1},
        {"params": net.head.parameters(), "weight_decay": 0.0},
    ]
    findings = find_settings(live(optimizer=AdamW(groups, lr=1e-3)))
    assert [each.key for each in findings.settings][:3] == [
        "optimizer.lr",
        "optimizer.weight_decay.0",
        "optimizer.weight_decay.1",
    ]
    (together,) = findings.joints
    assert (together.key, together.members, together.short) == (
        "optimizer.weight_decay",
        ("optimizer.weight_decay.0",),  # the other is 0, and a ratio keeps it there
        "weight_decay",
    )


def test_groups_with_names_have_rates_of_their_own_under_these_names() -> None:
    net = Net()
    groups = [{"params": part.parameters(), "name": name} for name, part in net.named_children() if name != "drop"]
    findings = find_settings(live(optimizer=AdamW(groups, lr=1e-3)))
    found = {each.key: each.short for each in findings.settings}
    assert found["optimizer.lr.encoder"] == "lr.encoder"
    assert "optimizer.lr" not in found
    assert "optimizer.beta1" in found
    assert [each.members for each in findings.joints if each.key == "optimizer.lr"] == [
        ("optimizer.lr.encoder", "optimizer.lr.head")
    ]


def test_very_many_groups_are_one_setting() -> None:
    groups = [{"params": [nn.Parameter(torch.ones(1))], "lr": 1e-3 * 0.9**layer} for layer in range(40)]
    findings = find_settings(live(optimizer=AdamW(groups)))
    assert [each.key for each in findings.settings if each.key.startswith("optimizer.lr")] == ["optimizer.lr"]


def test_groups_under_a_product_with_one_floor_for_all_are_also_led_apart() -> None:
    net = Net()
    optimizer = SGD([{"params": net.encoder.parameters(), "lr": 0.1}, {"params": net.head.parameters(), "lr": 0.01}])
    chained = lr_scheduler.ChainedScheduler(
        [
            lr_scheduler.ConstantLR(optimizer),
            lr_scheduler.CosineAnnealingLR(optimizer, T_max=10, eta_min=1e-3),
        ]
    )
    assert keys(live(optimizer=optimizer, scheduler=chained))[:2] == ["optimizer.lr.0", "optimizer.lr.1"]


def test_the_momentum_that_a_schedule_cycles_is_listed_with_the_reason() -> None:
    optimizer = AdamW(Net().parameters(), lr=1e-3)
    cycle = lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=10)
    found = reasons(find_settings(live(optimizer=optimizer, scheduler=cycle)))
    assert "OneCycleLR overwrites beta1" in found["optimizer.beta1"]


def test_several_optimizers_have_their_own_settings_and_schedules_are_matched_by_themselves() -> None:
    nets = {"g": Net(), "d": Net()}
    optimizers = {name: adamw(net) for name, net in nets.items()}
    schedulers = {"one": lr_scheduler.StepLR(optimizers["d"], 10), "two": lr_scheduler.StepLR(optimizers["g"], 10)}
    objects = live(nets, optimizers, schedulers)
    assert {"g.lr", "d.lr", "g.dropout", "d.freeze.head"} <= set(keys(objects))
    assert objects.scheduler_of("g") is schedulers["two"]
    assert objects.optimizer_of(nets["d"]) is optimizers["d"]


@pytest.mark.parametrize("name", ["a.b", "", " a", 3])
def test_a_name_that_cannot_begin_a_key_is_refused(name: object) -> None:
    with pytest.raises(InvalidInput, match="a text without dots"):
        live({name: Net()})


def test_an_object_that_wraps_an_optimizer_or_a_scheduler_is_seen_through() -> None:
    class Wrapped:
        def __init__(self, **inner: object) -> None:
            vars(self).update(inner)

        @property
        def param_groups(self) -> list[dict]:
            return vars(self)["optimizer"].param_groups

    optimizer = adamw(Net())
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    objects = live(optimizer=Wrapped(optimizer=optimizer), scheduler=Wrapped(scheduler=scheduler))
    assert keys(objects)[0] == "optimizer.lr"
    found = reasons(find_settings(live(Net(), Wrapped(optimizer=None), loader=DataLoader(ROWS))))
    assert "cannot be watched" in found["optimizer.lr"]
    assert all("no optimizer" in why for key, why in found.items() if key != "optimizer.lr")


def test_dropout_of_several_probabilities_is_one_setting_for_each_part_and_all_together() -> None:
    net = nn.ModuleDict(
        {
            "a": nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1), nn.Dropout(0.1)),
            "b": nn.Sequential(nn.Dropout(0.3), nn.ModuleList([nn.Dropout(0.5)])),
            "c": nn.MultiheadAttention(4, 1, dropout=0.1),
        }
    )
    findings = find_settings(live(net, adamw(net)))
    found = [each.key for each in findings.settings if "dropout" in each.key]
    assert found == ["model.dropout.a", "model.dropout.b.0", "model.dropout.b.1", "model.dropout.c"]
    assert findings.joints[0].members == tuple(found)


def test_a_model_without_dropout_and_one_whose_weights_no_optimizer_holds() -> None:
    net = Net()
    assert "model.dropout" not in keys(live(nn.Linear(2, 2), adamw(nn.Linear(2, 2))))
    found = reasons(find_settings(live(net, adamw(nn.Linear(2, 2)))))
    assert "no optimizer that is bound holds weights of model" in found["model.dropout"]
    assert "no optimizer" in found["model.freeze.head"]


def test_the_parts_of_the_outermost_module_that_has_several_can_be_frozen_and_not_endlessly_many() -> None:
    inner = nn.Sequential(*[nn.Linear(2, 2) for _ in range(40)])
    net = nn.ModuleDict({"model": inner})
    findings = find_settings(live(net, adamw(net)))
    freezing = [each.key for each in findings.settings if "freeze" in each.key]
    assert freezing == [f"model.freeze.model.{i}" for i in range(16)]
    assert "24 more parts" in reasons(findings)["model.freeze.<module>"]


def test_what_cannot_be_frozen_is_listed_with_the_reason() -> None:
    net = nn.ModuleDict({"embed": nn.Embedding(4, 4), "head": nn.Linear(4, 4, bias=False)})
    net["head"].weight = net["embed"].weight
    assert "is tied to" in reasons(find_settings(live(net, adamw(net))))["model.freeze.embed"]


def test_of_a_part_that_cannot_be_frozen_the_parts_inside_are_listed() -> None:
    body = nn.ModuleDict({"embed": nn.Embedding(4, 4), "layers": nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))})
    net = nn.ModuleDict({"body": body, "head": nn.Linear(4, 4, bias=False)})
    net["head"].weight = body["embed"].weight
    findings = find_settings(live(net, adamw(net)))
    assert [each.key for each in findings.settings if "freeze" in each.key] == ["model.freeze.body.layers"]
    assert {"model.freeze.body", "model.freeze.head"} <= reasons(findings).keys()


@pytest.fixture
def process_group(tmp_path) -> Iterator[None]:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize("finds", [True, False])
@pytest.mark.parametrize("compiled", [True, False])
def test_a_model_is_seen_through_ddp_and_compile_and_ddp_must_look_for_unused_weights(
    finds: bool, compiled: bool
) -> None:
    net = Net()
    wrapped: nn.Module = nn.parallel.DistributedDataParallel(net, find_unused_parameters=finds)
    outermost = torch.compile(wrapped, backend="eager") if compiled else wrapped
    findings = find_settings(live(outermost, adamw(net)))
    found = [each.key for each in findings.settings]
    assert "model.dropout" in found
    assert (set(PARTS) <= set(found)) is finds
    if not finds:
        assert "find_unused_parameters=True" in reasons(findings)["model.freeze.head"]


def test_the_size_of_a_loader_is_found_where_it_is_known_how_it_is_read() -> None:
    class Stream(IterableDataset):
        def __iter__(self) -> Iterator[int]:
            yield from range(8)

    optimizer = adamw(Net())
    for loader in (
        DataLoader(ROWS, batch_size=8),
        DataLoader(ROWS, batch_sampler=ResizableBatchSampler(range(64), 8)),
        DataLoader(Stream(), batch_size=4),
    ):
        assert keys(live(optimizer=optimizer, loader=loader))[-1] == "loader.batch_size"
    refused: list[tuple[object, str]] = [
        (DataLoader(ROWS, batch_size=None), "batch_size=None"),
        (DataLoader(ROWS, batch_sampler=[[0, 1], [2, 3]]), "builtins.list cannot be changed"),
        ([ROWS], "a list is no torch DataLoader"),
    ]
    for other, why in refused:
        found = reasons(find_settings(live(optimizer=optimizer, loader=other)))
        assert why in found["loader.batch_size"]
    assert "no optimizer" in reasons(find_settings(live(loader=DataLoader(ROWS))))["loader.batch_size"]


@pytest.mark.parametrize("resizable", [True, False])
def test_the_weights_of_a_mixture_are_found(resizable: bool) -> None:
    mixture = MixtureSampler({"old": 32, "new": 32}, {"old": 3.0, "new": 1.0}, 64, seed=0)
    data: ConcatDataset[tuple[torch.Tensor, ...]] = ConcatDataset([ROWS, ROWS])
    loader = (
        DataLoader(data, batch_sampler=ResizableBatchSampler(mixture, 8))
        if resizable
        else DataLoader(data, sampler=mixture, batch_size=8)
    )
    found = keys(live(optimizer=adamw(Net()), loader={"train": loader}))
    assert found[-3:] == ["train.batch_size", "train.mixture.old", "train.mixture.new"]


class Temperature:
    """A finder of a setting of its own."""

    value = 1.0

    def find(self, objects: LiveObjects) -> Iterator[BoundSetting]:
        yield BoundSetting(("sampling", "temperature"), self, Limits(0.0, 2 * self.value))

    def read(self) -> float:
        return self.value

    def write(self, value: float) -> None:
        self.value = value

    def watch(self, report: object) -> None: ...

    def state(self) -> dict[str, float]:
        return {"value": self.value}

    def restore(self, state: Mapping[str, float]) -> None:
        self.value = state["value"]


def test_a_finder_of_ones_own_adds_settings() -> None:
    findings = find_settings(LiveObjects(), finders=(Temperature(),))
    assert [(each.key, each.short, each.parameter.high) for each in findings.settings] == [
        ("sampling.temperature", "temperature", 2.0)
    ]


def test_nothing_is_found_where_there_is_nothing() -> None:
    assert find_settings(LiveObjects()) == Findings()
