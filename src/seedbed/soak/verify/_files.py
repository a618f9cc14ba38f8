"""Checks the files beside a soak's logs: each is made again from the logs and compared byte for byte.

Only the words of the reasons in the snapshot are not compared.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from seedbed.contracts import Message
from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records import canonical_json, read_json_with_hash
from seedbed.soak._evidence import PlanRecord
from seedbed.soak._folder import SoakFolder
from seedbed.soak._readback import SoakReadback, iteration_summaries
from seedbed.soak._sealed import sealed, unsealed
from seedbed.soak.reports._reports import PostSoakSnapshot
from seedbed.soak.verify._verification import Accusation, Flaw, Remark

__all__ = [
    "flaw_of",
    "has_ended",
    "log_flaws",
    "missing_remarks",
    "plan_flaws",
    "plan_remarks",
    "report_flaws",
    "settings_flaws",
    "snapshot_flaws",
    "stranger_remarks",
    "summary_flaws",
    "text_flaws",
]

_SHORT = 100


def flaw_of(folder: SoakFolder, path: Path) -> Flaw:
    """The kind of a flaw of the whole file at `path`."""
    if path == folder.plan_path:
        return Flaw.PLAN
    if path in {folder.changes_path, folder.evidence_path}:
        return Flaw.LOG
    if path == folder.settings_path:
        return Flaw.SETTINGS
    if path in folder.lock_paths:
        return Flaw.LOCK
    return Flaw.SUMMARY if path.match(folder.summary_path("*").name) else Flaw.REPORT


def plan_flaws(folder: SoakFolder, readback: SoakReadback) -> Iterator[Accusation]:
    """The plan must name its folder, be the one with which the soak began, and the one that both reports name."""
    name = folder.plan_path.name
    yield from _binding_flaws(name, readback)
    if readback.plan.soak_id != folder.path.name:
        yield Accusation(Flaw.PLAN, name, f"is of soak {readback.plan.soak_id}, the folder is {folder.path.name}'s")
    stated = _stated_by_both_reports(folder, "plan")
    if stated is not None and stated != readback.plan.digest():
        what = f"has the digest {readback.plan.digest()[:12]}…, both reports are of a plan with {str(stated)[:12]}…"
        yield Accusation(Flaw.PLAN, name, what)


def _binding_flaws(name: str, readback: SoakReadback) -> Iterator[Accusation]:
    """The first record of the plant's log must name the plan, unless the plan is of a version without such a record."""
    plan, first = readback.plan, next(iter(readback.evidence_records), None)
    if first is None:
        return
    if not isinstance(first, PlanRecord):
        if plan.is_bound:
            what = f"does not name the plan, as it does in every soak of version {plan.schema_version}"
            yield Accusation(Flaw.PLAN, "evidence.log, record 1", what)
    elif first.plan != plan.digest():
        what = f"has the digest {plan.digest()[:12]}…, the soak began with a plan of {first.plan[:12]}… (evidence.log)"
        yield Accusation(Flaw.PLAN, name, what)
    elif first.schema_version != plan.schema_version:
        what = f"names a plan of version {first.schema_version}, {name} is of version {plan.schema_version}"
        yield Accusation(Flaw.PLAN, "evidence.log, record 1", what)


def plan_remarks(folder: SoakFolder, readback: SoakReadback) -> Iterator[Remark]:
    """What to know of the plan of a soak whose version does not bind it."""
    if not readback.plan.is_bound:
        yield Remark(
            folder.plan_path.name,
            "is not bound: in a soak of version 1, the log does not name the plan, so one who can write the files can "
            "give it another gate; compare it with a seal that was kept elsewhere (--anchor)",
        )


