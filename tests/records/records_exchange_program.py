"""Two stores that grew apart are put back, copied over each other and merged at random; whatever finished is kept.

    python records_exchange_program.py exchange FOLDER --seeds 0 200

Each seed is one history of two stores: runs finish; a log is saved and put back later; one store is copied into the
other, over what is there or beside it; one is merged into the other; one is repaired or recovered. In the end both are
recovered and repaired, and the numbers of which no copy is left are given up. Then each must hold every run that ever
finished in it or came into it, as it was; `fsck` finds no damage; every commit names the one before it,
or that it was lost then, or `fsck` says which one took its place; and the next run can finish. Prints one JSON object.
"""

import argparse
import json
import random
import shutil
import sys
import warnings
from itertools import pairwise
from pathlib import Path
from unittest import mock

from records_world import PROJECT, draft

from seedbed.errors import StoreDamaged
from seedbed.records import FindingKind, Store, fsck, merge, quarantine, recover, repair, verify
from seedbed.records.log import _log
from seedbed.records.log._baselines import number_at
from seedbed.records.maintenance._findings import NO_COPY

WEIGHTS = {"finish": 8, "save": 2, "restore": 2, "copy": 2, "merge": 2, "recover": 1, "repair": 1}
WITHOUT_COPY = (FindingKind.DIGEST_WRONG, FindingKind.COMMIT_MISSING)
ACCEPTED = (FindingKind.RENUMBERED, FindingKind.QUARANTINED)


class Histories:
    """Two stores and what each must hold: the average precision of every run by its name."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.folders = [folder / "a", folder / "b"]
        self.saved = [folder / "saved-a", folder / "saved-b"]
        self.owed: list[dict[str, float]] = [{}, {}]
        self.num_runs = 0
        Store.open(self.folders[0], create=True)
        for _ in range(self.rng.randint(0, 3)):
            self.finish(0)
        shutil.copytree(self.folders[0], self.folders[1])
        self.owed[1] = dict(self.owed[0])

    def finish(self, at: int) -> None:
        """Finish a run with a result of its own, sometimes of a comparison group of its own."""
        self.num_runs += 1
        name, ap = f"run-{self.num_runs}", self.num_runs / 1000
        run = Store.open(self.folders[at]).start(PROJECT, name)
        run.log(1, {"loss": ap})
        run.save_blob("weights", name.encode())
        run.finish(draft(name, ap=ap, data=name if self.rng.random() < 0.5 else "data"))
        self.owed[at][name] = ap

    def save(self, at: int) -> None:
        """Keep a copy of the log, as a backup does."""
        shutil.rmtree(self.saved[at], ignore_errors=True)
        self.saved[at].mkdir()
        for name in ("log", "latest"):
            if (self.folders[at] / name).exists():
                shutil.copytree(self.folders[at] / name, self.saved[at] / name)

    def restore(self, at: int) -> None:
        """Put the copy of the log back, with LATEST or without."""
        if not self.saved[at].exists():
            return
        for name in ("log", "latest")[: self.rng.randint(1, 2)]:
            shutil.rmtree(self.folders[at] / name, ignore_errors=True)
            if (self.saved[at] / name).exists():
                shutil.copytree(self.saved[at] / name, self.folders[at] / name)

    def copy(self, at: int) -> None:
        """Copy all files of the other store into this one: over those that are there, or beside them."""
        overwrite = self.rng.random() < 0.5
        for path in sorted(self.folders[1 - at].rglob("*")):
            into = self.folders[at] / path.relative_to(self.folders[1 - at])
            if path.is_file() and (overwrite or not into.exists()):
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, into)
        self.owed[at] |= self.owed[1 - at]

    def merge(self, at: int) -> None:
        """Merge the other store into this one: what its log holds is owed from now on."""
        found = merge(Store.open(self.folders[at]), Store.open(self.folders[1 - at]))
        if any("run `seedbed runs recover`" in item.problem for item in found):
            if any("in that store" in item.problem for item in found):
                self.recover(1 - at)
            self.recover(at)
            found = merge(Store.open(self.folders[at]), Store.open(self.folders[1 - at]))
        for item in found:
            assert not item.problem, item
            self.owed[at][item.run_id] = self.owed[1 - at][item.run_id]

    def recover(self, at: int) -> None:
        """Bring back what can be brought back."""
        refused = [item for item in recover(Store.open(self.folders[at])) if item.problem]
        assert not refused, refused

    def repair(self, at: int) -> None:
        """Repair what is derived."""
        repair(Store.open(self.folders[at]))

    def check(self, at: int) -> None:
        """Recover and repair the store, then look for all that it must hold."""
        self.recover(at)
        self._accept(at)
        self.repair(at)
        found = fsck(Store.open(self.folders[at]))
        wrong = [item for item in found if item.kind not in ACCEPTED]
        assert not wrong, wrong
        store = Store.open(self.folders[at])
        commits = list(store.log(PROJECT).commits())
        held = {(commit.snapshot.run_id, number_at(commit.snapshot, "metrics.test.ap")) for commit in commits}
        assert held == set(self.owed[at].items()), held ^ set(self.owed[at].items())
        told = {item.path for item in found}
        for earlier, later in pairwise(commits):
            named = later.snapshot.previous
            assert named is not None
            if earlier.seq == later.seq - 1 and named.digest != earlier.digest and not named.is_lost:
                assert told & {store.log(PROJECT).key(commit.seq) for commit in (earlier, later)}
        assert all(item.holds for view in store.runs(PROJECT) if view.commit for item in verify(store, view))
        self.finish(at)
        assert Store.open(self.folders[at]).find(f"run-{self.num_runs}").commit is not None

    def _accept(self, at: int) -> None:
        """Do what `fsck` advises where no copy is left of the commit that had a number, or another has its place."""
        while lost := [item for item in fsck(Store.open(self.folders[at])) if item.kind in WITHOUT_COPY]:
            assert lost[0].advice == NO_COPY, lost[0]
            quarantine(Store.open(self.folders[at]), lost[0].path, "copied over another")
            self.recover(at)


def tried(folder: Path, seed: int) -> int:
    """Play the history of `seed` in a new folder; return how many runs finished. Raises AssertionError."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    histories = Histories(folder, seed)
    steps = histories.rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=histories.rng.randint(5, 25))
    with warnings.catch_warnings(action="ignore", category=StoreDamaged):
        for step in steps:
            getattr(histories, step)(histories.rng.randint(0, 1))
        for at in (0, 1):
            histories.check(at)
    shutil.rmtree(folder)
    return histories.num_runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", choices=["exchange"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 300))
    options = parser.parse_args()
    num_runs = 0
    # A checkpoint after every fourth commit, so that many of them are of another log by the end.
    with mock.patch.object(_log, "CHECKPOINT_EVERY", 4):
        for seed in range(*options.seeds):
            try:
                num_runs += tried(options.folder / "exchange", seed)
            except Exception as problem:
                problem.add_note(f"seed {seed}")
                raise
    sys.stdout.write(json.dumps({"points": options.seeds[1] - options.seeds[0], "stood": num_runs}))


if __name__ == "__main__":
    main()
