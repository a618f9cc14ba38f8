"""What somebody writes among the requests to a run never stops the run: it is refused, or left alone."""

import json
import os
from typing import Any

import pytest
from steering_world import RUN, Training, post_of

from seedbed.errors import StoreUnavailable
from seedbed.loop import steering
from seedbed.loop.steering import AnswerState, Command, RunRequest, Verb, _source
from seedbed.loop.steering._request import MOST_BYTES, new_nonce, parsed
from seedbed.records import Store, fsck, merge, plan_gc
from seedbed.testing import FakeClock, durable_faults, fails_with

GOOD: dict[str, Any] = {
    "schema_version": 1,
    "nonce": "0" * 16,
    "what": {"kind": "propose", "name": "lr", "op": "SET", "value": 0.2, "why": "x", "against": None},
    "proposer": "me",
    "asked": "2026-01-01T00:00:00Z",
    "expires": None,
    "attempt": 1,
}


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", create=True)


@pytest.fixture
def training(store):
    made = Training(store)
    made.train(1)
    return made


def put(store, number, data):
    store.files.create(f"{post_of(store).requests}/{number:020d}.json", data)


def changed(**changes):
    return json.dumps({**GOOD, "what": {**GOOD["what"], **changes.pop("what", {})}, **changes}).encode()


def test_the_good_request_that_the_others_are_made_from_is_carried_out(store, training):
    put(store, 1, json.dumps(GOOD).encode())
    training.train(3)
    assert training.used[-1] == pytest.approx(0.2)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 100,
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"what": ' * 5000,
        b"[" * 10_000,
        json.dumps(GOOD).replace("0.2", "NaN").encode(),
        json.dumps(GOOD).replace("0.2", "Infinity").encode(),
        json.dumps(GOOD).replace("0.2", "1e999").encode(),
        json.dumps(GOOD).replace("0.2", '"0.2"').encode(),
        json.dumps(GOOD).replace("0.2", "true").encode(),
        json.dumps(GOOD).replace("0.2", "null").encode(),
        changed(what={"name": "../../etc/passwd\n"}),
        changed(what={"name": "x" * 300}),
        changed(what={"why": "\x1b[2J"}),
        changed(what={"op": "DELETE"}),
        changed(what={"extra": 1}),
        changed(what={"kind": "shell", "verb": "rm"}),
        changed(what={"against": "abc"}),
        changed(schema_version=2),
        changed(nonce="x"),
        changed(attempt=0),
        changed(attempt=10**30),
        changed(asked="yesterday"),
        changed(expires="2026-01-01T00:00:00"),
        changed(proposer=""),
        changed(proposer=["me"]),
        changed(padding="x" * MOST_BYTES),
        os.urandom(MOST_BYTES + 1),
    ],
    ids=range(31),
)
def test_what_is_no_request_is_refused_and_the_run_goes_on(store, training, data):
    put(store, 1, data)
    steering.propose(RUN, "lr", set=0.5, why="a good one behind it", store=store)
    training.train(4)
    (refused,) = post_of(store).answers_to(1)
    assert (refused.state, refused.is_final) == (AnswerState.REFUSED, True)
    assert len(refused.told) < 600
    assert refused.told.isprintable()
    assert training.used[-1] == pytest.approx(0.5)


def test_a_name_that_the_run_does_not_know_is_refused_by_the_run_too(store, training):
    put(store, 1, changed(what={"name": "optimizer.secret"}))
    training.train(2)
    (refused,) = post_of(store).answers_to(1)
    assert refused.state is AnswerState.REFUSED
    assert "the nearest is 'lr'" in refused.told


def test_a_number_that_overflows_the_setting_is_refused(store, training):
    put(store, 1, changed(what={"op": "SCALE", "value": 1.7e308}))
    training.optimizer.param_groups[0]["lr"] = 100.0
    training.train(2)
    assert post_of(store).answers_to(1)[0].state is AnswerState.REFUSED


@pytest.mark.parametrize(
    "kind", ["folder", "link to nowhere", "link to itself", "link to a secret", "pipe", "unreadable"]
)
def test_what_is_no_plain_file_is_refused_and_told_without_what_it_leads_to(store, training, tmp_path, kind):
    place = store.work / post_of(store).requests / f"{1:020d}.json"
    (tmp_path / "secret").write_text("password: hunter2-hunter2")
    match kind:
        case "folder":
            (place / "below").mkdir(parents=True)
        case "link to nowhere":
            place.symlink_to(tmp_path / "nowhere")
        case "link to itself":
            place.symlink_to(place)
        case "link to a secret":
            place.symlink_to(tmp_path / "secret")
        case "pipe":
            os.mkfifo(place)
        case "unreadable":
            place.write_bytes(b"{}")
            place.chmod(0)
    asked = steering.propose(RUN, "lr", set=0.5, why="behind it", store=store)
    assert asked.number == 2
    training.train(4)
    (refused,) = post_of(store).answers_to(1)
    assert refused.state is AnswerState.REFUSED
    assert "hunter2" not in refused.told
    assert str(tmp_path) not in refused.told
    assert training.used[-1] == pytest.approx(0.5)


