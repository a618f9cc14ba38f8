"""Judges a record by a gate, as a pure function of both."""

from collections.abc import Callable, Iterable, Mapping

from seedbed.contracts import CheckKind, CheckReport, GateReport, Verdict
from seedbed.errors import ExitCode
from seedbed.gate._answer import Answer, answer_value
from seedbed.gate._answer_series import answer_series
from seedbed.gate._check import Check
from seedbed.gate._record_values import RecordValue, asked_of, lint, lint_kinds, record_values
from seedbed.gate._rules import FORMER_RULES, RULES
from seedbed.gate._series import Series
from seedbed.gate._spec import GateSpec

__all__ = ["EXIT_CODE_OF", "judge", "judge_with_remedies"]

EXIT_CODE_OF: Mapping[Verdict, ExitCode] = {
    Verdict.PASS: ExitCode.PASS,
    Verdict.FAIL: ExitCode.FAIL,
    Verdict.INCONCLUSIVE: ExitCode.NO_ANSWER,
    Verdict.NO_DATA: ExitCode.NO_ANSWER,
}
"""The exit code of each verdict when no contract is broken."""


def judge(spec: GateSpec, record: Mapping[str, object], *, known: Iterable[str] = (), rules: int = RULES) -> GateReport:
    """Judge the record by every check. Only PASS passes.

    `rules` are today's, unless something that was judged by former ones is judged again.

    A metric that is null, or absent although `known` names it, is NO_DATA, and so is a series without samples. Raises
    InvalidInput for an unknown metric, with the nearest names, for a statistic of a single value, for a series without
    a statistic, and for values of different types.
    """
    return judge_with_remedies(spec, record, lambda _: "", known=known, rules=rules)


def judge_with_remedies(
    spec: GateSpec,
    record: Mapping[str, object],
    remedy: Callable[[Check], str],
    *,
    known: Iterable[str] = (),
    rules: int = RULES,
) -> GateReport:
    """As `judge`; where a check asks for more samples, its `remedy` is said in place of that, unless that is empty."""
    values = record_values(record, asked_of(spec))
    lint(spec, {*values, *known})
    lint_kinds(spec, values)
    checks = tuple(_report(check, values, remedy, rules) for check in spec.checks)
    return GateReport(
        gate=spec.gate,
        verdict=_overall(checks),
        exit_code=_exit_code(checks),
        checks=checks,
        rules=None if rules <= FORMER_RULES else rules,
    )


def _overall(checks: tuple[CheckReport, ...]) -> Verdict:
    verdicts = {check.verdict for check in checks}
    return next(
        each for each in (Verdict.FAIL, Verdict.NO_DATA, Verdict.INCONCLUSIVE, Verdict.PASS) if each in verdicts
    )


def _exit_code(checks: tuple[CheckReport, ...]) -> ExitCode:
    if any(check.kind is CheckKind.CONTRACT and check.verdict is Verdict.FAIL for check in checks):
        return ExitCode.CONTRACT_BROKEN
    return EXIT_CODE_OF[_overall(checks)]


def _report(check: Check, values: Mapping[str, RecordValue], remedy: Callable[[Check], str], rules: int) -> CheckReport:
    control = None if check.control is None else values.get(check.control)
    answer = _answer(check, values.get(check.metric), control, rules)
    asks = (remedy(check) or answer.asks) if answer.asks else ""
    return CheckReport(
        metric=check.subject,
        kind=check.kind,
        expected=check.expected,
        found=answer.found,
        verdict=answer.verdict,
        reason=f"{answer.reason}: {asks}" if asks else answer.reason,
        statistic=check.statistic,
        method=answer.method,
        n=answer.n,
    )


def _answer(check: Check, found: RecordValue, control: RecordValue, rules: int) -> Answer:
    if not isinstance(found, Series):  # a null in place of a series is no value either
        return answer_value(check, found, rules)
    if check.control is not None and not isinstance(control, Series):
        return answer_value(check, None, rules)
    return answer_series(check, found, control if isinstance(control, Series) else None, rules)
