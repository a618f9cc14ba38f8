"""Samples that are alike: after a day or a week, under an alternation, in long runs; and periods in a spread."""

from collections.abc import Callable
from math import pi, sqrt
from statistics import NormalDist

import numpy as np
import pytest
from gate_samples import report_on

from seedbed.contracts import Interval, Verdict
from seedbed.gate import Series, parse_gate
from seedbed.gate._arms import Arms
from seedbed.gate._estimate import Question, question_of
from seedbed.gate.bounds._bounded_rows import rows_refuting
from seedbed.gate.bounds._dependence import alike, dependence_of_rows
from seedbed.gate.bounds._quantile import dependent_ranks, worth_one
from seedbed.gate.bounds._season import seasons_of_rows
from seedbed.gate.bounds._share import largest_share_refuted, refutes
from seedbed.gate.bounds._simulated import autoregressive

NUM_SERIES = 600
Rows = np.ndarray
Draw = Callable[[np.random.Generator, int], Rows]


def seasonal(lag: int, rho: float) -> Draw:
    """As many independent autoregressions as the season has samples, dealt out one after the other."""

    def draw(generator: np.random.Generator, num_samples: int) -> Rows:
        periods = num_samples // lag + 1
        each = autoregressive(rho, periods, NUM_SERIES * lag, generator).reshape(NUM_SERIES, lag, periods)
        return np.clip(each.transpose(0, 2, 1).reshape(NUM_SERIES, -1)[:, :num_samples], -4, 4) / 8 + 0.5

    return draw


def weekly(generator: np.random.Generator, num_samples: int) -> Rows:
    """A pattern of seven zeros and ones, each of which is drawn anew one time in ten."""
    days = [generator.random((NUM_SERIES, 7)) < 0.5]
    for _ in range(num_samples // 7):
        anew = generator.random((NUM_SERIES, 7)) < 0.1
        days.append(np.where(anew, generator.random((NUM_SERIES, 7)) < 0.5, days[-1]))
    return np.concatenate(days, axis=1)[:, :num_samples].astype(float)


def slow_under_alternation(generator: np.random.Generator, num_samples: int) -> Rows:
    slow = 0.06 * autoregressive(0.95, num_samples, NUM_SERIES, generator)
    sides = 0.15 * (-1.0) ** np.arange(num_samples) * generator.normal(1, 0.1, (NUM_SERIES, num_samples))
    return np.clip(0.5 + slow + sides, 0, 1)


def switching(chance: float) -> Draw:
    """Zeros and ones that change with this chance after every sample."""

    def draw(generator: np.random.Generator, num_samples: int) -> Rows:
        changes = np.cumsum(generator.random((NUM_SERIES, num_samples)) < chance, axis=1)
        return ((changes + generator.integers(0, 2, (NUM_SERIES, 1))) % 2).astype(float)

    return draw


def weak_and_slow(generator: np.random.Generator, num_samples: int) -> Rows:
    """Noise in [0, 1], of which slow movement makes three tenths of the variance."""
    slowly = autoregressive(0.95, num_samples, NUM_SERIES, generator)
    found = sqrt(0.3) * slowly + sqrt(0.7) * generator.normal(size=(NUM_SERIES, num_samples))
    places = np.linspace(-8, 8, 20_001)
    return np.interp(found, places, [NormalDist().cdf(place) for place in places])


def slow_under_noise(generator: np.random.Generator, num_samples: int) -> Rows:
    """Half of the variance is slow movement."""
    noise = generator.normal(size=(NUM_SERIES, num_samples))
    return autoregressive(0.95, num_samples, NUM_SERIES, generator) + noise


def on_and_off(generator: np.random.Generator, num_samples: int) -> Rows:
    """Noise in [0, 1] while it is on and 0 while it is off, each for twenty samples on average: the mean is 0.25."""
    switches = np.cumsum(generator.random((NUM_SERIES, num_samples)) < 0.05, axis=1)
    is_on = (switches + (generator.random((NUM_SERIES, 1)) < 0.5)) % 2
    return is_on * generator.random((NUM_SERIES, num_samples))


def within_five_percent(refuted: np.ndarray) -> bool:
    """Whether the lower end of the 99 % interval of the share is at most 5 %."""
    return largest_share_refuted(float(refuted.sum()), refuted.size, 0.005) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "num_samples"),
    [
        (seasonal(7, 0.8), 60),
        (seasonal(7, 0.8), 200),
        (seasonal(24, 0.8), 96),
        (seasonal(24, 0.8), 240),
        (weekly, 56),
        (weekly, 210),
        (slow_under_alternation, 60),
        (slow_under_alternation, 200),
    ],
)
def test_what_comes_again_after_a_season_counts_for_less(draw: Draw, num_samples: int) -> None:
    rows = draw(np.random.default_rng(num_samples), num_samples)
    assert within_five_percent(rows_refuting(rows, 0.5, 0.05))
    assert within_five_percent(rows_refuting(1 - rows, 0.5, 0.05))


