"""Run by the crash tests in a process of its own: a small soak dies at every durable call, and is resumed by another.

    python soak_crash_program.py kill|again|refused FOLDER [--every 1] [--first 1] [--fault dropped]

`kill` lets the soak die at a durable call, `again` lets whoever resumes it die as well, `refused` lets every call fail
with EIO and ENOSPC. However often it was ended, the soak that is resumed must come to the end of one that never was.
After every third death the logs are left with half a record at their ends. `--every` leaves points out. Prints one JSON
line: `points`, and in how many of them the soak had measured something.
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
from seedbed.soak import Soak, SoakFault, SoakFolder, SoakPlan, assemble, finish, verify_soak
from seedbed.soak._readback import account
from seedbed.testing import dies, durable_faults, fails_with

HALF = b'{"body":{"kind":"held","payload":{"handed":'


class Told:
    """An observer that keeps what it is told."""

    def __init__(self):
        self.iterations, self.notes = [], []

    def iterated(self, progress):
        self.iterations.append(progress.iteration)

    def noted(self, text):
        self.notes.append(text)


class Acknowledged:
    """An observer that leaves word of each iteration outside the process."""

    def __init__(self, path):
        self.path = path

    def iterated(self, progress):
        self.path.write_text(str(progress.iteration))

    def noted(self, text):
        pass


def never():
    return False


def plan_of(fault=None, iterations=8):
    first = {"fault": SoakFault(fault), "fault_from": 3} if fault else {}
    return SoakPlan(soak_id="a", plant="mock", tuner="rules", iterations=iterations, profile="quick", **first)


def folder_of(root, plan):
    try:
        return SoakFolder.create(root, plan)
    except Conflict:
        return SoakFolder(root / plan.soak_id)


def go_on(root, plan, observer=None, *, make=assemble, stop=never, time_is_up=never):
    """Run a soak from wherever it stands; whether it came to its end, which is written down then."""
    folder = folder_of(root, plan)
    soak = Soak(folder, make(plan), observer or Told())
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
    assert status in (0, 137), f"the child failed by itself at call {at}"
    return status == 0


def course_of(root, plan, make=assemble):
    """All that a soak came to, but for the numbers that its changes were given."""
    folder = SoakFolder(root / plan.soak_id)
    found = account(folder, plan, make(plan))
    return {
        "settings": read_json_with_hash(folder.settings_path)[0],
        "tally": found.tally,
        "length": found.length,
        "iterations": [_iteration(episode) for episode in found.told],
    }


def _iteration(episode):
    seen = episode.decision.observation
    conditions = episode.decision.rules.conditions
    return {
        "used": seen.used,
        "kpis": (seen.kpis, seen.control),
        "conditions": [sorted(each) for each in (conditions.frozen, conditions.unhealthy, conditions.drifted)],
        "proposed": episode.decision.deltas,
        "changes": [_change(each) for each in episode.records],
        "new_hash": episode.new_hash,
    }


def _change(record):
    ruling = (record.guard_result.decision, record.guard_result.guard, record.after)
    why = [re.sub(r"change \d+", "change", facts["reason"]) for kind, facts in record.story if kind is Kind.FAILED]
    return record.delta, record.before, record.wanted, ruling, record.outcome, why


def require_same_end(root, plan, expected):
    folder = SoakFolder(root / plan.soak_id)
    verification = verify_soak(folder, assemble, strict=True)
    found = course_of(root, plan)
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
    """The whole records of both logs: nothing that was acknowledged lies outside them."""
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
    """Leave half a record at the end of each log that is there."""
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
    return course_of(root, plan)


def kill(root, options):
    """Killed at a durable call of a soak; then another process goes on to the end."""
    plan = plan_of(options.fault)
    expected = reference(root / "whole", plan)
    begun = []
    place, word = root / "killed", root / "acknowledged"
    for at in count(options.first, options.every):
        word.unlink(missing_ok=True)
        if survives(lambda: go_on(place, plan, Acknowledged(word)), at):
            break
        look_after(place, plan, expected, word, torn=len(begun) % 3 == 2)
        begun.append(word.exists())
        shutil.rmtree(place)
    return begun


def look_after(place, plan, expected, word, *, torn):
    logs, told = logs_of(place), Told()
    if word.exists():
        assert iterations_of(logs) >= int(word.read_text())
    names = tear(place) if torn else []
    assert go_on(place, plan, told)
    for name in names:
        assert f"{name}: cut off {len(HALF)} bytes" in " ".join(told.notes), told.notes
    require_kept(place, logs)
    require_same_end(place, plan, expected)


def again(root, options):
    """Killed at a durable call, killed again by one of whoever resumed it, and resumed once more."""
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
    """The disk refuses a durable call: the soak says so and ends, nothing is lost, and it is resumed to its end."""
    plan = plan_of(options.fault)
    expected = reference(root / "whole", plan)
    begun = []
    for error in (errno.EIO, errno.ENOSPC):
        for at in count(options.first, options.every):
            place, told = root / "refused", Told()
            try:
                with durable_faults(at, fails_with(error)) as calls:
                    go_on(place, plan, told)
            except StoreUnavailable:
                assert len(calls) >= at
            logs = logs_of(place)
            assert iterations_of(logs) >= len(told.iterations)
            assert go_on(place, plan)
            require_kept(place, logs)
            require_same_end(place, plan, expected)
            shutil.rmtree(place)
            if len(calls) < at:
                break
            begun.append(bool(told.iterations))
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
