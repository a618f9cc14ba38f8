"""`seedbed gate`: may this run ship? The exit code is the answer."""

from pathlib import Path
from typing import Annotated

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, RunArgument, StoreOption
from seedbed.cli.console._render import errors, out, print_json
from seedbed.cli.console._where import file_place
from seedbed.errors import ExitCode

__all__ = ["gate"]


def gate(
    run: RunArgument,
    spec: Annotated[
        Path | None,
        typer.Option(help="A YAML or JSON file of checks; by default the checks in the run's own configuration."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Also write the verdict here, in the Prometheus text format."),
    ] = None,
    prometheus: Annotated[Path | None, typer.Option("--prometheus", hidden=True)] = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Also simulate how often a check on a series passes wrongly.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Judge a run: apply a list of checks to its record, and exit with the verdict.

    Nothing but the record is read. Exits with 0 for pass, 1 for fail, 3 for
    inconclusive or no data, 4 for a broken contract.

    \b
    Examples:
      seedbed gate latest
      seedbed gate latest --spec gate.yaml --out seedbed.prom
      seedbed gate latest --spec gate.yaml --calibrate
    """
    from seedbed.cli.runs._run_summary import status_line
    from seedbed.cli.runs._select import find_run
    from seedbed.gate import judge_run, load_gate, metrics_text
    from seedbed.records.storage import replace
    from seedbed.render.text._gate_text import gate_text

    prometheus = file_place(file, prometheus, "--prometheus")
    own_gate = None if spec is None else load_gate(spec)
    view = find_run(store, run)
    if view.commit is None:
        if as_json:
            print_json(
                {
                    "run_id": view.run_id,
                    "verdict": "NO_DATA",
                    "exit_code": ExitCode.NO_ANSWER,
                    "reason": status_line(view),
                }
            )
        errors().print(f"no data: {status_line(view)} and has no record", soft_wrap=True)
        raise typer.Exit(ExitCode.NO_ANSWER)
    report = judge_run(view.commit.snapshot, own_gate, calibrate=calibrate)
    if prometheus is not None:
        replace(prometheus, metrics_text(report, view.commit.snapshot.model_dump(mode="json")).encode())
    if as_json:
        print_json({"run_id": view.run_id, **report.model_dump(mode="json")})
    else:
        out().print(gate_text(report, view.commit.snapshot))
    raise typer.Exit(report.exit_code)
