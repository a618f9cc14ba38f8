"""Bets against a mean of bounded samples: who believes it loses money no faster than chance allows.

A gambler bets on each sample against the claim that the mean of samples in [0, 1] is at most m: the capital 1 becomes
the product of 1 + stake * (x - m), each stake chosen before its sample, between 0 and 1 / m. If the claim holds, the
capital reaches 1 / alpha with a probability of at most alpha, whatever the samples' distribution (Ville, 1939;
Waudby-Smith and Ramdas, 2023).

For one look at the end, the stake is that which replicates a digital option on reaching 1 / alpha in time (Browne,
1999): with many samples it has the power of the z test. Samples that are alike are bet on in blocks; then a quarter of
the capital is staked on each sample as it is, all of it every time, less what samples that are alike add to its growth.
For any number of looks, the capital is shared out between 24 gamblers with constant stakes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from math import pi, sqrt
from statistics import NormalDist
from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

from seedbed.gate.bounds._dependence import in_blocks

__all__ = ["Bets", "capital_of_mixture", "capital_of_mixtures"]

_Floats = NDArray[np.float64]
_PRIOR_VARIANCE = 0.0625  # counted as one sample; a quarter of the range, squared
_MOST_ROUNDS, _ROUNDS_OF_MOMENTS = 1000, 300
_MANY, _MOST_WITH_MOMENTS = 20_000, 0.5  # with half of the largest stake, the series below holds
_NUM_STAKES, _SMALLEST_STAKE = 24, 1e-3
_LOG_NOTHING = -700.0
_SMALLEST_CLAIM = 1e-150  # whose square and inverse are numbers too
# By simulation, in benchmarks/gate.py: dependence that is seen where there is none costs no pass, and too little of it
# that is seen makes none.
_ALL_AT_STAKE = 0.25
_ALIKE_SLOPE, _ALIKE_MORE = 1.5, 1.5


@final
@dataclass(frozen=True)
class Bets:
    """The bets that one look at the end makes on series in [0, 1], in rows, of which blocks of `length` count as one.

    Of each series `num_alike` successive samples say as much as one, and the variance of its mean is `excess` times as
    large as if its blocks were independent.
    """

    samples: _Floats
    num_alike: _Floats
    length: int
    excess: _Floats

    def refute(self, means: _Floats | float, alpha: float) -> NDArray[np.bool_]:
        """Whether each series refutes, at level `alpha`, that its mean is at most `means`, above 0 and below 1.

        `means` is one number, or one for each series, or several for one series.
        """
        all_at_stake = np.where(self.num_alike > 1, _ALL_AT_STAKE, 0.0)
        capital = (1 - all_at_stake) * _most_capital(self._rounds, means, alpha * (1 - all_at_stake), self.excess)
        if self.num_alike.max() > 1:
            capital = capital + all_at_stake * self._capital_of_whole_stakes(means)
        refuted: NDArray[np.bool_] = capital * alpha >= 1
        return refuted

    @cached_property
    def _rounds(self) -> "Rounds":
        return _rounds_of(in_blocks(self.samples, self.length))

    def _capital_of_whole_stakes(self, means: _Floats | float) -> _Floats:
        """The product of samples over the mean, less what their covariance adds to its expectation.

        A claim is answered by that larger one against which most is won, since it says less.
        """
        logs, excess = self._whole_stakes
        claim = np.maximum(np.asarray(means, dtype=np.float64), np.clip(np.sqrt(2 * excess), _SMALLEST_CLAIM, 1.0))
        won = self.samples.shape[1] * (logs - np.log(claim) - excess / claim**2)
        capital: _Floats = np.exp(np.clip(won, _LOG_NOTHING, -_LOG_NOTHING))
        return capital

    @cached_property
    def _whole_stakes(self) -> tuple[_Floats, _Floats]:
        """Of each series, the mean of the logarithms, and half the variance that is to be taken off for each sample."""
        with np.errstate(divide="ignore"):
            logs = np.log(self.samples).mean(axis=1)
        excess = (_ALIKE_SLOPE * self.num_alike + _ALIKE_MORE) * self.samples.var(axis=1)
        return logs, excess


def _rounds_of(rows: _Floats) -> "Rounds":
    """The rounds that are bet on, of series in [0, 1] in rows.

    More than a thousand samples make a thousand rounds of equal length. Of very many, only the first four moments of a
    round are kept, by which a gambler is credited with a little less than is won.
    """
    if rows.shape[1] > _MANY:
        return Rounds(_moments(rows), len(rows), rows.shape[1], _MOST_WITH_MOMENTS)
    return Rounds(_whole(rows), len(rows), rows.shape[1], 1.0)


def _most_capital(rounds: "Rounds", means: _Floats | float, alpha: _Floats, excess: _Floats) -> _Floats:
    """The most that is ever held by a gambler against "the mean is at most `means`", above 0 and below 1.

    `means` is one number, or one for each series, or several for one series. Reaching 1 / `alpha` refutes the claim at
    that level. Where the sum varies `excess` times as much as of independent samples, the stakes are smaller, and what
    its variance adds to the expectation of the capital is taken off.
    """
    claim = np.maximum(np.atleast_1d(np.asarray(means, dtype=np.float64)), _SMALLEST_CLAIM)
    num_samples, most_at_stake = rounds.num_samples, rounds.most_at_stake
    capital = np.ones(max(rounds.num_series, claim.size))
    top, squares, done = capital.copy(), np.full(capital.size, _PRIOR_VARIANCE), 0
    for each in rounds.rounds:
        spread = np.sqrt(excess * squares / (done + 1) * (num_samples - done))
        stake = np.minimum(_option_stake(alpha * capital) / spread, most_at_stake / claim)
        growth, more = each.play(stake, claim)
        growth = growth * np.exp(-(excess - 1) / 2 * stake**2 * more)
        capital = np.where(top * alpha >= 1, capital, capital * growth)
        top = np.maximum(top, capital)
        squares, done = squares + more, done + each.num_samples
    return top


class _Round(Protocol):
    """Some samples in succession, bet on with one stake."""

    @property
    def num_samples(self) -> int: ...

    def play(self, stake: _Floats, claim: _Floats) -> tuple[_Floats, _Floats]:
        """By how much the capital grows, and the sum of the squared distances from the claim."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Rounds:
    """The rounds of some series of `num_samples`; at most `most_at_stake` of the capital may be lost in one."""

    rounds: Sequence[_Round]
    num_series: int
    num_samples: int
    most_at_stake: float


