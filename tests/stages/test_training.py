"""One whole job: it learns what was planted, records what happened, and goes on after every kind of end."""

import os
import signal
import warnings
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata

import pytest
import torch
from planted_job import Watcher, changes_of, job, number, planted_stream, snapshot_of
from torch.optim.optimizer import register_optimizer_step_pre_hook

from seedbed.contracts import AuditRun, ChangeSummary, Outcome, RunStatus, RuntimeMode
from seedbed.errors import Conflict, ContractBroken, Diverged, InvalidInput
from seedbed.gate import GateSpec, gate_record, judge, parse_gate
from seedbed.records import REPLICATE, Store, compare, merged_events, read_step_events
from seedbed.runtime import RuntimeDegraded
from seedbed.stages import ChangeSettings, DataSettings, Fault, ModelSettings, TrainingSettings, configuration_of, train
from seedbed.testing import FakeClock

EAGER = ChangeSettings(patience=1, min_delta=1.0, cooldown_steps=5)  # nothing is ever good enough: always a stall


@pytest.mark.slow
def test_a_job_learns_what_was_planted_and_commits_it(store):
    planted = job(
        num_events=8000,
        model=ModelSettings(num_neighbours=(4, 4), node_width=32, time_width=16, embedding_width=32, dropout=0.0),
        training=TrainingSettings(epochs=4, batch_size=50, learning_rate=3e-3),
    )
    result = train(planted, store, Watcher(), run_id="one")
    snapshot = snapshot_of(result)
    assert result.status is RunStatus.FINISHED
    assert result.commit == store.find("one").commit
    assert result.commit is not None
    assert result.commit.seq == 1
    # The next destination follows from the last: counting pairs is worth a coin, remembering them less.
    assert number(snapshot.metrics, "test", "random", "ap", "low") > 0.8
    assert number(snapshot.metrics, "baselines", "pair_counter", "random", "ap") < 0.65
    audit = AuditRun.model_validate(snapshot.documents["audit_run"])
    assert audit.flash.used
    assert not audit.degraded
    assert snapshot.metadata["n_symbols"] == planted.stream.num_nodes


@pytest.mark.slow
def test_the_same_job_twice_has_the_same_metrics_and_finds_its_predecessor(store):
    first = snapshot_of(train(job(), store, Watcher(), run_id="one"))
    second = snapshot_of(train(job(), store, Watcher(), run_id="two"))
    assert second.digests["metrics"] == first.digests["metrics"]
    assert second.diff_prev is not None
    assert second.diff_prev.prev_run_id == "one"
    assert second.diff_prev.comparable
    assert second.diff_prev.policy == "EXACT"


@pytest.mark.slow
def test_a_training_with_another_numpy_is_no_replicate_and_the_version_is_named(store, monkeypatch):
    first = snapshot_of(train(job(), store, Watcher(), run_id="one"))
    real = metadata.version
    assert first.course["packages"] == {"numpy": real("numpy"), "torch": torch.__version__}
    monkeypatch.setattr(metadata, "version", lambda name: "0.1" if name == "numpy" else real(name))
    second = snapshot_of(train(job(), store, Watcher(), run_id="two"))
    assert second.diff_prev.policy == "ABLATION"
    assert f"course/packages/numpy differs: {real('numpy')} / 0.1" in compare(first, second, REPLICATE).reasons
    assert second.digests["replicates"] != first.digests["replicates"]


@pytest.mark.slow
def test_a_run_without_a_name_is_named_by_the_clock_of_the_store(tmp_path):
    clock = FakeClock(datetime(2031, 4, 5, 6, 7, 8, 9000, tzinfo=UTC))
    store = Store.open(tmp_path / "store", create=True, clock=clock)
    assert train(job(), store, Watcher()).run_id.startswith("20310405-060708-009-")


@pytest.mark.slow
def test_another_seed_is_a_replicate_with_other_metrics(store):
    first = snapshot_of(train(job(), store, Watcher(), run_id="one"))
    settings = job().config.training.model_copy(update={"seed": 1})
    second = snapshot_of(train(job(training=settings), store, Watcher(), run_id="two"))
    assert second.digests["metrics"] != first.digests["metrics"]
    assert second.diff_prev.policy == "REPLICATE"


