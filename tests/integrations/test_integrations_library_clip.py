"""The norm that a library clips to, bound to a parameter: read, written, and proven by the library's own clip."""

from typing import Any

import pytest
import torch

from seedbed.change import ChangeEngine, Delta, Parameter, Set
from seedbed.errors import InvalidInput
from seedbed.integrations._library_clip import LibraryClip
from seedbed.records import MemoryJournal

KEY = "clip.norm"


class Library:
    """A loop of a library that clips by an attribute of its own, and calls back before or after it does."""

    def __init__(self, *, is_called_after: bool) -> None:
        torch.manual_seed(0)
        self.max_norm = 1.0
        self.net = torch.nn.Linear(4, 2)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1)
        self.is_called_after = is_called_after
        self.clip = LibraryClip(self.optimizer, lambda: self.max_norm, self._set, is_called_after=is_called_after)
        self.engine = ChangeEngine(MemoryJournal(), {KEY: self.clip}, [Parameter(KEY, "1", low=0.01, high=1000)])
        self.clips = True
        self.forces: float | None = None

    def step(self, size: float = 10.0, passes: int = 2) -> None:
        self.optimizer.zero_grad()
        for _ in range(passes):
            (self.net(torch.ones(3, 4)).sum() * size / passes).backward()
        if not self.is_called_after:
            self.clip.clips()
        if self.clips:
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.forces or self.max_norm)
        if self.is_called_after:
            self.clip.clipped()
        self.optimizer.step()

    def change(self, to: float) -> Any:
        proposed = self.engine.propose(Delta(KEY, Set(to), "it spikes", "me"), step=0)
        return lambda: self.engine.history[proposed.id]

    def num_hooks(self) -> int:
        return sum(len(weight._post_accumulate_grad_hooks or {}) for weight in self.net.parameters())

    def _set(self, value: float) -> None:
        self.max_norm = value


@pytest.fixture(params=[False, True], ids=["called before", "called after"])
def library(request: pytest.FixtureRequest) -> Library:
    return Library(is_called_after=request.param)


def test_a_changed_norm_is_used_by_the_next_clip(library: Library) -> None:
    library.step()
    change = library.change(0.5)
    assert library.max_norm == 0.5
    library.step()
    grads = [weight.grad for weight in library.net.parameters() if weight.grad is not None]
    assert float(torch.nn.utils.get_total_norm(grads)) == pytest.approx(0.5)
    assert change().outcome == "EFFECTIVE"
    for _ in range(3):
        library.step()
    assert change().outcome == "EFFECTIVE"


def test_gradients_that_reach_neither_norm_prove_nothing_until_some_do(library: Library) -> None:
    change = library.change(0.5)
    library.step(size=0.001)
    assert change().phase == "applied"
    assert library.num_hooks() == (2 if library.is_called_after else 0)
    library.step()
    assert change().outcome == "EFFECTIVE"
    assert library.num_hooks() == 0


def test_a_library_that_does_not_clip_is_a_loss(library: Library) -> None:
    change = library.change(0.5)
    library.clips = False
    library.step()
    assert change().outcome == "FAILED"
    assert library.num_hooks() == 0


def test_a_norm_that_the_library_takes_from_elsewhere_is_a_loss(library: Library) -> None:
    change = library.change(0.5)
    library.forces = 2.0
    library.step()
    assert change().outcome == "FAILED"


def test_a_norm_that_other_code_sets_later_is_a_loss(library: Library) -> None:
    change = library.change(0.5)
    library.step()
    assert change().outcome == "EFFECTIVE"
    library.max_norm = 3.0
    library.step()
    assert change().outcome == "FAILED"


def test_no_hook_is_left_when_the_engine_is_closed(library: Library) -> None:
    library.change(0.5)
    library.engine.close()
    assert library.num_hooks() == 0


def test_a_restored_state_is_written_to_the_library(library: Library) -> None:
    state = library.clip.state()
    library.change(0.5)
    library.clip.restore(state)
    assert (library.max_norm, library.clip.read()) == (1.0, 1.0)
    with pytest.raises(InvalidInput, match="max_norm"):
        library.clip.write(float("inf"))
