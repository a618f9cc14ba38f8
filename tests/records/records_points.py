"""Logs of step metrics as tests of them need them: with points in the tail, and as a killed process leaves them."""

from pathlib import Path

from seedbed.records import read_step_events
from seedbed.records.journal import EventsLog
from seedbed.records.journal._tail import tail_path

NEVER = 1e6  # seconds until a log's own thread makes anything durable


def unsealed(path: Path) -> EventsLog:
    """A log with two sealed points and three in its tail."""
    log = EventsLog.open(path, attempt=4, commit_seconds=NEVER)
    for step in range(5):
        log.append(step, {"loss": 1 / (step + 1)})
        if step == 1:
            log.commit()
    return log


def steps_of(path: Path) -> list[int]:
    return [event.step for event in read_step_events(path)]


def left_behind(path: Path, to: Path) -> Path:
    """What a killed process leaves of the log at `path`, copied."""
    to.mkdir()
    for file in (path, tail_path(path)):
        (to / file.name).write_bytes(file.read_bytes())
    return to / path.name


def opened_files(folder: Path) -> list[Path]:
    """The files in `folder` that this process has open."""
    found = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [path for path in found if path.is_relative_to(folder)]
