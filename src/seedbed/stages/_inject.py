"""Faults that a run can be asked to suffer, to see that they are caught: each is what really happens to people."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import final

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from seedbed.change import ChangeHistory
from seedbed.contracts import Outcome

__all__ = ["Fault", "Injection", "PowerCut", "injected", "tear"]


class Fault(StrEnum):
    """What goes wrong.

    MATH_ATTENTION: fused attention is switched off after the machine was found able to run it. LR_OVERWRITE: a
    scheduler that nobody declared takes a changed rate back. TORN_LOG: the process dies while it appends to its logs.
    """

    MATH_ATTENTION = "math-attention"
    LR_OVERWRITE = "lr-overwrite"
    TORN_LOG = "torn-log"


@final
class PowerCut(Exception):
    """The injected death of a process; whoever asked for it resumes the run."""


@final
class Injection:
    """Brings one fault about, or none, at its moment."""

    def __init__(self, fault: Fault | None) -> None:
        self._fault = fault
        self._rogue: LambdaLR | None = None

    @property
    def happened(self) -> bool:
        """Whether the fault came about; true when none was asked for."""
        return self._fault is not Fault.LR_OVERWRITE or self._rogue is not None

    def before_first_step(self) -> None:
        """Before the model is built."""
        if self._fault is Fault.MATH_ATTENTION:
            torch.backends.cuda.enable_flash_sdp(False)

    def after_step(self, optimizer: Optimizer, history: ChangeHistory) -> None:
        """After every optimizer step."""
        if self._fault is not Fault.LR_OVERWRITE:
            return
        if self._rogue is not None:
            self._rogue.step()
        elif any(record.outcome is Outcome.EFFECTIVE for record in history.records):
            self._rogue = LambdaLR(optimizer, lambda step: 1.0)  # noqa: ARG005  a constant schedule takes the step

    def after_checkpoint(self) -> None:
        """After every durable checkpoint. Raises PowerCut at the first when the log is to be torn."""
        if self._fault is Fault.TORN_LOG:
            raise PowerCut


@contextmanager
def injected(fault: Fault | None) -> Iterator[Injection]:
    """The injection of `fault`; the process's switches are put back afterwards."""
    flash = bool(torch._C._get_flash_sdp_enabled())  # as flash_sdp_enabled(), which has no types
    try:
        yield Injection(fault)
    finally:
        torch.backends.cuda.enable_flash_sdp(flash)


def tear(path: Path) -> int:
    """Append half a record to the log at `path`, as a dying process would; how many bytes that is."""
    lines = path.read_bytes().splitlines(keepends=True)
    half = lines[-1][: len(lines[-1]) // 2]
    with path.open("ab") as log:
        log.write(half)
    return len(half)
