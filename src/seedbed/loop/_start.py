"""The door: a run around any PyTorch loop."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim import Optimizer

from seedbed.loop._attempt import Attempt
from seedbed.loop._declared import Declared, GateGiven, RuntimeGiven, config_of, gate_of, runtime_of
from seedbed.loop._mirror import Mirror, mirrors_of
from seedbed.loop._objects import Given, device_of, objects_of
from seedbed.loop._open_runs import left_open, note_opened, open_run
from seedbed.loop._run import Run
from seedbed.loop._shown import say
from seedbed.loop.live._signals import ENDING_SIGNALS
from seedbed.loop.provenance import Collecting
from seedbed.loop.ranks._ranks import Ranks
from seedbed.loop.repro._plan import Plan
from seedbed.records import Store
from seedbed.records.canonical._names import require_name
from seedbed.render import show_in_notebook
from seedbed.runtime import declare

__all__ = ["current_run", "start"]

SettingsGiven = Mapping[str, Mapping[str, float]]


def start(
    model: Given[nn.Module] = None,
    optimizer: Given[Optimizer] = None,
    scheduler: Given[Any] = None,
    *,
    project: str,
    run: str | None = None,
    store: Store | Path | str | None = None,
    config: Mapping[str, object] | None = None,
    data: object = None,
    gate: GateGiven = (),
    runtime: RuntimeGiven = "COMPAT",
    settings: SettingsGiven | None = None,
    steer: bool = True,
    mirror: Mirror | Sequence[Mirror] = (),
    patch: bool = False,
    quiet: bool = False,
    exit: bool = False,  # noqa: A002  the word that a user looks for
) -> Run:
    """Start a run around a loop of your own; use it as a `with` block, or call `finish` at its end.

    `model`, `optimizer` and `scheduler` are one object each, or several by name, as in a GAN; the steps of the first
    optimizer are counted. `project` groups the runs that are compared with each other, and `run` names this one; the
    name of a run that has not finished makes this its next attempt. `store` is where it is recorded, by default as
    `Store.open` finds it. `config` is what the run was configured with, such as vars(args). `data` says which data it
    saw. `gate` adds checks to those that every run is judged by: that its contract was kept and that no change failed.
    `runtime` is a mode, COMPAT or STRICT, or the settings of `resolve_config`; SEEDBED_RUNTIME_MODE in the environment
    overrules the mode. `settings` overrides bounds and pace of settings that are found, by name. `steer=False` refuses
    requests from outside. `mirror` is another tracker, or several, that is told what the run logs. `patch=True` keeps
    the uncommitted difference of the code, beside its digest. With `exit=True` the script ends with the gate's exit
    code where that is not 0.

    Nothing is recorded before the first step, but that the attempt of a named `run` has begun. What is wrong is refused
    here: raises InvalidInput, ContractBroken where a STRICT run cannot have what it declares, and as `Store.open`.
    """
    require_name("project", project)
    configured = config_of(config or {}, gate_of(gate))
    declared = Declared(
        project=project,
        config=configured.values,
        runtime=runtime_of(runtime),
        quiet=quiet,
        exits=exit,
        steer=steer,
        mirrors=mirrors_of(mirror),
        is_config_whole=configured.is_whole,
    )
    objects = objects_of(model, optimizer, scheduler)
    if (compared := Plan.from_environment(os.environ)) is not None:
        store = compared.store  # `seedbed repro` leaves no runs in the store of the script
    opened = store if isinstance(store, Store) else Store.open(store, create=True)
    attempt = Attempt(opened, project, run, settings or {})
    attempt.bind(objects)
    _ = attempt.settings  # what `settings` overrides must be there
    contract = declare(declared.runtime, device=device_of(objects))
    made_of = Collecting(data, with_patch=patch, say=None if quiet else say)
    if run is not None and not Ranks.may_come():
        _abandon(left_open((opened, project, run)))  # this is its next attempt
        _ = attempt.run_id  # a name that cannot be had is refused here
    _abandon(left_open())
    started = Run(attempt, declared, contract, made_of)
    note_opened(started, attempt)
    ENDING_SIGNALS.listen(attempt)
    show_in_notebook()
    return started


def _abandon(runs: Sequence[Run]) -> None:
    for run in runs:
        run.abandon("another run was started in its place")


def current_run() -> Run:
    """The run that was started last in this thread and is still open, else the only open one of the process.

    Raises NotFound where there is none.
    """
    return open_run()
