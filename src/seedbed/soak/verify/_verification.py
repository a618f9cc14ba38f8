"""What verification of a soak finds: accusations, each with the place that it is about."""

from dataclasses import dataclass
from enum import StrEnum

from seedbed.soak._tally import SoakTally

__all__ = ["Accusation", "Flaw", "SoakVerification"]

STRICT_RATIO, PLAIN_RATIO = 0.95, 0.90


class Flaw(StrEnum):
    """What may be wrong with a soak's files.

    PLAN: what was asked for. LOG: a log's bytes, records or order. EVIDENCE: the plant's log in itself. STATE: the
    settings that a change began or ended with. PROPOSAL and GUARD: what was proposed, and how it was judged. OUTCOME:
    what became of it. SUMMARY, SETTINGS and REPORT: those files. REPETITION: measured again, something else came.
    ANCHOR: the digest that was kept elsewhere is another.
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
    REPETITION = "repetition"
    ANCHOR = "anchor"


@dataclass(frozen=True, slots=True)
class Accusation:
    """One flaw: the file and the place in it, and what was expected against what was found, in plain words."""

    flaw: Flaw
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class SoakVerification:
    """What verification found. `repeated` says whether the plant was measured again; `tally` is None without logs."""

    soak_id: str
    accusations: tuple[Accusation, ...]
    tally: SoakTally | None
    repeated: bool
    strict: bool

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.accusations

    @property
    def threshold(self) -> float:
        """The least share of proposals that must have been seen in use whole."""
        return STRICT_RATIO if self.strict else PLAIN_RATIO

    @property
    def passes(self) -> bool:
        """Whether it is clean and enough of what was let through was seen in use; nothing let through is enough."""
        ratio = None if self.tally is None else self.tally.ratio
        return self.clean and (ratio is None or ratio >= self.threshold)
