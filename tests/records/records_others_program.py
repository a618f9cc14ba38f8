"""Run by the tests of trouble in a process of its own: what other tools, processes, clocks, services and libraries do.

    python records_others_program.py strangers|forks|clocks|endpoints|steps FOLDER [--every 1]

`strangers` puts what other tools leave into every folder of a store; `forks` lets children that were forked at every
state of a run do all that a run can; `clocks` lets attempts on other machines have clocks that differ by anything;
`endpoints` writes a store in a bucket through services that know no conditional put; `steps` logs at steps of every
numeric type. Each time what is right is worked out here by itself. `--every` leaves points out.
Prints one JSON line: `points`, and in how many of them something was refused or passed over (`stood`).
"""

import argparse
import enum
import itertools
import json
import multiprocessing
import os
import shutil
import sys
import threading
import urllib.request
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from records_lossy_server import UnconditionalServer, served
from records_trouble_program import begin, finish, seen
from records_world import PROJECT, commit, draft

from seedbed.contracts import RunStatus
from seedbed.errors import Conflict, InvalidInput
from seedbed.records import PromotionRule, Store, fsck, gc, read_journal, run_events, stats
from seedbed.records.storage import _cloud
from seedbed.testing import FakeClock

FOLDERS = (".ipynb_checkpoints", "@eaDir", "lost+found", "#recycle", ".git", ".Trash-0", "a b", ".sync", "~snapshot")
FILES = (".DS_Store", "Thumbs.db", ".nfs0000000000a1b2c300000001", "._events.log", "._00000000000000000001.json", "a~")


def strangers(folder, options):
    """Whatever another tool leaves, wherever: everything reads as before, nothing is damaged, and runs go on."""
    path = folder / "store"
    begin(path)
    before, points = seen(path), 0
    places = [path, *sorted(item for item in path.rglob("*") if item.is_dir())]
    for place in places[:: options.every]:
        content = [item for item in place.iterdir() if item.is_file()]
        for name in FOLDERS:
            (place / name / "TRAINING").mkdir(parents=True)
            for item in content:  # a checkpoint of Jupyter is a copy under the same name
                shutil.copy(item, place / name)
                shutil.copy(item, place / name / "TRAINING")
        for name in FILES:
            (place / name).write_bytes(content[0].read_bytes() if content else b"\0theirs")
        assert seen(path) == before, place
        assert fsck(Store.open(path)) == [], place
        assert stats(Store.open(path)).usage, place
        gc(Store.open(path))
        points += len(FOLDERS) + len(FILES)
        finish(Store.open(path), "a", f"new{points}")
        before = seen(path)
        left = {item.name for item in place.iterdir()}
        assert left >= {*FOLDERS, *FILES}, place
    return points, points


def acts(run, store):
    """All that a child may try with the run of its parent, by name."""
    return {
        "log": lambda: run.log(9, {"child": 1.0}),
        "beat": run.beat,
        "blob": lambda: run.save_blob("child", b"child"),
        "document": lambda: run.write_document("child", {}),
        "journal": lambda: run.journal("child").append("child", {}),
        "noted": lambda: run.journal("notes").append("child", {}),
        "finish": lambda: run.finish(draft("r1")),
        "failed": lambda: run.failed("child"),
        "interrupted": lambda: run.interrupted("child"),
        "block": lambda: run.__exit__(None, None, None),
        "raise": lambda: run.__exit__(ValueError, ValueError("child"), None),
        "seal": lambda: run._events and run._events.commit(),
        "recover": run.recover_log,
        "own run": lambda: commit(store, f"child{os.getpid()}"),
        "exit": sys.exit,
    }


def forked(act):
    """Do `act` in a child as `multiprocessing` makes it, which leaves as a process does."""
    child = multiprocessing.get_context("fork").Process(target=quietly, args=(act,))
    child.start()
    child.join()
    assert child.exitcode in (0, 3), child.exitcode
    return child.exitcode == 3


def quietly(act):
    try:
        act()
    except Conflict:
        sys.exit(3)


