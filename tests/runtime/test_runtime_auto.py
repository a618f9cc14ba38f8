"""The settings at the door, and AUTO: what was requested by it is judged only where a step proves a loss."""

import os

import pytest
import torch
from torch import nn
from torch.nn import functional

from seedbed.contracts import AuditRun, Feature, RuntimeMode
from seedbed.errors import ContractBroken, InvalidInput
from seedbed.gate import gate_record
from seedbed.runtime import RuntimeDegraded, SettingSource, Switch, declare, door_config, resolve_config, sdpa

Q = torch.ones(1, 2, 4, 8)
FLASH = "aten::_scaled_dot_product_flash_attention_for_cpu"


def door(asked="COMPAT", **environment: str):
    return declare(door_config(asked, {"SEEDBED_RUNTIME_SAMPLE_EVERY": "1"} | environment), device="cpu")


def audit_of(contract, body, steps: int = 3) -> AuditRun:
    witness = contract.witness()
    for step in range(steps):
        with witness.step(step):
            body()
    return witness.audit(1.0)


class Committed:
    """A commit that holds this ledger; the gate reads nothing else of it here."""

    metrics: dict[str, object] = {}  # noqa: RUF012  # never written
    timing: dict[str, object] = {}  # noqa: RUF012

    def __init__(self, audit: AuditRun) -> None:
        self.documents = {"audit_run": audit.model_dump(mode="json")}


def is_kept(audit: AuditRun) -> bool:
    return gate_record(Committed(audit))["contract"]["kept"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "environment", "mode", "source"),
    [
        ("COMPAT", {}, RuntimeMode.COMPAT, SettingSource.DEFAULT),
        ("strict", {}, RuntimeMode.STRICT, SettingSource.CODE),
        ("COMPAT", {"SEEDBED_RUNTIME_MODE": "strict"}, RuntimeMode.STRICT, SettingSource.ENVIRONMENT),
        ("STRICT", {"SEEDBED_RUNTIME_MODE": "compat"}, RuntimeMode.COMPAT, SettingSource.ENVIRONMENT),
        ({"mode": "strict"}, {"SEEDBED_RUNTIME_MODE": "compat"}, RuntimeMode.STRICT, SettingSource.CODE),
        ({"flash": "on"}, {"SEEDBED_RUNTIME_MODE": "strict"}, RuntimeMode.STRICT, SettingSource.ENVIRONMENT),
    ],
)
def test_the_mode_at_the_door(asked, environment, mode, source) -> None:
    resolved = door_config(asked, environment)
    assert (resolved.config.mode, resolved.sources["mode"]) == (mode, source)


def test_at_the_door_every_feature_is_auto_unless_somebody_says_otherwise() -> None:
    plain = door_config("COMPAT", {})
    assert {plain.config.switch(feature) for feature in Feature} == {Switch.AUTO}
    assert set(plain.sources.values()) == {SettingSource.DEFAULT}
    asked = door_config({"flash": "on", "amp": "off"}, {"SEEDBED_RUNTIME_FLASH": "off", "SEEDBED_RUNTIME_CDC": "off"})
    assert (asked.config.flash, asked.config.amp, asked.config.cdc) == (Switch.ON, Switch.OFF, Switch.OFF)
    assert (asked.sources["flash"], asked.sources["cdc"]) == (SettingSource.CODE, SettingSource.ENVIRONMENT)
    assert resolve_config().config.mode is RuntimeMode.STRICT


@pytest.mark.parametrize("asked", ["LENIENT", {"flahs": "on"}])
def test_what_is_said_wrongly_at_the_door_is_refused(asked) -> None:
    with pytest.raises(InvalidInput, match=r"from code\)"):
        door_config(asked, {})


@pytest.mark.parametrize("mode", ["COMPAT", "STRICT"])
def test_a_model_without_attention_that_is_never_compiled_keeps_its_contract(mode: str) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 6 * 6, 3))
    audit = audit_of(door(mode), lambda: model(torch.ones(4, 1, 8, 8)).sum().backward())
    assert (audit.degraded, audit.reasons, is_kept(audit)) == (False, (), True)
    for feature in (audit.sdpa, audit.flash):
        assert (feature.requested, feature.eligible, feature.selected) == (True, True, True)
        assert (feature.observed, feature.used) == (None, False)
        assert feature.reason.endswith("sampled steps: no attention ran")
    assert audit.cdc.observed is None
    assert "no compiled region ran" in audit.cdc.reason
    assert "dense operators ran in float32" in audit.amp.reason
    assert AuditRun.model_validate_json(audit.model_dump_json()) == audit


