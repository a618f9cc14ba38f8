"""Measures which parts of the model take a training step's time, with the profiler and scopes around the parts."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function

SCOPES = ("sampling", "projection", "attention", "mlp", "time", "optimizer")
_PARTS = {
    "time": ("encoder.time",),
    "projection": (".query", ".query_now", ".out"),
    "mlp": (".merge", ".merge_own", ".merge_seen", "source", "destination", "score"),
}
_BACKWARD = "autograd::engine::evaluate_function"
_PRODUCTS = frozenset({"aten::mm", "aten::addmm", "aten::bmm"})


def share_of_time(model: nn.Module, step: Callable[[int], object], numbers: range) -> tuple[dict[str, float], float]:
    """The share of each part of the steps' time, and the seconds a step spends in matrix products.

    `step` must wrap its own sampling and optimizer in `record_function` scopes of those names. An operator belongs to
    the scope that it runs in; attention and the products with the heads are recognized by name; a backward operator
    belongs to the part of its forward operator, found by the profiler's sequence numbers. The rest (gathers, dropout,
    norms, concatenation, the loss) is `other`.
    """
    with _scopes(model), profile(activities=[ProfilerActivity.CPU]) as recorded:
        for number in numbers:
            step(number)
    spent: Counter[str] = Counter()
    forward: dict[int, str] = {}
    products = 0.0
    for event in sorted(recorded.events(), key=lambda event: event.time_range.start):
        if event.cpu_parent is None:
            _assign(event, "other", forward, spent)
        products += event.self_cpu_time_total * (event.name in _PRODUCTS)
    total = sum(spent.values())
    shares = {name: spent[name] / total for name in (*SCOPES, "other")}
    return shares, products * 1e-6 / len(numbers)


def _assign(event: Any, inherited: str, forward: dict[int, str], spent: Counter[str]) -> None:
    """Add an operator's own time, and that of its children, to the part that it belongs to."""
    part = _part(event, inherited, forward)
    if event.sequence_nr >= 0 and not event.name.startswith(_BACKWARD):
        forward[event.sequence_nr] = part
    spent[part] += event.self_cpu_time_total
    for child in event.cpu_children:
        _assign(child, part, forward, spent)


def _part(event: Any, inherited: str, forward: dict[int, str]) -> str:
    if event.name.startswith(_BACKWARD):
        return forward.get(event.sequence_nr, inherited)
    if event.name in SCOPES:
        return str(event.name)
    if "flash_attention" in event.name:
        return "attention"
    return "projection" if event.name in {"aten::einsum", "aten::bmm"} else inherited


@contextmanager
def _scopes(model: nn.Module) -> Iterator[None]:
    """A context in which every listed part of the model runs forward in a profiler scope of its name."""
    handles: list[Any] = []
    for name, module in model.named_modules():
        part = next((part for part, ends in _PARTS.items() if name.endswith(ends)), None)
        if part:
            handles += _enter(module, part)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _enter(module: nn.Module, part: str) -> list[Any]:
    running: list[Any] = []

    def before(*_: object) -> None:
        running.append(record_function(part))
        running[-1].__enter__()

    def after(*_: object) -> None:
        running.pop().__exit__(None, None, None)

    return [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
