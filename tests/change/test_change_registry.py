"""A registry turns documents into values and back, and refuses what it was not told of, with key, value and bound."""

import copy
import json
from math import nextafter
from typing import Any

import pytest
from change_world import parameters
from hypothesis import given
from hypothesis import strategies as st

from seedbed.change import Add, Delta, Number, Parameter, Registry, Scale, Set
from seedbed.change.parameters._grid import neighbours, on_grid
from seedbed.errors import InvalidInput, NotFound
from seedbed.records import Json, canonical_json

PLANT = Registry(
    [
        Parameter("quotes.spread", "bps", low=0.5, high=9.5, increment=0.1),
        Parameter("quotes.interval", "ms", low=10, high=80, number=Number.INT, increment=5),
        Parameter("quotes.post_only", "1", low=0, high=1, number=Number.BOOL),
        Parameter("impact", "1", low=0.0, high=1.0, path=("risk", "limits", "impact")),
    ]
)
VALUES = {"quotes.spread": 1.2, "quotes.interval": 60.0, "quotes.post_only": 1.0, "impact": 0.08}
QUOTES: dict[str, Json] = {"spread": 1.2, "interval": 60, "post_only": True}
DOCUMENT: dict[str, Json] = {
    "quotes": QUOTES,
    "risk": {"limits": {"impact": 0.08}},
}


def test_a_document_holds_each_value_as_its_kind_says() -> None:
    assert PLANT.document(VALUES) == DOCUMENT
    quotes = PLANT.document(VALUES)["quotes"]
    assert isinstance(quotes, dict)
    kinds = [type(each) for each in quotes.values()]
    assert kinds == [float, int, bool]


def test_values_come_back_as_floats_by_flat_key() -> None:
    values = PLANT.get_all(DOCUMENT)
    assert values == VALUES
    assert {type(value) for value in values.values()} == {float}
    assert {key: PLANT.get(DOCUMENT, key) for key in PLANT.keys()} == VALUES  # noqa: SIM118  the method is tested


def test_a_registry_is_a_collection_of_its_parameters() -> None:
    assert len(PLANT) == len(list(PLANT)) == 4
    assert "impact" in PLANT
    assert "risk" not in PLANT
    assert PLANT["impact"].path == ("risk", "limits", "impact")


def test_setting_one_value_leaves_the_given_document_and_every_other_value_as_it_was() -> None:
    given_document = copy.deepcopy(DOCUMENT)
    changed = PLANT.set(given_document, "quotes.interval", 65)
    assert changed == {**DOCUMENT, "quotes": {**QUOTES, "interval": 65}}
    risk = changed["risk"]
    assert isinstance(risk, dict)
    assert isinstance(risk["limits"], dict)
    risk["limits"]["impact"] = 0.5
    assert given_document == DOCUMENT


def test_deltas_apply_in_order_and_within_rounding_of_the_grid_land_on_it() -> None:
    given_document = copy.deepcopy(DOCUMENT)
    deltas = [
        Delta("quotes.spread", Add(0.1), "r", "tuner"),
        Delta("quotes.spread", Add(0.2), "r", "tuner"),
        Delta("quotes.interval", Scale(1.25), "r", "tuner"),
        Delta("quotes.post_only", Set(0.0), "r", "tuner"),
    ]
    quotes = PLANT.apply_deltas(given_document, deltas)["quotes"]
    assert quotes == {"spread": 1.5, "interval": 75, "post_only": False}
    assert given_document == DOCUMENT


def test_one_delta_that_is_refused_lets_none_through() -> None:
    given_document = copy.deepcopy(DOCUMENT)
    deltas = [Delta("quotes.spread", Add(0.1), "r", "t"), Delta("quotes.interval", Set(85.0), "r", "t")]
    with pytest.raises(InvalidInput, match=r"quotes.interval = 85.0: high bound is 80, of 10 .. 80 ms"):
        PLANT.apply_deltas(given_document, deltas)
    assert given_document == DOCUMENT


def test_the_state_hash_is_that_of_the_values_whatever_their_order_or_rounding() -> None:
    turned = dict(reversed(VALUES.items())) | {"quotes.spread": nextafter(1.2, 2), "quotes.interval": 60}
    assert PLANT.state_hash(turned) == PLANT.state_hash(VALUES)
    assert PLANT.state_hash({**VALUES, "impact": 0.09}) != PLANT.state_hash(VALUES)


