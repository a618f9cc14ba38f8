"""Every rule of `why_not_fused` is run again: what it says is compared with what the profiler saw."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.profiler import profile

from seedbed.runtime import sdpa, why_not_fused
from seedbed.runtime._explain import explain_math
from seedbed.runtime._flags import SdpaFlags
from seedbed.runtime._probe import record
from seedbed.runtime._sample import ATTENTION_MATH

FLASH = "aten::_scaled_dot_product_flash_attention_for_cpu"


def rows(*shape: int) -> Tensor:
    return torch.arange(float(torch.Size(shape).numel())).reshape(shape).sin()


def attend(tensors: tuple[Tensor, ...], dropout_p: float) -> None:
    query, key, value, *mask = tensors
    functional.scaled_dot_product_attention(query, key, value, mask[0] if mask else None, dropout_p)


Q = rows(4, 2, 6, 8)
# The arguments: query, key, value and perhaps a mask; dropout; a part of the reason, None where the call runs fused.
CASES: dict[str, tuple[tuple[Tensor, ...], float, str | None]] = {
    "plain": ((Q, Q, Q), 0.0, None),
    "boolean mask": ((Q, Q, Q, torch.ones(6, 6, dtype=torch.bool)), 0.0, None),
    "4-D mask": ((Q, Q, Q, rows(4, 1, 6, 6)), 0.0, None),
    "odd width": ((rows(1, 1, 5, 11),) * 3, 0.0, None),
    "other key length": ((Q, rows(4, 2, 9, 8), rows(4, 2, 9, 8)), 0.0, None),
    "dropout": ((Q, Q, Q), 0.25, "dropout_p is 0.25"),
    "mask with gradient": ((Q, Q, Q, rows(4, 1, 6, 6).requires_grad_()), 0.0, "mask requires a gradient"),
    "3-D mask": ((Q, Q, Q, rows(2, 6, 6)), 0.0, "mask has 3 dimensions"),
    "3-D query": ((Q[0], Q[0], Q[0]), 0.0, "query has 3 dimensions"),
    "last stride": ((Q, Q, rows(4, 2, 8, 6).transpose(2, 3)), 0.0, "last stride is not 1"),
    "broadcast batch": ((Q[:1], Q, Q), 0.0, "batch or head sizes differ"),
    "broadcast heads": ((Q, Q[:, :1], Q[:, :1]), 0.0, "batch or head sizes differ"),
    "value width": ((Q, Q, rows(4, 2, 6, 4)), 0.0, "widths differ"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_rules_say_what_the_profiler_sees(name: str) -> None:
    tensors, dropout_p, cause = CASES[name]
    query, key, value, *mask = tensors
    with profile() as seen:
        attend(tensors, dropout_p)
    ran = {event.name for event in seen.events()}
    reasons = why_not_fused(query, key, value, mask[0] if mask else None, dropout_p)
    assert (FLASH in ran, ATTENTION_MATH in ran) == (cause is None, cause is not None)
    assert len(reasons) == (cause is not None)
    assert cause is None or cause in reasons[0]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[2]])
def test_a_recorded_call_explains_itself(name: str) -> None:
    tensors, dropout_p, cause = CASES[name]
    with record() as recording:
        attend(tensors, dropout_p)
    flags = SdpaFlags(flash=True, mem_efficient=True, cudnn=True, math=True)
    assert cause is not None
    assert cause in explain_math(recording.sample, flags)


def test_the_switch_explains_before_the_call_does(flash_switch) -> None:
    flash_switch(False)
    with record() as recording:
        sdpa(Q, Q, Q)
    flags = SdpaFlags(flash=False, mem_efficient=True, cudnn=True, math=True)
    assert "flash_sdp_enabled() is False" in explain_math(recording.sample, flags)


def test_a_call_without_a_visible_cause_says_so() -> None:
    with record() as recording, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        sdpa(Q, Q, Q)
    flags = SdpaFlags(flash=True, mem_efficient=True, cudnn=True, math=True)
    assert "sdpa_kernel" in explain_math(recording.sample, flags)


def test_sdpa_is_attention() -> None:
    weights = torch.softmax(Q @ Q.transpose(-1, -2) * 0.5, -1)
    torch.testing.assert_close(sdpa(Q, Q, Q, scale=0.5), weights @ Q)
    mask = torch.eye(6, dtype=torch.bool)
    torch.testing.assert_close(sdpa(Q, Q, Q, mask), Q)
