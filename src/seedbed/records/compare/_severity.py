"""How much a diff matters to users of the earlier snapshot: the first rule of a table that applies decides."""

from collections.abc import Callable
from dataclasses import dataclass

from seedbed.contracts import Severity
from seedbed.records.compare._noise import EXCEEDS
from seedbed.records.snapshot._snapshot import Diff

__all__ = ["with_severity"]


@dataclass(frozen=True)
class _Rule:
    """A severity, and a function that gives its reason for a diff; the reason is empty when the rule does not apply."""

    severity: Severity
    reason: Callable[[Diff], str]


def with_severity(found: Diff) -> Diff:
    """`found` with its severity and the reason."""
    for rule in _RULES:
        reason = rule.reason(found)
        if reason:
            return found.model_copy(update={"severity": rule.severity, "severity_reason": reason})
    return found.model_copy(update={"severity": Severity.NONE, "severity_reason": "nothing differs"})


def _not_comparable(found: Diff) -> str:
    return "" if found.comparable else f"not comparable: {found.reasons[0]}"


def _metric_missing(found: Diff) -> str:
    removed = [change["path"] for change in found.patch if change["op"] == "remove"]
    metrics = [str(path).removeprefix("/metrics") for path in removed if str(path).startswith("/metrics/")]
    return f"the metric {metrics[0]} is no longer recorded" if metrics else ""


def _moved_beyond_noise(found: Diff) -> str:
    moved = [name for name, delta in found.metric_deltas.items() if delta.absolute and delta.noise.startswith(EXCEEDS)]
    return f"{moved[0]} moved by more than its seed explains" if moved else ""


def _fingerprint_differs(found: Diff) -> str:
    keys = [key.removeprefix("/fingerprints/") for key in found.changed_keys if key.startswith("/fingerprints/")]
    return f"the {keys[0]} differs" if keys else ""


def _moved_with_unknown_noise(found: Diff) -> str:
    moved = [name for name, delta in found.metric_deltas.items() if delta.absolute and delta.z is None]
    unknown = [name for name in moved if found.metric_deltas[name].noise.startswith("not")]
    return f"{unknown[0]} moved; {found.metric_deltas[unknown[0]].noise}" if unknown else ""


def _within_noise(found: Diff) -> str:
    moved = [name for name, delta in found.metric_deltas.items() if delta.absolute]
    return f"{moved[0]} moved, {found.metric_deltas[moved[0]].noise}" if moved else ""


def _anything_differs(found: Diff) -> str:
    return f"{found.changed_keys[0]} differs" if found.changed_keys else ""


_RULES = (
    _Rule(Severity.CRITICAL, _not_comparable),
    _Rule(Severity.MAJOR, _metric_missing),
    _Rule(Severity.MAJOR, _moved_beyond_noise),
    _Rule(Severity.MAJOR, _fingerprint_differs),
    _Rule(Severity.MINOR, _moved_with_unknown_noise),
    _Rule(Severity.MINOR, _within_noise),
    _Rule(Severity.MINOR, _anything_differs),
)
