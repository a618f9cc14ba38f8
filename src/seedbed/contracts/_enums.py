"""The closed sets of words that all rooms share. Append-only; a member is stored as its upper-case name."""

from enum import StrEnum

__all__ = ["Feature", "Outcome", "RunStatus", "RuntimeMode", "Severity", "Stage", "Verdict"]


class RuntimeMode(StrEnum):
    """What a run does when a requested feature is not observed: STRICT stops, COMPAT continues and reports it."""

    STRICT = "STRICT"
    COMPAT = "COMPAT"


class Feature(StrEnum):
    """An acceleration that a runtime contract may request."""

    SDPA = "SDPA"
    FLASH = "FLASH"
    AMP = "AMP"
    CDC = "CDC"


class Stage(StrEnum):
    """A stage of a pipeline; its finished result is one commit."""

    TARGET_RANKING = "TARGET_RANKING"
    FEATURE_SELECTION = "FEATURE_SELECTION"
    TRAINING = "TRAINING"


class RunStatus(StrEnum):
    """The status of one run.

    CRASHED is never stored: a RUNNING run is read as CRASHED when its process is gone, or is not visible and silent.
    """

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    INTERRUPTED = "INTERRUPTED"
    FAILED = "FAILED"
    CRASHED = "CRASHED"


class Outcome(StrEnum):
    """How a proposed change ended. Disjoint: requested = EFFECTIVE + CLAMPED + BLOCKED + NO_OP + FAILED + UNKNOWN."""

    EFFECTIVE = "EFFECTIVE"
    CLAMPED = "CLAMPED"
    BLOCKED = "BLOCKED"
    NO_OP = "NO_OP"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


class Severity(StrEnum):
    """How serious the differences between two snapshots are for the users of the earlier one."""

    NONE = "NONE"
    MINOR = "MINOR"
    MAJOR = "MAJOR"
    CRITICAL = "CRITICAL"


class Verdict(StrEnum):
    """The answer of a gate. Only PASS passes."""

    PASS = "PASS"  # noqa: S105  a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NO_DATA = "NO_DATA"
