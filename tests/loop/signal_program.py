"""A training that is ended by a signal: writes the name of its run, and takes more steps than anybody waits for."""

import signal
import sys
import time
from pathlib import Path

from loop_world import QUIET_RUNTIME, Work

import seedbed

for number in (signal.SIGTERM, signal.SIGHUP):  # whatever this process was started with
    signal.signal(number, signal.SIG_DFL)
work = Work()


def train(run: seedbed.Run) -> None:
    """More steps than anybody waits for."""
    for _ in run.epochs(10**6):
        for step, (x, y) in run.steps(work.loader):
            run.log(loss=work.step(x, y))
            time.sleep(0.001)
            if step == 3:
                sys.stdout.write(f"{run.run_id}\n")
                sys.stdout.flush()


run = seedbed.start(work.model, work.optimizer, project="p", store=Path(sys.argv[1]), runtime=QUIET_RUNTIME, quiet=True)
if sys.argv[2] == "block":
    with run:
        train(run)
else:
    train(run)
