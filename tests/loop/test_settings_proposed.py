"""Changes by name, on real loops: made together or not at all, and effective where a step used them."""

import math

import pytest
import torch
from settings_rig import Add, Loop, Net, Scale, Set, live, nothing_is_hidden  # noqa: F401
from torch import Tensor, nn
from torch.optim import AdamW, lr_scheduler
from torch.utils.data import ConcatDataset, DataLoader, TensorDataset

from seedbed.change import Delta, MixtureSampler, Operation, ResizableBatchSampler
from seedbed.contracts import Outcome
from seedbed.errors import Conflict, InvalidInput, NotFound
from seedbed.loop.settings import LiveObjects, Settings
from seedbed.records import MemoryJournal


def two_rates() -> Loop:
    """A loop whose encoder has a tenth of its head's rate, under a cosine."""
    torch.manual_seed(0)
    net = Net()
    groups = [
        {"params": net.encoder.parameters(), "lr": 1e-4, "weight_decay": 0.1},
        {"params": net.head.parameters(), "lr": 1e-3, "weight_decay": 0.0},
    ]
    optimizer = AdamW(groups)
    rig = Loop(optimizer, lr_scheduler.CosineAnnealingLR(optimizer, T_max=100))
    rig.model = net
    return rig


@pytest.mark.parametrize(
    ("name", "op"),
    [
        ("optimizer.lr", Scale(0.5)),
        ("lr", Set(2e-3)),
        ("weight_decay", Set(0.05)),
        ("beta1", Set(0.95)),
        ("beta2", Set(0.95)),
        ("eps", Set(1e-6)),
        ("dropout", Add(0.2)),
        ("freeze.encoder", Set(1.0)),
        ("model.freeze.encoder.1", Set(1)),
    ],
)
def test_a_change_by_name_is_effective_at_the_next_step_that_uses_it(name: str, op: Operation) -> None:
    rig = Loop()
    rig.step(3)
    (change,) = rig.propose(name, op)
    rig.step(2)
    assert rig.outcome(change) == "EFFECTIVE", rig.engine.history[change.id].reason


@pytest.mark.parametrize(
    ("op", "rates"),
    [(Scale(0.5), (5e-5, 5e-4)), (Set(2e-4), (2e-4, 2e-3)), (Add(1e-4), (2e-4, 2e-3))],
)
def test_groups_together_keep_their_ratio_and_each_is_proven(op: Operation, rates: tuple[float, float]) -> None:
    rig = two_rates()
    changes = rig.propose("lr", op)
    assert [each.delta.parameter for each in changes] == ["optimizer.lr.0", "optimizer.lr.1"]
    rig.step()
    assert [rig.outcome(each) for each in changes] == ["EFFECTIVE", "EFFECTIVE"]
    assert [group["lr"] for group in rig.optimizer.param_groups] == pytest.approx(rates)


def test_one_group_changes_alone_and_then_both_and_none_is_accused() -> None:
    rig = two_rates()
    (one,) = rig.propose("lr.1", Scale(0.5))
    rig.step()
    both = rig.propose("lr", Scale(0.5))
    rig.step(2)
    assert [rig.outcome(each) for each in (one, *both)] == ["EFFECTIVE"] * 3
    assert [group["lr"] for group in rig.optimizer.param_groups] == pytest.approx([5e-5, 2.5e-4])


def test_a_slip_of_one_group_keeps_the_other_as_it_was() -> None:
    rig = two_rates()
    rig.propose("lr.0", Scale(5.0))
    rig.step()
    before = rig.engine.values()
    changes = rig.propose("lr", Scale(5.0))  # 25 times for the first
    assert [each.outcome for each in changes] == [Outcome.BLOCKED, Outcome.BLOCKED]
    assert "optimizer.lr.0 of the same proposal" in changes[1].reason
    assert rig.engine.values() == before


def test_a_weight_decay_of_0_stays_0_when_all_are_changed() -> None:
    rig = two_rates()
    (change,) = rig.propose("weight_decay", Set(0.05))
    rig.step()
    assert rig.outcome(change) == "EFFECTIVE"
    assert [group["weight_decay"] for group in rig.optimizer.param_groups] == [0.05, 0.0]
    rig.propose("weight_decay.1", Set(0.01))
    assert [group["weight_decay"] for group in rig.optimizer.param_groups] == [0.05, 0.01]


