"""`seedbed doctor`: which accelerations run on this machine, found by running them."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from seedbed.cli.console._options import JsonOption
from seedbed.cli.console._render import errors, out, print_json
from seedbed.errors import ExitCode
from seedbed.render.text._layout import plain_table
from seedbed.render.text._values import size

if TYPE_CHECKING:
    from seedbed.runtime import DoctorFeature, DoctorReport

__all__ = ["doctor"]

_FACTS = ("requested", "eligible", "selected", "observed")


def doctor(
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="The device to check.")] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Check which accelerations really run on this machine, and say what to do about the others.

    Runs a tiny model and looks at the kernels: `observed` means that they ran.
    Variables SEEDBED_RUNTIME_* count as in a run. Exits with 1 when a
    requested feature was not observed: a STRICT run would stop here.

    \b
    Examples:
      seedbed doctor
      SEEDBED_RUNTIME_AMP=on seedbed doctor --json
    """
    import os

    errors().print("loading torch, then trying each feature", style="dim")
    import torch

    from seedbed.errors import InvalidInput
    from seedbed.runtime import doctor as examine
    from seedbed.runtime import resolve_config

    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise InvalidInput("--device is cuda, but torch sees no CUDA device; use cpu or auto")
    chosen = "cuda" if has_cuda and device != "cpu" else "cpu"
    report = examine(resolve_config(environment=os.environ).config, chosen)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        _print(out(), report)
    raise typer.Exit(ExitCode.FAIL if report.reasons else ExitCode.PASS)


def _print(console: Console, report: "DoctorReport") -> None:
    features = {name: getattr(report.features, name) for name in type(report.features).model_fields}
    table = plain_table("feature", *_FACTS, "seen")
    for name, feature in features.items():
        seen = ", ".join(f"{kernel} x {count}" for kernel, count in feature.kernels.items()) if feature.selected else ""
        table.add_row(Text(name.upper(), style="bold"), *(_word(getattr(feature, fact)) for fact in _FACTS), seen)
    console.print(table)
    console.print()
    for name, feature in features.items():
        _explain(console, name.upper(), feature)
    cuda = "with CUDA" if report.cuda_available else "without CUDA"
    console.print(
        f"\n{report.device_name}, {report.cores} cores, {report.threads} torch threads, "
        f"{size(report.memory)} of memory, torch {report.pytorch_version} {cuda}",
        soft_wrap=True,
    )
    verdict = ("a STRICT run would stop here", "bold red") if report.reasons else ("a STRICT run can go ahead", "green")
    console.print(Text.assemble(verdict))


def _explain(console: Console, name: str, feature: "DoctorFeature") -> None:
    if feature.reason:
        console.print(Text.assemble((f"{name:<6}", "bold"), feature.reason), soft_wrap=True)
    if feature.advice:
        console.print(Text(f"      to do: {feature.advice}"), soft_wrap=True)


def _word(fact: bool | None) -> Text:
    return Text("unknown", style="yellow") if fact is None else Text("yes", style="green") if fact else Text("no")
