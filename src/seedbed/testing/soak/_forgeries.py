"""What the two logs may be made to say: forgeries of single records, proposals, outcomes and iterations."""

from collections.abc import Callable
from copy import deepcopy

from seedbed.testing.soak._forge import Logs, Record, set_settings
from seedbed.testing.soak._scene import Scene

__all__ = ["FAILED", "HEALTHY", "Forgery"]

_CHANGES, _EVIDENCE = "changes.log", "evidence.log"

Forgery = Callable[[Logs, Scene], str]
"""Alters what the logs say, and answers with the place."""


def _place(at: int) -> str:
    return f"{_CHANGES}, record {at + 1} "


def _flip_outcomes(logs: Logs, _: Scene) -> str:
    """Every change seen in use is said to have failed."""
    first = logs.at("effective")[0]
    for at in logs.at("effective"):
        payload = logs.changes[at].payload
        reason = f"at step {payload['step']}: it was not used"
        logs.changes[at] = Record("failed", {**payload, "reason": reason})
    return _place(first)


def _remove_effect(logs: Logs, scene: Scene) -> str:
    at = scene.chance.choice(logs.at("effective"))
    step = logs.changes[at].payload["step"]
    logs.remove(at)
    return f"{_CHANGES}, iteration {step}|(iteration {step})"


def _late_effect(logs: Logs, scene: Scene) -> str:
    at = scene.chance.choice(logs.at("effective"))
    logs.changes[at].payload["step"] += 1
    return _place(at)


def _swap_effects(logs: Logs, scene: Scene) -> str:
    pairs = [
        at
        for at in logs.at("effective")
        if at + 1 < len(logs.changes) and logs.changes[at + 1].kind == "effective" and not _by_key(logs, at)
    ]
    at = scene.chance.choice(pairs)
    logs.changes[at], logs.changes[at + 1] = logs.changes[at + 1], logs.changes[at]
    return f"(iteration {logs.changes[at].payload['step']})"


def _by_key(logs: Logs, at: int) -> bool:
    """Whether two notes in the other order would be in the order of the registry, as after a process begun anew."""
    keys = {each.payload["id"]: each.payload["parameter"] for each in logs.changes if each.kind == "proposed"}
    held = list(logs.evidence[0].payload["handed"])
    first, second = (keys[logs.changes[each].payload["id"]] for each in (at, at + 1))
    return held.index(second) < held.index(first)


def _repeat_record(logs: Logs, scene: Scene) -> str:
    at = scene.chance.randrange(len(logs.changes))
    logs.insert(at, deepcopy(logs.changes[at]))
    return _CHANGES


def _drop_record(logs: Logs, scene: Scene) -> str:
    logs.remove(scene.chance.randrange(len(logs.changes)))
    return _CHANGES


def _forge_ruling(logs: Logs, scene: Scene) -> str:
    at = scene.chance.choice(logs.at("guarded"))
    logs.changes[at].payload["reason"] = "the owner agreed"
    return _place(at)


def _forge_proposer(logs: Logs, scene: Scene) -> str:
    at = scene.chance.choice(logs.at("proposed"))
    logs.changes[at].payload["proposer"] = "model"
    return _place(at)


def _forge_id(logs: Logs, scene: Scene) -> str:
    """The last change is renumbered throughout."""
    last = max(each.payload["id"] for each in logs.changes)
    first = next(at for at, each in enumerate(logs.changes) if each.is_about(last))
    number = last + scene.chance.randint(1, 9)
    for record in logs.changes:
        names = [name for name in ("id", "batch") if record.payload.get(name) == last]
        record.payload.update(dict.fromkeys(names, number))
    return _place(first)


def _forge_hash(logs: Logs, scene: Scene) -> str:
    at = scene.chance.choice(logs.at("intent", "applied", "proposed"))
    logs.changes[at].payload["state"] = "f" * 64
    return _place(at)


