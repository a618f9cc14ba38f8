"""Settings in one JSON file that another part of the system, the consumer, reads and uses."""

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, final

from seedbed.change.bindings._binding import Use, UseReport
from seedbed.change.parameters._registry import Registry
from seedbed.errors import Conflict, ContractBroken, NotFound
from seedbed.records import atomic_write_json
from seedbed.records.canonical import digest_bytes
from seedbed.records.storage import json_with_hash

__all__ = ["Consumer", "SettingsFile"]


class Consumer(Protocol):
    """The part of the system that runs with the settings in a file."""

    def reload(self) -> Mapping[str, float] | None:
        """Load the file now; returns the values, by key, that are used from now on, or None without an answer."""


@dataclass(slots=True)
class _Watch:
    """One value that a step must be seen to use: `former` is the value before, `lag_steps` may pass until it is used.

    `waited_steps` had passed when the watch began; `steps` have passed since then.
    """

    value: float
    former: float
    lag_steps: int
    report: Callable[[UseReport], None]
    waited_steps: int = 0
    steps: int = 0
    seen: bool = False

    @property
    def age_steps(self) -> int:
        """The number of steps that could have used the value."""
        return self.waited_steps + self.steps


@dataclass(frozen=True, slots=True)
class _Content:
    """The content of the file when it was last read."""

    data: bytes
    values: Mapping[str, float]
    state_hash: str


@final
class SettingsFile:
    """A target in one file. A value is held when the consumer says so, and used when `note_use` reports it.

    Writers that use this class wait for each other by a lock beside the file; what other writers do is found by reading
    back. Every read raises InvalidInput or StoreCorrupt for a file that does not hold the registry's settings.
    """

    def __init__(self, path: Path, registry: Registry, consumer: Consumer) -> None:
        self._path = path
        self._registry = registry
        self._consumer = consumer
        self._watches: dict[str, _Watch] = {}
        self._former: Mapping[str, float] = {}
        self._is_locked = False
        self._content: _Content | None = None

    def create(self, values: Mapping[str, float]) -> str:
        """Write the first values; returns their state hash. Raises InvalidInput for a value that is refused."""
        return atomic_write_json(self._path, self._registry.document(self._registry.validate(values)))[0]

    def read(self) -> dict[str, float]:
        """Every value in the file."""
        return dict(self._load().values)

    def write(self, values: Mapping[str, float], expected: Mapping[str, float]) -> None:
        """Replace the file, if it still holds `expected`. Raises as `Target.write`."""
        with self.locked():
            found = self._load()
            if found.values != expected:
                raise Conflict(
                    f"{self._path.name} moved on to state {found.state_hash[:12]}…; read it and propose again"
                )
            self._former = found.values
            self._replace({**found.values, **self._registry.validate(values)})

    def held(self) -> Mapping[str, float] | None:
        """The values that the consumer says it holds, after it has loaded the file."""
        return self._consumer.reload()

    def watch(self, key: str, report: Callable[[UseReport], None] | None) -> None:
        """Report the uses of this key that `note_use` notes. A value used at most `lag_steps` late is not lost."""
        self._watches.pop(key, None)
        if report is not None:
            value = self.read()[key]
            lag = self._registry[key].lag_steps
            self._watches[key] = _Watch(value, self._former.get(key, value), lag, report)

    def resume_watch(self, key: str, *, former: float, waited_steps: int, seen: bool) -> None:
        """Continue a watch that an earlier process began.

        `former` was in the file before the watched value, `waited_steps` had passed, and `seen` says whether the value
        was seen in use. Does nothing when the key is not watched.
        """
        if (watch := self._watches.get(key)) is not None:
            watch.former, watch.waited_steps, watch.seen = former, waited_steps, seen

    def note_use(self, used: Mapping[str, float]) -> None:
        """Note that one step ran with these values, as the consumer's own step says."""
        for key, watch in list(self._watches.items()):
            watch.steps += 1
            report = _use_report(watch, used.get(key))
            if report is not None:
                watch.seen = True
                if report.use is Use.LOST:
                    self._watches.pop(key, None)
                watch.report(report)

    def state(self) -> dict[str, dict[str, float]]:
        """The values, in the form of `Target.state`."""
        return {key: {"value": value} for key, value in self.read().items()}

    def restore(self, state: Mapping[str, Mapping[str, float]]) -> None:
        """Write these values back, and let the consumer load them."""
        with self.locked():
            if state:
                self._replace({**self.read(), **{key: numbers["value"] for key, numbers in state.items()}})
            self._consumer.reload()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other writers that use this class out, in this process and in others.

        The consumer loads the file while the lock is held: it must not write through another `SettingsFile` of it.
        """
        if self._is_locked:
            yield
            return
        lock = self._path.with_name(f".{self._path.name}.lock")
        with lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._is_locked = True
            try:
                yield
            finally:
                self._is_locked = False

    def _replace(self, values: Mapping[str, float]) -> None:
        document = self._registry.document(values)
        written, _ = atomic_write_json(self._path, document)
        data = self._path.read_bytes()
        if digest_bytes(data) != written:  # the written bytes are canonical, so their digest is the state hash
            raise ContractBroken(
                f"{self._path.name}: state {written[:12]}… was written, and bytes of digest "
                f"{digest_bytes(data)[:12]}… were read back; find what else writes this file"
            )
        self._content = _Content(data, dict(values), written)

    def _load(self) -> "_Content":
        """The content of the file. It is read every time, and parsed only when its bytes have changed."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"there is no file at {self._path}; `create` writes the first values") from None
        if self._content is None or self._content.data != data:
            document, state_hash = json_with_hash(data, self._path)
            self._content = _Content(data, self._registry.get_all(document), state_hash)
        return self._content


def _use_report(watch: _Watch, found: float | None) -> UseReport | None:
    """The report of a step's use of a watched value; None while the value may still come into use."""
    if found == watch.value:
        return UseReport(watch.steps, watch.value, watch.value, Use.USED)
    if found == watch.former and not watch.seen and watch.age_steps < watch.lag_steps:
        return None
    if found is None:
        why = "the step did not say what it ran with"
        return UseReport(watch.steps, watch.value, float("nan"), Use.LOST, why)
    still = (
        f"still, {watch.age_steps} steps after" if found == watch.former and not watch.seen else "which nobody set here"
    )
    return UseReport(watch.steps, watch.value, found, Use.LOST, f"the step ran with {found:g}, {still}")
