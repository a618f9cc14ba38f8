"""How much a diff matters to users of the earlier snapshot: the first rule of a table that applies decides."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from seedbed.contracts import Severity
from seedbed.records.compare._noise import BEYOND_NUMBERS, EXCEEDS, WITHIN

__all__ = ["PlainDiff", "with_severity"]

PlainDiff: TypeAlias = dict[str, Any]
"""A `Diff` in plain JSON types, as a commit holds it."""


@dataclass(frozen=True)
class _Rule:
    """A severity, and a function that gives its reason for a diff; the reason is empty when the rule does not apply."""

    severity: Severity
    reason: Callable[[PlainDiff], str]


def with_severity(found: PlainDiff, missing: str) -> PlainDiff:
    """`found` with its severity and the reason; `missing` says which metric is missing, and is empty if none is."""
    for rule in (_FIRST, _Rule(Severity.MAJOR, lambda _: missing), *_RULES):
        reason = rule.reason(found)
        if reason:
            return {**found, "severity": rule.severity.value, "severity_reason": reason}
    is_told = all(factor["previous"] != factor["current"] for factor in found["excluded_factors"])
    nothing = "nothing differs" if is_told else "nothing that is told differs"
    return {**found, "severity": Severity.NONE.value, "severity_reason": nothing}


def _not_comparable(found: PlainDiff) -> str:
    return "" if found["comparable"] else f"not comparable: {found['reasons'][0]}"


def _moved(found: PlainDiff) -> dict[str, Mapping[str, Any]]:
    """The metrics that moved; a difference too large for a number is null."""
    return {name: delta for name, delta in found["metric_deltas"].items() if delta["absolute"] != 0}


def _moved_beyond_noise(found: PlainDiff) -> str:
    for name, delta in _moved(found).items():
        if delta["noise"].startswith(EXCEEDS):
            return f"{name} moved by more than its seed explains"
        if delta["absolute"] is None and not delta["noise"].startswith(WITHIN):
            return f"{name} moved by {BEYOND_NUMBERS}"
    return ""


def _fingerprint_differs(found: PlainDiff) -> str:
    keys = [key.removeprefix("/fingerprints/") for key in found["changed_keys"] if key.startswith("/fingerprints/")]
    return f"the {keys[0]} differs" if keys else ""


def _moved_with_unknown_noise(found: PlainDiff) -> str:
    unknown = [(name, delta["noise"]) for name, delta in _moved(found).items() if delta["noise"].startswith("not")]
    return "{} moved; {}".format(*unknown[0]) if unknown else ""


def _within_noise(found: PlainDiff) -> str:
    moved = [(name, delta["noise"]) for name, delta in _moved(found).items()]
    return "{} moved, {}".format(*moved[0]) if moved else ""


def _anything_differs(found: PlainDiff) -> str:
    return f"{found['changed_keys'][0]} differs" if found["changed_keys"] else ""


_FIRST = _Rule(Severity.CRITICAL, _not_comparable)
_RULES = (
    _Rule(Severity.MAJOR, _moved_beyond_noise),
    _Rule(Severity.MAJOR, _fingerprint_differs),
    _Rule(Severity.MINOR, _moved_with_unknown_noise),
    _Rule(Severity.MINOR, _within_noise),
    _Rule(Severity.MINOR, _anything_differs),
)
