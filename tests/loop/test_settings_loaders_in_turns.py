"""Loaders that take turns: those that began with one value share what it becomes, and no change is lost unseen."""

import gc
import weakref
from collections.abc import Sequence

import pytest
import torch
from settings_rig import Loop, Set, live, nothing_is_hidden  # noqa: F401
from torch import nn
from torch.utils.data import BatchSampler, ConcatDataset, DataLoader, SequentialSampler, TensorDataset

from seedbed.change import ChangeRecord, MixtureSampler
from seedbed.errors import InvalidInput
from seedbed.loop.settings import Settings
from seedbed.records import MemoryJournal

ROWS = 96


def loader(size: int = 8, *, drop_last: bool = False) -> DataLoader:
    data = TensorDataset(torch.randn(ROWS, 4), torch.randn(ROWS, 1))
    return DataLoader(data, batch_size=size, drop_last=drop_last)


def sampler_of(one: DataLoader) -> BatchSampler:
    assert isinstance(one.batch_sampler, BatchSampler)
    return one.batch_sampler


def changed(rig: Loop, one: DataLoader, to: float, *, after: int = 2) -> tuple[list[int], ChangeRecord]:
    """One pass, in which the size is changed after so many batches: the rows of each batch, and the change."""
    rows: list[int] = []
    changes: Sequence[ChangeRecord] = ()
    for num in rig.over(one):
        rows.append(num)
        if len(rows) == after:
            changes = rig.propose("batch_size", Set(to))
    return rows, changes[0]


def sizes(rig: Loop, *loaders: DataLoader) -> list[list[int]]:
    return [sorted(set(rig.over(each))) for each in loaders]


def test_a_change_made_with_either_of_two_loaders_in_turns_holds_for_both_ever_after() -> None:
    rig, first, second = Loop(), loader(), loader()
    _, one = changed(rig, first, 16)
    rows, two = changed(rig, second, 24)
    assert (rows[:2], rows[-2]) == ([16, 16], 24)
    assert sizes(rig, first, second, first, second) == [[24]] * 4
    assert (rig.outcome(one), rig.outcome(two)) == ("EFFECTIVE", "EFFECTIVE")


def test_one_loader_in_each_of_many_passes_keeps_its_watch() -> None:
    rig, only = Loop(), loader(drop_last=True)
    _, change = changed(rig, only, 16, after=12)  # with drop_last the next pass is the first to have the size
    assert rig.outcome(change) == "UNKNOWN"
    assert sizes(rig, only) == [[16]]
    assert rig.outcome(change) == "EFFECTIVE"


def test_a_loader_that_began_with_another_size_keeps_its_own_and_the_others_find_theirs_again() -> None:
    rig, first, second, other = Loop(), loader(), loader(), loader(12)
    _, one = changed(rig, first, 16)
    assert sizes(rig, other, second, first) == [[12], [16], [16]]
    _, two = changed(rig, other, 32)
    _, three = changed(rig, second, 24)
    assert sizes(rig, other, first, second) == [[32], [24], [24]]
    assert {rig.outcome(each) for each in (one, two, three)} == {"EFFECTIVE"}


def test_a_change_waits_for_its_use_while_another_loader_is_read() -> None:
    rig, first, other = Loop(), loader(), loader(12)
    _, change = changed(rig, first, 16, after=12)
    list(rig.over(other))
    assert rig.outcome(change) == "UNKNOWN"
    assert sizes(rig, first) == [[16]]
    assert rig.outcome(change) == "EFFECTIVE"


@pytest.mark.parametrize("while_away", [False, True])
def test_a_size_that_the_loop_overwrites_is_a_lost_change_also_while_another_loader_is_read(while_away: bool) -> None:
    rig, first, second = Loop(), loader(), loader(12 if while_away else 8)
    _, change = changed(rig, first, 16)
    assert rig.outcome(change) == "EFFECTIVE"
    for place, _ in enumerate(rig.over(second if while_away else first)):
        if place == 2:
            sampler_of(first).batch_size = 4
            if not while_away:
                break  # no step comes that would see it
    list(rig.over(first if while_away else second))
    assert rig.outcome(change) == "FAILED"
    assert "overwritten" in rig.engine.history[change.id].reason
    assert "expected 16, found 4" in rig.engine.history[change.id].reason
    assert sizes(rig, first) == [[4]]


