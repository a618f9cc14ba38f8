"""The typed messages that every room shares."""

from seedbed.contracts._enums import Feature, Outcome, RunStatus, RuntimeMode, Stage, Verdict
from seedbed.contracts._message import Message

__all__ = ["Feature", "Message", "Outcome", "RunStatus", "RuntimeMode", "Stage", "Verdict"]
