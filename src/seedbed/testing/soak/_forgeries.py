"""Forgeries in the two logs: of single records, proposals, outcomes and iterations."""

from collections.abc import Callable
from copy import deepcopy

from seedbed.testing.soak._forge import Logs, UnsignedRecord, set_settings
from seedbed.testing.soak._scene import Scene

__all__ = ["BINDING", "FAILED", "HEALTHY", "Forgery"]

_CHANGES, _EVIDENCE = "changes.log", "evidence.log"

Forgery = Callable[[Logs, Scene], str]
"""Alters the content of the logs. Returns the place."""


def _place(at: int) -> str:
    return f"{_CHANGES}, record {at + 1} "


def _flip_outcomes(logs: Logs, _: Scene) -> str:
    """Call every change that was seen in use a failure."""
    first = logs.at("effective")[0]
    for at in logs.at("effective"):
        payload = logs.changes[at].payload
        reason = f"at step {payload['step']}: it was not used"
        logs.changes[at] = UnsignedRecord("failed", {**payload, "reason": reason})
    return _place(first)


def _remove_effect(logs: Logs, scene: Scene) -> str:
    at = scene.random.choice(logs.at("effective"))
    step = logs.changes[at].payload["step"]
    logs.remove(at)
    return f"{_CHANGES}, iteration {step}|(iteration {step})"


def _late_effect(logs: Logs, scene: Scene) -> str:
    at = scene.random.choice(logs.at("effective"))
    logs.changes[at].payload["step"] += 1
    return _place(at)


def _swap_effects(logs: Logs, scene: Scene) -> str:
    pairs = [
        at
        for at in logs.at("effective")
        if at + 1 < len(logs.changes) and logs.changes[at + 1].kind == "effective" and not _by_key(logs, at)
    ]
    at = scene.random.choice(pairs)
    logs.changes[at], logs.changes[at + 1] = logs.changes[at + 1], logs.changes[at]
    return f"(iteration {logs.changes[at].payload['step']})"


def _by_key(logs: Logs, at: int) -> bool:
    """Whether two records, swapped, would be in the order of the registry, which is allowed after a resume."""
    keys = {each.payload["id"]: each.payload["parameter"] for each in logs.changes if each.kind == "proposed"}
    held = list(next(each for each in logs.evidence if each.kind == "held").payload["handed"])
    first, second = (keys[logs.changes[each].payload["id"]] for each in (at, at + 1))
    return held.index(second) < held.index(first)


def _repeat_record(logs: Logs, scene: Scene) -> str:
    at = scene.random.randrange(len(logs.changes))
    logs.insert(at, deepcopy(logs.changes[at]))
    return _CHANGES


def _drop_record(logs: Logs, scene: Scene) -> str:
    logs.remove(scene.random.randrange(len(logs.changes)))
    return _CHANGES


def _forge_ruling(logs: Logs, scene: Scene) -> str:
    at = scene.random.choice(logs.at("guarded"))
    logs.changes[at].payload["reason"] = "the owner agreed"
    return _place(at)


def _forge_proposer(logs: Logs, scene: Scene) -> str:
    at = scene.random.choice(logs.at("proposed"))
    logs.changes[at].payload["proposer"] = "model"
    return _place(at)


def _forge_id(logs: Logs, scene: Scene) -> str:
    """Renumber the last change in all its records."""
    last = max(each.payload["id"] for each in logs.changes)
    first = next(at for at, each in enumerate(logs.changes) if each.is_about(last))
    number = last + scene.random.randint(1, 9)
    for record in logs.changes:
        names = [name for name in ("id", "batch") if record.payload.get(name) == last]
        record.payload.update(dict.fromkeys(names, number))
    return _place(first)


def _forge_hash(logs: Logs, scene: Scene) -> str:
    at = scene.random.choice(logs.at("intent", "applied", "proposed"))
    logs.changes[at].payload["state"] = "f" * 64
    return _place(at)


def _insert_proposal(logs: Logs, scene: Scene) -> str:
    """Insert a proposal that no tuner made, denied, so that nothing else has to change."""
    measured = logs.evidence[logs.measured()[-1]].payload
    state, number = measured["state_hash"], 1 + max(each.payload["id"] for each in logs.changes)
    key = scene.random.choice(sorted(measured["used"]))
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
    logs.changes += [UnsignedRecord("proposed", proposed), UnsignedRecord("guarded", ruling)]
    return _place(len(logs.changes) - 2)


