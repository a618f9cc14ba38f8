"""A check: one demand on one metric. Demands that cannot be judged are refused."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from math import isfinite
from typing import Any, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from seedbed.contracts import CheckKind, Message
from seedbed.gate._held import not_held
from seedbed.gate._statistics import DRIFTS, MOST_CERTAIN, PAIRED, WITH_INTERVAL, probability, statistic_named
from seedbed.gate._terse import parse_terse

__all__ = ["DECLARED_BEFORE", "Check", "CheckOperator", "Method"]

DECLARED_BEFORE: Mapping[str, bool] = {"declared_before": True}
"""The context in which checks are validated that were declared before there were some of today's refusals."""

_NUMBER_MEANT = re.compile(r"([-+]?\d{1,9})(?:(?:\.|,(?!\d{3}\b))(\d{1,9}))?(%?)", re.ASCII)


class CheckOperator(StrEnum):
    """How the value found is compared with the value declared."""

    AT_LEAST = ">="
    AT_MOST = "<="
    ABOVE = ">"
    BELOW = "<"
    EQUAL = "=="
    UNEQUAL = "!="

    @property
    def orders(self) -> bool:
        """Whether it is an order, which only numbers have."""
        return self not in {CheckOperator.EQUAL, CheckOperator.UNEQUAL}

    @property
    def is_upper_limit(self) -> bool:
        """Whether the value found must lie below the one declared, or at it."""
        return self in {CheckOperator.BELOW, CheckOperator.AT_MOST}


class Method(StrEnum):
    """How a statistic is bounded, or how drift is detected.

    Bounds by BETTING hold for one look at the end, those of a SEQUENCE at any number of looks. BOOTSTRAP is the former
    name of BETTING, which replaced the bootstrap: gates that name it are still read. PAGE_HINKLEY and CUSUM detect
    drift.
    """

    BETTING = "betting"
    BOOTSTRAP = "bootstrap"
    SEQUENCE = "sequence"
    PAGE_HINKLEY = "page_hinkley"
    CUSUM = "cusum"


_DETECTORS = frozenset({Method.PAGE_HINKLEY, Method.CUSUM})
_WITH_SEQUENCE = frozenset({"mean", "difference"})


