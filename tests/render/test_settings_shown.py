"""A list of settings as a table and as a page: the same cells in the same order."""

from xml.etree import ElementTree

from seedbed.contracts import SettingView
from seedbed.render import settings_html, settings_lines

LR = SettingView(key="optimizer.lr", short="lr", value=5e-4, low=0.0, high=0.01, movable_at=11, members=("a", "b"))
EPS = SettingView(key="optimizer.eps", why_not="it is <no> number")
HELD = SettingView(key="rate", value=1.0, low=0.0, high=2.0, unit="s", movable_at=3, why_not="it cools down")


def test_the_table_has_each_number_bound_and_when_it_may_move() -> None:
    lines = settings_lines([LR, EPS, HELD], 3)
    assert lines == (
        "setting        short   value  low  high  unit  may move",
        "optimizer.lr   lr     0.0005    0  0.01  1     from step 11, all of a, b",
        "optimizer.eps                            1     no: it is <no> number",
        "rate                       1    0     2  s     not now: it cools down",
    )


def test_a_narrow_table_loses_no_character() -> None:
    wide, narrow = ("\n".join(settings_lines([LR, EPS, HELD], 3, width)) for width in (120, 40))
    assert max(map(len, narrow.splitlines())) <= 40
    assert sorted("".join(narrow.split())) == sorted("".join(wide.split()))


def test_the_page_has_the_same_cells_and_escapes_them() -> None:
    page = settings_html([LR, EPS, HELD], 3)
    root = ElementTree.fromstring(page)
    rows = [tuple("".join(cell.itertext()) for cell in row) for row in root.iter("tr")]
    assert rows == [
        ("setting", "short", "value", "low", "high", "unit", "may move"),
        ("optimizer.lr", "lr", "0.0005", "0", "0.01", "1", "from step 11, all of a, b"),
        ("optimizer.eps", "", "", "", "", "1", "no: it is <no> number"),
        ("rate", "", "1", "0", "2", "s", "not now: it cools down"),
    ]
    assert "after step 3" in page


def test_a_run_without_settings_shows_an_empty_table() -> None:
    assert settings_lines([], 0) == ("setting  short  value  low  high  unit  may move",)
    assert "<table>" in settings_html([], 0)
