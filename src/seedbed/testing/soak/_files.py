"""Corruptions of the files beside the logs, with a broken seal and with a corrected one."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from seedbed.gate import parse_gate
from seedbed.records.canonical import digest_bytes
from seedbed.testing.soak._forge import JsonObject, Logs, reseal, rewrite, set_settings, summaries
from seedbed.testing.soak._scene import Base, Corruption, Numbers, Scene, altered_numbers

__all__ = ["EASY_GATE", "file_corruptions", "replanned"]

_PLAN, _SETTINGS, _TUNING, _SNAPSHOT = (
    "soak.json",
    "runtime_overrides.json",
    "TUNING_REPORT.json",
    "POST_SOAK_SNAPSHOT.json",
)
_METRICS, _PAGE, _DRAWING = "POST_SOAK_METRICS.prom", "DELTA_VERIFY_REPORT.md", "KPIS.svg"
_ALL = (
    *(_PLAN, "changes.log", "evidence.log", _SETTINGS, "ITER_SUMMARY_3.json", _TUNING, _SNAPSHOT, _METRICS, _PAGE),
    *(_DRAWING, ".lock", ".runtime_overrides.json.lock"),
)
_ALTER: dict[str, Numbers] = {
    "scaled": lambda number: number * 1000,
    "zeroed": lambda _: 0.0,
    "negated": lambda number: -number,
}
_HASH = "f" * 64

EASY_GATE: JsonObject = parse_gate({"gate": "easy", "checks": ["finished == true"]}).model_dump(mode="json")
"""A gate that every finished soak passes."""


def file_corruptions() -> Iterator[tuple[str, Corruption]]:
    """Every corruption of these files, with its name."""
    yield from _plans()
    yield from _settings()
    yield from _summaries()
    yield from _reports()
    yield from _texts()
    yield from _faults()
    for name in (_PLAN, _SETTINGS, "ITER_SUMMARY_3.json", _TUNING, _SNAPSHOT, _METRICS, _PAGE, _DRAWING):
        yield f"another-soaks-{name}", Corruption(f"{name} of another soak is put in its place", _from_other(name))
    for name in (_PLAN, _SETTINGS, _TUNING, _SNAPSHOT, _DRAWING):
        yield f"missing-{name}", Corruption(f"{name} is removed", _without(name))
        yield f"cut-{name}", Corruption(f"the last bytes of {name} are cut off", _cut(name))
    for name in _ALL:
        yield f"pipe-{name}", Corruption(f"{name} is a pipe that nobody writes to", _replaced_by(os.mkfifo, name))
        yield f"folder-{name}", Corruption(f"{name} is a folder", _replaced_by(os.mkdir, name))
        yield f"link-{name}", Corruption(f"{name} is a link to another soak's", _linked(name))


def _plans() -> Iterator[tuple[str, Corruption]]:
    def seed(plan: JsonObject) -> None:
        plan["seed"] += 1

    yield "plan-seed", Corruption("another seed is claimed", _sealed(_PLAN, seed, seal=False))
    yield "plan-seed-sealed", Corruption("another seed is claimed and sealed", _sealed(_PLAN, seed, place="soak.json"))
    signed = "the log that names the plan signed again, everything rewritten"
    rewritten: dict[str, tuple[str, JsonObject, str]] = {
        "plan-control": (f"no control arm is claimed, {signed}", {"control": False}, "evidence.log"),
        "plan-tuner": (f"no tuner is claimed, {signed}", {"tuner": "none"}, "changes.log"),
        "plan-id": (f"another id is claimed, {signed}", {"soak_id": "another"}, _PLAN),
    }
    for name, (what, fields, place) in rewritten.items():
        yield name, Corruption(what, replanned(fields, place))
    yield "plan-profile", Corruption(f"another profile is claimed, {signed}", _other_profile)
    yield "plan-longer", Corruption("more iterations are claimed than were measured", _longer)
    edited: dict[str, tuple[str, JsonObject, Base]] = {
        "gate": ("a gate that it passes is claimed", {"gate": EASY_GATE}, Base.HEALTHY),
        "gate-failed": ("a gate is claimed that the failed soak passes", {"gate": EASY_GATE}, Base.FAILED),
        "no-fault": ("the fault is no longer mentioned", {"fault": None}, Base.FAILED),
        "tuner-edited": ("another tuner is claimed", {"tuner": "model"}, Base.HEALTHY),
        "former": ("the plan is said to be of a version that is not bound", {"schema_version": 1}, Base.HEALTHY),
    }
    for name, (what, fields, base) in edited.items():
        yield f"plan-{name}", Corruption(f"{what}, everything rewritten", replanned(fields, _PLAN, sign=False), base)


def _settings() -> Iterator[tuple[str, Corruption]]:
    def altered(alter: Numbers) -> Callable[[Scene], str]:
        def inflict(scene: Scene) -> str:
            document = json.loads(scene.path(_SETTINGS).read_bytes())
            altered_numbers(document, scene.random, alter)
            scene.path(_SETTINGS).write_text(json.dumps(document, separators=(",", ":"), sort_keys=True))
            return _SETTINGS

        return inflict

    yield "settings-reverted", Corruption("a change that was applied is reverted in the settings file", _reverted)
    for how, alter in _ALTER.items():
        yield f"settings-{how}", Corruption(f"a live setting is {how}", altered(alter))
    yield "settings-nan", Corruption("a live setting is NaN", altered(lambda _: float("nan")))
    yield "settings-respelled", Corruption("a live setting is there twice, the last one correct", _twice)


def _summaries() -> Iterator[tuple[str, Corruption]]:
    for how, alter in _ALTER.items():
        yield f"summary-{how}", Corruption(f"a number of an iteration is {how}", _summary_number(alter, seal=False))
        yield (
            f"summary-{how}-sealed",
            Corruption(f"a number of an iteration is {how}, and all after it sealed again", _summary_number(alter)),
        )
    nan: Numbers = lambda _: float("nan")  # noqa: E731
    yield "summary-nan", Corruption("a number of an iteration is NaN", _summary_number(nan, seal=False))
    forged: dict[str, tuple[str, Callable[[JsonObject], bool], Base]] = {
        "flag": ("`applied` is inverted", _flip_applied, Base.HEALTHY),
        "verdict": ("a failed proposal is called FULL", _call_full, Base.FAILED),
        "hash": ("the hash of the settings used is another", _forge_hash, Base.HEALTHY),
        "head": ("the end of a log is another", _forge_head, Base.HEALTHY),
        "skip-dropped": ("the reason of a skip is dropped", _drop_skip, Base.FAILED),
        "skip-renamed": ("a skip is blamed on another guard", _rename_skip, Base.FAILED),
        "outcome": ("a failed key is called effective", _call_effective, Base.FAILED),
        "lost": ("what was lost is not mentioned", _drop_lost, Base.FAILED),
        "previous": ("an iteration is said to be another", _renumber, Base.HEALTHY),
    }
    for name, (what, forge, base) in forged.items():
        yield f"summary-{name}-sealed", Corruption(f"{what}, and all after it sealed again", _summary(forge), base)
    yield "summary-dropped", Corruption("the artifact of an iteration is dropped", _summary_dropped)
    yield "summary-duplicated", Corruption("the artifact of an iteration is there twice", _summary_duplicated)
    yield "summaries-swapped", Corruption("two artifacts are swapped", _summaries_swapped)
    yield "summaries-swapped-sealed", Corruption("two artifacts are swapped and renumbered", _summaries_swapped_sealed)


def _reports() -> Iterator[tuple[str, Corruption]]:
    for name, file in (("report", _TUNING), ("snapshot", _SNAPSHOT)):
        for how, alter in _ALTER.items():
            yield f"{name}-{how}-sealed", Corruption(f"a number of {file} is {how} and sealed", _number(file, alter))
        yield f"{name}-scaled", Corruption(f"a number of {file} is scaled", _number(file, _ALTER["scaled"], seal=False))

    def effective(report: JsonObject) -> None:
        for change in report["changes"]["changes"]:
            change["outcome"] = "EFFECTIVE"

    def passed(snapshot: JsonObject) -> None:
        snapshot.update(verdict="PASS", exit_code=0, verified=True)
        snapshot["gate"].update(verdict="PASS", exit_code=0)

    def ready(snapshot: JsonObject) -> None:
        snapshot.update(freeze_ready=not snapshot["freeze_ready"], freeze_objections=[])

    def unverified(snapshot: JsonObject) -> None:
        snapshot["verified"] = False

    failed = Base.FAILED
    yield "report-outcomes", Corruption("every outcome is called effective", _sealed(_TUNING, effective), failed)
    yield "snapshot-verdict", Corruption("a failed soak is said to pass", _sealed(_SNAPSHOT, passed), failed)
    yield "snapshot-freeze-ready", Corruption("freeze-ready is inverted", _sealed(_SNAPSHOT, ready))
    yield "snapshot-unverified", Corruption("a clean soak is called unclean", _sealed(_SNAPSHOT, unverified))


def _texts() -> Iterator[tuple[str, Corruption]]:
    def altered(name: str, old: bytes, new: bytes) -> Callable[[Scene], str]:
        def inflict(scene: Scene) -> str:
            data = scene.path(name).read_bytes()
            scene.path(name).write_bytes(data.replace(old, new))
            return name

        return inflict

    yield "metrics-value", Corruption("a metric is another", altered(_METRICS, b"} 1.0", b"} 0.0"))
    yield "metrics-cut", Corruption("the last bytes of the metrics are cut off", _cut(_METRICS))
    yield "page-verdict", Corruption("the page's verdict is another", altered(_PAGE, b"PASSED", b"NOT PASSED"))
    yield from _drawings()
    yield "page-cut", Corruption("the last bytes of the page are cut off", _cut(_PAGE))


def _faults() -> Iterator[tuple[str, Corruption]]:
    """A fault that was asked for and never came about, hidden; and one that no soak can suffer, claimed."""

    def passed(snapshot: JsonObject) -> None:
        snapshot.update(verdict="PASS", exit_code=0)
        snapshot["gate"].update(verdict="PASS", exit_code=0)

    def unasked(snapshot: JsonObject) -> None:
        checks = snapshot["gate"]["checks"]
        _must(len(checks) > len(kept := [check for check in checks if check["metric"] != "fault.seen"]))
        snapshot["gate"]["checks"] = kept
        passed(snapshot)

    def seen(snapshot: JsonObject) -> None:
        for check in snapshot["gate"]["checks"]:
            if check["metric"] == "fault.seen":
                check.update(verdict="PASS", found=True, reason="the fault was seen")

    def idle(scene: Scene) -> str:
        last = _num_summaries(scene)
        return replanned({"fault": "dropped", "fault_from": last - 1}, _PLAN)(scene)

    unseen, signed = Base.UNSEEN, "signed and rewritten"
    yield (
        "fault-passed",
        Corruption("a soak whose fault was not seen is said to pass", _sealed(_SNAPSHOT, passed), unseen),
    )
    yield "fault-unasked", Corruption("the check on a fault is removed, PASS said", _sealed(_SNAPSHOT, unasked), unseen)
    yield "fault-seen", Corruption("a fault that was not seen is said to be seen", _sealed(_SNAPSHOT, seen), unseen)
    forgotten = replanned({"fault": None}, _PLAN, sign=False)
    yield "fault-edited", Corruption("a fault that was not seen is no longer planned, all rewritten", forgotten, unseen)
    yield "fault-impossible", Corruption(f"a fault is claimed that no such soak can suffer, {signed}", idle)


def _drawings() -> Iterator[tuple[str, Corruption]]:
    def redrawn(alter: Callable[[bytes], bytes], *, seal: bool) -> Callable[[Scene], str]:
        def inflict(scene: Scene) -> str:
            forged = alter(scene.path(_DRAWING).read_bytes())
            scene.path(_DRAWING).write_bytes(forged)
            if seal:
                reseal(scene.path(_SNAPSHOT), lambda body: body["drawing"].update(digest=digest_bytes(forged)))
            return _DRAWING

        return inflict

    def unsealed(scene: Scene) -> str:
        reseal(scene.path(_SNAPSHOT), lambda body: _must(body.pop("drawing") is not None))
        return _DRAWING

    for name, what, alter in (
        ("verdict", "says that it passed or failed otherwise", _other_verdict),
        ("number", "has another number in it", _other_number),
        ("empty", "is empty", lambda _: b""),
        ("appended", "says more at its end", lambda data: data + b"<!-- approved -->"),
    ):
        yield f"drawing-{name}", Corruption(f"the drawing {what}", redrawn(alter, seal=False))
        yield f"drawing-{name}-sealed", Corruption(f"the drawing {what}, its seal fits", redrawn(alter, seal=True))
    yield "drawing-unsealed", Corruption("the snapshot no longer seals the drawing", unsealed)


def _other_verdict(data: bytes) -> bytes:
    return re.sub(rb"\b(PASS|FAIL|INCONCLUSIVE)\b", lambda found: b"FAIL" if found[1] == b"PASS" else b"PASS", data)


def _other_number(data: bytes) -> bytes:
    """Raise the last number of many digits, which is a place on a curve or a value beside it."""
    last = list(re.finditer(rb"\d+\.\d+", data))[-1]
    return data[: last.start()] + b"1" + data[last.start() :]


def _sealed(
    name: str, alter: Callable[[JsonObject], None], *, seal: bool = True, place: str | None = None
) -> Callable[[Scene], str]:
    def inflict(scene: Scene) -> str:
        reseal(scene.path(name), alter, seal=seal)
        return place or name

    return inflict


def replanned(fields: JsonObject, place: str, *, sign: bool = True) -> Callable[[Scene], str]:
    """Alter the plan and write every artifact again. With `sign`, the plant's log names the altered plan too."""

    def inflict(scene: Scene) -> str:
        reseal(scene.path(_PLAN), lambda plan: plan.update(fields))
        if sign:
            logs = Logs.of(scene.folder)
            logs.bind()
            logs.sign()
        rewrite(scene.folder)
        return place

    return inflict


