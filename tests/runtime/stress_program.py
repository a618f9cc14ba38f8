"""Four threads with two runs of 300 steps each, every step sampled, as a program: what each run saw, as JSON.

Each thread runs a known number of one attention kernel a step: flash in two threads, math in two. Every tenth step has
an evaluation inside it. One thread also starts torch.profiler between its steps.
"""

import json
import sys
import threading
import warnings

import torch
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from seedbed.runtime import Contract, declare, door_config

__all__ = ["main"]

STEPS, EVERY = 300, 10
Q = torch.ones(1, 2, 4, 8)
FLASH = "aten::_scaled_dot_product_flash_attention_for_cpu"
MATH = "aten::_scaled_dot_product_attention_math"


def attend(kernel: str, times: int) -> None:
    for _ in range(times):
        functional.scaled_dot_product_attention(Q, Q, Q, dropout_p=0.5 if kernel == MATH else 0.0)


def profile_oneself(kernel: str, times: int) -> bool:
    """Whether somebody's own profiler sees exactly its own body."""
    with profile(activities=[ProfilerActivity.CPU]) as theirs:
        attend(kernel, times)
    return {e.key: e.count for e in theirs.key_averages() if e.key in {FLASH, MATH}} == {kernel: times}


def one_run(contract: Contract, kernel: str, times: int, profiles: bool) -> dict[str, object]:
    witness = contract.witness()
    own = []
    for step in range(STEPS):
        if profiles and step % 30 == 5:
            own.append(profile_oneself(kernel, times))
        with witness.step(step):
            attend(kernel, times)
            if step % EVERY == 0:
                with witness.step(step, "eval"):
                    attend(kernel, times + 1)
            attend(kernel, 1)
    audit = witness.audit(1.0)
    sampled = {
        phase: sum(n for key, n in audit.samples.items() if key.startswith(phase)) for phase in ("train", "eval")
    }
    expected = {kernel: sampled["train"] * (times + 1) + sampled["eval"] * (times + 1)}
    return {
        "steps": audit.steps,
        "sampled": sampled,
        "found": audit.sdpa.kernels,
        "expected": expected,
        "incidents": audit.incidents,
        "own": own,
    }


def main() -> None:
    """Run all threads and print one JSON list with what each run saw."""
    warnings.simplefilter("ignore")
    contract = declare(door_config({"sample_every": 1, "cdc": "off"}, {}), device="cpu")
    found: list[dict[str, object]] = []

    def work(kernel: str, times: int, profiles: bool) -> None:
        found.extend(one_run(contract, kernel, times, profiles) for _ in range(2))

    jobs = [(FLASH, 2, False), (MATH, 3, False), (FLASH, 4, True), (MATH, 1, False)]
    threads = [threading.Thread(target=work, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
