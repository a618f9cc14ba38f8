"""The values of a record by dotted path, as a gate reads them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import final

import numpy as np
from pydantic import ValidationError

from seedbed.contracts import Interval
from seedbed.contracts._faults import faults_of
from seedbed.errors import InvalidInput
from seedbed.gate._check import Check
from seedbed.gate._held import not_held
from seedbed.gate._series import Series, as_float, read_series
from seedbed.gate._spec import GateSpec
from seedbed.records.canonical._numbers import NOT_FINITE

__all__ = ["RecordValue", "asked_of", "lint", "lint_kinds", "record_values"]


@final
@dataclass(frozen=True)
class _Unusable:
    """A value of the record that no check can be made on, and why."""

    why: str


RecordValue = Interval | Series | bool | float | str | None

_DOCUMENTS = {"audit": "audit_run", "changes": "changes"}  # what each part of a record comes from
_MOST_NAMED = 20
_INTERVAL_FIELDS = frozenset(Interval.model_fields)


def record_values(record: Mapping[str, object], asked: Iterable[str] = ()) -> dict[str, RecordValue]:
    """Every value in the record by its dotted path. A mapping with exactly an interval's fields is one value.

    A list of numbers is one value too, a series, in which null means a sample that is not finite. Other lists are left
    out, and whole numbers that no float holds. The texts that a record has for NaN and the infinities are these
    numbers. Raises InvalidInput for an interval that contradicts itself, and for a path that is `asked` and left out,
    or that two values have.
    """
    found: dict[str, RecordValue] = {}
    unusable: dict[str, str] = {}
    twice: set[str] = set()
    for path, value in _walk(record, ""):
        if path in found or path in unusable:
            twice.add(path)
        if isinstance(value, _Unusable):
            unusable[path] = value.why
        else:
            found[path] = value
    for path in asked:
        if path in twice:
            both = f"record: two values have the path {path}, one by a key with a dot in it"
            raise InvalidInput(f"{both}; rename that key")
        if path in unusable:
            raise InvalidInput(f"record, {path}: {unusable[path]}")
    return found


def asked_of(spec: GateSpec) -> Iterator[str]:
    """The metrics that a gate asks for, with the controls."""
    return (name for check in spec.checks for name in (check.metric, check.control) if name is not None)


def lint(spec: GateSpec, names: Iterable[str]) -> None:
    """Raise InvalidInput for metrics that are not in `names`, each with the nearest names."""
    known = sorted(names)
    lines = [_unknown(name, known) for name in asked_of(spec) if name not in known]
    if lines:
        raise InvalidInput("\n".join([f"gate {spec.gate!r}: {len(lines)} unknown metric(s)", *lines]))


def lint_kinds(spec: GateSpec, values: Mapping[str, RecordValue]) -> None:
    """Raise InvalidInput for statistics of single values, and for series without a statistic."""
    lines = [line for check in spec.checks for line in _wrong_kinds(check, values)]
    if lines:
        raise InvalidInput("\n".join([f"gate {spec.gate!r}: {len(lines)} check(s) that ask the wrong thing", *lines]))


def _wrong_kinds(check: Check, values: Mapping[str, RecordValue]) -> Iterator[str]:
    shown = f"  {check.subject} {check.expected}"
    for name in (check.metric, check.control):
        value = None if name is None else values.get(name)
        if name is None or value is None:
            continue
        if check.statistic is None and isinstance(value, Series):
            yield f"{shown}: {name} is a series; ask for a statistic of it, such as mean({name})"
        if check.statistic is not None and not isinstance(value, Series):
            series = sorted(each for each, held in values.items() if isinstance(held, Series))
            yield f"{shown}: {name} is one value and no series; ask for {name} itself{_or_near(name, series)}"


def _or_near(name: str, series: list[str]) -> str:
    near = get_close_matches(name, series, n=2) or series[:10]
    return f", or for a series: {' or '.join(near)}" if near else ""


def _unknown(metric: str, known: list[str]) -> str:
    if not known:
        return f"  {metric}: the record holds no value that a check can be made on"
    last, head = metric.rpartition(".")[2], metric.partition(".")[0]
    if head in _DOCUMENTS and not any(name.startswith(f"{head}.") for name in known):
        return f"  {metric}: the record has no document {_DOCUMENTS[head]}, which a draft takes in documents"
    near = [name for name in known if name.endswith(f".{metric}")][:3]  # as the commands on runs name it
    near = near or get_close_matches(metric, known, n=3)
    near = near or [name for name in known if name.rpartition(".")[2] == last][:3]
    return f"  {metric}: " + (f"did you mean {' or '.join(near)}?" if near else f"known are {_first(known)}")


def _first(known: list[str]) -> str:
    """Some of the names, those of metrics first."""
    return ", ".join(sorted(known, key=lambda name: not name.startswith("metrics."))[:_MOST_NAMED])


def _walk(value: object, path: str) -> Iterable[tuple[str, RecordValue | _Unusable]]:
    if isinstance(value, Mapping):
        if value.keys() == _INTERVAL_FIELDS:
            yield path, _interval(value, path)
        else:
            for key, item in value.items():
                yield from _walk(item, f"{path}.{key}" if path else str(key))
    elif value is None or isinstance(value, bool | Interval):
        yield path, value
    elif isinstance(value, str):
        yield path, NOT_FINITE.get(value, str(value))  # an enumeration's member becomes its text
    elif isinstance(value, int) and (problem := not_held(value)):
        yield (
            path,
            _Unusable(f"{problem}, which a check would compare in its place; record it as a text, or in a larger unit"),
        )
    elif isinstance(value, int | float):
        yield path, as_float(value)
    elif isinstance(value, Series):
        yield path, value
    elif isinstance(value, list | tuple):
        series = read_series(value)
        unfit = _Unusable(f"a list that is no series of numbers: {series}; correct the record")
        yield path, unfit if isinstance(series, str) else series
    elif isinstance(value, np.floating):
        yield path, float(value)
    elif isinstance(value, np.generic) and not isinstance(plain := value.item(), np.generic):
        yield from _walk(plain, path)
    else:
        what = f"no check compares a value of type {type(value).__name__}"
        yield path, _Unusable(f"{what}; record a number, a text, true or false, a list of numbers or a Series")


def _interval(value: Mapping[str, object], path: str) -> RecordValue:
    middle = value["value"]
    if middle is None or (isinstance(middle, str) and middle in NOT_FINITE):
        return None if middle is None else NOT_FINITE[middle]
    try:
        found = Interval.model_validate(value)
    except ValidationError as problem:
        fault = faults_of(problem, Interval)[0].told("it")
        raise InvalidInput(f"record, {path}: not a confidence interval: {fault}") from None
    if not found.low <= found.value <= found.high:
        raise InvalidInput(
            f"record, {path}: not a confidence interval: its value {found.value!r} lies outside {found.low!r} .. "
            f"{found.high!r}; correct the record"
        )
    return found
