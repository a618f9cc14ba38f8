"""Steps: what counts as one, how a pass behaves, and that nothing stays set when the loop is left."""

import pytest
import torch
from loop_world import Work, logged, twin_losses
from torch import nn
from torch.overrides import TorchFunctionMode

import seedbed


def test_the_loop_is_the_users_own_bit_by_bit(tmp_path):
    work, losses = Work(), []
    with work.start(tmp_path) as run:
        for _ in run.epochs(2):
            for _, (x, y) in run.steps(work.loader):
                loss = work.step(x, y)
                run.log(loss=loss)
                losses.append(loss.item())
        run.result(x=1)
    assert losses == twin_losses(24)
    assert [event.values["loss"] for event in logged(run)] == losses
    assert [event.step for event in logged(run)] == list(range(1, 25))


def test_a_pass_has_the_length_of_its_loader_and_the_numbers_of_the_coming_steps(tmp_path):
    work = Work()
    with work.start(tmp_path) as run:
        passes = run.steps(work.loader)
        assert len(passes) == 12
        numbers = []
        for number, (x, y) in passes:
            work.step(x, y)
            numbers.append(number)
        assert numbers == list(range(1, 13))
        assert [number for number, _ in run.steps(iter([1, 2]))] == [13, 13]  # without a step of the optimizer
        with pytest.raises(TypeError):
            len(run.steps(iter([1, 2])))
        run.result(x=1)
    assert (run.step, run.iteration, run.epoch) == (12, 14, 2)


def test_micro_batches_advance_only_the_iteration_and_their_values_are_averaged(tmp_path):
    work = Work()
    with work.start(tmp_path) as run:
        for place, (_, (x, y)) in enumerate(run.steps(work.loader), start=1):
            loss = nn.functional.cross_entropy(work.model(x), y) / 3
            loss.backward()
            run.log(micro=float(place))
            if place % 3 == 0:
                work.optimizer.step()
                work.optimizer.zero_grad()
        run.result(x=1)
    assert (run.step, run.iteration) == (4, 12)
    assert [(e.step, e.values["micro"]) for e in logged(run)] == [(1, 2), (2, 5), (3, 8), (4, 11)]


@pytest.mark.parametrize("fused", [False, True])
def test_steps_that_mixed_precision_skips_are_not_counted(tmp_path, fused):
    model = nn.Linear(4, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    work = Work()
    work.model, work.optimizer, work.scheduler = model, optimizer, None
    changed = 0
    with work.start(tmp_path) as run:
        for turn, (_, (x, _)) in enumerate(run.steps(work.loader)):
            before = work.weights()
            loss = model(x).square().mean() * (float("inf") if turn in {2, 5, 6} else 1.0)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            changed += not torch.equal(before, work.weights())
            assert run.step == changed
        run.result(x=1)
    assert (run.step, run.iteration) == (9, 12)


def test_continue_advances_only_the_iteration(tmp_path):
    work = Work()
    with work.start(tmp_path) as run:
        for place, (_, (x, y)) in enumerate(run.steps(work.loader)):
            if place % 2:
                continue
            work.step(x, y)
        run.result(x=1)
    assert (run.step, run.iteration) == (6, 12)


def test_break_closes_the_step_at_once_and_leaves_no_mode_set(tmp_path):
    class Seen(TorchFunctionMode):
        pass

    work = Work()
    with work.start(tmp_path) as run:
        for _, (x, y) in run.steps(work.loader):
            work.step(x, y)
            if run.step == 3:
                break
        assert not run._steps.is_open
        assert not torch._C._autograd._profiler_enabled()
        assert torch._C._len_torch_function_stack() == 0
        with run.evaluation():
            work.model(work.x)
        run.result(x=1)
    assert run.epoch == 1
    assert run.witness.evidence(1.0).steps == 4


def test_a_step_is_a_block_too_where_the_loop_has_no_loader(tmp_path):
    work = Work()
    with work.start(tmp_path) as run:
        for _ in range(5):
            with run.one_step() as number:
                loss = work.step(work.x, work.y)
                run.log({"loss": loss, "train/rate": work.scheduler.get_last_lr()[0]})
            assert number == run.step
        run.result(x=1)
    assert [sorted(e.values) for e in logged(run)] == [["loss", "train/rate"]] * 5


def test_without_an_optimizer_each_pass_of_the_loop_is_a_step(tmp_path):
    with seedbed.start(project="tests", store=tmp_path, quiet=True) as run:
        for number, batch in run.steps([3, 4, 5]):
            run.log(batch=batch)
            assert number == batch - 2
        run.result(x=1)
    assert run.step == 3


def test_the_steps_of_the_first_of_two_optimizers_count(tmp_path):
    models = {"generator": nn.Linear(2, 2), "critic": nn.Linear(2, 1)}
    optimizers = {name: torch.optim.SGD(model.parameters(), lr=0.1) for name, model in models.items()}
    with seedbed.start(models, optimizers, project="tests", store=tmp_path, quiet=True) as run:
        for _ in range(4):
            with run.one_step():
                for _ in range(3):
                    optimizers["critic"].zero_grad()
                    models["critic"](models["generator"](torch.ones(4, 2))).mean().backward()
                    optimizers["critic"].step()
                optimizers["generator"].zero_grad()
                models["critic"](models["generator"](torch.ones(4, 2))).mean().backward()
                optimizers["generator"].step()
        assert run.step == 4
        made = run.propose("critic.lr", scale=0.5, why="a test")
        assert (made.before, made.after) == (0.1, 0.05)
        run.result(x=1)


def test_what_is_evaluated_within_a_step_is_a_phase_of_its_own(tmp_path):
    work = Work()
    with work.start(tmp_path) as run:
        for _, (x, y) in run.steps(work.loader):
            work.step(x, y)
            if run.step == 6:
                assert len(run.evaluate(work.loader)) == 12
                with torch.no_grad():
                    right = sum((work.model(a).argmax(1) == b).sum().item() for a, b in run.evaluate(work.loader))
        run.result(right=right)
    assert run.witness.evidence(1.0).steps == 24
    assert run.step == 12
