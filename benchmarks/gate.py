"""How often a gate is wrong: false passes against the number of samples, on simulated series of many shapes.

    python benchmarks/gate.py [--json] [--quick]

A false pass is a pass although the true value is exactly at the threshold; the table shows the rate from either
side, the larger one. Power is how often a true value three standard errors inside is passed. A row with "every eighth"
looks after each eighth sample until it passes, as a closed loop does, and after each fortieth beyond 240; the others
look once, at the end. For drift, a false pass misses a step of two standard deviations half-way, and a false fail finds
drift where there is none.

A cell is beyond its limit where the lower end of the 99 % interval (Clopper and Pearson) of its rate is above the
limit: 5 %, that is 1 - confidence; for drift 20 %, and 5 % for a false fail. Each shape has a declared range, which its
samples cannot leave. Seeds are fixed, so the same version of numpy gives the same table.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from math import sqrt
from statistics import NormalDist
from typing import final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from seedbed.gate import parse_gate
from seedbed.gate._answer_series import answer_arms
from seedbed.gate._arms import Arms
from seedbed.gate._calibrate_drift import drift_alarms
from seedbed.gate._check import Check
from seedbed.gate.bounds._bounded_rows import rows_refuting
from seedbed.gate.bounds._share import largest_share_refuted
from seedbed.gate.bounds._simulated import autoregressive

Series = NDArray[np.float64]
Draw = Callable[[int, int, np.random.Generator], Series]

NOMINAL, MISSED, ERRORS_INSIDE = 0.05, 0.2, 3.0
SIZES = (16, 24, 48, 96, 240, 1000)
BURSTS = "bursts over noise"
LARGEST_FOR_DRIFT = 240
LOOKS = (*range(8, 240, 8), *range(240, 1001, 40))


@final
@dataclass(frozen=True)
class Shape:
    """Series in [0, 1] whose mean is `mean`; fewer than `hidden_below` samples may not show their dependence.

    Nor may fewer than `hidden_for_ranks_below`, for a quantile.
    """

    draw: Draw
    mean: float
    spread: float
    hidden_below: int = 0
    hidden_for_ranks_below: int = 0


@final
@dataclass(frozen=True)
class Rate:
    """One cell: shares of `num_series` series of `num_samples` samples. `power` is None where it is not asked."""

    shape: str
    check: str
    num_samples: int
    num_series: int
    false_pass: float
    limit: float
    power: float | None = None
    false_fail: float | None = None

    @property
    def met(self) -> bool:
        """Whether the rates are within their limits."""
        return not (_beyond(self.false_pass, self.limit, self.num_series) or self._fails_too_often)

    @property
    def _fails_too_often(self) -> bool:
        return self.false_fail is not None and _beyond(self.false_fail, NOMINAL, self.num_series)


def _beyond(share: float, limit: float, num_series: int) -> bool:
    """Whether the lower end of the exact 99 % interval of a rate is above its limit."""
    return largest_share_refuted(share * num_series, num_series, 0.005) > limit


def normal(lag_one: float) -> Draw:
    """A normal autoregression of order one, cut off at four standard deviations."""
    return lambda num, n, generator: _cut(autoregressive(lag_one, n, num, generator))


def slow(num: int, n: int, generator: np.random.Generator) -> Series:
    """Slow movement (an autoregression of 0.95) under as much noise, which is no autoregression of order one."""
    return _cut((autoregressive(0.95, n, num, generator) + generator.normal(size=(num, n))) / sqrt(2))


def heavy(num: int, n: int, generator: np.random.Generator) -> Series:
    """Student's t with three degrees of freedom, cut off at 40."""
    return np.clip(generator.standard_t(3, size=(num, n)), -40, 40) / 80 + 0.5


def _cut(samples: Series) -> Series:
    return np.clip(samples, -4, 4) / 8 + 0.5


def rare(share: float) -> Draw:
    """Ones, a share of the time, and zeros."""
    return lambda num, n, generator: (generator.random((num, n)) < share).astype(np.float64)


def rare_sizes(num: int, n: int, generator: np.random.Generator) -> Series:
    """Nothing, and one time in fifty something of any size."""
    return (generator.random((num, n)) < 0.02) * generator.random((num, n))


def skewed(num: int, n: int, generator: np.random.Generator) -> Series:
    """A beta distribution with nearly everything at its low end."""
    return generator.beta(0.2, 3.8, (num, n))


def lognormal(num: int, n: int, generator: np.random.Generator) -> Series:
    """A lognormal with a standard deviation of 1 of its logarithm, cut off at 50."""
    return np.minimum(generator.lognormal(0, 1, (num, n)), 50) / 50


def two_points(num: int, n: int, generator: np.random.Generator) -> Series:
    """0.7, and one time in twenty 0.2."""
    return np.where(generator.random((num, n)) < 0.05, 0.2, 0.7)


