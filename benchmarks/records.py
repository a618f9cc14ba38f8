"""Benchmark of records: runs alone and in parallel, metric points, queries, opening; MLflow and Optuna beside them.

    python benchmarks/records.py [--json] [--quick] [--on DIR] [--peer-envs DIR | --no-peer]

Everything runs on the disk of --on, in one run. Every measurement is a process of its own, and Seedbed's and its peers'
take turns (A B A B); a number is the median over the turns, with minimum and maximum, and a ratio is computed within
each turn. The bars are ratios, so they hold on any disk; but the floor is only two syncs, so it is harder to stay near
it on a faster disk.

MLflow's SQLite store and Optuna's journal storage are installed from PyPI, each into an environment of its own, created
once in --peer-envs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, final

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent

Found = dict[str, Any]
progress = Console(stderr=True, highlight=False)


@final
@dataclass(frozen=True)
class Plan:
    """How much is measured: the number of turns, operations in each, and the sizes at which a store is opened."""

    turns: int
    finalises: int
    per_writer: int
    points: int
    peer_seconds: float
    crowd_runs: int
    sizes: tuple[int, ...]
    queried: int


NUM_WRITERS, NUM_CROWD = 8, 64
FULL = Plan(
    turns=5,
    finalises=200,
    per_writer=60,
    points=100_000,
    peer_seconds=15,
    crowd_runs=20,
    sizes=(1000, 5000, 10_000, 100_000),
    queried=5000,
)
QUICK = Plan(
    turns=1,
    finalises=60,
    per_writer=10,
    points=20_000,
    peer_seconds=2,
    crowd_runs=3,
    sizes=(1000, 5000),
    queried=5000,
)


@final
@dataclass(frozen=True)
class Peer:
    """A store of others under the same load: its module, and what must be importable in its environment."""

    name: str
    module: str
    requirements: str
    package: str


MLFLOW = Peer("MLflow", "peers.mlflow_store", "requirements-mlflow.txt", "mlflow")
OPTUNA = Peer("Optuna", "peers.optuna_journal", "requirements-optuna.txt", "optuna")


@final
@dataclass(frozen=True)
class Bar:
    """The limit that a measured number must meet."""

    number: str
    at_least: float | None = None
    below: float | None = None

    def judged(self, found: Mapping[str, Any]) -> Found | None:
        """The number, the bar and whether it is met; None when it was not measured."""
        value = found["numbers"].get(self.number, {}).get("median")
        if value is None:
            return None
        met = value >= self.at_least if self.at_least is not None else value < (self.below or 0)
        return {"value": value, "at_least": self.at_least, "below": self.below, "met": met}


BARS = (
    Bar("alone / floor", at_least=0.5),
    Bar("alone / MLflow", at_least=10),
    Bar("whole run / bare file", at_least=0.8),
    Bar("whole run, CPU ms", below=1),
    Bar("whole run, bytes", below=20_000),
    Bar("whole runs, 8 processes / alone", at_least=1.2),
    Bar("whole run / Optuna", at_least=1),
    Bar("8 processes / alone", at_least=1.5),
    Bar("8 processes, p99 ms", below=150),
    Bar("8 processes, lost", below=1),
    Bar("points / bare framed append", at_least=0.5),
    Bar("points, per s", at_least=200_000),
    Bar("points / MLflow", at_least=1000),
    Bar("points / Optuna", at_least=100),
    Bar("64 processes, lost", below=1),
    Bar("64 processes, most lost races", below=64),
    Bar("64 processes, last / median end", below=2),
    Bar("query, p50 ms", below=15),
    Bar("making the catalog, CPU s", below=5),
    Bar("runs list --sort / runs list", below=3),
    Bar("opening 100,000 commits, s", below=1),
)


@final
class Bench:
    """Runs the measurements, one process each, and collects the results."""

    def __init__(self, plan: Plan, peers: Mapping[Peer, Path], folder: Path) -> None:
        self._plan, self._peers, self._folder = plan, peers, folder
        self._num_stores = 0

    def run(self) -> Found:
        """Run all measurements of the plan; the results as one JSON object."""
        turns = [dict(self._turn(number + 1)) for number in range(self._plan.turns)]
        turns += [dict(self._crowd()), dict(self._sizes())]
        numbers = {name: _spread([turn[name] for turn in turns if name in turn]) for turn in turns for name in turn}
        found: Found = {"disk": disk(self._folder), "numbers": numbers}
        return found | {"bars": {bar.number: judged for bar in BARS if (judged := bar.judged(found))}}

    def _turn(self, turn: int) -> Iterator[tuple[str, float]]:
        """One turn of everything that is measured as a ratio."""
        progress.print(f"turn {turn} of {self._plan.turns}")
        plan, peer = self._plan, MLFLOW in self._peers
        alone = self._ours("finalise", count=plan.finalises)
        theirs = self._theirs(MLFLOW, "finalise", count=max(10, plan.finalises // 8)) if peer else None
        yield from _finalised(alone, theirs)
        yield from self._whole_runs()
        together = self._ours("writers", processes=NUM_WRITERS, count=plan.per_writer)
        yield "8 processes, per s", together["per_second"]
        yield "8 processes, p50 ms", together["p50_ms"]
        yield "8 processes, p99 ms", together["p99_ms"]
        yield "8 processes, lost", together["lost"]
        yield "8 processes / alone", together["per_second"] / alone["finalise"]["per_second"]
        if peer:
            yield from self._rivals(MLFLOW)
        points = self._ours("points", count=plan.points)
        yield "points, per s", points["log_per_second"]
        yield "bare framed append, per s", points["bare_per_second"]
        yield "points / bare framed append", points["log_per_second"] / points["bare_per_second"]
        yield "one write a point, per s", points["written_per_second"]
        yield "points / one write a point", points["log_per_second"] / points["written_per_second"]
        for other in self._peers:
            slow = self._theirs(other, "points", cap=plan.peer_seconds)["log_per_second"]
            yield f"{other.name}, points, per s", slow
            yield f"points / {other.name}", points["log_per_second"] / slow

    def _whole_runs(self) -> Iterator[tuple[str, float]]:
        """Runs from their start, beside bare files, and beside trials of Optuna."""
        plan = self._plan
        found = self._ours("whole", count=plan.finalises)
        rates = {name: found[name]["per_second"] for name in ("bare", "named", "whole")}
        yield "bare file, per s", rates["bare"]
        yield "bare file with a durable name, per s", rates["named"]
        yield "whole run, per s", rates["whole"]
        yield "whole run, p99 ms", found["whole"]["p99_ms"]
        yield "whole run / bare file", rates["whole"] / rates["bare"]
        yield "whole run / bare file with a durable name", rates["whole"] / rates["named"]
        yield "whole run, CPU ms", found["cpu_ms"]
        yield "whole run, bytes", found["store_bytes_per_run"]
        together = self._ours("writers", processes=NUM_WRITERS, count=plan.per_writer, whole=1)
        yield "whole runs, 8 processes, per s", together["per_second"]
        yield "whole runs, 8 processes, lost", together["lost"]
        yield "whole runs, 8 processes / alone", together["per_second"] / rates["whole"]
        if OPTUNA in self._peers:
            trials = self._theirs(OPTUNA, "finalise", count=plan.finalises, cap=plan.peer_seconds)["start_and_finalise"]
            yield "Optuna, trials, per s", trials["per_second"]
            yield "whole run / Optuna", rates["whole"] / trials["per_second"]
            yield from self._rivals(OPTUNA)

    def _rivals(self, peer: Peer) -> Iterator[tuple[str, float]]:
        plan = self._plan
        found = self._theirs(peer, "writers", processes=NUM_WRITERS, count=plan.per_writer, cap=plan.peer_seconds)
        yield f"{peer.name}, 8 processes, per s", found["per_second"]
        yield f"{peer.name}, 8 processes, p99 ms", found["p99_ms"]
        yield f"{peer.name}, 8 processes, errors", found["errors"]

    def _crowd(self) -> Iterator[tuple[str, float]]:
        """Many more writers than there are cores: none of them may starve."""
        progress.print(f"{NUM_CROWD} processes")
        found = self._ours("writers", processes=NUM_CROWD, count=self._plan.crowd_runs)
        yield "64 processes, per s", found["per_second"]
        for name in ("p50_ms", "p99_ms", "max_ms"):
            yield f"64 processes, {name.replace('_', ' ')}", found[name]
        yield "64 processes, most lost races", found["most_lost_races"]
        yield "64 processes, last / median end", found["last_by_median"]
        yield "64 processes, lost", found["lost"]

    def _sizes(self) -> Iterator[tuple[str, float]]:
        """Measurements on one growing store: opened at every size, queried at one."""
        store = self._folder / "large"
        for size in self._plan.sizes:
            progress.print(f"a store of {size:,} commits")
            self._ours("grow", store=store, to=size)
            seconds = [self._ours("open", store=store)["seconds"] for _ in range(5)]
            yield f"opening {size:,} commits, s", median(seconds)
            if size == self._plan.queried:
                found = self._ours("query", store=store)
                yield "query, p50 ms", found["search_and_read"]["p50_ms"]
                yield "query without reading the commits, p50 ms", found["search"]["p50_ms"]
                yield "making the catalog, s", found["making_seconds"]
                yield "making the catalog, CPU s", found["making_cpu_seconds"]
                yield "opening the catalog, s", found["opening_seconds"]
                listed = self._ours("list", store=store, count=5)
                yield "runs list, CPU ms", listed["list_cpu_ms"]
                yield "runs list --sort, CPU ms", listed["sorted_cpu_ms"]
                yield "runs list --sort / runs list", listed["sorted_cpu_ms"] / listed["list_cpu_ms"]

    def _ours(self, command: str, store: Path | None = None, **options: object) -> Found:
        progress.print(f"  ours: {command} {options or ''}")
        chosen = str(store or self._new_store())
        script = HERE / ("measure_writers.py" if command == "writers" else "measure_records.py")
        return _json_of([sys.executable, str(script), command, chosen, *_flags(options)])

    def _theirs(self, peer: Peer, command: str, **options: object) -> Found:
        progress.print(f"  {peer.name}: {command} {options or ''}")
        chosen = str(self._new_store())
        return _json_of([str(self._peers[peer]), "-m", peer.module, command, chosen, *_flags(options)])

    def _new_store(self) -> Path:
        self._num_stores += 1
        return self._folder / f"store-{self._num_stores}"


def _finalised(alone: Found, theirs: Found | None) -> Iterator[tuple[str, float]]:
    rates = {name: alone[name]["per_second"] for name in ("floor", "finalise", "start_and_finalise")}
    yield "floor: durable creates, per s", rates["floor"]
    yield "floor, p50 ms", alone["floor"]["p50_ms"]
    yield "alone, per s", rates["finalise"]
    yield "alone, p50 ms", alone["finalise"]["p50_ms"]
    yield "alone, p99 ms", alone["finalise"]["p99_ms"]
    yield "alone with start, per s", rates["start_and_finalise"]
    yield "alone / floor", rates["finalise"] / rates["floor"]
    yield "bytes a commit", alone["commit_bytes"]
    yield "bytes a run, with its documents", alone["store_bytes_per_run"]
    if theirs:
        yield "MLflow, alone, per s", theirs["finalise"]["per_second"]
        yield "MLflow, alone with start, per s", theirs["start_and_finalise"]["per_second"]
        yield "alone / MLflow", rates["finalise"] / theirs["finalise"]["per_second"]
        yield "alone with start / MLflow", rates["start_and_finalise"] / theirs["start_and_finalise"]["per_second"]


def _spread(values: list[float]) -> Found:
    return {"median": median(values), "least": min(values), "most": max(values), "turns": len(values)}


def _flags(options: Mapping[str, object]) -> list[str]:
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


def _json_of(command: list[str]) -> Found:
    """The JSON that a measurement printed; if it failed, ends the benchmark with its last output."""
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def disk(folder: Path) -> str:
    """The file system that `folder` is on. On tmpfs a sync costs nothing, and the floor means nothing."""
    done = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def peer_python(peer: Peer, folder: Path) -> Path | None:
    """The interpreter of the peer's environment in `folder`, created if needed; None if that fails."""
    python = folder / "bin" / "python"
    importing = [str(python), "-c", f"import {peer.package}"]
    if python.exists() and not subprocess.run(importing, capture_output=True, check=False).returncode:
        return python
    progress.print(f"{peer.name}: making its environment in {folder} (once)")
    venv.create(folder, with_pip=True)
    command = [str(python), "-m", "pip", "install", "--quiet", "-r", str(HERE / "peers" / peer.requirements)]
    if subprocess.run(command, check=False).returncode:
        progress.print(f"[bold]{peer.name} is left out[/]: it cannot be installed, see pip's message above")
        return None
    return python


