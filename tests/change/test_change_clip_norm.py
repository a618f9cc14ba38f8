"""A clip norm counts as used when the step began with the gradients that clipping left."""

import pytest
import torch
from torch.optim import SGD

from seedbed.change import ChangeEngine, ClipNorm, Delta, Parameter, Set, Use, UseReport
from seedbed.contracts import Outcome
from seedbed.errors import InvalidInput
from seedbed.records import MemoryJournal


def clipped(*, max_norm: float = 1.0, size: float = 3.0) -> tuple[torch.nn.Parameter, SGD, ClipNorm, list[UseReport]]:
    """A weight with a gradient of norm 2 * size, its optimizer, a clip norm that is watched, and what is seen."""
    weight = torch.nn.Parameter(torch.zeros(4))
    weight.grad = torch.full((4,), size)
    optimizer = SGD([weight], lr=1.0)
    clip = ClipNorm(optimizer, max_norm)
    seen: list[UseReport] = []
    clip.watch(seen.append)
    return weight, optimizer, clip, seen


@pytest.mark.parametrize("max_norm", [0.25, 3.0, 50.0])
def test_the_norm_written_is_the_norm_that_the_step_moves_by(max_norm: float) -> None:
    weight, optimizer, clip, seen = clipped()
    clip.write(max_norm)
    clip.watch(seen.append)
    assert float(clip.clip([weight])) == pytest.approx(6.0)
    optimizer.step()
    assert float(weight.detach().norm()) == pytest.approx(min(6.0, max_norm), rel=1e-5)
    assert seen == [UseReport(1, max_norm, max_norm, Use.USED)]


def test_a_step_without_a_clip_is_a_loss() -> None:
    weight, optimizer, clip, seen = clipped()
    clip.clip([weight])
    optimizer.step()
    optimizer.step()
    assert [each.why for each in seen] == ["", seen[1].why]
    assert "clip had not been called since its last step" in seen[1].why


def test_gradients_that_were_changed_between_clip_and_step_are_a_loss() -> None:
    weight, optimizer, clip, seen = clipped()
    clip.clip([weight])
    assert weight.grad is not None
    weight.grad.mul_(3.0)
    optimizer.step()
    assert "clip left gradients of norm 1 and the step began with 3" in seen[0].why


@pytest.mark.parametrize("fused", [False, True])
def test_gradients_that_were_clipped_while_they_were_scaled_are_a_loss(fused: bool) -> None:
    weight = torch.nn.Parameter(torch.ones(4))
    optimizer = torch.optim.SGD([weight], lr=0.1, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    clip = ClipNorm(optimizer, 1.0)
    seen: list[UseReport] = []
    clip.watch(seen.append)
    scaler.scale((weight * 3).sum()).backward()
    clip.clip([weight])  # the fault: before scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert len(seen) == 1
    assert seen[0].why


def test_gradients_that_are_no_numbers_prove_nothing() -> None:
    weight, optimizer, clip, seen = clipped()
    assert weight.grad is not None
    weight.grad.fill_(float("nan"))
    clip.clip([weight])
    optimizer.step()
    assert seen == []


@pytest.mark.parametrize("max_norm", [0.0, -1.0, float("inf"), float("nan")])
def test_a_norm_that_cannot_be_is_refused_at_once(max_norm: float) -> None:
    with pytest.raises(InvalidInput, match="finite number above 0"):
        ClipNorm(SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0), max_norm)


def test_a_change_to_0_within_its_bounds_fails_and_says_that_the_norm_must_be_above_0() -> None:
    clip = ClipNorm(SGD([torch.nn.Parameter(torch.zeros(4))], lr=1.0), 1.0)
    engine = ChangeEngine(MemoryJournal(), {"clip": clip}, [Parameter("clip", "1", low=0.0, high=9.0)])
    engine.propose(Delta("clip", Set(0.0), "test", "me"), 0)
    assert engine.history[1].outcome is Outcome.FAILED
    assert "max_norm is 0.0: expected a finite number above 0" in engine.history[1].reason
    assert engine.history[1].reason.endswith("; the former value was restored and read back")
    assert clip.read() == 1.0


def test_what_was_not_clipped_proves_nothing() -> None:
    weight, optimizer, clip, seen = clipped()
    given = iter([weight])
    clip.clip(given)
    clip.clip(given)  # the iterator is exhausted, but the first call reached the gradients
    optimizer.step()
    assert [each.use for each in seen] == [Use.USED]
    weight, optimizer, clip, seen = clipped()
    for _ in range(2):
        clip.clip([])
        optimizer.step()
    assert [(each.use, each.why) for each in seen] == [(Use.OPEN, "clip was given 0 of the 1 weights with a gradient")]
    clip.clip([weight])
    optimizer.step()
    assert seen[1:] == [UseReport(3, 1.0, 1.0, Use.USED)]


def test_a_part_of_the_weights_proves_nothing_and_parts_that_make_up_all_do() -> None:
    weights = [torch.nn.Parameter(torch.zeros(4)) for _ in range(3)]
    optimizer = SGD(weights, lr=1.0)
    clip = ClipNorm(optimizer, 2.0)
    clip.write(1.0)
    seen: list[UseReport] = []
    clip.watch(seen.append)
    for parts in ([weights[:1]], [weights[:1], weights[1:2]]):
        for weight in weights[:2]:  # the third has no gradient
            weight.grad = torch.full((4,), 3.0)
        for part in parts:
            clip.clip(part)
        optimizer.step()
    assert [each.use for each in seen] == [Use.OPEN, Use.USED]
    assert seen[0].why == "clip was given 1 of the 2 weights with a gradient"


@pytest.mark.parametrize(("before", "after"), [(100.0, 50.0), (50.0, 100.0), (None, 50.0)])
def test_a_norm_that_no_gradients_reach_stays_open_until_some_do(before: float | None, after: float) -> None:
    weight, optimizer, clip, seen = clipped(max_norm=before or 1.0)
    clip.write(after)
    if before is None:
        clip.restore({"max_norm": after})  # nobody knows the former one
    clip.watch(seen.append)
    for size in (3.0, 4.0, 45.0):
        weight.grad = torch.full((4,), size)
        clip.clip([weight])
        optimizer.step()
    assert [(each.steps_after, each.use) for each in seen] == [(1, Use.OPEN), (3, Use.USED)]
    assert seen[0].why == "no step's gradients reached a limit, the new or the former one"


@pytest.mark.parametrize("factor", [1.0, 5.0])
@pytest.mark.parametrize("max_norm", [1e-9, 1e-7, 1e-6, 1e-3, 1.0, 1e6])
def test_small_norms_are_told_apart_as_large_ones_are(max_norm: float, factor: float) -> None:
    weight, optimizer, clip, seen = clipped(max_norm=10 * max_norm, size=50 * max_norm)
    clip.write(max_norm)
    clip.watch(seen.append)
    clip.clip([weight])
    assert weight.grad is not None
    weight.grad.mul_(factor)  # by other code
    optimizer.step()
    assert [each.use for each in seen] == [Use.USED if factor == 1.0 else Use.LOST]


def test_gradients_that_clipping_made_too_small_for_half_precision_were_changed_by_nobody() -> None:
    weight, optimizer, clip, seen = clipped()
    weight.data = torch.zeros(10_000).half()
    weight.grad = torch.full((10_000,), 3e-7).half()
    clip.write(3e-6)
    clip.watch(seen.append)
    clip.clip([weight])
    assert not weight.grad.any(), "a tenth of 3e-7 is less than half of 6e-8, the least number above 0"
    optimizer.step()
    assert [each.use for each in seen] == [Use.USED]
