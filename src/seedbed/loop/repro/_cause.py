"""Why two runs differ, as far as it can be known from what they wrote."""

from seedbed.loop.repro._compare import VALUE, ReproDifference
from seedbed.loop.repro._parts import BATCH
from seedbed.loop.repro._trace import Trace

__all__ = ["probable_cause"]

_SETTINGS = {
    "threads": "torch's threads",
    "deterministic": "torch.use_deterministic_algorithms",
    "cudnn_benchmark": "torch.backends.cudnn.benchmark",
    "hash_seed": "PYTHONHASHSEED",
}
_SEEDS = {
    "python": "random.seed",
    "numpy": "numpy.random.seed",
    "torch": "torch.manual_seed",
    "cuda": "torch.cuda.manual_seed_all",
}
_NOT_KEPT = (
    "a state is not in the checkpoint: what the loop needs besides its model, optimizer and scheduler is given to "
    "run.checkpoint by name and taken back from run.restored; "
)


def probable_cause(first: Trace, second: Trace, found: ReproDifference) -> str:
    """The probable cause of a difference, and what would tell more."""
    for name, words in _SETTINGS.items():
        here, there = first.process.get(name), second.process.get(name)
        if here != there:
            return f"the processes were set differently: {words} was {here}, then {there}"
    steps = sorted(first.steps.keys() & second.steps.keys())
    for step in (each for each in steps if each <= found.step and found.what != VALUE):
        # One that nothing draws from may be in any state.
        if names := [name for name in _apart(first, second, step) if _moves(first, name)]:
            return _cause_of_drawing(names, step, is_first=step == steps[0])
    is_first = steps[:1] == [found.step] and first.begun_after == second.begun_after
    unused = _apart(first, second, found.step) if is_first else []
    hint = f"; nobody seeded {' and '.join(unused)}, in case the script drew from it earlier" if unused else ""
    return f"{_cause_elsewhere(first, second, found)}{hint if found.what != VALUE else ''}"


def _cause_of_drawing(names: list[str], step: int, *, is_first: bool) -> str:
    told = f"the generator of {' and '.join(names)} was in another state when step {step} began"
    if not is_first:
        return f"{told}: more or fewer numbers were drawn in the step before"
    seeds = ", ".join(_SEEDS[name] for name in names)
    return f"{told}: it is not seeded ({seeds} before the model is made), or not restored in a resume"


def _cause_elsewhere(first: Trace, second: Trace, found: ReproDifference) -> str:
    lost = _NOT_KEPT if second.begun_after > first.begun_after else ""
    if found.what == BATCH:
        return lost + (
            "the global generators were in equal states: the data come from a generator of their own that has no seed, "
            "from workers, or from files that changed"
        )
    inputs = "the batch and the states of the global generators were equal"
    if not any(name.startswith(f"{BATCH} ") for step in first.steps.values() for name in step.digests):
        inputs = "the states of the global generators were equal; the batches were not seen (use run.steps)"
    if found.what == VALUE:
        return (
            f"{lost}{inputs}, and every tensor too: the value itself is another, as a time is; leave it out by --ignore"
        )
    if lost:
        return f"{lost}{inputs}; or something was drawn from a generator without a seed"
    if first.process.get("deterministic"):
        return f"{inputs}: something was drawn from a generator without a seed, or the script keeps a state elsewhere"
    return (
        f"{inputs}: something was drawn from a generator without a seed, the script keeps a state elsewhere, or an "
        "operation is not deterministic (torch.use_deterministic_algorithms(True) names it)"
    )


def _apart(first: Trace, second: Trace, step: int) -> list[str]:
    """The generators whose states differ when this step begins."""
    here, there = first.steps[step].generators, second.steps[step].generators
    return [name for name in sorted(here.keys() & there.keys()) if here[name] != there[name]]


def _moves(trace: Trace, name: str) -> bool:
    """Whether anything was drawn from this generator during the steps."""
    return len({step.generators.get(name) for step in trace.steps.values()}) > 1