def log_flaws(folder: SoakFolder, readback: SoakReadback, *, ended: bool) -> Iterator[Accusation]:
    """The logs of an ended soak must be whole, and those that the reports name. Before the end, a log may be cut."""
    stated = _stated_by_both_reports(folder, "heads")
    for log, path, entries in (
        ("changes", folder.changes_path, readback.changes),
        ("evidence", folder.evidence_path, readback.evidence),
    ):
        data = path.read_bytes()
        if ended and (data.count(b"\n") != len(entries) or data.endswith(b"\n") is not bool(data)):
            lines = len(data.splitlines())
            yield Accusation(Flaw.LOG, path.name, f"holds {lines} lines, of which {len(entries)} are whole records")
        head = stated.get(log) if isinstance(stated, Mapping) else None
        if isinstance(head, Mapping) and isinstance(number := head.get("sequence"), int) and number > 0:
            digest = entries[number - 1].digest if number <= len(entries) else None
            if digest != head.get("digest"):
                what = f"record {number} is not the one that both reports name: there are {len(entries)}"
                yield Accusation(Flaw.LOG, path.name, what)


def settings_flaws(folder: SoakFolder, states: set[str]) -> Iterator[Accusation]:
    """The settings file must hold one of the states that the changes lead to, in canonical JSON."""
    document, state = read_json_with_hash(folder.settings_path)
    if state not in states:
        expected = " or ".join(sorted(f"{each[:12]}…" for each in states))
        what = f"holds state {state[:12]}…, the changes lead to {expected}"
        yield Accusation(Flaw.SETTINGS, folder.settings_path.name, what)
    elif folder.settings_path.read_bytes() != canonical_json(document):
        yield Accusation(Flaw.SETTINGS, folder.settings_path.name, "is spelled otherwise than it is written")


def summary_flaws(folder: SoakFolder, readback: SoakReadback, *, ended: bool) -> Iterator[Accusation]:
    """The artifact of every iteration must be correct. Before the soak has ended, the last ones may be missing."""
    expected = {folder.summary_path(each.iteration).name: each for each in iteration_summaries(readback)}
    there = {path.name for path in folder.path.glob("ITER_SUMMARY_*")}
    for name in sorted(there - expected.keys()):
        yield Accusation(Flaw.SUMMARY, name, "tells of an iteration that the logs do not hold")
    last = max((at for at, name in enumerate(expected) if name in there), default=-1)
    for at, (name, summary) in enumerate(expected.items()):
        if ended or at <= last:
            yield from _document(folder.path / name, summary, Flaw.SUMMARY)


def has_ended(folder: SoakFolder, readback: SoakReadback) -> bool:
    """Whether the soak has ended: every iteration was measured, and at least one report exists.

    A process may end after the last measurement and before the first report; such a soak is still to be resumed.
    """
    return readback.is_finished and any(path.exists() for path in folder.report_paths)


def report_flaws(path: Path, expected: Message, *, ended: bool) -> Iterator[Accusation]:
    """A sealed report must exist once the soak has ended, and must be correct if it exists."""
    if ended or path.exists():
        yield from _document(path, expected, Flaw.REPORT)


def snapshot_flaws(
    path: Path, expected: PostSoakSnapshot, remarks: list[Remark], *, ended: bool
) -> Iterator[Accusation]:
    """As `report_flaws`, of the snapshot: of its reasons only the number counts, since words are no verdict.

    Another version may give the same reasons in other words. Adds a remark where they differ.
    """
    in_its_words = _in_words_of(path, expected)
    found = list(report_flaws(path, in_its_words, ended=ended))
    yield from found
    if not found and in_its_words != expected:
        what = "gives a reason in other words than this version: no digest covers the words; soak gate says today's"
        remarks.append(Remark(path.name, what))


def _in_words_of(path: Path, expected: PostSoakSnapshot) -> PostSoakSnapshot:
    """The snapshot that is expected, with the reasons of the one on file, if that is one and has as many."""
    try:
        there = PostSoakSnapshot.model_validate(unsealed(path))
    except (NotFound, StoreCorrupt, ValidationError):
        return expected
    checks, objections = expected.gate.checks, expected.freeze_objections
    if len(there.gate.checks) != len(checks) or len(there.freeze_objections) != len(objections):
        return expected
    pairs = zip(checks, there.gate.checks, strict=True)
    worded = tuple(own.model_copy(update={"reason": other.reason}) for own, other in pairs)
    gate = expected.gate.model_copy(update={"checks": worded})
    return expected.model_copy(update={"gate": gate, "freeze_objections": there.freeze_objections})


