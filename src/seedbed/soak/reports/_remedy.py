"""What helps where a gate asks a soak for more samples: a longer soak has no more of them in its window."""

import re

from seedbed.contracts import CheckReport, Verdict

__all__ = ["with_remedy"]

_OF_WINDOW = re.compile(r"(?<![\w.])(?:control_)?window\.")


def with_remedy(check: CheckReport, *, num_iterations: int, window: int) -> CheckReport:
    """The report of a check that asks for more samples of a window that is full, with what would give them.

    `window` is the number of iterations in a full one. Any other report is returned as it is.
    """
    asks = check.verdict is Verdict.INCONCLUSIVE and "collect" in check.reason
    if not asks or num_iterations < window or not _OF_WINDOW.search(check.metric):
        return check
    full = f"a longer soak adds none to a window, which is the last {window} iterations of any soak"
    remedy = f"{full}; ask the same of kpi and control, which hold all after the warm-up"
    return check.model_copy(update={"reason": f"{check.reason}; {remedy}"})
