"""What a mode does with a reason: STRICT stops, COMPAT warns and goes on."""

import warnings

from seedbed.contracts import RuntimeMode
from seedbed.errors import ContractBroken

__all__ = ["RuntimeDegraded", "enforce"]

_NEXT = "Mend that and start again, or declare mode COMPAT to go on without it"


class RuntimeDegraded(UserWarning):
    """A COMPAT run goes on without something that it asked for."""


def enforce(mode: RuntimeMode, reason: str, where: str) -> None:
    """Raise ContractBroken in STRICT, warn RuntimeDegraded in COMPAT. `where` as in "at step 3"."""
    if mode is RuntimeMode.STRICT:
        raise ContractBroken(f"Runtime contract broken {where}: {reason}. {_NEXT}.")
    warnings.warn(f"Runtime degraded {where}: {reason}.", RuntimeDegraded, stacklevel=2)
