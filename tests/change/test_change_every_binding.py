"""What holds for every binding, whatever surrounds the loop: mixed precision, compilation, accumulation, resume."""

import copy
import json
from pathlib import Path

import pytest
import torch
from change_rig import CASES, Net, Rig
from torch.optim.swa_utils import AveragedModel

from seedbed.change import ChangeEngine, ChangeState, Delta, Kind, Parameter, Set, Use, UseReport
from seedbed.contracts import Outcome
from seedbed.errors import InvalidInput
from seedbed.records import Journal

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated")  # the compiler's own
every_binding = pytest.mark.parametrize("name", CASES)


def changed(rig: Rig, name: str) -> UseReport:
    """The setting changed and watched; returns what must be seen at the first step that uses it."""
    case = CASES[name]
    binding = case.build(rig)
    binding.write(case.value)
    binding.watch(rig.seen.append)
    return UseReport(1, case.value, case.value, Use.USED)


@every_binding
def test_a_write_is_read_back_and_state_brings_it_back(name: str) -> None:
    case = CASES[name]
    binding = case.build(Rig())
    first = binding.state()
    assert binding.read() != case.value
    binding.write(case.value)
    kept = json.loads(json.dumps(binding.state(), sort_keys=True))
    assert binding.read() == case.value
    assert kept != first
    binding.restore(first)
    assert binding.state() == first
    binding.restore(kept)
    assert binding.state() == kept
    with pytest.raises(InvalidInput, match="expected"):
        binding.restore({"another": 1.0})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.5])
@pytest.mark.parametrize("name", sorted(CASES.keys() - {"lr", "lr of one group", "loss weight"}))
def test_a_value_that_cannot_be_is_refused_and_nothing_moves(name: str, value: float) -> None:
    binding = CASES[name].build(Rig())
    before = binding.state()
    with pytest.raises(InvalidInput):
        binding.write(value)
    assert binding.state() == before


@pytest.mark.slow
@every_binding
@pytest.mark.parametrize(
    "around",
    [
        {},
        {"compile_model": True},
        {"compile_step": True},
        {"fused": True},
        {"amp": True},
        {"amp": True, "fused": True},
    ],
    ids=lambda around: "+".join(around) or "plain",
)
def test_a_change_is_seen_at_the_next_step_and_no_loss_after(name: str, around: dict[str, bool]) -> None:
    torch._dynamo.reset()
    rig = Rig(**around)
    rig.step()
    expected = changed(rig, name)
    for _ in range(3):
        rig.step()
    assert rig.seen == [expected]


@pytest.mark.slow
@every_binding
@pytest.mark.parametrize("around", [{}, {"compile_model": True}, {"compile_step": True}], ids=str)
def test_a_rival_that_takes_it_back_later_is_caught(name: str, around: dict[str, bool]) -> None:
    torch._dynamo.reset()
    rig = Rig(**around)
    rig.step()  # the bias correction takes the betas out of the first
    expected = changed(rig, name)
    rig.step()
    CASES[name].rival(rig)
    rig.step()
    rig.step()
    assert rig.seen[0] == expected
    assert len(rig.seen) == 2, "a loss is told once"
    assert rig.seen[1].why
    assert rig.seen[1].found != expected.found


@every_binding
@pytest.mark.parametrize("fused", [False, True])
def test_a_step_that_mixed_precision_skips_is_no_use(name: str, fused: bool) -> None:
    rig = Rig(amp=True, fused=fused)
    rig.step()
    expected = changed(rig, name)
    before = copy.deepcopy(rig.model.head.weight)
    rig.step(poisoned=True)
    assert torch.equal(before, rig.model.head.weight), "the step was skipped"
    assert rig.seen == []
    rig.step()
    assert not torch.equal(before, rig.model.head.weight)
    assert rig.seen == [expected]


@every_binding
def test_a_change_amid_accumulation_is_proven_by_a_step_that_is_wholly_of_it(name: str) -> None:
    rig = Rig()
    rig.step()
    rig.micro()
    expected = changed(rig, name)
    rig.micro()
    assert rig.seen == [], "a micro-batch is no step"
    rig.update()
    if CASES[name].in_forward:
        assert rig.seen == [], "half of what this step summed up came before the change"
        rig.step()
        expected = UseReport(2, expected.expected, expected.found, Use.USED)
    assert rig.seen == [expected]


@every_binding
def test_an_ended_watch_leaves_nothing_on_optimizer_or_model(name: str) -> None:
    rig = Rig()
    binding = CASES[name].build(rig)
    attributes = set(vars(rig.optimizer))
    binding.watch(rig.seen.append)
    assert rig.optimizer._optimizer_step_pre_hooks
    binding.watch(None)
    assert not rig.optimizer._optimizer_step_pre_hooks
    assert not rig.optimizer._optimizer_step_post_hooks
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in rig.model.modules())
    assert set(vars(rig.optimizer)) == attributes
    rig.step()
    assert rig.seen == []


def test_an_engine_with_nothing_to_change_hangs_nothing_on_the_loop(tmp_path: Path) -> None:
    rig = Rig()
    attributes = set(vars(rig.optimizer))
    bindings = {name: case.build(rig) for name, case in CASES.items() if name != "lr"}
    parameters = [Parameter(name, "1", 0.0, 100.0) for name in bindings]
    engine = ChangeEngine(Journal.open(tmp_path / "changes.log"), bindings, parameters)
    rig.step()
    assert set(vars(rig.optimizer)) == attributes
    assert not rig.optimizer._optimizer_step_pre_hooks
    assert not rig.optimizer._optimizer_step_post_hooks
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in rig.model.modules())
    engine.close()


@every_binding
def test_a_watch_neither_follows_an_averaged_copy_nor_is_misled_by_it(name: str) -> None:
    rig = Rig()
    expected = changed(rig, name)
    average = AveragedModel(rig.model)
    assert isinstance(average.module, Net)
    average.module.drop.p = 0.9
    average.train()
    average(torch.ones(4, 3))
    assert rig.seen == []
    rig.step()
    average.update_parameters(rig.model)
    average(torch.ones(4, 3))
    rig.step()
    assert rig.seen == [expected]


def an_engine(folder: Path, rig: Rig, name: str) -> ChangeEngine:
    parameter = Parameter("setting", unit="1", low=0.0, high=100.0)
    return ChangeEngine(Journal.open(folder / "changes.log"), {"setting": CASES[name].build(rig)}, [parameter])


@pytest.mark.slow
@every_binding
@pytest.mark.parametrize("proven", [False, True])
def test_a_resumed_run_has_the_change_again_and_proves_it_on_new_objects(
    tmp_path: Path, name: str, proven: bool
) -> None:
    rig = Rig()
    engine = an_engine(tmp_path, rig, name)
    rig.step()
    engine.propose(Delta("setting", Set(CASES[name].value), "by hand", "me"), step=1)
    steps = 1
    if proven:
        rig.step()
        steps += 1
    saved = copy.deepcopy((rig.model.state_dict(), rig.optimizer.state_dict()))
    state = engine.state(steps).model_dump_json()
    engine.close()

    later = Rig()
    engine = an_engine(tmp_path, later, name)
    later.model.load_state_dict(saved[0])
    later.optimizer.load_state_dict(saved[1])
    engine.resume(ChangeState.model_validate_json(state))
    assert CASES[name].build(later).read() == CASES[name].value
    for _ in range(3):
        later.step()
    assert engine.history[1].outcome is Outcome.EFFECTIVE
    CASES[name].rival(later)
    later.step()
    assert engine.history[1].phase is Kind.FAILED, "it is watched again"
