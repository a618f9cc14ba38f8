"""The file that a run writes as it goes: one line of JSON for its beginning, for each step, and for what it did."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from seedbed.errors import StoreCorrupt

__all__ = ["Step", "Trace", "TraceFile", "TraceReader", "read_traces"]

_HEX = 32


@final
@dataclass(frozen=True)
class Step:
    """The digests of one step, by name in the order of computing, and the generators' when it began."""

    step: int
    digests: Mapping[str, str]
    generators: Mapping[str, str]


@final
@dataclass
class Trace:
    """What a run wrote, from the step after `begun_after` on.

    `process` says what else bears on its numbers, `own` which changes the script proposed, by the steps taken then,
    `passes` after which steps a pass over the data was over.
    """

    project: str = ""
    run_id: str = ""
    begun_after: int = 0
    process: Mapping[str, Any] = field(default_factory=dict)
    steps: dict[int, Step] = field(default_factory=dict)
    values: dict[int, dict[str, float]] = field(default_factory=dict)
    checkpoints: list[int] = field(default_factory=list)
    restores: bool = False
    own: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    passes: list[int] = field(default_factory=list)

    def take(self, line: Mapping[str, Any], names: list[str]) -> None:
        """Take one line; `names` holds those of the steps that follow."""
        match line["kind"]:
            case "begin":
                self.project, self.run_id, self.process = line["project"], line["run_id"], line["process"]
                self.begun_after = line["step"]
            case "names":
                names[:] = line["names"]
            case "step":
                digests = line["digests"]
                parts = [digests[at : at + _HEX] for at in range(0, len(digests), _HEX)]
                taken = dict(zip(names, parts, strict=True))
                self.steps[line["step"]] = Step(line["step"], taken, line["generators"])
            case "values":
                read = {name: float.fromhex(value) for name, value in line["values"].items()}
                self.values.setdefault(line["step"], {}).update(read)
            case "checkpoint":
                self.checkpoints.append(line["step"])
            case "restore":
                self.restores = True
            case "pass":
                self.passes.append(line["step"])
            case "own":
                self.own.append((line["step"], tuple(line["ids"])))


@final
class TraceFile:
    """Writes the next trace of a process into `folder`; the first one has the number 1."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.number = 1
        while True:
            try:
                self._file = (folder / f"{self.number:04d}.jsonl").open("x", encoding="utf-8")
                break
            except FileExistsError:
                self.number += 1
        self._names: list[str] = []

    def write(self, kind: str, **fields: object) -> None:
        """Write one line; nothing once it is closed, since a run that fails still writes values after its end."""
        if self._file.closed:
            return
        self._file.write(json.dumps({"kind": kind, **fields}) + "\n")
        if kind != "values":  # they come in each step, just before its line
            self._file.flush()

    def step(self, step: int, names: Iterable[str], digests: Iterable[str], generators: Mapping[str, str]) -> None:
        """Write the digests of a step; their names only where they are others than before."""
        if (now := list(names)) != self._names:
            self._names = now
            self.write("names", names=now)
        self.write("step", step=step, digests="".join(digests), generators=generators)

    def close(self) -> None:
        """No more is written."""
        self._file.close()


@final
class TraceReader:
    """Reads a trace while it is written; a line that is not whole waits for the next call."""

    def __init__(self, path: Path) -> None:
        self.trace = Trace()
        self._path, self._at = path, 0
        self._names: list[str] = []

    def read(self) -> Trace:
        """Take what was added since. Raises StoreCorrupt."""
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        try:
            for line in whole.splitlines():
                self.trace.take(json.loads(line), self._names)
        except (ValueError, KeyError, TypeError) as problem:
            raise StoreCorrupt(f"{self._path} is no trace of a run: {problem}") from problem
        return self.trace


def read_traces(folder: Path) -> list[Trace]:
    """The traces of a process, in the order in which its runs began."""
    return [TraceReader(path).read() for path in sorted(folder.glob("*.jsonl"))]
