"""The commands that ask a run for something while it goes on: what they print, and the codes that they end with."""

import subprocess
import sys

import pytest
import torch
from cli_steered import RATE, steered
from cli_world import finished

from seedbed.change import ChangeEngine, LearningRate
from seedbed.loop.steering import Controls, RemoteRun, Steering
from seedbed.records import Store

WHY = ("--why", "it is noisy")


@pytest.fixture
def running(tmp_path):
    with steered(tmp_path / ".seedbed") as thread:
        yield thread


def test_a_proposal_is_shown_as_it_comes_and_ends_with_0_once_a_step_used_it(cli, running):
    answer = cli("changes", "propose", "r1", "lr", "--scale", "0.5", *WHY, "--wait")
    assert answer.code == 0
    first, second = answer.out.splitlines()
    assert first.startswith("applied  optimizer.lr 0.1 -> 0.05; 0.05 read back")
    assert second.startswith("effective  optimizer.lr 0.1 -> 0.05; step ")
    assert answer.err.startswith("request 1 to r1 of steered")


def test_what_a_guard_holds_back_ends_with_1_and_names_the_guard(cli, running):
    assert cli("changes", "propose", "r1", "lr", "--set", "0.2", *WHY, "--wait").code == 0
    answer = cli("changes", "propose", "latest", "optimizer.lr", "--add", "0.1", *WHY, "--wait")
    assert answer.code == 1
    assert "blocked  optimizer.lr stays 0.2, 0.3 was asked for; guards: DENY by cooldown" in answer.out


def test_without_wait_it_ends_at_once_with_0_and_says_where_the_answer_is(cli, running):
    answer = cli("changes", "propose", "r1", "lr", "--scale", "0.5", *WHY)
    assert (answer.code, answer.out) == (0, "")
    assert "`seedbed changes requests r1` shows it" in answer.err


def test_the_json_of_a_proposal_has_every_answer_and_nothing_else_is_on_stdout(cli, running):
    answer = cli("changes", "propose", "r1", "lr", "--scale", "0.5", *WHY, "--proposer", "bandit", "--wait", "--json")
    found = answer.json
    assert (answer.code, found["state"], found["final"], found["proposer"]) == (0, "EFFECTIVE", False, "bandit")
    assert [each["state"] for each in found["answers"]] == ["APPLIED", "EFFECTIVE"]
    assert (found["request"], found["what"]["value"], found["answers"][-1]["after"]) == (1, 0.5, 0.05)


def test_a_wait_has_a_limit_where_one_is_given_and_the_request_stands(cli, tmp_path):
    run = Store.open(tmp_path / ".seedbed", create=True).start("steered", "r1")
    rate = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.1)
    engine = ChangeEngine(run.journal(), {RATE.key: LearningRate(rate)}, [RATE])
    Steering.of(Store.open(tmp_path / ".seedbed"), run, Controls.of(engine))  # it takes requests, and never looks
    answer = cli("changes", "propose", "r1", RATE.key, "--scale", "0.5", *WHY, "--timeout", "0.2")
    assert (answer.code, answer.out) == (3, "")
    assert "no answer yet; the request stands, `seedbed changes requests r1` shows its answer" in answer.err
    assert cli("changes", "requests", "r1", "--json").json["requests"][0]["state"] is None
    run.interrupted("the test is over")


def test_settings_show_live_values_bounds_and_when_each_may_move_and_give_the_state_for_against(cli, running):
    shown = cli("changes", "settings", "r1")
    assert shown.code == 0
    assert shown.out.splitlines()[1].split() == ["optimizer.lr", "lr", "0.1", "0.0001", "1", "1", "now"]
    state = cli("changes", "settings", "r1", "--json").json["state"]
    assert f"state {state}" in shown.out
    assert cli("changes", "propose", "r1", "lr", "--set", "0.2", *WHY, "--against", state, "--wait").code == 0
    again = cli("changes", "propose", "r1", "lr", "--set", "0.3", *WHY, "--against", state, "--wait")
    assert again.code == 1
    assert "refused  it was asked against state" in again.out


def test_a_run_is_asked_for_a_checkpoint_and_to_stop(cli, running, tmp_path):
    answer = cli("runs", "ask", "r1", "checkpoint", "--wait")
    assert (answer.code, answer.out.split()[:2]) == (0, ["done", "checkpoint"])
    assert cli("runs", "ask", "r1", "stop", "--wait").code == 0
    running.join(30)
    assert not running.is_alive()
    answer = cli("runs", "ask", "r1", "checkpoint")
    assert answer.code == 2
    assert "r1 of steered takes no requests: attempt 1 has ended: it was stopped" in answer.err