def bursts(num: int, n: int, generator: np.random.Generator) -> Series:
    """Ones a fifth of the time, in bursts of three on average."""
    ones = np.empty((num, n))
    ones[:, 0] = generator.random(num) < 0.2
    for i in range(1, n):
        ones[:, i] = generator.random(num) < np.where(ones[:, i - 1] == 1, 2 / 3, (1 / 3) * 0.2 / 0.8)
    return ones


def weak_and_slow(num: int, n: int, generator: np.random.Generator) -> Series:
    """Uniform samples, of which slow movement (an autoregression of 0.95) makes three tenths of the variance."""
    slowly = autoregressive(0.95, n, num, generator)
    return _normal_cdf(sqrt(0.3) * slowly + sqrt(0.7) * generator.normal(size=(num, n)))


def on_and_off(num: int, n: int, generator: np.random.Generator) -> Series:
    """Uniform samples while it is on, zeros while it is off; each lasts for twenty on average."""
    switches = np.cumsum(generator.random((num, n)) < 0.05, axis=1)
    return ((switches + (generator.random((num, 1)) < 0.5)) % 2) * generator.random((num, n))


def bursts_over_noise(num: int, n: int, generator: np.random.Generator) -> Series:
    """Uniform noise below 1/3, and 2/3 more one time in twenty, in bursts of ten on average: p95 is between the two."""
    above = np.empty((num, n))
    above[:, 0] = generator.random(num) < 0.05
    for i in range(1, n):
        above[:, i] = generator.random(num) < np.where(above[:, i - 1] == 1, 0.9, 0.1 * 0.05 / 0.95)
    return (generator.random((num, n)) + 2 * above) / 3


def _normal_cdf(samples: Series) -> Series:
    """The normal distribution, interpolated to 1e-7."""
    places = np.linspace(-8, 8, 20_001)
    return np.interp(samples, places, [NormalDist().cdf(place) for place in places])


SHAPES: Mapping[str, Shape] = {
    "independent": Shape(normal(0.0), 0.5, 1 / 8),
    "AR(1) 0.5": Shape(normal(0.5), 0.5, 1 / 8),
    "AR(1) 0.8": Shape(normal(0.8), 0.5, 1 / 8),
    "slow + noise": Shape(slow, 0.5, 1 / 8, hidden_for_ranks_below=240),
    "weak and slow": Shape(weak_and_slow, 0.5, sqrt(1 / 12), hidden_below=240),
    "on and off": Shape(on_and_off, 0.25, sqrt(1 / 6 - 1 / 16), hidden_below=240),
    "heavy tails": Shape(heavy, 0.5, sqrt(3) / 80),
    "uniform": Shape(lambda num, n, generator: generator.random((num, n)), 0.5, sqrt(1 / 12)),
    "a coin": Shape(rare(0.5), 0.5, 0.5),
    "one in a hundred": Shape(rare(0.01), 0.01, sqrt(0.0099)),
    "rare sizes": Shape(rare_sizes, 0.01, sqrt(0.02 / 3 - 1e-4)),
    "skewed": Shape(skewed, 0.05, sqrt(0.2 * 3.8 / 16 / 5)),
    "lognormal": Shape(lognormal, 0.0, 0.0),
    "two points": Shape(two_points, 0.675, 0.5 * sqrt(0.0475)),
    "like AP": Shape(lambda num, n, generator: generator.beta(40, 4, (num, n)), 40 / 44, sqrt(160 / 44**2 / 45)),
    "bursts": Shape(bursts, 0.2, 0.4, hidden_below=48),
}


def _measured(name: str) -> Shape:
    """The shape; the mean of one that is cut off unevenly is measured on ten million samples."""
    shape = SHAPES[name]
    if shape.mean > 0:
        return shape
    samples = shape.draw(1000, 10_000, np.random.default_rng(0))
    return replace(shape, mean=float(samples.mean()), spread=float(samples.std()))


def means(name: str, num_series: int) -> Iterator[Rate]:
    """Rates of a check on a mean, looked at once. The power is that of a threshold below the mean."""
    shape = _measured(name)
    for n in SIZES:
        rows = shape.draw(num_series, n, np.random.default_rng([1, n]))
        rates = [_refuted(rows, shape.mean), _refuted(1 - rows, 1 - shape.mean)]
        inside = shape.mean - ERRORS_INSIDE * shape.spread / sqrt(n)
        power = _refuted(rows, inside) if inside > 0 else None
        yield Rate(name, "mean, once", n, num_series, max(rates), NOMINAL, power)


def _refuted(rows: Series, mean: float) -> float:
    return float(rows_refuting(rows, mean, NOMINAL).mean())


def sequences(name: str, num_series: int) -> Iterator[Rate]:
    """Rates of a sequence that is asked at each look until it passes, on either side."""
    shape = _measured(name)
    rows = shape.draw(num_series, LOOKS[-1], np.random.default_rng(2))
    ever = np.zeros((2, num_series), dtype=np.bool_)
    for n in LOOKS:
        for side, (samples, mean) in enumerate(((rows, shape.mean), (1 - rows, 1 - shape.mean))):
            ever[side] |= rows_refuting(samples[:, :n], mean, NOMINAL, any_look=True)
        if n in SIZES:
            yield Rate(name, "sequence, every eighth", n, num_series, float(ever.mean(axis=1).max()), NOMINAL)


