"""The result of a soak's verification: a list of accusations, each with its place."""

from dataclasses import dataclass
from enum import StrEnum

from seedbed.soak._tally import SoakTally

__all__ = ["Accusation", "Flaw", "Remark", "SoakVerification"]

STRICT_RATIO, PLAIN_RATIO = 0.95, 0.90


class Flaw(StrEnum):
    """The kind of a flaw in a soak's files.

    PLAN: the plan. LOG: the bytes, records or order of a log. EVIDENCE: the plant's log. STATE: the settings before or
    after a change. PROPOSAL and GUARD: a proposal and the guards' result. OUTCOME: how a change ended. SUMMARY,
    SETTINGS, REPORT and LOCK: these files. REPETITION: measuring again gave another result. ANCHOR: the digest kept
    elsewhere differs.
    """

    PLAN = "plan"
    LOG = "log"
    EVIDENCE = "evidence"
    STATE = "state"
    PROPOSAL = "proposal"
    GUARD = "guard"
    OUTCOME = "outcome"
    SUMMARY = "summary"
    SETTINGS = "settings"
    REPORT = "report"
    LOCK = "lock"
    REPETITION = "repetition"
    ANCHOR = "anchor"


@dataclass(frozen=True, slots=True)
class Accusation:
    """One flaw: the file and the place in it, and in words what was found and what was expected."""

    flaw: Flaw
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Remark:
    """What the reader must know of a file although nothing in it is wrong, such as that nothing binds it."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class SoakVerification:
    """The result. `repeated` says whether the plant was measured again; `tally` is None when a log cannot be read.

    `remarks` are no accusations: a soak with some may be clean.
    """

    soak_id: str
    accusations: tuple[Accusation, ...]
    tally: SoakTally | None
    repeated: bool
    strict: bool
    remarks: tuple[Remark, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether there is no accusation."""
        return not self.accusations

    @property
    def threshold(self) -> float:
        """The least full-apply ratio that passes."""
        return STRICT_RATIO if self.strict else PLAIN_RATIO

    @property
    def passes(self) -> bool:
        """Whether it is clean and the full-apply ratio reaches the threshold, or no proposal was let through."""
        ratio = None if self.tally is None else self.tally.ratio
        return self.clean and (ratio is None or ratio >= self.threshold)
