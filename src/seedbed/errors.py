"""One tree of errors, divided by what the caller can do about each, and the table of exit codes.

Every error says what failed, where, what was expected against what was found, and what to do next. `exit_code` is what
the command line returns for it.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

__all__ = [
    "EXIT_CODES",
    "Conflict",
    "ContractBroken",
    "Diverged",
    "ExitCode",
    "InvalidInput",
    "NotFound",
    "SeedbedError",
    "StoreCorrupt",
    "StoreUnavailable",
    "exit_codes",
]


class ExitCode(IntEnum):
    """How a command of Seedbed ends."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    NO_ANSWER = 3
    CONTRACT_BROKEN = 4
    INTERNAL_ERROR = 70
    INTERRUPTED = 130


EXIT_CODES: dict[ExitCode, str] = {
    ExitCode.PASS: "pass",
    ExitCode.FAIL: "fail",
    ExitCode.USAGE: "usage, or input to fix",
    ExitCode.NO_ANSWER: "inconclusive, or no data",
    ExitCode.CONTRACT_BROKEN: "contract broken",
    ExitCode.INTERNAL_ERROR: "internal error",
    ExitCode.INTERRUPTED: "ended by Ctrl-C",
}
"""What each code means, in the words of the README and of `seedbed --help`."""


class SeedbedError(Exception):
    """The base of every error that Seedbed raises on purpose."""

    exit_code = ExitCode.INTERNAL_ERROR


class InvalidInput(SeedbedError, ValueError):
    """Mend the input: a file, a field, an option or an argument was refused at the door; nothing was written."""

    exit_code = ExitCode.USAGE


class NotFound(SeedbedError, LookupError):
    """Name something that exists: a run, a project, a parameter or a file is not there."""

    exit_code = ExitCode.USAGE


class Conflict(SeedbedError, RuntimeError):
    """Take another key: other content is already committed under this one, or a compare-and-swap lost."""

    exit_code = ExitCode.USAGE


class StoreUnavailable(SeedbedError, OSError):
    """Free the disk or mend the mount, then retry: a durable call failed and nothing was acknowledged."""


class StoreCorrupt(SeedbedError, RuntimeError):
    """Run `seedbed runs fsck`: stored bytes are not the bytes that were acknowledged."""


class Diverged(SeedbedError, ArithmeticError):
    """Lower the rate or mend the data: the training produced numbers that are none; the last checkpoint is whole."""

    exit_code = ExitCode.FAIL


class ContractBroken(SeedbedError, RuntimeError):
    """Mend the machine or declare COMPAT: what was declared was not observed."""

    exit_code = ExitCode.CONTRACT_BROKEN


@contextmanager
def exit_codes() -> Iterator[None]:
    """A script's own main part, ended as the command line ends: a SeedbedError becomes one line on stderr and its code.

    Raises SystemExit for it; every other error passes through.
    """
    try:
        yield
    except SeedbedError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201  it is the script that speaks here
        raise SystemExit(error.exit_code) from None