@pytest.mark.slow
@pytest.mark.parametrize(("draw", "mean"), [(weak_and_slow, 0.5), (on_and_off, 0.25)])
@pytest.mark.parametrize("num_samples", [240, 1000])
def test_slow_movement_counts_for_what_it_adds_although_it_is_a_small_share_of_the_noise(
    draw: Draw, mean: float, num_samples: int
) -> None:
    rows = draw(np.random.default_rng(num_samples), num_samples)
    assert within_five_percent(rows_refuting(rows, mean, 0.05))
    assert within_five_percent(rows_refuting(1 - rows, 1 - mean, 0.05))


@pytest.mark.slow
@pytest.mark.parametrize("draw", [slow_under_noise, weak_and_slow])
@pytest.mark.parametrize("check", ["median(x) > {} @ 95%", "median(x) < {} @ 95%", "p95(x) < {} @ 95%"])
def test_a_quantile_of_slow_samples_is_bounded_by_as_many_as_they_are_worth(draw: Draw, check: str) -> None:
    rows = draw(np.random.default_rng(5), 240)
    share = 0.95 if check.startswith("p95") else 0.5
    truth = float(np.quantile(draw(np.random.default_rng(6), 4000), share))
    passed = [report_on(check.format(repr(truth)), {"x": Series(row)}).verdict is Verdict.PASS for row in rows]
    assert within_five_percent(np.array(passed))


@pytest.mark.slow
@pytest.mark.parametrize("side", [1, -1])
def test_a_quantile_at_the_edge_of_bursts_is_bounded_by_how_the_bursts_come(side: int) -> None:
    # One time in twenty above 1, in bursts of ten: exactly 95 % are below 1, so that p95 < 1 is false. Where few bursts
    # were sampled, the sampled quantile lies among the rest, which is independent.
    generator, rows = np.random.default_rng(8), 200
    above = np.zeros((rows, 1000), dtype=bool)
    above[:, 0] = generator.random(rows) < 0.05
    for at in range(1, 1000):
        above[:, at] = generator.random(rows) < np.where(above[:, at - 1], 0.9, 0.1 * 0.05 / 0.95)
    series = side * (generator.random(above.shape) + 2 * above)
    check = "p95(x) < 1 @ 95%" if side == 1 else "p5(x) > -1 @ 95%"
    passed = [report_on(check, {"x": Series(row)}).verdict is Verdict.PASS for row in series]
    assert within_five_percent(np.array(passed))


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_quantile_of_independent_samples_is_bounded_about_as_closely_as_by_the_exact_ranks(share: float) -> None:
    samples = np.random.default_rng(3).permutation(1000).astype(float)
    found = dependent_ranks(samples, share, confidence=0.9)
    spread = 1.645 * sqrt(1000 * share * (1 - share))  # of a binomial number, as the normal distribution has it
    assert found.low is not None
    assert found.high is not None
    assert 0.9 * spread < 1000 * share - found.low < 1.4 * spread
    assert 0.9 * spread < found.high - 1000 * share < 1.4 * spread


def test_what_shows_in_the_ranks_counts_less_in_a_tail_and_ties_are_no_trend() -> None:
    slow = autoregressive(0.9, 400, 1, np.random.default_rng(0))[0]
    median, tail = worth_one(slow, 0.5), worth_one(slow, 0.95)
    assert median > tail > 3
    assert median >= alike(np.argsort(np.argsort(slow)).astype(float))
    assert worth_one(np.full(100, 0.3), 0.5) == 1.0
    assert worth_one(np.repeat([1.0, 2.0], 5)[np.random.default_rng(1).permutation(10)], 0.5) < 3


