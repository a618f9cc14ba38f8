"""Blocks that are nested, in threads, or beside somebody else's profiler: each sees its own kernels or says why not."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
import torch
from torch.autograd import profiler as torch_profiler
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile, schedule

from seedbed.contracts import Feature
from seedbed.runtime import Witness, declare, resolve_config, sdpa
from seedbed.runtime import _capability as capability_module
from seedbed.runtime import _witness as witness_module
from seedbed.runtime._other_profilers import _running_profilers
from seedbed.runtime._recorder import RECORDER, Recording

Q = torch.ones(1, 2, 4, 8)
FLASH = "aten::_scaled_dot_product_flash_attention_for_cpu"
MATH = "aten::_scaled_dot_product_attention_math"
METHODS = ("_prepare_trace", "_start_trace", "__exit__")
UNTOUCHED = [getattr(torch_profiler.profile, name) for name in METHODS]


def fused(times: int) -> None:
    for _ in range(times):
        sdpa(Q, Q, Q)


def dropped(times: int) -> None:
    for _ in range(times):
        functional.scaled_dot_product_attention(Q, Q, Q, dropout_p=0.5)


def in_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()


def seen_by(theirs: profile) -> dict[str, int]:
    return {event.key: event.count for event in theirs.key_averages() if event.key in {FLASH, MATH}}


@pytest.fixture
def witnesses(declared) -> Iterator[Callable[[], Witness]]:
    """Makes witnesses that sample every step; after the test nothing is left in torch."""
    contract = declared(mode="compat", sdpa="auto", flash="auto")
    made: list[Witness] = []

    def make() -> Witness:
        made.append(contract.witness())
        return made[-1]

    yield make
    for witness in made:
        witness.close()
    assert [getattr(torch_profiler.profile, name) for name in METHODS] == UNTOUCHED
    assert not torch._C._autograd._profiler_enabled()
    assert RECORDER.innermost() is None


def test_an_evaluation_inside_a_step_keeps_its_kernels_to_itself(witnesses) -> None:
    witness = witnesses()
    with witness.step(1):
        fused(2)
        block = witness.open_step(1, "eval")
        dropped(5)
        with pytest.warns(UserWarning, match="dropout_p"):
            block.close()
        fused(1)
    assert witness.evidence(1.0).sdpa.kernels == {FLASH: 3, MATH: 5}


def test_an_evaluation_that_is_not_sampled_is_not_the_steps_either(declared) -> None:
    witness = declared(sample_every=3, sdpa="off", flash="off").witness()
    with witness.step(0, "eval"):
        pass
    with witness.step(1):
        fused(2)
        with witness.step(1, "eval"):
            dropped(5)
        fused(1)
    audit = witness.audit(1.0)
    assert (audit.steps, audit.steps_sampled, audit.sdpa.kernels) == (3, 2, {FLASH: 3})


def test_a_run_inside_another_runs_step_keeps_its_kernels_to_itself(witnesses) -> None:
    outer, inner = witnesses(), witnesses()
    with outer.step(1):
        fused(2)
        for step in range(3):
            with inner.step(step):
                fused(4)
    assert outer.audit(1.0).flash.kernels == {FLASH: 2}
    assert inner.audit(1.0).flash.kernels == {FLASH: 12}


def test_a_step_can_be_opened_and_closed_by_hand_and_closed_twice(witnesses) -> None:
    witness = witnesses()
    block = witness.open_step(1)
    fused(2)
    block.close()
    block.close()
    failed = witness.open_step(2)
    fused(3)
    failed.close(ValueError("the step failed"))
    audit = witness.audit(1.0)
    assert (audit.steps, audit.steps_sampled, audit.flash.kernels) == (2, 1, {FLASH: 2})


def test_steps_left_open_end_with_the_run_and_are_not_judged(witnesses) -> None:
    witness = witnesses()
    outer = witness.open_step(1)
    inner = witness.open_step(1, "eval")
    dropped(1)
    audit = witness.audit(1.0)
    assert (audit.steps_sampled, audit.degraded) == (0, False)
    outer.close()
    inner.close()


def test_a_step_that_ends_before_the_one_inside_it_leaves_nothing_running(witnesses) -> None:
    witness = witnesses()
    outer = witness.open_step(1)
    fused(1)
    inner = witness.open_step(1, "eval")
    fused(2)
    outer.close()
    fused(4)
    inner.close()
    assert witness.audit(1.0).flash.kernels == {FLASH: 7}


def test_a_step_closed_in_another_thread_is_lost_and_says_so(witnesses) -> None:
    witness = witnesses()
    outer = witness.open_step(1)
    fused(1)
    inner = witness.open_step(1, "eval")
    fused(1)
    in_thread(inner.close)
    fused(1)
    outer.close()
    with witness.step(2):
        fused(4)
    audit = witness.audit(1.0)
    assert audit.flash.kernels == {FLASH: 4}
    assert "closed in another thread" in audit.incidents[0]


def test_a_thread_that_ends_inside_a_step_does_not_keep_the_recorder(witnesses) -> None:
    gone, witness = witnesses(), witnesses()
    in_thread(lambda: gone.open_step(1))
    with witness.step(1):
        fused(2)
    assert witness.audit(1.0).flash.kernels == {FLASH: 2}


def test_a_profiler_that_warms_up_before_the_witness_is_left_alone(witnesses) -> None:
    with profile(activities=[ProfilerActivity.CPU], schedule=schedule(wait=0, warmup=2, active=2, repeat=1)) as theirs:
        witness = witnesses()
        for step in range(4):
            with witness.step(step):
                fused(3)
            theirs.step()
    assert seen_by(theirs) == {FLASH: 6}
    with witness.step(4):
        fused(1)
    audit = witness.audit(1.0)
    assert audit.flash.kernels == {FLASH: 1}
    assert audit.incidents == ("steps went unobserved, because another profiler was running",)


def test_a_profiler_that_warms_up_between_steps_is_left_alone(witnesses) -> None:
    witness = witnesses()
    theirs = profile(activities=[ProfilerActivity.CPU], schedule=schedule(wait=1, warmup=1, active=2, repeat=1))
    theirs.start()
    for step in range(6):
        with witness.step(step):
            fused(1)
        theirs.step()
    theirs.stop()
    assert seen_by(theirs) == {FLASH: 2}
    assert witness.audit(1.0).flash.kernels == {FLASH: 3}


def test_a_profiler_started_inside_a_step_gets_all_and_the_step_says_so(witnesses) -> None:
    witness = witnesses()
    with witness.step(1):
        fused(1)
        with profile() as theirs:
            fused(2)
        fused(4)
    assert seen_by(theirs) == {FLASH: 2}
    audit = witness.audit(1.0)
    assert (audit.steps_sampled, audit.flash.kernels) == (0, {})
    assert audit.incidents == ("steps went unobserved, because another profiler started inside the step",)


def test_a_profiler_around_an_evaluation_inside_a_step(witnesses) -> None:
    witness = witnesses()
    with witness.step(1):
        fused(1)
        block = witness.open_step(1, "eval")
        with profile() as theirs:
            fused(2)
        block.close()
        fused(4)
    assert seen_by(theirs) == {FLASH: 2}
    assert witness.audit(1.0).flash.kernels == {FLASH: 5}


def test_a_profiler_of_another_thread_begins_when_the_step_ends(witnesses) -> None:
    witness = witnesses()
    asks, seen = threading.Event(), []

    def theirs() -> None:
        asks.set()
        with profile() as found:
            dropped(2)
        seen.append(seen_by(found))

    block = witness.open_step(1)
    thread = threading.Thread(target=theirs)
    thread.start()
    assert asks.wait(60)
    fused(3)
    assert seen == []
    block.close()
    thread.join(60)
    assert seen == [{MATH: 2}]
    assert witness.audit(1.0).flash.kernels == {FLASH: 3}


def test_a_step_beside_one_of_another_thread_is_delayed_and_says_so_if_it_never_came(witnesses, monkeypatch) -> None:
    monkeypatch.setattr(witness_module, "_PATIENCE", 0.01)
    first, second = witnesses(), witnesses()
    block = first.open_step(1)

    def steps() -> None:
        for step in range(3):
            with second.step(step):
                dropped(1)

    in_thread(steps)
    fused(2)
    block.close()
    assert first.audit(1.0).sdpa.kernels == {FLASH: 2}
    said = second.evidence(1.0).incidents
    assert len(said) == 1
    assert "unobserved, because another thread's step was being recorded at each of the 3 steps" in said[0]
    with pytest.warns(UserWarning, match="dropout_p"), second.step(4):
        dropped(1)
    audit = second.audit(1.0)
    assert (audit.sdpa.kernels, audit.incidents) == ({MATH: 1}, ())


def test_a_witness_that_is_dropped_leaves_torch_as_it_was(declared) -> None:
    environment = dict(os.environ)
    witness = declared().witness()
    with witness.step(1):
        fused(1)
    assert [getattr(torch_profiler.profile, name) for name in METHODS] != UNTOUCHED
    del witness
    assert [getattr(torch_profiler.profile, name) for name in METHODS] == UNTOUCHED
    assert dict(os.environ) == environment


def test_a_witness_that_is_dropped_with_an_open_step_frees_the_recorder(witnesses) -> None:
    outer, dropped_one = (
        witnesses(),
        declare(resolve_config(code={"cdc": "off", "sample_every": 1}), device="cpu").witness(),
    )
    with outer.step(1):
        fused(1)
        block = dropped_one.open_step(1)
        fused(2)
        del block, dropped_one
        fused(4)
    assert outer.audit(1.0).flash.kernels == {FLASH: 5}


def test_declaring_beside_another_profiler_asks_pytorch_for_its_choice(flash_switch) -> None:
    capability_module._attention_kernels.cache_clear()
    with profile():
        contract = declare(resolve_config(code={"cdc": "off"}), device="cpu")
        assert contract.selected(Feature.FLASH)
        assert f"PyTorch chooses (not profiled, because another profiler was running) {FLASH}" in (
            contract.capabilities[Feature.FLASH].reason
        )
        flash_switch(False)
        lost = capability_module.assess(resolve_config(code={"cdc": "off"}).config, "cpu")[Feature.FLASH]
        assert (lost.eligible, MATH in lost.reason) == (False, True)


def test_declaring_inside_a_recorded_step_is_not_a_part_of_it(witnesses) -> None:
    witness = witnesses()
    capability_module._attention_kernels.cache_clear()
    with witness.step(1):
        declare(resolve_config(code={"cdc": "off"}), device="cpu")
        fused(2)
    assert witness.audit(1.0).flash.kernels == {FLASH: 2}


def test_declaring_again_tries_nothing_again_until_a_switch_changes(declared, monkeypatch, flash_switch) -> None:
    declared()
    tried: list[bool] = []
    probe = capability_module.record

    def counted() -> AbstractContextManager[Recording]:
        tried.append(True)
        return probe()

    monkeypatch.setattr(capability_module, "record", counted)
    declared()
    assert tried == []
    flash_switch(False)
    capability_module._attention_kernels.cache_clear()
    assert not declared(mode="compat", sdpa="auto", flash="auto").selected(Feature.FLASH)
    assert tried == [True]


@pytest.mark.parametrize("name", ["_prepare_trace", "_start_trace", "__enter__"])
@pytest.mark.parametrize("is_late", [False, True])
def test_ctrl_c_while_the_profiler_starts_is_raised_and_the_next_step_is_recorded(
    witnesses, monkeypatch, name, is_late
) -> None:
    witness, original = witnesses(), getattr(torch_profiler.profile, name)

    def interrupted(profiler: torch_profiler.profile) -> None:
        once.undo()
        if is_late:
            original(profiler)
        raise KeyboardInterrupt

    with witness.step(1):
        fused(1)
        with monkeypatch.context() as once:
            once.setattr(torch_profiler.profile, name, interrupted)
            with pytest.raises(KeyboardInterrupt):
                witness.open_step(2, "eval")
        fused(2)
    with witness.step(3):
        fused(4)
    in_thread(lambda: witness.step(4).__enter__().close())
    assert RECORDER._running is None
    assert witness.evidence(1.0).sdpa.kernels == {FLASH: 7}


def test_a_profiler_that_began_while_nobody_watched_is_found_although_an_earlier_look_found_none():
    assert _running_profilers() == []
    ended = torch_profiler.profile()
    with torch_profiler.profile() as running:
        assert _running_profilers() == [running]
    assert _running_profilers() == []
    del running, ended
    assert _running_profilers() == []
    with torch_profiler.profile() as running:
        assert _running_profilers() == [running]
