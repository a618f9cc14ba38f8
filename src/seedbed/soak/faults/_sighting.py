"""Whether a fault that was asked for can come about, and whether it did, as the plant's own log shows it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from seedbed.errors import InvalidInput
from seedbed.soak._evidence import DeliveryRecord, EvidenceRecord, MeasurementRecord
from seedbed.soak._profile import SoakProfile
from seedbed.soak.faults._faults import SoakFault

__all__ = ["FaultReport", "refuse_impossible", "report_on"]

_ALTERS_DELIVERY = frozenset({SoakFault.CLAMPED, SoakFault.ROUNDED, SoakFault.DUPLICATED, SoakFault.STALE})


@dataclass(frozen=True, slots=True)
class FaultReport:
    """What the log shows of a fault: the first iteration that shows it (None without any), and in words what it shows.

    A fault of the delivery is shown by a plant that says it holds other values than it was handed; every other fault by
    one that ran with other values than it said it held.
    """

    seen_at: int | None
    what: str


def report_on(fault: SoakFault, first: int, evidence: Sequence[EvidenceRecord]) -> FaultReport:
    """What the log shows of a fault that was due from iteration `first` on."""
    due = f"the fault {fault.value}, due from iteration {first} on,"
    deliveries = list(_deliveries(first, evidence))
    seen = [at for at, each in deliveries if each.held != each.delivered]
    if fault not in _ALTERS_DELIVERY:
        seen = list(_otherwise_used(first, evidence))
    if seen:
        return FaultReport(seen[0], f"{due} was seen at iteration {seen[0]}")
    if not deliveries:
        return FaultReport(None, f"{due} never came about: no settings were delivered after that")
    every = f"after that, settings were delivered {len(deliveries)} times"
    return FaultReport(None, f"{due} never came about: {every}, and were held and used as they were delivered")


def refuse_impossible(fault: SoakFault, first: int, profile: SoakProfile, length: int, *, tunes: bool) -> None:
    """Raise InvalidInput, with what is possible, for a fault that no soak like this can suffer from `first` on.

    Settings are delivered only after the iterations that tune. `length` is the planned number of iterations, and
    `tunes` says whether there is a tuner.
    """
    what = f"the fault {fault.value}, due from iteration {first} on, cannot come about"
    earliest, latest = profile.warm_up + 1, length - profile.ramp_down
    if not tunes or earliest > latest:
        why = f"none of {length} iterations tunes" if tunes else "without a tuner, no settings are delivered"
        raise InvalidInput(f"{what}: {why}; run it with a tuner (--auto-tune) and more than {earliest + 1} iterations")
    lowest, highest = _possible(fault, earliest, latest, length)
    if not lowest <= first <= highest:
        why = f"settings are delivered after iterations {earliest} to {latest} of {length}"
        raise InvalidInput(f"{what}: {why}; choose fault_from (--inject-at) from {lowest} to {highest}")


def _possible(fault: SoakFault, earliest: int, latest: int, length: int) -> tuple[int, int]:
    """The first and the last iteration from which on a fault may be due and still come about."""
    match fault:
        case SoakFault.RESTART:  # one iteration later, the plant must hold something else than its first values
            return earliest, length - 1
        case SoakFault.REVERTED:  # two iterations after a delivery, which must still be measured
            return 1, min(latest, length - 2)
        case _:
            return 1, latest


def _deliveries(first: int, evidence: Sequence[EvidenceRecord]) -> Iterator[tuple[int, DeliveryRecord]]:
    """The deliveries after iteration `first` or a later one, each with the iteration before it."""
    iteration = 0
    for record in evidence:
        if isinstance(record, MeasurementRecord):
            iteration = record.iteration
        elif isinstance(record, DeliveryRecord) and iteration >= first:
            yield iteration, record


def _otherwise_used(first: int, evidence: Sequence[EvidenceRecord]) -> Iterator[int]:
    held: Mapping[str, float] = {}
    for record in evidence:
        if isinstance(record, DeliveryRecord):
            held = record.held
        elif isinstance(record, MeasurementRecord) and record.iteration > first:
            used = record.plant.used
            if any(used[key] != value for key, value in held.items() if key in used):
                yield record.iteration
