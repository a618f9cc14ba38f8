"""`seedbed runs import`: runs that other systems recorded, turned into commits."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, StoreOption
from seedbed.cli.console._progress_bar import progress_bar
from seedbed.cli.console._render import errors, out, print_json
from seedbed.errors import ExitCode, InvalidInput, NotFound
from seedbed.render.text._layout import plain_table

if TYPE_CHECKING:
    from rich.table import Table

    from seedbed.integrations import ImportResult, RunSource
    from seedbed.records import Store

__all__ = ["import_runs"]

_NOT_APPLICABLE = "NOT_APPLICABLE"
_REFUSED = "REFUSED"


def import_runs(
    system: Annotated[
        Literal["jsonl", "mlflow", "tensorboard"],
        typer.Argument(metavar="SYSTEM", help="jsonl, mlflow or tensorboard."),
    ],
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A file, a log folder, or MLflow's tracking URI or database file.")
    ],
    project: Annotated[str, typer.Option(help="The project to import the runs into.")],
    target: Annotated[str, typer.Option(help="What the models predict.")],
    cohort: Annotated[str, typer.Option(help="The cohort of the runs, such as the year of their data.")],
    view: Annotated[str, typer.Option(help="The view of the data that the models saw.")] = _NOT_APPLICABLE,
    model_family: Annotated[str, typer.Option(help="The model family, such as tgat.")] = _NOT_APPLICABLE,
    data: Annotated[
        str | None,
        typer.Option(
            help="A name for the data that all the runs were trained on. "
            "Without it, and without data named in the source, a run is comparable with no other."
        ),
    ] = None,
    experiment: Annotated[str | None, typer.Option(help="With mlflow: only the runs of this experiment.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything, and write nothing.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Import the finished runs of another system, each as one commit with its settings, results and steps.

    Importing again adds only what is missing, also after an import was killed.
    Exits with 2 when a run was refused; the others are imported.

    \b
    Examples:
      seedbed runs import jsonl runs.jsonl --project flights --target delay --cohort y2013
      seedbed runs import mlflow mlflow.db --project flights --target delay --cohort y2013 --dry-run
      seedbed runs import tensorboard logs --project flights --target delay --cohort y2013 --data flights-2013
    """
    from seedbed import integrations

    opened = _source(system, source, experiment)
    described = integrations.ImportDescription(project, target, cohort, view, model_family, data)
    into = _store(store, dry=dry_run)
    done: list[ImportResult] = []
    with progress_bar("importing") as progress:
        for imported in integrations.import_runs(opened, into, described, dry=dry_run):
            done.append(imported)
            progress(len(done), len(opened.ids()))
    if as_json:
        print_json({"dry_run": dry_run, "runs": [_listed(item) for item in done]})
    else:
        out().print(_table(done))
        errors().print(_summary(done, dry=dry_run))
    raise typer.Exit(ExitCode.USAGE if any(item.outcome == _REFUSED for item in done) else ExitCode.PASS)


def _source(system: str, source: str, experiment: str | None) -> "RunSource":
    from seedbed.integrations import JsonLines, MLflow, TensorBoard

    if experiment is not None and system != "mlflow":
        raise InvalidInput(f"--experiment is for mlflow only, {system} has no experiments; leave it out")
    if system == "mlflow":
        return MLflow(source, experiment)
    return JsonLines(Path(source)) if system == "jsonl" else TensorBoard(Path(source))


def _store(name: str, *, dry: bool) -> "Store | None":
    from seedbed.records import Store

    try:
        return Store.open(name, create=not dry)
    except NotFound:  # a dry run writes nothing, not even a store
        return None


def _listed(item: "ImportResult") -> dict[str, object]:
    return {
        "source_id": item.source_id,
        "run_id": item.run_id,
        "outcome": item.outcome.value,
        "snapshot_seq": item.seq,
        "reason": item.reason,
    }


def _table(done: "Sequence[ImportResult]") -> "Table":
    table = plain_table("in the source", "run", "outcome", "commit", "why", numeric=("commit",))
    for item in done:
        seq = "" if item.seq is None else str(item.seq)
        table.add_row(item.source_id, item.run_id, item.outcome.value, seq, item.reason)
    return table


def _summary(done: "Sequence[ImportResult]", *, dry: bool) -> str:
    counts = Counter(item.outcome.value.lower() for item in done)
    text = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items()))
    return f"{'dry run, nothing is written: ' if dry else ''}{text or 'there is no run to import'}"
