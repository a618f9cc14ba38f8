"""What helps where a gate asks a soak for more samples: a longer soak has no more of them in its window."""

from seedbed.gate import Check

__all__ = ["remedy_of"]

_OF_WINDOW = ("window.", "control_window.")


def remedy_of(check: Check, *, num_iterations: int, window: int) -> str:
    """What gives more samples to a check on a window that is full, in place of a number; empty for any other.

    `window` is the number of iterations in a full one.
    """
    asked = [name for name in (check.metric, check.control) if name is not None]
    if num_iterations < window or not any(name.startswith(_OF_WINDOW) for name in asked):
        return ""
    full = f"a longer soak adds no samples to a window, which is the last {window} iterations of any soak"
    return f"{full}; ask the same of kpi and control, which hold all after the warm-up"
