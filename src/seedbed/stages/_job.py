"""One training job, and the file job.json, written once before the first step, that lets a run of it resume."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, final

from pydantic import Field, ValidationError

from seedbed.contracts import Message
from seedbed.contracts._documents import parse_json_once
from seedbed.errors import Conflict, StoreCorrupt
from seedbed.records import ActiveRun, RunView, canonical_json
from seedbed.records.storage import JOB, create, read_regular
from seedbed.runtime import ResolvedConfig
from seedbed.stages._config import TrainConfig
from seedbed.stages._settings import differences, settings
from seedbed.temporal import EventStream

__all__ = ["BegunJob", "Job", "configuration_of"]

_VERSION = 4
_MAY_CHANGE = ("gate", "runtime.mode", "runtime.sample_every", "training.checkpoint_every")

_logger = logging.getLogger("seedbed.stages")


@final
@dataclass(frozen=True)
class Job:
    """One training job: a configuration, its events, and `cohort`, a name for the events.

    `runtime` is the resolved runtime section of the configuration, and is recorded instead of it. `overridden` notes
    what a configuration file or the environment said of settings for which something stronger said otherwise: when the
    run is resumed, they may still say so.
    """

    config: TrainConfig
    stream: EventStream
    cohort: str
    runtime: ResolvedConfig
    overridden: Mapping[str, Sequence[Any]] = field(default_factory=dict)


class _LaterVersion(ValueError):
    """A job.json that a later version of Seedbed wrote."""


@final
class BegunJob(Message):
    """What a run began with: its configuration, the digest of its events, and the run that it replays, if any.

    Version 1 was written before there were pair features, when negatives were drawn among all destinations and the
    stall rule did not know the noise of a score. A run that began so goes on so. Version 2 was written when uniform
    neighbours depended on the batch (`neighbours_by_batch`, which is not stored). A run that began so goes on with
    other ones, and with a warning. Version 3 did not note what was `overridden`, which is then None.
    """

    schema_version: int = _VERSION
    config: TrainConfig
    data: str
    replay_of: str | None = None
    overridden: dict[str, list[Any]] | None = None
    neighbours_by_batch: bool = Field(default=False, exclude=True)

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """A job.json of this version or a former one: a setting that it does not name is what it was then."""
        document = parse_json_once(content)
        version = document["schema_version"]
        if version > _VERSION:
            raise _LaterVersion(f"expected schema version {_VERSION} or less, found {version}")
        return cls.model_validate(_of_this_version(document))

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """What the run in `folder` began with; None when it crashed before it wrote that. Raises StoreCorrupt."""
        path = folder / JOB
        try:
            return cls.parse(read_regular(path))
        except FileNotFoundError:
            return None
        except _LaterVersion as problem:
            raise StoreCorrupt(f"{path}: {problem}; upgrade seedbed to resume the run, or start a new one") from None
        except ValidationError as problem:
            raise _unreadable(path, problem.errors()[0]["msg"]) from None
        except (ValueError, TypeError, KeyError, AttributeError) as problem:
            raise _unreadable(path, f"no job of a training ({problem})") from None

    def write(self, run: ActiveRun) -> None:
        """Write it to the run's folder, once; runtime settings that were not set stay unset, so they are defaults."""
        document = self.model_dump(mode="json", exclude={"replay_of"} if self.replay_of is None else None)
        document["config"]["runtime"] = self.config.runtime.model_dump(mode="json", exclude_unset=True)
        create(run.path(JOB), canonical_json(document))

    def warn_of_other_neighbours(self, run_id: str) -> None:
        """Log a warning when the run began with uniform neighbours that are no longer drawn so."""
        if self.neighbours_by_batch:
            _logger.warning(
                "run %s began under a former version, whose uniform neighbours depended on the batch; this version "
                "draws other ones, so the results are not those that it would have had: to compare, start a new run",
                run_id,
            )

    def require_same(self, other: Self) -> None:
        """Raise Conflict when `other` is not the same work: other events, another replay, or settings that matter."""
        if other.data != self.data:
            raise Conflict(
                f"the run began with events of digest {self.data[:8]}…, these have {other.data[:8]}…; "
                "resume it with the events that it began with, or start a new run"
            )
        if other.replay_of != self.replay_of:
            raise Conflict(
                f"the run began as {_kind(self.replay_of)}, but this would resume it as {_kind(other.replay_of)}; "
                "resume it with the command that it began with"
            )
        differing = differences(
            self.config, (each for each in settings(other.config, stated=False) if each[0] not in _MAY_CHANGE)
        )
        if differing:
            raise Conflict(
                f"the run began with other settings ({'; '.join(differing.values())}); "
                "resume it with those that it began with, or start a new run"
            )


def _of_this_version(document: dict[str, Any]) -> dict[str, Any]:
    """The document as the present version writes it."""
    version, config = document["schema_version"], document["config"]
    # A null confidence is not written, as before there was one.
    config = config | {"change": {"confidence": None} | config["change"]}
    if version >= 3:
        noted: dict[str, Any] = {"overridden": {}} if version >= _VERSION else {}
        return noted | document | {"schema_version": _VERSION, "config": config}
    if version < 2:
        model = {"pair_features": False} | config["model"]
        training = {"negatives": "all"} | config["training"]
        config = config | {"model": model, "training": training}
    by_batch = config["model"].get("neighbours") == "uniform"
    return document | {"schema_version": _VERSION, "config": config, "neighbours_by_batch": by_batch}


def _unreadable(path: Path, problem: str) -> StoreCorrupt:
    return StoreCorrupt(f"{path}: {problem}; the run cannot resume, start a new one")


def configuration_of(run: RunView) -> TrainConfig | None:
    """The configuration that a run began with; None when it crashed before it wrote that. Raises StoreCorrupt."""
    begun = BegunJob.read(run.folder)
    return None if begun is None else begun.config


def _kind(replay_of: str | None) -> str:
    return "an ordinary run" if replay_of is None else f"the replay of {replay_of}"
