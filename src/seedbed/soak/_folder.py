"""The folder of a soak, and the names of its files."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Literal, final

from pydantic import ValidationError

from seedbed.contracts import Message
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt
from seedbed.records import Journal
from seedbed.records.storage import create, replace
from seedbed.soak._plan import SoakPlan
from seedbed.soak._sealed import sealed, unsealed

__all__ = ["SoakFolder"]

_LATEST = "latest"
_NEWEST_PLAN = 2
_LONGEST_LOOK_SECONDS, _PAUSE_SECONDS = 1.0, 0.01


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
            if os.path.lexists(candidate / "soak.json"):
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
    def drawing_path(self) -> Path:
        """The KPIs as a drawing."""
        return self.path / "KPIS.svg"

    @property
    def report_paths(self) -> tuple[Path, ...]:
        """The files that are written when the soak has ended."""
        return self.tuning_report_path, self.drawing_path, self.snapshot_path, self.page_path, self.metrics_path

    @property
    def lock_paths(self) -> tuple[Path, Path]:
        """The empty files by which writers wait for each other: of the soak, and of its settings."""
        return self.path / ".lock", self.path / f".{self.settings_path.name}.lock"

    def irregular(self) -> Iterator[tuple[Path, str]]:
        """The soak's files that are no regular files, each with what it is; reading a pipe would wait for ever."""
        for path in sorted(self._named(), key=self._order):
            kind = _irregular_kind(path)
            if kind is not None:
                yield path, kind

    def strangers(self) -> Iterator[Path]:
        """Everything in the folder that is no file of a soak, by name."""
        named = self._named()
        yield from sorted(path for path in self.path.iterdir() if path not in named)

    def _named(self) -> set[Path]:
        first = (self.plan_path, self.changes_path, self.evidence_path, self.settings_path)
        return {*first, *self.path.glob(self.summary_path("*").name), *self.report_paths, *self.lock_paths}

    def _order(self, path: Path) -> tuple[bool, str]:
        return path != self.plan_path, path.name

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
        with self.lock_paths[0].open("a") as lock:
            self._take(lock)
            yield

    def _take(self, lock: IO[str]) -> None:
        """A process that asks whether the soak runs holds its lock for a moment, which is waited for."""
        until = monotonic() + _LONGEST_LOOK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self.is_locked() or monotonic() > until:
                    what = f"another process runs the soak at {self.path}"
                    raise Conflict(f"{what}; wait for it, or stop it") from None
                sleep(_PAUSE_SECONDS)
            else:
                return

    def is_locked(self) -> bool:
        """Whether a process runs the soak just now."""
        path = self.lock_paths[0]
        if _irregular_kind(path) is not None or not path.exists():
            return False
        with path.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

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


def _irregular_kind(path: Path) -> str | None:
    """What stands at `path` instead of a regular file that may be read; None for such a file, and for nothing."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(mode):
        return "a link"
    if stat.S_ISDIR(mode):
        return "a folder"
    if not stat.S_ISREG(mode):
        return "a pipe, a socket or a device"
    return None if os.access(path, os.R_OK) else "a file that may not be read"
