"""Imports JSON lines and kills itself at one of its durable moments: `program LINES STORE POINT`."""

import os
import signal
import sys
from pathlib import Path

from integrations_world import DESCRIBED

from seedbed.integrations import JsonLines, import_runs
from seedbed.records import ActiveRun, Store

POINTS = ("log", "finish", "between")


def main(lines: str, folder: str, point: str, number: str) -> None:
    left = [int(number)]

    def killing(call):
        def counted(*arguments, **options):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return counted

    if point != "between":
        setattr(ActiveRun, point, killing(getattr(ActiveRun, point)))
    told = killing(print)
    for item in import_runs(JsonLines(Path(lines)), Store.open(folder, create=True), DESCRIBED):
        (told if point == "between" else print)(item.run_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
