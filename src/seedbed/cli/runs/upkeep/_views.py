"""`seedbed runs views`: a run's metadata, metrics, diffs and documents as files of their own, for other tools."""

from typing import Annotated

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, ProjectOption, StoreOption
from seedbed.cli.console._progress_bar import labelled_progress_bar
from seedbed.cli.console._render import out, print_json
from seedbed.render.text._values import counted

__all__ = ["views"]


def views(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="Only this run, as for `runs show`; without it, every finished one."),
    ] = None,
    project: ProjectOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Write the views of runs into their folders: metrics.json, metadata.json, diff_prev.json, documents and others.

    They show parts of the commit, for people and other tools. A finish
    writes only snapshot.json, which holds all of it, and audit_run.json.

    \b
    Examples:
      seedbed runs views latest
      seedbed runs views --project flights
    """
    from seedbed.cli.runs._select import find_finished
    from seedbed.records import Store, write_views

    opened = Store.open(store)
    found = [find_finished(store, run)[0]] if run else [view for view in opened.runs(project) if view.commit]
    paths: list[str] = []
    with labelled_progress_bar() as progress:
        for done, view in enumerate(found, 1):
            paths += write_views(opened, view)
            progress("writing views", done, len(found))
    if as_json:
        print_json({"runs": len(found), "paths": paths})
    else:
        where = str(found[0].folder) if len(found) == 1 else f"the folders of the runs in {store}"
        out().print(f"{counted(len(found), 'run')}: {counted(len(paths), 'view')} written into {where}", soft_wrap=True)