@pytest.mark.slow
def test_what_the_stall_rule_changed_is_derived_and_replicates_may_differ_in_it(store):
    first = snapshot_of(train(job(change=EAGER), store, Watcher(), run_id="one"))
    assert first.course["changes"] == {}
    made = ChangeSummary.model_validate(first.documents["changes"]).changes
    used = [[each.step + 1, each.after] for each in made if each.outcome in {Outcome.EFFECTIVE, Outcome.CLAMPED}]
    assert used
    assert first.course["derived"] == {"optimizer.lr": used}
    settings = job().config.training.model_copy(update={"seed": 1})
    second = snapshot_of(train(job(training=settings, change=EAGER), store, Watcher(), run_id="two"))
    assert second.digests["replicates"] == first.digests["replicates"]
    assert second.diff_prev.policy == "REPLICATE"


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [1, 15, 23, 46])
def test_an_interrupted_run_resumes_to_the_digest_of_an_uninterrupted_one(store, stop_at):
    whole = snapshot_of(train(job(change=EAGER), store, Watcher(), run_id="whole"))

    def ctrl_c(report):
        if report.phase == "train" and report.step == stop_at:
            os.kill(os.getpid(), signal.SIGINT)

    interrupted = train(job(change=EAGER), store, Watcher(ctrl_c), run_id="cut")
    assert interrupted.status is RunStatus.INTERRUPTED
    assert store.find("cut").status is RunStatus.INTERRUPTED
    assert store.find("cut").reason == "Ctrl-C"
    watcher = Watcher()
    resumed = snapshot_of(train(job(change=EAGER), store, watcher, run_id="cut"))
    assert resumed.digests["metrics"] == whole.digests["metrics"]
    assert resumed.attempt_id == 2
    assert min(report.step for report in watcher.reports if report.phase == "train") == stop_at + 1
    outcomes = [change.outcome for change in changes_of(whole).changes]
    assert [change.outcome for change in changes_of(resumed).changes] == outcomes


@pytest.mark.slow
def test_an_interrupt_during_the_evaluation_loses_no_training(store):
    def ctrl_c(report):
        if report.phase == "test":
            os.kill(os.getpid(), signal.SIGINT)

    assert train(job(), store, Watcher(ctrl_c), run_id="cut").commit is None
    watcher = Watcher()
    assert train(job(), store, watcher, run_id="cut").commit is not None
    assert {report.phase for report in watcher.reports} == {"test"}


def interrupted(store, planted):
    """Begin `planted` as the run "cut", and end it by Ctrl-C after its first step."""
    watcher = Watcher(lambda report: os.kill(os.getpid(), signal.SIGINT))
    assert train(planted, store, watcher, run_id="cut").commit is None


@pytest.mark.slow
def test_a_run_is_not_resumed_with_other_settings_and_a_refused_try_leaves_it_resumable(store):
    interrupted(store, job())
    with pytest.raises(Conflict, match=r"began with other settings .*change\.min_delta was 0\.005, not 1\.0"):
        train(job(change=EAGER), store, Watcher(), run_id="cut")
    configuration = configuration_of(store.find("cut"))
    assert configuration is not None
    assert configuration.change == job().config.change
    assert train(job(), store, Watcher(), run_id="cut").commit is not None


@pytest.mark.slow
def test_a_run_is_not_resumed_with_other_events(store):
    interrupted(store, job())
    with pytest.raises(Conflict, match="began with events of digest"):
        train(job(num_events=2001), store, Watcher(), run_id="cut")


@pytest.mark.slow
def test_a_run_may_go_on_in_another_mode_and_under_another_gate(store):
    interrupted(store, job())
    settings = job().config.model_copy(update={"gate": parse_gate({"checks": ["changes.failed == 0"]}).checks})
    other = replace(job(runtime={"mode": RuntimeMode.COMPAT}), config=settings)
    ledger = AuditRun.model_validate(snapshot_of(train(other, store, Watcher(), run_id="cut")).documents["audit_run"])
    assert ledger.mode is RuntimeMode.COMPAT


def test_a_loss_that_is_no_number_stops_the_run_and_commits_nothing(store):
    wild = TrainingSettings(batch_size=30, learning_rate=1e30, schedule="constant", checkpoint_every=1)
    with pytest.raises(Diverged, match=r"loss is nan|loss is inf|not all finite"):
        train(job(training=wild), store, Watcher(), run_id="one")
    assert store.find("one").status is RunStatus.FAILED
    assert list(store.log("planted").commits()) == []


def test_times_that_are_no_dates_and_checks_on_what_no_record_holds_are_refused_at_the_door(store):
    stream = planted_stream()
    coarse = replace(stream, t=stream.t * 1000, known_at=stream.known_at * 1000)
    with pytest.raises(InvalidInput, match=r"set data\.time_unit to milliseconds"):
        train(replace(job(), stream=coarse), store, Watcher())
    with pytest.raises(InvalidInput, match=r"metrics\.test\.random\.app: did you mean metrics\.test\.random\.ap"):
        train(job(gate=("metrics.test.random.app >= 0.8",)), store, Watcher())
    with pytest.raises(InvalidInput, match=r"metrics\.test\.random\.ap >= 8 in \[0, 1\] can never hold"):
        train(job(gate=("metrics.test.random.ap >= 8 in [0, 1]",)), store, Watcher())
    assert store.runs() == []


@pytest.mark.slow
def test_a_stall_cuts_the_rate_and_the_next_step_proves_it(store):
    snapshot = snapshot_of(train(job(change=EAGER), store, Watcher(), run_id="one"))
    changes = changes_of(snapshot)
    assert changes.effective >= 1
    assert changes.requested == sum(
        getattr(changes, name) for name in ("effective", "clamped", "blocked", "no_op", "failed", "unknown")
    )
    done = next(change for change in changes.changes if change.outcome is Outcome.EFFECTIVE)
    assert done.after == pytest.approx(done.before / 2)
    assert logged_rates(store, "one")[done.step + 1] == done.after


