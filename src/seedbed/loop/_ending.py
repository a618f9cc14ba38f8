"""How a loop ended, by what left its block."""

from seedbed.contracts import RunStatus
from seedbed.loop._stop import StopRequested, Terminated

__all__ = ["NO_RESULT", "ending_of"]

NO_RESULT = "left without a result: call run.result(name=value) before the run ends"


def ending_of(problem: BaseException | None) -> tuple[RunStatus, str] | None:
    """The status and reason of a run that `problem` ended; None where it finishes.

    `break`, `return` and sys.exit(0) finish it. Another SystemExit and Ctrl-C interrupt it; an error fails it.
    """
    if problem is None or (isinstance(problem, SystemExit) and problem.code in (None, 0)):
        return None
    if isinstance(problem, StopRequested | Terminated):
        return RunStatus.INTERRUPTED, f"stopped by {problem}"
    name = type(problem).__name__
    if isinstance(problem, Exception):
        return RunStatus.FAILED, f"{name}: {problem}"
    return RunStatus.INTERRUPTED, f"{name}: {problem}" if isinstance(problem, SystemExit) else name
