"""`seedbed runs export`: commits as a table, or as runs of another system."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, ProjectOption, StoreOption
from seedbed.cli.console._progress_bar import progress_bar
from seedbed.cli.console._render import errors, out, print_json
from seedbed.cli.console._where import not_a_folder, require_place
from seedbed.errors import NotFound, StoreCorrupt

if TYPE_CHECKING:
    from seedbed.records import Commit, Event, SearchHit, Store

__all__ = ["export_runs"]


def export_runs(
    form: Annotated[
        Literal["parquet", "csv", "mlflow"], typer.Argument(metavar="FORM", help="parquet, csv or mlflow.")
    ],
    destination: Annotated[str | None, typer.Argument(metavar="DEST", hidden=True)] = None,
    to: Annotated[
        str | None,
        typer.Option("--out", metavar="DEST", help="A file; with mlflow, a tracking URI or a database file."),
    ] = None,
    project: ProjectOption = None,
    where: Annotated[
        str | None,
        typer.Option(metavar="QUERY", help="Only finished runs that match, see `seedbed docs query`."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Export finished runs: as a table with a row for each, or as MLflow runs with settings, results, steps and tags.

    Exporting to MLflow again adds only what is new.

    \b
    Examples:
      seedbed runs export parquet --out runs.parquet
      seedbed runs export csv --out best.csv --where "metrics.ap>0.9"
      seedbed runs export mlflow --out mlflow.db --project flights
    """
    from seedbed.integrations import write_csv, write_parquet
    from seedbed.records import Store

    destination = require_place(to, destination, "DEST")
    file = None if form == "mlflow" else not_a_folder(Path(destination))
    opened = Store.open(store)
    found = _found(opened, project, where)
    if file is None:
        written = _to_mlflow(opened, found, destination)
    else:
        written = (write_csv if form == "csv" else write_parquet)(_commits(opened, found), file)
    if as_json:
        print_json({"written": written, "present": len(found) - written})
    else:
        present = f"; {len(found) - written} were there already" if written < len(found) else ""
        out().print(f"{written} runs written to {destination}{present}", soft_wrap=True)


def _found(store: "Store", project: str | None, where: str | None) -> "Sequence[SearchHit]":
    from seedbed.cli.runs._search import query_of
    from seedbed.records import Catalog

    with (
        progress_bar("reading new commits into the catalog") as progress,
        Catalog.open(store, progress=progress) as catalog,
    ):
        query = None if where is None else query_of(where, catalog)
        found = catalog.search(query, project=project, limit=-1)
    return sorted(found, key=lambda item: (item.project, item.seq))


def _commits(store: "Store", found: "Sequence[SearchHit]") -> "Iterator[Commit]":
    with progress_bar("exporting") as progress:
        for number, item in enumerate(found, start=1):
            if commit := store.log(item.project).readable(item.seq):
                yield commit
            progress(number, len(found))


def _to_mlflow(store: "Store", found: "Sequence[SearchHit]", destination: str) -> int:
    from seedbed.integrations import MLflowTarget

    target, missing = MLflowTarget(destination), dict[str, list[str]]()
    written = sum(target.write(commit, _steps(store, commit, missing)) for commit in _commits(store, found))
    for why, run_ids in missing.items():
        errors().print(f"exported without their steps, {why}: {', '.join(run_ids)}", soft_wrap=True)
    return written


def _steps(store: "Store", commit: "Commit", missing: dict[str, list[str]]) -> "Sequence[Event]":
    """What the run logged at its steps; where that is missing, nothing, and its name is added to `missing`."""
    from seedbed.cli.runs._payloads import read_steps

    view = store.finished(commit.snapshot.project, commit.seq)
    try:
        return list(read_steps(store, view, merged=True))
    except NotFound:
        missing.setdefault("which expired", []).append(view.run_id)
    except StoreCorrupt:
        missing.setdefault("which are lost, as `seedbed runs fsck` shows", []).append(view.run_id)
    return ()
