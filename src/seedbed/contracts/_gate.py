"""What a gate is given and what it answers."""

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from seedbed.contracts._enums import Verdict
from seedbed.contracts._message import Message

__all__ = ["CheckKind", "CheckReport", "GateReport", "Interval"]


class CheckKind(StrEnum):
    """A broken CONTRACT ends with exit code 4; a missed THRESHOLD with 1."""

    THRESHOLD = "THRESHOLD"
    CONTRACT = "CONTRACT"


class Interval(Message):
    """A metric with its two-sided confidence interval: `n` samples, `confidence` between 0 and 1."""

    value: float
    low: float
    high: float
    n: int = Field(ge=2)
    confidence: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _low_is_not_above_high(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low} lies above high {self.high}")
        return self


class CheckReport(Message):
    """One check: what was expected, what the record holds, the verdict and why.

    `metric` is what was held against the demand, as in `p95(kpi.latency_ms)`. For a check on a series `statistic` is
    what was made of it, `method` how its uncertainty was told, and `n` the number of samples after the warmup.
    `false_pass_rate`, between 0 and 1, is how often the check passes series like this one whose true value lies exactly
    at the threshold, by simulation; reports from before it was asked for have none of the four.
    """

    metric: str
    kind: CheckKind
    expected: str
    found: Interval | bool | float | str | None
    verdict: Verdict
    reason: str
    statistic: str | None = None
    method: str | None = None
    n: int | None = Field(default=None, ge=0)
    false_pass_rate: float | None = Field(default=None, ge=0, le=1)


class GateReport(Message):
    """A gate's answer. `exit_code` is one of `seedbed.errors.ExitCode`: the verdict's, or that of a broken contract."""

    gate: str
    verdict: Verdict
    exit_code: int
    checks: tuple[CheckReport, ...] = Field(min_length=1)
