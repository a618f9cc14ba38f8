"""How often a gate is wrong: false passes and false fails against the number of samples, on simulated KPIs.

    python benchmarks/gate.py [--json] [--quick]

A false pass is a pass although the true value is exactly at the threshold. A false fail is a fail although it is half a
standard deviation on the right side; in that case, neither a pass nor a fail is inconclusive. The gate's checks at 95 %
are compared with the rule "6 of the last 8 above the threshold". A row with "each" looks after every sample, from the
eighth on, until it passes, as a closed loop does; the others look once, at the end. For drift, a false pass misses a
step of two standard deviations half-way, and a false fail finds drift where there is none.

The limit for a false pass is 5 %, that is 1 - confidence; for drift it is 20 %, and 5 % for a false fail; all plus
twice the Monte-Carlo error. Seeds are fixed, so the same version of numpy gives the same table.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import NormalDist
from typing import final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from seedbed.contracts import Verdict
from seedbed.gate import Check, block_bootstrap, parse_gate
from seedbed.gate._answer_series import answer_arms
from seedbed.gate._arms import Arms
from seedbed.gate._calibrate_drift import drift_alarms
from seedbed.gate._sequence import FEWEST_FOR_SEQUENCE, sequence_reach
from seedbed.gate._simulated import autoregressive

Series = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ends = tuple[float, float]

CONFIDENCE, NOMINAL, MISSED, BETTER = 0.95, 0.05, 0.2, 0.5
SIZES = (8, 16, 24, 48, 96, 240)
FIRST_LOOK = 8
RESAMPLES = 200


@final
@dataclass(frozen=True)
class Plan:
    """How many series: for a row that looks once, for one that looks at each sample, and for drift."""

    once: int
    each: int
    drift: int


FULL, QUICK = Plan(once=2000, each=300, drift=1000), Plan(once=200, each=40, drift=100)


@final
@dataclass(frozen=True)
class Rate:
    """One cell: shares of `num_series` series of `num_samples` samples."""

    kpi: str
    check: str
    num_samples: int
    num_series: int
    false_pass: float
    false_fail: float
    inconclusive_when_better: float

    @property
    def is_drift(self) -> bool:
        """Whether it is of a drift check, which has its own limits."""
        return self.check.startswith("no drift")

    @property
    def error(self) -> float:
        """The standard error of the false-pass rate, at least that at the limit."""
        return _error(max(self.false_pass, NOMINAL), self.num_series)

    @property
    def met(self) -> bool:
        """Whether the rates are within their limits."""
        if not self.is_drift:
            return self.false_pass <= _bar(NOMINAL, self.num_series)
        return self.false_pass <= _bar(MISSED, self.num_series) and self.false_fail <= _bar(NOMINAL, self.num_series)


def _error(share: float, num_series: int) -> float:
    return sqrt(share * (1 - share) / num_series)


def _bar(share: float, num_series: int) -> float:
    return share + 2 * _error(share, num_series)


def normal(lag_one: float) -> Callable[[int, int, np.random.Generator], Series]:
    """A normal autoregression of order one, of standard deviation 1."""
    return lambda num_series, n, generator: autoregressive(lag_one, n, num_series, generator)


def heavy(num_series: int, n: int, generator: np.random.Generator) -> Series:
    """Student's t with three degrees of freedom, of standard deviation 1."""
    return generator.standard_t(3, size=(num_series, n)) / sqrt(3)


def slow(num_series: int, n: int, generator: np.random.Generator) -> Series:
    """Slow movement (an autoregression of 0.95) under as much noise, which is no autoregression of order one."""
    return (autoregressive(0.95, n, num_series, generator) + generator.normal(size=(num_series, n))) / sqrt(2)


KPIS: Mapping[str, Callable[[int, int, np.random.Generator], Series]] = {
    "independent": normal(0.0),
    "AR(1) 0.5": normal(0.5),
    "AR(1) 0.8": normal(0.8),
    "heavy tails": heavy,
    "slow + noise": slow,
}


def six_of_eight(samples: Series) -> Ends:
    """The rule as an interval: it passes when its low end is above 0, and fails when its high end is not."""
    sixth = float(np.sort(samples[-8:])[2])
    return sixth, sixth


def bootstrap(samples: Series) -> Ends:
    """The gate's interval for a mean."""
    interval = block_bootstrap(samples, confidence=CONFIDENCE, resamples=RESAMPLES)
    return interval.low, interval.high


def sequence(samples: Series) -> Ends:
    """The gate's confidence sequence for a mean."""
    reach = sequence_reach(samples, confidence=CONFIDENCE) if samples.size >= FEWEST_FOR_SEQUENCE else None
    half = np.inf if reach is None else reach.half_width
    return float(samples.mean() - half), float(samples.mean() + half)


MEANS: Mapping[str, Callable[[Series], Ends]] = {
    "6 of the last 8": six_of_eight,
    "mean @ 95%, bootstrap": bootstrap,
    "mean @ 95%, sequence": sequence,
}


def once(kpi: str, check: str, num_series: int) -> Iterator[Rate]:
    """Rates of a check for a mean that looks once. A shifted series has a shifted interval, so one run gives both."""
    for n in SIZES:
        samples = KPIS[kpi](num_series, n, np.random.default_rng([1, n]))
        low, high = np.array([MEANS[check](each) for each in samples]).T
        passed, failed = low + BETTER > 0, high + BETTER <= 0
        yield _rate(kpi, check, n, low > 0, passed, failed)


