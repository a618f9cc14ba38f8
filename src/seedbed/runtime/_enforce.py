"""What a mode does with a reason: STRICT stops, COMPAT warns and goes on."""

import warnings
from collections.abc import Sequence

from seedbed.contracts import RuntimeMode
from seedbed.errors import ContractBroken

__all__ = ["RuntimeDegraded", "enforce"]

_NEXT = "Mend that and start again, or declare mode COMPAT to go on without it"


class RuntimeDegraded(UserWarning):
    """A COMPAT run goes on without something that it asked for."""


def enforce(mode: RuntimeMode, reasons: Sequence[str], where: str) -> None:
    """Raise one ContractBroken for all `reasons` in STRICT, warn RuntimeDegraded for each in COMPAT.

    `where` says when they were found, as in "at step 3". Without a reason nothing happens.
    """
    if reasons and mode is RuntimeMode.STRICT:
        raise ContractBroken(f"Runtime contract broken {where}: {'. '.join(reasons)}. {_NEXT}.")
    for reason in reasons:
        warnings.warn(f"Runtime degraded {where}: {reason}.", RuntimeDegraded, stacklevel=2)