def _other_profile(scene: Scene) -> str:
    is_standard = json.loads(scene.path(_PLAN).read_bytes())["profile"] == "standard"
    return replanned({"profile": "quick" if is_standard else "standard"}, "changes.log")(scene)


def _longer(scene: Scene) -> str:
    def alter(plan: JsonObject) -> None:
        plan["iterations"] += 1

    reseal(scene.path(_PLAN), alter)
    return _PLAN


def _reverted(scene: Scene) -> str:
    record = json.loads(scene.path(_TUNING).read_bytes())["changes"]["changes"]
    applied = [change for change in record if change["outcome"] == "EFFECTIVE"]
    last = {change["parameter"]: change for change in applied}
    change = scene.random.choice(sorted(last.values(), key=lambda each: each["id"]))
    data = json.loads(scene.path("evidence.log").read_text().splitlines()[-1])["body"]["payload"]["used"]
    set_settings(scene.folder, {**data, change["parameter"]: change["before"]})
    return _SETTINGS


def _twice(scene: Scene) -> str:
    data = scene.path(_SETTINGS).read_bytes()
    scene.path(_SETTINGS).write_bytes(data.replace(b'{"', b'{"tuner":{"cooldown_iters":9},"', 1))
    return _SETTINGS


def _num_summaries(scene: Scene) -> int:
    return len(list(scene.folder.glob("ITER_SUMMARY_*.json")))


