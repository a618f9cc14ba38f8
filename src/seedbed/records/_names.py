"""What a project, a run, a cohort or a document may be called: one path component, the same on every file system."""

import re

from seedbed.errors import InvalidInput

__all__ = ["NAME_RULE", "commit_file", "is_name", "require_name"]

NAME_RULE = "1 to 100 of A-Z a-z 0-9 . _ -, beginning with a letter or a digit"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def commit_file(seq: int) -> str:
    """The file name of commit `seq`: 20 digits, so that names sort as numbers do."""
    return f"{seq:020d}.json"


def is_name(value: object) -> bool:
    """Whether `value` may stand as a folder or file name in a store."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def require_name(what: str, value: str) -> str:
    """`value`, if it is a name. Raises InvalidInput that says which `what` was refused."""
    if not is_name(value):
        raise InvalidInput(f"the {what} {value!r} cannot be a name in the store; expected {NAME_RULE}")
    return value