def test_the_state_hash_of_some_of_the_values_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"missing \['impact'\]; expected a value for each of 4"):
        PLANT.state_hash({key: value for key, value in VALUES.items() if key != "impact"})


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("quotes.spread", 0.4, r"quotes.spread = 0.4: low bound is 0.5, of 0.5 .. 9.5 bps"),
        ("quotes.spread", 9.6, r"quotes.spread = 9.6: high bound is 9.5, of 0.5 .. 9.5 bps"),
        (
            "quotes.spread",
            1.25,
            r"quotes.spread = 1.25: expected steps of 0.1 from 0.5; the nearest are 1.2 and 1.3",
        ),
        ("quotes.interval", 62, r"quotes.interval = 62: expected steps of 5 from 10; the nearest are 60 and 65"),
        ("quotes.interval", 60.5, r"quotes.interval = 60.5: expected steps of 5 .* 60 and 65"),
        ("quotes.interval", True, r"quotes.interval = True: expected a finite INT within 10 .. 80 ms"),
        ("quotes.spread", True, r"quotes.spread = True: expected a finite FLOAT"),
        ("quotes.spread", "1.2", r"quotes.spread = '1.2': expected a finite FLOAT"),
        ("quotes.spread", None, r"quotes.spread = None: expected a finite FLOAT"),
        ("quotes.spread", float("nan"), r"quotes.spread = nan: expected a finite FLOAT"),
        ("quotes.spread", float("-inf"), r"quotes.spread = -inf: expected a finite FLOAT"),
        ("quotes.interval", 10**400, r"quotes.interval = 1000+: expected a finite INT"),
        ("quotes.post_only", 0.5, r"quotes.post_only = 0.5: expected steps of 1 from 0; the nearest are 0 and 1"),
        ("quotes.post_only", 2, r"quotes.post_only = 2: high bound is 1"),
    ],
)
def test_a_value_that_may_not_be_is_refused_with_key_value_and_bound(key: str, value: Any, said: str) -> None:
    for refused in (
        lambda: PLANT.validate({key: value}),
        lambda: PLANT.document({**VALUES, key: value}),
        lambda: PLANT.set(DOCUMENT, key, value),
    ):
        with pytest.raises(InvalidInput, match=said):
            refused()


def test_a_live_value_has_a_hash_also_where_no_change_would_be_allowed_to_put_it() -> None:
    beyond = {**VALUES, "quotes.spread": 1e9, "quotes.interval": 0.5, "quotes.post_only": 3.0}
    assert PLANT.state_hash(beyond) != PLANT.state_hash(VALUES)
    with pytest.raises(InvalidInput):
        PLANT.state_hash({**VALUES, "quotes.spread": float("nan")})


@pytest.mark.parametrize(
    ("key", "found", "said"),
    [
        ("interval", True, "quotes.interval = True: expected INT"),
        ("interval", 60.0000000001, "quotes.interval = 60.0000000001: expected INT"),
        ("interval", "60", "quotes.interval = '60': expected INT"),
        ("interval", {}, r"quotes.interval = \{\}: expected INT"),
        ("interval", [60], r"quotes.interval = \[60\]: expected INT"),
        ("interval", 85, "quotes.interval = 85: high bound is 80"),
        ("post_only", 1, "quotes.post_only = 1: expected BOOL"),
        ("post_only", "true", "quotes.post_only = 'true': expected BOOL"),
        ("spread", False, "quotes.spread = False: expected FLOAT"),
        ("spread", None, "quotes.spread = None: expected FLOAT"),
        ("spread", float("nan"), "quotes.spread = nan: expected FLOAT"),
        ("spread", 1.25, "quotes.spread = 1.25: expected steps of 0.1"),
    ],
)
def test_a_document_with_a_value_of_another_kind_or_out_of_bounds_is_refused(key: str, found: Any, said: str) -> None:
    wrong: dict[str, Json] = {**DOCUMENT, "quotes": {**QUOTES, key: found}}
    with pytest.raises(InvalidInput, match=said):
        PLANT.get_all(wrong)
    with pytest.raises(InvalidInput, match=said):
        PLANT.get(wrong, f"quotes.{key}")
    with pytest.raises(InvalidInput, match=said):
        PLANT.set(wrong, "impact", 0.5)
    with pytest.raises(InvalidInput, match=said):
        PLANT.apply_deltas(wrong, [])


def test_a_whole_number_stands_for_a_float_in_a_document_and_a_float_for_a_whole_number() -> None:
    assert PLANT.get({**DOCUMENT, "risk": {"limits": {"impact": 1}}}, "impact") == 1.0
    assert PLANT.get({"quotes": {"interval": 60.0}}, "quotes.interval") == 60.0


def test_an_undeclared_key_is_refused_with_the_nearest() -> None:
    for refused in (
        lambda: PLANT["quotes.spred"],
        lambda: PLANT.get(DOCUMENT, "quotes.spred"),
        lambda: PLANT.set(DOCUMENT, "quotes.spred", 1.0),
        lambda: PLANT.validate({"quotes.spred": 1.0}),
        lambda: PLANT.document({"quotes.spred": 1.0}),
        lambda: PLANT.apply_deltas(DOCUMENT, [Delta("quotes.spred", Add(0.1), "r", "t")]),
    ):
        with pytest.raises(NotFound, match=r"no parameter 'quotes.spred'; the nearest declared are \['quotes.spread'"):
            refused()