def test_experts_behind_a_softmax_are_not_taken_for_attention() -> None:
    weights = torch.ones(2, 4, 4, requires_grad=True)

    def mixture() -> None:
        gate = torch.softmax(torch.ones(2, 3, 4), -1)
        torch.bmm(gate, weights).sum().backward()

    audit = audit_of(door("STRICT", SEEDBED_RUNTIME_CDC="off"), mixture)
    assert (audit.degraded, audit.sdpa.observed) == (False, None)
    assert "aten::bmm with aten::_softmax ran instead" in audit.sdpa.reason


def test_fused_attention_is_used() -> None:
    audit = audit_of(door(SEEDBED_RUNTIME_CDC="off"), lambda: sdpa(Q, Q, Q))
    assert (audit.sdpa.used, audit.flash.used, audit.flash.kernels) == (True, True, {FLASH: 3})


def test_attention_that_fell_to_math_is_a_loss_with_its_reason() -> None:
    def dropped() -> None:
        functional.scaled_dot_product_attention(Q, Q, Q, dropout_p=0.5)

    with pytest.warns(RuntimeDegraded, match=r"SDPA and FLASH .*dropout_p is 0\.5"):
        audit = audit_of(door(SEEDBED_RUNTIME_CDC="off"), dropped)
    assert (audit.degraded, audit.sdpa.observed, audit.sdpa.used) == (True, False, False)
    with pytest.raises(ContractBroken, match=r"dropout_p is 0\.5"):
        audit_of(door("STRICT", SEEDBED_RUNTIME_CDC="off"), dropped)


def test_a_switch_that_is_off_from_the_start_is_no_request(flash_switch) -> None:
    flash_switch(False)
    audit = audit_of(door("STRICT", SEEDBED_RUNTIME_CDC="off"), lambda: sdpa(Q, Q, Q))
    assert (audit.degraded, audit.flash.requested, audit.flash.eligible) == (False, False, False)
    assert "flash_sdp_enabled() is False" in audit.flash.reason


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_loops_own_autocast_is_seen(dtype: torch.dtype) -> None:
    layer = nn.Linear(8, 8)

    def step() -> None:
        with torch.autocast("cpu", dtype=dtype):
            layer(Q).sum()

    audit = audit_of(door("STRICT", SEEDBED_RUNTIME_CDC="off"), step)
    assert (audit.amp.requested, audit.amp.selected, audit.amp.observed, audit.amp.used) == (True,) * 4
    assert audit.amp.reason.endswith("requested by the loop itself")
    assert audit.amp.kernels == {f"aten::addmm {str(dtype).removeprefix('torch.')}": 1}  # types are recorded once


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_dynamo")
def test_the_loops_own_compiled_code_is_seen() -> None:
    run = torch.compile(torch.cos, backend="eager")
    audit = audit_of(door("STRICT"), lambda: run(Q))
    assert (audit.degraded, audit.cdc.used) == (False, True)


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_dynamo")
def test_frames_that_fell_back_to_eager_are_a_loss() -> None:
    run = torch.compile(lambda x: torch.cos(x) * 2, backend="eager", dynamic=False)
    sizes = iter([1, 1, *range(2, 14)])
    with pytest.warns(RuntimeDegraded, match="fell back to eager frames: Dynamo recompile limit"):
        audit = audit_of(door(), lambda: run(torch.ones(next(sizes))), steps=14)
    assert (audit.degraded, audit.cdc.observed) == (True, False)


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_dynamo")
def test_auto_is_demanded_where_the_contracts_own_tool_was_used() -> None:
    contract = door("STRICT")
    contract.compile(torch.cos, backend="eager")
    with pytest.raises(ContractBroken, match="CDC requested and not observed: no compiled region ran"):
        audit_of(contract, lambda: torch.cos(Q))


def test_without_a_sampled_step_the_reason_says_so() -> None:
    audit = audit_of(door("STRICT"), lambda: None, steps=0)
    assert (audit.degraded, audit.sdpa.observed) == (False, None)
    assert audit.sdpa.reason.endswith("unknown: no step was sampled")


def test_runs_after_one_another_leave_nothing_behind(flash_switch) -> None:
    def left() -> tuple[object, ...]:
        methods = [getattr(torch.autograd.profiler.profile, name) for name in ("_prepare_trace", "__exit__")]
        return methods, dict(os.environ), torch.compiler.config.cache_key_tag, torch._C._autograd._profiler_enabled()

    before = left()
    for allowed in (True, False, True):
        contract = door()
        witness = contract.witness()
        for step in range(3):
            flash_switch(allowed or step < 2)
            with witness.step(step), contract.autocast():
                nn.Linear(8, 8)(Q)
        assert left() != before
        witness.audit(1.0)
        assert left() == before
