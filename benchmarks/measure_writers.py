"""Many processes that write to one project at once: the counterpart of the writers in peers/.

    python measure_writers.py writers STORE --processes 8 --count 60 [--whole 1]

prints one JSON line: the rate of all of them together, how long one `finish` takes, how many races for a number one of
them lost at most, and when the last writer ended, as a multiple of the median. With --whole, a run is `start`, ten
points and `finish`; without, all runs have started before.
"""

import argparse
import json
import subprocess
import sys
import time
from functools import partial
from statistics import median

from peers.load import summary, timed
from records_work import PROJECT, Found, finish_drafted, main, require_chained, whole_run
from seedbed.contracts import Stage
from seedbed.records import Store


def writers(options: argparse.Namespace) -> Found:
    """Several processes write to one project at once; afterwards every acknowledged commit is looked for."""
    Store.open(options.store, create=True)
    shared = ["--count", str(options.count), "--whole", str(options.whole)]
    command = [sys.executable, __file__, "writer", options.store, *shared]
    piped = partial(subprocess.Popen, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    started = [piped([*command, "--name", f"w{at}"]) for at in range(options.processes)]
    for writer in started:
        assert writer.stdout is not None
        writer.stdout.readline()  # it is ready
    for writer in started:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    told = [json.loads(writer.communicate()[0]) for writer in started]
    acknowledged = {run_id: seq for one in told for run_id, seq in one["acknowledged"].items()}
    log = Store.open(options.store).log(PROJECT)
    there = {header.run_id: header.seq for header in log.headers()}
    require_chained(Store.open(options.store), len(there))
    began = min(one["began"] for one in told)
    ends = sorted(one["ended"] - began for one in told)
    times = [seconds for one in told for seconds in one["seconds"]]
    expected = options.processes * options.count
    return {
        **summary(times),
        "per_second": expected / ends[-1],
        "max_ms": max(times) * 1e3,
        "last_by_median": ends[-1] / median(ends),
        "most_lost_races": max(one["most_lost_races"] for one in told),
        "lost": expected - sum(there.get(run_id) == seq for run_id, seq in acknowledged.items()),
    }


def writer(options: argparse.Namespace) -> Found:
    """One of `writers`: without --whole, it has started its runs before it says that it is ready."""
    store = Store.open(options.store)
    names = [f"{options.name}-{at}" for at in range(options.count)]
    runs = {} if options.whole else {name: store.start(PROJECT, name, Stage.TRAINING) for name in names}
    lost = _counted_races(store)
    store.log(PROJECT).head()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    acknowledged, seconds, races = {}, [], []
    began = time.monotonic()
    for at, name in enumerate(names):
        number = int(options.name[1:]) * options.count + at
        lost.clear()
        finish = (
            partial(whole_run, store, name, number) if options.whole else partial(finish_drafted, runs[name], number)
        )
        commit, spent = timed(finish)
        acknowledged[name] = commit.seq
        seconds.append(spent)
        races.append(len(lost))
    told = {"began": began, "ended": time.monotonic(), "seconds": seconds}
    return {**told, "acknowledged": acknowledged, "most_lost_races": max(races)}


def _counted_races(store: Store) -> list[int]:
    """The numbers that this process claims in vain from now on, in a list that grows."""
    lost: list[int] = []
    records = store.log(PROJECT)._records
    publish = records.publish

    def counted(seq: int, data: bytes) -> bool:
        won = publish(seq, data)
        if not won:
            lost.append(seq)
        return won

    records.publish = counted  # type: ignore[method-assign]
    return lost


if __name__ == "__main__":
    main({"writers": writers, "writer": writer}, "Measure many writers of Seedbed's records")
