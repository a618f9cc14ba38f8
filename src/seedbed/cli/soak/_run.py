"""`seedbed soak run`: measure, propose, guard and apply for hours, then verify and judge."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from seedbed.cli.console._options import JsonOption
from seedbed.cli.console._render import errors
from seedbed.cli.soak._options import DEFAULT_FOLDER, GateOption

__all__ = ["run"]

_ITERATIONS, _NO_END = 24, 1_000_000
OutOption = Annotated[Path, typer.Option("--out", help="The folder that soaks are kept in, each in one of its own.")]


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
    folder: OutOption = DEFAULT_FOLDER,
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

    from seedbed.cli.soak._driver import Outside, run_soak
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