def test_a_season_is_found_at_its_lag_and_none_where_there_is_none() -> None:
    generator = np.random.default_rng(0)
    found = seasons_of_rows(seasonal(24, 0.9)(generator, 240)).periods
    assert (found % 24 == 0).mean() > 0.95
    assert (found == 24).mean() > 0.8
    for rows in (generator.random((500, 240)), autoregressive(0.8, 240, 500, generator)):
        assert (seasons_of_rows(rows).periods == 0).mean() > 0.94
    few = seasons_of_rows(np.array([[0.0, 1.0, 0.0, 1.0, 0.0]]))
    assert (few.periods.tolist(), few.num_alike.tolist()) == ([0], [1.0])
    assert seasons_of_rows(np.full((1, 60), 0.1)).periods.tolist() == [0]


def test_two_rare_events_are_no_season() -> None:
    rows = np.zeros((1, 300))
    rows[0, [20, 90]] = 1.0
    assert seasons_of_rows(rows).periods.tolist() == [0]
    assert dependence_of_rows(rows).num_alike.tolist() == [1.0]


def test_blocks_of_a_season_are_whole_seasons_and_at_least_two() -> None:
    rows = np.tile([1.0, 0.2, 0.3, 0.9, 0.1, 0.6, 0.2], 10)[None]
    found = dependence_of_rows(rows)
    assert found.lengths.tolist() == [35]
    assert found.num_alike[0] >= 10


@pytest.mark.slow
@pytest.mark.parametrize("chance", [0.5, 0.2, 0.05])
def test_a_sequence_holds_for_long_runs_of_zeros_and_ones(chance: float) -> None:
    rows = switching(chance)(np.random.default_rng(1), 240)
    for samples in (rows, 1 - rows):
        looks = [rows_refuting(samples[:, :n], 0.5, 0.05, any_look=True) for n in range(4, 241, 4)]
        assert within_five_percent(np.any(looks, axis=0))


@pytest.mark.slow
@pytest.mark.parametrize(("draw", "mean"), [(weak_and_slow, 0.5), (on_and_off, 0.25)])
def test_a_sequence_holds_although_few_samples_do_not_show_slow_movement(draw: Draw, mean: float) -> None:
    rows = draw(np.random.default_rng(2), 400)
    for samples, claim in ((rows, mean), (1 - rows, 1 - mean)):
        looks = [rows_refuting(samples[:, :n], claim, 0.05, any_look=True) for n in range(8, 401, 8)]
        assert within_five_percent(np.any(looks, axis=0))


def test_a_sequence_waits_until_its_samples_moved_across_their_mean() -> None:
    check = {"metric": "x", "statistic": "mean", "op": ">", "value": 0.5, "confidence": 0.95, "range": [0, 1]}
    run = [1.0] * 60
    early = report_on(check | {"method": "sequence"}, {"x": Series([0.0, 1.0, 0.0, *run])})
    assert early.verdict is Verdict.INCONCLUSIVE
    assert "until they made 5 more moves across their mean" in early.reason
    mixed = np.where(np.random.default_rng(0).random(200) < 0.1, 0.0, 0.9)
    assert report_on(check | {"method": "sequence"}, {"x": Series(mixed)}).verdict is Verdict.PASS


def sine(num_samples: int, period: int, size: float = 0.3) -> Rows:
    noise = 0.02 * np.random.default_rng(0).normal(size=num_samples)
    return 0.5 + size * np.sin(2 * pi * np.arange(num_samples) / period) + noise


@pytest.mark.parametrize(("num_samples", "period"), [(192, 24), (160, 40), (480, 24), (100, 10), (70, 7)])
def test_a_period_does_not_cancel_out_of_a_spread(num_samples: int, period: int) -> None:
    samples = sine(num_samples, period)
    true = sqrt(0.3**2 / 2 + 0.02**2)
    assert samples.std() == pytest.approx(true, rel=0.02)
    for limit in (0.1, 0.2):
        assert report_on(f"std(x) < {limit} in [0, 1] @ 95%", {"x": Series(samples)}).verdict is not Verdict.PASS
    control = 0.5 + 0.06 * np.random.default_rng(1).normal(size=num_samples)
    record = {"x": Series(samples), "y": Series(control)}
    assert report_on("spread_ratio(x, y) < 2 in [0, 1] @ 95%", record).verdict is not Verdict.PASS


