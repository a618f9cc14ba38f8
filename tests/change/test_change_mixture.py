"""A mixture's draws are a function of seed, number and weights, and its weights count when such draws arrived."""

from collections import Counter
from itertools import islice

import pytest
import torch
from change_knob import turned
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import SGD
from torch.utils.data import ConcatDataset, DataLoader, TensorDataset

from seedbed.change import MixtureSampler, MixtureWeight, ResizableBatchSampler, Use, UseReport, track_batches
from seedbed.errors import InvalidInput

LENGTHS = {"near": 10, "far": 30, "odd": 1}
EVEN = {"near": 1.0, "far": 1.0, "odd": 1.0}


def source(index: int) -> str:
    return "near" if index < 10 else "far" if index < 40 else "odd"


def an_optimizer() -> SGD:
    return SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)


def a_step(optimizer: SGD) -> None:
    optimizer.param_groups[0]["params"][0].grad = torch.zeros(1)
    optimizer.step()
    optimizer.zero_grad()


def test_shares_follow_the_weights_and_every_row_of_a_source_is_drawn() -> None:
    drawn = list(MixtureSampler(LENGTHS, {"near": 6.0, "far": 3.0, "odd": 1.0}, 20_000, seed=1))
    shares = Counter(map(source, drawn))
    assert shares["near"] / 20_000 == pytest.approx(0.6, abs=0.015)
    assert shares["odd"] / 20_000 == pytest.approx(0.1, abs=0.01)
    rows = Counter(index for index in drawn if 10 <= index < 40)
    assert len(rows) == 30
    assert max(rows.values()) < 2 * min(rows.values())


@pytest.mark.slow
@given(st.integers(0, 2**31), st.integers(0, 3000), st.integers(1, 40))
def test_a_draw_does_not_depend_on_what_was_drawn_before(seed: int, first: int, number: int) -> None:
    resumed = MixtureSampler(LENGTHS, EVEN, number, seed, first_draw=first)
    whole = MixtureSampler(LENGTHS, EVEN, first + number, seed)
    assert list(resumed) == list(whole)[first:]


@pytest.mark.slow
@given(st.integers(0, 2**31), st.lists(st.just(0.0) | st.floats(1e-6, 10), min_size=3, max_size=3).filter(any))
def test_a_source_of_weight_0_is_never_drawn_and_scaling_all_weights_changes_nothing(
    seed: int, weights: list[float]
) -> None:
    given_weights = dict(zip(LENGTHS, weights, strict=True))
    drawn = list(MixtureSampler(LENGTHS, given_weights, 50, seed))
    assert {source(index) for index in drawn} <= {name for name, weight in given_weights.items() if weight}
    assert all(0 <= index < 41 for index in drawn)
    doubled = {name: 2 * weight for name, weight in given_weights.items()}
    assert list(MixtureSampler(LENGTHS, doubled, 50, seed)) == drawn


def test_another_pass_goes_on_with_new_draws() -> None:
    mixture = MixtureSampler(LENGTHS, EVEN, 500, seed=5)
    once, again = list(mixture), list(mixture)
    assert len(mixture) == len(once) == len(again) == 500
    assert once != again
    assert once + again == list(MixtureSampler(LENGTHS, EVEN, 1000, seed=5))


