import json
import sys
import warnings
from collections.abc import Callable

import pytest
import torch
from torch.nn import functional
from torch.profiler import profile

from seedbed.contracts import AuditRun, Feature
from seedbed.errors import ContractBroken, InvalidInput
from seedbed.runtime import RuntimeDegraded, declare, resolve_config, sdpa
from seedbed.runtime import _witness as witness_module

Q = torch.ones(1, 2, 4, 8)
FLASH = "aten::_scaled_dot_product_flash_attention_for_cpu"
MATH = "aten::_scaled_dot_product_attention_math"


def fused() -> None:
    sdpa(Q, Q, Q)


def dropped() -> None:
    functional.scaled_dot_product_attention(Q, Q, Q, dropout_p=0.5)


def run(witness, body: Callable[[], object], steps: int, **where: str) -> None:
    for step in range(steps):
        with witness.step(step, **where):
            body()


def test_a_fused_run_is_observed_and_used(declared) -> None:
    witness = declared().witness()
    run(witness, fused, 3)
    audit = witness.audit(2.0)
    for feature in (audit.sdpa, audit.flash):
        assert (feature.requested, feature.eligible, feature.selected, feature.observed, feature.used) == (True,) * 5
        assert feature.kernels == {FLASH: 3}
    assert (audit.degraded, audit.reasons, audit.incidents) == (False, (), ())


def test_strict_stops_at_the_step_and_names_kernel_and_cause(declared) -> None:
    witness = declared().witness()
    caught = pytest.raises(ContractBroken, match=rf"at train step 7: SDPA and FLASH .*{MATH} .*dropout_p is 0.5")
    with caught as stop, witness.step(7):
        dropped()
    assert stop.value.exit_code == 4
    audit = witness.evidence(1.0)
    assert (audit.degraded, audit.flash.observed, audit.flash.used) == (True, False, False)
    assert audit.flash.kernels == {MATH: 1}


def test_compat_warns_once_for_a_reason_and_goes_on(declared) -> None:
    witness = declared(mode="compat").witness()
    with pytest.warns(RuntimeDegraded, match="dropout_p") as caught:
        run(witness, dropped, 3)
    assert len(caught) == 1
    audit = witness.audit(1.0)
    assert audit.degraded
    assert len(audit.reasons) == 1
    assert audit.flash.kernels == {MATH: 3}


def test_a_later_sample_of_the_same_kind_stops_too_and_says_where_to_look(declared) -> None:
    witness = declared(sample_every=5).witness()
    run(witness, fused, 5)
    with pytest.raises(ContractBroken, match=rf"step 0: .*{MATH} .*why_not_fused"):
        run(witness, dropped, 5)


def test_one_layer_lost_among_fused_ones_is_a_loss(declared) -> None:
    witness = declared().witness()

    def both() -> None:
        fused()
        dropped()

    with pytest.raises(ContractBroken):
        run(witness, both, 1)


def test_a_switch_flipped_in_a_run_forces_a_sample(declared, flash_switch) -> None:
    witness = declared(sample_every=1000).witness()
    run(witness, fused, 5)
    flash_switch(False)
    with pytest.raises(ContractBroken, match=r"flash_sdp_enabled\(\) is False"), witness.step(5):
        fused()
    assert "flash+mem_efficient+cudnn+math to mem_efficient+cudnn+math" in witness.evidence(1.0).incidents[0]


def test_strict_stops_before_the_first_step_without_the_kernel(declared, flash_switch) -> None:
    flash_switch(False)
    with pytest.raises(
        ContractBroken, match=rf"before the first step: SDPA and FLASH requested and not eligible: .*{MATH}"
    ):
        declared()
    with pytest.warns(RuntimeDegraded) as caught:
        contract = declared(mode="compat")
    assert len(caught) == 1
    assert not contract.selected(Feature.FLASH)
    witness = contract.witness()
    run(witness, fused, 2)
    audit = witness.audit(1.0)
    assert (audit.degraded, audit.flash.requested, audit.flash.selected, audit.flash.used) == (True, True, False, False)


def test_what_is_switched_off_is_neither_demanded_nor_used(declared) -> None:
    witness = declared(sdpa="off", flash="off").witness()
    run(witness, fused, 1)
    run(witness, dropped, 1)
    audit = witness.audit(1.0)
    assert (audit.degraded, audit.flash.eligible, audit.flash.used) == (False, None, False)


def test_steps_without_attention_are_unknown_until_the_end(declared) -> None:
    witness = declared().witness()
    run(witness, lambda: Q + 1, 3)
    assert witness.evidence(1.0).flash.observed is None
    with pytest.raises(ContractBroken, match="SDPA and FLASH requested and never observed: none of 3 sampled steps"):
        witness.audit(1.0)


def test_a_compat_run_that_never_saw_it_is_degraded(declared) -> None:
    witness = declared(mode="compat").witness()
    with pytest.warns(RuntimeDegraded, match="never observed"):
        assert witness.audit(1.0).degraded