@pytest.mark.parametrize("check", ["std(x) {} {} in [0, 1] @ 95%", "mean(x) {} {} in [0, 1] @ 95%"])
@pytest.mark.parametrize("samples", [sine(192, 24), np.random.default_rng(2).random(300), np.tile([0.0, 1.0], 100)])
def test_no_decision_contradicts_what_was_found(check: str, samples: Rows) -> None:
    for value in np.linspace(0.02, 0.7 if check.startswith("std") else 0.98, 25):  # beyond it none can be
        for op in ("<", ">"):
            report = report_on(check.format(op, float(value)), {"x": Series(samples)})
            found = report.found.value if isinstance(report.found, Interval) else report.found
            holds = bool(found < value if op == "<" else found > value)
            assert report.verdict is Verdict.INCONCLUSIVE or holds is (report.verdict is Verdict.PASS)


@pytest.mark.slow
@pytest.mark.parametrize("num_samples", [24, 100])
def test_a_spread_at_the_threshold_is_refuted_from_neither_side_more_often_than_promised(num_samples: int) -> None:
    rows, true = np.random.default_rng(5).random((500, num_samples)), sqrt(1 / 12)  # of 500, 8 % would be too many
    check = parse_gate({"checks": [f"std(x) < {true!r} in [0, 1] @ 95%"]}).checks[0]
    questions = [found for row in rows if isinstance(found := question_of(check, Arms(row, None)), Question)]
    assert len(questions) == len(rows)
    below = np.array([question.is_below(true, 0.05) for question in questions])
    above = np.array([question.is_above(true, 0.05) for question in questions])
    assert within_five_percent(below)
    assert within_five_percent(above)
    for op, refuted in (("<", below), (">", above)):  # the verdict is what was asked
        for at in np.argsort(~refuted)[:4]:  # first those that are refuted, if any are
            judged = report_on(f"std(x) {op} {true!r} in [0, 1] @ 95%", {"x": Series(rows[at])})
            assert (judged.verdict is Verdict.PASS) is bool(refuted[at])
    wide = f"std(x) < {1.4 * sqrt(1 / 12)!r} in [0, 1] @ 95%"
    passes = [report_on(wide, {"x": Series(row)}).verdict == "PASS" for row in rows[:20]]
    assert num_samples < 100 or np.mean(passes) >= 0.8


@pytest.mark.parametrize("share", [0.01, 0.5, 0.95])
@pytest.mark.parametrize("ones", [0.0, 0.5, 7.0, 19.5, 20.0])
def test_ones_refute_a_share_where_the_exact_bound_lies_above_it(ones: float, share: float) -> None:
    assert refutes(ones, 20.0, share, 0.05) == (largest_share_refuted(ones, 20.0, 0.05) > share)


@pytest.mark.parametrize("num_samples", [20, 33, 60, 90, 200, 400])
@pytest.mark.parametrize(
    ("pattern", "check"),
    [
        ([0.5, 0.6], "mean(x) < 0.9 in [0, 1] @ 95%"),
        ([1.0, 0.0, 1.0], "mean(x) < 0.9 in [0, 1] @ 95%"),
        ([0.5, 0.6], "p95(x) < 0.9 @ 95%"),
        ([0.0, 0.7], "std(x) < 0.36 in [0, 1] @ 95%"),
    ],
)
def test_no_number_of_samples_is_promised_where_they_repeat_themselves(
    pattern: list[float], check: str, num_samples: int
) -> None:
    report = report_on(check, {"x": Series((pattern * num_samples)[:num_samples])})
    assert report.verdict is Verdict.INCONCLUSIVE
    repeats = f"they repeat themselves every {len(pattern)} samples, and a repetition shows little that is new"
    assert report.reason.endswith(
        f"{repeats}; collect more at times out of step with it, or over many more repetitions"
    )


@pytest.mark.slow
def test_a_repetition_is_worth_little_since_it_may_be_of_values_that_came_by_chance() -> None:
    """Two values of mean 1/2 that come again are two values: counted as 60, a third of them would pass at it."""
    generator, spec = np.random.default_rng(2), "mean(x) < 0.5 in [0, 1] @ 95%"
    repeated = [np.tile(pair, 30) for pair in generator.random((200, 2))]
    in_full = [generator.permutation(each) for each in repeated]  # the same values, in no order that repeats
    by_chance, passes = (
        sum(report_on(spec, {"x": Series(each)}).verdict is Verdict.PASS for each in series)
        for series in (in_full, repeated)
    )
    assert by_chance > 60
    assert passes < 24  # 5 % would be 10; a pair with a small spread is still trusted too much
