import resource
import subprocess
import sys

import pytest
import torch

from seedbed._before_torch import prepare_environment
from seedbed.runtime import _host as host
from seedbed.runtime import tune_host


def child(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout


def test_the_environment_is_prepared_without_torch(monkeypatch) -> None:
    printed = child(
        "import os, sys; from seedbed._before_torch import prepare_environment as p; "
        "os.environ.pop('OMP_WAIT_POLICY', None); p(); print('torch' in sys.modules, os.environ['OMP_WAIT_POLICY'])"
    )
    assert printed.split() == ["False", "PASSIVE"]


def test_a_users_own_variable_is_kept(monkeypatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setenv("KMP_BLOCKTIME", "7")
    monkeypatch.delenv("KINETO_LOG_LEVEL", raising=False)
    assert prepare_environment() == {"KINETO_LOG_LEVEL": "99"}


@pytest.mark.slow
def test_tuned_freed_memory_is_not_faulted_in_again() -> None:
    """In a child, as the tuning cannot be undone; the same work in an untuned child is the fault it removes."""
    work = """
import resource, torch
from seedbed.runtime import tune_host
{tune}
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(40 << 20, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print([faults() for _ in range(50)][-1])  # the heap's holes settle first
"""
    pages = (40 << 20) // resource.getpagesize()
    assert int(child(work.format(tune=""))) >= pages
    assert int(child(work.format(tune="tune_host()"))) < pages // 100


def test_only_what_was_really_set_is_reported(monkeypatch) -> None:
    monkeypatch.setattr(host, "_mallopt", lambda option, value: option == -1)
    before = torch.get_num_threads()
    try:
        assert tune_host(threads=1) == {"M_TRIM_THRESHOLD": (1 << 31) - 1, "threads": 1}
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
def test_peak_memory_is_the_highest_not_the_present() -> None:
    program = """
import torch
from seedbed.runtime._host import peak_memory_bytes
torch.ones(300 << 20, dtype=torch.uint8)
print(peak_memory_bytes(torch.device("cpu")))
"""
    assert int(child(program)) > 300 << 20


@pytest.mark.parametrize("ask", [lambda: host.device_name(torch.device("cpu")), host.host_memory_bytes])
def test_the_machine_has_a_name_and_memory(ask) -> None:
    assert ask()
