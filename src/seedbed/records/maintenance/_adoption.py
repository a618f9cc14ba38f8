"""Commits the copy of a commit of another number or store, and what follows from it, as `finish` does for a run."""

from collections.abc import Mapping

from seedbed.records._store import Store
from seedbed.records._views import FIRST_VIEWS, views, write_latest
from seedbed.records.log._log import CommitLog
from seedbed.records.maintenance._expiries import Expired, Expiries, Expiry
from seedbed.records.snapshot._commit import Commit, run_folder_of

__all__ = ["adopt"]


def adopt(store: Store, commit: Commit, expiries: Mapping[str, Expiry], name: str = "") -> Commit:
    """Commit a copy of `commit` in `store`, durable on return; or return the commit of the same content there.

    `name` is that of the store that `commit` comes from, and "" for this one; `expiries` are of that store, by digest.
    A copy of what has expired there has expired here. Raises as `CommitLog.append`.
    """
    project = commit.snapshot.project
    log = CommitLog(store.files, project)  # which reads anew what may have come back
    made = log.adopt(commit, name)
    here = Expiries(store.files, project)
    expiry = expiries.get(commit.digest)
    if expiry and made.digest not in here.by_commit():
        snapshot = made.snapshot
        gone = Expired(snapshot_seq=made.seq, digest=made.digest, run_id=snapshot.run_id, stage=snapshot.stage)
        here.record([gone], expiry.rule, expiry.timestamp)
    log.promote_by_rule(made, store.clock.now())
    folder = run_folder_of(made.snapshot)
    for file, data in views(made, FIRST_VIEWS).items():
        store.files.replace(f"{folder}/{file}", data, durable=False)
    write_latest(store.files, log, made)
    return made
