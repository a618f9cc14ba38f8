"""What is asked from outside of a loop's found settings: names that it has not published, and a state that it moves."""

import pytest
from settings_rig import Loop

from seedbed.contracts import Outcome
from seedbed.errors import NotFound
from seedbed.loop import steering
from seedbed.loop.steering import Controls, RemoteRun, Steering, Verb
from seedbed.records import Store

RUN = "r1"


class Steered:
    """A loop whose settings are found, with the door of its run."""

    def __init__(self, store: Store) -> None:
        run = store.start("steered", RUN)
        self.store, self.rig = store, Loop(journal=run.journal())
        settings, engine = self.rig.settings, self.rig.engine
        controls = Controls(
            propose=lambda delta, step, against: settings.propose(delta, step, against=against),
            history=lambda: engine.history,
            state_hash=engine.state_hash,
            resolve=settings.resolve,
            settings=lambda: settings.view(self.rig.num_steps).settings,
        )
        self.steering = Steering.of(store, run, controls, every_seconds=0.0)

    def train(self, steps: int) -> None:
        for _ in range(steps):
            self.rig.step()
            self.steering.look(self.rig.num_steps)

    def train_as_scheduled(self, steps: int) -> None:
        """The same, with a rate that the loop lowers at each step."""
        for _ in range(steps):
            self.rig.step()
            self.rig.optimizer.param_groups[0]["lr"] *= 0.99
            for asked in self.steering.look(self.rig.num_steps):
                assert asked.verb is Verb.PAUSE
                self.steering.done(asked, self.rig.num_steps, "paused")
                self.pause()

    def pause(self) -> None:
        while not (asked := self.steering.wait(self.rig.num_steps, lambda: None, lambda _: self.go_on())):
            pass
        self.steering.done(asked[0], self.rig.num_steps, "it goes on")

    def go_on(self) -> None:
        """What another terminal asks meanwhile."""
        steering.ask(RUN, "continue", store=self.store)

    def ask(self, name: str) -> None:
        steering.propose(RUN, name, set=1.0, why="from outside", store=self.store)

    def answer(self) -> str:
        return RemoteRun.open(RUN, self.store).requests()[-1].told


@pytest.fixture
def steered(tmp_path):
    return Steered(Store.open(tmp_path, create=True))


@pytest.mark.parametrize("name", ["freeze.encoder.1", "model.freeze.encoder.1"])
def test_a_module_inside_a_part_is_frozen_from_outside(steered, name):
    steered.train(2)
    steered.ask(name)
    steered.train(1)
    before = [weight.clone() for weight in steered.rig.model.encoder.parameters()]
    steered.train(2)
    after = list(steered.rig.model.encoder.parameters())
    assert [a.equal(b) for a, b in zip(after, before, strict=True)] == [False, False, True, True]
    [change] = steered.rig.engine.history.records
    assert (change.delta.parameter, change.outcome) == ("model.freeze.encoder.1", Outcome.EFFECTIVE)
    assert steered.answer().startswith("EFFECTIVE")


def test_a_module_that_the_model_has_not_is_answered_by_the_run(steered):
    steered.ask("freeze.encoder.7")
    steered.train(1)
    assert "REFUSED: Net has no module 'encoder.7' to freeze; the nearest are encoder" in steered.answer()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("freeze", "the nearest are freeze.encoder, freeze.head"),
        ("a.b.freeze.c", "the run has no setting"),
        ("clip.norm", r"; clip.norm is a setting from the first run.clip on; run.settings\(\)"),
        ("max_grad_norm", "; clip.norm is a setting from the first run.clip on;"),
        ("accumulation", "; accumulation is a setting from the first run.accumulation on;"),
    ],
)
def test_another_name_is_refused_before_it_is_asked(steered, name, says):
    with pytest.raises(NotFound, match=says):
        steered.ask(name)
    with pytest.raises(NotFound):
        steered.rig.settings.resolve(name)


def test_while_a_schedule_moves_the_state_a_request_against_it_is_refused_and_told_to_pause(steered):
    steered.train_as_scheduled(2)
    seen = RemoteRun.open(RUN, steered.store).door().state
    steering.propose(RUN, "lr", scale=0.5, why="x", against=seen, store=steered.store)
    steered.train_as_scheduled(1)
    assert steered.answer().startswith("REFUSED: it was asked against state")
    assert "pause the run first: `seedbed runs ask RUN pause`" in steered.answer()
    assert steered.rig.engine.history.records == ()


def test_in_a_paused_run_the_state_that_is_shown_is_the_one_to_propose_against(steered):
    def propose() -> None:
        seen.append(RemoteRun.open(RUN, steered.store).door().state)
        steering.propose(RUN, "lr", scale=0.5, why="x", against=seen[-1], store=steered.store)

    def go_on() -> None:
        if not seen:
            propose()
        else:
            steering.ask(RUN, "continue", store=steered.store)

    seen: list[str] = []
    steered.go_on = go_on
    steered.train_as_scheduled(2)
    steering.ask(RUN, "pause", store=steered.store)
    steered.train_as_scheduled(3)
    [change] = steered.rig.engine.history.records
    assert (change.outcome, change.step) == (Outcome.EFFECTIVE, 3)
    assert change.before == pytest.approx(1e-3 * 0.99**3)
