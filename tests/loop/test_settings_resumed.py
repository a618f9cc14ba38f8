"""A checkpoint holds every setting, also those that were bound on request or by the loop."""

from pathlib import Path

from settings_rig import Loop, Scale, Set, nothing_is_hidden  # noqa: F401

from seedbed.change import ChangeState, Operation
from seedbed.loop.settings import LiveObjects
from seedbed.records import Journal


def test_a_resumed_loop_has_them_again_with_their_values_and_watches(tmp_path: Path) -> None:
    rig = Loop(journal=Journal.open(tmp_path / "changes.log"))
    rig.settings.accumulation(2)
    for _ in rig.over(rig.loader):
        rig.settings.clip(rig.model.parameters(), 1e-2)
    wanted: dict[str, Operation] = {
        "clip": Scale(0.5),
        "accumulation": Set(3),
        "freeze.encoder.1": Set(1.0),
        "batch_size": Set(16),
    }
    for name, op in wanted.items():
        assert rig.propose(name, op)[0].phase == "applied"
    for _ in range(2):
        rig.settings.accumulation(2)
        rig.step(clip=1e-2)
    state = ChangeState.model_validate_json(rig.engine.state(rig.num_steps).model_dump_json())
    values, steps = rig.engine.values(), rig.num_steps
    rig.engine.close()

    later = Loop(journal=Journal.open(tmp_path / "changes.log"))
    later.num_steps = steps
    assert later.settings.prepare(state) == ("loader.batch_size",)  # its loader has not come yet
    later.settings.add(LiveObjects(loaders={"": later.loader}))
    assert later.settings.prepare(state) == ()
    later.engine.resume(state)
    assert later.engine.values() == values
    assert later.settings.accumulation(2) == 3
    assert next(iter(later.over(later.loader))) == 16
    later.step(2, clip=1e-2)  # the loop's own line still has the number that it began with
    assert later.engine.values()["clip.norm"] == 5e-3
    assert not later.model.encoder[1].weight.requires_grad
    frozen = next(each for each in later.engine.history.records if each.delta.parameter.startswith("model.freeze"))
    later.model.encoder[1].requires_grad_(True)
    later.step()
    assert later.outcome(frozen) == "FAILED", "it is watched again"


def test_a_checkpoint_that_was_taken_before_the_loop_used_a_number_is_resumed(tmp_path: Path) -> None:
    rig = Loop(journal=Journal.open(tmp_path / "changes.log"))
    rig.propose("lr", Scale(0.5))
    rig.step()
    state = ChangeState.model_validate_json(rig.engine.state(1).model_dump_json())
    rig.step(clip=1e-2)
    rig.propose("clip", Scale(0.5))
    rig.engine.close()

    later = Loop(journal=Journal.open(tmp_path / "changes.log"))
    later.settings.clip(later.model.parameters(), 1e-2)
    later.settings.prepare(state)
    later.engine.resume(state)
    assert (later.engine.values()["optimizer.lr"], later.engine.values()["clip.norm"]) == (5e-4, 1e-2)


def test_numbers_that_nobody_changed_are_those_of_the_resumed_script(tmp_path: Path) -> None:
    rig = Loop(journal=Journal.open(tmp_path / "changes.log"))
    rig.settings.accumulation(2)
    rig.step(clip=1e-2)
    state = ChangeState.model_validate_json(rig.engine.state(1).model_dump_json())
    rig.engine.close()

    later = Loop(journal=Journal.open(tmp_path / "changes.log"))
    later.settings.prepare(state)
    later.engine.resume(state)
    assert later.settings.accumulation(4) == 4
    later.step(clip=2e-2)
    assert later.engine.values()["clip.norm"] == 2e-2


def limits_of(rig: Loop, key: str) -> tuple[float, float]:
    parameter = rig.engine.rules.registry[key]
    return parameter.low, parameter.high


def test_bounds_of_the_loops_numbers_stay_those_of_the_start_however_often_it_is_resumed(tmp_path: Path) -> None:
    state: ChangeState | None = None
    for attempt in range(3):
        rig = Loop(journal=Journal.open(tmp_path / "changes.log"))
        if state is not None:
            rig.settings.prepare(state)
            rig.engine.resume(state)
            rig.num_steps = state.step
        assert rig.settings.accumulation(3) == 3 + attempt
        rig.step(2, clip=0.5)
        assert rig.engine.values()["clip.norm"] == 0.5 * 2**attempt
        assert limits_of(rig, "clip.norm") == (0.5 / 100, 10 * 0.5)
        assert limits_of(rig, "accumulation") == (1.0, 8 * 3)
        assert rig.propose("clip", Scale(2))[0].phase == "applied"
        assert rig.propose("accumulation", Set(4 + attempt))[0].phase == "applied"
        rig.settings.accumulation(3)
        rig.step(2, clip=0.5)
        state = ChangeState.model_validate_json(rig.engine.state(rig.num_steps).model_dump_json())
        rig.engine.close()


def test_a_checkpoint_of_before_the_start_was_kept_is_resumed(tmp_path: Path) -> None:
    rig = Loop(journal=Journal.open(tmp_path / "changes.log"))
    rig.settings.accumulation(2)
    rig.step(clip=0.5)
    state = rig.engine.state(1)
    rig.engine.close()
    values = {key: {name: each for name, each in held.items() if name != "start"} for key, held in state.values.items()}
    assert values != state.values

    later = Loop(journal=Journal.open(tmp_path / "changes.log"))
    earlier = state.model_copy(update={"values": values})
    later.settings.prepare(earlier)
    later.engine.resume(earlier)
    later.step(clip=0.5)
    assert (later.settings.accumulation(2), later.engine.values()["clip.norm"]) == (2, 0.5)
