"""The cost of one change: on disk, compared with the durable writes that it needs, and in memory.

    python benchmarks/apply.py [--json] [--changes 300] [--folder .]

On disk, a change of the market's settings file takes the whole path: guards, intent, compare-and-swap, read-back, the
reader's answer, use, journal. Its floor makes the same durable calls with the same bytes and nothing else: three synced
appends to a log and one durable replacement of the file. Both alternate in this process, so that a busy disk is busy
for both.

In memory the settings are those of a live optimizer under a schedule. `apply and read back` is the work between
intent and applied: compare, write, read back, hash. `whole proposal` adds guards, history and the four chained records
of a journal in memory.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import final

import torch
from rich.console import Console
from rich.table import Table
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from seedbed.change import (
    Bindings,
    ChangeEngine,
    Delta,
    LearningRate,
    Parameter,
    Registry,
    Rules,
    Set,
    SettingsFile,
    bounds,
    no_op,
)
from seedbed.records import Journal, MemoryJournal, read_json_with_hash
from seedbed.records.storage import AppendFile, replace
from seedbed.soak import market_registry
from seedbed.soak.market import MARKET_INITIAL

DISK_BAR, MEMORY_BAR_US = 1.5, 50.0
KEY, VALUES = "base_spread_bps", (20.0, 21.0)

Found = dict[str, float]


@final
class Reader:
    """A consumer that holds what the file holds."""

    def __init__(self, path: Path, registry: Registry) -> None:
        self.path, self.registry = path, registry
        self.values: Mapping[str, float] = {}

    def reload(self) -> Mapping[str, float]:
        """Load the file."""
        self.values = self.registry.get_all(read_json_with_hash(self.path)[0])
        return self.values


def seconds(call: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    begun = clock()
    call()
    return clock() - begun


def on_disk(folder: Path, num_changes: int) -> Found:
    """Milliseconds of a change and of its floor, measured alternately: medians."""
    registry = market_registry()
    path = folder / "overrides.json"
    reader = Reader(path, registry)
    settings = SettingsFile(path, registry, reader)
    settings.create(MARKET_INITIAL)
    journal = folder / "changes.log"
    engine = ChangeEngine(Journal.open(journal), settings, registry)
    rules = Rules(registry, guards=(bounds, no_op))  # the others would stop a value that goes back and forth

    def change(number: int) -> None:
        delta = Delta(KEY, Set(VALUES[number % 2]), "the benchmark", "me")
        engine.propose_all([delta], number, rules=rules)
        settings.note_use(reader.values)

    change(0)
    lines = journal.read_bytes().splitlines(keepends=True)
    intent, applied, effective = b"".join(lines[:3]), lines[3], lines[4]
    document, log = path.read_bytes(), AppendFile.open(folder / "floor.log")

    def floor() -> None:
        log.append(intent)
        log.sync()
        replace(folder / "floor.json", document)
        for record in (applied, effective):
            log.append(record)
            log.sync()

    changes, floors, cpu = [], [], []
    for number in range(1, num_changes + 1):
        used = time.process_time()
        changes.append(seconds(partial(change, number)))
        cpu.append(time.process_time() - used)
        floors.append(seconds(floor))
    engine.require_effective()
    ratios = [one / other for one, other in zip(changes, floors, strict=True)]
    return {
        "change_ms": 1e3 * statistics.median(changes),
        "floor_ms": 1e3 * statistics.median(floors),
        "ratio": statistics.median(changes) / statistics.median(floors),
        "ratio_in_pairs": statistics.median(ratios),
        "change_cpu_ms": 1e3 * statistics.median(cpu),
    }


def in_memory(num_changes: int) -> Found:
    """Microseconds of applying a learning rate under a schedule, and of a whole proposal: medians."""
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.zeros(2)
    optimizer = AdamW([weight], lr=1e-3)
    scheduler = LambdaLR(optimizer, lambda _step: 1.0)
    key = "optimizer.lr"
    registry = Registry([Parameter(key, "1", 1e-9, 1.0)])
    target = Bindings({key: LearningRate(optimizer, scheduler)})

    def apply(value: float) -> None:
        before = target.read()
        target.write({key: value}, before)
        found = target.read()
        if found[key] != value or not registry.state_hash(found):
            sys.exit(f"{key}: wrote {value} and read {found[key]}")

    applied = [seconds(partial(apply, value)) for value in (1e-3, 2e-3) * (5 * num_changes)]
    engine = ChangeEngine(MemoryJournal(), target, registry)
    whole = []
    for number in range(num_changes):
        delta = Delta(key, Set((1e-3, 2e-3)[number % 2]), "the benchmark", "me")
        whole.append(seconds(partial(engine.propose_all, [delta], number)))
        optimizer.step()
        scheduler.step()
    engine.close()
    return {"apply_us": 1e6 * statistics.median(applied), "whole_proposal_us": 1e6 * statistics.median(whole)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what one change costs.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--changes", type=int, default=300, metavar="N", help="how many changes to measure")
    parser.add_argument("--folder", type=Path, default=Path(), help="where to write: a folder on the disk to measure")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found = {"disk": on_disk(Path(folder), options.changes), "memory": in_memory(options.changes)}
    if options.json:
        print(json.dumps(found))
        return
    disk, memory = found["disk"], found["memory"]
    table = Table("figure", "found", "bar")
    table.add_row("a change on the disk", f"{disk['change_ms']:.2f} ms, CPU {disk['change_cpu_ms']:.2f} ms", "")
    table.add_row("its floor, the durable calls alone", f"{disk['floor_ms']:.2f} ms", "")
    table.add_row(
        "change / floor", f"{disk['ratio']:.2f}, in pairs {disk['ratio_in_pairs']:.2f}", f"at most {DISK_BAR}"
    )
    table.add_row("apply and read back in memory", f"{memory['apply_us']:.1f} µs", f"below {MEMORY_BAR_US:g} µs")
    table.add_row("whole proposal in memory", f"{memory['whole_proposal_us']:.1f} µs", "")
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    main()
