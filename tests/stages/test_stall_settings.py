"""The stall rule's settings: new runs know the noise, and a run of a former version goes on as it began."""

import json
from pathlib import Path

import numpy as np
import pytest
from planted_job import job
from pydantic import ValidationError

from seedbed.change import StallState
from seedbed.errors import StoreCorrupt
from seedbed.stages import ChangeSettings, TrainConfig
from seedbed.stages._intervals import ap_parts
from seedbed.stages._job import BegunJob
from seedbed.stages._proposer import StallProposer, Validation
from seedbed.temporal import RankingScores, average_precision


def written_by_a_former_version(folder: Path) -> None:
    document = BegunJob(config=job().config, data="d").model_dump(mode="json", exclude={"replay_of"})
    document["schema_version"] = 1
    document["config"]["change"] = {
        "enabled": True,
        "patience": 1,
        "min_delta": 0.0,
        "factor": 0.5,
        "cooldown_steps": 100,
        "low": 1e-6,
        "high": 0.1,
    }
    (folder / "job.json").write_text(json.dumps(document))


def test_a_run_of_a_former_version_keeps_the_rule_that_it_began_with(tmp_path):
    written_by_a_former_version(tmp_path)
    begun = BegunJob.read(tmp_path)
    assert begun is not None
    settings = begun.config.change
    assert settings.confidence is None
    proposer = StallProposer(settings, "optimizer.lr")
    assert "confidence" not in proposer.registered["stall rule"]
    state, first = proposer.propose(StallState(), 10, Validation(0.8, (0.8, 0.8)))
    _, second = proposer.propose(state, 20, Validation(0.8, (0.8, 0.8)))
    assert first == ()
    assert second[0].reason.startswith("validation AP has not improved by more than 0 for 1 evaluations")


@pytest.mark.parametrize("confidence", [None, 0.5, 0.95])
def test_the_confidence_that_a_run_began_with_is_read_again(tmp_path, confidence):
    change = TrainConfig.model_validate({"change": {"confidence": confidence}}).change
    config = job().config.model_copy(update={"change": change})
    document = BegunJob(config=config, data="d").model_dump(mode="json", exclude={"replay_of"})
    (tmp_path / "job.json").write_text(json.dumps(document))
    begun = BegunJob.read(tmp_path)
    assert begun is not None
    assert begun.config.change == change


def test_a_new_configuration_knows_the_noise_even_where_it_sets_other_values():
    config = TrainConfig.model_validate({"change": {"patience": 3}})
    assert config.change.confidence == 0.95
    assert config.model_dump(mode="json")["change"]["confidence"] == 0.95


def test_a_job_file_that_holds_no_job_is_a_damaged_store(tmp_path):
    for text in ("[]", "{}", "not json"):
        (tmp_path / "job.json").write_text(text)
        with pytest.raises(StoreCorrupt, match="the run cannot resume"):
            BegunJob.read(tmp_path)


def test_a_rise_that_nothing_excludes_is_refused_at_the_door():
    with pytest.raises(ValidationError, match="set confidence to null"):
        ChangeSettings(min_delta=0.0)
    assert ChangeSettings(min_delta=0.0, confidence=None).confidence is None


def test_a_validation_of_one_event_shows_nothing_and_proposes_nothing():
    one = RankingScores(np.array([1.0]), np.array([0.0]), np.array([[0.0]]))
    assert ap_parts(one) == ()
    state, deltas = StallProposer(ChangeSettings(), "optimizer.lr").propose(StallState(), 5, Validation(1.0, ()))
    assert (state, deltas) == (StallState(), ())


def test_the_parts_of_an_ap_are_its_jackknife_pseudo_values():
    rng = np.random.default_rng(0)
    true, one = rng.normal(size=100) + 1, rng.normal(size=100)
    parts = ap_parts(RankingScores(true, one, one[:, None]))
    whole = average_precision(true, one)
    without = [
        average_precision(np.delete(true, np.s_[5 * k : 5 * k + 5]), np.delete(one, np.s_[5 * k : 5 * k + 5]))
        for k in range(20)
    ]
    assert parts == pytest.approx([20 * whole - 19 * each for each in without])
