"""An answer to a request, as its file says it; the last one is final, and there is exactly one of those."""

from enum import StrEnum
from typing import TYPE_CHECKING, Self

from pydantic import AwareDatetime, Field, ValidationError

from seedbed.contracts import Message
from seedbed.errors import StoreCorrupt
from seedbed.records import canonical_json, redact_text

if TYPE_CHECKING:
    from seedbed.change import ChangeRecord

__all__ = ["AnswerState", "RequestAnswer", "in_words"]

_LONGEST_TOLD = 2_000


class AnswerState(StrEnum):
    """What became of a request. Append-only.

    APPLIED: written and read back; the next step shows whether it is used. EFFECTIVE, CLAMPED, BLOCKED, NO_OP, FAILED
    and UNKNOWN are the outcomes of changes, and of a command that nobody can say more of. SUPERSEDED: the steps that
    had the change were lost in a resume, and it is carried out again. REFUSED: nothing was tried. DONE: of a command.
    """

    APPLIED = "APPLIED"
    EFFECTIVE = "EFFECTIVE"
    CLAMPED = "CLAMPED"
    BLOCKED = "BLOCKED"
    NO_OP = "NO_OP"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    SUPERSEDED = "SUPERSEDED"
    REFUSED = "REFUSED"
    EXPIRED = "EXPIRED"
    WITHDRAWN = "WITHDRAWN"
    DONE = "DONE"


class RequestAnswer(Message):
    """What `attempt` of the run says of `request`, after `step` optimizer steps.

    `change` is the number of the change in the run's history, `before` and `after` its values; None where it made none.
    With `is_withdrawn`, no resume that loses the change carries the request out again.
    """

    schema_version: int = 1
    request: int = Field(ge=1)
    state: AnswerState
    is_final: bool
    told: str
    attempt: int
    step: int
    change: int | None = None
    before: float | None = None
    after: float | None = None
    is_withdrawn: bool = False
    at: AwareDatetime

    @property
    def is_good(self) -> bool:
        """Whether what was asked for was seen to be in use, or was done."""
        return self.state in {AnswerState.EFFECTIVE, AnswerState.CLAMPED, AnswerState.DONE}

    @property
    def is_settled(self) -> bool:
        """Whether who waits has waited enough: it is final, or the change is in use.

        A change in use is final with the run's commit: until then a resume from an earlier checkpoint may lose it.
        """
        return self.is_final or self.is_good

    def about(self, record: "ChangeRecord | None") -> Self:
        """The answer with the number and the values of the change; as it is where there is none."""
        if record is None:
            return self
        return self.model_copy(update={"change": record.id, "before": record.before, "after": record.after})

    def encoded(self) -> bytes:
        """The bytes of its file."""
        return canonical_json(self.model_dump(mode="json"))

    @classmethod
    def parsed(cls, data: bytes, key: str) -> Self:
        """The answer in the file `key`. Raises StoreCorrupt."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as problem:
            raise StoreCorrupt(f"{key} is no answer: {problem.errors()[0]['msg']}; it was changed or torn") from None


def in_words(text: str) -> str:
    """A text as a run says it to those who ask: without secrets, and cut where it is too long."""
    return redact_text(text)[:_LONGEST_TOLD]