def test_requests_lists_what_was_asked_with_the_newest_answers(cli, running):
    assert cli("changes", "requests", "r1").out == "r1 was asked for nothing\n"
    cli("changes", "propose", "r1", "lr", "--scale", "0.5", *WHY, "--wait")
    cli("runs", "ask", "r1", "checkpoint", "--wait")
    cli("changes", "withdraw", "r1", "1", "--wait")
    shown = " ".join(cli("changes", "requests", "r1").out.split())
    assert "lr scale 0.5: it is noisy EFFECTIVE: optimizer.lr 0.1 -> 0.05" in shown
    assert "withdraw request 1 DONE: request 1 was carried out already and stands" in shown
    found = cli("changes", "requests", "r1", "--json").json["requests"]
    assert [(each["request"], each["what"]["kind"]) for each in found] == [
        (1, "propose"),
        (2, "command"),
        (3, "withdraw"),
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("propose", "r1", "lrr", "--set", "1", *WHY), "no setting 'lrr'; the nearest is lr"),
        (("propose", "r1", "lr", *WHY), "exactly one of set, add and scale, found none of them"),
        (("propose", "r1", "lr", "--set", "1", "--add", "1", *WHY), "found set and add"),
        (("propose", "r1", "lr", "--set", "nan", *WHY), "set is nan of type float"),
        (("propose", "r1", "lr", "--set", "1", "--expires", "-1", *WHY), "cannot expire in -1.0 s"),
        (("propose", "r2", "lr", "--set", "1", *WHY), "no run"),
        (("withdraw", "r1", "5"), "r1 has no request 5"),
        (("settings", "nobody"), "no run"),
    ],
    ids=str,
)
def test_what_is_said_wrongly_ends_with_2_and_asks_for_nothing(cli, running, tmp_path, arguments, told):
    answer = cli("changes", *arguments)
    assert answer.code == 2
    assert told in answer.err
    assert RemoteRun.open("r1", tmp_path / ".seedbed").requests() == []


def test_another_verb_ends_with_2(cli, running):
    answer = cli("runs", "ask", "r1", "explode")
    assert answer.code == 2
    assert "cannot be asked to 'explode', expected one of checkpoint, pause, continue, stop" in answer.err


def test_a_run_that_ends_while_somebody_waits_gives_no_answer_and_the_code_3(cli, tmp_path):
    store = Store.open(tmp_path / ".seedbed", create=True)
    with steered(tmp_path / ".seedbed") as running:
        cli("runs", "ask", "r1", "stop", "--wait")
        running.join(30)
        late = RemoteRun.open("r1", store)
        first = late.requests()[0]
        number = late._post.publish(first.request)
    shown = list(late.follow(late.requests()[number - 1], 5.0))[-1]
    assert shown.told == "no answer: the run is INTERRUPTED"


def test_a_finished_run_takes_no_requests(cli, tmp_path):
    finished(tmp_path / ".seedbed", "r1")
    answer = cli("changes", "propose", "r1", "lr", "--set", "1", *WHY)
    assert answer.code == 2
    assert "has finished and takes no requests" in answer.err
    assert cli("changes", "requests", "r1").out == "r1 was asked for nothing\n"


@pytest.mark.slow
def test_ctrl_c_leaves_the_request_standing_and_says_so(tmp_path):
    store = Store.open(tmp_path / "store", create=True)
    run = store.start("steered", "r1")
    from seedbed.loop.steering import Door
    from seedbed.loop.steering._desk import Desk

    desk = Desk.of(store, run)
    desk.show(0, "", lambda: "", list)
    assert isinstance(RemoteRun.open("r1", store).door(), Door)
    command = [sys.executable, "-m", "seedbed", "runs", "ask", "r1", "pause", "--wait", "--store", tmp_path / "store"]
    waiting = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert waiting.stderr
    assert waiting.stderr.readline().startswith("request 1 to r1")
    waiting.send_signal(2)
    told = waiting.communicate(timeout=60)[1]
    assert waiting.returncode == 130
    assert "the request stands" in told
    assert "`seedbed changes withdraw r1 1` takes it back" in told
    assert [each.number for each in desk.new()] == [1]


def test_who_asks_needs_no_torch():
    code = (
        "import sys, seedbed.loop.steering, seedbed.cli.runs.steer._propose as p, seedbed.cli.runs.steer._asking as a; "
        "assert 'torch' not in sys.modules, sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
