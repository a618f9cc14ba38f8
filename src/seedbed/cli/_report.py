"""`seedbed report`: one run as a page that opens anywhere."""

from pathlib import Path
from typing import Annotated

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, RunArgument, StoreOption
from seedbed.cli.console._render import errors, out, print_json
from seedbed.cli.console._where import file_place
from seedbed.errors import ExitCode

__all__ = ["report"]


def report(
    run: RunArgument,
    page: Annotated[
        Path | None, typer.Option("--out", help="Where to write it; by default report.html in the run's folder.")
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Write a run's report: one HTML file with plots, which needs no network and no other file.

    It shows every metric, step series, change and kernel of the record, by the
    names that they have there. Scores at metrics.test are set beside those at
    metrics.baselines. Epochs are bands where the record says how long they are.

    \b
    Examples:
      seedbed report latest --open
      seedbed report latest --out report.html
    """
    import webbrowser

    from seedbed.cli.runs._payloads import missing_payloads
    from seedbed.cli.runs._select import find_finished
    from seedbed.dashboard import write_report
    from seedbed.gate import declares_gate, judge_run
    from seedbed.records import Store

    page = file_place(page)
    view, commit = find_finished(store, run)
    snapshot = commit.snapshot
    gate = judge_run(snapshot) if declares_gate(snapshot) else None
    written = write_report(view.folder, snapshot, gate, page)
    if as_json:
        print_json({"run_id": view.run_id, "report": str(written)})
    else:
        out().print(str(written), soft_wrap=True)
    missing = missing_payloads(Store.open(store), view, commit)
    for line in missing.lines():
        errors().print(line, soft_wrap=True)
    if open_page:
        webbrowser.open(written.resolve().as_uri())
    raise typer.Exit(ExitCode.FAIL if missing.lost else ExitCode.PASS)
