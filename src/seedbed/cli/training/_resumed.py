"""Which run `--resume` names, and that it goes on as it began: whatever is stated otherwise now is refused."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, final

from pydantic_core import to_jsonable_python

from seedbed.cli.console._command_line import command
from seedbed.cli.runs._select import find_run
from seedbed.cli.training._request import Request
from seedbed.contracts import RunStatus
from seedbed.errors import Conflict, InvalidInput, NotFound
from seedbed.records import RunView, Store
from seedbed.runtime import resolve_config
from seedbed.stages import TrainConfig
from seedbed.stages._job import BegunJob
from seedbed.stages._settings import differences, settings

__all__ = ["Stated", "repeating", "resumed_run"]

_FIELDS = {
    "training.epochs": "epochs",
    "training.seed": "seed",
    "data.limit": "events",
    "runtime.mode": "mode",
    "runtime.threads": "threads",
}
_OPTIONS = {name: f"--{field}" for name, field in _FIELDS.items()}


@final
@dataclass(frozen=True)
class Stated:
    """What this command line states, by the name of each setting: in its file, in the environment, by its options."""

    path: Path | None
    file: dict[str, Any]
    environment: dict[str, Any]
    options: dict[str, Any]

    @classmethod
    def of(cls, request: Request, path: Path | None, config: TrainConfig) -> Self:
        """`config` is what the file at `path` says. Raises InvalidInput for a variable that is no setting."""
        environment = resolve_config(environment=os.environ).config
        options = {
            "training": _given(request, epochs="epochs", seed="seed"),
            "data": _given(request, limit="events"),
            "runtime": _given(request, mode="mode", threads="threads"),
        }
        return cls(
            path,
            {} if path is None else dict(settings(config, stated=True)),
            {f"runtime.{name}": value for name, value in settings(environment, stated=True)},
            dict(settings(TrainConfig.model_validate(options), stated=True)),
        )

    def overridden(self) -> dict[str, list[Any]]:
        """What the file and the environment state of settings for which something stronger states another value."""
        stated = (self.file, self.environment, self.options)
        chosen = {name: value for source in stated for name, value in source.items()}
        others = {
            name: [source[name] for source in stated if source.get(name, value) != value]
            for name, value in chosen.items()
        }
        return {name: to_jsonable_python(values) for name, values in others.items() if values}

    def require_begun(self, begun: BegunJob) -> list[str]:
        """Refuse what the run did not begin with; return what an option may have overridden, where nobody noted it.

        What was overridden when the run began may still be stated. A former version did not note which settings those
        are, so a file's value for a setting that has an option is returned, not refused. Raises InvalidInput.
        """
        differing = {source: differences(begun.config, stated) for source, stated in self._by_source(begun)}
        unknown = {}
        if begun.overridden is None and self.path is not None:
            in_file = differing[str(self.path)]
            unknown = {name: in_file.pop(name) for name in list(in_file) if _has_option(name)}
        refused = {source: found for source, found in differing.items() if found}
        if refused:
            told = "; ".join(words for found in refused.values() for words in found.values())
            without = ["--config" if source == str(self.path) else source for source in refused]
            raise InvalidInput(
                f"{_listed(refused)} {'state' if len(refused) > 1 else 'states'} other settings than the run began "
                f"with ({told}), and a run goes on as it began; resume it without {_listed(without)}, or start a new "
                "run"
            )
        return list(unknown.values())

    def _by_source(self, begun: BegunJob) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
        """The file, and each variable and option, with what it states and was not overridden when the run began."""
        noted = begun.overridden or {}
        if self.path is not None:
            yield str(self.path), [each for each in self.file.items() if each[1] not in noted.get(each[0], ())]
        for name, value in self.environment.items():
            variable = f"SEEDBED_{name.replace('.', '_').upper()}"
            yield variable, [] if value in noted.get(name, ()) else [(name, value)]
        yield from ((_OPTIONS[name], [(name, value)]) for name, value in self.options.items())


def resumed_run(request: Request, name: str, stated: Stated) -> RunView:
    """The run called `name`, of whatever project; of several with that name, that of the project in the file.

    Raises NotFound, InvalidInput when several fit, and Conflict for a run that is finished or still runs.
    """
    view = _found(request.store, name, stated.file.get("project"))
    if view.status is RunStatus.FINISHED:
        number = "" if view.commit is None else f", as commit {view.commit.seq} of {view.project}"
        shown = command(request.store, "runs", "show", view.run_id)
        raise Conflict(
            f"run {view.run_id} is finished{number}, so nothing of it is left to do; see it with `{shown}`, or leave "
            "out --resume to start a new run"
        )
    if view.status is RunStatus.RUNNING:
        raise Conflict(
            f"run {view.run_id} still runs; wait for it to end, or end it (`seedbed runs end` where its machine is "
            "gone), and then resume it; or leave out --resume to start a new run"
        )
    return view


def repeating(request: Request, written: TrainConfig, ran: TrainConfig) -> Request | None:
    """The request for what a resumed run `ran`, with an option for each setting that `written`, the file or the
    defaults, has otherwise; None where one has no option.
    """
    runtime = resolve_config(file=written.runtime.model_dump(exclude_unset=True), environment=os.environ).config
    differing = differences(ran, settings(written.model_copy(update={"runtime": runtime}), stated=False))
    recorded = dict(settings(ran, stated=False))
    if any(name not in _FIELDS or recorded[name] is None for name in differing):
        return None
    return replace(request, **{_FIELDS[name]: to_jsonable_python(recorded[name]) for name in differing})


def _found(store: str, name: str, project: str | None) -> RunView:
    try:
        return find_run(store, name)
    except InvalidInput:
        opened, held = Store.open(store), {}
        for each in opened.projects():
            with suppress(NotFound, InvalidInput):
                held[each] = opened.find(name, project=each)
        if project in held:
            return held[project]
        if {view.run_id for view in held.values()} == {name}:
            raise InvalidInput(
                f"run {name} is in the projects {_listed(held)}; say which is meant by --config FILE, a file whose "
                "`project` is one of them"
            ) from None
        raise


def _given(request: Request, **names: str) -> dict[str, Any]:
    return {name: value for name, option in names.items() if (value := getattr(request, option)) is not None}


def _has_option(name: str) -> bool:
    return name in _OPTIONS or name.startswith("runtime.")


def _listed(names: Any) -> str:
    *first, last = map(str, names)
    return f"{', '.join(first)} and {last}" if first else last