def tails(num_series: int) -> Iterator[Rate]:
    """Rates of a check on a quantile that lies at the edge of bursts; 240 samples hold about one burst."""
    check = _check("p95(x) < 0.5 @ 95%")
    for n in (1000, 4000):
        rows = bursts_over_noise(num_series, n, np.random.default_rng([5, n]))
        passed = np.mean([answer_arms(check, Arms(row)).verdict.value == "PASS" for row in rows])
        yield Rate(BURSTS, "p95(x)", n, num_series, float(passed), NOMINAL)


def quantiles(name: str, num_series: int) -> Iterator[Rate]:
    """Rates of checks on quantiles, which need no range; the true quantiles are those of a long series."""
    shape = SHAPES[name]
    long = shape.draw(2000, 1000, np.random.default_rng(3))
    for text, share in (("median(x) < {!r} @ 95%", 0.5), ("p95(x) < {!r} @ 95%", 0.95)):
        check = _check(text.format(float(np.quantile(long, share))))
        for n in SIZES:
            rows = shape.draw(num_series, n, np.random.default_rng([3, n]))
            passed = np.mean([answer_arms(check, Arms(row)).verdict.value == "PASS" for row in rows])
            yield Rate(name, text.partition(" <")[0], n, num_series, float(passed), NOMINAL)


def drift_checks(name: str, num_series: int) -> Iterator[Rate]:
    """Rates of drift checks, on series with a step of two standard deviations half-way and on the same without."""
    shape = SHAPES[name]
    for method in ("page_hinkley", "cusum"):
        check = _check({"metric": "x", "statistic": "drift", "op": "==", "value": False, "method": method})
        for n in (size for size in SIZES if 24 <= size <= LARGEST_FOR_DRIFT):
            rows = (shape.draw(num_series, n, np.random.default_rng([4, n])) - shape.mean) / shape.spread
            alarms = drift_alarms(check, rows)
            missed, false = float(alarms.missed.mean()), float(alarms.false_alarms.mean())
            yield Rate(name, f"no drift, {method}", n, num_series, missed, MISSED, false_fail=false)


def _check(written: object) -> Check:
    return parse_gate({"checks": [written]}).checks[0]


def measure(num_series: int) -> list[Rate]:
    """All rates."""
    progress = Console(stderr=True, highlight=False)
    found: list[Rate] = []
    for name in SHAPES:
        progress.print(f"{name} ...")
        found += means(name, num_series)
        found += sequences(name, num_series)
        if name in {"independent", "AR(1) 0.5", "AR(1) 0.8", "slow + noise", "weak and slow", "heavy tails"}:
            found += quantiles(name, num_series // 2)
        if name in {"independent", "AR(1) 0.5", "heavy tails"}:
            found += drift_checks(name, num_series // 2)
    progress.print(f"{BURSTS} ...")
    return [*found, *tails(num_series // 2)]


def show(found: list[Rate]) -> None:
    """Print one table for each shape; rates beyond their limits are marked."""
    console = Console(width=132)
    for name in dict.fromkeys(rate.shape for rate in found):
        rates = [rate for rate in found if rate.shape == name]
        sizes = sorted({rate.num_samples for rate in rates})
        table = Table("check", *(f"n = {n}" for n in sizes), title=f"{name}: false pass / power (or false fail), %")
        for check in dict.fromkeys(rate.check for rate in rates):
            by_size = {rate.num_samples: rate for rate in rates if rate.check == check}
            table.add_row(check, *(_cell(by_size[n]) if n in by_size else "" for n in sizes))
        console.print(table)
    beyond = [rate for rate in found if not rate.met]
    hidden = sum(is_hidden(rate) for rate in beyond)
    console.print(
        f"{len(beyond)} of {len(found)} cells are beyond their limit and marked !, {hidden} of them of so few samples "
        "that their dependence does not show"
    )


def is_hidden(rate: Rate) -> bool:
    """Whether so few samples may not show how they depend on each other."""
    shape, is_of_ranks = SHAPES.get(rate.shape), rate.check.startswith(("median", "p95"))
    if shape is None:
        return False
    return rate.num_samples < max(shape.hidden_below, shape.hidden_for_ranks_below if is_of_ranks else 0)


def _cell(rate: Rate) -> str:
    shares = [share for share in (rate.false_pass, rate.power, rate.false_fail) if share is not None]
    return "/".join(f"{100 * share:.{0 if share >= 0.1 else 1}f}" for share in shares) + ("" if rate.met else " !")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how often a gate is wrong.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    parser.add_argument("--quick", action="store_true", help="a tenth of the series")
    options = parser.parse_args()
    found = measure(200 if options.quick else 2000)
    if options.json:
        print(json.dumps({"nominal": NOMINAL, "rates": [asdict(rate) | {"met": rate.met} for rate in found]}))
    else:
        show(found)
    if any(not rate.met and not is_hidden(rate) for rate in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