def forks(folder, options):
    """Whatever a child does, of a parent that has logged or not, in its block or not: the parent's run is its own."""
    states = itertools.product(range(15), (False, True), (False, True), (False, True))
    refused = points = 0
    for points, (number, has_logged, is_thread, is_late) in enumerate(itertools.islice(states, 0, None, options.every)):
        clock = FakeClock(datetime.now(UTC))
        store = Store.open(folder / f"store-{points}", create=True, clock=clock)
        with store.start(PROJECT, "r1") as run:
            run.journal("notes").append("noted", {})
            if has_logged:
                run.log(0, {"loss": 1.0})
            if is_late:
                clock.advance(6)  # a heartbeat is due
            act = list(acts(run, store).values())[number]
            if is_thread:  # a thread logs at the moment of the fork, and may hold every lock
                others = threading.Thread(target=lambda run=run: [run.log(step, {"x": 1.0}) for step in range(1, 50)])
                others.start()
            refused += forked(act)
            if is_thread:
                others.join()
            run.log(50, {"loss": 0.5})
            assert store.find("r1").status is RunStatus.RUNNING, (number, has_logged)
            run.finish(draft("r1"))
        view = store.find("r1")
        expected = [*[0] * has_logged, *(range(1, 50) if is_thread else ()), 50]
        assert [event.step for event in run_events(store, view)] == expected, (number, has_logged)
        assert [entry.kind for entry in read_journal(run.folder / "notes.log")] == ["noted"]
        assert not list(run.folder.glob("child*"))
        assert fsck(store) == [], (number, has_logged)
        shutil.rmtree(store.work)
    return points + 1, refused


def clocks(folder, options):
    """A heartbeat of any age, here or elsewhere, written in any zone: it runs, has crashed or can be ended."""
    ages = [timedelta(seconds=age) for age in (-9e9, -86400, -61, -60, -1, -1e-6, 0, 1e-6, 59, 60, 60.000001, 61, 9e9)]
    zones = [timezone(timedelta(hours=hours)) for hours in (0, 14, -12, 5.75)]
    store = Store.open(folder / "store", create=True, clock=FakeClock(datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)))
    now, points, ended = store.clock.now(), 0, 0
    states = itertools.product(ages, zones, ("here", "gone", "elsewhere"))
    for points, (age, zone, where) in enumerate(itertools.islice(states, 0, None, options.every), 1):
        run = store.start(PROJECT, f"r{points}")
        claim = json.loads(run.path("attempt-1.json").read_bytes())
        claim["heartbeat"] = (now - age).astimezone(zone).isoformat()
        if where != "here":
            claim["process"] |= {"place": "0" * 64} if where == "elsewhere" else {"start_ticks": 1}
        for name in ("attempt-1.json", "status.json"):
            run.path(name).write_text(json.dumps(claim))
        runs = where == "here" or (where == "elsewhere" and age <= timedelta(seconds=60))
        view = store.find(f"r{points}")
        assert view.status is (RunStatus.RUNNING if runs else RunStatus.CRASHED), (age, zone, where)
        can_be_ended = runs and where == "elsewhere" and age < timedelta(0)
        assert is_done(lambda view=view: store.end(view, "its machine is gone")) is can_be_ended, (age, zone, where)
        goes_on = not runs or can_be_ended
        assert is_done(lambda run=run: store.start(PROJECT, run.run_id)) is goes_on, (age, zone, where)
        ended += can_be_ended
    assert fsck(store) == []
    return points, ended


def is_done(act):
    """Whether `act` meets no other process."""
    try:
        act()
    except Conflict:
        return False
    return True


class Forgets:
    """Answers that every put was made, and keeps none under a temporary name."""

    def __init__(self, application):
        self._application = application

    def __call__(self, environ, start_response):
        if environ["REQUEST_METHOD"] == "PUT" and ".tmp-" in environ["PATH_INFO"]:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response("200 OK", [("ETag", '"0"'), ("Content-Length", "0")])
            return [b""]
        return self._application(environ, start_response)


