"""Where a soak keeps its artifacts, and their names."""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import final

from pydantic import ValidationError

from seedbed.contracts import Message
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt
from seedbed.records import Journal, digest
from seedbed.records.storage import create, replace
from seedbed.soak._plan import SoakPlan

__all__ = ["SoakFolder", "sealed", "unsealed"]

_LATEST = "latest"


@final
class SoakFolder:
    """One soak's folder. Reading changes nothing in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, root: Path, plan: SoakPlan) -> "SoakFolder":
        """A new one under `root`, holding its plan. Raises Conflict when there is one of that id."""
        folder = cls(root / plan.soak_id)
        try:
            create(folder.plan_path, sealed(plan))
        except FileExistsError:
            raise Conflict(f"there is a soak {plan.soak_id} at {folder.path}; resume it, or take another id") from None
        folder._show_as_latest()
        return folder

    @classmethod
    def find(cls, path: Path) -> "SoakFolder":
        """The one at `path`, or the latest under it. Raises NotFound."""
        for candidate in (path, path / _LATEST):
            if (candidate / "soak.json").is_file():
                return cls(candidate.resolve())
        raise NotFound(f"there is no soak at {path}; name its folder, or run `seedbed soak run` first")

    @property
    def plan_path(self) -> Path:
        """What was asked for."""
        return self.path / "soak.json"

    @property
    def settings_path(self) -> Path:
        """The live settings that the plant reads."""
        return self.path / "runtime_overrides.json"

    @property
    def changes_path(self) -> Path:
        """The journal of changes."""
        return self.path / "changes.log"

    @property
    def evidence_path(self) -> Path:
        """The plant's own log."""
        return self.path / "evidence.log"

    def summary_path(self, iteration: int) -> Path:
        """One iteration's artifact."""
        return self.path / f"ITER_SUMMARY_{iteration}.json"

    def plan(self) -> SoakPlan:
        """What was asked for. Raises StoreCorrupt when it is not what was written."""
        try:
            return SoakPlan.model_validate(unsealed(self.plan_path))
        except ValidationError as problem:
            raise StoreCorrupt(f"{self.plan_path}: {problem.errors()[0]['msg']}; restore it from a copy") from None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other processes from running the same soak. Raises Conflict when one does."""
        with (self.path / ".lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(f"another process runs the soak at {self.path}; wait for it, or stop it") from None
            yield

    def open_changes(self) -> Journal:
        """The journal of changes, for writing."""
        return Journal.open(self.changes_path)

    def open_evidence(self) -> Journal:
        """The plant's log, for writing."""
        return Journal.open(self.evidence_path)

    def write(self, name: str, message: Message) -> None:
        """Put a sealed artifact there; it can be rebuilt from the logs, so that a crash may lose it."""
        replace(self.path / name, sealed(message), durable=False)

    def _show_as_latest(self) -> None:
        pointer = self.path.parent / f".{_LATEST}-{self.path.name}"
        pointer.unlink(missing_ok=True)
        pointer.symlink_to(self.path.name)
        pointer.replace(self.path.parent / _LATEST)


def sealed(message: Message) -> bytes:
    """Readable JSON of a message, with the digest of its canonical form under `digest`."""
    body = message.model_dump(mode="json")
    return _spelled({**body, "digest": digest(body)})


def unsealed(path: Path) -> dict[str, object]:
    """What a sealed file holds, without its seal. Raises NotFound, and StoreCorrupt when the seal does not fit."""
    try:
        data = path.read_bytes()
        body = json.loads(data)
        if not isinstance(body, dict):
            raise ValueError(f"it holds a {type(body).__name__}")
        if data != _spelled(body):  # a key that stands twice would be read one way here and another way elsewhere
            raise ValueError("it is spelled otherwise than such files are written")
        told = body.pop("digest", None)
        found = digest(body)
    except FileNotFoundError:
        raise NotFound(f"there is no file at {path}; it was never written, or was taken away") from None
    except (ValueError, InvalidInput) as problem:
        raise StoreCorrupt(f"{path.name} holds no sealed JSON: {problem}") from None
    if told != found:
        raise StoreCorrupt(f"{path.name}: its seal says {str(told)[:12]}…, its content gives {found[:12]}…")
    return body


def _spelled(body: Mapping[str, object]) -> bytes:
    return (json.dumps(body, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()
