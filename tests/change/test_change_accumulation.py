"""The number of backward passes for one optimizer step: read by the loop, counted where gradients arrive."""

import pytest
import torch
from change_knob import Reports, turned
from torch import nn

from seedbed.change import Accumulation, Use, UseReport
from seedbed.errors import InvalidInput


class Loop:
    """A loop that accumulates over as many passes as the number says, or as `passes` says instead."""

    def __init__(self, start: int = 2) -> None:
        torch.manual_seed(0)
        self.model = nn.Linear(3, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3)
        self.accumulation = Accumulation(self.optimizer, start)

    def backward(self, *, create_graph: bool = False) -> None:
        self.model(torch.randn(4, 3)).square().mean().backward(create_graph=create_graph)

    def step(self, passes: int | None = None, *, reads: bool = True, each: int = 1, to_none: bool = True) -> None:
        number = self.accumulation.number() if reads else 1
        for _ in range((number if passes is None else passes) * each):
            self.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=to_none)


def uses(seen: Reports) -> list[tuple[int, Use]]:
    return [(each.steps_after, each.use) for each in seen]


@pytest.mark.parametrize("to_none", [True, False])
def test_a_step_of_so_many_passes_proves_it(to_none: bool) -> None:
    loop = Loop()
    loop.step(to_none=to_none)
    seen = turned(loop.accumulation, 4)
    loop.step(to_none=to_none)
    if not to_none:  # gradients of zeros look like gathered ones: the proof comes one step later
        assert seen == []
        loop.step(to_none=to_none)
    assert seen == [UseReport(1 if to_none else 2, 4.0, 4.0, Use.USED)]
    assert not any(weight._post_accumulate_grad_hooks for weight in loop.model.parameters()), "it counts no more"


@pytest.mark.parametrize(("start", "value"), [(2, 1), (1, 2), (2, 8)])
def test_a_loop_that_does_not_read_the_number_loses_it_and_is_told(start: int, value: int) -> None:
    loop = Loop(start)
    seen = turned(loop.accumulation, value)
    for _ in range(3):
        loop.step(passes=value, reads=False)  # by chance as many: the loop does not know of it
    assert uses(seen) == [(2, Use.LOST)]
    assert "did not read the number" in seen[0].why


def test_a_loop_that_reads_the_number_and_makes_another_one_of_passes_proves_nothing() -> None:
    loop = Loop()
    seen = turned(loop.accumulation, 4)
    for _ in range(3):
        loop.step(each=2)
    assert uses(seen) == [(1, Use.OPEN)]
    assert "another number of backward passes" in seen[0].why
    loop.step()
    assert uses(seen)[1:] == [(4, Use.USED)], "a later step that has them is a proof"


def test_a_window_that_was_begun_before_the_change_proves_nothing() -> None:
    loop = Loop()
    loop.backward()
    seen = turned(loop.accumulation, 2)
    loop.accumulation.number()
    loop.backward()
    loop.backward()
    loop.optimizer.step()
    loop.optimizer.zero_grad()
    assert seen == []
    loop.step()
    assert uses(seen) == [(2, Use.USED)]


def test_passes_for_a_step_that_was_skipped_are_not_counted_for_the_next() -> None:
    loop = Loop()
    seen = turned(loop.accumulation, 3)
    for _ in range(loop.accumulation.number()):
        loop.backward()
    loop.optimizer.zero_grad()  # as mixed precision does when a gradient was not finite
    loop.step()
    assert uses(seen) == [(1, Use.USED)]


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph")
def test_gradients_that_each_pass_makes_anew_are_not_counted() -> None:
    loop = Loop()
    seen = turned(loop.accumulation, 1)
    loop.accumulation.number()
    loop.backward(create_graph=True)
    loop.optimizer.step()
    assert uses(seen) == [(1, Use.OPEN)]


@pytest.mark.parametrize("number", [0, -1, 1.5, float("nan"), float("inf")])
def test_what_is_no_number_of_passes_is_refused(number: float) -> None:
    loop = Loop()
    with pytest.raises(InvalidInput, match="expected a whole number of 1 or more"):
        loop.accumulation.write(number)
    assert loop.accumulation.number() == 2