def test_where_no_key_is_near_all_are_told() -> None:
    with pytest.raises(
        NotFound, match=r"declared are \['impact', 'quotes.interval', 'quotes.post_only', 'quotes.spread'\]"
    ):
        PLANT["zzz"]


def test_a_document_with_more_or_less_than_what_was_declared_is_refused() -> None:
    misspelt: dict[str, Json] = {**DOCUMENT, "risk": {"limits": {"impct": 0.08}}}
    with pytest.raises(
        InvalidInput, match=r"unknown \['risk.limits.impct'\], missing \['risk.limits.impact'\]; the near"
    ):
        PLANT.get_all(misspelt)
    with pytest.raises(InvalidInput, match=r"missing \['risk.limits.impact'\]; expected each of the 4"):
        PLANT.get_all({"quotes": QUOTES})
    with pytest.raises(InvalidInput, match=r"impact is missing at risk\.limits\.impact"):
        PLANT.get({"quotes": QUOTES}, "impact")


def test_an_empty_section_that_nobody_declared_is_not_passed_over() -> None:
    with pytest.raises(InvalidInput, match=r"unknown \['tail'\]"):
        PLANT.get_all({**DOCUMENT, "tail": {}})


@pytest.mark.parametrize(("first", "second"), [(("a",), ("a",)), (("a",), ("a", "b")), (("a", "b", "c"), ("a", "b"))])
def test_paths_that_lead_to_or_through_one_another_are_refused(first: tuple[str, ...], second: tuple[str, ...]) -> None:
    declared = [Parameter("p", "1", 0, 1, path=first), Parameter("q", "1", 0, 1, path=second)]
    between = [Parameter("r", "1", 0, 1, path=("a-b",)), Parameter("s", "1", 0, 1, path=("b",))]
    with pytest.raises(InvalidInput, match="leads to or through both"):
        Registry([*declared, *between])
    assert len(Registry([declared[0], *between])) == 3


def test_a_key_declared_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'p' is declared twice"):
        Registry([Parameter("p", "1", 0, 1), Parameter("p", "1", 0, 2, path=("q",))])


@st.composite
def plants(draw: st.DrawFn) -> tuple[Registry, dict[str, float]]:
    keys = draw(st.lists(st.sampled_from(["a", "b.a", "b.c", "b.d.e", "f"]), unique=True, min_size=1))
    registry = Registry([draw(parameters(key)) for key in keys])
    return registry, {each.key: draw(allowed(each)) for each in registry}


def allowed(parameter: Parameter) -> st.SearchStrategy[float]:
    """Any value that the parameter may have: what lies off its grid is taken to the point below."""
    anywhere = st.floats(parameter.low, parameter.high).map(lambda value: on_grid(parameter, value))
    return anywhere.map(lambda value: next(iter(neighbours(parameter, value)), value))


@pytest.mark.slow
@given(plants())
def test_values_come_back_from_their_document_and_from_its_json(plant: tuple[Registry, dict[str, float]]) -> None:
    registry, values = plant
    document = registry.document(values)
    assert registry.get_all(document) == values
    assert registry.document(registry.get_all(document)) == document
    for written in (json.dumps(document).encode(), canonical_json(document)):
        assert registry.get_all(json.loads(written)) == values
    assert registry.state_hash(registry.get_all(document)) == registry.state_hash(values)


@pytest.mark.slow
@given(plants(), st.data())
def test_what_was_set_is_what_is_got_and_nothing_else_moves(
    plant: tuple[Registry, dict[str, float]], data: st.DataObject
) -> None:
    registry, values = plant
    document = registry.document(values)
    kept = copy.deepcopy(document)
    key = data.draw(st.sampled_from(registry.keys()))
    value = data.draw(allowed(registry[key]))
    assert registry.get_all(registry.set(document, key, value)) == {**values, key: value}
    delta = Delta(key, Set(value), "r", "t")
    assert registry.apply_deltas(document, [delta]) == registry.set(document, key, value)
    assert document == kept


def test_a_whole_set_of_values_has_each_and_nothing_else() -> None:
    assert PLANT.validate_all(VALUES) == PLANT.validate(VALUES)
    key = next(iter(VALUES))
    with pytest.raises(InvalidInput, match=rf"missing \['{key}'\]"):
        PLANT.validate_all({each: value for each, value in VALUES.items() if each != key})
    with pytest.raises(InvalidInput, match=r"unknown \['stranger'\]"):
        PLANT.validate_all({**VALUES, "stranger": 1.0})
