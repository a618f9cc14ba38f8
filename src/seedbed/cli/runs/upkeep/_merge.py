"""`seedbed runs merge`: the commits of another store, brought into this one."""

from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, ProjectOption, StoreOption
from seedbed.cli.console._progress_bar import labelled_progress_bar
from seedbed.cli.console._render import errors, out, print_json
from seedbed.errors import ExitCode, NotFound
from seedbed.render.text._values import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seedbed.records import Merged

__all__ = ["merge"]


def merge(
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The other store: a folder, or a URL.")],
    project: ProjectOption = None,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="What to call the other store; by default the last part of its path.")
    ] = "",
    create: Annotated[
        bool, typer.Option("--create", help="Make this store, where there is none, and bring all runs into it.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be merged, and write nothing.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Bring every finished run of another store into this one.

    A commit gets a new number here, and keeps its origin: store, number,
    digest and bytes. Its blobs, logs and files come with it. What is here
    already stays, and what of it is missing comes now: so the same merge can
    be repeated. Not merged are promotions, and runs without a commit. Exits
    with 1 where a commit is not merged, or a part of it is lost in the other
    store.

    \b
    Examples:
      seedbed runs merge ../laptop/runs --dry-run
      seedbed runs merge s3://bucket/runs --name cluster --project flights
      seedbed runs merge ../laptop/runs --store all-runs --create
    """
    from dataclasses import asdict

    from seedbed.records import Store
    from seedbed.records import merge as merge_stores

    there = Store.open(other)  # before a new store is made, so that a misspelt name makes none
    with ExitStack() as until_planned, labelled_progress_bar() as progress:
        here = Store.open(_place(store, until_planned) if create and dry_run else store, create=create)
        found = merge_stores(here, there, project=project, name=name, dry_run=dry_run, progress=progress)
    if as_json:
        print_json({"commits": [asdict(item) for item in found]})
    else:
        for item in found:
            place = "would come" if item.seq is None else f"is number {item.seq} here"
            if item.problem:
                but = "is not merged" if item.seq is None else f"{place}, but"
                errors().print(Text(f"{_named(item)}, {but}: {item.problem}"), soft_wrap=True)
            elif item.is_new:
                out().print(Text(f"{_named(item)}, {place}"), soft_wrap=True)
        out().print(_summary(found, dry_run=dry_run))
    logs = [there.log(each) for each in there.projects() if project in (None, each)]
    num_lost = sum(not log.is_quarantined(seq) for log in logs for seq in log.lost())
    if num_lost:
        told = f"{counted(num_lost, 'commit')} there cannot be read: see `seedbed runs fsck --store {other}`"
        errors().print(Text(told), soft_wrap=True)
    raise typer.Exit(ExitCode.FAIL if num_lost or any(item.problem for item in found) else ExitCode.PASS)


def _place(store: str, until_planned: ExitStack) -> str:
    """The store, or, where there is none, an empty folder for the time of the plan."""
    from seedbed.records import Store

    try:
        Store.open(store)
    except NotFound:
        return until_planned.enter_context(TemporaryDirectory())
    return store


def _named(item: "Merged") -> str:
    commit = "the lost commit" if item.from_seq is None else f"commit {item.from_seq}"
    return f"{commit} of {item.project}, run {item.run_id}"


def _summary(found: "Sequence[Merged]", *, dry_run: bool) -> str:
    """How many commits came, were here, and did not come."""
    num_new = sum(item.is_new and (dry_run or item.seq is not None) for item in found)
    num_refused = sum(item.seq is None and not item.is_new for item in found)
    rest = f", {num_refused:,} not merged" if num_refused else ""
    came, num_known = "would come" if dry_run else "came", len(found) - num_new - num_refused
    return f"{counted(len(found), 'commit')} there: {num_new:,} {came}, {num_known:,} here already{rest}"
