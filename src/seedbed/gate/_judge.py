"""A gate's answer, a pure function of the spec and the record."""

import operator
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any

from seedbed.contracts import CheckKind, CheckReport, GateReport, Interval, Verdict
from seedbed.errors import InvalidInput
from seedbed.gate._facts import Fact, facts_of, lint
from seedbed.gate._spec import Check, GateSpec, Op

__all__ = ["judge"]

_HOLDS: Mapping[Op, Callable[[Any, Any], bool]] = {
    Op.AT_LEAST: operator.ge,
    Op.AT_MOST: operator.le,
    Op.ABOVE: operator.gt,
    Op.BELOW: operator.lt,
    Op.EQUAL: operator.eq,
    Op.UNEQUAL: operator.ne,
}

_Answer = tuple[Verdict, str]


def judge(spec: GateSpec, record: Mapping[str, object], *, known: Iterable[str] = ()) -> GateReport:
    """Hold every check against the record. Only PASS passes.

    A metric that is null, or absent though `known` names it, is NO_DATA; one that nobody knows is a mistake.
    Raises InvalidInput for that, with the nearest names, and for a check that compares what cannot be compared.
    """
    facts = facts_of(record)
    lint(spec, {*facts, *known})
    checks = tuple(_report(check, facts.get(check.metric)) for check in spec.checks)
    return GateReport(gate=spec.gate, verdict=_overall(checks), exit_code=_exit_code(checks), checks=checks)


def _overall(checks: tuple[CheckReport, ...]) -> Verdict:
    verdicts = {check.verdict for check in checks}
    return next(
        each for each in (Verdict.FAIL, Verdict.NO_DATA, Verdict.INCONCLUSIVE, Verdict.PASS) if each in verdicts
    )


def _exit_code(checks: tuple[CheckReport, ...]) -> int:
    if any(check.kind is CheckKind.CONTRACT and check.verdict is Verdict.FAIL for check in checks):
        return 4
    return {Verdict.FAIL: 1, Verdict.NO_DATA: 3, Verdict.INCONCLUSIVE: 3, Verdict.PASS: 0}[_overall(checks)]


def _report(check: Check, found: Fact) -> CheckReport:
    verdict, reason = _answer(check, found)
    kept = None if isinstance(found, float) and not isfinite(found) else found  # the reason names it; JSON could not
    return CheckReport(
        metric=check.metric, kind=check.kind, expected=check.expected, found=kept, verdict=verdict, reason=reason
    )


def _answer(check: Check, found: Fact) -> _Answer:
    if found is None:
        return Verdict.NO_DATA, "the record holds no value"
    value = found.value if isinstance(found, Interval) else found
    if type(value) is not type(check.value):
        raise InvalidInput(
            f"check '{check.metric} {check.expected}': the record holds {value!r}, which cannot be compared with "
            f"{check.value!r}; declare a value of the same type"
        )
    if isinstance(value, float) and not isfinite(value):
        return Verdict.FAIL, f"{value} is not a finite number, which keeps no threshold"
    if check.confidence is None:
        if _HOLDS[check.op](value, check.value):
            return Verdict.PASS, f"found {_shown(value)}"
        return Verdict.FAIL, f"found {_shown(value)}, expected {check.expected}"
    return _answer_with_confidence(check, found, check.confidence)


def _answer_with_confidence(check: Check, found: Fact, confidence: float) -> _Answer:
    if not isinstance(found, Interval):
        return Verdict.INCONCLUSIVE, f"the record holds no confidence interval, only {_shown(found)}"
    stated = f"[{found.low:.6g}, {found.high:.6g}] at {100 * found.confidence:g}% from {found.n} samples"
    if found.confidence < confidence:
        return Verdict.INCONCLUSIVE, f"the interval {stated} is less certain than demanded"
    low, high = (_HOLDS[check.op](end, check.value) for end in (found.low, found.high))
    if low and high:
        return Verdict.PASS, f"all of {stated} is {check.op.value} {check.value:g}"
    if not low and not high:
        return Verdict.FAIL, f"none of {stated} is {check.op.value} {check.value:g}"
    return Verdict.INCONCLUSIVE, f"{check.value:g} lies inside {stated}: collect more samples"


def _shown(value: Fact) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)