def logged_rates(store, run_id):
    """The series of the learning rate, by step."""
    events = merged_events(store, store.find(run_id))
    return {event.step: event.values["learning_rate"] for event in events if "learning_rate" in event.values}


@contextmanager
def rates_in_use():
    """The rate of the first group inside each optimizer step of this process, as PyTorch's own hook sees it."""
    used: list[float] = []
    hook = register_optimizer_step_pre_hook(lambda optimizer, *_: used.append(float(optimizer.param_groups[0]["lr"])))
    try:
        yield used
    finally:
        hook.remove()


@pytest.mark.slow
@pytest.mark.parametrize("fault", [None, Fault.LR_OVERWRITE])
def test_the_series_of_the_rate_holds_what_each_step_used(store, fault):
    """Through a warm-up, a cosine and changes, also where an undeclared scheduler overwrites a change."""
    with rates_in_use() as used:
        snapshot = snapshot_of(train(job(change=EAGER), store, Watcher(), run_id="one", fault=fault))
    assert changes_of(snapshot).requested >= 1
    assert logged_rates(store, "one") == dict(enumerate(used, start=1))
    # The first steps without the trainer: a third and two thirds of the rate, then all of it.
    assert used[:3] == pytest.approx([0.01 / 3, 0.02 / 3, 0.01])


@pytest.mark.slow
def test_a_resumed_run_logs_the_rates_of_a_run_that_nobody_stopped(store):
    def ctrl_c(report):
        if report.phase == "train" and report.step == at:
            os.kill(os.getpid(), signal.SIGINT)

    whole = snapshot_of(train(job(change=EAGER), store, Watcher(), run_id="whole"))
    at = next(change.step for change in changes_of(whole).changes if change.outcome is Outcome.EFFECTIVE)
    assert train(job(change=EAGER), store, Watcher(ctrl_c), run_id="cut").commit is None  # before its change is used
    snapshot_of(train(job(change=EAGER), store, Watcher(), run_id="cut"))
    assert logged_rates(store, "cut") == logged_rates(store, "whole")


@pytest.mark.slow
def test_a_scheduler_that_takes_the_rate_back_is_named_and_fails_the_gate(store):
    snapshot = snapshot_of(train(job(change=EAGER), store, Watcher(), run_id="one", fault=Fault.LR_OVERWRITE))
    failed = [change for change in changes_of(snapshot).changes if change.outcome is Outcome.FAILED]
    assert "LambdaLR" in failed[0].story[-1]
    report = judge(GateSpec(checks=job().config.gate), gate_record(snapshot))
    assert report.exit_code == 1


def test_strict_stops_when_math_attention_runs_and_says_so(store):
    with pytest.raises(ContractBroken, match="_scaled_dot_product_attention_math"):
        train(job(), store, Watcher(), run_id="one", fault=Fault.MATH_ATTENTION)
    stopped = store.find("one")
    assert stopped.status is RunStatus.FAILED
    ledger = AuditRun.model_validate_json((stopped.folder / "audit_run.json").read_bytes())
    assert (ledger.flash.requested, ledger.flash.used, ledger.degraded) == (True, False, True)
    assert torch.backends.cuda.flash_sdp_enabled()


@pytest.mark.slow
def test_compat_goes_on_degraded_which_a_gate_may_refuse(store):
    planted = job(runtime={"mode": RuntimeMode.COMPAT})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeDegraded)
        snapshot = snapshot_of(train(planted, store, Watcher(), run_id="one", fault=Fault.MATH_ATTENTION))
    assert any(isinstance(warning.message, RuntimeDegraded) for warning in caught)
    assert AuditRun.model_validate(snapshot.documents["audit_run"]).degraded
    forgiving = parse_gate({"checks": [{"metric": "contract.kept", "op": "==", "value": True, "kind": "contract"}]})
    assert judge(forgiving, gate_record(snapshot)).exit_code == 0
    demanding = parse_gate({"checks": [{"metric": "audit.degraded", "op": "==", "value": False, "kind": "contract"}]})
    assert judge(demanding, gate_record(snapshot)).exit_code == 4


@pytest.mark.slow
def test_torn_logs_are_cut_and_the_run_ends_as_if_nothing_had_happened(store):
    whole = snapshot_of(train(job(), store, Watcher(), run_id="whole"))
    watcher = Watcher()
    torn = snapshot_of(train(job(), store, watcher, run_id="torn", fault=Fault.TORN_LOG))
    assert torn.digests["metrics"] == whole.digests["metrics"]
    assert any(note.startswith("events.log ended in a torn record") for note in watcher.notes)
    read_step_events(store.find("torn").folder / "events.log")


def test_too_few_events_for_a_split_are_refused_before_anything_is_written(store):
    planted = job(data=DataSettings(limit=3))
    with pytest.raises(InvalidInput, match="leave a part empty"):
        train(planted, store, Watcher())
    assert store.runs() == []
