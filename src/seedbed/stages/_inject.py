"""Faults that can be injected into a run, to see that they are caught; each one also happens in practice."""

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

__all__ = ["Fault", "Injection", "PowerCut", "append_half_record", "injected"]


class Fault(StrEnum):
    """A fault that can be injected.

    MATH_ATTENTION: fused attention is switched off after the machine was found able to run it. LR_OVERWRITE: an
    undeclared scheduler sets a changed rate back. TORN_LOG: the process dies while it appends to its logs.
    """

    MATH_ATTENTION = "math-attention"
    LR_OVERWRITE = "lr-overwrite"
    TORN_LOG = "torn-log"


@final
class PowerCut(Exception):
    """An injected crash of the process; the caller that asked for it resumes the run."""


@final
class Injection:
    """Injects one fault at the right moment, or none."""

    def __init__(self, fault: Fault | None) -> None:
        self._fault = fault
        self._undeclared: LambdaLR | None = None

    @property
    def happened(self) -> bool:
        """Whether the fault happened; true when no fault was asked for."""
        return self._fault is not Fault.LR_OVERWRITE or self._undeclared is not None

    def before_first_step(self) -> None:
        """Call this before the model is built."""
        if self._fault is Fault.MATH_ATTENTION:
            torch.backends.cuda.enable_flash_sdp(False)

    def after_step(self, optimizer: Optimizer, history: ChangeHistory) -> None:
        """Call this after every optimizer step."""
        if self._fault is not Fault.LR_OVERWRITE:
            return
        if self._undeclared is not None:
            self._undeclared.step()
        elif any(record.outcome is Outcome.EFFECTIVE for record in history.records):
            self._undeclared = LambdaLR(optimizer, lambda step: 1.0)  # noqa: ARG005  a constant schedule takes the step

    def after_checkpoint(self) -> None:
        """Call this after every durable checkpoint. Raises PowerCut at the first one if the fault is TORN_LOG."""
        if self._fault is Fault.TORN_LOG:
            raise PowerCut


@contextmanager
def injected(fault: Fault | None) -> Iterator[Injection]:
    """The injection of `fault`; the process's attention switch is restored afterwards."""
    flash = bool(torch._C._get_flash_sdp_enabled())  # as flash_sdp_enabled(), which has no types
    try:
        yield Injection(fault)
    finally:
        torch.backends.cuda.enable_flash_sdp(flash)


def append_half_record(path: Path) -> int:
    """Append half a record to the log at `path`, as a crashing process would; returns the number of bytes."""
    lines = path.read_bytes().splitlines(keepends=True)
    half = lines[-1][: len(lines[-1]) // 2]
    with path.open("ab") as log:
        log.write(half)
    return len(half)
