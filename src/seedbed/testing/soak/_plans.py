"""Corruptions of what a soak was to do: its plan, and whether the fault that it asked for came about."""

import json
from collections.abc import Callable, Iterator

from seedbed.gate import parse_gate
from seedbed.testing.soak._edits import PLAN, SNAPSHOT, must, num_summaries, sealed
from seedbed.testing.soak._forge import JsonObject, Logs, reseal, rewrite
from seedbed.testing.soak._scene import Base, Corruption, Scene

__all__ = ["EASY_GATE", "fault_corruptions", "plan_corruptions", "replanned"]

EASY_GATE: JsonObject = parse_gate({"gate": "easy", "checks": ["finished == true"]}).model_dump(mode="json")
"""A gate that every finished soak passes."""


def plan_corruptions() -> Iterator[tuple[str, Corruption]]:
    """Every corruption of the plan, with its name."""

    def seed(plan: JsonObject) -> None:
        plan["seed"] += 1

    yield "plan-seed", Corruption("another seed is claimed", sealed(PLAN, seed, seal=False))
    yield "plan-seed-sealed", Corruption("another seed is claimed and sealed", sealed(PLAN, seed, place="soak.json"))
    signed = "the log that names the plan signed again, everything rewritten"
    rewritten: dict[str, tuple[str, JsonObject, str]] = {
        "plan-control": (f"no control arm is claimed, {signed}", {"control": False}, "evidence.log"),
        "plan-tuner": (f"no tuner is claimed, {signed}", {"tuner": "none"}, "changes.log"),
        "plan-id": (f"another id is claimed, {signed}", {"soak_id": "another"}, PLAN),
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
        yield f"plan-{name}", Corruption(f"{what}, everything rewritten", replanned(fields, PLAN, sign=False), base)


def fault_corruptions() -> Iterator[tuple[str, Corruption]]:
    """A fault that was asked for and never came about, hidden; and one that no soak can suffer, claimed."""

    def passed(snapshot: JsonObject) -> None:
        snapshot.update(verdict="PASS", exit_code=0)
        snapshot["gate"].update(verdict="PASS", exit_code=0)

    def unasked(snapshot: JsonObject) -> None:
        checks = snapshot["gate"]["checks"]
        must(len(checks) > len(kept := [check for check in checks if check["metric"] != "fault.seen"]))
        snapshot["gate"]["checks"] = kept
        passed(snapshot)

    def seen(snapshot: JsonObject) -> None:
        for check in snapshot["gate"]["checks"]:
            if check["metric"] == "fault.seen":
                check.update(verdict="PASS", found=True, reason="the fault was seen")

    def idle(scene: Scene) -> str:
        last = num_summaries(scene)
        return replanned({"fault": "dropped", "fault_from": last - 1}, PLAN)(scene)

    unseen, signed = Base.UNSEEN, "signed and rewritten"
    yield (
        "fault-passed",
        Corruption("a soak whose fault was not seen is said to pass", sealed(SNAPSHOT, passed), unseen),
    )
    yield "fault-unasked", Corruption("the check on a fault is removed, PASS said", sealed(SNAPSHOT, unasked), unseen)
    yield "fault-seen", Corruption("a fault that was not seen is said to be seen", sealed(SNAPSHOT, seen), unseen)
    forgotten = replanned({"fault": None}, PLAN, sign=False)
    yield "fault-edited", Corruption("a fault that was not seen is no longer planned, all rewritten", forgotten, unseen)
    yield "fault-impossible", Corruption(f"a fault is claimed that no such soak can suffer, {signed}", idle)


def replanned(fields: JsonObject, place: str, *, sign: bool = True) -> Callable[[Scene], str]:
    """Alter the plan and write every artifact again. With `sign`, the plant's log names the altered plan too."""

    def inflict(scene: Scene) -> str:
        reseal(scene.path(PLAN), lambda plan: plan.update(fields))
        if sign:
            logs = Logs.of(scene.folder)
            logs.bind()
            logs.sign()
        rewrite(scene.folder)
        return place

    return inflict


def _other_profile(scene: Scene) -> str:
    is_standard = json.loads(scene.path(PLAN).read_bytes())["profile"] == "standard"
    return replanned({"profile": "quick" if is_standard else "standard"}, "changes.log")(scene)


def _longer(scene: Scene) -> str:
    def alter(plan: JsonObject) -> None:
        plan["iterations"] += 1

    reseal(scene.path(PLAN), alter)
    return PLAN
