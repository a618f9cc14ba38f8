"""A loader that is replaced by one without its settings takes them with it."""

from typing import Any

import pytest
import torch
from settings_rig import Loop, Scale, Set, nothing_is_hidden  # noqa: F401
from torch.utils.data import ConcatDataset, DataLoader, TensorDataset

from seedbed.change import Delta, MixtureSampler
from seedbed.errors import InvalidInput


def as_list(rig: Loop) -> Any:
    return [list(batch) for batch in rig.loader]


def shown(rig: Loop, key: str) -> tuple[float | None, float | None, int | None, str]:
    (found,) = [each for each in rig.settings.view(rig.num_steps).settings if each.key == key]
    return found.value, found.high, found.movable_at, found.why_not


def test_the_size_of_a_list_cannot_be_changed_although_a_loader_was_there_before() -> None:
    rig = Loop()
    assert list(rig.over(rig.loader)) == [8] * 8
    batches = as_list(rig)
    assert list(rig.over(batches)) == [8] * 8
    assert shown(rig, "loader.batch_size")[:3] == (None, None, None)
    assert "a list is no torch DataLoader" in shown(rig, "loader.batch_size")[3]
    for name in ("batch_size", "loader.batch_size"):
        with pytest.raises(InvalidInput, match=r"loader.batch_size cannot be changed: a list is no torch DataLoader"):
            rig.propose(name, Set(16))
    (change,) = rig.engine.propose_all([Delta("loader.batch_size", Set(16), "by hand", "me")], rig.num_steps)
    assert "replaced by one without this setting" in change.reason
    assert rig.outcome(change) == "FAILED"
    assert rig.loader.batch_sampler is not None
    assert next(iter(rig.loader))[0].shape[0] == 8, "the former loader is as it was"


def test_a_loader_that_comes_back_brings_its_settings_back() -> None:
    rig = Loop()
    rows = list(rig.over(rig.loader)) + list(rig.over(as_list(rig)))
    for place, num in enumerate(rig.over(rig.loader)):
        rows.append(num)
        if place == 3:
            (change,) = rig.propose("batch_size", Scale(2))
    assert rows == [8] * 16 + [8, 8, 8, 8, 16, 16]
    assert rig.outcome(change) == "EFFECTIVE"
    assert shown(rig, "loader.batch_size")[:2] == (16.0, 64.0)


def test_a_change_that_no_step_used_before_its_loader_went_is_unknown_and_one_in_use_stays_so() -> None:
    rig = Loop()
    for place, _ in enumerate(rig.over(rig.loader)):
        if place == 0:
            (used,) = rig.propose("batch_size", Set(16))
    (unused,) = rig.propose("batch_size", Set(8))
    list(rig.over(as_list(rig)))
    rig.engine.close()
    assert (rig.outcome(used), rig.outcome(unused)) == ("EFFECTIVE", "UNKNOWN")


def test_the_weights_of_a_mixture_go_with_it_and_no_draw_is_counted_for_the_next_loader() -> None:
    rig = Loop()
    mixture = MixtureSampler({"old": 32, "new": 32}, {"old": 1.0, "new": 1.0}, 64, seed=0)
    parts = [TensorDataset(torch.randn(32, 4), torch.randn(32, 1)) for _ in range(2)]
    list(rig.over(DataLoader(ConcatDataset(parts), sampler=mixture, batch_size=8)))
    assert mixture.num_delivered == 64
    list(rig.over(rig.loader))  # another DataLoader: its size can be changed, its mixture cannot
    assert mixture.num_delivered == 64
    assert shown(rig, "loader.batch_size")[0] == 8.0
    with pytest.raises(InvalidInput, match=r"loader.mixture.new cannot be changed: its loader was replaced"):
        rig.propose("mixture.new", Set(3.0))
