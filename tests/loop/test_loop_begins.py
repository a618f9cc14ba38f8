"""The begin of a run that is stopped halfway is made up by its next step, and no part of it is done twice."""

import json

import pytest
from loop_world import Work

from seedbed.loop.live._requests import Requests
from seedbed.loop.repro._plan import VARIABLE, Plan


class Tracker:
    """Notes what it is told; stopped by Ctrl-C at a call that it is given."""

    def __init__(self, stops_at: str = "") -> None:
        self.told: list[object] = []
        self.stops_at = stops_at

    def begin(self, project, run_id, config):
        self._note("begin")

    def log(self, step, values):
        self._note((step, dict(values)))

    def finish(self, commit):
        self._note("finish")

    def _note(self, what):
        self.told.append(what)
        if what == self.stops_at:
            raise KeyboardInterrupt


def steps(work, run, num=2):
    """So many steps, each tried again in the next cell where Ctrl-C ends one."""
    stopped = 0
    for number in range(num):
        try:
            with run.one_step():
                run.log(loss=float(number))
                work.step(work.x, work.y)
        except KeyboardInterrupt:
            stopped += 1
    run.result(x=1)
    run.finish()
    return stopped


@pytest.fixture
def _stopped_once(monkeypatch):
    """Ctrl-C comes as the run asks the store for the first time."""
    real = Requests.open
    hit: list[int] = []

    def once(*given):
        if not hit:
            hit.append(1)
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(Requests, "open", once)


@pytest.mark.usefixtures("_stopped_once")
def test_a_begin_that_ctrl_c_ends_as_it_asks_the_store_tells_trackers_once(tmp_path):
    work, tracker = Work(), Tracker()
    assert steps(work, work.start(tmp_path, mirror=tracker)) == 1
    assert tracker.told == ["begin", (1, {"loss": 1.0}), "finish"]


def test_what_compares_runs_begins_once_too(tmp_path, monkeypatch):
    plan = Plan(traces=tmp_path / "t", store=tmp_path / "s", files=tmp_path / "f")
    (tmp_path / "plan.json").write_text(plan.model_dump_json(), encoding="utf-8")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "plan.json"))
    work, first = Work(), Tracker(stops_at="begin")
    hooks = work.hooks()
    assert steps(work, work.start(tmp_path / "s", mirror=first)) == 1
    (path,) = plan.traces.glob("*.jsonl")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line for line in lines if line.get("kind") == "begin"] == lines[:1]
    assert work.hooks() == hooks


def test_a_begin_that_ctrl_c_ends_as_it_tells_a_tracker_goes_on_with_the_next_tracker(tmp_path):
    work, first, second = Work(), Tracker(stops_at="begin"), Tracker()
    assert steps(work, work.start(tmp_path, mirror=[first, second])) == 1
    assert first.told == second.told == ["begin", (1, {"loss": 1.0}), "finish"]
