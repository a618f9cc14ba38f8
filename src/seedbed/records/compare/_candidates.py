"""What may have moved a metric: the inputs that differ, what they are made of, and what was only observed.

What is observed is no input: a commit says less than the files that ran, a run that samples more steps sees more
kernels, and a package may be loaded on one terminal and not on another. It makes no pair incomparable. Two records
differ in it only where both tell it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from seedbed.records.canonical._canonical import Json
from seedbed.records.canonical._json_pointer import Difference, differences, is_under
from seedbed.records.compare._comparison import group_differences, input_differences
from seedbed.records.snapshot._compared import compared_course
from seedbed.records.snapshot._policy import is_seed
from seedbed.records.snapshot._snapshot import Snapshot

__all__ = ["Candidate", "candidates"]

_CODE, _ENVIRONMENT = "/fingerprints/code", "/fingerprints/environment"
_PACKAGES = "packages"


class Candidate(NamedTuple):
    """A difference, and the pointer of the input that it is a part of: its own, if it is no part."""

    difference: Difference
    of: str


def candidates(previous: Snapshot, current: Snapshot) -> tuple[Candidate, ...]:
    """All that differs and may explain a metric; a fingerprint that both records take apart gives its parts."""
    inputs = (*group_differences(previous, current), *input_differences(previous, current))
    parts = {_CODE: _files(previous, current), _ENVIRONMENT: _facts(previous, current)}
    found = [each for difference in inputs for each in _parted(difference, parts)]
    has_seed = any(is_seed(difference.pointer) for difference in inputs)
    seen = (each for each in _observed(previous, current) if not (has_seed and is_under(each.pointer, ["/generators"])))
    return (*found, *(Candidate(each, each.pointer) for each in seen))


def _parted(difference: Difference, parts: Mapping[str, Sequence[Difference] | None]) -> Iterator[Candidate]:
    """The parts of an input of which both records tell them, or itself."""
    found = parts.get(difference.pointer)
    for each in (difference,) if found is None else found:
        yield Candidate(each, difference.pointer)


def _files(previous: Snapshot, current: Snapshot) -> Sequence[Difference] | None:
    """The files that differ, or None where the records do not say it."""
    before, after = (_pairs(_object(each.process.get("code")).get("files")) for each in (previous, current))
    return tuple(differences(before, after, "/code/files")) or None


def _facts(previous: Snapshot, current: Snapshot) -> Sequence[Difference] | None:
    """The facts of the environment that differ; packages stand in the course, with all that happened in the run."""
    before, after = (_object(each.process.get("environment")) for each in (previous, current))
    found = tuple(differences(dict(before), dict(after), "/environment"))
    others = tuple(each for each in found if not is_under(each.pointer, [f"/environment/{_PACKAGES}"]))
    return others if found else None


def _observed(previous: Snapshot, current: Snapshot) -> Iterator[Difference]:
    known = {*compared_course(previous)[_PACKAGES], *compared_course(current)[_PACKAGES]}
    before, after = (_told(each, known) for each in (previous, current))
    for name in _idle(previous) & _idle(current):  # how it began has moved nothing
        before["generators"].pop(name, None)
    for part, told in before.items():
        shared = told.keys() & after[part].keys()
        first, second = ({name: side[part][name] for name in shared} for side in (before, after))
        yield from differences(first, second, f"/{part}")


def _told(snapshot: Snapshot, known: set[str]) -> dict[str, dict[str, Json]]:
    """What the record tells besides its inputs, in parts; `known` are the packages that are inputs."""
    audit, process = _object(snapshot.documents.get("audit_run")), snapshot.process
    code = _object(process.get("code"))
    kernels: dict[str, Json] = {
        name: [*sorted(_object(_object(audit.get(name)).get("kernels")))] for name in ("sdpa", "flash")
    }
    commit = code.get("commit")
    return {
        "kernels": kernels,
        "code": {"commit": commit, "uncommitted": code.get("uncommitted")} if commit else {},
        "imported": {name: each for name, each in _pairs(process.get("imported")).items() if name not in known},
        "generators": dict(_object(process.get("generators"))),
        "hardware": dict(_object(process.get("hardware"))),
        "data": {"order": order} if (order := process.get("data_order")) else {},
        "length": {name: count for name in ("steps", "epochs") if (count := process.get(name)) is not None},
        "resume": {"exact": exact} if (exact := process.get("resume")) else {},
    }


def _idle(snapshot: Snapshot) -> set[str]:
    """The generators from which the run drew nothing."""
    idle = snapshot.process.get("generators_idle")
    return {each for each in idle if isinstance(each, str)} if isinstance(idle, list | tuple) else set()


def _pairs(value: Json) -> dict[str, Json]:
    """A list of names and values as an object: as keys, some names would hide their values as secrets."""
    pairs = (each for each in value if isinstance(each, list)) if isinstance(value, list) else ()
    return {str(each[0]): each[1] for each in pairs if len(each) == 2}


def _object(value: object) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