def each_sample(kpi: str, check: str, num_series: int) -> Iterator[Rate]:
    """Rates of the same check, asked after every sample until it passes."""
    samples = KPIS[kpi](num_series, max(SIZES), np.random.default_rng(2))
    looks = range(FIRST_LOOK, max(SIZES) + 1)
    ends = np.array([[MEANS[check](each[:n]) for n in looks] for each in samples])
    for n in SIZES:
        so_far = ends[:, : n - FIRST_LOOK + 1]
        highest = so_far[..., 0].max(axis=1)
        false, passed = highest > 0, highest + BETTER > 0
        failed = (so_far[:, -1, 1] + BETTER <= 0) & ~passed
        yield _rate(kpi, f"{check}, each", n, false, passed, failed)


def _rate(kpi: str, check: str, n: int, false: Flags, passed: Flags, failed: Flags) -> Rate:
    return Rate(kpi, check, n, len(false), float(false.mean()), float(failed.mean()), float((~passed & ~failed).mean()))


def other_checks(kpi: str, num_series: int) -> Iterator[Rate]:
    """Rates of checks on quantiles and spreads. The better case has a threshold 0.5 further from the true value."""
    shape = NormalDist()
    truths = {"median(x) < {} @ 95%": 0.0, "p95(x) < {} @ 95%": shape.inv_cdf(0.95), "std(x) < {} @ 95%": 1.0}
    for text, truth in {**truths, "spread_ratio(x, y) < {} @ 95%": 1.0}.items():
        for n in SIZES:
            generator = np.random.default_rng([3, n])
            own, other = (KPIS[kpi](num_series, n, generator) for _ in range(2))
            at, better = (_verdicts(text.format(limit), own, other) for limit in (truth, truth + BETTER))
            name = text.replace(" < {}", "")
            yield _rate(kpi, name, n, at == Verdict.PASS, better == Verdict.PASS, better == Verdict.FAIL)


def _verdicts(text: str, own: Series, other: Series) -> NDArray[np.str_]:
    check = _check(text)
    pairs = zip(own, other, strict=True)
    arms = (Arms(x, y if check.control else None) for x, y in pairs)
    return np.array([answer_arms(check, each, resamples=RESAMPLES).verdict.value for each in arms])


def drift_checks(kpi: str, num_series: int) -> Iterator[Rate]:
    """Rates of drift checks, on series with a step of two standard deviations half-way and on the same without."""
    for method in ("page_hinkley", "cusum"):
        check = _check({"metric": "x", "statistic": "drift", "op": "==", "value": False, "method": method})
        for n in (size for size in SIZES if size >= 24):
            samples = KPIS[kpi](num_series, n, np.random.default_rng([4, n]))
            alarms = drift_alarms(check, samples)
            blind = ~alarms.false_alarms & ~alarms.has_power
            yield Rate(
                kpi,
                f"no drift, {method}",
                n,
                num_series,
                false_pass=float(alarms.missed.mean()),
                false_fail=float(alarms.false_alarms.mean()),
                inconclusive_when_better=float(blind.mean()),
            )


def _check(written: object) -> Check:
    return parse_gate({"checks": [written]}).checks[0]


def measure(plan: Plan) -> list[Rate]:
    """All rates."""
    progress = Console(stderr=True, highlight=False)
    found: list[Rate] = []
    for kpi in KPIS:
        progress.print(f"{kpi} ...")
        for check in MEANS:
            found += once(kpi, check, plan.once)
            found += each_sample(kpi, check, plan.each)
        if kpi not in {"heavy tails", "slow + noise"}:  # their quantiles are others
            found += other_checks(kpi, plan.once // 2)
        found += drift_checks(kpi, plan.drift)
    return found


def show(found: list[Rate]) -> None:
    """Print one table for each KPI; rates beyond their limits are marked."""
    console = Console(width=132)
    for kpi in KPIS:
        table = Table("check", *(f"n = {n}" for n in SIZES), title=f"{kpi}: false pass / false fail / inconclusive, %")
        rates = [rate for rate in found if rate.kpi == kpi]
        for check in dict.fromkeys(rate.check for rate in rates):
            by_size = {rate.num_samples: rate for rate in rates if rate.check == check}
            table.add_row(check, *(_cell(by_size[n]) if n in by_size else "" for n in SIZES))
        console.print(table)
    errors = sorted(100 * _error(NOMINAL, rate.num_series) for rate in found)
    console.print(
        f"! is beyond its limit by more than twice the Monte-Carlo error, which is {errors[0]:.1f} to {errors[-1]:.1f} "
        f"points at {100 * NOMINAL:g} %; every sample is looked at where it says each"
    )


def _cell(rate: Rate) -> str:
    shares = (rate.false_pass, rate.false_fail, rate.inconclusive_when_better)
    return "/".join(f"{100 * share:.{0 if share >= 0.1 else 1}f}" for share in shares) + ("" if rate.met else " !")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how often a gate is wrong.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    parser.add_argument("--quick", action="store_true", help="a tenth of the series")
    options = parser.parse_args()
    found = measure(QUICK if options.quick else FULL)
    if options.json:
        rates = [asdict(rate) | {"error": rate.error, "met": rate.met} for rate in found]
        print(json.dumps({"nominal": NOMINAL, "better": BETTER, "rates": rates}))
    else:
        show(found)


if __name__ == "__main__":
    main()