def test_values_that_are_no_ratios_become_equal_together() -> None:
    net = Net()
    groups = [
        {"params": net.encoder.parameters(), "betas": (0.9, 0.999)},
        {"params": net.head.parameters(), "betas": (0.8, 0.999)},
    ]
    rig = Loop(AdamW(groups))
    rig.model = net
    assert len(rig.propose("beta1", Set(0.95))) == 2
    assert [group["betas"][0] for group in rig.optimizer.param_groups] == [0.95, 0.95]


def test_the_norm_that_the_loop_clips_to_is_a_setting_from_its_first_call_on() -> None:
    rig = Loop()
    with pytest.raises(NotFound, match="no setting is called 'clip'"):
        rig.propose("clip", Scale(0.5))
    rig.step(clip=1e-2)
    (change,) = rig.propose("clip", Scale(0.5))
    rig.step(clip=1e-2)
    assert rig.outcome(change) == "EFFECTIVE"
    assert rig.engine.values()["clip.norm"] == 5e-3
    rig.step(clip=1e-2)
    assert rig.outcome(change) == "EFFECTIVE", "the number in the loop's line goes on to be where it began"


def test_a_loop_that_passes_another_norm_overwrites_the_change_and_is_told() -> None:
    rig = Loop()
    rig.step(clip=1e-2)
    (change,) = rig.propose("clip", Scale(0.5))
    rig.step(clip=1e-2)
    rig.step(clip=2e-2)
    assert rig.outcome(change) == "FAILED"
    assert rig.engine.values()["clip.norm"] == 2e-2


def test_clipping_gives_what_torch_gives() -> None:
    rig = Loop()
    rig.backward()
    norm = float(torch.nn.utils.get_total_norm([each.grad for each in rig.model.parameters() if each.grad is not None]))
    assert float(rig.settings.clip(rig.model.parameters(), norm / 2)) == pytest.approx(norm)
    left = torch.nn.utils.get_total_norm([each.grad for each in rig.model.parameters() if each.grad is not None])
    assert float(left) == pytest.approx(norm / 2, rel=1e-4)


def test_a_norm_without_a_limit_measures_and_is_no_setting() -> None:
    rig = Loop()
    rig.backward()
    assert float(rig.settings.clip(rig.model.parameters(), math.inf)) > 0
    assert "clip.norm" not in rig.engine.values()


def test_weights_that_no_optimizer_holds_may_come_first_and_those_of_none_are_no_setting() -> None:
    rig = Loop()
    other = nn.Linear(1, 1)
    rig.settings.clip(other.parameters(), 5.0)
    assert "clip.norm" not in rig.engine.values()
    rig.settings.clip([*other.parameters(), *rig.model.parameters()], 1.0)
    assert rig.engine.values()["clip.norm"] == 1.0


def test_each_optimizer_has_a_norm_of_its_own() -> None:
    nets = {"g": Net(), "d": Net()}
    objects = live(nets, {name: AdamW(net.parameters()) for name, net in nets.items()})
    settings = Settings(objects)
    settings.clip(nets["d"].parameters(), 1.0)
    settings.clip(nets["g"].parameters(), 2.0)
    settings.clip([nn.Parameter(torch.ones(1))], 3.0)  # of no optimizer
    found = {each.key: each.binding.read() for each in settings.found}
    assert (found["d.clip_norm"], found["g.clip_norm"]) == (1.0, 2.0)
    assert "clip.norm" not in found


def test_the_passes_that_a_loop_accumulates_over_are_a_setting_when_it_reads_them() -> None:
    rig = Loop()

    def step() -> None:
        for _ in range(rig.settings.accumulation(2)):
            rig.backward()
        rig.update()

    step()
    (change,) = rig.propose("accumulation", Scale(2.0))
    step()
    assert rig.outcome(change) == "EFFECTIVE"
    assert rig.settings.accumulation(2) == 4


