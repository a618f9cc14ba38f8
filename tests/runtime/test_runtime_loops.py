"""The witness around ordinary loops that know nothing of Seedbed."""

import pytest
import torch
from torch import nn

from seedbed.errors import ContractBroken

X = torch.ones(2, 5, 16)


@pytest.fixture(autouse=True)
def _fastpath():
    before = torch.backends.mha.get_fastpath_enabled()
    yield
    torch.backends.mha.set_fastpath_enabled(before)


def encoder(dropout: float = 0.0) -> nn.Module:
    return nn.TransformerEncoderLayer(16, 2, 32, dropout=dropout, batch_first=True)


def test_a_transformer_trains_fused(declared) -> None:
    model = encoder()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    witness = declared().witness()
    for step in range(3):
        with witness.step(step):
            optimizer.zero_grad()
            model(X).square().mean().backward()
            optimizer.step()
    assert witness.audit(1.0).flash.used


def test_a_transformer_with_its_usual_dropout_does_not(declared) -> None:
    model = encoder(dropout=0.1)
    witness = declared().witness()
    with pytest.raises(ContractBroken, match=r"dropout_p is 0\.1"), witness.step(0):
        model(X).sum().backward()


def test_the_inference_fast_path_is_not_fused_attention(declared) -> None:
    model = encoder().eval()
    witness = declared().witness()
    caught = pytest.raises(ContractBroken, match=r"eval step 0.*_native_multi_head_attention.*set_fastpath_enabled")
    with caught, torch.no_grad(), witness.step(0, "eval"):
        model(X)
    torch.backends.mha.set_fastpath_enabled(False)
    with torch.no_grad(), witness.step(1, "eval"):
        model(X)
    assert witness.evidence(1.0).flash.kernels["aten::_scaled_dot_product_flash_attention_for_cpu"] == 1


def test_multihead_attention_that_returns_weights_is_written_out_by_hand(declared) -> None:
    attention = nn.MultiheadAttention(16, 2, batch_first=True)
    witness = declared().witness()
    with witness.step(0):
        attention(X, X, X, need_weights=False)
    with pytest.raises(ContractBroken, match=r"aten::bmm with aten::_softmax .*need_weights=False"), witness.step(1):
        attention(X, X, X)


def test_a_convolutional_network_needs_no_attention(declared) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 6 * 6, 3))
    witness = declared(sdpa="off", flash="off").witness()
    with witness.step(0):
        model(torch.ones(4, 1, 8, 8)).sum().backward()
    audit = witness.audit(1.0)
    assert (audit.degraded, audit.sdpa.observed, audit.sdpa.used) == (False, None, False)
    assert audit.amp.kernels["aten::convolution float32"] == 1
