"""Arguments and options that several commands share, so that they mean the same everywhere."""

from typing import Annotated, Literal

import typer

__all__ = [
    "DEFAULT_STORE",
    "EpochsOption",
    "EventsOption",
    "InjectOption",
    "JsonOption",
    "ModeOption",
    "OpenOption",
    "OtherArgument",
    "ProjectOption",
    "ReasonOption",
    "ResumeOption",
    "RunArgument",
    "RunningArgument",
    "SeedOption",
    "StoreOption",
    "ThreadsOption",
]

DEFAULT_STORE = ".seedbed"

StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="SEEDBED_STORE",
        show_envvar=True,
        help="The folder that holds all runs, or a URL such as s3://bucket/prefix.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, and everything else on stderr.")
]
ProjectOption = Annotated[str | None, typer.Option(help="Only this project.")]
ReasonOption = Annotated[str, typer.Option(help="The reason, recorded for later readers.")]
RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's name, a beginning that only one run has, `latest`, or a commit's number: up to seven digits are "
        "the number if only one project has it and no run is named so. `latest` is the run that finished last; where "
        "a run need not be finished, as in `show`, the one that finished or else began last.",
    ),
]
RunningArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's name, a beginning that only one run has, or `latest`: of the runs that go on the one that began "
        "last; where none goes on, the one that finished or else began last.",
    ),
]
OtherArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="OTHER", help="The earlier run, named as RUN; by default the newest before it of its comparison group."
    ),
]

ModeOption = Annotated[
    Literal["strict", "compat"] | None,
    typer.Option(
        case_sensitive=False,
        help="What to do when a declared acceleration is not observed: strict stops, compat warns and continues. "
        "By default as configured, else strict.",
    ),
]
InjectOption = Annotated[
    Literal["math-attention", "lr-overwrite", "torn-log"] | None,
    typer.Option(help="Cause this fault, to see that it is caught."),
]
ResumeOption = Annotated[
    str | None,
    typer.Option(
        metavar="RUN",
        help="Continue this unfinished run, of whatever project, as it was configured: a setting that is stated "
        "otherwise now is refused.",
    ),
]
OpenOption = Annotated[
    bool | None,
    typer.Option("--open/--no-open", help="Open the report in a browser; by default only in a terminal on a desktop."),
]
EventsOption = Annotated[int | None, typer.Option(min=1, help="Use only this many events, the earliest.")]
EpochsOption = Annotated[int | None, typer.Option(min=1, help="How many times to go through the training events.")]
SeedOption = Annotated[int | None, typer.Option(min=0, help="The seed of everything random.")]
ThreadsOption = Annotated[
    int | None, typer.Option(min=1, help="The number of torch's threads; by default torch chooses.")
]
