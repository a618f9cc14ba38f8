"""Why two runs differ, as far as it can be known from what they wrote."""

from seedbed.loop.repro._compare import VALUE, Difference
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


def probable_cause(first: Trace, second: Trace, found: Difference) -> str:
    """The probable cause of a difference, and what would tell more."""
    for name, words in _SETTINGS.items():
        here, there = first.process.get(name), second.process.get(name)
        if here != there:
            return f"the processes were set differently: {words} was {here}, then {there}"
    drifted = _drifted(first, second, found.step)
    if drifted:
        step, names = drifted
        at_first = step == min(first.steps.keys() & second.steps.keys(), default=0)
        generators = " and ".join(names)
        if at_first:
            seeds = ", ".join(_SEEDS[name] for name in names)
            return (
                f"the generator of {generators} was in another state when step {step} began: it is not seeded ({seeds} "
                "before the model is made), or not restored in a resume"
            )
        return f"the generator of {generators} was in another state when step {step} began: more or fewer numbers drawn"
    if found.what == BATCH:
        return (
            "the global generators were in equal states: the data come from a generator of their own that has no seed, "
            "from workers, or from files that changed"
        )
    return _cause_of_computing(first, found)


def _cause_of_computing(first: Trace, found: Difference) -> str:
    inputs = "the batch and the states of the global generators were equal"
    if not any(name.startswith(f"{BATCH} ") for step in first.steps.values() for name in step.digests):
        inputs = "the states of the global generators were equal; the batches were not seen (use run.steps)"
    if found.what == VALUE:
        return f"{inputs}, and every tensor too: the value itself is another, as a time is; leave it out by --ignore"
    if first.process.get("deterministic"):
        return f"{inputs}: something was drawn from a generator without a seed, or the script keeps a state elsewhere"
    return (
        f"{inputs}: something was drawn from a generator without a seed, the script keeps a state elsewhere, or an "
        "operation is not deterministic (torch.use_deterministic_algorithms(True) names it)"
    )


def _drifted(first: Trace, second: Trace, until: int) -> tuple[int, list[str]] | None:
    """The first step up to `until` that began with other states of the generators, and which of them were used."""
    steps = [step for step in sorted(first.steps.keys() & second.steps.keys()) if step <= until]
    for step in steps:
        here, there = first.steps[step].generators, second.steps[step].generators
        names = [name for name in sorted(here.keys() & there.keys()) if here[name] != there[name]]
        # One that nothing draws from may be in any state, unless something was drawn before the first step.
        if used := [name for name in names if until == steps[0] or _moves(first, name, steps)]:
            return step, used
    return None


def _moves(trace: Trace, name: str, steps: list[int]) -> bool:
    return len({trace.steps[step].generators.get(name) for step in steps}) > 1