@pytest.mark.parametrize("workers", [0, 2])
def test_the_report_waits_for_a_batch_that_was_wholly_drawn_by_the_weight(workers: int) -> None:
    mixture = MixtureSampler(LENGTHS, {"near": 1.0, "far": 0.0, "odd": 0.0}, 400, seed=2)
    batches = ResizableBatchSampler(mixture, 8)
    data: ConcatDataset[tuple[torch.Tensor, ...]] = ConcatDataset(
        [TensorDataset(torch.arange(n)) for n in LENGTHS.values()]
    )
    loader = DataLoader(data, batch_sampler=batches, num_workers=workers)
    optimizer = an_optimizer()
    drawn_first: int | None = None
    seen: list[UseReport] = []
    binding = MixtureWeight(mixture, "far", optimizer)
    for number, _ in enumerate(track_batches(loader, batches, mixture)):
        if number == 2:
            drawn_first = mixture._next
            binding.write(1e9)
            binding.watch(seen.append)
        a_step(optimizer)
        if drawn_first is not None:
            assert bool(seen) is (mixture.num_delivered - 8 >= drawn_first)
        if seen:
            break
    assert drawn_first is not None
    assert seen == [UseReport(1 + (drawn_first - 16) // 8, 1e9, 1e9, Use.USED)]
    assert drawn_first >= 8 * (3 + 2 * workers), "workers had fetched ahead"


def test_a_batch_that_was_half_drawn_before_proves_nothing() -> None:
    mixture = MixtureSampler(LENGTHS, EVEN, 100, seed=2)
    optimizer, draws = an_optimizer(), iter(mixture)
    list(islice(draws, 4))
    seen = turned(MixtureWeight(mixture, "far", optimizer), 3.0)
    list(islice(draws, 12))
    mixture.delivered(8)
    a_step(optimizer)
    assert seen == []
    mixture.delivered(8)
    a_step(optimizer)
    assert seen == [UseReport(2, 3.0, 3.0, Use.USED)]


def test_a_weight_by_which_no_row_handed_over_was_drawn_is_not_among_those_used() -> None:
    mixture = MixtureSampler(LENGTHS, EVEN, 100, seed=2)
    draws = iter(mixture)
    list(islice(draws, 16))
    mixture.put("far", 3.0)
    list(islice(draws, 16))
    for expected in ({1.0}, {1.0, 3.0}):
        mixture.delivered(12)
        assert mixture.used("far") == expected
    mixture.delivered(8)
    assert mixture.used("far") == {3.0}


def test_draws_of_an_abandoned_pass_are_not_taken_for_handed_ones() -> None:
    mixture = MixtureSampler(LENGTHS, EVEN, 64, seed=2)
    loader = DataLoader(TensorDataset(torch.arange(41)), batch_sampler=ResizableBatchSampler(mixture, 8), num_workers=0)
    next(track_batches(loader, mixture))
    list(islice(iter(mixture), 5))  # fetched ahead and thrown away
    assert mixture.num_delivered == 8
    assert sum(1 for _ in track_batches(loader, mixture)) == 8
    assert mixture.num_delivered == 8 + 5 + 64


def test_weights_that_cannot_be_are_refused() -> None:
    mixture = MixtureSampler(LENGTHS, {"near": 1.0, "far": 0.0, "odd": 0.0}, 10, seed=0)
    with pytest.raises(InvalidInput, match="the last above 0"):
        MixtureWeight(mixture, "near", an_optimizer()).write(0.0)
    with pytest.raises(InvalidInput, match="no dataset 'none'"):
        MixtureWeight(mixture, "none", an_optimizer())
    for lengths, weights in [({"near": 0}, {"near": 1.0}), ({"near": 1}, {"far": 1.0}), ({}, {})]:
        with pytest.raises(InvalidInput, match="must name the same datasets"):
            MixtureSampler(lengths, weights, 1, seed=0)
    with pytest.raises(InvalidInput, match="all 0"):
        list(MixtureSampler({"near": 1}, {"near": 0.0}, 1, seed=0))


def test_a_state_is_restored_weight_by_weight_also_by_way_of_all_0() -> None:
    mixture = MixtureSampler({"near": 1, "far": 1}, {"near": 1.0, "far": 0.0}, 10, seed=0)
    near, far = (MixtureWeight(mixture, name, an_optimizer()) for name in ("near", "far"))
    kept = near.state(), far.state()
    far.write(1.0)
    near.write(0.0)
    far.restore(kept[1])
    near.restore(kept[0])
    assert (near.state(), far.state()) == kept