def _summary_number(alter: Numbers, *, seal: bool = True) -> Callable[[Scene], str]:
    skip = frozenset({"schema_version", "iteration", "digest"})

    def inflict(scene: Scene) -> str:
        number = scene.random.randint(1, _num_summaries(scene))
        name = f"ITER_SUMMARY_{number}.json"
        if seal:
            summaries(
                scene.folder, lambda bodies: _must(altered_numbers(bodies[number - 1], scene.random, alter, skip))
            )
        else:
            reseal(scene.path(name), lambda one: _must(altered_numbers(one, scene.random, alter, skip)), seal=False)
        return name

    return inflict


def _summary(alter: Callable[[JsonObject], bool]) -> Callable[[Scene], str]:
    """Alter the artifact of one iteration that `alter` applies to."""

    def inflict(scene: Scene) -> str:
        named = []

        def one(bodies: list[JsonObject]) -> None:
            order = scene.random.sample(range(len(bodies)), len(bodies))
            named.append(next(at for at in order if alter(bodies[at])) + 1)

        summaries(scene.folder, one)
        return f"ITER_SUMMARY_{named[0]}.json"

    return inflict


def _flip_applied(summary: JsonObject) -> bool:
    summary["tuning"]["applied"] = not summary["tuning"]["applied"]
    return True


