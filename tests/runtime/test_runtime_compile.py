import copy
import os
import tempfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from seedbed.contracts import Feature
from seedbed.errors import ContractBroken
from seedbed.runtime import RuntimeConfig, RuntimeDegraded, Switch, doctor, sdpa
from seedbed.runtime import _compiler as compiler
from seedbed.runtime._probe import record

pytestmark = pytest.mark.usefixtures("fresh_dynamo")


def waves(x: Tensor) -> Tensor:
    return torch.cos(x) * 2


def attend(x: Tensor) -> Tensor:
    return torch.cos(sdpa(x, x, x)).sum()


def lengths(witness, body, sizes: list[int]) -> None:
    for step, size in enumerate(sizes):
        with witness.step(step):
            body(torch.ones(size))


def compiling(declared, **code: object):
    return declared(**{"cdc": "on", "sdpa": "off", "flash": "off"} | code)


@pytest.mark.slow
def test_a_compiled_run_is_observed_and_its_first_step_is_no_evidence(declared) -> None:
    contract = compiling(declared)
    run = contract.compile(waves, backend="eager")
    witness = contract.witness()
    lengths(witness, run, [3, 3, 3])
    audit = witness.audit(1.0)
    assert audit.cdc.used
    assert audit.cdc.kernels == {"Torch-Compiled Region": 2, "frames compiled": 1}
    assert (audit.steps, audit.steps_sampled) == (3, 2)


@pytest.mark.slow
def test_what_the_compiler_traces_is_not_taken_for_what_ran(declared) -> None:
    contract = compiling(declared, sdpa="on", flash="on")
    run = contract.compile(attend, backend="aot_eager")
    witness = contract.witness()
    x = torch.ones(1, 2, 4, 8)
    for step, length in enumerate([4, 4, 5, 5]):  # the third step, a sampled one, compiles again
        with witness.step(step):
            run(x[:, :, :1].expand(1, 2, length, 8).contiguous())
    audit = witness.audit(1.0)
    assert audit.steps_sampled == 2
    assert audit.flash.kernels == {"aten::_scaled_dot_product_flash_attention_for_cpu": 2}


@pytest.mark.slow
def test_past_the_recompile_limit_strict_stops_and_quotes_dynamo(declared) -> None:
    contract = compiling(declared)
    run = contract.compile(waves, backend="eager", dynamic=False)
    witness = contract.witness()
    with pytest.raises(ContractBroken, match=r"CDC .*fell back to eager frames: Dynamo recompile limit exceeded"):
        lengths(witness, run, [1, 1, *range(2, 14)])
    assert witness.evidence(1.0).cdc.kernels["frames left eager"] == 1


@pytest.mark.slow
def test_a_stance_that_forces_eager_is_caught(declared) -> None:
    contract = compiling(declared)
    run = contract.compile(waves, backend="eager")
    witness = contract.witness()
    with torch.compiler.set_stance("force_eager"):
        with witness.step(0):
            run(torch.ones(3))
        with pytest.raises(ContractBroken, match=r"step 1: CDC .*no compiled region ran.*set_stance"), witness.step(1):
            run(torch.ones(3))


@pytest.mark.slow
def test_nothing_compiled_at_all_is_caught(declared) -> None:
    witness = compiling(declared, mode="compat").witness()
    with pytest.warns(RuntimeDegraded, match=r"nothing went through contract\.compile"):
        lengths(witness, waves, [3, 3, 3])
    assert witness.audit(1.0).degraded


@pytest.mark.slow
def test_an_evaluation_left_eager_is_a_choice(declared) -> None:
    contract = compiling(declared)
    run = contract.compile(waves, backend="eager")
    witness = contract.witness()
    for step in range(3):
        with witness.step(step):
            run(torch.ones(3))
        with witness.step(step, "eval"):
            waves(torch.ones(3))
    assert witness.audit(1.0).cdc.used


@pytest.mark.slow
def test_a_module_of_torchs_own_is_compiled_in_place_and_keeps_its_names(declared) -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    module.compile(backend="eager")
    module(torch.ones(1, 2))
    assert torch._dynamo.utils.counters["frames"]["total"] == 0  # the fault: nothing was compiled, nothing said
    contract = compiling(declared)
    assert contract.compile(module, backend="eager") is module
    witness = contract.witness()
    lengths(witness, lambda x: module(x[None]).sum().backward(), [2, 2])
    assert witness.audit(1.0).cdc.used
    assert list(module.state_dict()) == ["0.weight", "0.bias"]
    assert list(copy.deepcopy(module).state_dict()) == ["0.weight", "0.bias"]


def test_without_cdc_nothing_is_wrapped(declared) -> None:
    assert declared().compile(waves) is waves


def test_the_cache_is_salted_by_what_attention_may_run_on(flash_switch) -> None:
    torch.compiler.config.cache_key_tag = "mine"
    with_flash = compiler.salt_cache()
    flash_switch(False)
    without = compiler.salt_cache()
    assert with_flash != without
    assert torch.compiler.config.cache_key_tag == without
    assert with_flash.startswith("mine|seedbed:")
    assert without.count("seedbed:") == 1