def _remove_proposal(logs: Logs, scene: Scene) -> str:
    """Remove every record of a change that was applied and used; the plant's measurements stay."""
    at = scene.random.choice(logs.at("proposed"))
    step = logs.changes[at].payload["step"]
    logs.forget(logs.changes[at].payload["id"])
    return f"(iteration {step})|{_CHANGES}, iteration {step}"


def _supersede(logs: Logs, scene: Scene) -> str:
    """Insert a resume that discards valid records."""
    at = scene.random.choice(logs.at("effective")) + 1
    step = logs.changes[at - 1].payload["step"]
    logs.insert(at, UnsignedRecord("resumed", {"step": step, "kept": 0, "restored": []}))
    return _CHANGES


def _retry(logs: Logs, scene: Scene) -> str:
    """Insert a retry that blames another writer."""
    at = scene.random.choice(logs.at("intent"))
    wanted = next(each.payload for each in logs.changes if each.is_about(logs.changes[at].payload["id"]))
    retried = {"id": wanted["id"], "before": wanted["before"], "wanted": wanted["wanted"], "reason": "another writer"}
    again = [
        deepcopy(each) for each in logs.changes if each.is_about(wanted["id"]) and each.kind in {"guarded", "intent"}
    ]
    for offset, record in enumerate([UnsignedRecord("retried", retried), *again], start=1):
        logs.insert(at + offset, record)
    return _CHANGES


def _alter_samples(arm: str) -> Forgery:
    def forge(logs: Logs, scene: Scene) -> str:
        """Alter samples of the last iteration, which no decision depends on."""
        at = logs.measured()[-1]
        samples = logs.evidence[at].payload[arm]
        kpi = scene.random.choice(sorted(samples))
        samples[kpi] = [value * 1.01 for value in samples[kpi]]
        return f"{_EVIDENCE}, record {at + 1}"

    return forge


def _alter_used(logs: Logs, scene: Scene) -> str:
    """Let a measurement name another value used."""
    at = scene.random.choice(logs.measured())
    used = logs.evidence[at].payload["used"]
    key = scene.random.choice(sorted(used))
    used[key] *= 1.5
    return f"{logs.evidence[at].payload['iteration']}|{_EVIDENCE}|{_CHANGES}"


def _repeat_iteration(logs: Logs, scene: Scene) -> str:
    at = scene.random.choice(logs.measured())
    logs.evidence.insert(at, deepcopy(logs.evidence[at]))
    return f"{_EVIDENCE}, record {at + 2}"


def _drop_iteration(logs: Logs, scene: Scene) -> str:
    at = scene.random.choice(logs.measured()[:-1])
    later = [each for each in logs.measured() if each > at]
    del logs.evidence[at]
    return f"{_EVIDENCE}, record {later[0]}"


def _swap_iterations(logs: Logs, scene: Scene) -> str:
    first, second = sorted(scene.random.sample(logs.measured(), 2))
    mine, theirs = logs.evidence[first], logs.evidence[second]
    logs.evidence[first], logs.evidence[second] = theirs, mine
    for at, record in ((first, mine), (second, theirs)):
        logs.evidence[at].payload["changes"], record.payload["changes"] = (
            record.payload["changes"],
            logs.evidence[at].payload["changes"],
        )
    return f"{_EVIDENCE}, record {first + 1}"


def _forge_head(logs: Logs, scene: Scene) -> str:
    """Let a measurement name an earlier end of the change journal."""
    at = scene.random.choice([at for at in logs.measured() if logs.evidence[at].payload["changes"]["sequence"] > 0])
    logs.evidence[at].payload["changes"]["sequence"] -= 1
    return f"{_EVIDENCE}|{_CHANGES}"


def _insert_delivery(logs: Logs, scene: Scene) -> str:
    """Insert a delivery of the first settings just before a real delivery."""
    deliveries = [at for at, each in enumerate(logs.evidence) if each.kind == "held"]
    at = scene.random.choice(deliveries[2:])  # before the first change, a resumed process could have delivered them
    logs.evidence.insert(at, deepcopy(next(each for each in logs.evidence if each.kind == "held")))
    return _EVIDENCE


