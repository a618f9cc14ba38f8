"""A training that is steered: SGD on one weight whose gradient is always 1, so that each step lowers it by its rate."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from seedbed.change import ChangeEngine, ChangeState, LearningRate, Parameter
from seedbed.contracts import SettingView
from seedbed.errors import NotFound
from seedbed.loop.steering import Controls, Steering, Verb
from seedbed.loop.steering._desk import Desk
from seedbed.loop.steering._post import Post
from seedbed.records import NOT_APPLICABLE, ActiveRun, Commit, Store, atomic_write_json

PROJECT, RUN = "steered", "r1"
LR = Parameter("optimizer.lr", unit="1", low=1e-4, high=1.0, cooldown_steps=2)
WHOLE_NAMES = {"lr": LR.key, LR.key: LR.key}


def shown(value: float) -> SettingView:
    """The row of the settings that the run says it has."""
    return SettingView(key=LR.key, short="lr", value=value, low=LR.low, high=LR.high, unit=LR.unit, movable_at=0)


class Training:
    """One attempt of the run, with what a loop of one's own does: steps, checkpoints, looks, and its end."""

    def __init__(self, store: Store, *, run_id: str = RUN, every_seconds: float = 0.0, in_background: bool = False):
        self.store = store
        self.run: ActiveRun = store.start(PROJECT, run_id)
        self.weight = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        self.optimizer = torch.optim.SGD([self.weight], lr=0.1)
        self.step = 0
        self.used: list[float] = []
        self.engine = self.engine_with()
        self.resumed = self._resume()
        post = Post.of(store, self.run.folder)
        self.desk = Desk(post, self.run.attempt, store.clock, in_background=in_background, every_seconds=every_seconds)
        self.steering = Steering(self.desk, self.controls(), every_seconds=every_seconds)
        self.stops = False
        self.on_pause: Any = lambda: None
        self.said: list[str] = []

    def engine_with(self, **options: Any) -> ChangeEngine:
        return ChangeEngine(self.run.journal(), {LR.key: LearningRate(self.optimizer)}, [LR], **options)

    def controls(self) -> Controls:
        controls = Controls.of(self.engine, resolve, lambda: [shown(self.engine.values()[LR.key])])
        return replace(controls, say=lambda text: self.said.append(text))

    @property
    def checkpoint_path(self) -> Path:
        return self.run.path("checkpoint.txt")

    def checkpoint(self) -> None:
        atomic_write_json(
            self.checkpoint_path,
            {
                "step": self.step,
                "weight": self.weight.item(),
                "rate": self.optimizer.param_groups[0]["lr"],
                "used": self.used,
                "changes": self.engine.state(self.step).model_dump(mode="json"),
            },
        )

    def _resume(self) -> bool:
        if not self.checkpoint_path.exists():
            if self.run.attempt > 1:
                self.engine.resume(None)
            return False
        saved = json.loads(self.checkpoint_path.read_bytes())
        self.step, self.used = saved["step"], saved["used"]
        with torch.no_grad():
            self.weight.fill_(saved["weight"])
        self.optimizer.param_groups[0]["lr"] = saved["rate"]
        self.engine.resume(ChangeState.model_validate(saved["changes"]))
        return True

    def take_step(self) -> None:
        before = self.weight.item()
        self.optimizer.zero_grad()
        self.weight.sum().backward()
        self.optimizer.step()
        self.step += 1
        self.used.append(before - self.weight.item())

    def look(self) -> None:
        for asked in self.steering.look(self.step):
            self.obey(asked)

    def obey(self, asked: Any) -> None:
        match asked.verb:
            case Verb.CHECKPOINT:
                self.checkpoint()
                self.steering.done(asked, self.step, f"checkpoint after step {self.step}")
            case Verb.STOP:
                self.stops = True
                self.steering.done(asked, self.step, f"stops after step {self.step}")
            case Verb.PAUSE:
                self.steering.done(asked, self.step, f"paused after step {self.step}")
                self.pause()
            case Verb.CONTINUE:
                self.steering.failed(asked, self.step, "the run is not paused")

    def pause(self) -> None:
        while not self.stops:
            for asked in self.steering.wait(self.step, self.run.beat, lambda _: self.on_pause()):
                if asked.verb is Verb.CONTINUE:
                    self.steering.done(asked, self.step, f"goes on after step {self.step}")
                    return
                self.obey(asked)

    def train(self, steps: int, *, every: int = 0) -> None:
        while self.step < steps and not self.stops:
            self.take_step()
            if every and self.step % every == 0:
                self.checkpoint()
            self.look()

    def finish(self) -> Commit:
        commit = self.commit()
        self.steering.finish(self.step)
        return commit

    def commit(self) -> Commit:
        self.engine.close()
        fingerprints = dict.fromkeys(("data", "split", "target", "feature"), NOT_APPLICABLE)
        metrics = {"weight": self.weight.item(), "used": self.used}
        return self.run.finish(self.run.draft(metrics=metrics, fingerprints=fingerprints))

    def interrupt(self, why: str) -> None:
        self.engine.close()
        self.steering.close(self.step, why)
        self.run.interrupted(why)


def resolve(name: str) -> str:
    if name not in WHOLE_NAMES:
        raise NotFound(f"no setting {name!r}; the nearest is 'lr'")
    return WHOLE_NAMES[name]


def post_of(store: Store, run_id: str = RUN) -> Post:
    return Post.of(store, store.find(run_id).folder)


__all__ = ["LR", "PROJECT", "RUN", "Training", "post_of", "resolve", "shown"]
