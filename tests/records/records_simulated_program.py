"""Run by the tests and the torture: the store on a simulated file system, one schedule of its writers for each seed.

    python records_simulated_program.py --seeds 0 10000 [--kind disk|nfs|lies] [--workers 2]
    python records_simulated_program.py --seed 17 --trace

A seed draws some writers on a disk, or on machines that share a file server over NFS; how their calls are interleaved;
who is killed, where power is lost and what that leaves. Afterwards all that was acknowledged must be there, in its
place, with its right predecessor; `fsck` must find no damage, `repair` leave nothing to find, and a new run end. A disk
of the kind `lies` loses what it acknowledged: then `fsck` must name every commit of which anything is known.

Prints one JSON line: `points` schedules, of which `failed` lists those that broke a promise; `stood` commits that were
acknowledged; `calls` of the file system; `kills` and power `cuts`; and commits that are `gone` from disks that lied.
With `--trace`, every call of the one schedule comes first. Exits with 1 when a schedule failed.
"""

import argparse
import json
import multiprocessing
import os
import sys
from collections import Counter
from functools import partial

from simulated import KINDS, Outcome, run_schedule

_CHUNK = 20


def tried(seed, kind=None):
    """The outcome of a schedule, and what it broke, "" for nothing."""
    try:
        return run_schedule(seed, kind), ""
    except Exception as problem:
        told = "; ".join([f"{type(problem).__name__}: {problem}", *getattr(problem, "__notes__", ())])
        return Outcome(seed, kind or "disk"), told


def summed(results):
    """All outcomes in one document."""
    total, failed = Counter(points=0, stood=0, calls=0, kills=0, cuts=0, gone=0), []
    for found, problem in results:
        total.update(
            points=1, stood=found.acknowledged, calls=found.calls, kills=found.kills, cuts=found.cuts, gone=found.gone
        )
        if problem:
            failed.append({"seed": found.seed, "problem": problem})
    return {**total, "failed": sorted(failed, key=lambda each: each["seed"])}


def traced(seed, kind):
    """As `tried`, after the calls of the schedule."""
    lines: list[str] = []
    try:
        found, problem = run_schedule(seed, kind, trace=lines), ""
    except Exception as broken:
        found, problem = Outcome(seed, kind or "disk"), f"{type(broken).__name__}: {broken}"
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return found, problem


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--seeds", type=int, nargs=2, metavar=("FIRST", "END"), help="the seeds FIRST to END - 1")
    chosen.add_argument("--seed", type=int, help="only this seed")
    parser.add_argument("--kind", choices=KINDS, help="of all schedules, instead of the one that the seed draws")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="how many schedules run at a time")
    parser.add_argument("--trace", action="store_true", help="print every call of the one schedule")
    options = parser.parse_args()
    if options.seed is not None:
        one = traced if options.trace else tried
        found = summed([one(options.seed, options.kind)])
    else:
        with multiprocessing.Pool(options.workers) as pool:
            work = partial(tried, kind=options.kind)
            found = summed(pool.imap_unordered(work, range(*options.seeds), _CHUNK))
    sys.stdout.write(json.dumps(found))
    sys.exit(1 if found["failed"] else 0)


if __name__ == "__main__":
    main()
