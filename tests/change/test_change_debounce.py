"""A signal is on only after it has held, off only after it has been gone, and a glitch changes nothing."""

from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.change import Debounce, DebounceState
from seedbed.errors import InvalidInput

signals = st.lists(st.booleans(), max_size=60)
runs = st.lists(st.integers(1, 8), max_size=12).map(
    lambda lengths: [bool(index % 2) for index, length in enumerate(lengths) for _ in range(length)]
)
counts = st.integers(1, 6)


def heard(debounce: Debounce, observed: list[bool]) -> list[bool]:
    state, made = DebounceState(), []
    for signal in observed:
        state = debounce.observe(DebounceState.model_validate_json(state.model_dump_json()), signal)
        made.append(state.on)
    return made


def test_it_goes_on_at_the_hold_th_observation_and_off_at_the_release_th() -> None:
    observed = [True, True, True, False, True, False, False, False]
    assert heard(Debounce(hold=3, release=2), observed) == [False, False, True, True, True, True, False, False]


def test_a_signal_that_stays_comes_on_and_stays_on() -> None:
    assert heard(Debounce(hold=40, release=40), [True] * 100) == [False] * 39 + [True] * 61


def test_hold_and_release_of_one_follow_the_signal() -> None:
    observed = [True, False, False, True]
    assert heard(Debounce(1, 1), observed) == observed


@pytest.mark.slow
@given(signals | runs, counts, counts)
def test_it_turns_only_where_the_signal_has_stood_for_long_enough(
    observed: list[bool], hold: int, release: int
) -> None:
    found = [False, *heard(Debounce(hold, release), observed)]
    for at, (was, now) in enumerate(pairwise(found), start=1):
        if was != now:
            stood = observed[max(at - (hold if now else release), 0) : at]
            assert stood == [now] * (hold if now else release)


@pytest.mark.slow
@given(signals | runs, counts, counts)
def test_it_never_misses_a_signal_that_stood_for_long_enough(observed: list[bool], hold: int, release: int) -> None:
    found = heard(Debounce(hold, release), observed)
    for at in range(1, len(observed) + 1):
        if at >= hold and all(observed[at - hold : at]):
            assert found[at - 1] is True
        if at >= release and not any(observed[at - release : at]):
            assert found[at - 1] is False


@pytest.mark.slow
@given(runs, counts, counts)
def test_a_glitch_shorter_than_hold_and_release_never_turns_it(observed: list[bool], hold: int, release: int) -> None:
    shortest = min((len(list(run)) for _, run in groupby(observed)), default=0)
    longest = max((len(list(run)) for _, run in groupby(observed)), default=0)
    found = heard(Debounce(hold, release), observed)
    if longest < hold:
        assert not any(found)
    if longest < release and any(found):
        assert all(found[found.index(True) :])
    if shortest >= max(hold, release) and observed:
        assert found[-1] is observed[-1]


@pytest.mark.slow
@given(signals | runs, counts, counts, st.integers(0, 4))
def test_a_longer_hold_is_on_only_where_a_shorter_one_is(
    observed: list[bool], hold: int, release: int, more: int
) -> None:
    shorter, longer = heard(Debounce(hold, release), observed), heard(Debounce(hold + more, release), observed)
    assert all(before >= after for before, after in zip(shorter, longer, strict=True))


@pytest.mark.parametrize(("hold", "release"), [(0, 1), (1, 0), (-1, 2)])
def test_a_debounce_that_waits_for_nothing_is_refused(hold: int, release: int) -> None:
    with pytest.raises(InvalidInput, match="at least 1 observation"):
        Debounce(hold, release)
