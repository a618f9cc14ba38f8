"""`seedbed runs gc`: delete the files that no commit needs."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, StoreOption
from seedbed.cli.console._progress_bar import labelled_progress_bar
from seedbed.cli.console._render import errors, out, print_json
from seedbed.contracts import RunStatus, Stage
from seedbed.errors import InvalidInput
from seedbed.render.text._values import counted, moment, size

if TYPE_CHECKING:
    from seedbed.records import GcPlan, RetentionPolicy

__all__ = ["gc"]

_SCHEMA_VERSION = 2  # in version 1 the key `expiries` was named `lettings`


def gc(
    retention: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Also delete what the rules in this file do not keep, see `seedbed docs maintenance`."
        ),
    ] = None,
    grace: Annotated[
        float,
        typer.Option(metavar="HOURS", max=1_000_000, help="Keep what was written in this many hours, 1 or more."),
    ] = 24.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be deleted, and delete nothing.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Delete the payloads that no commit uses, and with --retention those of old commits.

    Payloads are blobs and step logs. Commits are never deleted, and a run that
    is not finished keeps what it wrote. The command may be killed at any time,
    and other processes may write meanwhile. A rule that decides about nothing
    in this store, as where its project is misspelt, is named in a warning.

    \b
    Examples:
      seedbed runs gc --dry-run
      seedbed runs gc --retention retention.yaml
    """
    from seedbed.records import Store, load_retention, plan_gc, sweep

    policy = None if retention is None else load_retention(retention)
    if not grace >= 1:  # neither is "not a number"
        raise InvalidInput(f"--grace is {grace:g} hours, expected at least 1: writers rely on it")
    opened = Store.open(store)
    for line in _idle_rules(policy, opened.projects()) if policy else ():
        errors().print(f"warning: {line}", soft_wrap=True)
    with labelled_progress_bar() as progress:
        plan = plan_gc(opened, policy, grace=timedelta(hours=grace), progress=progress)
        result = None if dry_run else sweep(plan, progress)
    deleted = () if result is None else result.swept
    if as_json:
        print_json({**_plan_json(plan), "deleted": [item.key for item in deleted]}, schema_version=_SCHEMA_VERSION)
    else:
        _print_plan(plan)
        if result is not None:
            freed = sum(item.size_bytes for item in deleted)
            out().print(f"{counted(len(deleted), 'file')} deleted, {size(freed)} freed")


def _idle_rules(policy: "RetentionPolicy", projects: Sequence[str]) -> Iterator[str]:
    """The rules that decide about nothing in the store, each with the reason."""
    deciding = {id(policy.rule_of(project, stage)) for project in projects for stage in Stage}
    for rule in policy.rules:
        if not any(rule.covers(project, stage) for project in projects for stage in Stage):
            yield f"the rule {rule} covers no project of the store; there are {', '.join(projects) or 'none'}"
        elif id(rule) not in deciding:
            yield f"the rule {rule} decides about nothing: rules before it cover all that it covers"


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
            f"{item.project}: {counted(len(item.commits), 'commit')} expire by rule {item.rule}", soft_wrap=True
        )
    if plan.held_by is not None:
        is_running = plan.held_by.status is RunStatus.RUNNING
        state = "is running" if is_running else "has stopped without an end, and may be started again"
        out().print(f"run {plan.held_by.run_id} {state}: files that it may use are kept", soft_wrap=True)
    out().print(
        f"{counted(len(plan.files), 'unused file')} written before {moment(plan.cutoff)}: {size(plan.size_bytes)}"
    )
    if plan.num_young:
        out().print(f"{counted(plan.num_young, 'unused file')} younger than that kept: {size(plan.young_bytes)}")