def show(found: Found) -> None:
    """Print the results as tables."""
    console = Console()
    table = Table("", "median", "least", "most", title=f"records on {found['disk']}")
    for name, number in found["numbers"].items():
        table.add_row(name, *(_number(number[of]) for of in ("median", "least", "most")))
    console.print(table)
    bars = Table("bar", "must be", "is", "")
    for name, bar in found["bars"].items():
        wanted = f"at least {bar['at_least']:g}" if bar["at_least"] is not None else f"below {bar['below']:g}"
        bars.add_row(name, wanted, _number(bar["value"]), "met" if bar["met"] else "[bold]not met[/]")
    console.print(bars)
    console.print(
        "finalise is the draft and `finish`; `start`, once before it in every run, counts only where the row says so"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or value >= 1000 else f"{value:.3g}"


def main() -> None:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    parser = argparse.ArgumentParser(description="Measure records, and MLflow and Optuna beside them.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    parser.add_argument("--quick", action="store_true", help="one turn, fewer operations, no large store")
    parser.add_argument("--on", type=Path, help="a folder on the disk to measure; a temporary one is made in it")
    peer = parser.add_mutually_exclusive_group()
    peer.add_argument("--peer-envs", type=Path, default=cache / "seedbed", help="the folder of the peers' environments")
    peer.add_argument("--no-peer", action="store_true", help="leave MLflow and Optuna out")
    options = parser.parse_args()
    wanted = () if options.no_peer else (MLFLOW, OPTUNA)
    pythons = {each: peer_python(each, options.peer_envs.absolute() / each.package) for each in wanted}
    peers = {each: python for each, python in pythons.items() if python}
    with tempfile.TemporaryDirectory(dir=options.on) as folder:
        found = Bench(QUICK if options.quick else FULL, peers, Path(folder).absolute()).run()
    if options.json:
        print(json.dumps(found))
    else:
        show(found)


if __name__ == "__main__":
    main()