def test_what_is_bound_within_a_pass_leaves_the_watch_of_its_batches() -> None:
    rig, critic = Loop(), nn.Linear(4, 1)
    for place, _ in enumerate(rig.over(rig.loader)):
        if place == 2:
            (change,) = rig.propose("batch_size", Set(16))
            rig.settings.add(live({"critic": critic}, {"critic": torch.optim.SGD(critic.parameters(), 0.1)}))
    assert rig.outcome(change) == "EFFECTIVE"


def test_a_batch_sampler_in_two_loaders_is_one() -> None:
    rig, first = Loop(), loader()
    same = DataLoader(first.dataset, batch_sampler=sampler_of(first))
    _, change = changed(rig, first, 16)
    assert sizes(rig, same, first) == [[16], [16]]
    assert rig.outcome(change) == "EFFECTIVE"


def mixed(new: float) -> tuple[MixtureSampler, DataLoader]:
    mixture = MixtureSampler({"old": 32, "new": 32}, {"old": 1.0, "new": new}, 64, seed=0)
    parts = [TensorDataset(torch.randn(32, 4), torch.randn(32, 1)) for _ in range(2)]
    return mixture, DataLoader(ConcatDataset(parts), sampler=mixture, batch_size=8)


def test_the_weights_of_mixtures_in_turns_are_shared_alike() -> None:
    rig = Loop()
    (one, first), (two, second) = mixed(1.0), mixed(1.0)
    other, third = mixed(2.0)
    for weight, each in ((3.0, first), (5.0, second)):
        for place, _ in enumerate(rig.over(each)):
            if place == 2:
                (change,) = rig.propose("mixture.new", Set(weight))
    list(rig.over(third))
    list(rig.over(first))
    assert (one["new"], two["new"], other["new"]) == (5.0, 5.0, 2.0)
    assert rig.outcome(change) == "EFFECTIVE"


def resumed(begun: DataLoader) -> Loop:
    """A loop that goes on from the checkpoint of one whose loaders of 8 and of 12 had become 16 and 32."""
    journal = MemoryJournal()
    rig = Loop(journal=journal)
    changed(rig, loader(), 16)
    changed(rig, loader(12), 32)
    state = rig.engine.state(rig.num_steps)
    rig.engine.release()
    again = Loop.__new__(Loop)
    again.model, again.optimizer, again.num_steps = rig.model, rig.optimizer, rig.num_steps
    again.settings = Settings(live(again.model, again.optimizer, loader=begun))
    again.settings.prepare(state)
    again.engine = again.settings.engine(journal)
    again.engine.resume(state)
    return again


@pytest.mark.parametrize("begins_with", [8, 12])
def test_a_resumed_loop_gives_each_loader_its_own_size_again(begins_with: int) -> None:
    begun = loader(begins_with)
    again = resumed(begun)
    assert sizes(again, begun, loader(12), loader(8)) == [[32 if begins_with == 12 else 16], [32], [16]]


def test_a_resume_with_a_loader_that_began_as_none_before_is_refused() -> None:
    with pytest.raises(InvalidInput, match="began with 8, 12, this one with 10"):
        resumed(loader(10))


def test_a_loader_that_nobody_keeps_is_not_kept_for_its_size() -> None:
    rig, first = Loop(), DataLoader(TensorDataset(torch.randn(32, 4), torch.randn(32, 1)), 8)
    list(rig.over(first))
    gone = weakref.ref(sampler_of(first))
    rows = SequentialSampler(range(32))
    list(rig.over(DataLoader(first.dataset, batch_sampler=BatchSampler(rows, 8, False))))
    del first
    rig.objects = live(rig.model, rig.optimizer)
    gc.collect()
    assert gone() is None
