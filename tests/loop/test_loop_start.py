"""The door: what is refused at that line, which run is the current one, and what is left behind."""

import subprocess
import sys
import threading
from typing import Any

import pytest
import torch
from loop_world import Work, committed

import seedbed
from seedbed.change import ClipNorm
from seedbed.contracts import RunStatus
from seedbed.errors import Conflict, InvalidInput, NotFound
from seedbed.loop import _open_runs
from seedbed.loop.settings import BoundSetting, Limits
from seedbed.records import Store


def test_the_top_level_and_the_help_import_no_torch():
    code = "import sys, seedbed; assert 'torch' not in sys.modules; print(*dir(seedbed))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"Run", "current_run", "start"} <= set(found)
    assert seedbed.__version__


@pytest.mark.parametrize("inside", ["", "deeper/still"])
def test_a_store_that_is_a_file_is_refused_and_the_file_stays(tmp_path, inside):
    file = tmp_path / "store"
    file.write_text("mine")
    with pytest.raises(InvalidInput, match=r"store.* cannot be there: .*store is a file, expected a folder"):
        Work().start(file / inside)
    with pytest.raises(InvalidInput, match="is a file, expected a folder"):
        Store.open(file / inside)
    assert file.read_text() == "mine"


@pytest.mark.slow
def test_a_start_leaves_the_random_generators_as_it_found_them(tmp_path):
    program = """
import random, numpy, torch
random.seed(1), numpy.random.seed(1), torch.manual_seed(1)
def states():
    return repr((random.getstate(), numpy.random.get_state(legacy=False), torch.get_rng_state().tolist()))
model = torch.nn.Linear(1, 1)
before = states()
import seedbed
with seedbed.start(model, project="p", store="s", quiet=True) as run:
    with run.one_step():
        run.log(x=1)
    assert states() == before
    run.result(x=1)
assert states() == before
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"project": "a b"}, "project"),
        ({"config": {"gate": 1}}, "'gate'"),
        ({"config": [1]}, "config"),
        ({"gate": "nonsense"}, "gate="),
        ({"runtime": "FAST"}, "STRICT or COMPAT"),
        ({"runtime": {"moed": "STRICT"}}, "mode"),
        ({"model": 3}, "torch.nn.Module"),
        ({"optimizer": 3}, "cannot be watched"),
        ({"scheduler": 3}, "scheduler"),
        ({"model": {"a.b": torch.nn.Linear(1, 1)}}, "a.b"),
    ],
)
def test_what_is_said_wrongly_is_refused_at_that_line(tmp_path, given, said):
    work = Work()
    parts = {"model": work.model, "optimizer": work.optimizer, "scheduler": work.scheduler}
    with pytest.raises(InvalidInput, match=said):
        seedbed.start(**{**parts, "project": "tests", "store": tmp_path / "s", **given})
    assert work.hooks() == 0
    with pytest.raises(NotFound):
        seedbed.current_run()


def test_a_name_that_is_taken_is_refused_at_that_line(tmp_path):
    with Work().start(tmp_path, run="one") as run:
        run.result(x=1)
    with pytest.raises(Conflict, match="finished"):
        Work().start(tmp_path, run="one")


def test_without_a_store_it_is_the_one_that_commands_use(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for named, folder in (("", ".seedbed"), ("other", "other"), ("~/mine", f"{tmp_path}/home/mine")):
        monkeypatch.setenv("SEEDBED_STORE", named)
        with seedbed.start(project="p", quiet=True) as run:
            run.result(x=1)
        assert run.store.name == folder
        assert (tmp_path / folder).is_dir()


def test_the_uncommitted_difference_is_kept_on_request(tmp_path):
    names = []
    for patch in (False, True):
        with Work().start(tmp_path / f"{patch}", patch=patch) as run:
            run.result(x=1)
        names.append({*committed(run).snapshot.blobs})
    code: Any = committed(run).snapshot.process["code"]
    changed = code.get("uncommitted")  # of this very repository
    assert names == [set(), {"uncommitted.patch"} if changed else set()]


def test_a_run_that_was_not_used_leaves_nothing_in_the_store(tmp_path):
    with pytest.raises(RuntimeError, match="early"), Work().start(tmp_path) as run:
        raise RuntimeError("early")
    assert run.store.runs() == []


def test_several_runs_after_each_other_leave_no_hook_behind(tmp_path):
    work = Work()
    for _ in range(3):
        with work.start(tmp_path) as run:
            for _, (x, y) in run.steps(work.loader):
                work.step(x, y)
                if run.step == 2:
                    run.propose("lr", scale=0.5, why="a test")
            run.result(x=1)
        assert work.hooks() == 0
        assert run.step == 12
    assert [view.status for view in run.store.runs()] == [RunStatus.FINISHED] * 3


def test_the_current_run_is_the_last_one_of_this_thread(tmp_path):
    with Work().start(tmp_path) as outer:
        with Work().start(tmp_path) as inner:
            assert seedbed.current_run() is inner
            found: list[object] = []

            def look():
                with Work().start(tmp_path) as other:
                    found.append(seedbed.current_run() is other)
                    other.result(x=1)
                try:
                    seedbed.current_run()
                except NotFound as problem:
                    found.append(str(problem))

            thread = threading.Thread(target=look)
            thread.start()
            thread.join()
            assert found[0] is True
            assert "2 runs are open in other threads" in str(found[1])
            inner.result(x=1)
        assert seedbed.current_run() is outer
        outer.result(x=1)
    with pytest.raises(NotFound, match="no run is open"):
        seedbed.current_run()


def test_a_new_start_ends_the_open_run_of_the_same_kernel_and_says_so(tmp_path, capsys):
    first = Work().start(tmp_path, quiet=False)
    first.log(x=1.0)
    second = Work().start(tmp_path)
    assert first.store.find(first.run_id).status is RunStatus.INTERRUPTED
    assert "another run was started in its place" in capsys.readouterr().err
    second.result(x=1)
    second.finish()
    assert committed(second).seq == 1
    with pytest.raises(Conflict, match="has ended"):
        first.log(x=2.0)


@pytest.mark.parametrize("name", ["exp", None])
def test_a_new_start_of_the_same_name_is_the_next_attempt_of_the_run_that_was_left_open(tmp_path, name, monkeypatch):
    first = Work().start(tmp_path, run=name)
    first.log(x=1.0)
    monkeypatch.chdir(tmp_path.parent)
    second = Work().start(tmp_path.name, run=first.run_id)  # another way to the same store
    assert not first.is_open
    assert second.run_id == first.run_id
    view = second.store.find(first.run_id)
    assert (view.attempt, view.status) == (2, RunStatus.RUNNING)
    second.abandon("enough")


def test_a_start_of_a_name_that_is_taken_leaves_the_open_run_alone(tmp_path):
    with Work().start(tmp_path, run="r") as block:
        left = Work().start(tmp_path)
        with pytest.raises(Conflict, match="still runs"):
            Work().start(tmp_path, run="r")
        assert left.is_open
        left.abandon("enough")
        block.result(x=1)


def test_a_run_of_a_with_block_is_not_ended_by_another_start(tmp_path):
    with Work().start(tmp_path) as outer:
        other = Work().start(tmp_path)
        other.result(x=1)
        other.finish()
        outer.result(x=1)
    assert outer.commit is not None


def test_a_process_that_ends_without_finish_ends_its_run_as_interrupted(tmp_path):
    code = f"""
