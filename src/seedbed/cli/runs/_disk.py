"""`seedbed runs stats`, `gc` and `index`: what takes the room, what of it may go, and one file that lists all runs."""

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, StoreOption
from seedbed.cli.console._progress_bar import working
from seedbed.cli.console._render import counted, moment, out, plain_table, print_json, size

if TYPE_CHECKING:
    from seedbed.records import GcPlan, StoreStats

__all__ = ["gc", "index", "stats"]

_SHORT = 12


def stats(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show what takes the room of the store: by kind of file, by project, and the largest payloads.

    \b
    Examples:
      seedbed runs stats
      seedbed runs stats --json
    """
    from seedbed.records import Store
    from seedbed.records import stats as count

    with working() as progress:
        found = count(Store.open(store), progress=progress)
    if as_json:
        print_json({**asdict(found), "size_bytes": found.size_bytes})
    else:
        _print_stats(found)


def gc(
    retention: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Let go what this file's rules do not keep, see `seedbed docs maintenance`."),
    ] = None,
    grace: Annotated[
        float, typer.Option(metavar="HOURS", min=0, help="Spare what was written in the last so many hours.")
    ] = 24.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and delete nothing.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Delete the payloads that no commit holds, and with --retention those that old commits need no more.

    No commit is ever deleted, and runs that are under way keep what they wrote.
    It may be killed at any moment, and run beside writers.

    \b
    Examples:
      seedbed runs gc --dry-run
      seedbed runs gc --retention retention.yaml
    """
    from seedbed.records import Store, load_retention, plan_gc, sweep

    policy = None if retention is None else load_retention(retention)
    opened = Store.open(store)
    with working() as progress:
        plan = plan_gc(opened, policy, grace=timedelta(hours=grace), progress=progress)
        result = None if dry_run else sweep(plan, opened.files, progress)
    deleted = () if result is None else result.swept
    if as_json:
        print_json({**_plan_json(plan), "deleted": [item.key for item in deleted]})
    else:
        _print_plan(plan)
        if result is not None:
            freed = sum(item.size_bytes for item in deleted)
            out().print(f"{counted(len(deleted), 'file')} deleted, {size(freed)} freed")


def index(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Write snapshot_index.json into the store: every run's newest commits, keyed run_id:STAGE, for other tools.

    \b
    Examples:
      seedbed runs index
    """
    from seedbed.records import Store, export_index

    opened = Store.open(store)
    with working() as progress:
        entries = export_index(opened, progress=progress)
    if as_json:
        print_json({"entries": len(entries), "path": "snapshot_index.json"})
    else:
        out().print(f"{counted(len(entries), 'run')} listed in snapshot_index.json of {store}", soft_wrap=True)


def _print_stats(found: "StoreStats") -> None:
    kinds = plain_table("kind", "files", "size", "of all", numeric=("files", "size", "of all"))
    whole = found.size_bytes or 1
    for room in found.usage:
        kinds.add_row(room.kind, f"{room.num_files:,}", size(room.size_bytes), f"{room.size_bytes / whole:.0%}")
    out().print(kinds)
    if found.projects:
        numeric = ("commits", "runs", "log", "run folders", "blobs held")
        projects = plain_table("project", *numeric, numeric=numeric)
        for item in found.projects:
            sizes = (item.log_bytes, item.folder_bytes, item.blob_bytes)
            projects.add_row(item.project, f"{item.num_commits:,}", f"{item.num_runs:,}", *map(size, sizes))
        out().print("", projects)
    if found.largest:
        largest = plain_table("largest blobs", "size", "first held by", numeric=("size",))
        for blob in found.largest:
            holder = f"{blob.project}/{blob.run_id}" if blob.run_id else "no commit"
            largest.add_row(f"{blob.digest[:_SHORT]}…", size(blob.size_bytes), holder)
        out().print("", largest)
    if found.reclaimable_bytes is None:
        out().print("\na record is damaged or missing: `seedbed runs fsck` says which, and gc does nothing until then")
    else:
        out().print(f"\n{size(found.size_bytes)} in all; `seedbed runs gc` would free {size(found.reclaimable_bytes)}")


def _plan_json(plan: "GcPlan") -> dict[str, object]:
    expiries = [
        {"project": item.project, "rule": str(item.rule), "commits": [commit.snapshot_seq for commit in item.commits]}
        for item in plan.expiries
    ]
    return {
        "cutoff": plan.cutoff.isoformat(),
        "held_by": None if plan.held_by is None else plan.held_by.run_id,
        "expiries": expiries,
        "files": [asdict(item) for item in plan.files],
        "size_bytes": plan.size_bytes,
        "young": {"files": plan.num_young, "size_bytes": plan.young_bytes},
    }


def _print_plan(plan: "GcPlan") -> None:
    for item in plan.expiries:
        out().print(
            f"{item.project}: {counted(len(item.commits), 'commit')} let go by rule {item.rule}", soft_wrap=True
        )
    if plan.held_by is not None:
        out().print(f"run {plan.held_by.run_id} is under way: nothing that it may hold goes", soft_wrap=True)
    out().print(
        f"{counted(len(plan.files), 'file')} written before {moment(plan.cutoff)} may go: {size(plan.size_bytes)}"
    )
    if plan.num_young:
        out().print(f"{counted(plan.num_young, 'younger file')} that no commit holds spared: {size(plan.young_bytes)}")
