"""`seedbed soak gate`: does a soak pass its checks? The exit code is the answer."""

from typing import TYPE_CHECKING, Annotated

import typer

from seedbed.cli.console._options import JsonOption
from seedbed.cli.console._render import errors, out, print_json
from seedbed.cli.soak._options import (
    DEFAULT_FOLDER,
    AnchorOption,
    GateOption,
    PathOption,
    SameOutOption,
    SoakArgument,
    altered_files_break_the_contract,
    end_if_it_runs,
    resuming,
    soak_at,
    verifying,
)

if TYPE_CHECKING:
    from seedbed.soak import SoakVerification

__all__ = ["gate"]

_SHOWN = 3

_FORMER = (
    "this soak is judged by the rules of its time, whose bounds do not hold for rare events and skew; "
    "to judge it by today's, give the checks and their ranges by --spec FILE"
)


def gate(
    name: SoakArgument = None,
    path: PathOption = DEFAULT_FOLDER,
    same: SameOutOption = None,
    spec: GateOption = None,
    anchor: AnchorOption = None,
    prometheus: Annotated[
        bool, typer.Option("--prometheus", help="Also write POST_SOAK_METRICS.prom again, in the soak's folder.")
    ] = False,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Also simulate how often a check on a series passes wrongly.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge a soak: verify it, and apply every check.

    A snapshot that a finished soak lacks is written with the verdict, unless
    verification finds an altered file, or --spec judges by another gate.

    Exits with 0 for pass, 1 for fail, 3 for inconclusive or no data and while
    the soak still runs, 4 when the plant did not use what it had acknowledged
    or verification failed.
    A soak that was interrupted is judged by what it measured, and it is said
    how to go on with it.
    Only --anchor can show that the whole soak, with its gate, is another.

    \b
    Examples:
      seedbed soak gate latest --prometheus
      seedbed soak gate --path artifacts/soak --spec gate.yaml --calibrate
    """
    from seedbed.dashboard import soak_drawing
    from seedbed.errors import InvalidInput
    from seedbed.gate import load_gate
    from seedbed.render.text._gate_text import gate_text
    from seedbed.soak import assemble
    from seedbed.soak._finish import judge_and_verify

    if spec is not None and prometheus:
        raise InvalidInput("--prometheus writes what the soak's own gate says; leave out --spec, or --prometheus")
    soak_folder = soak_at(same or path, name)
    own_gate = None if spec is None else load_gate(spec)
    end_if_it_runs(soak_folder, as_json)
    with altered_files_break_the_contract():
        judged = judge_and_verify(
            soak_folder,
            assemble,
            spec=own_gate,
            anchor=anchor,
            drawing=soak_drawing(),
            metrics=prometheus,
            calibrate=calibrate,
        )
    soak, report = judged.readback, judged.report
    if not soak.is_finished:
        ended = f"this soak was interrupted after {len(soak.iterations)} of {soak.length} iterations"
        errors().print(f"{ended}; resume it with\n  {resuming(soak_folder)}", soft_wrap=True)
    if anchor is None and not soak.plan.is_bound:
        former = (
            "its log does not name its plan, so nothing shows that the gate is the one it began with; give --anchor"
        )
        errors().print(f"remark: this soak is of a former version: {former}", soft_wrap=True)
    _print_accusations(judged.verification, verifying(soak_folder, anchor))
    if as_json:
        print_json({"soak_id": soak_folder.path.name, **report.model_dump(mode="json")})
    else:
        out().print(gate_text(report))
        if report.rules is None:
            errors().print(_FORMER, soft_wrap=True)
        if prometheus:
            errors().print(f"metrics: {soak_folder.metrics_path}", soft_wrap=True)
    raise typer.Exit(report.exit_code)


def _print_accusations(found: "SoakVerification", command: str) -> None:
    """Why `verify.clean` is false: the first accusations, and the command that shows all of them."""
    if found.clean:
        return
    from rich.text import Text

    number = "one accusation" if len(found.accusations) == 1 else f"{len(found.accusations)} accusations"
    errors().print(f"verify.clean is false, by {number}; to see all that was found\n  {command}", soft_wrap=True)
    for each in found.accusations[:_SHOWN]:
        accused = Text.assemble(("accused  ", "bold red"), f"{each.flaw.value}, {each.where}: {each.what}")
        errors().print(accused, soft_wrap=True)
