"""Acts on the reasons why a feature is missing: STRICT stops, COMPAT warns and goes on."""

import warnings
from collections.abc import Sequence

from seedbed.contracts import RuntimeMode
from seedbed.errors import ContractBroken

__all__ = ["RuntimeDegraded", "enforce"]

_NEXT = "Fix that and start again, or declare mode COMPAT to go on without it"


class RuntimeDegraded(UserWarning):
    """Warns that a COMPAT run goes on without a feature that it requested."""


def enforce(mode: RuntimeMode, reasons: Sequence[str], where: str) -> None:
    """Raise one ContractBroken for all `reasons` in STRICT, warn RuntimeDegraded for each in COMPAT.

    `where` says when they were found, as in "at step 3". With no reasons it does nothing.
    """
    if reasons and mode is RuntimeMode.STRICT:
        raise ContractBroken(f"Runtime contract broken {where}: {'. '.join(reasons)}. {_NEXT}.")
    for reason in reasons:
        warnings.warn(f"Runtime degraded {where}: {reason}.", RuntimeDegraded, stacklevel=2)
