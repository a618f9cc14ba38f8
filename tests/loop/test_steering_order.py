"""Requests are carried out in their order: what comes after a command that has no answer yet waits for the answer."""

import pytest
from steering_world import RUN, Training, post_of

from seedbed.loop import steering
from seedbed.loop.steering import Asked, Verb
from seedbed.records import Store


class Late(Training):
    """A training that writes the checkpoints that it is asked for one step later, and answers then."""

    owed: list[Asked]

    def look(self):
        late, self.owed = getattr(self, "owed", []), []
        for asked in late:
            super().obey(asked)
        super().look()

    def obey(self, asked):
        if asked.verb is Verb.CHECKPOINT:
            self.owed.append(asked)
        else:
            super().obey(asked)


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", create=True)


@pytest.fixture
def late(store):
    return Late(store)


def states(store, number):
    return [each.state.value for each in post_of(store).answers_to(number)]


def propose(store, value):
    return steering.propose(RUN, "lr", set=value, why="x", store=store).number


def ask(store, verb):
    return steering.ask(RUN, verb, store=store).number


def test_a_change_after_a_checkpoint_waits_for_its_answer_and_is_made_between_the_same_steps(store, late):
    late.train(1)
    ask(store, "checkpoint")
    propose(store, 0.2)
    late.train(2)
    assert (states(store, 1), states(store, 2)) == ([], [])
    late.train(3)
    assert states(store, 1) == ["DONE"]
    assert "checkpoint after step 3" in post_of(store).answers_to(1)[0].told
    assert '"rate":0.1' in late.checkpoint_path.read_text("utf-8").replace(" ", "")
    late.train(4)
    assert late.used == pytest.approx([0.1] * 3 + [0.2])


def test_a_change_after_a_checkpoint_that_is_answered_at_once_is_not_in_it(store):
    training = Training(store)
    training.train(1)
    ask(store, "checkpoint")
    propose(store, 0.2)
    training.train(2)
    assert (states(store, 1), states(store, 2)) == (["DONE"], [])
    assert '"rate":0.1' in training.checkpoint_path.read_text("utf-8").replace(" ", "")
    training.train(4)
    assert training.used == pytest.approx([0.1] * 3 + [0.2])
    assert states(store, 2) == ["APPLIED", "EFFECTIVE"]


def test_what_was_answered_is_followed_at_once_though_the_next_look_is_not_due(store):
    training = Training(store, every_seconds=3600.0)
    ask(store, "checkpoint")
    propose(store, 0.2)
    training.train(3)
    assert training.used == pytest.approx([0.1] * 2 + [0.2])


def test_a_checkpoint_after_a_change_that_waits_holds_the_change(store, late):
    late.train(1)
    ask(store, "checkpoint")
    propose(store, 0.2)
    ask(store, "checkpoint")
    late.train(3)
    assert states(store, 3) == []
    assert '"rate":0.1' in late.checkpoint_path.read_text("utf-8").replace(" ", "")
    late.train(4)
    assert states(store, 3) == ["DONE"]
    assert '"rate":0.2' in late.checkpoint_path.read_text("utf-8").replace(" ", "")


def test_commands_in_a_row_are_given_together(store):
    training = Training(store)
    for verb in ("checkpoint", "pause", "continue"):
        ask(store, verb)
    assert [asked.verb.value for asked in training.steering.look(0)] == ["checkpoint", "pause", "continue"]


def test_a_change_that_waits_can_be_withdrawn(store, late):
    late.train(1)
    ask(store, "checkpoint")
    late.train(2)
    steering.withdraw(RUN, propose(store, 0.2), store=store)
    late.train(5)
    assert (states(store, 2), states(store, 3)) == (["WITHDRAWN"], ["DONE"])
    assert late.used == pytest.approx([0.1] * 5)


def test_what_waits_as_the_run_is_committed_is_refused(store, late):
    late.train(1)
    ask(store, "checkpoint")
    propose(store, 0.2)
    ask(store, "checkpoint")
    late.train(2)
    late.finish()
    assert [states(store, number) for number in (1, 2, 3)] == [["REFUSED"]] * 3


def test_of_what_waits_as_the_attempt_ends_commands_are_refused_and_the_next_attempt_makes_the_change(store, late):
    late.train(1)
    ask(store, "checkpoint")
    propose(store, 0.2)
    ask(store, "checkpoint")
    late.train(2)
    late.interrupt("Ctrl-C")
    assert [states(store, number) for number in (1, 2, 3)] == [["REFUSED"], [], ["REFUSED"]]
    again = Training(store)
    again.train(2)
    assert again.used == pytest.approx([0.1, 0.2])
    assert [states(store, number) for number in (1, 2, 3)] == [["REFUSED"], ["APPLIED", "EFFECTIVE"], ["REFUSED"]]