import torch, seedbed
model = torch.nn.Linear(2, 1)
run = seedbed.start(model, torch.optim.SGD(model.parameters(), lr=0.1), project="p", run="r", store={str(tmp_path)!r})
run.log(x=1.0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "ended as INTERRUPTED: the process ended without run.finish()" in done.stderr
    assert seedbed.start(project="q", store=tmp_path, quiet=True).store.find("r").status is RunStatus.INTERRUPTED


def test_a_start_that_is_refused_leaves_the_open_run_alone(tmp_path):
    first = Work().start(tmp_path)
    with pytest.raises(InvalidInput):
        Work().start(tmp_path, gate="nonsense")
    first.result(x=1)
    first.finish()
    assert committed(first).seq == 1


def test_runs_of_threads_after_one_another_leave_each_other_open(tmp_path):
    runs = []
    for _ in range(12):  # whose identities are used again
        thread = threading.Thread(target=lambda: runs.append(Work().start(tmp_path)))
        thread.start()
        thread.join()
    assert [run.is_open for run in runs] == [True] * 12
    for run in runs:
        run.abandon("enough")


def test_a_thread_that_asks_for_the_name_as_the_run_begins_gets_the_same(tmp_path):
    for number in range(20):
        run = Work().start(tmp_path / str(number))
        begins = threading.Barrier(2)
        asked: list[str] = []

        def ask(run=run, begins=begins, asked=asked):
            begins.wait(60)
            asked.append(run.run_id)

        thread = threading.Thread(target=ask)
        thread.start()
        begins.wait(60)
        run.log(x=1)
        thread.join()
        assert asked == [run.run_id]
        assert len(run.store.runs("tests")) == 1
        run.abandon("enough")


def test_a_handler_of_a_signal_may_ask_for_the_current_run():
    with _open_runs._lock, pytest.raises(NotFound):
        seedbed.current_run()


def test_results_that_are_given_below_one_another_are_joined(tmp_path):
    with Work().start(tmp_path) as run:
        run.result({"val": {"accuracy": 0.9}})
        run.result({"val/loss": 0.1})
        run.result(x=1)
    assert committed(run).snapshot.metrics == {"val": {"accuracy": 0.9, "loss": 0.1}, "x": 1}


def test_a_tracker_that_is_down_as_the_run_begins_is_left_out(tmp_path, caplog):
    class Down:
        def begin(self, project, run_id, config):
            raise OSError("the tracker is down")

        def log(self, step, values):
            raise AssertionError

        def finish(self, commit):
            raise AssertionError

    with Work().start(tmp_path, mirror=Down()) as run:
        run.log(x=1)
        run.result(x=1)
    assert "the tracker is down" in caplog.text
    assert run.verdict is not None


def test_a_setting_that_is_kept_elsewhere_stays_bound_as_further_objects_come(tmp_path):
    work = Work()
    with seedbed.start(project="p", store=tmp_path, quiet=True) as run:
        kept = ClipNorm(work.optimizer, 1.0)
        run.bind_setting(BoundSetting(("lib", "norm"), kept, Limits.of_clip_norm(1.0), "norm"))
        run.bind(work.model, work.optimizer, work.scheduler)
        assert "lib.norm" in [each.key for each in run.settings().settings]
        run.result(x=1)
