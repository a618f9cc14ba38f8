"""The folder of a soak, and the names of its files."""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, final

from pydantic import ValidationError

from seedbed.contracts import Message
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt
from seedbed.records import Journal, digest
from seedbed.records.storage import create, replace
from seedbed.soak._plan import SoakPlan

__all__ = ["SoakFolder", "sealed", "unsealed"]

_LATEST = "latest"
_NEWEST_PLAN = 2


@final
class SoakFolder:
    """The folder of one soak. Reading changes nothing in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, root: Path, plan: SoakPlan) -> "SoakFolder":
        """Make a new folder under `root`, with its plan. Raises Conflict when a soak of that id exists."""
        folder = cls(root / plan.soak_id)
        try:
            create(folder.plan_path, sealed(plan))
        except FileExistsError:
            raise Conflict(f"soak {plan.soak_id} exists at {folder.path}; resume it, or choose another id") from None
        folder._show_as_latest()
        return folder

    @classmethod
    def find(cls, path: Path) -> "SoakFolder":
        """The soak at `path`, or the latest one under it. Raises NotFound."""
        for candidate in (path, path / _LATEST):
            if (candidate / "soak.json").is_file():
                return cls(candidate.resolve())
        raise NotFound(f"there is no soak at {path}; name its folder, or run `seedbed soak run` first")

    @property
    def plan_path(self) -> Path:
        """The file of the plan."""
        return self.path / "soak.json"

    @property
    def settings_path(self) -> Path:
        """The file of the live settings, which the plant reads."""
        return self.path / "runtime_overrides.json"

    @property
    def changes_path(self) -> Path:
        """The file of the change journal."""
        return self.path / "changes.log"

    @property
    def evidence_path(self) -> Path:
        """The file of the plant's own log."""
        return self.path / "evidence.log"

    def summary_path(self, iteration: int | Literal["*"]) -> Path:
        """The file of one iteration's artifact; with "*" the pattern of all."""
        return self.path / f"ITER_SUMMARY_{iteration}.json"

    @property
    def tuning_report_path(self) -> Path:
        """The file with the history of every change."""
        return self.path / "TUNING_REPORT.json"

    @property
    def snapshot_path(self) -> Path:
        """The file of the verdict."""
        return self.path / "POST_SOAK_SNAPSHOT.json"

    @property
    def page_path(self) -> Path:
        """The verification as a page that people read."""
        return self.path / "DELTA_VERIFY_REPORT.md"

    @property
    def metrics_path(self) -> Path:
        """The metrics for Prometheus."""
        return self.path / "POST_SOAK_METRICS.prom"

    @property
    def report_paths(self) -> tuple[Path, ...]:
        """The files that are written when the soak has ended."""
        return self.tuning_report_path, self.snapshot_path, self.page_path, self.metrics_path

    def irregular(self) -> Iterator[tuple[Path, str]]:
        """The soak's files that are no regular files, each with what it is; reading a pipe would wait for ever."""
        named = (
            *(self.plan_path, self.changes_path, self.evidence_path, self.settings_path),
            *sorted(self.path.glob(self.summary_path("*").name)),
            *self.report_paths,
        )
        for path in named:
            if path.exists() and not path.is_file():
                yield path, "a folder" if path.is_dir() else "a pipe or a device"

    def plan(self) -> SoakPlan:
        """Read the plan. Raises StoreCorrupt when it was altered, or when a file of the soak is no regular file."""
        for path, kind in self.irregular():
            raise StoreCorrupt(f"{path} is {kind}, expected a regular file; restore it from a copy")
        try:
            return SoakPlan.model_validate(self._known(unsealed(self.plan_path)))
        except ValidationError as problem:
            raise StoreCorrupt(f"{self.plan_path}: {problem.errors()[0]['msg']}; restore it from a copy") from None

    def _known(self, body: dict[str, object]) -> dict[str, object]:
        version = body.get("schema_version")
        if isinstance(version, int) and version > _NEWEST_PLAN:
            what = f"is of schema version {version}, this Seedbed reads up to {_NEWEST_PLAN}; upgrade it"
            raise InvalidInput(f"{self.plan_path} {what}")
        return body

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the soak while the block runs. Raises Conflict when another process has locked it."""
        with (self.path / ".lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(f"another process runs the soak at {self.path}; wait for it, or stop it") from None
            yield

    def open_changes(self) -> Journal:
        """Open the change journal for writing."""
        return Journal.open(self.changes_path)

    def open_evidence(self) -> Journal:
        """Open the plant's log for writing."""
        return Journal.open(self.evidence_path)

    def write(self, path: Path, message: Message) -> None:
        """Write a sealed artifact. A crash may lose it, since it can be rebuilt from the logs."""
        replace(path, sealed(message), durable=False)

    def _show_as_latest(self) -> None:
        pointer = self.path.parent / f".{_LATEST}-{self.path.name}"
        pointer.unlink(missing_ok=True)
        pointer.symlink_to(self.path.name)
        pointer.replace(self.path.parent / _LATEST)


def sealed(message: Message) -> bytes:
    """A message as indented JSON, with the digest of its canonical form under `digest`."""
    body = message.model_dump(mode="json")
    return _json_text({**body, "digest": digest(body)})


def unsealed(path: Path) -> dict[str, object]:
    """The content of a sealed file, without its seal. Raises NotFound, and StoreCorrupt when the seal does not fit."""
    try:
        data = path.read_bytes()
        body = json.loads(data)
        if not isinstance(body, dict):
            raise ValueError(f"it holds a {type(body).__name__}")
        if data != _json_text(body):  # a duplicate key could be read differently by another parser
            raise ValueError("it is spelled otherwise than such files are written")
        stated = body.pop("digest", None)
        found = digest(body)
    except FileNotFoundError:
        raise NotFound(f"there is no file at {path}; it was never written, or was taken away") from None
    except (ValueError, InvalidInput) as problem:
        raise StoreCorrupt(f"{path.name} holds no sealed JSON: {problem}") from None
    if stated != found:
        raise StoreCorrupt(f"{path.name}: its seal says {str(stated)[:12]}…, its content gives {found[:12]}…")
    return body


def _json_text(body: Mapping[str, object]) -> bytes:
    return (json.dumps(body, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()
