"""A program for the crash tests: a small soak dies at every durable call, and another process resumes it.

    python soak_crash_program.py kill|again|refused FOLDER [--every 1] [--first 1] [--fault dropped]

`kill` lets the soak die at a durable call, `again` lets the process that resumes it die too, `refused` lets every call
fail with EIO and ENOSPC. However often it ended, the resumed soak must reach the same end as one that never stopped.
After every third death the logs get half a record at their ends. `--every` skips points. Prints one JSON line:
`points`, and `begun`, at how many of them the soak had measured something.
"""

import argparse
import errno
import json
import os
import re
import shutil
import sys
from itertools import count
from pathlib import Path

from seedbed.change import Kind
from seedbed.errors import Conflict, NotFound, StoreUnavailable
from seedbed.records import read_journal, read_json_with_hash
from seedbed.soak import Soak, SoakFolder, SoakPlan, assemble, finish, verify_soak
from seedbed.soak._readback import read_soak
from seedbed.testing import dies, durable_faults, fails_with

HALF = b'{"body":{"kind":"held","payload":{"handed":'


class Listener:
    """An observer that keeps what it gets."""

    def __init__(self):
        self.iterations, self.notes = [], []

    def iterated(self, progress):
        self.iterations.append(progress.iteration)

    def noted(self, text):
        self.notes.append(text)


class Acknowledged:
    """An observer that writes the number of each iteration to a file."""

    def __init__(self, path):
        self.path = path

    def iterated(self, progress):
        self.path.write_text(str(progress.iteration))

    def noted(self, text):
        pass


def never():
    return False


def plan_of(fault=None, iterations=8):
    fields = {"soak_id": "a", "plant": "mock", "tuner": "rules", "iterations": iterations, "profile": "quick"}
    return SoakPlan.model_validate({**fields, "fault": fault, "fault_from": 3})


def folder_of(root, plan):
    try:
        return SoakFolder.create(root, plan)
    except Conflict:
        return SoakFolder(root / plan.soak_id)


def go_on(root, plan, observer=None, *, make=assemble, stop=never, time_is_up=never):
    """Run a new or interrupted soak; whether it reached its end. Then its artifacts are written."""
    folder = folder_of(root, plan)
    soak = Soak(folder, make(plan), observer or Listener())
    try:
        ended = soak.run(stop, time_is_up)
    finally:
        soak.close()
    if ended:
        finish(folder, make)
    return ended


def survives(action, at):
    """Run `action` in a child that dies at durable call `at`; whether it ended before that."""
    child = os.fork()
    if child == 0:
        try:
            with durable_faults(at, dies):
                action()
        except BaseException as problem:
            sys.stderr.write(f"{problem!r}\n")
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 137), f"the child failed at call {at}"
    return status == 0


def content_of(root, plan, make=assemble):
    """Everything that a soak did and found, without the ids of its changes."""
    folder = SoakFolder(root / plan.soak_id)
    readback = read_soak(folder, plan, make(plan))
    return {
        "settings": read_json_with_hash(folder.settings_path)[0],
        "tally": readback.tally,
        "length": readback.length,
        "iterations": [_iteration(each) for each in readback.iterations],
    }


def _iteration(record):
    seen = record.decision.observation
    conditions = record.decision.rules.conditions
    return {
        "used": seen.used,
        "kpis": (seen.kpis, seen.control),
        "conditions": [sorted(each) for each in (conditions.frozen, conditions.unhealthy, conditions.drifted)],
        "proposed": record.decision.deltas,
        "changes": [_change(each) for each in record.changes],
        "new_hash": record.new_hash,
    }


def _change(record):
    ruling = (record.guard_result.decision, record.guard_result.guard, record.after)
    why = [re.sub(r"change \d+", "change", facts["reason"]) for kind, facts in record.story if kind is Kind.FAILED]
    return record.delta, record.before, record.wanted, ruling, record.outcome, why


def require_same_end(root, plan, expected):
    folder = SoakFolder(root / plan.soak_id)
    verification = verify_soak(folder, assemble, strict=True)
    found = content_of(root, plan)
    accusations = {(each.flaw, each.what) for each in verification.accusations}
    assert plan.fault is not None or not accusations, accusations
    for name, value in expected.items():
        if found[name] != value:
            raise AssertionError(f"{name}: {_first_difference(value, found[name])}")