def _insert_proposal(logs: Logs, scene: Scene) -> str:
    """A proposal that no tuner made, denied so that nothing else need change."""
    measured = logs.evidence[logs.measured()[-1]].payload
    state, number = measured["state_hash"], 1 + max(each.payload["id"] for each in logs.changes)
    key = scene.chance.choice(sorted(measured["used"]))
    before = measured["used"][key]
    proposed = {
        **deepcopy(logs.changes[logs.at("proposed")[-1]].payload),
        "id": number,
        "batch": number,
        "step": measured["iteration"],
        "parameter": key,
        "state": state,
        "before": before,
        "wanted": before,
        "op": {"kind": "SET", "value": before},
    }
    ruling = {"id": number, "decision": "DENY", "guard": "no_op", "after": before, "reason": "it changes nothing"}
    logs.changes += [Record("proposed", proposed), Record("guarded", ruling)]
    return _place(len(logs.changes) - 2)


def _remove_proposal(logs: Logs, scene: Scene) -> str:
    """Every trace of a change that was applied and used, but for what the plant measured with it."""
    at = scene.chance.choice(logs.at("proposed"))
    step = logs.changes[at].payload["step"]
    logs.forget(logs.changes[at].payload["id"])
    return f"(iteration {step})|{_CHANGES}, iteration {step}"


def _supersede(logs: Logs, scene: Scene) -> str:
    """A resume that throws away what stands."""
    at = scene.chance.choice(logs.at("effective")) + 1
    step = logs.changes[at - 1].payload["step"]
    logs.insert(at, Record("resumed", {"step": step, "kept": 0, "restored": []}))
    return _CHANGES


def _retry(logs: Logs, scene: Scene) -> str:
    """Another writer is blamed."""
    at = scene.chance.choice(logs.at("intent"))
    wanted = next(each.payload for each in logs.changes if each.is_about(logs.changes[at].payload["id"]))
    retried = {"id": wanted["id"], "before": wanted["before"], "wanted": wanted["wanted"], "reason": "another writer"}
    again = [
        deepcopy(each) for each in logs.changes if each.is_about(wanted["id"]) and each.kind in {"guarded", "intent"}
    ]
    for offset, record in enumerate([Record("retried", retried), *again], start=1):
        logs.insert(at + offset, record)
    return _CHANGES


def _alter_samples(arm: str) -> Forgery:
    def forge(logs: Logs, scene: Scene) -> str:
        """The best iteration of the tuned arm, or the worst of control: in the last one, which decides nothing more."""
        at = logs.measured()[-1]
        samples = logs.evidence[at].payload[arm]
        kpi = scene.chance.choice(sorted(samples))
        samples[kpi] = [value * 1.01 for value in samples[kpi]]
        return f"{_EVIDENCE}, record {at + 1}"

    return forge


def _alter_used(logs: Logs, scene: Scene) -> str:
    """A measurement of the end is said to have run with another value."""
    at = scene.chance.choice(logs.measured())
    used = logs.evidence[at].payload["used"]
    key = scene.chance.choice(sorted(used))
    used[key] *= 1.5
    return f"{logs.evidence[at].payload['iteration']}|{_EVIDENCE}|{_CHANGES}"


def _repeat_iteration(logs: Logs, scene: Scene) -> str:
    at = scene.chance.choice(logs.measured())
    logs.evidence.insert(at, deepcopy(logs.evidence[at]))
    return f"{_EVIDENCE}, record {at + 2}"


def _drop_iteration(logs: Logs, scene: Scene) -> str:
    at = scene.chance.choice(logs.measured()[:-1])
    later = [each for each in logs.measured() if each > at]
    del logs.evidence[at]
    return f"{_EVIDENCE}, record {later[0]}"


