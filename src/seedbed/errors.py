"""The tree of errors, grouped by what the caller can do about them, and the table of exit codes.

Every error says what failed, where, what was expected against what was found, and what to do next. `exit_code` is the
exit code of the command line for it.
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
    "StoreDamaged",
    "StoreUnavailable",
    "exit_codes",
]


class ExitCode(IntEnum):
    """The exit codes of Seedbed's commands."""

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
    ExitCode.INTERRUPTED: "ended by Ctrl-C or SIGTERM",
}
"""What each code means, in the words of the README and of `seedbed --help`."""


class SeedbedError(Exception):
    """The base class of every error that Seedbed raises on purpose."""

    exit_code = ExitCode.INTERNAL_ERROR


class InvalidInput(SeedbedError, ValueError):
    """A file, a field, an option or an argument was refused, and nothing was written: fix the input."""

    exit_code = ExitCode.USAGE


class NotFound(SeedbedError, LookupError):
    """A run, a project, a parameter or a file does not exist: give the name of one that does."""

    exit_code = ExitCode.USAGE


class Conflict(SeedbedError, RuntimeError):
    """Other content is already committed under this key, or a writer was faster: use another key, or read again."""

    exit_code = ExitCode.USAGE


class StoreUnavailable(SeedbedError, OSError):
    """A durable write failed, and nothing was acknowledged: free or repair the disk, then try again."""


class StoreCorrupt(SeedbedError, RuntimeError):
    """Stored bytes are not the bytes that were acknowledged: run `seedbed runs fsck`."""

    exit_code = ExitCode.FAIL


class StoreDamaged(UserWarning):
    """A record of the store cannot be read, and was passed over: run `seedbed runs fsck`."""


class Diverged(SeedbedError, ArithmeticError):
    """The training produced NaN or infinity: lower the rate or fix the data; the last checkpoint is complete."""

    exit_code = ExitCode.FAIL


class ContractBroken(SeedbedError, RuntimeError):
    """What was declared was not observed: fix the machine or declare COMPAT."""

    exit_code = ExitCode.CONTRACT_BROKEN


@contextmanager
def exit_codes() -> Iterator[None]:
    """A context for the main part of a script, which then ends as the command line does.

    A SeedbedError becomes one line on stderr and SystemExit with its exit code, Ctrl-C one line and 130. Of every other
    error `sys.excepthook` shows the traceback, and the script ends with 70, since 1 says that a gate failed. SIGTERM
    ends a script at once, unless it says `signal(SIGTERM, default_int_handler)`; during a run of `seedbed.start` it is
    as Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201  this is a script's own output
        raise SystemExit(ExitCode.INTERRUPTED) from None
    except SeedbedError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201  this is a script's own output
        raise SystemExit(error.exit_code) from None
    except Exception as error:
        sys.excepthook(type(error), error, error.__traceback__)
        raise SystemExit(ExitCode.INTERNAL_ERROR) from error
