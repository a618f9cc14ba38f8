"""Commits the copy of a commit of another number or store, and what follows from it, as `finish` does for a run."""

from seedbed.records._store import Store
from seedbed.records._views import FIRST_VIEWS, views, write_latest
from seedbed.records.log._log import CommitLog
from seedbed.records.maintenance._expiries import Expired, Expiries, Expiry
from seedbed.records.snapshot._commit import Commit, run_folder_of

__all__ = ["adopt", "expire"]


def adopt(store: Store, log: CommitLog, commit: Commit, expiry: Expiry | None, name: str = "") -> Commit:
    """Commit a copy of `commit` in `log`, of `store`, durable on return; or return the commit of that content there.

    `name` is that of the store that `commit` comes from, and "" for this one; `expiry` is by what it has expired there:
    the copy has expired here too, then. Raises as `CommitLog.append`.
    """
    made = log.adopt(commit, name)
    expire(store, made, commit, expiry)
    group = made.snapshot.digests["comparison_group"]
    baseline = log.baselines.of(group)
    if baseline and baseline.digest == commit.digest:
        log.baselines.promote(made, f"commit {commit.seq} is number {made.seq} now", store.clock.now(), baseline.rule)
    log.promote_by_rule(made, store.clock.now())
    folder = run_folder_of(made.snapshot)
    for file, data in views(made, FIRST_VIEWS).items():
        store.files.replace(f"{folder}/{file}", data, durable=False)
    write_latest(store.files, log, made)
    return made


def expire(store: Store, made: Commit, commit: Commit, expiry: Expiry | None) -> None:
    """Record that `made` has expired by `expiry`, if it is a copy of `commit`, and that is not recorded.

    What was not made from `commit` is this store's own to keep. Raises StoreUnavailable.
    """
    snapshot = made.snapshot
    if expiry is None or snapshot.origin is None or snapshot.origin.digest != commit.digest:
        return
    here = Expiries(store.files, snapshot.project)
    if made.digest not in here.by_commit():
        gone = Expired(snapshot_seq=made.seq, digest=made.digest, run_id=snapshot.run_id, stage=snapshot.stage)
        here.record([gone], expiry.rule, expiry.timestamp)
