"""The drawing of a soak: who draws it, and what its snapshot says of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from pydantic import Field

from seedbed.contracts import GateReport, Message
from seedbed.records.canonical import digest_bytes
from seedbed.soak._iteration_summary import IterationSummary
from seedbed.soak._readback import SoakReadback, iteration_summaries

__all__ = ["SealedDrawing", "SoakDrawing"]


class SealedDrawing(Message):
    """What a snapshot says of `KPIS.svg`: the digest of its bytes, and the name of the code that drew it."""

    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    renderer: str = Field(min_length=1)


@final
@dataclass(frozen=True, slots=True)
class SoakDrawing:
    """How a soak is drawn. The same input must give the same text.

    `renderer` names the code of `render`, and is another one whenever that code is: verification draws a soak again
    only when the same code drew it.
    """

    renderer: str
    render: Callable[[SoakReadback, Sequence[IterationSummary], GateReport], str]

    def draw(self, readback: SoakReadback, report: GateReport) -> tuple[bytes, SealedDrawing]:
        """The bytes of the file, and what the snapshot says of them."""
        data = self.render(readback, iteration_summaries(readback), report).encode()
        return data, SealedDrawing(digest=digest_bytes(data), renderer=self.renderer)