def _first_difference(expected, found):
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        at = next(at for at, (e, f) in enumerate(zip(expected, found, strict=True)) if e != f)
        return f"at {at}: {_first_difference(expected[at], found[at])}"
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        key = next(key for key in expected if expected[key] != found[key])
        return f"{key}: {_first_difference(expected[key], found[key])}"
    return f"expected {expected}, found {found}"


def logs_of(root):
    """The whole records of both logs; they hold everything that was acknowledged."""
    found = {}
    for name in ("changes.log", "evidence.log"):
        try:
            found[name] = read_journal(root / "a" / name)
        except NotFound:
            found[name] = []
    return found


def require_kept(root, before):
    after = logs_of(root)
    for name, entries in before.items():
        assert after[name][: len(entries)] == entries, f"{name} lost what it held"


def tear(root):
    """Append half a record to each log that exists."""
    torn = []
    for name in ("changes.log", "evidence.log"):
        if (root / "a" / name).exists():
            with (root / "a" / name).open("ab") as log:
                log.write(HALF)
            torn.append(name)
    return torn


def iterations_of(logs):
    return sum(entry.kind == "measured" for entry in logs["evidence.log"])


def reference(root, plan):
    go_on(root, plan)
    return content_of(root, plan)


def kill(root, options):
    """Kill a soak at a durable call; then another process runs it to the end."""
    plan = plan_of(options.fault)
    expected = reference(root / "whole", plan)
    begun: list[bool] = []
    place, acknowledged = root / "killed", root / "acknowledged"
    for at in count(options.first, options.every):
        acknowledged.unlink(missing_ok=True)
        if survives(lambda: go_on(place, plan, Acknowledged(acknowledged)), at):
            break
        look_after(place, plan, expected, acknowledged, torn=len(begun) % 3 == 2)
        begun.append(acknowledged.exists())
        shutil.rmtree(place)
    return begun


def look_after(place, plan, expected, acknowledged, *, torn):
    logs, listener = logs_of(place), Listener()
    if acknowledged.exists():
        assert iterations_of(logs) >= int(acknowledged.read_text())
    names = tear(place) if torn else []
    assert go_on(place, plan, listener)
    for name in names:
        assert f"{name}: cut off {len(HALF)} bytes" in " ".join(listener.notes), listener.notes
    require_kept(place, logs)
    require_same_end(place, plan, expected)


def again(root, options):
    """Kill a soak at a durable call, kill the process that resumes it, and resume it once more."""
    plan = plan_of(options.fault)
    expected = reference(root / "whole", plan)
    begun = []
    left, place = root / "left", root / "killed"
    for first in count(options.first, options.every):
        left.mkdir()
        if survives(lambda: go_on(left, plan), first):
            break
        for second in count(1 + first % options.every, options.every):
            shutil.copytree(left, place, symlinks=True)
            ended = survives(lambda: go_on(place, plan), second)
            logs = logs_of(place)
            assert go_on(place, plan)
            require_kept(place, logs)
            require_same_end(place, plan, expected)
            shutil.rmtree(place)
            if ended:
                break
            begun.append(iterations_of(logs) > 0)
        shutil.rmtree(left)
    return begun


def refused(root, options):
    """Let the disk refuse a durable call: the soak reports it, nothing is lost, and it is resumed to its end."""
    plan = plan_of(options.fault)
    expected = reference(root / "whole", plan)
    begun: list[bool] = []
    for error in (errno.EIO, errno.ENOSPC):
        for at in count(options.first, options.every):
            place, listener = root / "refused", Listener()
            try:
                with durable_faults(at, fails_with(error)) as calls:
                    go_on(place, plan, listener)
            except StoreUnavailable:
                assert len(calls) >= at
            logs = logs_of(place)
            assert iterations_of(logs) >= len(listener.iterations)
            assert go_on(place, plan)
            require_kept(place, logs)
            require_same_end(place, plan, expected)
            shutil.rmtree(place)
            if len(calls) < at:
                break
            begun.append(bool(listener.iterations))
    return begun


def main():
    programs = {"kill": kill, "again": again, "refused": refused}
    parser = argparse.ArgumentParser()
    parser.add_argument("program", choices=programs)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--fault")
    options = parser.parse_args()
    begun = programs[options.program](options.folder, options)
    sys.stdout.write(json.dumps({"points": len(begun), "begun": sum(begun)}))


if __name__ == "__main__":
    main()
