"""Tests the soak verifier: corruptions that it must find, and honest soaks that it must not accuse.

Every corruption of `seedbed.testing.soak` is applied to three soaks of the mock and three of the market, each time at
another random place. It must be found, and its place be named first. Corruptions that a real soak could have left must
be found by the anchor. 200 honest soaks of the mock and 10 of the market must not be accused of anything. Each has its
own seed and length, some have a fault, some are stopped and resumed. Exits with 1 otherwise.

    python scripts/conformance.py
    python scripts/conformance.py --honest 20 --soaks 1 --json
"""

import argparse
import json
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from random import Random

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from seedbed.dashboard import soak_drawing
from seedbed.records import canonical_json
from seedbed.soak import PlantKind, Soak, SoakFault, SoakFolder, SoakPlan, TunerKind, assemble, finish, verify_soak
from seedbed.testing.soak import ANCHORED, CORRUPTIONS, Base, Corruption, Scene, names_place

LENGTHS = {PlantKind.MOCK: 16, PlantKind.MARKET: 12}
NUM_MARKET = 10


class Silent:
    """An observer that does nothing."""

    def iterated(self, progress: object) -> None:
        """Do nothing."""

    def noted(self, text: str) -> None:
        """Do nothing."""


def main() -> int:
    """Run as asked; exit 1 on a miss or a false accusation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--soaks", type=int, default=3, help="corrupted soaks of each plant")
    parser.add_argument("--honest", type=int, default=200, help="honest soaks of the mock")
    parser.add_argument("--processes", type=int, default=2, help="how many work at once")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    began = time.monotonic()
    jobs: list[Callable[[], list[dict]]] = [
        *(
            partial(attacked, plant, seed)
            for plant in (PlantKind.MARKET, PlantKind.MOCK)
            for seed in range(options.soaks)
        ),
        *(partial(honest, PlantKind.MARKET, seed) for seed in range(min(NUM_MARKET, options.honest))),
        *(partial(honest, PlantKind.MOCK, seed) for seed in range(options.honest)),
    ]
    rows = [row for result in results(jobs, options.processes) for row in result]
    wrong = [row for row in rows if not row["holds"]]
    if options.json:
        print(json.dumps({"wrong": wrong, "num_attacks": sum(row["kind"] == "attack" for row in rows), "rows": rows}))
    else:
        show(rows, time.monotonic() - began)
    return 1 if wrong else 0


def results(jobs: Iterable[Callable[[], list[dict]]], num_processes: int) -> Iterable[list[dict]]:
    """The results of the jobs, in order, with a progress bar."""
    with Progress(console=Console(stderr=True), transient=True) as line, ProcessPoolExecutor(num_processes) as pool:
        task = line.add_task("soaks", total=len(jobs := list(jobs)))
        for result in pool.map(run_job, jobs):
            line.advance(task)
            yield result


def run_job(job: Callable[[], list[dict]]) -> list[dict]:
    """Run one job, without the warnings of failed changes, which are intended here."""
    logging.getLogger("seedbed").setLevel(logging.CRITICAL)
    return job()


def attacked(plant: PlantKind, seed: int) -> list[dict]:
    """Apply every corruption to one set of soaks."""
    with tempfile.TemporaryDirectory() as folder:
        root, length = Path(folder), LENGTHS[plant]
        plan = partial(SoakPlan, plant=plant, tuner=TunerKind.RULES, profile="quick", iterations=length, seed=seed)
        soaks = {
            Base.HEALTHY: finished(root, plan(soak_id="healthy")),
            Base.FAILED: finished(root, plan(soak_id="failed", fault=SoakFault.DROPPED, fault_from=5)),
            Base.UNSEEN: finished(
                root, plan(soak_id="unseen", fault=SoakFault.CLAMPED, fault_from=length - 3), ends_after=length - 5
            ),
        }
        other = finished(root, plan(soak_id="other", seed=seed + 100, iterations=length - 1))
        return [
            *(attack(plant, seed, name, soaks, other) for name in CORRUPTIONS),
            *(anchored(plant, seed, name, soaks, other) for name in ANCHORED),
        ]


def attack(plant: PlantKind, seed: int, name: str, soaks: dict[Base, SoakFolder], other: SoakFolder) -> dict:
    """Whether a corruption is found, and its place is named first."""
    with tempfile.TemporaryDirectory() as folder:
        copy, place = corrupted(CORRUPTIONS[name], soaks, other, Path(folder), seed)
        found = verify_soak(copy, assemble, drawing=soak_drawing())
        first = f"{found.accusations[0].flaw.value}: {found.accusations[0].where}" if found.accusations else ""
        caught = not found.clean
        return {
            "kind": "attack",
            "name": name,
            "what": CORRUPTIONS[name].what,
            "soak": f"{plant} {seed}",
            "place": place,
            "found": first,
            "caught": caught,
            "holds": caught and names_place(found, place),
        }


def anchored(plant: PlantKind, seed: int, name: str, soaks: dict[Base, SoakFolder], other: SoakFolder) -> dict:
    """Whether the anchor finds what the files alone cannot show."""
    kept = json.loads((soaks[ANCHORED[name].base].path / "POST_SOAK_SNAPSHOT.json").read_bytes())["digest"]
    with tempfile.TemporaryDirectory() as folder:
        copy, place = corrupted(ANCHORED[name], soaks, other, Path(folder), seed)
        caught = not verify_soak(copy, assemble, anchor=kept, drawing=soak_drawing()).clean
        return {
            "kind": "attack",
            "name": name,
            "what": f"{ANCHORED[name].what} (with the anchor)",
            "soak": f"{plant} {seed}",
            "place": place,
            "found": "anchor" if caught else "",
            "caught": caught,
            "holds": caught,
        }


def corrupted(
    corruption: Corruption, soaks: dict[Base, SoakFolder], other: SoakFolder, root: Path, seed: int
) -> tuple[SoakFolder, str]:
    """A falsified copy, and the place of the corruption."""
    whole = soaks[corruption.base]
    copy = Path(shutil.copytree(whole.path, root / whole.path.name))
    return SoakFolder(copy), corruption.inflict(Scene(copy, other.path, Random(seed)))


def honest(plant: PlantKind, seed: int) -> list[dict]:
    """Whether an honest soak is accused of anything, with or without a fault or a stop."""
    random = Random(canonical_json([plant.value, seed]))
    tuner = random.choice([TunerKind.RULES, TunerKind.RULES, TunerKind.RULES, TunerKind.NONE])
    fault = random.choice([None, *SoakFault]) if tuner is not TunerKind.NONE else None
    length = random.choice([8, 12, 16] if plant is PlantKind.MOCK else [7, 8])
    plan = SoakPlan(
        soak_id="honest",
        plant=plant,
        seed=seed,
        tuner=tuner,
        iterations=length,
        profile=random.choice(["quick", "standard"]),
        control=random.random() < 0.8,
        fault=fault,
        fault_from=5,
    )
    stops = [random.randint(1, length)] if random.random() < 0.3 else []
    with tempfile.TemporaryDirectory() as folder:
        found = verify_soak(finished(Path(folder), plan, stops), assemble, drawing=soak_drawing())
    accusations = "; ".join(f"{each.flaw.value}, {each.where}: {each.what}" for each in found.accusations[:3])
    what = f"{plan.fault.value if plan.fault else 'no fault'}, {'stopped and resumed' if stops else 'in one go'}"
    return [{"kind": "honest", "name": what, "soak": f"{plant} {seed}", "found": accusations, "holds": found.clean}]


def finished(root: Path, plan: SoakPlan, stops: Iterable[int] = (), ends_after: int | None = None) -> SoakFolder:
    """A finished soak that was stopped once the artifact of each of these iterations existed.

    With `ends_after`, its time was up once the artifact before that iteration existed.
    """
    folder = SoakFolder.create(root, plan)
    is_late = (folder.path / f"ITER_SUMMARY_{(ends_after or plan.iterations + 2) - 1}.json").exists
    for until in (*stops, plan.iterations + 1):
        soak = Soak(folder, assemble(plan), Silent())
        try:
            soak.run((folder.path / f"ITER_SUMMARY_{until}.json").exists, is_late)
        finally:
            soak.close()
    finish(folder, assemble, drawing=soak_drawing())
    return folder


def show(rows: list[dict], seconds: float) -> None:
    """Print a line for each corruption, the counts, and every row that does not hold."""
    table = Table("corruption", "what", "caught", "place named")
    attacks = [row for row in rows if row["kind"] == "attack"]
    for name in dict.fromkeys(row["name"] for row in attacks):
        mine = [row for row in attacks if row["name"] == name]
        caught, named = (sum(row[key] for row in mine) for key in ("caught", "holds"))
        style = None if named == len(mine) else "red"
        table.add_row(name, mine[0]["what"], f"{caught} of {len(mine)}", f"{named} of {len(mine)}", style=style)
    console = Console()
    console.print(table)
    truthful = [row for row in rows if row["kind"] == "honest"]
    accused = [row for row in truthful if not row["holds"]]
    console.print(
        f"{len(attacks)} attacks, {sum(row['caught'] for row in attacks)} caught, "
        f"{sum(row['holds'] for row in attacks)} with their place named"
    )
    console.print(f"{len(truthful)} honest soaks, {len(accused)} accused; {seconds:.0f} s")
    for row in rows:
        if not row["holds"]:
            console.print(f"[red]{row['name']}, {row['soak']}:[/] found {row['found'] or 'nothing'}", soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
