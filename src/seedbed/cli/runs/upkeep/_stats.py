"""`seedbed runs stats`: what takes space on the disk."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, StoreOption
from seedbed.cli.console._progress_bar import labelled_progress_bar
from seedbed.cli.console._render import out, print_json
from seedbed.render.text._layout import plain_table
from seedbed.render.text._values import size

if TYPE_CHECKING:
    from seedbed.records import StoreStats

__all__ = ["stats"]

_SCHEMA_VERSION = 2  # in version 1 the key `usage` was named `rooms`
_SHORT = 12


def stats(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show what takes space in the store: by kind of file, by project, and the largest blobs.

    \b
    Examples:
      seedbed runs stats
      seedbed runs stats --json
    """
    from seedbed.records import Store
    from seedbed.records import stats as count

    with labelled_progress_bar() as progress:
        found = count(Store.open(store), progress=progress)
    if as_json:
        print_json({**asdict(found), "size_bytes": found.size_bytes}, schema_version=_SCHEMA_VERSION)
    else:
        _print_stats(found)


def _print_stats(found: "StoreStats") -> None:
    kinds = plain_table("kind", "files", "size", "share", numeric=("files", "size", "share"))
    total = found.size_bytes or 1
    for kind in found.usage:
        kinds.add_row(kind.kind, f"{kind.num_files:,}", size(kind.size_bytes), f"{kind.size_bytes / total:.0%}")
    out().print(kinds)
    if found.projects:
        numeric = ("commits", "runs", "log", "run folders", "blobs")
        projects = plain_table("project", *numeric, numeric=numeric)
        for item in found.projects:
            sizes = (item.log_bytes, item.folder_bytes, item.blob_bytes)
            projects.add_row(item.project, f"{item.num_commits:,}", f"{item.num_runs:,}", *map(size, sizes))
        out().print("", projects)
    if found.largest:
        largest = plain_table("largest blobs", "size", "first used by", numeric=("size",))
        for blob in found.largest:
            user = f"{blob.project}/{blob.run_id}" if blob.run_id else "no commit"
            largest.add_row(f"{blob.digest[:_SHORT]}…", size(blob.size_bytes), user)
        out().print("", largest)
    if found.reclaimable_bytes is None:
        out().print("\na record is damaged or missing: `seedbed runs fsck` shows which. Until then gc deletes nothing")
    else:
        out().print(f"\n{size(found.size_bytes)} in all; `seedbed runs gc` would free {size(found.reclaimable_bytes)}")
