"""The changes of one run, as its record keeps them."""

from collections import Counter
from typing import Self

from pydantic import Field, JsonValue, SerializerFunctionWrapHandler, model_serializer, model_validator

from seedbed.contracts._enums import Outcome
from seedbed.contracts._message import Message

__all__ = ["ChangeReport", "ChangeSummary"]


class ChangeReport(Message):
    """One requested change, its outcome, and its story in plain sentences, oldest first."""

    id: int = Field(ge=1)
    step: int = Field(ge=0)
    parameter: str
    unit: str
    before: float
    wanted: float
    after: float
    reason: str
    proposer: str
    outcome: Outcome
    guard: str | None
    story: tuple[str, ...]


class ChangeSummary(Message):
    """All requested changes of one run. The six outcomes are disjoint and add up to `requested`.

    `superseded` counts changes of work that was lost and repeated after a resume; no other count includes them.
    `proposers` are the settings of those that were registered before the first change, by the name that changes carry;
    without any, the key is left out, as in the artifacts of soaks, which are compared byte for byte.
    """

    requested: int = Field(ge=0)
    effective: int = Field(ge=0)
    clamped: int = Field(ge=0)
    blocked: int = Field(ge=0)
    no_op: int = Field(ge=0)
    failed: int = Field(ge=0)
    unknown: int = Field(ge=0)
    superseded: int = Field(ge=0)
    proposers: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)
    changes: tuple[ChangeReport, ...]

    @model_serializer(mode="wrap")
    def _without_empty_proposers(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        found: dict[str, object] = dump(self)
        if not self.proposers:
            found.pop("proposers", None)
        return found

    @model_validator(mode="after")
    def _counts_are_those_of_the_changes(self) -> Self:
        counted = Counter(change.outcome for change in self.changes)
        for outcome in Outcome:
            stated = getattr(self, outcome.value.lower())
            if stated != counted[outcome]:
                raise ValueError(f"{outcome.value.lower()} is {stated}, but {counted[outcome]} changes ended so")
        if self.requested != len(self.changes):
            raise ValueError(f"requested is {self.requested}, but {len(self.changes)} changes are listed")
        return self
