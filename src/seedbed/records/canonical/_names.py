"""Valid names of projects, runs, cohorts and documents: one path component that every file system accepts."""

import re
import secrets
from datetime import datetime

from seedbed.errors import InvalidInput

__all__ = [
    "DOCUMENT_RULE",
    "NAME_RULE",
    "commit_file",
    "is_document_name",
    "is_name",
    "is_new_name",
    "may_be_document",
    "new_run_id",
    "no_new_name",
    "require_name",
]

NAME_RULE = "1 to 100 of A-Z a-z 0-9 . _ -, beginning with a letter or a digit"
NEW_NAME_RULE = f"{NAME_RULE}, not ending in a dot, and none that Windows keeps for itself, such as CON or NUL.txt"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_KEPT_BY_WINDOWS = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
# The other files in a run's folder: its claims, its job, its status and the views of its commit.
_OWN_FILES = ("attempt-N", "diff_baseline", "diff_prev", "job", "metadata", "metrics", "snapshot", "status")
_CLAIM = re.compile(r"attempt-[0-9]+")
DOCUMENT_RULE = f"{NEW_NAME_RULE}, and none of the run's own {', '.join(_OWN_FILES)}"


def commit_file(seq: int) -> str:
    """The file name of commit `seq`: 20 digits, so that names sort as numbers do."""
    return f"{seq:020d}.json"


def is_name(value: object) -> bool:
    """Whether `value` can be a folder or file name in a store."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def is_new_name(value: object) -> bool:
    """Whether something new can have this name on every file system; a store may hold others, made before."""
    return is_name(value) and not str(value).endswith(".") and not _KEPT_BY_WINDOWS.fullmatch(str(value))


def is_document_name(value: object) -> bool:
    """Whether `value` can name a document of a run: it is a name, and not that of one of the run's own files.

    On many file systems the case of letters makes no other file.
    """
    return is_new_name(value) and may_be_document(value)


def may_be_document(value: object) -> bool:
    """As `is_document_name`, of a file that is there already: it may have a name that no new one can have."""
    lower = str(value).lower()
    return is_name(value) and lower not in _OWN_FILES and not _CLAIM.fullmatch(lower)


def new_run_id(now: datetime) -> str:
    """A new name for a run that begins at `now`. Names sort by their time, to the millisecond, for people only."""
    return f"{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03d}-{secrets.token_hex(2)}"


def require_name(what: str, value: str) -> str:
    """Return `value` if it is a valid name. Raises InvalidInput, in which `what` says what the name is for."""
    if not is_name(value):
        raise InvalidInput(f"the {what} {value!r} cannot be a name in the store; expected {NAME_RULE}")
    return value


def no_new_name(what: str, value: str) -> InvalidInput:
    """The error for something new that cannot have the name `value`; `what` says what the name is for."""
    return InvalidInput(f"the {what} {value!r} cannot be a name in the store; expected {NEW_NAME_RULE}")