def text_flaws(path: Path, expected: str, *, what: str = "what the logs give") -> Iterator[Accusation]:
    """A text file must be correct if it exists; an accusation says that it is not `what`."""
    if not path.exists():
        return
    there, wanted = path.read_bytes().split(b"\n"), expected.encode().split(b"\n")
    if there == wanted:
        return
    pairs = enumerate(zip(there, wanted, strict=False), start=1)
    differing = next((at for at, (found, line) in pairs if found != line), None)
    if differing is None:
        first = f"it has {len(there)} lines instead of {len(wanted)}"
    else:
        first = _line_difference(differing, there[differing - 1], wanted[differing - 1])
    yield Accusation(Flaw.REPORT, path.name, f"is not {what}: {first}")


def _line_difference(number: int, found: bytes, expected: bytes) -> str:
    """How a line differs; in full only where both can be read at a glance."""
    shown = [each.decode(errors="replace").strip() for each in (found, expected)]
    if all(0 < len(each) <= _SHORT for each in shown) and shown[0] != shown[1]:
        return f"line {number} is {shown[0]!r}, the logs give {shown[1]!r}"
    return f"the first difference is in line {number}"


def missing_remarks(folder: SoakFolder) -> Iterator[Remark]:
    """The files for people and programs that a soak has left when it ended, and that are no longer there."""
    for path in (folder.page_path, folder.metrics_path):
        if not path.exists():
            yield Remark(path.name, "is missing: it was taken away; resume the soak to have it written again")


def stranger_remarks(folder: SoakFolder) -> Iterator[Remark]:
    """What is in the folder and belongs to no soak, and what is in a lock, which is empty when a soak writes it."""
    for path in folder.strangers():
        yield Remark(path.name, "is no file of a soak: nothing here checks it")
    irregular = {path for path, _ in folder.irregular()}
    for path in folder.lock_paths:
        if path not in irregular and path.exists() and path.stat().st_size:
            yield Remark(path.name, "holds bytes, though it is only a lock: nothing here checks them")


def _stated_by_both_reports(folder: SoakFolder, name: str) -> object:
    """The value of `name` in both reports; None where they differ. It can only lead to more accusations."""
    try:
        first, second = (unsealed(path).get(name) for path in (folder.tuning_report_path, folder.snapshot_path))
    except (NotFound, StoreCorrupt):
        return None
    return first if first == second else None


def _document(path: Path, expected: Message, flaw: Flaw) -> Iterator[Accusation]:
    wanted = json.loads(sealed(expected))
    try:
        there = unsealed(path)
    except NotFound:
        yield Accusation(flaw, path.name, "is missing")
        return
    except StoreCorrupt as problem:
        yield Accusation(flaw, path.name, f"{_altered_value(path, wanted)}{problem}")
        return
    if path.read_bytes() == sealed(expected):
        return
    difference = _difference(wanted, {**there, "digest": json.loads(path.read_bytes())["digest"]})
    yield Accusation(flaw, path.name, f"is not what the logs give: {difference or 'it is spelled otherwise'}")


def _altered_value(path: Path, wanted: Mapping[str, object]) -> str:
    """The first value that differs in a file whose seal does not fit, with "; "; empty where none can be told."""
    try:
        there = json.loads(path.read_bytes())
        if not isinstance(there, dict):
            return ""
        found = _difference({**wanted, "digest": ""}, {**there, "digest": ""})
    except (ValueError, RecursionError):
        return ""
    return found and f"{found.encode(errors='backslashreplace').decode()}; "


def _difference(expected: object, found: object, path: str = "") -> str:
    """The first difference between two JSON values, with `digest` compared last; empty without one."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key in sorted({*expected, *found}, key=lambda each: (each == "digest", each)):
            name = f"{path}.{key}" if path else key
            if key not in expected or key not in found:
                return f"{name} is {'not expected' if key in found else 'missing'}"
            if difference := _difference(expected[key], found[key], name):
                return difference
        return ""
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return next((difference for at, (e, f) in pairs if (difference := _difference(e, f, f"{path}.{at}"))), "")
    if expected == found and type(expected) is type(found):
        return ""
    if isinstance(expected, list) and isinstance(found, list):
        return f"{path} has {len(found)} items, the logs give {len(expected)}"
    return f"{path} is {json.dumps(found)}, the logs give {json.dumps(expected)}"
