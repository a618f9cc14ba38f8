"""A script as a child process that writes traces; it is ended with all that it started."""

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import final

from seedbed.errors import InvalidInput
from seedbed.loop.repro._plan import VARIABLE, Plan
from seedbed.loop.repro._trace import Trace, TraceReader

__all__ = ["Ended", "run_child"]

_LOOK_SECONDS = 0.2
_GRACE_SECONDS = 10.0
_TAIL_LINES = 12


@final
@dataclass(frozen=True)
class Ended:
    """How a child ended: its traces, its exit code (negative for a signal), the end of what it printed."""

    traces: list[Trace]
    exit_code: int
    tail: str
    was_stopped: bool


def run_child(
    command: Sequence[str], plan: Plan, folder: Path, look: Callable[[Sequence[Trace]], bool] = lambda _: False
) -> Ended:
    """Run `command` by `plan`; `look` is called with the traces so far, and stops it by returning True.

    What it prints goes to a file in `folder`. Raises InvalidInput for a command that cannot be started.
    """
    folder.mkdir(parents=True, exist_ok=True)
    instructions, printed = folder / "instructions.json", folder / "output.log"
    instructions.write_text(plan.model_dump_json(), "utf-8")
    readers: dict[Path, TraceReader] = {}
    was_stopped = False
    with printed.open("ab") as output:
        child = _start(command, {**os.environ, VARIABLE: str(instructions.absolute())}, output.fileno())
        try:
            while not was_stopped and not _has_ended(child):
                was_stopped = look(_read(plan.traces, readers))
        finally:
            _end(child)
    traces = _read(plan.traces, readers)
    lines = printed.read_text("utf-8", "replace").splitlines()
    return Ended(traces, child.returncode, "\n".join(lines[-_TAIL_LINES:]), was_stopped)


def _start(command: Sequence[str], environment: dict[str, str], output: int) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(  # noqa: S603  the user's own command, without a shell
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as problem:
        raise InvalidInput(f"cannot start {command[0]}: {problem.strerror}; give a command after --") from None


def _has_ended(child: "subprocess.Popen[bytes]") -> bool:
    with suppress(subprocess.TimeoutExpired):
        child.wait(_LOOK_SECONDS)
    return child.returncode is not None


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End the child and every process of its session: kindly, then by force."""
    if child.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE_SECONDS)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _read(folder: Path, readers: dict[Path, TraceReader]) -> list[Trace]:
    for path in sorted(folder.glob("*.jsonl")):
        readers.setdefault(path, TraceReader(path))
    return [readers[path].read() for path in sorted(readers)]
