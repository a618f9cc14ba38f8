"""The process that writes a log or a run. A child that it forks has the same objects, and must not write with them."""

import os

from seedbed.errors import Conflict

__all__ = ["Owner"]


class Owner:
    """The process in which this object was made."""

    _this_pid = os.getpid()  # asked once, and again after a fork: a log compares it for every point

    def __init__(self) -> None:
        self.pid = Owner._this_pid

    @property
    def is_here(self) -> bool:
        """Whether this is that process, and not a child that it forked."""
        return self.pid == Owner._this_pid

    @classmethod
    def _forked(cls) -> None:
        cls._this_pid = os.getpid()

    def require_here(self, what: str) -> None:
        """Raise Conflict in a forked child: two processes cannot write `what`."""
        if not self.is_here:
            raise Conflict(
                f"process {os.getpid()} was forked from process {self.pid}, to which {what} belongs, and only that one "
                "may write it; give it what is to be recorded, or start a run of its own here"
            )


os.register_at_fork(after_in_child=Owner._forked)
