"""What a project, a run, a cohort or a document may be called: one path component, the same on every file system."""

import re

from seedbed.errors import InvalidInput

__all__ = ["DOCUMENT_RULE", "NAME_RULE", "commit_file", "is_document_name", "is_name", "require_name"]

NAME_RULE = "1 to 100 of A-Z a-z 0-9 . _ -, beginning with a letter or a digit"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# What lies beside a run's documents: its claims, the job that it was given, its status and the views of its commit.
_OWN_FILES = ("attempt-N", "diff_prev", "job", "metadata", "metrics", "snapshot", "status")
_CLAIM = re.compile(r"attempt-[0-9]+")
DOCUMENT_RULE = f"{NAME_RULE}, and none of the run's own {', '.join(_OWN_FILES)}"


def commit_file(seq: int) -> str:
    """The file name of commit `seq`: 20 digits, so that names sort as numbers do."""
    return f"{seq:020d}.json"


def is_name(value: object) -> bool:
    """Whether `value` may stand as a folder or file name in a store."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def is_document_name(value: object) -> bool:
    """Whether `value` may name a document of a run, whose file hides none of the run's own."""
    return is_name(value) and value not in _OWN_FILES and not _CLAIM.fullmatch(str(value))


def require_name(what: str, value: str) -> str:
    """`value`, if it is a name. Raises InvalidInput that says which `what` was refused."""
    if not is_name(value):
        raise InvalidInput(f"the {what} {value!r} cannot be a name in the store; expected {NAME_RULE}")
    return value