def _swap_iterations(logs: Logs, scene: Scene) -> str:
    first, second = sorted(scene.chance.sample(logs.measured(), 2))
    mine, theirs = logs.evidence[first], logs.evidence[second]
    logs.evidence[first], logs.evidence[second] = theirs, mine
    for at, record in ((first, mine), (second, theirs)):
        logs.evidence[at].payload["changes"], record.payload["changes"] = (
            record.payload["changes"],
            logs.evidence[at].payload["changes"],
        )
    return f"{_EVIDENCE}, record {first + 1}"


def _forge_head(logs: Logs, scene: Scene) -> str:
    """A measurement is said to have come before changes that it used."""
    at = scene.chance.choice([at for at in logs.measured() if logs.evidence[at].payload["changes"]["sequence"] > 0])
    logs.evidence[at].payload["changes"]["sequence"] -= 1
    return f"{_EVIDENCE}|{_CHANGES}"


def _forge_handed(logs: Logs, scene: Scene) -> str:
    """The plant is said to have been handed something else, just before it was handed the right thing."""
    handed = [at for at, each in enumerate(logs.evidence) if each.kind == "held"]
    at = scene.chance.choice(handed[2:])  # before the first change it would tell of a process begun anew
    logs.evidence.insert(at, deepcopy(logs.evidence[0]))
    return _EVIDENCE


def _drop_handed(logs: Logs, scene: Scene) -> str:
    del logs.evidence[scene.chance.choice([at for at, each in enumerate(logs.evidence) if each.kind == "held"])]
    return f"{_EVIDENCE}|{_CHANGES}"


def _forge_handed_hash(logs: Logs, scene: Scene) -> str:
    at = scene.chance.choice([at for at, each in enumerate(logs.evidence) if each.kind == "held"])
    logs.evidence[at].payload["state_hash"] = "f" * 64
    return f"{_EVIDENCE}, record {at + 1}|{_CHANGES}"


def _end_early(logs: Logs, scene: Scene) -> str:
    at = scene.chance.choice(logs.measured()[:-3])
    logs.evidence.insert(at + 1, Record("ending", {"length": len(logs.measured())}))
    return f"{_EVIDENCE}, record {at + 2}"


def _revert_apply(logs: Logs, scene: Scene) -> str:
    """The last change is reverted in the settings file, and the journal says that the plant had been told of it."""
    at = logs.at("effective")[-1]
    change = next(each.payload for each in logs.changes if each.is_about(logs.changes[at].payload["id"]))
    used = logs.evidence[logs.measured()[-1]].payload["used"]
    set_settings(scene.folder, {**used, change["parameter"]: change["before"]})
    return "runtime_overrides.json"


def _remove_denial(logs: Logs, scene: Scene) -> str:
    """A denied change, with its proposal and its number."""
    denials = [at for at in logs.at("guarded") if logs.changes[at].payload["decision"] == "DENY"]
    change_id = logs.changes[scene.chance.choice(denials)].payload["id"]
    step = next(each.payload["step"] for each in logs.changes if each.is_about(change_id) and each.kind == "proposed")
    if any(each.payload.get("batch") == change_id != each.payload["id"] for each in logs.changes):
        for record in logs.changes:
            if record.payload.get("batch") == change_id:
                record.payload["batch"] += 1
    logs.forget(change_id)
    return f"(iteration {step})|{_CHANGES}, iteration {step}"


def _allow_denied(logs: Logs, scene: Scene) -> str:
    """A denial by one guard is put down to another."""
    denials = [at for at in logs.at("guarded") if logs.changes[at].payload["decision"] == "DENY"]
    at = scene.chance.choice(denials)
    logs.changes[at].payload["guard"] = "cooldown"
    return _place(at)


def _forge_loss(logs: Logs, scene: Scene) -> str:
    """Why a change failed is told otherwise."""
    at = scene.chance.choice(logs.at("failed"))
    logs.changes[at].payload["reason"] = "the operator withdrew it"
    return _place(at)