@pytest.mark.parametrize("resizable", [True, False])
def test_the_batch_size_is_proven_by_the_rows_that_reach_the_loop(resizable: bool) -> None:
    rig = Loop()
    batches = ResizableBatchSampler(range(64), 8)
    loader = DataLoader(rig.loader.dataset, batch_sampler=batches) if resizable else rig.loader
    rows, change = [], None
    for num in rig.over(loader):
        rows.append(num)
        if len(rows) == 2:
            (change,) = rig.propose("batch_size", Scale(2.0))
    assert rows == [8, 8, 16, 16, 16]
    assert change is not None
    assert rig.outcome(change) == "EFFECTIVE"


def test_a_loader_that_is_built_for_each_epoch_takes_the_changed_size_over() -> None:
    rig = Loop()
    seen, change = [], None
    for _ in range(3):
        for num in rig.over(DataLoader(rig.loader.dataset, batch_size=32)):
            seen.append(num)
            if len(seen) == 2:  # no batch is left in this pass
                (change,) = rig.propose("batch_size", Set(16))
    assert seen == [32, 32, *[16] * 8]
    assert change is not None
    story = dict(rig.engine.history[change.id].story)
    assert rig.outcome(change) == "EFFECTIVE"
    assert next(facts["step"] for kind, facts in story.items() if kind == "effective") == 3


def test_another_loader_keeps_a_size_of_its_own() -> None:
    rig = Loop()
    for place, _ in enumerate(rig.over(rig.loader)):
        if place == 1:
            (change,) = rig.propose("batch_size", Set(16))
    assert next(rig.over(DataLoader(rig.loader.dataset, batch_size=4))) == 4
    assert rig.outcome(change) == "EFFECTIVE"
    assert rig.engine.values()["loader.batch_size"] == 4


def test_the_share_of_a_dataset_is_proven_by_the_rows_that_were_drawn_with_it() -> None:
    rig = Loop()
    mixture = MixtureSampler({"old": 32, "new": 32}, {"old": 1.0, "new": 1.0}, 64, seed=0)
    parts = [TensorDataset(torch.randn(32, 4), torch.randn(32, 1)) for _ in range(2)]
    loader: DataLoader[tuple[Tensor, ...]] = DataLoader(ConcatDataset(parts), sampler=mixture, batch_size=8)
    change = None
    for place, _ in enumerate(rig.over(loader)):
        if place == 2:
            (change,) = rig.propose("mixture.new", Set(3.0))
    assert change is not None
    assert rig.outcome(change) == "EFFECTIVE"
    assert mixture.num_delivered == 64


def test_batches_whose_rows_cannot_be_counted_reach_the_loop_and_prove_nothing() -> None:
    rig = Loop()
    loader: DataLoader[str] = DataLoader(["a", "b", "c", "d"], batch_size=2)  # type: ignore[arg-type]
    rig.settings.add(LiveObjects(loaders={"": loader}))
    assert list(rig.settings.tracked(loader)) == [["a", "b"], ["c", "d"]]
    (change,) = rig.propose("batch_size", Scale(2.0))
    for _ in rig.settings.tracked(loader):
        rig.step()
    assert rig.outcome(change) == "UNKNOWN"


def test_any_module_can_be_frozen_by_its_path_and_is_listed_from_then_on() -> None:
    rig = Loop()
    (change,) = rig.propose("freeze.encoder.1", Set(1.0))
    weight = rig.model.encoder.get_parameter("1.weight")
    before = weight.detach().clone()
    rig.step(2)
    assert rig.outcome(change) == "EFFECTIVE"
    assert torch.equal(before, weight)
    assert "model.freeze.encoder.1" in [each.key for each in rig.settings.view(0).settings]


@pytest.mark.parametrize(
    ("name", "error", "match"),
    [
        ("freeze.encoderr", NotFound, "Net has no module 'encoderr' to freeze; the nearest are encoder, "),
        ("freeze.drop", InvalidInput, "model.freeze.drop cannot be changed: submodule 'drop' has no parameters"),
        ("lrr", NotFound, "no setting is called 'lrr'; the nearest is lr;"),
        ("momentum", NotFound, "no setting is called 'momentum'"),
    ],
)
def test_a_name_that_is_no_setting_is_answered_with_the_nearest(name: str, error: type[Exception], match: str) -> None:
    rig = Loop()
    with pytest.raises(error, match=match):
        rig.propose(name, Set(1.0))
    assert rig.engine.history.records == ()


