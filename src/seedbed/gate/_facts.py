"""A record as a gate sees it: dotted names and their values."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from pydantic import ValidationError

from seedbed.contracts import Interval
from seedbed.errors import InvalidInput
from seedbed.gate._spec import GateSpec

__all__ = ["Fact", "facts_of", "lint"]

Fact = Interval | bool | float | str | None

_INTERVAL_FIELDS = frozenset(Interval.model_fields)


def facts_of(record: Mapping[str, object]) -> dict[str, Fact]:
    """Every value in the record by its dotted path. A mapping with exactly an interval's fields is one fact.

    Lists are no facts: no path leads into them. Raises InvalidInput for an interval that contradicts itself.
    """
    return dict(_walk(record, ""))


def lint(spec: GateSpec, names: Iterable[str]) -> None:
    """Raise InvalidInput naming every metric that is not among `names`, each with the nearest that are."""
    known = sorted(names)
    lines = [_unknown(check.metric, known) for check in spec.checks if check.metric not in known]
    if lines:
        raise InvalidInput("\n".join([f"gate {spec.gate!r}: {len(lines)} unknown metric(s)", *lines]))


def _unknown(metric: str, known: list[str]) -> str:
    last = metric.rpartition(".")[2]
    near = get_close_matches(metric, known, n=3) or [name for name in known if name.rpartition(".")[2] == last][:3]
    return f"  {metric}: " + (f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(known[:20])}")


def _walk(value: object, path: str) -> Iterable[tuple[str, Fact]]:
    if isinstance(value, Mapping):
        if value.keys() == _INTERVAL_FIELDS:
            yield path, _interval(value, path)
        else:
            for key, item in value.items():
                yield from _walk(item, f"{path}.{key}" if path else str(key))
    elif value is None or isinstance(value, bool):
        yield path, value
    elif isinstance(value, str):
        yield path, str(value)  # an enumeration's member becomes its text
    elif isinstance(value, int | float):
        yield path, float(value)


def _interval(value: Mapping[str, object], path: str) -> Fact:
    if value["value"] is None:
        return None
    try:
        return Interval.model_validate(value)
    except ValidationError as problem:
        raise InvalidInput(f"record, {path}: not a confidence interval: {problem.errors()[0]['msg']}") from None