def _call_unknown(logs: Logs, scene: Scene) -> str:
    """A failed change is called unknown, which no freeze counts."""
    at = scene.chance.choice(logs.at("failed"))
    payload = logs.changes[at].payload
    logs.changes[at] = Record("unknown", {"id": payload["id"], "reason": "the run ended before it was used"})
    return f"(iteration {payload['step']})|{_CHANGES}, iteration {payload['step']}"


def _dress_up(logs: Logs, scene: Scene) -> str:
    """A soak whose plant never took its changes, told as if it had: used values, effects, no failure, no way back."""
    back = {each.payload["id"] for each in logs.changes if each.payload.get("proposer") == "rollback"}
    proposed = {each.payload["id"]: each.payload for each in logs.changes if each.kind == "proposed"}
    after = {each.payload["id"]: each.payload["after"] for each in logs.changes if each.kind == "intent"}
    for at, record in enumerate(logs.changes):
        if record.kind == "failed":
            change_id, step = record.payload["id"], record.payload["step"]
            logs.changes[at] = Record("effective", {"id": change_id, "step": step, "found": after[change_id]})
    for change_id in sorted(back, reverse=True):
        logs.forget(change_id)
    held: dict[str, float] = {}
    for record in logs.evidence:
        if record.kind == "held":
            held = record.payload["values"]
        else:
            record.payload["used"] = dict(held)
    first = min(payload["step"] for change_id, payload in proposed.items() if change_id in back)
    set_settings(scene.folder, held)
    return f"{_CHANGES}|{_EVIDENCE}|{first}"


HEALTHY: dict[str, tuple[str, Forgery]] = {
    "outcomes-flipped": ("every effect becomes a failure", _flip_outcomes),
    "effect-removed": ("one note of an effect is removed", _remove_effect),
    "effect-late": ("one effect is said to have come later", _late_effect),
    "effects-swapped": ("two notes of effects are swapped", _swap_effects),
    "record-duplicated": ("a record of the changes stands twice", _repeat_record),
    "record-dropped": ("a record of the changes is dropped", _drop_record),
    "ruling-reworded": ("a ruling gives another reason", _forge_ruling),
    "proposer-forged": ("a change is put down to another proposer", _forge_proposer),
    "change-renumbered": ("the last change has another number", _forge_id),
    "change-hash": ("the state that a change began from or led to is another", _forge_hash),
    "proposal-inserted": ("a proposal that no tuner made is inserted", _insert_proposal),
    "proposal-removed": ("every trace of a change is removed", _remove_proposal),
    "resume-inserted": ("a resume throws away what stands", _supersede),
    "retry-inserted": ("another writer is blamed", _retry),
    "samples-altered": ("samples of the tuned arm are a hundredth better", _alter_samples("samples")),
    "control-altered": ("samples of control are altered", _alter_samples("control")),
    "used-altered": ("what an iteration used is another value", _alter_used),
    "iteration-duplicated": ("an iteration stands twice in the plant's log", _repeat_iteration),
    "iteration-dropped": ("an iteration is dropped from the plant's log", _drop_iteration),
    "iterations-swapped": ("two iterations are swapped in the plant's log", _swap_iterations),
    "head-forged": ("a measurement is said to have come before a change", _forge_head),
    "handed-inserted": ("the plant is said to have been handed its first settings again", _forge_handed),
    "handed-dropped": ("what the plant was handed is dropped", _drop_handed),
    "handed-hash": ("what the plant was handed has another hash", _forge_handed_hash),
    "ending-inserted": ("the soak is said to have been ended early", _end_early),
    "apply-reverted": ("the last change is reverted in the settings file", _revert_apply),
}

FAILED: dict[str, tuple[str, Forgery]] = {
    "denial-removed": ("a denial is removed with its proposal", _remove_denial),
    "denial-renamed": ("a denial is put down to another guard", _allow_denied),
    "failure-reworded": ("a failure gives another reason", _forge_loss),
    "failure-unknown": ("a failure is called unknown", _call_unknown),
    "dressed-up": ("a failed soak is dressed up as successful", _dress_up),
}