def _drop_delivery(logs: Logs, scene: Scene) -> str:
    del logs.evidence[scene.random.choice([at for at, each in enumerate(logs.evidence) if each.kind == "held"])]
    return f"{_EVIDENCE}|{_CHANGES}"


def _forge_delivery_hash(logs: Logs, scene: Scene) -> str:
    at = scene.random.choice([at for at, each in enumerate(logs.evidence) if each.kind == "held"])
    logs.evidence[at].payload["state_hash"] = "f" * 64
    return f"{_EVIDENCE}, record {at + 1}|{_CHANGES}"


def _end_early(logs: Logs, scene: Scene) -> str:
    at = scene.random.choice(logs.measured()[:-3])
    logs.evidence.insert(at + 1, UnsignedRecord("ending", {"length": len(logs.measured())}))
    return f"{_EVIDENCE}, record {at + 2}"


def _revert_apply(logs: Logs, scene: Scene) -> str:
    """Revert the last change in the settings file only; the journal still says that it was applied."""
    at = logs.at("effective")[-1]
    change = next(each.payload for each in logs.changes if each.is_about(logs.changes[at].payload["id"]))
    used = logs.evidence[logs.measured()[-1]].payload["used"]
    set_settings(scene.folder, {**used, change["parameter"]: change["before"]})
    return "runtime_overrides.json"


def _remove_denial(logs: Logs, scene: Scene) -> str:
    """A denied change, with its proposal and its number."""
    denials = [at for at in logs.at("guarded") if logs.changes[at].payload["decision"] == "DENY"]
    change_id = logs.changes[scene.random.choice(denials)].payload["id"]
    step = next(each.payload["step"] for each in logs.changes if each.is_about(change_id) and each.kind == "proposed")
    if any(each.payload.get("batch") == change_id != each.payload["id"] for each in logs.changes):
        for record in logs.changes:
            if record.payload.get("batch") == change_id:
                record.payload["batch"] += 1
    logs.forget(change_id)
    return f"(iteration {step})|{_CHANGES}, iteration {step}"


def _allow_denied(logs: Logs, scene: Scene) -> str:
    """Name another guard in a denial."""
    denials = [at for at in logs.at("guarded") if logs.changes[at].payload["decision"] == "DENY"]
    at = scene.random.choice(denials)
    logs.changes[at].payload["guard"] = "cooldown"
    return _place(at)


def _forge_loss(logs: Logs, scene: Scene) -> str:
    """Give another reason for a failure."""
    at = scene.random.choice(logs.at("failed"))
    logs.changes[at].payload["reason"] = "the operator withdrew it"
    return _place(at)


def _call_unknown(logs: Logs, scene: Scene) -> str:
    """Call a failed change unknown, which no freeze counts."""
    at = scene.random.choice(logs.at("failed"))
    payload = logs.changes[at].payload
    logs.changes[at] = UnsignedRecord("unknown", {"id": payload["id"], "reason": "the run ended before it was used"})
    return f"(iteration {payload['step']})|{_CHANGES}, iteration {payload['step']}"


def _fake_success(logs: Logs, scene: Scene) -> str:
    """Let a soak whose plant took no change look successful: values used, effects, no failures, no rollbacks."""
    back = {each.payload["id"] for each in logs.changes if each.payload.get("proposer") == "rollback"}
    proposed = {each.payload["id"]: each.payload for each in logs.changes if each.kind == "proposed"}
    after = {each.payload["id"]: each.payload["after"] for each in logs.changes if each.kind == "intent"}
    for at, record in enumerate(logs.changes):
        if record.kind == "failed":
            change_id, step = record.payload["id"], record.payload["step"]
            logs.changes[at] = UnsignedRecord("effective", {"id": change_id, "step": step, "found": after[change_id]})
    for change_id in sorted(back, reverse=True):
        logs.forget(change_id)
    held: dict[str, float] = {}
    for record in logs.evidence:
        if record.kind == "held":
            held = record.payload["values"]
        elif record.kind == "measured":
            record.payload["used"] = dict(held)
    first = min(payload["step"] for change_id, payload in proposed.items() if change_id in back)
    set_settings(scene.folder, held)
    return f"{_CHANGES}|{_EVIDENCE}|{first}"


