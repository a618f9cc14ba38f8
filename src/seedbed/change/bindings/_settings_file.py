"""Settings in one JSON file that another part of the system reads: the medium, and the word of whoever uses it."""

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, final

from seedbed.change.bindings._binding import UseReport
from seedbed.change.parameters._registry import Registry
from seedbed.errors import Conflict, ContractBroken, NotFound
from seedbed.records import atomic_write_json
from seedbed.records.canonical import digest_bytes
from seedbed.records.storage import json_with_hash

__all__ = ["Consumer", "SettingsFile"]


class Consumer(Protocol):
    """Whoever runs with the settings in a file."""

    def reload(self) -> Mapping[str, float] | None:
        """Look at the file now; the values, by key, that are held from here on, or None without an answer."""


@dataclass(slots=True)
class _Watch:
    """One value that a step must be seen to use: `former` stood there before, `lag_steps` may pass until it is used.

    `waited_steps` had passed when the watch began, `steps` have since.
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
        """The steps that had their chance to use the value."""
        return self.waited_steps + self.steps


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the file held at the last look."""

    data: bytes
    values: Mapping[str, float]
    state_hash: str


@final
class SettingsFile:
    """A target that is one file. A value counts as held when the consumer says so, as used when `saw` is told so.

    Writers that go through this class take turns by a lock beside the file; what any other writer does is found by
    reading back. Raises InvalidInput or StoreCorrupt, at any reading, for a file that does not hold the registry's
    settings.
    """

    def __init__(self, path: Path, registry: Registry, consumer: Consumer) -> None:
        self._path = path
        self._registry = registry
        self._consumer = consumer
        self._watches: dict[str, _Watch] = {}
        self._former: Mapping[str, float] = {}
        self._in_turn = False
        self._seen: _Seen | None = None

    def create(self, values: Mapping[str, float]) -> str:
        """Put the first values there; their state hash. Raises InvalidInput for values that the registry refuses."""
        return atomic_write_json(self._path, self._registry.document(self._registry.validate(values)))[0]

    def read(self) -> dict[str, float]:
        """Every value in the file."""
        return dict(self._look().values)

    def write(self, values: Mapping[str, float], expected: Mapping[str, float]) -> None:
        """Replace the file, compared and swapped by state hash. Raises as `Target.write`."""
        with self.turn():
            found = self._look()
            if found.values != expected:
                raise Conflict(
                    f"{self._path.name} moved on to state {found.state_hash[:12]}…; read it and propose anew"
                )
            self._former = found.values
            self._put({**found.values, **self._registry.validate(values)})

    def held(self) -> Mapping[str, float] | None:
        """What the consumer says that it holds."""
        return self._consumer.reload()

    def watch(self, key: str, report: Callable[[UseReport], None] | None) -> None:
        """Report what `saw` tells of this key. A value used late by no more than its `lag_steps` is not lost."""
        self._watches.pop(key, None)
        if report is not None:
            value = self.read()[key]
            lag = self._registry[key].lag_steps
            self._watches[key] = _Watch(value, self._former.get(key, value), lag, report)

    def recall(self, key: str, *, former: float, waited_steps: int, seen: bool) -> None:
        """Go on with a watch that an earlier process began, where it stood.

        `former` stood in the file before the value watched, `waited_steps` had passed, and the value was `seen` in use.
        Nothing happens when the key is not watched.
        """
        if (watch := self._watches.get(key)) is not None:
            watch.former, watch.waited_steps, watch.seen = former, waited_steps, seen

    def saw(self, used: Mapping[str, float]) -> None:
        """One step was run with these values: evidence from the consumer's own step."""
        for key, watch in list(self._watches.items()):
            watch.steps += 1
            sighting = _sighting(watch, used.get(key))
            if sighting is not None:
                watch.seen = True
                if sighting.why:
                    self._watches.pop(key, None)
                watch.report(sighting)

    def state(self) -> dict[str, dict[str, float]]:
        """The values."""
        return {key: {"value": value} for key, value in self.read().items()}

    def restore(self, state: Mapping[str, Mapping[str, float]]) -> None:
        """Write these values back, and let the consumer look."""
        with self.turn():
            if state:
                self._put({**self.read(), **{key: numbers["value"] for key, numbers in state.items()}})
            self._consumer.reload()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Keeps other writers that go through this class out, in this process and in others.

        The consumer is asked within a turn: it must not write through another `SettingsFile` of the same file.
        """
        if self._in_turn:
            yield
            return
        lock = self._path.with_name(f".{self._path.name}.lock")
        with lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._in_turn = True
            try:
                yield
            finally:
                self._in_turn = False

    def _put(self, values: Mapping[str, float]) -> None:
        document = self._registry.document(values)
        written, _ = atomic_write_json(self._path, document)
        data = self._path.read_bytes()
        if digest_bytes(data) != written:  # what was written is canonical, so that its bytes have the state's hash
            raise ContractBroken(
                f"{self._path.name}: state {written[:12]}… was written, and bytes of digest "
                f"{digest_bytes(data)[:12]}… read back; find what else writes there"
            )
        self._seen = _Seen(data, dict(values), written)

    def _look(self) -> "_Seen":
        """What the file holds now. It is read at every look, and only taken apart when it differs from the last."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"there is no file at {self._path}; `create` puts the first values there") from None
        if self._seen is None or self._seen.data != data:
            document, state_hash = json_with_hash(data, self._path)
            self._seen = _Seen(data, self._registry.get_all(document), state_hash)
        return self._seen


def _sighting(watch: _Watch, found: float | None) -> UseReport | None:
    """What a step's use of a watched value comes to; None while it may still be on its way."""
    if found == watch.value:
        return UseReport(watch.steps, watch.value, watch.value)
    if found == watch.former and not watch.seen and watch.age_steps < watch.lag_steps:
        return None
    if found is None:
        return UseReport(watch.steps, watch.value, float("nan"), "the step did not say what it ran with")
    still = (
        f"still, {watch.age_steps} steps after" if found == watch.former and not watch.seen else "which nobody set here"
    )
    return UseReport(watch.steps, watch.value, found, f"the step ran with {found:g}, {still}")