class Check(Message):
    """One demand on one metric, a dotted path into the record (`metrics.test.ap`).

    `confidence`, between 0 and 1, demands of a value that its whole recorded interval, which is at least as certain,
    meets the threshold, and of a series that the one bound that decides does. In a file, a check may be a short text:
    "metrics.test.ap >= 0.88 @ 95%", "p95(kpi.latency_ms) < 350", "mean(missed) < 0.01 in [0, 1] @ 95%".

    On a series, `statistic` is what is computed, `control` names the other arm where two are compared, `warmup` is the
    number of first samples to leave out, `min_samples` how many must then be left, and `method` how it is bounded.
    `range` holds the least and the largest value that a sample can have, also one that was not seen; of a difference,
    those of the difference. Without it no number of samples bounds a mean or a spread. `delta` and `threshold` are for
    a drift detector, in standard deviations of the series. Without `threshold`, it is set so that at most a share of 1
    - `confidence` of series without drift raises an alarm, by default 5 %.
    """

    metric: str = Field(min_length=1)
    op: CheckOperator
    value: bool | float | str
    confidence: float | None = Field(default=None, gt=0, le=MOST_CERTAIN)
    kind: CheckKind = CheckKind.THRESHOLD
    statistic: str | None = None
    control: str | None = Field(default=None, min_length=1)
    warmup: int = Field(default=0, ge=0)
    min_samples: int | None = Field(default=None, ge=1)
    method: Method | None = None
    delta: float | None = Field(default=None, ge=0)
    threshold: float | None = Field(default=None, gt=0)
    range: tuple[float, float] | None = None

    @model_serializer(mode="wrap")
    def _without_an_undeclared_range(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = dump(self)
        if self.range is None:  # what was written before there were ranges keeps its digest
            fields.pop("range", None)
        return fields

    @model_validator(mode="before")
    @classmethod
    def _text_becomes_fields(cls, data: Any, info: ValidationInfo) -> Any:
        if isinstance(data, str):
            return parse_terse(data, is_new=info.context is not DECLARED_BEFORE)
        if not isinstance(data, Mapping | Check):
            raise ValueError("expected a text such as 'metrics.test.ap >= 0.88 @ 95%', or a mapping of fields")
        return data

    @field_validator("kind", mode="before")
    @classmethod
    def _case_does_not_matter(cls, kind: Any) -> Any:
        return kind.upper() if isinstance(kind, str) else kind

    @field_validator("value", "range", mode="before")
    @classmethod
    def _floats_hold_the_numbers(cls, given: Any, info: ValidationInfo) -> Any:
        if info.context is DECLARED_BEFORE:
            return given
        for each in given if isinstance(given, list | tuple) else (given,):
            if isinstance(each, int) and (problem := not_held(each)):
                raise ValueError(f"{problem}; declare that one, or another that a float holds")
        return given

    @field_validator("confidence", mode="before")
    @classmethod
    def _confidence_is_no_per_cent(cls, given: Any) -> Any:
        if isinstance(given, int | float) and 1 < given < 100:
            raise ValueError(f"expected a number between 0 and 1, such as {given / 100:g} for {given:g}%")
        return given

    @field_validator("statistic")
    @classmethod
    def _statistic_is_known(cls, statistic: str | None) -> str | None:
        return None if statistic is None else statistic_named(statistic)

    @model_validator(mode="after")
    def _the_demand_can_be_judged(self) -> Self:
        problem = next(_problems(self), None)
        if problem is not None:
            raise ValueError(problem)
        return self

    @property
    def subject(self) -> str:
        """The value that is compared: `metrics.test.ap`, `p95(kpi.latency_ms)`, `difference(kpi.x, control.x)`."""
        arms = self.metric if self.control is None else f"{self.metric}, {self.control}"
        return self.metric if self.statistic is None else f"{self.statistic}({arms})"

    @property
    def expected(self) -> str:
        """The demand in words: `>= 0.88 @ 95%`, `< 0.01 in [0, 1] @ 95%`."""
        value = self.value if isinstance(self.value, str) else _short(self.value)
        within = "" if self.range is None else f" in [{_short(self.range[0])}, {_short(self.range[1])}]"
        certain = "" if self.confidence is None else f" @ {100 * self.confidence:g}%"
        return f"{self.op.value} {value}{within}{certain}"

    @property
    def is_drift(self) -> bool:
        """Whether its statistic is drift, which is true or false."""
        return self.statistic in DRIFTS


def _problems(check: Check) -> Iterator[str]:
    is_number = not isinstance(check.value, bool | str)
    if check.op.orders and not is_number:
        meant = _number_meant(check.value)
        remedy = f"write {meant}" if meant else "use == or !="
        yield f"{check.op.value} needs a number, found {check.value!r}; {remedy}"
    if check.confidence is not None and not (check.is_drift or (check.op.orders and is_number)):
        yield f"no interval can show {check.op.value} {check.value!r}; drop the confidence, or use >= or <="
    if check.range is not None and not (check.range[0] < check.range[1] and isfinite(check.range[1] - check.range[0])):
        yield f"a range goes from the least value to the largest, and its width is finite, found {list(check.range)}"
    if check.range is not None and not is_number:
        yield f"a range is for a number, found {check.subject} {check.expected}"
    yield from _problems_without_series(check) if check.statistic is None else _problems_of_series(check)


def _number_meant(value: object) -> str:
    """The number that a text means, as a gate writes it: 0.8 for 80% and for 0,8; empty for any other value.

    Three digits after a comma may be thousands, so that nobody can tell.
    """
    found = _NUMBER_MEANT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return ""
    number = Decimal(f"{found[1]}.{found[2] or 0}")
    return f"{float(number / 100 if found[3] else number):.12g}"


def _problems_without_series(check: Check) -> Iterator[str]:
    options = check.model_dump(include={"control", "warmup", "min_samples", "method", "delta", "threshold"})
    given = [name for name, value in options.items() if value]
    if given:
        yield f"{', '.join(given)} is for a series; say which statistic of it, such as statistic: mean"


def _problems_of_series(check: Check) -> Iterator[str]:
    if (check.control is not None) != (check.statistic in PAIRED):
        yield f"difference and spread_ratio compare a metric with its control, no other does; found {check.subject}"
    if isinstance(check.value, bool) != check.is_drift or isinstance(check.value, str):
        yield f"drift is true or false and every other statistic a number; found {check.subject} {check.expected}"
    yield from _problems_of_drift(check) if check.is_drift else _problems_of_interval(check)


def _problems_of_drift(check: Check) -> Iterator[str]:
    if check.method not in {None, *_DETECTORS}:
        yield f"drift is found by page_hinkley or cusum, not by {check.method}"
    if check.threshold is not None and check.confidence is not None:
        yield "declare a drift detector's threshold, or the confidence from which it is computed, not both"


def _problems_of_interval(check: Check) -> Iterator[str]:
    if check.delta is not None or check.threshold is not None or check.method in _DETECTORS:
        yield f"delta, threshold, page_hinkley and cusum are for drift, found {check.subject}"
    if check.confidence is None and check.method is not None:
        yield f"{check.method} makes an interval; say how certain it must be, such as confidence: 0.95"
    has_interval = check.statistic in WITH_INTERVAL or probability(check.statistic or "") is not None
    if check.confidence is not None and not has_interval:
        yield f"no interval is known for {check.statistic}; drop the confidence"
    if check.method is Method.SEQUENCE and check.statistic not in _WITH_SEQUENCE:
        yield f"method: sequence is known for mean and difference, not for {check.statistic}; drop the method"


def _short(value: bool | float) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:.12g}"