@pytest.mark.parametrize(
    ("grad", "phase", "shape"), [(False, "train", ""), (True, "eval", ""), (True, "train", "long")]
)
def test_each_new_kind_of_step_is_sampled_and_then_one_in_n(declared, grad: bool, phase, shape: str) -> None:
    witness = declared(sample_every=10).witness()
    run(witness, fused, 21)
    assert witness.evidence(1.0).steps_sampled == 3
    with torch.set_grad_enabled(grad):
        run(witness, fused, 5, phase=phase, shape_class=shape)
    audit = witness.audit(1.0)
    assert (audit.steps, audit.steps_sampled, len(audit.samples)) == (26, 4, 2)


def test_an_unsampled_step_costs_a_few_calls_and_no_profiler(declared, monkeypatch) -> None:
    witness = declared(sample_every=1000).witness()
    run(witness, fused, 1)
    monkeypatch.setattr(witness_module.RECORDER, "open", lambda *_, **__: pytest.fail("the profiler was started"))
    calls = []
    sys.setprofile(lambda frame, event, argument: calls.append(event) if event.endswith("call") else None)
    with witness.step(1):
        pass
    sys.setprofile(None)
    assert len(calls) <= 45


def test_the_witness_times_its_own_cost_with_the_given_clock(declared) -> None:
    ticks = iter(range(100))
    witness = declared().witness(clock=lambda: float(next(ticks)))
    run(witness, fused, 2)
    assert witness.audit(1.0).witness_time == 4.0  # a tick to start and one to stop, twice


def test_a_steps_own_error_passes_and_leaves_no_profiler_running(declared) -> None:
    witness = declared().witness()

    def fails() -> None:
        dropped()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(witness, fails, 1)
    run(witness, fused, 1)
    assert witness.audit(1.0).flash.observed


def test_under_another_profiler_a_step_goes_unsampled_and_says_so(declared) -> None:
    witness = declared().witness()
    with profile():
        run(witness, fused, 2)
    audit = witness.evidence(1.0)
    assert (audit.steps_sampled, len(audit.incidents)) == (0, 1)
    assert "another profiler" in audit.incidents[0]


def test_autocast_is_observed_by_the_types_of_what_ran(declared) -> None:
    contract = declared(amp="on", sdpa="off", flash="off")
    layer = torch.nn.Linear(8, 8)
    witness = contract.witness()
    with witness.step(0), contract.autocast():
        layer(Q).sum().backward()
    audit = witness.audit(1.0)
    assert audit.amp.used
    assert set(audit.amp.kernels) == {"aten::addmm bfloat16", "aten::mm bfloat16"}
    caught = pytest.raises(ContractBroken, match=r"AMP .*ran in float32, none in bfloat16.*contract.autocast")
    with caught, witness.step(1):
        layer(Q)


def test_amp_left_to_auto_is_off_on_a_cpu_with_the_reason(declared) -> None:
    contract = declared(amp="auto")
    capability = contract.capabilities[Feature.AMP]
    assert (capability.requested, capability.eligible, capability.selected) == (False, True, False)
    assert "auto is off" in capability.reason
    assert "of its float32 time" in capability.reason
    with contract.autocast():
        assert not torch.is_autocast_enabled("cpu")


def test_declaring_leaves_the_random_numbers_alone(declared) -> None:
    before = torch.get_rng_state()
    declared(amp="auto")
    assert torch.equal(torch.get_rng_state(), before)


def test_counts_survive_a_resume_and_evidence_is_gathered_anew(declared) -> None:
    contract = declared(sample_every=10)
    first = contract.witness()
    run(first, fused, 15)
    state = json.loads(json.dumps(first.state()))
    second = contract.witness()
    second.load_state(state)
    run(second, fused, 5)
    audit = second.audit(1.0)
    assert (audit.steps, audit.steps_sampled) == (20, 3)
    assert audit.flash.kernels == {FLASH: 3}


def test_a_resumed_strict_run_stops_again_for_a_reason_already_known(declared) -> None:
    contract = declared()
    first = contract.witness()
    with pytest.raises(ContractBroken):
        run(first, dropped, 1)
    second = contract.witness()
    second.load_state(first.state())
    with pytest.raises(ContractBroken):
        run(second, dropped, 1)


@pytest.mark.parametrize("change", [{"steps": -1}, {"extra": 1}, {"kernels": {"SPEED": {}}}, {"samples": None}])
def test_a_foreign_state_is_refused(declared, change: dict[str, object]) -> None:
    witness = declared().witness()
    with pytest.raises(InvalidInput, match="not the state of a witness"):
        witness.load_state(witness.state() | change)


def test_the_ledger_has_its_fields_and_reads_back(declared) -> None:
    witness = declared().witness()
    run(witness, fused, 1)
    audit = witness.audit(12.5)
    document = json.loads(audit.model_dump_json())
    named = "mode sdpa flash amp cdc degraded reasons wall_time peak_mem pytorch_version cuda_available device_name"
    assert set(named.split()) <= set(document)
    assert (document["wall_time"], document["pytorch_version"]) == (12.5, torch.__version__)
    assert document["peak_mem"] > 50 << 20
    assert document["device_name"]
    assert document["settings"]["cdc"] == {"value": "OFF", "source": "CODE"}
    assert AuditRun.model_validate(document) == audit


def test_a_fused_run_warns_of_nothing(declared) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(declared().witness(), fused, 3)
    assert caught == []


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Device 'cuda:99' cannot be used here"):
        declare(resolve_config(), device="cuda:99")
