"""Live settings, as several tests turn them."""

from collections.abc import Callable, Mapping

from seedbed.change import Binding, Use, UseReport


class Knob:
    """A live setting in memory, with the faults that a live object can have."""

    def __init__(self, value: float = 1e-2) -> None:
        self.value = value
        self.report: Callable[[UseReport], None] | None = None
        self.accepts: Callable[[float], float] = float
        self.restores = True

    def read(self) -> float:
        return self.value

    def write(self, value: float) -> None:
        self.value = self.accepts(value)

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        self.report = report

    def state(self) -> dict[str, float]:
        return {"value": self.value}

    def restore(self, state: Mapping[str, float]) -> None:
        if self.restores:
            self.value = state["value"]

    def step(self, used: float | None = None) -> None:
        found = self.value if used is None else used
        why = "" if found == self.value else "a rival set it"
        if self.report is not None:
            self.report(UseReport(1, self.value, found, Use.LOST if why else Use.USED, why))


class Reports(list[UseReport]):
    """What a watch reported. It keeps the binding, as an engine does: a dead binding's optimizer is no rival."""

    def __init__(self, binding: Binding) -> None:
        super().__init__()
        self.binding = binding


def turned(binding: Binding, value: float) -> Reports:
    """Set a binding to a value; what its watch reports from then on is added to the list."""
    seen = Reports(binding)
    binding.write(value)
    binding.watch(seen.append)
    return seen