def _unnamed_plan(logs: Logs, _: Scene) -> str:
    del logs.evidence[0]
    return f"{_EVIDENCE}, record 1"


def _other_plan(logs: Logs, _: Scene) -> str:
    logs.evidence[0].payload["plan"] = "f" * 64
    return "soak.json"


def _other_version(logs: Logs, _: Scene) -> str:
    logs.evidence[0].payload["schema_version"] += 1
    return f"{_EVIDENCE}, record 1"


def _plan_named_again(logs: Logs, scene: Scene) -> str:
    at = scene.random.randrange(1, len(logs.evidence))
    logs.evidence.insert(at, deepcopy(logs.evidence[0]))
    return f"{_EVIDENCE}, record {at + 1}"


def _plan_named_late(logs: Logs, _: Scene) -> str:
    logs.evidence[0], logs.evidence[1] = logs.evidence[1], logs.evidence[0]
    return f"{_EVIDENCE}, record 1"


BINDING: dict[str, tuple[str, Forgery]] = {
    "plan-unnamed": ("the record that names the plan is removed", _unnamed_plan),
    "plan-named-otherwise": ("the record that names the plan names another one", _other_plan),
    "plan-named-version": ("the record that names the plan gives another version", _other_version),
    "plan-named-again": ("a later record names the plan again", _plan_named_again),
    "plan-named-late": ("the plan is named only after the first delivery", _plan_named_late),
}

HEALTHY: dict[str, tuple[str, Forgery]] = {
    "outcomes-flipped": ("every effect becomes a failure", _flip_outcomes),
    "effect-removed": ("one note of an effect is removed", _remove_effect),
    "effect-late": ("one effect is said to have come later", _late_effect),
    "effects-swapped": ("two notes of effects are swapped", _swap_effects),
    "record-duplicated": ("a record of the changes is there twice", _repeat_record),
    "record-dropped": ("a record of the changes is dropped", _drop_record),
    "ruling-reworded": ("a ruling gives another reason", _forge_ruling),
    "proposer-forged": ("a change is blamed on another proposer", _forge_proposer),
    "change-renumbered": ("the last change has another number", _forge_id),
    "change-hash": ("the state that a change began from or led to is another", _forge_hash),
    "proposal-inserted": ("a proposal that no tuner made is inserted", _insert_proposal),
    "proposal-removed": ("every trace of a change is removed", _remove_proposal),
    "resume-inserted": ("a resume discards valid records", _supersede),
    "retry-inserted": ("another writer is blamed", _retry),
    "samples-altered": ("samples of the tuned arm are a hundredth better", _alter_samples("samples")),
    "control-altered": ("samples of control are altered", _alter_samples("control")),
    "used-altered": ("what an iteration used is another value", _alter_used),
    "iteration-duplicated": ("an iteration is there twice in the plant's log", _repeat_iteration),
    "iteration-dropped": ("an iteration is dropped from the plant's log", _drop_iteration),
    "iterations-swapped": ("two iterations are swapped in the plant's log", _swap_iterations),
    "head-forged": ("a measurement is said to have come before a change", _forge_head),
    "delivery-inserted": ("a delivery of the first settings is inserted", _insert_delivery),
    "delivery-dropped": ("a delivery is dropped", _drop_delivery),
    "delivery-hash": ("a delivery has another hash", _forge_delivery_hash),
    "ending-inserted": ("the soak is said to have been ended early", _end_early),
    "apply-reverted": ("the last change is reverted in the settings file", _revert_apply),
}

FAILED: dict[str, tuple[str, Forgery]] = {
    "denial-removed": ("a denial is removed with its proposal", _remove_denial),
    "denial-renamed": ("a denial is blamed on another guard", _allow_denied),
    "failure-reworded": ("a failure gives another reason", _forge_loss),
    "failure-unknown": ("a failure is called unknown", _call_unknown),
    "dressed-up": ("a failed soak is made to look successful", _fake_success),
}