def test_a_missing_compiler_is_named_with_its_remedy(declared, monkeypatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(compiler.shutil, "which", lambda name: None)
    with pytest.raises(ContractBroken, match=r"CDC requested and not eligible: .*no-such-compiler.*install g\+\+"):
        compiling(declared)
    capability = compiling(declared, cdc="auto").capabilities[Feature.CDC]
    assert (capability.requested, capability.eligible) == (False, False)


def test_a_compiler_that_fails_is_quoted(monkeypatch, tmp_path: Path) -> None:
    broken = tmp_path / "cxx"
    broken.write_text("#!/bin/sh\necho 'Python.h: No such file' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    reason, advice = compiler.compile_obstacle() or ("", "")
    assert "Python.h: No such file" in reason
    assert "python3-dev" in advice


@pytest.mark.slow
@pytest.mark.parametrize("variables", [{}, {"TORCHINDUCTOR_CACHE_DIR": "here/cache"}, {"LOGNAME": "a:b"}])
def test_the_cache_is_where_inductor_says_without_importing_it(monkeypatch, tmp_path: Path, variables) -> None:
    from torch._inductor.runtime.cache_dir_utils import cache_dir

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert compiler.cache_folder().absolute() == Path(cache_dir())


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_an_obstacle(monkeypatch, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(file / "cache"))
    reason, advice = compiler.compile_obstacle() or ("", "")
    assert "cannot be written" in reason
    assert "TORCHINDUCTOR_CACHE_DIR" in advice


@pytest.mark.slow
def test_a_cache_that_is_switched_off_is_an_obstacle(monkeypatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_FX_GRAPH_CACHE", "0")
    assert "switched off" in (compiler.compile_obstacle() or ("", ""))[0]


@pytest.mark.slow
def test_caches_that_are_all_switched_off_are_an_obstacle(declared) -> None:
    off = torch.compiler.config.patch(force_disable_caches=True)  # type: ignore[attr-defined]  # made at import
    with off, pytest.raises(ContractBroken, match=r"CDC .*not eligible: .*force_disable_caches \(set it to False"):
        compiling(declared)


@pytest.mark.slow
def test_a_graph_that_bypasses_the_cache_is_caught(declared) -> None:
    import torch._inductor.config as inductor

    contract = compiling(declared)
    run = contract.compile(waves)
    witness = contract.witness()
    # A pass that cannot be a part of the cache's key, as somebody's own tuning may add it.
    uncached = inductor.patch(post_grad_custom_pre_pass=lambda graph: None)
    with uncached, pytest.raises(ContractBroken, match=r"every graph .*\(1\) bypassed the on-disk cache"):
        lengths(witness, run, [3, 3])
    assert witness.evidence(1.0).cdc.kernels["fxgraph_cache_bypass"] == 1


@pytest.mark.slow
def test_attention_compiled_to_math_is_caught_and_so_named(declared, flash_switch) -> None:
    contract = compiling(declared, sdpa="on", flash="on")
    run = contract.compile(attend)
    witness = contract.witness()
    x = torch.ones(1, 2, 4, 8, requires_grad=True)
    flash_switch(False)
    with witness.step(0):
        run(x).backward()
    salt_of_math = torch.compiler.config.cache_key_tag
    flash_switch(True)  # too late: the graph keeps the backend that it was compiled with
    caught = pytest.raises(ContractBroken, match=r"step 1: SDPA and FLASH .*aten::bmm with a fused softmax.*compiled")
    with caught, witness.step(1):
        run(x).backward()
    assert_flash_again(contract, x, salt_of_math)


def assert_flash_again(contract, x: Tensor, salt_of_math: str) -> None:
    """The graph of math in the cache is not taken where flash is allowed; without the salt it would be."""
    torch._dynamo.reset()
    run = contract.compile(attend)
    run(x).backward()
    with record() as salted:
        run(x).backward()
    torch._dynamo.reset()
    torch.compiler.config.cache_key_tag = salt_of_math
    run = torch.compile(attend)
    run(x).backward()
    with record() as unsalted:
        run(x).backward()
    assert "aten::_scaled_dot_product_flash_attention_for_cpu" in salted.sample.attention
    assert set(unsalted.sample.attention) == {"aten::bmm"}


@pytest.mark.slow
def test_the_doctor_tries_everything_for_real() -> None:
    config = RuntimeConfig(amp=Switch.ON)
    first = doctor(config, "cpu")
    for feature in Feature:
        found = getattr(first.features, feature.value.lower())
        assert (found.requested, found.eligible, found.selected, found.observed) == (True,) * 4, feature
    assert first.reasons == ()
    assert first.features.cdc.kernels["fxgraph_cache_miss"] > 0
    assert "aten::mm bfloat16" in first.features.amp.kernels
    assert (first.cores, first.memory > 0) == (os.cpu_count(), True)
    torch._dynamo.reset()
    again = doctor(config, "cpu")
    assert again.features.cdc.kernels["fxgraph_cache_hit"] > 0
    assert "fxgraph_cache_miss" not in again.features.cdc.kernels


def test_the_doctor_reports_what_it_could_not_see(flash_switch) -> None:
    flash_switch(False)
    report = doctor(RuntimeConfig(cdc=Switch.OFF), "cpu")
    assert (report.features.flash.requested, report.features.flash.eligible) == (True, False)
    assert report.features.flash.observed is False
    assert "flash_sdp_enabled() is False" in report.reasons[0]