def test_numbers_that_nobody_counted_to_keep_no_request_from_being_seen(store, training, monkeypatch):
    monkeypatch.setattr(_source, "monotonic", lambda: 1e12)  # long after the last listing
    put(store, 10**8, json.dumps(GOOD).encode())
    put(store, 10**15, json.dumps(GOOD).encode())
    asked = steering.propose(RUN, "lr", set=0.5, why="behind it", store=store)
    assert asked.number == 10**8 + 1
    training.train(4)
    assert training.used[-1] == pytest.approx(0.2)
    assert post_of(store).ended() == {10**8 + 1}  # held back: the first one moved the rate a step ago
    assert len(list(store.files.list(post_of(store).answers))) == 3


@pytest.mark.parametrize("door", [b"", b"[]", None], ids=["empty", "a list", "of an attempt that never was"])
def test_what_others_write_in_the_place_of_the_door_stops_nothing(store, training, door):
    key = f"{post_of(store).requests}/door.json"
    made_up = {**json.loads(store.files.read(key)), "attempt": 10**9}
    store.files.replace(key, json.dumps(made_up).encode() if door is None else door)
    put(store, 1, json.dumps(GOOD).encode())
    training.train(4)
    assert training.used[-1] == pytest.approx(0.2)
    training.desk._doing = "something else, so that it is shown again"
    training.train(5)
    assert json.loads(store.files.read(key))["attempt"] == 1


def test_files_of_other_names_among_requests_and_answers_are_left_alone(store, training):
    for name in ("requests/notes.txt", "requests/1.json", "answers/notes.txt", "answers/1.json", "requests/x/y.json"):
        store.files.create(f"{post_of(store).folder}/{name}", b"mine")
    asked = steering.propose(RUN, "lr", set=0.5, why="x", store=store)
    training.train(3)
    assert asked.number == 1
    assert [each.state for each in post_of(store).answers_to(1)] == [AnswerState.APPLIED, AnswerState.EFFECTIVE]


def test_a_request_that_a_listing_left_out_is_read_all_the_same(store, training):
    number = post_of(store).publish(parsed(changed()))
    real = store.files

    class LeavesOut:
        def list(self, *args, **options):
            return (item for item in real.list(*args, **options) if f"{number:020d}.json" not in item.key)

        def __getattr__(self, name):
            return getattr(real, name)

    behind = RunRequest.model_validate_json(changed(nonce="1" * 16))
    put(store, number + 1, behind.encoded())
    post = post_of(store)
    found = type(post)(LeavesOut(), post.folder).received(0)
    assert [(each.number, each.request is not None) for each in found] == [(1, True), (2, True)]


def test_equal_requests_of_two_proposers_are_two(store, training):
    for _ in range(2):
        steering.ask(RUN, "checkpoint", store=store)
    first, second = (post_of(store).read(number) for number in (1, 2))
    assert first.what == second.what == Command(verb=Verb.CHECKPOINT)
    assert first.nonce != second.nonce != new_nonce()


def test_a_store_that_cannot_be_written_delays_the_answers_and_not_the_run(tmp_path):
    store = Store.open(tmp_path / "store", create=True, clock=FakeClock())
    training = Training(store)
    training.train(1)
    put(store, 1, b"{}")
    with durable_faults() as counted:
        training.desk.flush()
    assert counted == []
    with durable_faults(1, fails_with(28)) as calls:
        training.look()
    assert calls
    assert post_of(store).answers_to(1) == []
    training.look()
    assert [each.state for each in post_of(store).answers_to(1)] == [AnswerState.REFUSED]


def test_a_store_that_cannot_be_listed_delays_the_requests_and_not_the_run(store, training, monkeypatch, caplog):
    steering.propose(RUN, "lr", set=0.5, why="x", store=store)

    def refuse(*_args, **_options):
        raise StoreUnavailable("the mount is gone")

    with monkeypatch.context() as broken:
        broken.setattr(type(post_of(store)), "received", refuse)
        training.train(4)
    assert [record.getMessage() for record in caplog.records] == [
        "requests to the run wait until the store works again: the mount is gone"
    ]
    training.train(6)
    assert training.used == pytest.approx([0.1] * 5 + [0.5])


def test_upkeep_of_a_store_knows_requests_and_answers(store, training, tmp_path):
    steering.propose(RUN, "lr", set=0.5, why="x", store=store)
    training.train(4)
    assert fsck(store) == []
    training.finish()
    assert fsck(store) == []
    assert plan_gc(store).files == ()
    other = Store.open(tmp_path / "other", create=True)
    assert [each.is_new for each in merge(other, store)] == [True]
    assert fsck(other) == []
    assert post_of(other).answers_to(1) == post_of(store).answers_to(1)
    assert post_of(other).read(1) == post_of(store).read(1)
