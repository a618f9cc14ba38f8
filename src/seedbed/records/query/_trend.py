"""The trend of a metric over the history of a comparison group: a smoothed curve, and a slope with an interval.

The slope is the Theil-Sen estimator: the median of the slopes between all pairs of commits, which a few outliers do not
move; its interval is Sen's, by Kendall's variance without ties (Sen, JASA 63, 1968; Hollander & Wolfe, Nonparametric
Statistical Methods, 1999, sec. 9.2-9.3). Runs are assumed to be independent, so a run counts once, however often it is
repeated. The smoothed curve is an exponentially weighted mean with alpha = 2 / (span + 1) that begins at the first
value.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations, islice
from statistics import median

from seedbed.errors import InvalidInput
from seedbed.records.log._baselines import number_at
from seedbed.records.log._log import CommitLog
from seedbed.records.query._facts import metric_names
from seedbed.records.query._metric_names import metric_name, require_metric
from seedbed.records.snapshot._commit import Commit
from seedbed.records.snapshot._course import course_words
from seedbed.records.snapshot._draw import draw_of
from seedbed.records.snapshot._snapshot import Snapshot

__all__ = ["MOST_POINTS", "Slope", "Trend", "TrendPoint", "trend", "trend_slope"]

MOST_POINTS = 500  # their pairs take a tenth of a second
_MOST_NAMED = 5
_FEWEST = 5  # with fewer the interval covers all slopes
_NORMAL = 1.959963984540054  # the 97.5 % point of the normal distribution


@dataclass(frozen=True)
class TrendPoint:
    """One commit of the history: the metric's value, and the smoothed curve at it.

    `happened` says in words what sets its run apart: changed by a proposal, degraded, resumed.
    """

    seq: int
    run_id: str
    timestamp: datetime
    value: float
    smoothed: float
    happened: tuple[str, ...] = ()


@dataclass(frozen=True)
class Slope:
    """The change of the metric per commit; in 95 of 100 cases the true slope lies in `low..high`."""

    per_commit: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """`rising` or `falling` when the whole interval is on one side of zero, else `no trend`."""
        return "rising" if self.low > 0 else "falling" if self.high < 0 else "no trend"


@dataclass(frozen=True)
class Trend:
    """A metric over the newest commits of one comparison group, oldest first; with fewer than five, `slope` is None.

    Commits that repeat another, with all inputs the same and the seed too, are points but no evidence: the slope is of
    the others, and `num_repeats` says how many were left out. `not_finite` are the runs of which the metric is NaN or
    infinite, which no curve can show.
    """

    metric: str
    group: str
    points: tuple[TrendPoint, ...]
    slope: Slope | None
    num_repeats: int = 0
    not_finite: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The trend in a sentence."""
        repeat = "repeats" if self.num_repeats == 1 else "repeat"
        repeats = f"; {self.num_repeats} more {repeat} one of them, seed included" if self.num_repeats else ""
        names = ", ".join(self.not_finite[-_MOST_NAMED:])
        among = "among them " if len(self.not_finite) > _MOST_NAMED else ""
        lost = f"; {len(self.not_finite)} more NaN or infinite, left out: {among}{names}" if names else ""
        return f"{self._slope_text(len(self.points) - self.num_repeats)}{repeats}{lost}"

    def _slope_text(self, count: int) -> str:
        if self.slope is None:
            return f"{count} of {_FEWEST} commits that a trend needs"
        slope = self.slope
        return (
            f"{slope.words}: {slope.per_commit:+.3g} a commit, 95 % within [{slope.low:+.3g}, {slope.high:+.3g}], "
            f"over {count} commits"
        )


def trend(log: CommitLog, commit: Commit, metric: str, *, last: int = 50, span: float = 10.0) -> Trend:
    """`metric`, such as metrics.test.ap, over the newest `last` commits that are comparable with `commit`, up to it.

    Any spelling of `metric_name` will do. Commits without the metric are skipped. Raises NotFound when `commit` has
    none, InvalidInput for a `last` or `span` out of range, and as `CommitLog.read`.
    """
    if not 1 <= last <= MOST_POINTS:
        raise InvalidInput(f"a trend over {last} commits was asked for, expected 1 to {MOST_POINTS}")
    if not 1 <= span < math.inf:
        raise InvalidInput(f"the span of the smoothing is {span}, expected a number of commits of at least 1")
    metric = _known(commit.snapshot, metric)
    group = commit.snapshot.digests["comparison_group"]
    newest = _newest(log, group, metric, commit.seq, last)
    found = [(item, value) for item, value in newest if math.isfinite(value)]
    values = [value for _, value in found]
    points = tuple(
        TrendPoint(
            seq=item.seq,
            run_id=item.snapshot.run_id,
            timestamp=item.snapshot.timestamp,
            value=value,
            smoothed=smoothed,
            happened=course_words(item.snapshot.course),
        )
        for (item, value), smoothed in zip(found, _smoothed(values, span), strict=True)
    )
    distinct = _first_of_each(log, found)
    slope = trend_slope(distinct) if len(distinct) >= _FEWEST else None
    lost = tuple(item.snapshot.run_id for item, value in newest if not math.isfinite(value))
    return Trend(metric, group, points, slope, len(values) - len(distinct), lost)


def _known(snapshot: Snapshot, metric: str) -> str:
    name = metric_name(metric)
    if number_at(snapshot, name) is not None:
        return name
    known = [name for name in metric_names(snapshot) if number_at(snapshot, name) is not None]
    return require_metric(metric, known, snapshot.run_id)


def trend_slope(values: Sequence[float]) -> Slope:
    """The slope of equally spaced values; of fewer than five the interval covers all slopes. Needs two."""
    pairs = combinations(enumerate(values), 2)
    slopes = sorted((later - earlier) / (at - before) for (before, earlier), (at, later) in pairs)
    count = len(values)
    spread = _NORMAL * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low, high = round((len(slopes) - spread) / 2), round((len(slopes) + spread) / 2)
    return Slope(median(slopes), slopes[max(low - 1, 0)], slopes[min(high, len(slopes) - 1)])


def _newest(log: CommitLog, group: str, metric: str, until: int, last: int) -> list[tuple[Commit, float]]:
    """The newest commits of the group, up to number `until`, that have the metric, oldest first."""
    commits = (log.readable(seq) for seq in reversed(log.in_group(group)) if seq <= until)
    valued = ((item, number_at(item.snapshot, metric)) for item in commits if item)
    return list(islice(((item, value) for item, value in valued if value is not None), last))[::-1]


def _first_of_each(log: CommitLog, found: Sequence[tuple[Commit, float]]) -> list[float]:
    """The values without those of commits that repeat an earlier one: the same inputs, and the same seed."""
    values: dict[tuple[str, str], float] = {}
    for item, value in found:
        values.setdefault((log.header(item.seq).replicates, draw_of(item.snapshot)), value)
    return list(values.values())


def _smoothed(values: Iterable[float], span: float) -> Iterable[float]:
    alpha, smoothed = 2 / (span + 1), math.nan
    for value in values:
        smoothed = value if math.isnan(smoothed) else smoothed + alpha * (value - smoothed)
        yield smoothed
