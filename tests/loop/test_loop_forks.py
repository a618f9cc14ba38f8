"""A process that forks while one of its threads opens or ends a run, as loaders with workers do."""

import subprocess
import sys

import pytest

PROGRAM = """
import faulthandler, os, sys, threading, time
from seedbed.errors import NotFound
from seedbed.loop import _open_runs

is_held, forks = threading.Event(), threading.Event()

def hold():
    with _open_runs._lock:
        is_held.set()
        forks.wait(60)
        time.sleep(0.5)  # longer than a fork that does not wait takes

threading.Thread(target=hold).start()
is_held.wait(60)
os.register_at_fork(before=forks.set)  # runs before those that were registered earlier
child = os.fork()
if child == 0:
    faulthandler.dump_traceback_later(60, exit=True)  # a child that waits for ever ends with 1
    try:
        _open_runs.open_run()
    except NotFound:
        os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.slow
def test_a_child_that_was_forked_while_a_thread_opened_a_run_does_not_wait_for_it() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
