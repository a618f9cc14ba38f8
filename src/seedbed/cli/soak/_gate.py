"""`seedbed soak gate`: may what a soak found be used? The exit code is the answer."""

from typing import Annotated

import typer

from seedbed.cli.console._options import JsonOption
from seedbed.cli.console._render import errors, out, print_json
from seedbed.cli.soak._options import DEFAULT_FOLDER, GateOption, PathOption

__all__ = ["gate"]


def gate(
    path: PathOption = DEFAULT_FOLDER,
    spec: GateOption = None,
    prometheus: Annotated[
        bool, typer.Option("--prometheus", help="Also write POST_SOAK_METRICS.prom beside the snapshot anew.")
    ] = False,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Say of each check how often it wrongly passes such a series.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge a soak: verify it, hold every check against it, write the snapshot with the verdict.

    Exits with 0 for pass, 1 for fail, 3 for inconclusive or no data, 4 when
    the consumer broke its word or verification found something.

    \b
    Examples:
      seedbed soak gate --path artifacts/soak --prometheus
      seedbed soak gate --path artifacts/soak --spec gate.yaml --calibrate
    """
    from seedbed.cli.console._gate_text import gate_text
    from seedbed.errors import InvalidInput
    from seedbed.gate import load_gate
    from seedbed.soak import SoakFolder, assemble, judged_again

    if spec is not None and prometheus:
        raise InvalidInput("--prometheus writes what the soak's own gate says; leave out --spec, or --prometheus")
    place = SoakFolder.find(path)
    demanded = None if spec is None else load_gate(spec)
    report = judged_again(place, assemble, spec=demanded, metrics=prometheus, calibrate=calibrate)
    if as_json:
        print_json({"soak_id": place.path.name, **report.model_dump(mode="json")})
    else:
        out().print(gate_text(report))
        if prometheus:
            errors().print(f"metrics: {place.path / 'POST_SOAK_METRICS.prom'}", soft_wrap=True)
    raise typer.Exit(report.exit_code)
