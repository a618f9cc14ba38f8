"""`seedbed soak run`: measure, propose, guard and apply for hours, then verify and judge."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from seedbed.cli.console._options import JsonOption
from seedbed.cli.console._render import errors
from seedbed.cli.soak._options import DEFAULT_FOLDER, GateOption, altered_files_break_the_contract, soak_at

__all__ = ["run"]

_ITERATIONS, _NO_END = 24, 1_000_000
OutOption = Annotated[Path, typer.Option("--out", help="The folder of all soaks; each gets a folder of its own in it.")]


def run(
    context: typer.Context,
    iterations: Annotated[
        int | None, typer.Option(min=1, help="How many iterations to run; by default 24, or as many as --hours allows.")
    ] = None,
    hours: Annotated[float | None, typer.Option(min=0, help="Ramp down and end after this many hours.")] = None,
    auto_tune: Annotated[
        bool, typer.Option("--auto-tune", help="Let the tuner propose changes; without it, only measure.")
    ] = False,
    tuner: Annotated[
        Literal["rules", "model"], typer.Option(help="What proposes changes: a table of rules, or a model of the KPI.")
    ] = "rules",
    plant: Annotated[
        Literal["mock", "market", "training"], typer.Option(help="The plant: the system that is measured and tuned.")
    ] = "market",
    mock: Annotated[bool, typer.Option("--mock", help="Short for --plant mock, the fastest plant.")] = False,
    profile: Annotated[
        str, typer.Option(help="The profile, which sets checks and thresholds: standard or quick.")
    ] = "standard",
    seed: Annotated[int, typer.Option(min=0, help="The seed of everything random.")] = 0,
    control: Annotated[
        bool,
        typer.Option(
            "--control/--no-control", help="Also run a second plant with its settings frozen, to compare with."
        ),
    ] = True,
    inject: Annotated[
        str | None,
        typer.Option(
            metavar="FAULT",
            help="Cause a fault between settings and plant: dropped, late, "
            "clamped, rounded, reverted, duplicated, restart or stale.",
        ),
    ] = None,
    inject_at: Annotated[int, typer.Option(min=1, help="The first iteration that has the fault.")] = 8,
    resume: Annotated[str | None, typer.Option(metavar="SOAK", help="Continue this soak, or `latest`.")] = None,
    spec: GateOption = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Serve metrics on this port of 127.0.0.1 during the soak; 0 takes a free port."
        ),
    ] = None,
    push_gateway: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Push metrics to this Pushgateway during the soak, and delete them at the end."
        ),
    ] = None,
    folder: OutOption = DEFAULT_FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Run a soak: measure, propose changes, apply what the guards allow, and measure again, many times.

    In the end the soak is verified and judged; exits with the gate's exit
    code. Ctrl-C ends it after the current iteration; --resume continues it.

    \b
    Examples:
      seedbed soak run --iterations 24 --auto-tune --mock
      seedbed soak run --plant market --auto-tune --tuner model --iterations 96
      seedbed soak run --mock --auto-tune --inject dropped     the gate fails
      seedbed soak run --resume latest
    """
    errors().print("loading torch", style="dim")
    from pydantic import ValidationError

    from seedbed.cli.soak._driver import RunOptions, run_soak
    from seedbed.cli.soak._resumed import require_same_plan
    from seedbed.contracts._faults import faults_of
    from seedbed.errors import InvalidInput
    from seedbed.gate import load_gate
    from seedbed.soak import SoakFolder, SoakPlan, assemble, new_soak_id
    from seedbed.soak._assemble import kpis_of, refuse_untuned
    from seedbed.soak.reports._lint import refuse_unknown_metrics

    own_gate = None if spec is None else load_gate(spec)
    if resume is None:
        plan_fields = {
            "soak_id": new_soak_id(),
            "plant": "mock" if mock else plant,
            "seed": seed,
            "iterations": iterations or (_ITERATIONS if hours is None else _NO_END),
            "tuner": tuner if auto_tune else "none",
            "profile": profile,
            "control": control,
            "fault": inject,
            "fault_from": inject_at,
            "gate": own_gate,
        }
        try:
            plan = SoakPlan.model_validate(plan_fields)
        except ValidationError as problem:
            problems = "; ".join(fault.told("options") for fault in faults_of(problem, SoakPlan))
            raise InvalidInput(f"soak: {problems}") from None
        assembly = assemble(plan)  # an impossible plan is refused before anything is written
        refuse_untuned(plan)
        refuse_unknown_metrics(plan, assembly, kpis_of(plan))
        soak_folder = SoakFolder.create(folder, plan)
    else:
        soak_folder = soak_at(folder, resume, "--out")
    with altered_files_break_the_contract():
        if resume is not None:
            require_same_plan(soak_folder.plan(), _stated(context), own_gate)
        exit_code = run_soak(soak_folder, RunOptions(hours, metrics_port, push_gateway, as_json))
    raise typer.Exit(exit_code)


def _stated(context: typer.Context) -> dict[str, Any]:
    """The options that the command line states, by the name of each."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name: context.params[name] for name, source in sources.items() if source and source.name == "COMMANDLINE"}
