"""`seedbed soak`: a closed loop that measures, tunes through guards, proves what it changed, and is judged."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from seedbed.cli.console._options import JsonOption
from seedbed.cli.console._render import errors, out, print_json
from seedbed.errors import ExitCode

__all__ = ["app"]

_DEFAULT_FOLDER = Path("artifacts/soak")
_ITERATIONS, _NO_END = 24, 1_000_000

app = typer.Typer(no_args_is_help=True, help="Run a closed loop, verify what it changed, and judge it.")

PathOption = Annotated[
    Path, typer.Option("--path", help="A soak's folder, or the folder above, where the latest is taken.")
]
OutOption = Annotated[Path, typer.Option("--out", help="The folder that soaks are kept in, each in one of its own.")]
GateOption = Annotated[
    Path | None, typer.Option("--spec", metavar="FILE", help="A YAML or JSON file of checks; by default the profile's.")
]


@app.command()
def run(
    iterations: Annotated[
        int | None, typer.Option(min=1, help="How many iterations to measure: 24, or as many as --hours lets.")
    ] = None,
    hours: Annotated[float | None, typer.Option(min=0, help="Ramp down and end when so much time has passed.")] = None,
    auto_tune: Annotated[
        bool, typer.Option("--auto-tune", help="Let the tuner propose; without it, measure only.")
    ] = False,
    tuner: Annotated[
        Literal["rules", "model"], typer.Option(help="Who proposes: a declared table of rules, or a model of the KPI.")
    ] = "rules",
    plant: Annotated[Literal["mock", "market", "training"], typer.Option(help="What is steered.")] = "market",
    mock: Annotated[bool, typer.Option("--mock", help="Short for --plant mock: fast, and still closed.")] = False,
    profile: Annotated[str, typer.Option(help="How to go about it: standard or quick.")] = "standard",
    seed: Annotated[int, typer.Option(min=0, help="The seed of everything random.")] = 0,
    control: Annotated[
        bool, typer.Option("--control/--no-control", help="Run the same plant beside it with its settings frozen.")
    ] = True,
    inject: Annotated[
        str | None,
        typer.Option(
            metavar="FAULT",
            help="Suffer a fault between settings and plant: dropped, late, "
            "clamped, rounded, reverted, duplicated, restart or stale.",
        ),
    ] = None,
    inject_at: Annotated[int, typer.Option(min=1, help="The iteration from which the fault is suffered.")] = 8,
    resume: Annotated[str | None, typer.Option(metavar="SOAK", help="Go on with this one, or with `latest`.")] = None,
    spec: GateOption = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Serve metrics on this port of 127.0.0.1 meanwhile; 0 takes any."),
    ] = None,
    push_gateway: Annotated[
        str | None, typer.Option(metavar="URL", help="Push metrics there meanwhile, and take them away in the end.")
    ] = None,
    folder: OutOption = _DEFAULT_FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Measure, propose, guard, apply, and let the next measurement judge, iteration by iteration.

    Ends with verification and gate, and exits with the gate's code. Ctrl-C ends
    it after the current iteration, to be resumed.

    \b
    Examples:
      seedbed soak run --iterations 24 --auto-tune --mock
      seedbed soak run --plant market --auto-tune --tuner model --iterations 96
      seedbed soak run --mock --auto-tune --inject dropped     the gate fails
      seedbed soak run --resume latest
    """
    errors().print("loading torch", style="dim")
    from pydantic import ValidationError

    from seedbed.cli.soak._run import Outside, run_soak
    from seedbed.errors import InvalidInput
    from seedbed.gate import load_gate
    from seedbed.soak import SoakFolder, SoakPlan, assemble, new_soak_id

    if resume is None:
        asked = {
            "soak_id": new_soak_id(),
            "plant": "mock" if mock else plant,
            "seed": seed,
            "iterations": iterations or (_ITERATIONS if hours is None else _NO_END),
            "tuner": tuner if auto_tune else "none",
            "profile": profile,
            "control": control,
            "fault": inject,
            "fault_from": inject_at,
            "gate": None if spec is None else load_gate(spec),
        }
        try:
            plan = SoakPlan.model_validate(asked)
        except ValidationError as problem:
            told = "; ".join(
                f"{'.'.join(map(str, each['loc'])) or 'options'}: {each['msg']}" for each in problem.errors()
            )
            raise InvalidInput(f"soak: {told}") from None
        assemble(plan)  # what it cannot be made of is refused before anything is written
        place = SoakFolder.create(folder, plan)
    else:
        place = SoakFolder.find(folder / resume)
    raise typer.Exit(run_soak(place, Outside(hours, metrics_port, push_gateway, as_json)))


@app.command()
def verify(
    path: PathOption = _DEFAULT_FOLDER,
    strict: Annotated[
        bool, typer.Option("--strict", help="Demand 95 % instead of 90 % of proposals seen in use.")
    ] = False,
    repeat: Annotated[
        bool, typer.Option("--repeat/--no-repeat", help="Measure the plant again and compare its samples.")
    ] = True,
    anchor: Annotated[
        str | None,
        typer.Option(metavar="SEAL", help="The seal that `soak run` printed, or its beginning, kept elsewhere."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Work out again, from its two logs, all that a soak's files claim. Trusts no flag.

    Exits with 0 when nothing is wrong and enough was applied, 1 when too
    little was, 4 when a file is not what the logs give.

    \b
    Examples:
      seedbed soak verify --path artifacts/soak --strict
      seedbed soak verify --path artifacts/soak/latest --json
    """
    from dataclasses import asdict

    from rich.markdown import Markdown

    from seedbed.soak import SoakFolder, assemble, verification_page, verify_soak

    found = verify_soak(SoakFolder.find(path), assemble, strict=strict, repeat=repeat, anchor=anchor)
    if as_json:
        tally = None if found.tally is None else found.tally.model_dump(mode="json")
        print_json({**asdict(found), "tally": tally, "clean": found.clean, "passes": found.passes})
    else:
        out().print(Markdown(verification_page(found)))
    if not found.clean:
        raise typer.Exit(ExitCode.CONTRACT_BROKEN)
    raise typer.Exit(ExitCode.PASS if found.passes else ExitCode.FAIL)


@app.command()
def gate(
    path: PathOption = _DEFAULT_FOLDER,
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
    from seedbed.soak import SoakFolder, assemble, judge_soak

    if spec is not None and prometheus:
        raise InvalidInput("--prometheus writes what the soak's own gate says; leave out --spec, or --prometheus")
    place = SoakFolder.find(path)
    demanded = None if spec is None else load_gate(spec)
    report = judge_soak(place, assemble, spec=demanded, metrics=prometheus, calibrate=calibrate)
    if as_json:
        print_json({"soak_id": place.path.name, **report.model_dump(mode="json")})
    else:
        out().print(gate_text(report))
        if prometheus:
            errors().print(f"metrics: {place.path / 'POST_SOAK_METRICS.prom'}", soft_wrap=True)
    raise typer.Exit(report.exit_code)
