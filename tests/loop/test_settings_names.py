"""Names of settings: short where they are unambiguous, and a wrong one is answered with the nearest."""

import pytest

from seedbed.errors import NotFound
from seedbed.loop.settings import SettingNames

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


@pytest.mark.parametrize(("name", "near"), [("dropuot", "dropout"), ("g.lrr", "g.lr"), ("clip.nrom", "clip.norm")])
def test_a_wrong_name_is_answered_with_the_nearest_and_where_the_list_is(name: str, near: str) -> None:
    with pytest.raises(NotFound, match=rf"the nearest are {near}.*`seedbed changes settings RUN`"):
        NAMES.resolve(name)


def test_a_name_like_none_is_answered_with_all() -> None:
    with pytest.raises(NotFound, match=r"there are g.lr, d.lr, model.dropout"):
        NAMES.resolve("zzzz")
    with pytest.raises(NotFound, match="there are none"):
        SettingNames({}).resolve("lr")


def test_every_name_that_counts_is_known() -> None:
    assert NAMES.all() == (*SHORTS, "dropout", "clip", "accumulation")
    assert (NAMES.short("g.lr"), NAMES.short("clip.norm"), NAMES.short("accumulation")) == ("", "clip", "")
