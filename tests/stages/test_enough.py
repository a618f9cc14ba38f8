"""Too few events are noticed before the training, with what is needed."""

import pytest

from seedbed.errors import InvalidInput
from seedbed.stages import DataSettings, ModelSettings, TrainConfig, TrainingSettings, prepare
from seedbed.stages._config import default_checks
from seedbed.stages._dataset import Split
from seedbed.stages._enough import settings_for, shortages
from seedbed.temporal import StreamSchema, read_events


def config(batch_size: int, *checks: str, epochs: int = 2) -> TrainConfig:
    training = TrainingSettings(batch_size=batch_size, epochs=epochs)
    return TrainConfig.model_validate({"training": training, "gate": checks or ("changes.failed == 0",)})


def split(num_events: int) -> Split:
    train_end, validation_end = int(num_events * 0.7), int(num_events * 0.85)
    return Split(range(train_end), range(train_end, validation_end), range(validation_end, num_events))


@pytest.mark.parametrize(
    ("num_events", "batch_size", "epochs", "words"),
    [
        (
            10,
            200,
            2,
            "7 training events in batches of 200 make 2 steps in all: no model learns from so few; give more events",
        ),
        (600, 200, 2, "420 training events in batches of 200 make 6 steps in all"),
        (600, 200, 2, "set training.batch_size to 42 or less"),
        (5_000, 2_000, 9, "make 18 steps in all"),
    ],
)
def test_too_few_steps_are_said_with_what_helps(num_events, batch_size, epochs, words):
    (said,) = shortages(config(batch_size, epochs=epochs), split(num_events))
    assert words in said


@pytest.mark.parametrize(
    ("num_events", "batch_size", "epochs"), [(2_858, 200, 2), (10_000, 200, 2), (600, 42, 2), (10, 1, 3)]
)
def test_enough_steps_are_not_worth_a_word(num_events, batch_size, epochs):
    assert list(shortages(config(batch_size, epochs=epochs), split(num_events))) == []


@pytest.mark.parametrize("metric", ["metrics.test.random.ap", "metrics.margin.historical.mrr"])
@pytest.mark.parametrize("batch_size", [1, 7, 200])
@pytest.mark.parametrize("num_events", [40, 1_000, 9_333, 9_334, 9_341, 20_000])
def test_a_gate_that_needs_more_test_events_says_how_many_and_those_are_enough(num_events, batch_size, metric):
    job = config(batch_size, f"{metric} >= 0.5 @ 95%", "changes.failed == 0", epochs=1_000)
    said = list(shortages(job, split(num_events)))
    num_batches = len(range(0, len(split(num_events).test), batch_size))
    assert bool(said) == (num_batches < 8)
    for sentence in said:
        assert sentence.startswith(f"the gate cannot pass: {metric} >= 0.5 @ 95% needs an interval")
        in_all = int(sentence.split("give ")[1].split(" events in all")[0].replace(",", ""))
        assert list(shortages(job, split(in_all))) == []
        if "batch_size to " in sentence:
            smaller = int(sentence.split("batch_size to ")[1].split(" or less")[0])
            assert list(shortages(config(smaller, f"{metric} >= 0.5 @ 95%", epochs=1_000), split(num_events))) == []


def test_the_default_gate_is_one_that_needs_an_interval():
    job = TrainConfig.model_validate({"gate": default_checks(0.5)})
    assert any("the gate cannot pass" in sentence for sentence in shortages(job, split(600)))


def test_one_event_cannot_be_split(tmp_path):
    (tmp_path / "one.csv").write_text("src,dst,t\n1,2,3\n")
    with pytest.raises(InvalidInput, match="leave a part empty"):
        prepare(read_events(tmp_path / "one.csv", StreamSchema()), DataSettings(), ModelSettings())


@pytest.mark.parametrize("num_events", [60, 100, 600, 2_857, 9_000])
def test_both_warnings_advise_one_batch_size_which_ends_both(num_events):
    gate = "metrics.test.random.ap >= 0.5 @ 95%"
    said = list(shortages(config(2_000, gate), split(num_events)))
    (advised,) = {int(sentence.split("batch_size to ")[1].split(" or less")[0]) for sentence in said}
    assert len(said) == 2
    assert list(shortages(config(advised, gate), split(num_events))) == []


@pytest.mark.parametrize(("num_events", "batch_size"), [(600, 12), (100, 2), (60, 1), (30, None), (20_000, None)])
def test_settings_for_few_events_leave_nothing_short(num_events, batch_size):
    found = settings_for(num_events)
    assert found.get("batch_size") == batch_size
    if batch_size is not None:
        training = TrainingSettings.model_validate(found)
        assert list(shortages(TrainConfig(training=training), split(num_events))) == []
        num_steps = -(-len(split(num_events).train) // batch_size) * training.epochs
        assert training.warmup_steps * 10 <= num_steps
