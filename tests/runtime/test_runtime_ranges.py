"""Ranges and operators that are open when a recording stops: their end under another profiler would damage the heap."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch.autograd.profiler import record_function
from torch.profiler import ProfilerActivity, profile

from seedbed.errors import Conflict
from seedbed.runtime import sdpa
from seedbed.runtime._recorder import INSIDE

Q = torch.ones(1, 2, 4, 8)
FLASH = "aten::_scaled_dot_product_flash_attention_for_cpu"
# Without the recorder's care each of these ends the process within a few steps, in malloc() or by a segmentation fault.
PROGRAM = """
import sys, warnings, torch
from torch.profiler import ProfilerActivity, profile, record_function, schedule
from seedbed.runtime import declare, door_config

warnings.simplefilter("ignore")
witness = declare(door_config({"sample_every": 1, "cdc": "off"}, {}), device="cpu").witness()
model = torch.nn.Linear(4, 4)
plan = dict(schedule=schedule(wait=2, warmup=1, active=2), activities=[ProfilerActivity.CPU])
held = []

def ranges_over_steps(step):
    while held:
        held.pop().__exit__(None, None, None)
    held.extend(record_function(f"held {number}") for number in range(300))
    for span in held:
        span.__enter__()

def ranges_into_a_profiler(step):
    held.extend(record_function(f"held {number}") for number in range(300))
    for span in held:
        span.__enter__()
    with profile(activities=[ProfilerActivity.CPU]):
        while held:
            held.pop().__exit__(None, None, None)

def a_step_inside_ranges(step):
    for number in range(300):
        held.append(record_function(f"around {number}").__enter__())
    with witness.step(step, "eval"):
        model(torch.ones(2, 4))
    while held:
        held.pop().__exit__(None, None, None)

def a_scheduled_profiler(step):
    model(torch.ones(2, 4)).sum().backward()

body = globals()[sys.argv[1]]
with profile(**plan) if sys.argv[1] == "a_scheduled_profiler" else record_function("run") as theirs:
    for step in range(200):
        with witness.step(step):
            body(step)
            if hasattr(theirs, "step"):
                theirs.step()
print(witness.evidence(1.0).steps_sampled)
witness.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "least", "most"),
    [
        ("ranges_over_steps", 200, 200),
        ("ranges_into_a_profiler", 0, 0),
        ("a_step_inside_ranges", 400, 400),
        ("a_scheduled_profiler", 40, 100),
    ],
)
def test_a_range_that_is_open_over_two_recordings_does_not_end_the_process(body: str, least: int, most: int) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "KINETO_LOG_LEVEL": "99", "MALLOC_PERTURB_": "85"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, body],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert least <= int(done.stdout) <= most


def test_a_range_that_outlasts_its_step_hides_no_kernel(declared) -> None:
    witness = declared(mode="compat").witness()
    span = record_function("over two steps")
    with witness.step(1):
        span.__enter__()
        sdpa(Q, Q, Q)
    with witness.step(2):
        sdpa(Q, Q, Q)
        span.__exit__(None, None, None)
        sdpa(Q, Q, Q)
    audit = witness.audit(1.0)
    assert (audit.flash.kernels, audit.incidents) == ({FLASH: 3}, ())


def in_backward(work: Callable[[], object]) -> None:
    doubled = torch.ones(3, requires_grad=True) * 2
    doubled.register_hook(lambda _: work())
    doubled.sin().sum().backward()


def in_operator(work: Callable[[], object]) -> None:
    class Working(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, value: torch.Tensor) -> torch.Tensor:
            work()
            return value * 2

    Working.apply(torch.ones(3, requires_grad=True))


PLACES = pytest.mark.parametrize("place", [in_backward, in_operator])


@PLACES
def test_a_step_inside_an_operator_leaves_both_steps_unobserved_and_the_next_one_is_seen(declared, place) -> None:
    witness = declared(mode="compat").witness()

    def evaluate() -> None:
        with witness.step(1, "eval"):
            sdpa(Q, Q, Q)

    for step in range(3):
        with witness.step(step):
            place(evaluate)
            sdpa(Q, Q, Q)
    assert witness.evidence(1.0).steps_sampled == 0
    with witness.step(3):
        sdpa(Q, Q, Q)
    audit = witness.audit(1.0)
    assert (audit.flash.kernels, audit.incidents) == ({FLASH: 1}, (f"steps went unobserved, because {INSIDE}",))


@PLACES
def test_a_profiler_cannot_start_inside_an_operator_of_a_recorded_step(declared, place) -> None:
    witness = declared(mode="compat").witness()
    refused: list[str] = []

    def profile_oneself() -> None:
        try:
            with profile(activities=[ProfilerActivity.CPU]):
                pass
        except Conflict as error:
            refused.append(str(error))

    with witness.step(1):
        place(profile_oneself)
    place(profile_oneself)  # nothing is recorded here
    assert len(refused) == 1
    assert "outside operators and hooks" in refused[0]
    with witness.step(2):
        sdpa(Q, Q, Q)
    assert witness.audit(1.0).flash.kernels == {FLASH: 1}


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
def test_ranges_can_be_scripted_while_a_witness_watches_and_are_untouched_after_it(declared) -> None:
    before = (record_function.__enter__, record_function.__exit__)
    witness = declared(mode="compat").witness()

    def work(value: torch.Tensor) -> torch.Tensor:
        with torch.autograd.profiler.record_function("scripted"):
            return value + 1

    with witness.step(1):
        assert (record_function.__enter__, record_function.__exit__) != before
        assert torch.jit.script(work)(torch.ones(1)).item() == 2.0
    witness.close()
    assert (record_function.__enter__, record_function.__exit__) == before
