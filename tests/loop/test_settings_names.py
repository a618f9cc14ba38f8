"""Names of settings: short where they are unambiguous, and a wrong one is answered with the nearest."""

import pytest

from seedbed.errors import NotFound
from seedbed.loop.settings import SettingNames
from seedbed.loop.settings._nearest import nearest

SHORTS = {"g.lr": "lr", "d.lr": "lr", "model.dropout": "dropout", "clip.norm": "clip", "accumulation": "accumulation"}
NAMES = SettingNames(SHORTS)


@pytest.mark.parametrize(
    ("name", "key"),
    [("dropout", "model.dropout"), ("model.dropout", "model.dropout"), ("clip", "clip.norm"), ("d.lr", "d.lr")],
)
def test_a_key_and_an_unambiguous_short_name_are_resolved(name: str, key: str) -> None:
    assert NAMES.resolve(name) == key


def test_a_name_of_several_is_answered_with_all_of_them() -> None:
    with pytest.raises(NotFound, match=r"'lr' may be any of g.lr, d.lr: say which"):
        NAMES.resolve("lr")


FOUND = ("lr", "weight_decay", "beta1", "beta2", "eps", "dropout", "clip", "accumulation", "batch_size", "freeze.head")
LOOP = SettingNames({f"owner.{short}": short for short in FOUND})


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("dropuot", "dropout"),
        ("owner.lrr", "lr"),
        ("learning_rate", "lr"),
        ("Learning Rate", "lr"),
        ("rate", "lr"),
        ("owner.learning-rate", "lr"),
        ("learning_rat", "lr"),
        ("owner.lerning rate", "lr"),
        ("weigthdecay", "weight_decay"),
        ("acumulation_steps", "accumulation"),
        ("wd", "weight_decay"),
        ("decay", "weight_decay"),
        ("p", "dropout"),
        ("dropout p", "dropout"),
        ("momentum", "beta1"),
        ("betas", "beta1, beta2"),
        ("max_norm", "clip"),
        ("gradient_accumulation_steps", "accumulation"),
        ("bs", "batch_size"),
        ("unfreeze", "freeze.head"),
        ("haed", "freeze.head"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest_and_where_the_list_is(name: str, near: str) -> None:
    says = rf"no setting is called .*; the nearest (is|are) {near}; run.settings\(\) and `seedbed"
    with pytest.raises(NotFound, match=says):
        LOOP.resolve(name)


def test_another_word_for_a_setting_that_there_is_not_is_no_name_for_others() -> None:
    with pytest.raises(NotFound, match=r"no setting is called 'wd'; there are 5, such as"):
        NAMES.resolve("wd")


def test_a_name_like_none_is_answered_with_some_and_where_all_are() -> None:
    with pytest.raises(NotFound, match=r"there are 5, such as g.lr, d.lr, dropout; run.settings\(\)"):
        NAMES.resolve("zzzz")
    with pytest.raises(NotFound, match="there are none"):
        SettingNames({}).resolve("lr")


def test_a_name_of_any_length_is_answered_in_short() -> None:
    with pytest.raises(NotFound) as problem:
        NAMES.resolve("x" * 100_000)
    assert len(str(problem.value)) < 300


def test_every_name_that_counts_is_known() -> None:
    assert NAMES.all() == (*SHORTS, "dropout", "clip", "accumulation")
    assert (NAMES.short("g.lr"), NAMES.short("clip.norm"), NAMES.short("accumulation")) == ("", "clip", "")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("freeze.model.layers.0", ["freeze.layers.0"]),
        ("model.freeze.haed", ["freeze.head"]),
        ("weight_decya.0", ["weight_decay.0", "weight_decay.1"]),
        ("learning_rate.0", ["lr.0", "lr.1"]),
        ("zzz.0", []),
    ],
)
def test_the_number_of_a_layer_or_group_alone_is_no_likeness(name: str, near: list[str]) -> None:
    known = ["weight_decay.0", "weight_decay.1", "lr.0", "lr.1", "freeze.layers.0", "freeze.head"]
    assert nearest(name, known) == near


@pytest.mark.parametrize("name", ["clip", "clip.norm", "critic.clip_norm", "accumulation", "max_gard_norm"])
def test_a_setting_that_the_loop_has_not_used_yet_is_told_with_the_call_that_makes_it_one(name: str) -> None:
    with pytest.raises(NotFound, match=r"; \S+ is a setting from the first run.(clip|accumulation) on; run.settings"):
        SettingNames({"optimizer.lr": "lr"}).resolve(name)
