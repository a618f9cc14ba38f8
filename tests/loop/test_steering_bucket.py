"""Requests to a run whose store is a bucket: asked from another machine, and no look waits for the service."""

import os
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from steering_world import RUN, Training, post_of

from seedbed.errors import SeedbedError
from seedbed.loop import steering
from seedbed.loop.steering import RemoteRun
from seedbed.loop.steering._desk import Desk
from seedbed.loop.steering._post import Post
from seedbed.records import Store

HERE = Path(__file__).parent


@pytest.fixture
def bucket(monkeypatch):
    """The URL of a prefix in a new bucket of moto's server, which the environment gives access to."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    settings = {"ENDPOINT_URL": endpoint, "ACCESS_KEY_ID": "test-id", "SECRET_ACCESS_KEY": "test-key"}
    for name, value in {**settings, "REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/steered", method="PUT")).close()
    yield "s3://steered/stores/one"
    server.stop()


@pytest.mark.slow
def test_a_run_in_a_bucket_is_steered_from_another_machine(bucket, tmp_path):
    """The training and the proposals are processes of their own, with working folders of their own."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    training = subprocess.Popen([sys.executable, HERE / "steering_terminal_program.py", bucket], cwd=here)
    try:
        wait_for(lambda: RemoteRun.open(RUN, Store.open(bucket, work=there)).door().step >= 1, training)
        for arguments in (
            ("changes", "propose", RUN, "lr", "--set", "0.3", "--why", "x", "--wait"),
            ("changes", "requests", RUN),
            ("runs", "ask", RUN, "stop", "--wait"),
        ):
            command = [sys.executable, "-m", "seedbed", *arguments, "--store", bucket]
            done = subprocess.run(command, cwd=there, capture_output=True, text=True, check=False, timeout=120)
            assert done.returncode == 0, (arguments, done.stderr, done.stdout)
            if "--set" in arguments:
                assert "used 0.3" in done.stdout
        training.wait(60)
    finally:
        training.kill()
        training.wait()
    store = Store.open(bucket, work=there)
    finals = [post_of(store).answers_to(number)[-1] for number in (1, 2)]
    assert [(each.state.value, each.is_final) for each in finals] == [("EFFECTIVE", True), ("DONE", True)]
    assert RemoteRun.open(RUN, store).view.commit is not None


def wait_for(holds, training):
    end = time.monotonic() + 60
    while True:
        assert training.poll() is None
        assert time.monotonic() < end
        try:
            if holds():
                return
        except SeedbedError:
            pass
        time.sleep(0.1)


class SlowFiles:
    """A store that answers a listing only when the test lets it."""

    def __init__(self, files):
        self._files, self.may_list, self.asked = files, threading.Event(), threading.Event()

    def list(self, prefix, **options):
        if threading.current_thread() is not threading.main_thread():
            self.asked.set()
            assert self.may_list.wait(30)
        return self._files.list(prefix, **options)

    def __getattr__(self, name):
        return getattr(self._files, name)


def test_a_look_does_not_wait_for_a_store_that_is_slow(tmp_path):
    store = Store.open(tmp_path / "store", create=True)
    training = Training(store)
    slow = SlowFiles(store.files)
    desk = Desk(Post(slow, post_of(store).folder), 1, store.clock, in_background=True, every_seconds=0.01)
    training.steering = type(training.steering)(desk, training.controls(), every_seconds=0.0)
    steering.propose(RUN, "lr", set=0.3, why="x", store=store)
    assert slow.asked.wait(30)
    training.train(20)  # the thread hangs all the time
    assert training.used == pytest.approx([0.1] * 20)
    slow.may_list.set()
    end = time.monotonic() + 30
    while training.used[-1] < 0.2:
        assert time.monotonic() < end
        training.train(training.step + 1)
        time.sleep(0.01)
    training.finish()
    assert [each.state.value for each in post_of(store).answers_to(1)] == ["APPLIED", "EFFECTIVE", "EFFECTIVE"]
    assert RemoteRun.open(RUN, store).view.commit is not None
    assert not [each for each in threading.enumerate() if each.name == "seedbed-requests"]
