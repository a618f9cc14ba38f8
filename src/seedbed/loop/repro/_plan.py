"""The instructions that a run reads at its start when it is one of two that are compared."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError

from seedbed.contracts import Message
from seedbed.contracts._faults import faults_of
from seedbed.errors import InvalidInput

__all__ = ["VARIABLE", "Plan"]

VARIABLE = "SEEDBED_REPRO"
"""The environment variable that holds the path of the instructions."""


class Plan(Message):
    """What the runs of a process write, and where they stop.

    `traces` takes one file a run, `store` is used in the place of the script's own, and `files` holds the checkpoints
    that the script writes. `replay_of` is the folder of the traces whose changes are repeated. The process is killed
    after step `kill_after`, once `checkpoint` is written; a new one goes on from `restore`. At step `dump_at` all
    tensors are kept in `dump`.
    """

    schema_version: int = Field(default=1, ge=1, le=1)
    traces: Path
    store: Path
    files: Path
    every: int = Field(default=1, ge=1)
    only_weights: bool = False
    replay_of: Path | None = None
    kill_after: int | None = Field(default=None, ge=1)
    checkpoint: Path | None = None
    restore: Path | None = None
    dump_at: int | None = Field(default=None, ge=1)
    dump: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self | None:
        """The instructions that the environment names; None where it names none. Raises InvalidInput."""
        path = environment.get(VARIABLE)
        if path is None:
            return None
        try:
            return cls.model_validate_json(Path(path).read_bytes())
        except OSError as problem:
            raise InvalidInput(f"{VARIABLE}={path}: {problem.strerror}; `seedbed repro` sets it, unset it") from None
        except ValidationError as problem:
            problems = "; ".join(fault.told("instructions") for fault in faults_of(problem, cls))
            raise InvalidInput(f"{VARIABLE}={path}: {problems}; `seedbed repro` sets it, unset it") from None
