"""The fingerprint of data, as it is told: a digest or UNKNOWN, and the words for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from seedbed.records import UNKNOWN, Json

__all__ = ["NO_DATA", "DataFingerprint"]


@dataclass(frozen=True)
class DataFingerprint:
    """The digest of data or UNKNOWN, what it was computed from or why it is unknown, and facts such as shapes."""

    digest: str
    source: str
    facts: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))


NO_DATA = DataFingerprint(UNKNOWN, "nobody said which data this run used")
