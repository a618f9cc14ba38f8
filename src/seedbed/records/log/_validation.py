"""Whether a sealed record is a commit of the log in which it stands: of its project, number and schema."""

import contextlib
from collections.abc import Iterator

from pydantic import ValidationError

from seedbed.errors import InvalidInput
from seedbed.records.canonical._names import NAME_RULE, is_name
from seedbed.records.log._headers import Header, header_of
from seedbed.records.snapshot._commit import Commit
from seedbed.records.snapshot._migrations import upgraded
from seedbed.records.storage._numbered_log import damaged

__all__ = ["checked_commit", "checked_header"]


def checked_header(commit: Commit, project: str, key: str) -> Header:
    """The header of `commit`, which stands at `key` of `project`; without validation of what no comparison needs.

    Raises StoreCorrupt when it is no commit, or one of another place; InvalidInput for one of a later version.
    """
    with _require_snapshot(commit, project, key):
        header = header_of(upgraded(commit.body, key))
        for what, name in (("run_id", header.run_id), ("cohort_id", header.cohort_id)):
            if not is_name(name):
                raise ValueError(f"its {what} is {name!r}, expected {NAME_RULE}")
        return header


def checked_commit(commit: Commit, project: str, key: str) -> Commit:
    """`commit`, with its whole body validated. Raises as `checked_header`."""
    checked_header(commit, project, key)
    with _require_snapshot(commit, project, key):
        return commit.checked()


@contextlib.contextmanager
def _require_snapshot(commit: Commit, project: str, key: str) -> Iterator[None]:
    place = (commit.body.get("snapshot_seq"), commit.body.get("project"))
    if place != (commit.seq, project):
        found, expected = (f"number {seq} of {name}" for seq, name in (place, (commit.seq, project)))
        raise damaged(key, f"it holds {found}, expected {expected}")
    try:
        yield
    except ValidationError as problem:
        first = problem.errors()[0]
        raise damaged(key, f"it is no snapshot: {first['msg']} at {first['loc']}") from None
    except InvalidInput:  # of a later version
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as problem:
        raise damaged(key, f"it is no snapshot: {problem!r}") from None