@final
@dataclass(frozen=True, slots=True)
class _Whole:
    samples: _Floats

    @property
    def num_samples(self) -> int:
        return int(self.samples.shape[1])

    def play(self, stake: _Floats, claim: _Floats) -> tuple[_Floats, _Floats]:
        away = self.samples - claim[:, None]
        factors = np.maximum(1 + stake[:, None] * away, 0.0)
        return factors.prod(axis=1), (away**2).sum(axis=1)


@final
@dataclass(frozen=True, slots=True)
class _Moments:
    """The sums of the first four powers of the distances from `centre`, one column for each series."""

    num_samples: int
    centre: float
    sums: _Floats

    def play(self, stake: _Floats, claim: _Floats) -> tuple[_Floats, _Floats]:
        shift = self.centre - claim
        one, two, three, four = self.sums
        n = self.num_samples
        first = one + n * shift
        second = two + 2 * shift * one + n * shift**2
        third = three + 3 * shift * two + 3 * shift**2 * one + n * shift**3
        fourth = four + 4 * shift * three + 6 * shift**2 * two + 4 * shift**3 * one + n * shift**4
        # log(1 + y) is at least y - y^2 / 2 + y^3 / 3 - 0.43 y^4 for every y from -1/2 up.
        won = stake * first - stake**2 * second / 2 + stake**3 * third / 3 - 0.43 * stake**4 * fourth
        return np.exp(np.clip(won, _LOG_NOTHING, -_LOG_NOTHING)), second


def _ends(num_samples: int, num_rounds: int) -> list[int]:
    return [int(end) for end in np.linspace(0, num_samples, min(num_samples, num_rounds) + 1)]


def _whole(rows: _Floats) -> list[_Whole]:
    ends = _ends(rows.shape[1], _MOST_ROUNDS)
    return [_Whole(rows[:, first:end]) for first, end in pairwise(ends)]


def _moments(rows: _Floats) -> list[_Moments]:
    centre, ends = float(rows.mean()), _ends(rows.shape[1], _ROUNDS_OF_MOMENTS)
    away, sums = rows - centre, []
    power = away
    for _ in range(4):
        sums.append(np.add.reduceat(power, ends[:-1], axis=1))
        power = power * away
    by_round = np.stack(sums)
    lengths = pairwise(ends)
    return [_Moments(end - first, centre, by_round[:, :, at]) for at, (first, end) in enumerate(lengths)]


def _option_stake(price: _Floats) -> _Floats:
    """The density of the normal quantile at `price`, over `price`: the option's change with the sum of the samples."""
    prices, stakes = _option_table()
    return np.interp(price, prices, stakes)


@cache
def _option_table() -> tuple[_Floats, _Floats]:
    prices = np.concatenate([np.geomspace(1e-8, 1e-3, 500, endpoint=False), np.linspace(1e-3, 1 - 1e-6, 4000)])
    quantiles = np.array([NormalDist().inv_cdf(price) for price in prices])
    return prices, np.exp(-(quantiles**2) / 2) / sqrt(2 * pi) / prices


def _stakes() -> _Floats:
    return np.geomspace(_SMALLEST_STAKE, 1, _NUM_STAKES)


def capital_of_mixture(samples: _Floats, counts: _Floats, mean: float, excess: float = 1.0) -> float:
    """The capital after all samples, of gamblers with constant stakes against "the mean is at most `mean`".

    `counts` says how often each of `samples` was drawn. For independent samples it is a fair game at every look, in
    whatever order they came. Where `excess` samples say as much as one, the root of that degree of the capital is.
    """
    with np.errstate(divide="ignore"):
        logs = np.log(np.maximum(1 + np.outer(_stakes() / mean, samples - mean), 0.0))
    totals = np.where(counts > 0, logs * np.where(counts > 0, counts, 1), 0.0).sum(axis=1) / excess
    return float(np.exp(np.clip(totals, _LOG_NOTHING, -_LOG_NOTHING)).mean())


def capital_of_mixtures(samples: _Floats, mean: float, excess: _Floats) -> _Floats:
    """The same for each of several series in rows, after all of its samples."""
    away = samples - mean
    with np.errstate(divide="ignore"):
        totals = [np.log(np.maximum(1 + stake / mean * away, 0.0)).sum(axis=1) for stake in _stakes()]
    capital: _Floats = np.exp(np.clip(np.array(totals) / excess, _LOG_NOTHING, -_LOG_NOTHING)).mean(axis=0)
    return capital
