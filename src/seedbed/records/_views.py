"""What is derived from a commit for people to open: the documents of a run and LATEST. Never read as truth."""

from pathlib import Path

from seedbed.records._canonical import readable_json
from seedbed.records._diff import log_path
from seedbed.records._durable import replace
from seedbed.records._layout import Layout
from seedbed.records._log import CommitLog
from seedbed.records._snapshot import Commit

__all__ = ["latest_pointer", "views", "write_latest", "write_views"]


def views(commit: Commit) -> dict[str, bytes]:
    """The files that show `commit` in its run's folder, by name."""
    body = commit.snapshot.model_dump(mode="json")
    shown = {
        "metadata": body["metadata"],
        "metrics": body["metrics"],
        "snapshot": {**body, "digest": commit.digest},
        "diff_prev": body["diff_prev"],
        **body["documents"],
    }
    return {f"{name}.json": readable_json(value) for name, value in shown.items()}


def write_views(layout: Layout, commit: Commit) -> None:
    """Write the views of `commit`, not durably: `repair` makes them again. Raises StoreUnavailable."""
    folder = layout.run_of(commit.snapshot)
    for name, data in views(commit).items():
        replace(folder / name, data, durable=False)


def latest_pointer(commit: Commit) -> bytes:
    """What LATEST.json says when `commit` is the newest of its project, cohort and stage."""
    snapshot = commit.snapshot
    return readable_json(
        {
            "digest": commit.digest,
            "path": log_path(snapshot.project, commit.seq),
            "run_id": snapshot.run_id,
            "snapshot_seq": commit.seq,
        }
    )


def write_latest(layout: Layout, log: CommitLog, commit: Commit) -> Path:
    """Point LATEST at the newest commit of the cohort and stage of `commit`. Raises StoreUnavailable, StoreCorrupt.

    Another writer may commit in between; whoever writes last looks again, so the pointer ends at the newest.
    """
    path = layout.latest_of(commit.snapshot)
    written = 0
    while written != (newest := _newest_seq(log, commit)):
        replace(path, latest_pointer(commit if newest == commit.seq else log.read(newest)), durable=False)
        written = newest
    return path


def _newest_seq(log: CommitLog, commit: Commit) -> int:
    wanted = (commit.snapshot.stage, str(commit.snapshot.metadata["cohort_id"]))
    return next(header.seq for header in reversed(log.headers()) if (header.stage, header.cohort_id) == wanted)
