"""Kill the demo with SIGKILL at random moments, look at the store each time, and let it end.

After every kill the store must open, `fsck` must find no damage, and everything that an earlier look found must still
be there: each commit with its digest, each record of each log. The run that was killed is resumed until it commits,
then another begins; at the end every run's metrics must have the digest of a demo that nobody killed.

    python scripts/kill_demo.py --kills 20 --events 8000 --epochs 2
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from seedbed.contracts import RunStatus
from seedbed.records import Store, digest, fsck, read_journal
from seedbed.records import verify as recompute


class Broken(Exception):
    """A promise of the store that was not kept."""


def main() -> int:
    """Run as asked; exit 1 at the first broken promise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--events", type=int, default=8000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        try:
            torture(Path(folder), options, console)
        except Broken as broken:
            console.print(f"[bold red]broken:[/] {broken}")
            return 1
    return 0


def torture(folder: Path, options: argparse.Namespace, console: Console) -> None:
    """Kill `options.kills` demos in a store under `folder`, checking after each; raises Broken."""
    began = time.monotonic()
    whole = ended(start(options, folder / "whole", None))
    length_seconds = time.monotonic() - began
    console.print(f"an undisturbed demo takes {length_seconds:.0f} s; killing {options.kills} at random moments of it")
    rng, store_path, seen, resume = random.Random(options.seed), folder / "store", dict[str, str](), None
    table = Table("kill", "after", "the run was", "commits", "log records", "leftovers")
    number = 0
    while number < options.kills:
        after = rng.uniform(0.05, 0.95) * length_seconds
        number += kill(start(options, store_path, resume), after)
        status, seen, leftovers, resume = look(store_path, seen)
        num_commits = sum(name.startswith("commit") for name in seen)
        row = (str(number), f"{after:.1f} s", status, str(num_commits), str(len(seen) - num_commits), str(leftovers))
        console.print(" ".join(row), style="dim")
        table.add_row(*row)
    while resume is not None:
        ended(start(options, store_path, resume))
        _, seen, _, resume = look(store_path, seen)
    digests = {view.commit.snapshot.digests["metrics"] for view in Store.open(store_path).runs() if view.commit}
    if digests != {whole}:
        raise Broken(f"metrics have digests {digests}, an undisturbed demo's is {whole}")
    console.print(table)
    console.print(f"{options.kills} kills: nothing lost; every run ended with the metrics of an undisturbed one")


def start(options: argparse.Namespace, store: Path, resume: str | None) -> subprocess.Popen[str]:
    """A demo in a process of its own."""
    command = [sys.executable, "-m", "seedbed", "demo", "--json", "--no-open", "--store", str(store)]
    command += ["--events", str(options.events), "--epochs", str(options.epochs)]
    command += [] if resume is None else ["--resume", resume]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def kill(demo: subprocess.Popen[str], after_seconds: float) -> bool:
    """SIGKILL `demo` after so long; false when it had ended by then."""
    try:
        demo.communicate(timeout=after_seconds)
    except subprocess.TimeoutExpired:
        demo.kill()
        demo.communicate()
        return True
    return False


def ended(demo: subprocess.Popen[str]) -> str:
    """Wait for `demo` to commit; the digest of its metrics."""
    printed, _ = demo.communicate()
    try:
        return digest(json.loads(printed)["metrics"])
    except (ValueError, KeyError) as problem:
        raise Broken(f"a demo that nobody killed exited {demo.returncode} without metrics") from problem


def look(path: Path, seen: dict[str, str]) -> tuple[str, dict[str, str], int, str | None]:
    """What the store holds now, by name and digest, after checking it against what was `seen` before.

    Returns the newest run's status, all that is there, the number of leftovers, and the run to resume, if any.
    """
    if not (path / "seedbed.json").exists():
        return "not begun", seen, 0, None
    store = Store.open(path)
    findings = fsck(store)
    damage = [finding for finding in findings if finding.kind.is_damage]
    if damage:
        raise Broken(f"fsck found {damage}")
    there = dict(contents(store))
    lost = [name for name, known in seen.items() if there.get(name) != known]
    if lost:
        raise Broken(f"{len(lost)} things that were there are not: {lost[:3]}")
    unfinished = [view for view in store.runs() if view.commit is None]
    status = unfinished[-1].status if unfinished else RunStatus.FINISHED
    return status.value, there, len(findings), unfinished[-1].run_id if unfinished else None


def contents(store: Store) -> Iterator[tuple[str, str]]:
    """Every commit and every record of every log, by name, with its digest."""
    for view in store.runs():
        if view.commit is not None:
            broken = [check.name for check in recompute(store, view) if not check.holds]
            if broken:
                raise Broken(f"{view.run_id}: {broken} do not hold")
            yield f"commit {view.commit.seq}", view.commit.digest
        for name in ("events.log", "changes.log"):
            if (view.folder / name).exists():
                for entry in read_journal(view.folder / name):
                    yield f"{view.run_id}/{name}/{entry.sequence}", entry.digest


if __name__ == "__main__":
    sys.exit(main())
