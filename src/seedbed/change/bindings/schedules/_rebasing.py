"""The numbers of a schedule that follows the same curve from another rate."""

from collections.abc import Sequence

from torch.optim.lr_scheduler import LRScheduler

from seedbed.change.bindings.schedules._schedulers import Slot
from seedbed.errors import InvalidInput

__all__ = ["above_floor", "scaled"]


def scaled(slots: Sequence[Slot], leading: float, value: float) -> list[float]:
    """Each slot's rate times value/leading; exactly `value` where it equals the leading rate, in spite of rounding."""
    if leading == 0 and (len(slots) > 1 or any(slot.get() != 0 for slot in slots)):
        raise InvalidInput(
            f"cannot scale a learning rate of 0 to {value:g}: it has no ratio to the other groups' or to its schedule; "
            "wait until the schedule raises it above 0"
        )
    return [value if slot.get() == leading else slot.get() * (value / leading) for slot in slots]


def above_floor(
    slots: Sequence[Slot], leading: float, value: float, scheduler: LRScheduler, floor: float
) -> list[float]:
    """Each slot's rate for the same schedule from another base, chosen so that the present rate becomes `value`.

    The rates of the schedule are floor + (base - floor) * curve. Schedules of a sequence that are not active now are
    scaled as the base is.
    """
    if leading <= floor or value <= floor:
        raise InvalidInput(
            f"cannot change one group's rate alone from {leading:g} to {value:g}: {type(scheduler).__name__} keeps all "
            f"groups above eta_min={floor:g}, one number for all; choose a rate above it, wait until the schedule is "
            "above it, or bind all groups together"
        )
    stretch = (value - floor) / (leading - floor)
    base = next(slot.get() for slot in slots if slot.scheduler is scheduler and ".base_lrs." in slot.name)
    scale = (floor + (base - floor) * stretch) / base
    return [
        value
        if slot.get() == leading
        else floor + (slot.get() - floor) * stretch
        if slot.scheduler is scheduler
        else slot.get() * scale
        for slot in slots
    ]
