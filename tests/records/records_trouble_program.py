"""Run by the tests of trouble in a process of its own: a store of three projects, of which one file goes bad at a time.

    python records_trouble_program.py flip|rubbish FOLDER [--places 6] [--every 1] [--seed 0]

`flip` flips one bit at `--places` places of every file, `rubbish` puts into the place of every file what no version of
Seedbed wrote. Each time all that does not rest on that file reads as before, new runs of that project and of another
finish, `fsck` names that very file, unless everything reads as before, and what it advises leaves a clean store.
Prints one JSON line: `points`, and in how many of them the file was named (`stood`).
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

from records_world import draft

from seedbed.errors import InvalidInput, NotFound, SeedbedError, StoreCorrupt, StoreDamaged
from seedbed.records import (
    Catalog,
    FindingKind,
    PromotionRule,
    RetentionPolicy,
    Store,
    export_index,
    fsck,
    gc,
    parse_query,
    plan_gc,
    quarantine,
    recover,
    repair,
    run_events,
    stats,
    verify,
)
from seedbed.records.log import _log
from seedbed.records.maintenance._findings import EXPIRE, RESTORE_OR_MOVE
from seedbed.testing import FakeClock

PROJECTS = ("a", "b", "c")
KEEP_TWO = RetentionPolicy.model_validate({"rules": [{"keep_last": 2}]})
ACCEPTED = {FindingKind.QUARANTINED, FindingKind.RECORD_NEWER}
RUBBISH = {
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 50_000,
    "no text": b"\xff\xfe\x00{}" * 7,
    "nothing": b"",
    "zeros": bytes(4096),
    "null": b"null",
    "no object": b"[1]",
    "a huge number": b'{"format_version":1' + b"0" * 5000 + b"}",
    "half a pair": b'{"status": "\\ud800", "path": "\\ud800", "run_id": "\\udfff"}',
    "large": b'{"a":"' + b"x" * 3_000_000 + b'"}',
}


def finish(store, project, run_id, **fields):
    """A run with a step, a blob and a journal."""
    with store.start(project, run_id) as run:
        run.log(1, {"loss": 0.5})
        run.log(2, {"loss": 0.25})
        run.save_blob("weights", f"weights of {run_id} of {project}".encode())
        journal = run.journal("notes")
        if not journal.entries():
            journal.append("noted", {"value": 1})
        whole = draft(run_id, **fields)
        return run.finish(run.draft(whole.metadata, whole.metrics, whole.fingerprints, whole.config))


def begin(path):
    """A store with a file of every kind: three projects, of which one has a run that failed and one that was killed."""
    store = Store.open(path, create=True)
    for project in PROJECTS:
        rule = PromotionRule(metric="metrics.test.ap")
        store.log(project).baselines.set_rule(rule, "the best", store.clock.now())
        for number in (1, 2, 3):
            finish(store, project, f"r{number}", ap=0.5 + number / 10)
    for project, run_id in (("a", "failed"), ("b", "killed")):
        if (child := os.fork()) == 0:
            run = store.start(project, run_id)
            run.log(1, {"loss": 0.5})
            if run_id == "failed":
                run.failed("no memory")
            os._exit(0)
        os.waitpid(child, 0)
    gc(Store.open(path, clock=FakeClock(store.clock.now() + timedelta(days=3))), KEEP_TWO)  # when blobs are old enough
    Catalog.open(store).close()
    export_index(store)
    assert fsck(store) == []
    return store


def seen(path):
    """What a reader sees of each run, of the searches and of the promotions."""
    store = Store.open(path)
    found: dict[str, Any] = {}
    for view in store.runs():
        assert store.find(view.run_id, project=view.project) == view
        told: list[Any] = [view.status, view.attempt, failing(store, view)]
        if view.commit:
            told += [view.commit.digest, view.commit.snapshot.diff_prev.prev_run_id]
        try:
            told += [(event.step, dict(event.values)) for event in run_events(store, view)]
        except (NotFound, StoreCorrupt, InvalidInput) as problem:
            told += [type(problem)]
        found[f"{view.project}/{view.run_id}"] = told
    for project in PROJECTS:
        with contextlib.suppress(StoreCorrupt):
            found[f"{project} promoted"] = [record.digest for record in store.log(project).baselines.history()]
        commits = list(store.log(project).commits())
        if len(commits) > 1:
            found[f"{project} compared"] = store.log(project).diff(commits[-2], commits[-1]).summary
    with Catalog.open(store) as catalog:
        hits = catalog.search(parse_query("metrics.test.ap>0.1"), limit=-1)
        found["found"] = sorted((hit.project, hit.seq) for hit in hits)
        assert all(store.log(project).readable(seq) for project, seq in found["found"]), found["found"]
    return found


def failing(store, view):
    """The checks of a run that do not hold; None where nothing can be checked."""
    try:
        return [check.name for check in verify(store, view) if not check.holds]
    except SeedbedError:
        return None


def spoiled(key):
    """The run that the file at `key` is of, or else its project, "" for a file of none: what may read otherwise."""
    top, *parts = key.split("/")
    if top == "runs":
        return f"{parts[0]}/{parts[1]}"
    return parts[0] if top in ("log", "baselines", "released", "latest") else ""


def how_refused(path):
    """How a store is refused as a whole; "" where it can be opened."""
    try:
        Store.open(path)
    except (StoreCorrupt, InvalidInput) as refusal:
        return str(refusal)
    return ""


def look_at(path, key, before, what):
    """All but what the file tells of is as before, everybody goes on, and `fsck` names the file; whether it did."""
    if key == "seedbed.json" and (refusal := how_refused(path)):
        assert "seedbed.json" in refusal or "has format" in refusal, (what, refusal)
        shutil.copy(path.with_name("left") / key, path / key)
        assert fsck(Store.open(path)) == []
        return True
    store = Store.open(path)
    named = {finding.path: finding for finding in fsck(store)}
    with contextlib.suppress(StoreCorrupt):  # nothing is swept beside damage
        plan_gc(Store.open(path))
    stats(Store.open(path))
    after, alone = seen(path), {}
    # A record of the log is the commit of one run; whatever else reads otherwise tells of that run, or is damaged.
    for place, expected in before.items():
        project = place.split("/")[0].split(" ")[0]
        if after.get(place) != expected:
            alone[place] = after.get(place)
        if spoiled(key) in ("", project) or spoiled(key) == place or place == "found":
            continue
        if "/" in spoiled(key) and place != spoiled(key):
            assert after.get(place) == expected, (key, what, place, expected, after.get(place))
        assert after.get(place) == expected, (key, what, place, expected, after.get(place))
    runs = [place for place in alone if "/" in place]
    assert len(runs) <= 1, (key, what, alone)
    is_named = key in named or any(key.startswith(f"{place}/") for place in named)
    # A status has no digest, so another text in it is not seen; and a tail begins empty, then with zeros.
    is_seen = not key.endswith("/status.json") and what != "zeros" and (what, key[-5:]) != ("nothing", ".tail")
    assert is_named or not alone or not is_seen, (key, what, alone, named)
    others = [named[place] for place in named if place != key and not key.startswith(f"{place}/")]
    assert all(finding.kind in ALSO or finding.advice == EXPIRE for finding in others), (key, what, others)
    for project in dict.fromkeys((spoiled(key).split("/")[0] or "a", "c", "new")):
        made = finish(Store.open(path), project, "new")
        assert Store.open(path).log(project).read(made.seq) == made
    kept = {place: found for place, found in after.items() if "/" in place}
    again = seen(path)
    assert {place: again.get(place) for place in kept} == kept, (key, what)
    settle(path, key)
    left = [finding for finding in fsck(Store.open(path)) if finding.kind not in ACCEPTED]
    assert left == [], (key, what, left)
    return is_named


# Beside the damaged file: what a commit says of others that can be read, or what cannot be judged without it.
ALSO = {FindingKind.COMMIT_LOST, FindingKind.CATALOG_STALE}


def settle(path, key):
    """Do what `fsck` advises: bring back, put back from a copy, accept the loss, repair."""
    whole = path.with_name("left") / key
    recover(Store.open(path))
    for finding in fsck(Store.open(path)):
        if finding.kind is FindingKind.BLOB_DAMAGED or finding.kind is FindingKind.BLOB_MISSING:
            shutil.copy(whole, path / key)
        elif finding.kind is FindingKind.CLAIM_DAMAGED:
            place = path / finding.path
            folder = place if place.is_dir() else place.parent
            folder.rename(path.with_name("aside"))
            shutil.rmtree(path.with_name("aside"))
        elif finding.advice == RESTORE_OR_MOVE:
            (path / finding.path).unlink()
        elif "quarantine" in finding.advice and finding.advice != EXPIRE:
            with contextlib.suppress(NotFound):
                quarantine(Store.open(path), finding.path, "no copy")
    if key.startswith("released/"):
        gc(Store.open(path), KEEP_TWO)
    repair(Store.open(path))


def tried(folder, options, change):
    """Change one file after another in a copy of the store; the number of changes, and how many were named."""
    left, path = folder / "left", folder / "changed"
    begin(left)
    before = seen(left)
    keys = sorted(item.relative_to(left).as_posix() for item in left.rglob("*") if item.is_file())
    points = stood = 0
    for key in keys[options.seed % options.every :: options.every]:
        data = (left / key).read_bytes()
        for what, changed in change(key, data, options):
            shutil.copytree(left, path)
            (path / key).write_bytes(changed)
            with warnings.catch_warnings(action="ignore", category=StoreDamaged):
                stood += look_at(path, key, before, what)
            points += 1
            shutil.rmtree(path)
    return points, stood


def flips(key, data, options):
    """`data` with one bit flipped, at seeded places."""
    rng = random.Random(f"{options.seed} {key}")
    for place in sorted(rng.sample(range(len(data) * 8), min(options.places, len(data) * 8))):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        yield place, bytes(changed)


def rubbish(key, data, options):
    """What no version of Seedbed wrote."""
    rng = random.Random(f"{options.seed} {key}")
    for what in rng.sample(sorted(RUBBISH), min(options.places, len(RUBBISH))):
        yield what, RUBBISH[what]


def main():
    programs = {"flip": flips, "rubbish": rubbish}
    parser = argparse.ArgumentParser()
    parser.add_argument("program", choices=programs)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--places", type=int, default=6)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    _log.CHECKPOINT_EVERY = 2
    points, stood = tried(options.folder, options, programs[options.program])
    sys.stdout.write(json.dumps({"points": points, "stood": stood}))


if __name__ == "__main__":
    main()
