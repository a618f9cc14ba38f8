import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.integrations._spelling import flattened, from_text, to_text
from seedbed.records import canonical_json

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["1", "1e-3", '"1"', '"', "True", "None", "null", "[1]", "{}", "NaN", '"\\"1\\""', " 1"])
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@pytest.mark.slow
@given(VALUES)
def test_what_is_spelled_is_understood_as_the_same_value(value):
    assert canonical_json(from_text(to_text(value))) == canonical_json(value)
    assert type(from_text(to_text(value))) is type(value)


@given(st.text())
def test_a_text_that_spells_no_other_value_is_spelled_as_it_is(text):
    assert (to_text(text) == text) == (from_text(text) == text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.001", 0.001),
        ("1e-05", 1e-05),
        ("12", 12),
        ("True", True),
        ("false", False),
        ("None", None),
        ("[1, 2]", [1, 2]),
        ("adam", "adam"),
        ("", ""),
        ("007", "007"),
        ("nan", "nan"),
        ("NaN", "NaN"),
        ("[1, Infinity]", "[1, Infinity]"),
        ('{"a": NaN}', '{"a": NaN}'),
        ("1e999", "1e999"),
        ("9007199254740993", "9007199254740993"),
        ('"quoted"', '"quoted"'),
        ('"1"', "1"),
        ("[" * 100000, "[" * 100000),
    ],
)
def test_a_setting_kept_as_a_text_gets_its_type_back(text, value):
    assert from_text(text) == value
    assert type(from_text(text)) is type(value)


def test_nested_settings_get_dotted_names():
    assert flattened({"a": {"b": {"c": 1}, "d": [1], "e": {}}, "f": None}) == {
        "a.b.c": 1,
        "a.d": [1],
        "a.e": {},
        "f": None,
    }