def _call_full(summary: JsonObject) -> bool:
    was_failed = summary["tuning"]["verdict"] == "FAILED"
    summary["tuning"]["verdict"] = "FULL" if was_failed else summary["tuning"]["verdict"]
    return bool(was_failed)


def _forge_hash(summary: JsonObject) -> bool:
    summary["summary"]["used_hash"] = _HASH
    return True


def _forge_head(summary: JsonObject) -> bool:
    summary["heads"]["evidence"]["digest"] = _HASH
    return True


def _drop_skip(summary: JsonObject) -> bool:
    had_one = summary["tuning"]["skip_reason"] is not None
    summary["tuning"]["skip_reason"] = None
    return had_one


def _rename_skip(summary: JsonObject) -> bool:
    skip: Any = summary["tuning"]["skip_reason"]
    if skip is None:
        return False
    skip["cooldown"] = not skip["cooldown"]
    return True


def _call_effective(summary: JsonObject) -> bool:
    failed = [each for each in summary["tuning"]["outcomes"].values() if each["outcome"] == "FAILED"]
    for each in failed[:1]:
        each["outcome"] = "EFFECTIVE"
    return bool(failed)


def _drop_lost(summary: JsonObject) -> bool:
    had_some = bool(summary["summary"]["lost"])
    summary["summary"]["lost"] = []
    return had_some


