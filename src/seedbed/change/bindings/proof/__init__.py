"""Whether an optimizer's update is the one that the new value gives: a twin steps with it and with the former value."""

from seedbed.change.bindings.proof._finding import Match, UpdateFinding
from seedbed.change.bindings.proof._update_proof import proof_of

__all__ = ["Match", "UpdateFinding", "proof_of"]
