"""What the runtime room's tests share: contracts of one line, and switches that are put back."""

from collections.abc import Callable, Iterator

import pytest
import torch

from seedbed.runtime import Contract, declare, resolve_config

Declare = Callable[..., Contract]


@pytest.fixture
def declared() -> Declare:
    """`declared(mode="compat", cdc="off")`: a contract on the CPU; without a word on it, nothing is compiled."""

    def make(**code: object) -> Contract:
        return declare(resolve_config(code={"cdc": "off", "amp": "off", "sample_every": 1} | code), device="cpu")

    return make


@pytest.fixture
def flash_switch() -> Iterator[Callable[[bool], None]]:
    """Sets the process-wide flash switch, and puts it back."""
    before = torch.backends.cuda.flash_sdp_enabled()
    yield torch.backends.cuda.enable_flash_sdp
    torch.backends.cuda.enable_flash_sdp(before)


@pytest.fixture
def fresh_dynamo(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Iterator[None]:
    """Nothing compiled so far, an empty on-disk cache, no worker processes, and no salt left behind."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")
    tag, torch.compiler.config.cache_key_tag = torch.compiler.config.cache_key_tag, ""
    yield
    torch.compiler.config.cache_key_tag = tag
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
