"""Two loops measured step by step in one process, and what one of them costs more.

The steps alternate, and which of two goes first is drawn by a seeded generator, so that what the machine does besides
(another clock rate, another program, full caches) meets both alike and cancels in each difference. A difference is of
two steps that lie next to each other. The interval of the median is of order statistics: it assumes nothing about how
the differences are distributed. The mean is there for rare work, such as a write once a second, which no median shows;
what the machine does rarely is in it too.
"""

import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

import torch
from torch.nn.modules import module
from torch.optim import optimizer

__all__ = ["Extra", "Interval", "extra_of", "paired_steps"]

Step = Callable[[], object]
_SEED = 20_260_713
_WIDTH = 1.96  # standard deviations of a 95 % interval


@final
@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@final
@dataclass(frozen=True)
class Extra:
    """What a step costs more than a bare one, in CPU microseconds; `share` is of the median bare step, `step_us`."""

    step_us: float
    extra_us: Interval
    share: Interval
    mean_us: Interval
    pairs: int

    def told(self) -> str:
        """In one line."""
        us, share, mean = self.extra_us, self.share, self.mean_us
        return (
            f"on a step of {self.step_us:.0f} µs {us.value:+.1f} µs ({us.low:+.1f} to {us.high:+.1f}), "
            f"{share.value:+.2%} ({share.low:+.2%} to {share.high:+.2%}); mean {mean.value:+.1f} µs "
            f"({mean.low:+.1f} to {mean.high:+.1f}); {self.pairs} pairs"
        )

    def figures(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def paired_steps(bare: Step, ours: Step, pairs: int, *, are_bare: bool = False) -> list[tuple[float, float]]:
    """CPU microseconds of a step of both, as many times as there are pairs; the order in a pair is drawn.

    `are_bare` says that both are: an earlier run of the process has left its hook, which the second one must not call.
    """
    draw, found = random.Random(_SEED), []
    for _ in range(pairs):
        if draw.random() < 0.5:
            first = _spent(bare, is_alone=True)
            found.append((first, _spent(ours, is_alone=are_bare)))
        else:
            first = _spent(ours, is_alone=are_bare)
            found.append((_spent(bare, is_alone=True), first))
    return found


def extra_of(pairs: Sequence[tuple[float, float]]) -> Extra:
    """What the second of each pair costs more."""
    step = statistics.median(bare for bare, _ in pairs)
    differences = [ours - bare for bare, ours in pairs]
    median, mean = _median(differences), _mean(differences)
    share = Interval(*(each / step for each in (median.value, median.low, median.high)))
    return Extra(step, median, share, mean, len(pairs))


def _spent(step: Step, *, is_alone: bool) -> float:
    """CPU microseconds of a step; one that `is_alone` finds nothing that is set for the whole process.

    Both kinds do the same before, so that neither finds other caches. Ends the program where something is set that
    cannot be taken away.
    """
    before, after = optimizer._global_optimizer_pre_hooks, optimizer._global_optimizer_post_hooks
    kept = dict(before), dict(after)
    before.clear()
    after.clear()
    names = [name for name, is_set in _set_for_all() if is_set]
    if is_alone and names:
        sys.exit(f"the bare loop does not run alone: {', '.join(names)} is set")
    if not is_alone:
        before.update(kept[0])
        after.update(kept[1])
    begun = time.process_time_ns()
    step()
    spent = (time.process_time_ns() - begun) / 1000
    before.update(kept[0])
    after.update(kept[1])
    return spent


def _set_for_all() -> Iterator[tuple[str, object]]:
    """What would change the steps of every loop of the process."""
    yield "hooks of all modules", module._global_forward_hooks or module._global_forward_pre_hooks
    yield "backward hooks of all modules", module._global_backward_hooks or module._global_backward_pre_hooks
    yield "a function mode", torch._C._len_torch_function_stack()
    yield "a dispatch mode", torch._C._len_torch_dispatch_stack()
    yield "a profiler of Python", sys.getprofile() or sys.gettrace()
    yield "a profiler of torch", torch.autograd._profiler_enabled()


def _median(values: Sequence[float]) -> Interval:
    """The median, between the order statistics that enclose the true one 95 times of 100."""
    ordered, num = sorted(values), len(values)
    away = _WIDTH * math.sqrt(num) / 2
    low, high = max(0, math.floor(num / 2 - away)), min(num - 1, math.ceil(num / 2 + away))
    return Interval(statistics.median(ordered), ordered[low], ordered[high])


def _mean(values: Sequence[float]) -> Interval:
    mean = statistics.fmean(values)
    away = _WIDTH * statistics.stdev(values) / math.sqrt(len(values))
    return Interval(mean, mean - away, mean + away)
