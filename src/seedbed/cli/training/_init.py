"""`seedbed init`: write a configuration file to start from."""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seedbed.cli.console._render import errors
from seedbed.cli.console._where import file_place
from seedbed.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from seedbed.temporal import FileProposal

__all__ = ["TEMPLATE", "init"]

TEMPLATE = Path(__file__).with_name("template.yaml")
_DEFAULT = Path("seedbed.yaml")
_YAML = (".yaml", ".yml")
_YAML_WORDS = ("true", "false", "yes", "no", "on", "off", "null", "none", "nan", "inf")


def init(
    events: Annotated[
        Path | None, typer.Argument(metavar="EVENTS", help="A file of events to propose a configuration for.")
    ] = None,
    former: Annotated[Path | None, typer.Argument(metavar="PATH", hidden=True)] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write it; by default seedbed.yaml.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a configuration file that holds every setting, with a comment on each.

    With EVENTS, it proposes what each column means, the time unit and the
    format, from the header and the first rows, and says why. Without, it
    holds the defaults.

    \b
    Examples:
      seedbed init
      seedbed init --out flights.yaml --force
      seedbed init events.csv
      seedbed init events.csv.gz --out job.yaml
    """
    if events is not None and former is None and _is_yaml(events):
        events, former = None, events
    if former is not None and not _is_yaml(former):
        raise InvalidInput(f"{former}: expected one file of events; give the place to write to by --out, as job.yaml")
    path = file_place(out, former, "PATH") or _DEFAULT
    if _is_events(path):
        raise InvalidInput(f"{path} has the suffix of a file of events; give --out another one, as in job.yaml")
    if events is not None and not events.is_dir() and not _is_events(events):
        raise _unreadable(events)
    if path.exists() and not force:  # before a long look at the events
        raise _exists(path)
    if events is None:
        _write(path, TEMPLATE.read_text(encoding="utf-8"), force=force)
        errors().print(f"wrote {path}; edit it, then: seedbed train EVENTS --config {path}", soft_wrap=True)
        return
    if events.is_dir():
        train = shlex.join(["seedbed", "train", str(events)])
        raise InvalidInput(f"{events} is a folder; sessions keep their columns, so `{train}` just reads it")
    _propose(events, path, force=force)


def _propose(events: Path, path: Path, *, force: bool) -> None:
    from seedbed.stages._enough import settings_for
    from seedbed.temporal import propose

    proposal = propose(events)
    training = settings_for(proposal.num_events) if proposal.num_events else {}
    if training:
        why = "leave too few steps to learn, or too few batches for the interval that the gate needs"
        reason = (
            f"batch_size {training['batch_size']}, warmup_steps {training['warmup_steps']}: with so few events, larger "
            f"values {why}"
        )
        proposal = replace(proposal, reasons=(*proposal.reasons, reason))
    compiler = {}
    if proposal.num_events:
        compiler = {"cdc": "off"}
        reason = "cdc off: compiling the model takes about a minute, longer than a training on so few events"
        proposal = replace(proposal, reasons=(*proposal.reasons, reason))
    _write(path, _proposed(events, proposal, {**training, **compiler}), force=force)
    console = errors()
    console.print(f"looked at {events} and guessed:", soft_wrap=True)
    for reason in proposal.reasons:
        console.print(f"  {reason}", soft_wrap=True)
    sort = "" if proposal.is_sorted else " --sort"
    if sort:
        console.print("  the events are not in the order of their times: --sort puts them in order", soft_wrap=True)
    train = shlex.join(["seedbed", "train", str(events), "--config", str(path)])
    console.print(f"wrote {path}; check it, then:\n  {train}{sort}", soft_wrap=True)


def _proposed(events: Path, proposal: "FileProposal", others: Mapping[str, object]) -> str:
    """The template with the proposal in its section `data`, the reasons above it, and these settings below it."""
    from seedbed.stages import DataSettings

    data = DataSettings(columns=proposal.columns, file=proposal.file, time_unit=proposal.time_unit)
    values = {**data.columns.model_dump(mode="json"), **data.file.model_dump(mode="json"), "time_unit": data.time_unit}
    head, section, rest = re.split(
        r"(?<=\n)(data:.*?\n)(?=\nmodel:)", TEMPLATE.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    lines = [_with_value(line, values) for line in section.splitlines()]
    lines += [_with_value(line, dict(others)) for line in ("\n" + rest).splitlines()]
    reasons = "".join(f"# {reason}\n" for reason in proposal.reasons)
    if project := _project_of(events):
        head = "".join(f"{_with_value(line, {'project': project})}\n" for line in head.splitlines())
    return f"{head}# Guessed from {events.name}:\n{reasons}" + "\n".join(lines) + "\n"


def _project_of(events: Path) -> str | None:
    """The file's name without its suffixes as the name of a project; None if it is no valid one."""
    from seedbed.records.canonical._names import is_name

    name = events.name.partition(".")[0]
    return name if is_name(name) else None


def _with_value(line: str, values: dict[str, object]) -> str:
    """A line `  name: value   # comment`, or without one, with the proposed value of that name, if there is one."""
    found = re.fullmatch(r"(\s*)(\w+): (\S.*?)(?:\s+(#.*))?", line)
    if found is None or found[2] not in values:
        return line
    indent, name, old, comment = found.groups()
    value = values[name]
    plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z]\w+", value) and value.lower() not in _YAML_WORDS
    shown = str(value) if plain else json.dumps(value, ensure_ascii=False)  # JSON is YAML too
    if shown == old or comment is None:
        return f"{indent}{name}: {shown}" if comment is None else line
    return f"{indent}{name}: {shown}  ".ljust(line.index("#")) + comment


def _is_events(path: Path) -> bool:
    from seedbed.temporal import EVENT_SUFFIXES

    return path.name.lower().endswith(EVENT_SUFFIXES)


def _is_yaml(path: Path) -> bool:
    return path.suffix.lower() in _YAML


def _unreadable(path: Path) -> InvalidInput:
    from seedbed.temporal import EVENT_SUFFIXES

    read = ", ".join(suffix for suffix in EVENT_SUFFIXES if suffix.count(".") == 1)
    return InvalidInput(
        f"{path} is no file of events that can be read: expected {read} (text and JSON lines also as .gz or .zst); "
        "convert it, for example in a spreadsheet by a save as CSV, or give --out to write a configuration there"
    )


def _write(path: Path, content: str, *, force: bool) -> None:
    from seedbed.records.storage import create, replace

    try:
        (replace if force else create)(path, content.encode())
    except FileExistsError:
        raise _exists(path) from None


def _exists(path: Path) -> Conflict:
    return Conflict(f"{path} exists; choose another name, or overwrite it with --force")
