"""A training that goes on in a thread of its own while commands ask it for something."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from seedbed.change import ChangeEngine, LearningRate, Parameter
from seedbed.contracts import SettingView
from seedbed.errors import NotFound
from seedbed.loop.steering import Controls, Steering, Verb
from seedbed.records import Store

RATE = Parameter("optimizer.lr", unit="1", low=1e-4, high=1.0, cooldown_steps=10**6)


@contextmanager
def steered(path: Path) -> Iterator[threading.Thread]:
    """Within the block the run `r1` of the project `steered` goes on in the store at `path`, until it is stopped."""
    store = Store.open(path, create=True)
    run = store.start("steered", "r1")
    optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.1)
    engine = ChangeEngine(run.journal(), {RATE.key: LearningRate(optimizer)}, [RATE])
    steering = Steering.of(store, run, _controls(engine), every_seconds=0.02)
    is_over = threading.Event()

    def train() -> None:
        step = 0
        while not is_over.is_set():
            optimizer.param_groups[0]["params"][0].grad = torch.ones(1)
            optimizer.step()
            step += 1
            time.sleep(0.005)  # the work of a step
            for asked in steering.look(step):
                steering.done(asked, step, f"{asked.verb} after step {step}")
                if asked.verb is Verb.STOP:
                    is_over.set()
        engine.close()
        steering.close(step, "it was stopped")

    thread = threading.Thread(target=train)
    thread.start()
    try:
        yield thread
    finally:
        is_over.set()
        thread.join()
        run.interrupted("the test is over")


def _controls(engine: ChangeEngine) -> Controls:
    def resolve(name: str) -> str:
        if name not in ("lr", RATE.key):
            raise NotFound(f"no setting {name!r}")
        return RATE.key

    def rows() -> list[SettingView]:
        moved = engine.history.moves(RATE.key)
        at = moved[-1].step + RATE.cooldown_steps if moved else 0
        value, why_not = engine.values()[RATE.key], "cooldown" if moved else ""
        shown = SettingView(key=RATE.key, short="lr", value=value, low=RATE.low, high=RATE.high, movable_at=at)
        return [shown.model_copy(update={"why_not": why_not})]

    return Controls(
        propose=lambda delta, step, against: engine.propose(delta, step, against=against),
        history=lambda: engine.history,
        state_hash=engine.state_hash,
        resolve=resolve,
        settings=rows,
    )
