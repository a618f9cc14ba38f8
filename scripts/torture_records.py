"""Break the store in every way that the tests know, at every point; the test suite itself tries only some points.

Every durable call of a run, of the attempt after a killed one and of a repair is killed in turn; every state that a
power cut may leave after each call is checked; every call fails with EIO, ENOSPC, EROFS and EMFILE; a log of step
metrics is cut at every byte; loops that log as fast as they can are killed; and 8 writers are killed and stopped at
random beside a reader that never stops. Every file of a store gets a bit flipped at many places, and rubbish in its
place; other tools leave what they leave in every folder; children are forked at every state of a run; clocks differ by
anything; services pass over conditions; steps are of every numeric type. Logs are put back from older copies, and two
stores that went apart are copied over each other and merged. 10,000 schedules run on simulated disks and file servers.
Exits with 1 when something that was acknowledged is lost, or a store cannot be used further. Takes about an hour.

    python scripts/torture_records.py
    python scripts/torture_records.py --only commit --only hammer --json
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

PROGRAMS = Path(__file__).parents[1] / "tests/records"
WHAT = {
    "commit": "killed at every durable call of a run",
    "again": "killed at a call of a run, then at one of the attempt after it",
    "repair": "killed at every durable call of a repair",
    "faults": "every call of a run fails: EIO, ENOSPC, EROFS, EMFILE",
    "events": "step metrics cut at every byte",
    "flat-out": "a loop that logs as fast as it can killed at 20 random moments",
    "power": "power lost after every call of two runs",
    "power-again": "power lost in the attempt after a killed one",
    "flip": "a bit flipped at 6 places of every file, one at a time",
    "rubbish": "every file in turn replaced by what no version wrote",
    "strangers": "files and folders of other tools in every folder",
    "forks": "forked children do all that a run can, at every state of it",
    "clocks": "heartbeats of every age, place and time zone",
    "endpoints": "services that know no conditional put",
    "steps": "a step of every numeric type",
    "exchange": "300 histories of two stores: older logs put back, copied over each other, merged",
    "hammer": "8 writers x 200 runs, killed and stopped at random, beside a reader",
    "simulated": "10,000 schedules on simulated disks and NFS: deaths, power cuts, stale names",
}
# The program of each, if it is not that of crashes, and what it is told beside its name and a folder.
PROGRAM = {
    **dict.fromkeys(("flip", "rubbish"), "trouble"),
    **dict.fromkeys(("strangers", "forks", "clocks", "endpoints", "steps"), "others"),
    **{name: name for name in ("exchange", "hammer", "simulated")},
}
COUNTS = {"exchange": 300, "simulated": 10_000}  # of seeds
SEEDED = ("flat-out", "flip", "rubbish", "hammer")
NOTHING = (
    *("lost", "duplicated", "gaps", "wrong_predecessors", "invalid_reads", "damage", "findings_after_repair"),
    "failed",  # schedules, by their seeds
)


def main() -> int:
    """Run the chosen programs; return 1 when anything is lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=WHAT, help="run only this program; repeatable")
    parser.add_argument("--seed", type=int, default=0, help="the seed for all that is drawn: kills, flips, schedules")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    console = Console(stderr=True)
    found = {}
    for name in options.only or WHAT:
        console.print(f"{name}: {WHAT[name]}", style="dim")
        found[name] = tried(name, options.seed)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        show(found)
    return 0 if all(result["holds"] for result in found.values()) else 1


def tried(name: str, seed: int) -> dict:
    """Run one program; return its result and how long it took."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, *command_of(name, seed, Path(folder) / "store")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = round(time.monotonic() - began, 1)
    if done.returncode and not done.stdout:
        return {"holds": False, "seconds": seconds, "problem": done.stderr.strip().splitlines()[-1]}
    result = json.loads(done.stdout)
    holds = not done.returncode and not any(result.get(wrong) for wrong in NOTHING)
    return {"holds": holds, "seconds": seconds, **result}


def command_of(name: str, seed: int, store: Path) -> list[str]:
    """The program `name`, and what it is told."""
    program = str(PROGRAMS / f"records_{PROGRAM.get(name, 'crash')}_program.py")
    command = [program] if name == "simulated" else [program, name, str(store)]
    if name in COUNTS:
        command += ["--seeds", str(seed * COUNTS[name]), str((seed + 1) * COUNTS[name])]
    if name in SEEDED:
        command += ["--seed", str(seed)]
    return [*command, "--processes", "8", "--count", "200"] if name == "hammer" else command


def show(found: dict[str, dict]) -> None:
    """Print one line a program, and all counts of the hammer."""
    table = Table("what", "points", "of them committed, or told", "seconds", "nothing lost")
    for name, result in found.items():
        points, stood = result.get("points", result.get("acknowledged")), result.get("stood", "")
        word = "[green]yes[/]" if result["holds"] else f"[red]no: {result.get('problem', result)}[/]"
        table.add_row(WHAT[name], f"{points:,}" if points else "", str(stood), f"{result['seconds']:.0f}", word)
    console = Console()
    console.print(table)
    if "hammer" in found:
        console.print_json(data=found["hammer"])


if __name__ == "__main__":
    sys.exit(main())