def _renumber(summary: JsonObject) -> bool:
    summary["iteration"] += 1
    return True


def _summary_dropped(scene: Scene) -> str:
    name = f"ITER_SUMMARY_{scene.random.randint(1, _num_summaries(scene))}.json"
    scene.path(name).unlink()
    return name


def _summary_duplicated(scene: Scene) -> str:
    last = _num_summaries(scene)
    name = f"ITER_SUMMARY_{last + 1}.json"
    shutil.copy(scene.path(f"ITER_SUMMARY_{scene.random.randint(1, last)}.json"), scene.path(name))
    return name


def _summaries_swapped(scene: Scene) -> str:
    number = scene.random.randint(1, _num_summaries(scene) - 1)
    first, second = (scene.path(f"ITER_SUMMARY_{each}.json") for each in (number, number + 1))
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    return first.name


def _summaries_swapped_sealed(scene: Scene) -> str:
    at = scene.random.randrange(_num_summaries(scene) - 1)

    def swap(bodies: list[JsonObject]) -> None:
        bodies[at], bodies[at + 1] = bodies[at + 1], bodies[at]
        bodies[at]["iteration"], bodies[at + 1]["iteration"] = at + 1, at + 2

    summaries(scene.folder, swap)
    return f"ITER_SUMMARY_{at + 1}.json"


def _number(name: str, alter: Numbers, *, seal: bool = True) -> Callable[[Scene], str]:
    skip = frozenset({"schema_version", "digest"})

    def inflict(scene: Scene) -> str:
        reseal(scene.path(name), lambda body: _must(altered_numbers(body, scene.random, alter, skip)), seal=seal)
        return name

    return inflict


def _from_other(name: str) -> Callable[[Scene], str]:
    def inflict(scene: Scene) -> str:
        shutil.copy(scene.other / name, scene.path(name))
        return name

    return inflict


def _without(name: str) -> Callable[[Scene], str]:
    def inflict(scene: Scene) -> str:
        scene.path(name).unlink()
        return name

    return inflict


def _replaced_by(make: Callable[[Path], None], name: str) -> Callable[[Scene], str]:
    def inflict(scene: Scene) -> str:
        scene.path(name).unlink()
        make(scene.path(name))
        return name

    return inflict


def _linked(name: str) -> Callable[[Scene], str]:
    def inflict(scene: Scene) -> str:
        scene.path(name).unlink()
        scene.path(name).symlink_to(scene.other / name)
        return name

    return inflict


def _cut(name: str) -> Callable[[Scene], str]:
    def inflict(scene: Scene) -> str:
        data = scene.path(name).read_bytes()
        scene.path(name).write_bytes(data[: -scene.random.randint(2, len(data) // 2)])
        return name

    return inflict


def _must(was_altered: bool) -> None:
    if not was_altered:
        raise ValueError("no number there that would become another one")