def test_a_setting_that_cannot_be_changed_is_answered_with_the_reason() -> None:
    optimizer = AdamW(Net().parameters())
    rig = Loop(optimizer, lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=10))
    with pytest.raises(InvalidInput, match=r"optimizer.beta1 cannot be changed: OneCycleLR overwrites beta1"):
        rig.propose("beta1", Set(0.8))


def test_a_proposal_against_a_state_holds_also_when_it_is_what_binds_the_setting() -> None:
    rig = Loop()
    seen = rig.settings.view(0).state
    assert rig.propose("freeze.encoder.1", Set(1.0), against=seen)[0].phase == "applied"
    rig.optimizer.param_groups[0]["lr"] = 0.5
    with pytest.raises(Conflict, match="proposed against state"):
        rig.propose("dropout", Set(0.2), against=seen)


def test_there_is_nothing_to_propose_to_before_there_is_an_engine() -> None:
    with pytest.raises(Conflict, match=r"call settings.engine"):
        Settings(live(Net())).propose(Delta("lr", Set(1.0), "why", "me"), 0)


def test_objects_that_are_bound_later_add_their_settings() -> None:
    net = Net()
    settings = Settings(live(net))
    engine = settings.engine(MemoryJournal())
    assert engine.values() == {}
    new = settings.add(live(optimizer=AdamW(net.parameters())))
    assert "optimizer.lr" in [each.key for each in new]
    assert "model.dropout" in engine.values()
    assert settings.add(LiveObjects()) == ()


def test_groups_that_become_equal_or_different_later_stay_the_settings_that_they_were() -> None:
    net = Net()
    groups = [
        {"params": net.encoder.parameters(), "betas": (0.9, 0.999)},
        {"params": net.head.parameters(), "betas": (0.8, 0.999)},
    ]
    rig = Loop(AdamW(groups))
    rig.model = net
    before = set(rig.engine.values())
    rig.propose("beta1", Set(0.95))
    rig.optimizer.param_groups[0]["weight_decay"] = 0.5
    for _ in rig.over(rig.loader):
        pass
    assert set(rig.engine.values()) - before == {"loader.batch_size"}
    assert len(rig.propose("beta1", Set(0.9))) == 2


def test_rates_that_a_warmup_begins_at_0_are_also_together() -> None:
    net = Net()
    groups = [{"params": net.encoder.parameters(), "lr": 1e-4}, {"params": net.head.parameters(), "lr": 1e-3}]
    optimizer = AdamW(groups)
    rig = Loop(optimizer, lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / 10)))
    view = {each.key: each for each in rig.settings.view(0).settings}
    assert view["optimizer.lr"].members == ("optimizer.lr.0", "optimizer.lr.1")
    assert [view[key].high for key in view["optimizer.lr"].members] == pytest.approx([1e-3, 1e-2])


def test_what_takes_the_place_of_something_else_is_refused_and_a_wrapped_model_is_not() -> None:
    rig = Loop()
    compiled = torch.compile(rig.model, backend="eager")
    assert rig.settings.add(live(compiled)) == ()
    other = Net()
    with pytest.raises(Conflict, match="another model is bound: bind this one under a name of its own"):
        rig.settings.add(live(other))
    with pytest.raises(Conflict, match="another optimizer is bound"):
        rig.settings.add(live(optimizer=AdamW(other.parameters())))
    with pytest.raises(Conflict, match="bound already without it: bind both together"):
        rig.settings.add(live(scheduler=lr_scheduler.StepLR(rig.optimizer, 10)))
    with pytest.raises(Conflict, match="bound already under another name"):
        rig.settings.add(live(optimizer={"main": rig.optimizer}))
    assert rig.settings.add(rig.objects) == ()
    assert "critic.lr" in [each.key for each in rig.settings.add(live(optimizer={"critic": AdamW(other.parameters())}))]


def test_an_optimizer_that_cannot_be_watched_breaks_no_line_of_the_loop() -> None:
    class Odd:
        def __init__(self, inner: AdamW) -> None:
            self.param_groups = list(inner.param_groups)

    net = Net()
    settings = Settings(live(net, Odd(AdamW(net.parameters()))))
    settings.engine(MemoryJournal())
    net(torch.ones(2, 4)).sum().backward()
    assert float(settings.clip(net.parameters(), 1.0)) > 0
    assert settings.found == ()
