"""A steered training is killed at its durable calls, one after another, and resumed: what each request was answered.

Every life is a process of its own, forked from this one, which has torch loaded.
"""

import argparse
import json
import os
import random
import re
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from steering_world import RUN, Training, post_of

from seedbed.change._history import fold
from seedbed.change._record import ChangeRecord
from seedbed.contracts import Outcome, RunStatus
from seedbed.loop import steering
from seedbed.loop.steering import AnswerState, RemoteRun, RequestAnswer
from seedbed.records import Store, fsck, read_journal
from seedbed.testing import dies, durable_faults

STEPS, SAVE_EVERY = 12, 5
_USED = re.compile(r"effective: step (\d+) used")


def live(path: Path, kill_at: int) -> int:
    """One attempt in this process, which dies at durable call `kill_at`; returns how many calls there were."""
    training = Training(Store.open(path, create=True))
    # What a process that dies has written stays, synced or not; without syncs a story takes a tenth of the time.
    with mock.patch.object(os, "fsync", return_value=None), durable_faults(kill_at, dies) as calls:
        while training.step < STEPS:
            training.take_step()
            if training.step % SAVE_EVERY == 0:
                training.checkpoint()
            ask(training)
            training.look()
        training.finish()
    return len(calls)


def ask(training: Training) -> None:
    """What others ask of the run, here in its own process, so that they may die while they ask."""
    store, step = training.store, training.step
    if training.run.attempt > 1:
        return
    if step == 2:
        steering.propose(RUN, "lr", scale=0.5, why="one", store=store)
        steering.propose(RUN, "lr", set=0.2, why="too soon after it", store=store)
        steering.ask(RUN, "checkpoint", store=store)
    elif step == 7:
        steering.propose(RUN, "lr", set=0.3, why="two", store=store)
        steering.propose(RUN, "lr", set=0.4, why="withdrawn", store=store)
        steering.withdraw(RUN, 5, store=store)
    elif step == 11:
        steering.propose(RUN, "lr", set=0.25, why="three, which one step uses", store=store)


def in_child(work: Callable[[], object]) -> int:
    """Do it in a forked process; returns its exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def one(path: Path, kills: list[int]) -> bool:
    """Lives that end at these calls, then one to the end, and what is found then; whether the last kill came late."""
    shutil.rmtree(path, ignore_errors=True)
    for kill_at in kills:
        if is_finished(path):
            break
        status = in_child(partial(live, path, kill_at))
        assert status in (0, 137), status
    if not is_finished(path):
        assert in_child(partial(live, path, 0)) == 0
    return check(path)


def is_finished(path: Path) -> bool:
    if not path.exists():
        return False
    views = Store.open(path).runs()
    return bool(views) and views[-1].status is RunStatus.FINISHED


def check(path: Path) -> bool:
    """Whether every request has one final answer that is true; whether the run gave all of them itself."""
    store = Store.open(path)
    remote, post = RemoteRun.open(RUN, store), post_of(store)
    ended = post.ended()
    commit, folder = remote.view.commit, remote.view.folder
    assert commit is not None
    history = fold(read_journal(folder / "changes.log"))
    found: Any = commit.snapshot.metrics["used"]
    used = [float(each) for each in found]
    requests = remote.requests()
    assert [each.number for each in requests] == list(range(1, len(requests) + 1))
    assert post.ended() == {each.number for each in requests}
    for each in requests:
        assert tuple(post.answers_to(each.number)) == each.answers == list(remote.follow(each, 0.0))[-1].answers
        finals = [answer for answer in each.answers if answer.is_final]
        assert len(finals) == 1, (each.number, each.answers)
        assert finals[0] is each.answers[-1]
        standing = [record for record in history.records if record.delta.request == each.number]
        require_true(finals[0], standing, used)
    assert [item for item in fsck(store) if "/requests/" in item.path or "/answers/" in item.path] == []
    return len(ended) == len(requests)


def require_true(final: RequestAnswer, standing: list[ChangeRecord], used: list[float]) -> None:
    assert len(standing) <= 1, "carried out twice"
    if final.state in {AnswerState.EFFECTIVE, AnswerState.CLAMPED}:
        (record,) = standing
        assert record.outcome in {Outcome.EFFECTIVE, Outcome.CLAMPED}
        step = int(record.story[-1][1]["step"])
        assert abs(used[step - 1] - record.after) < 1e-9
        assert final.after == record.after
    else:  # no step of those that count used what it asked for
        assert not any(record.outcome in {Outcome.EFFECTIVE, Outcome.CLAMPED} for record in standing), final


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--twice", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    weight = torch.zeros(1, requires_grad=True)
    weight.grad = torch.ones(1)
    torch.optim.SGD([weight]).step()  # what torch loads at a first step, the children need not
    counting = options.folder / "counting"
    num_calls = int(in_child_counted(counting))
    whole = [one(options.folder / "store", [at]) for at in range(1, num_calls + 1, options.every)]
    rng = random.Random(0)
    pairs = [[rng.randint(1, num_calls), rng.randint(1, num_calls)] for _ in range(options.twice)]
    whole += [one(options.folder / "store", pair) for pair in pairs]
    sys.stdout.write(json.dumps({"calls": num_calls, "stories": len(whole), "by_the_run": sum(whole)}))


def in_child_counted(path: Path) -> str:
    read, write = os.pipe()
    assert in_child(lambda: os.write(write, str(live(path, 0)).encode())) == 0
    assert check(path)
    return os.read(read, 100).decode()


if __name__ == "__main__":
    main()
