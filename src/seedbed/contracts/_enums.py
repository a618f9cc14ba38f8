"""The closed sets of words every room shares. Append-only; a member serialises as its own upper-case name."""

from enum import StrEnum

__all__ = ["Feature", "Outcome", "RunStatus", "RuntimeMode", "Severity", "Stage", "Verdict"]


class RuntimeMode(StrEnum):
    """When a requested feature is not observed, STRICT stops the run; COMPAT goes on and says what it lost."""

    STRICT = "STRICT"
    COMPAT = "COMPAT"


class Feature(StrEnum):
    """An acceleration that a runtime contract may request."""

    SDPA = "SDPA"
    FLASH = "FLASH"
    AMP = "AMP"
    CDC = "CDC"


class Stage(StrEnum):
    """A stage of a pipeline whose finished result is one commit."""

    TARGET_RANKING = "TARGET_RANKING"
    FEATURE_SELECTION = "FEATURE_SELECTION"
    TRAINING = "TRAINING"


class RunStatus(StrEnum):
    """Where one execution stands.

    CRASHED is never written: it is how a RUNNING run is read whose process is gone, or cannot be seen and is silent.
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
    """How much what differs between two snapshots matters to whoever relies on the earlier one."""

    NONE = "NONE"
    MINOR = "MINOR"
    MAJOR = "MAJOR"
    CRITICAL = "CRITICAL"


class Verdict(StrEnum):
    """A gate's answer. Only PASS passes."""

    PASS = "PASS"  # noqa: S105  a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NO_DATA = "NO_DATA"