def endpoints(folder, options):
    """What writes first in a process is refused by an endpoint that knows no condition, and nothing is changed."""
    from moto.server import DomainDispatcherApplication, create_backend_app

    os.environ |= {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_REGION": "us-east-1"}
    s3 = DomainDispatcherApplication(create_backend_app)
    with served(s3) as honest, served(UnconditionalServer(s3)) as other, served(Forgets(s3)) as forgets:
        os.environ["AWS_ENDPOINT_URL"] = honest
        urllib.request.urlopen(urllib.request.Request(f"{honest}/bucket", method="PUT")).close()
        where, points = "s3://bucket/store", 0
        made = Store.open(where, create=True, work=folder)
        finished = commit(made, "r1")
        rule, now = PromotionRule(metric="metrics.test.ap"), made.clock.now()
        writes = (
            lambda store: store.start(PROJECT, "r2"),
            lambda store: store.start(PROJECT),
            lambda store: store.blobs.put(b"other"),
            lambda store: store.log(PROJECT).append(draft("r3"), {}, now),
            lambda store: store.log(PROJECT).baselines.promote(finished, "best", now),
            lambda store: store.log(PROJECT).baselines.set_rule(rule, "best", now),
        )
        before = contents(made)
        for endpoint, write in itertools.product((other, forgets), writes):
            os.environ["AWS_ENDPOINT_URL"] = endpoint
            _cloud._CONDITIONAL.clear()  # as in a process of its own
            store = Store.open(where, work=folder / "other")
            require_refused(lambda write=write, store=store: write(store))
            os.environ["AWS_ENDPOINT_URL"] = honest  # which makes no other endpoint of what is open already
            require_refused(lambda write=write, store=store: write(store))
            assert [view.run_id for view in store.runs()] == ["r1"]
            assert contents(made) == before
            points += 1
        for endpoint in (other, forgets):
            os.environ["AWS_ENDPOINT_URL"] = endpoint
            require_refused(lambda: Store.open("s3://bucket/new", create=True, work=folder / "new"))
        assert fsck(made) == []
    return points, points


def contents(store):
    return {item.key: store.files.read(item.key) for item in store.files.list("")}


def require_refused(write):
    assert "nothing can be recorded here" in refusal(write)


def refusal(act):
    """How `act` is refused; "" where it is not."""
    try:
        act()
    except InvalidInput as refused:
        return str(refused)
    return ""


class Number(enum.IntEnum):
    THREE = 3


class Indexed:
    def __index__(self):
        return 3


class Broken:
    def __index__(self):
        raise RuntimeError("broken")


INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float16", "float32", "float64"]


def numbers() -> Iterable[tuple[object, int | None]]:
    """Steps of every type, each with the integer that it is; None for what is none."""
    yield from ((getattr(np, name)(3), 3) for name in (*INTEGERS, "intp", "longlong"))
    yield from ((np.array(3, dtype=name), 3) for name in INTEGERS)
    yield from ((torch.tensor(3, dtype=getattr(torch, name)), 3) for name in INTEGERS)
    yield from [(3, 3), (Number.THREE, 3), (Indexed(), 3), (-3, -3), (0, 0), (2**53 - 1, 2**53 - 1)]
    yield from ((getattr(np, name)(3), None) for name in (*FLOATS, "longdouble", "complex128", "bool_", "str_"))
    yield from ((torch.tensor(3, dtype=getattr(torch, name)), None) for name in (*FLOATS, "bfloat16", "complex64"))
    yield from ((value, None) for value in (torch.tensor(True), torch.tensor([True]), np.array(True), np.ma.masked))
    yield from ((value, None) for value in (torch.tensor([1, 2]), np.array([1, 2]), torch.tensor(3, device="meta")))
    yield from ((value, None) for value in (True, "3", b"3", None, 3.0, 3j, Decimal(3), Fraction(3), [3], object()))
    yield from ((value, None) for value in (Broken(), 2**53, -(2**53), np.uint64(2**63), float("nan"), 10**400))


def steps(folder, options):
    """A step is whatever is an integer; what is none is refused by its call, and the points around it are kept."""
    store = Store.open(folder / "store", create=True)
    given = list(numbers())[:: options.every]
    refused = 0
    for number, (step, expected) in enumerate(given):
        run = store.start(PROJECT, f"r{number}")
        run.log(1, {"loss": 1.0})
        told = refusal(lambda run=run, step=step: run.log(step, {"loss": 0.5}))
        assert ("the step is" in told) is (expected is None), (step, told)
        refused += bool(told)
        run.log(5, {"loss": 0.25})
        run.finish(draft(f"r{number}"))
        found = [event.step for event in run_events(store, store.find(f"r{number}", project=PROJECT))]
        assert found == [1, *([] if expected is None else [expected]), 5], (step, found)
    assert fsck(store) == []
    return len(given), refused


def main():
    programs = {"strangers": strangers, "forks": forks, "clocks": clocks, "endpoints": endpoints, "steps": steps}
    parser = argparse.ArgumentParser()
    parser.add_argument("program", choices=programs)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    points, stood = programs[options.program](options.folder, options)
    sys.stdout.write(json.dumps({"points": points, "stood": stood}))


if __name__ == "__main__":
    main()
