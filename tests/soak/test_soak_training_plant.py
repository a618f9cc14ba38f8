"""A training run as a plant: reproducible, all or nothing, and honest about what its optimizer steps ran with."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from torch.optim.lr_scheduler import LambdaLR

from seedbed.contracts import Outcome
from seedbed.errors import InvalidInput, NotFound
from seedbed.soak import (
    Assembly,
    Phase,
    PlantKind,
    RuleTuner,
    Soak,
    SoakFault,
    SoakFolder,
    SoakPlan,
    TunerKind,
    assemble,
    finish,
    kpis,
    verify_soak,
)
from seedbed.soak.training._plant import TRAINING_KPIS, TrainingPlant
from seedbed.soak.training._rules import training_rules
from seedbed.soak.training._settings import (
    CLIP_NORM,
    DROPOUT,
    LEARNING_RATE,
    WEIGHT_DECAY,
    training_config,
    training_registry,
)
from seedbed.soak.tuners._rules import Adjustment, KpiCondition, Rule
from seedbed.stages import prepare
from seedbed.temporal import load_flights

NUM_STEPS = 3


def tiny_config(seed=1):
    config = training_config(seed)
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={"limit": 1500}),
            "model": config.model.model_copy(
                update={"num_neighbours": (3,), "node_width": 8, "time_width": 8, "embedding_width": 8}
            ),
            "training": config.training.model_copy(update={"batch_size": 15, "validation_events": 180}),
        }
    )


@cache
def tiny_data():
    config = tiny_config()
    return prepare(load_flights(config.data.limit), config.data, config.model)


def plant(seed=1):
    return TrainingPlant(tiny_config(seed), tiny_data, NUM_STEPS)


@pytest.mark.slow
def test_two_plants_that_take_the_same_measure_the_same_and_another_seed_does_not():
    def measurements(each):
        first = each.measure(1)
        each.take({**each.initial, LEARNING_RATE: 4e-3, DROPOUT: 0.3})
        return [first, each.measure(2), each.measure(3)]

    found = measurements(plant())
    assert measurements(plant()) == found
    assert measurements(plant(2)) != found
    assert [len(found[0].samples[kpi]) for kpi in TRAINING_KPIS] == [12, *[NUM_STEPS] * 4, 1, 1, 1]
    assert all(len(set(each.samples["train_loss"])) == NUM_STEPS for each in found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value"), [(LEARNING_RATE, 2e-2), (WEIGHT_DECAY, 5e-3), (CLIP_NORM, 0.1), (DROPOUT, 0.45)]
)
def test_each_setting_is_felt_by_the_steps_and_seen_by_the_hooks(key, value):
    control, moved = plant(), plant()
    control.measure(1), moved.measure(1)
    assert moved.take({**moved.initial, key: value})[key] == value
    felt, still = moved.measure(2), control.measure(2)
    assert felt.used == {**moved.initial, key: value}
    assert still.used == control.initial
    assert felt.samples["train_loss"] != still.samples["train_loss"]


def test_settings_that_it_cannot_run_with_are_refused_and_nothing_moves():
    each, untouched = plant(), plant()
    held = each.take({**each.initial, LEARNING_RATE: 2e-3})
    untouched.take({**each.initial, LEARNING_RATE: 2e-3})
    for wrong in ({}, {**held, "batch": 1.0}, {**held, WEIGHT_DECAY: 1e-3, DROPOUT: 0.9}):
        with pytest.raises(InvalidInput):
            each.take(wrong)
    assert each.measure(1) == untouched.measure(1)


def test_a_binding_that_refuses_takes_the_settings_before_it_back():
    each = plant()
    each.live.trainer.scheduler._last_lr = [0.0]  # a rate of 0 has no ratio to its schedule
    bindings = each.live.bindings = dict(reversed(each.live.bindings.items()))
    with pytest.raises(InvalidInput, match="learning rate of 0"):
        each.take({**each.initial, DROPOUT: 0.4, WEIGHT_DECAY: 1e-3})
    assert {key: binding.read() for key, binding in bindings.items()} == each.initial


def test_a_hidden_scheduler_that_takes_the_rate_back_shows_in_what_was_used():
    each = plant()
    each.measure(1)
    each.take({**each.initial, LEARNING_RATE: 5e-3})
    hidden = LambdaLR(each.live.trainer.optimizer, lambda step: 0.5)
    measured = each.measure(2)
    assert measured.used[LEARNING_RATE] == hidden.base_lrs[0] * 0.5 != 5e-3
    assert measured.used[DROPOUT] == each.initial[DROPOUT]


def test_a_module_that_nobody_bound_and_drops_otherwise_leaves_dropout_unknown():
    each = plant()
    sites = [site for site in each.live.trainer.model.modules() if type(site).__name__ == "Dropout"]
    each.live.trainer.model.add_module("stranger", type(sites[0])(0.4))
    site = each.live.trainer.model.stranger
    site.register_forward_pre_hook(each.live._observe_dropout)
    sites[0].register_forward_hook(lambda module, args, out: site(out) if module.training else out)
    assert DROPOUT not in each.measure(1).used


def test_an_iteration_whose_loss_is_no_number_is_undone_and_says_so():
    each = plant()
    before = each.measure(1)
    weights = each.live.state()["model"]
    each.live.trainer.optimizer.param_groups[0]["lr"] = 1e30
    each.live.trainer.scheduler.base_lrs = [1e30]
    measured = each.measure(2)
    assert measured.samples["diverged"] == (1.0,)
    assert len(measured.samples["train_loss"]) < NUM_STEPS
    assert measured.samples["validation_ap"] == before.samples["validation_ap"]
    assert all(bool((weights[name] == now).all()) for name, now in each.live.trainer.model.state_dict().items())
    assert measured.used[LEARNING_RATE] == 1e30


def test_a_run_cannot_skip_an_iteration_or_go_back():
    each = plant()
    for wrong in (0, 2):
        with pytest.raises(InvalidInput, match="expected 1"):
            each.measure(wrong)
    each.measure(1)
    with pytest.raises(InvalidInput, match="expected 2"):
        each.measure(1)


def test_its_table_names_what_there_is_and_each_rule_fires():
    registry = training_registry()
    tuner = RuleTuner(training_rules(), registry, TRAINING_KPIS)
    assert tuner.propose([]) == ()
    for rule in training_rules():
        for condition in rule.when:
            side = 1 if condition.above is not None else -1
            edge = condition.above if condition.above is not None else condition.below
            assert edge is not None
            assert condition.holds({condition.kpi: edge + side * 1e-9})
            assert not condition.holds({condition.kpi: edge})


RULES = (
    Rule(
        when=(KpiCondition(kpi="update_ratio_mean", below=1.0),),
        then=(
            Adjustment(key=LEARNING_RATE, scale=1.5, cap=5e-3),
            Adjustment(key=WEIGHT_DECAY, add=1e-4, cap=2e-4),
            Adjustment(key=DROPOUT, add=0.1, cap=0.3),
            Adjustment(key=CLIP_NORM, scale=0.5, floor=100.0),
        ),
        reason="to see it move",
    ),
)


class Watcher:
    def __init__(self):
        self.measured = []

    def iterated(self, progress):
        self.measured.append(progress.decided.measured.plant)

    def noted(self, text):
        pass


def stops_after(watcher: Watcher, num_iterations: int) -> Callable[[], bool]:
    return lambda: len(watcher.measured) == num_iterations


def tiny_assembly(plan: SoakPlan) -> Assembly:
    real = assemble(plan)
    return replace(
        real,
        plant=lambda: TrainingPlant(tiny_config(plan.seed), tiny_data, NUM_STEPS),
        tuner=RuleTuner(RULES, real.registry, TRAINING_KPIS),
    )


@pytest.mark.slow
def test_a_soak_of_it_ends_verified_with_every_change_seen_in_use_and_its_control_arm_untouched(tmp_path):
    plan = SoakPlan(soak_id="one", plant=PlantKind.TRAINING, iterations=7, tuner=TunerKind.RULES, seed=3)
    folder = SoakFolder.create(tmp_path, plan)
    soak = Soak(folder, tiny_assembly(plan), Watcher())
    assert soak.run(lambda: False, lambda: False)
    changes = soak.engine.history.records
    soak.close()
    assert {record.delta.parameter for record in changes} == set(training_registry().keys())
    denied = {Outcome.BLOCKED}  # by the cooldown
    assert {record.outcome for record in changes} - denied == {Outcome.EFFECTIVE}
    finished = finish(folder, tiny_assembly)
    assert finished.verification.accusations == ()
    assert verify_soak(folder, tiny_assembly, strict=True).passes
    untouched = plant(3)
    for each in finished.readback.iterations:
        assert each.measured.control == untouched.measure(each.measured.iteration).samples
        assert kpis(each.measured.plant)["diverged_mean"] == 0.0
    assert {each.decision.phase for each in finished.readback.iterations} == set(Phase)


@pytest.mark.slow
def test_a_soak_of_it_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path):
    def soaked(name, *stops):
        plan = SoakPlan(soak_id=name, plant=PlantKind.TRAINING, iterations=6, tuner=TunerKind.RULES, control=False)
        folder, found = SoakFolder.create(tmp_path, plan), []
        for stop in (*stops, 99):
            watcher = Watcher()
            soak = Soak(folder, tiny_assembly(plan), watcher)
            soak.run(stops_after(watcher, stop), lambda: False)
            soak.close()
            found += watcher.measured
        return found

    whole = soaked("whole")
    assert len(whole) == 6
    assert soaked("cut", 1, 3) == whole


@pytest.mark.slow
def test_a_change_that_never_reached_it_is_caught_by_what_its_steps_ran_with(tmp_path):
    plan = SoakPlan(
        soak_id="one",
        plant=PlantKind.TRAINING,
        iterations=5,
        tuner=TunerKind.RULES,
        seed=3,
        control=False,
        fault=SoakFault.DROPPED,
        fault_from=1,
    )
    soak = Soak(SoakFolder.create(tmp_path, plan), tiny_assembly(plan), Watcher())
    soak.run(lambda: False, lambda: False)
    first = next(record for record in soak.engine.history.records if record.delta.parameter == LEARNING_RATE)
    soak.close()
    assert first.outcome is Outcome.FAILED
    assert "the step ran with 0.001, still" in first.reason


def test_no_model_steers_a_run_that_never_comes_back_to_where_it_was():
    with pytest.raises(NotFound, match="none or rules"):
        assemble(SoakPlan(soak_id="one", plant=PlantKind.TRAINING, tuner=TunerKind.MODEL))
