"""The input and the answer of a gate."""

from enum import StrEnum
from typing import Any, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from seedbed.contracts._enums import Verdict
from seedbed.contracts._message import Message

__all__ = ["CheckKind", "CheckReport", "GateReport", "Interval"]


class CheckKind(StrEnum):
    """The kind of a check: a broken CONTRACT gives exit code 4, a missed THRESHOLD gives 1."""

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

    `metric` is what was checked, as in `p95(kpi.latency_ms)`. For a check on a series, `statistic` is what was computed
    from it, `method` how its uncertainty was estimated, and `n` the number of samples after the warmup.
    `false_pass_rate`, between 0 and 1, is how often the check passes series like this one whose true value is exactly
    the threshold, by simulation; old reports have none of these four fields.
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
    """A gate's answer. `exit_code` is one of `seedbed.errors.ExitCode`: for the verdict, or for a broken contract.

    `rules` is the number of the rules that it was judged by; reports by the first rules, which had none, hold none.
    """

    gate: str
    verdict: Verdict
    exit_code: int
    checks: tuple[CheckReport, ...] = Field(min_length=1)
    rules: int | None = Field(default=None, ge=2)

    @model_serializer(mode="wrap")
    def _former_reports_stay_as_they_are(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = dump(self)
        if self.rules is None:
            fields.pop("rules", None)
        return fields
