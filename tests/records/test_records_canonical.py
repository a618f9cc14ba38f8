import enum
import json
import math
import re
import struct
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jcs
import numpy as np
import pytest
import rfc8785
from hypothesis import assume, given
from hypothesis import strategies as st

from seedbed.contracts import Stage
from seedbed.errors import InvalidInput
from seedbed.records import canonical_json, digest
from seedbed.records.canonical import digest_bytes
from seedbed.records.canonical._canonical import encode, frozen, parse_json, plain, readable_json

VECTORS = Path(__file__).parents[1] / "data" / "rfc8785"

# RFC 8785, appendix B.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


@pytest.mark.parametrize(("bits", "expected"), NUMBERS.items())
def test_numbers_are_written_as_the_rfc_says(bits, expected):
    number = struct.unpack(">d", bytes.fromhex(bits))[0]
    assert canonical_json(number).decode() == expected


def test_the_rfc_example_is_written_as_the_rfc_says():
    value = json.loads(
        r"""{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"""
    )
    assert canonical_json(value).decode() == (
        r"""{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"""
        r""""string":"€$\u000f\nA'B\"\\\\\"/"}"""
    )


def test_keys_sort_by_utf_16_code_units():
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    found = list(json.loads(canonical_json(dict.fromkeys(keys))))
    assert found == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


@pytest.mark.slow
@given(VALUES)
def test_what_is_read_back_is_the_value_and_has_the_same_bytes(value):
    data = canonical_json(value)
    assert canonical_json(parse_json(data)) == data
    assert parse_json(data) == plain(value)


@pytest.mark.slow
@given(st.dictionaries(st.text(), SCALARS, max_size=6), st.randoms())
def test_the_order_of_keys_changes_nothing(value, random):
    items = list(value.items())
    random.shuffle(items)
    assert canonical_json(dict(items)) == canonical_json(value)


@pytest.mark.slow
@given(st.sets(st.integers(-1000, 1000) | st.text(max_size=3), max_size=8))
def test_a_set_is_written_in_one_order_whatever_the_process(value):
    assert canonical_json(value) == canonical_json(frozenset(reversed(list(value))))


@pytest.mark.slow
@given(st.datetimes(timezones=st.timezones()))
def test_a_zoned_datetime_is_the_same_moment_in_utc(moment):
    assume(moment.year not in (1, 9999))  # the edge of the calendar has no neighbour in UTC
    written = json.loads(canonical_json(moment))
    assert written.endswith("Z")
    assert datetime.fromisoformat(written) == moment.astimezone(UTC)


class Lower(enum.Enum):
    mean = 1


class Dotted(enum.Enum):
    TITLE_I = 1


def test_zones_dates_and_enumerations_have_one_form():
    two = timezone(timedelta(hours=2))
    assert canonical_json(datetime(2026, 1, 1, 2, tzinfo=two)) == b'"2026-01-01T00:00:00Z"'
    assert canonical_json(date(2026, 1, 1)) == b'"2026-01-01"'
    assert canonical_json([Stage.TRAINING, Lower.mean]) == b'["TRAINING","MEAN"]'


@pytest.mark.parametrize(
    ("value", "pointer", "said"),
    [
        ({"a": [1, math.nan]}, "/a/1", "nan"),
        ({"a": {"b/c": math.inf}}, "/a/b~1c", "inf"),
        ({"n": 2**53}, "/n", "2^53"),
        ({"n": -(2**53)}, "/n", "2^53"),
        ({"n": 10**5000}, "/n", "16610 bits"),
        ({"t": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))}, "/t", "outside years 1 to 9999"),
        ({"t": datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))}, "/t", "outside years 1 to 9999"),
        ({"g": (number for number in (1, 2))}, "/g", "generator is not JSON"),
        ({"k": {("a", "b"): 1}}, "/k", "the key ('a', 'b') is a tuple"),
        ({"t": datetime(2026, 1, 1)}, "/t", "no time zone"),  # noqa: DTZ001  a naive datetime is the fault
        ({"x": object()}, "/x", "object is not JSON"),
        ({"b": b"raw"}, "/b", "bytes is not JSON"),
        ({1: "one"}, "the top", "the key 1"),
        ({"s": "\ud800"}, "/s", "surrogate"),
        ({"\ud800": 1}, "/\\ud800", "surrogate"),
    ],
)
def test_what_is_not_json_is_refused_with_a_pointer(value, pointer, said):
    with pytest.raises(InvalidInput) as refused:
        canonical_json(value)
    assert f"'{pointer}'" in str(refused.value)
    assert said in str(refused.value)


def test_a_cycle_is_refused_rather_than_followed_for_ever():
    cycle: dict[str, object] = {}
    cycle["again"] = cycle
    with pytest.raises(InvalidInput, match="nested deeper"):
        canonical_json(cycle)


def test_the_pointer_leads_through_lists_sets_and_escaped_keys():
    for value, pointer in (
        ({"a": [0, {"b~/": {1, math.nan}}]}, "/a/1/b~0~1/{}"),
        ([[["deep", object()]]], "/0/0/1"),
        ({"outer": {"a/b": {2: 1}}}, "/outer/a~1b"),
    ):
        with pytest.raises(InvalidInput, match=re.escape(f"'{pointer}'")):
            plain(value)


def test_the_bytes_that_the_released_version_wrote_come_out_again():
    commits = sorted((VECTORS.parent / "store-1" / "log").rglob("*.json"))
    assert commits
    for path in commits:
        record = parse_json(path.read_bytes())
        assert encode(record) == canonical_json(record) == path.read_bytes()
        assert digest(record["body"]) == record["digest"]


def test_numbers_and_texts_of_other_libraries_and_of_classes_are_json_as_what_they_are():
    class Name(str):
        __slots__ = ()

        def __str__(self):
            return "shown otherwise"

    class Kind(str, enum.Enum):  # noqa: UP042  what code wrote before StrEnum, and shows itself otherwise
        MEAN = "the mean"

    class Level(enum.IntEnum):
        high = 3

    class Count(int):
        pass

    given = {Name("é"): Name("ü"), Kind.MEAN: Kind.MEAN, "level": Level.high, "n": np.float64(0.5), "p": (1, (2,))}
    assert plain(given) == {"é": "ü", "the mean": "MEAN", "level": "HIGH", "n": 0.5, "p": [1, [2]]}
    items = plain([np.float64(0.5), np.float64(2), Count(2), Name("a")])
    assert isinstance(items, list)
    assert [type(item) for item in items] == [
        float,
        int,
        int,
        str,
    ]
    assert canonical_json(MappingProxyType({"b": 1, "a": np.float64(1e-7)})) == b'{"a":1e-7,"b":1}'


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (b"1.0", b"1"),
        (b"[-0.0,-0,0.0]", b"[0,0,0]"),
        (b"[1e0,1E2]", b"[1,100]"),
        (b'{"b":1,"a":1.50}', b'{"a":1.5,"b":1}'),
    ],
)
def test_other_forms_of_a_number_come_out_in_the_one(written, expected):
    assert encode(parse_json(written)) == canonical_json(parse_json(written)) == expected


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"NaN",
        b"[Infinity]",
        b"1e400",
        b"9" * 5000,
        b'"\\ud800"',
        b"\xff",
        b"[" * 1100 + b"]" * 1100,
        b"[1] 2",
    ],
)
def test_what_is_no_json_is_a_value_error(damaged):
    with pytest.raises(ValueError):
        parse_json(damaged)


@pytest.fixture
def recursion_limit():
    before = sys.getrecursionlimit()
    yield sys.setrecursionlimit
    sys.setrecursionlimit(before)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the parser's own depth has no limit that can be reached here")
def test_a_long_whole_number_too_deep_to_be_read_again_is_a_value_error(recursion_limit):
    recursion_limit(1000)  # torch raises it when it compiles
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json(b"[" * 1000 + str(2**60).encode() + b"]" * 1000)


VARIED = """
import enum, sys
from datetime import datetime, timedelta, timezone
from seedbed.records import digest
Kind = enum.Enum("Kind", {"title_i": 1})
moment = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
items = [("z", {"b", "a", "c"}), ("\\u00fc", 1.0), ("a", [True, None])]
items += [("kind", Kind.title_i), ("at", moment), ("lr", 5e-05)]
print(digest(dict(items if len(sys.argv) < 2 else items[::-1])))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "arguments"),
    [
        ({"PYTHONHASHSEED": "1", "LC_ALL": "C"}, ["-c", VARIED]),
        ({"PYTHONHASHSEED": "2", "LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Tokyo"}, ["-c", VARIED, "reversed"]),
        ({"PYTHONHASHSEED": "3", "LC_ALL": "C", "PYTHONUTF8": "0"}, ["-O", "-c", VARIED]),
    ],
)
def test_a_digest_does_not_depend_on_the_process_its_locale_or_its_order(environment, arguments):
    found = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=True, text=True)
    kind, moment = Dotted.TITLE_I, "2026-01-01T00:00:00Z"
    value = {"a": [True, None], "kind": kind, "z": {"c", "a", "b"}, "ü": 1, "at": moment, "lr": 0.00005}
    assert found.stdout == f"{digest(value)}\n"


@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_the_published_vectors_come_out_as_published(name):
    given, expected = ((VECTORS / f"{name}.{part}.json").read_bytes() for part in ("input", "output"))
    assert canonical_json(json.loads(given)) == expected
    assert encode(parse_json(expected)) == expected


ODD_NUMBERS = st.builds(
    lambda digits, exponent: float(f"{digits}e{exponent}"), st.integers(-(10**17), 10**17), st.integers(-30, 10)
)
HARD = st.recursive(
    SCALARS | ODD_NUMBERS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=6),
    max_leaves=20,
)


@pytest.mark.slow
@given(HARD)
def test_two_other_implementations_write_the_same_bytes(value):
    ours = plain(value)
    assert encode(ours) == rfc8785.dumps(ours) == jcs.canonicalize(ours)


@pytest.mark.slow
@given(HARD)
def test_readable_json_is_the_same_value_with_its_keys_in_order(value):
    assert json.loads(readable_json(value)) == plain(value)
    assert readable_json({"b": 1, "a": {}}) == b'{\n  "a": {},\n  "b": 1\n}\n'


@given(st.integers(2**53, 2**70) | st.integers(-(2**70), -(2**53)))
def test_a_long_whole_number_is_read_as_the_float_that_it_was(number):
    written = f'{{"n":[{float(number):.0f}]}}'.encode()
    assert parse_json(written) == {"n": [float(number)]}
    assert parse_json(rfc8785.dumps([float(number)])) == [float(number)]


@given(st.integers(2**53 - 3, 2**53 + 3) | st.integers(0, 2**64), st.booleans(), st.integers(0, 5))
def test_a_long_integer_is_found_wherever_it_stands_and_however_it_is_spaced(size, is_negative, place):
    number = -size if is_negative else size
    shapes = (
        "{}",
        " {} ",
        "[1,{}]",
        '{{"a-1":{}}}',
        "[\n\t{}\r\n]",
        '{{"9007199254740993": {}, "b": "9007199254740993"}}',
    )
    written = shapes[place].format(number).encode()

    def expected(text):
        return int(text) if abs(int(text)) < 2**53 else float(text)

    found, wanted = parse_json(written), json.loads(written, parse_int=expected)
    assert (repr(found), found) == (repr(wanted), wanted)


def test_text_is_taken_as_it_is_and_never_normalised():
    composed, decomposed = "\u00e9", "e\u0301"
    assert digest(composed) != digest(decomposed)
    assert canonical_json({decomposed: composed}) == f'{{"{decomposed}":"{composed}"}}'.encode()


def test_a_list_keeps_its_order_and_a_set_has_none():
    assert digest(["b", "a"]) != digest(["a", "b"])
    assert digest({"b", "a"}) == digest(["a", "b"]) == digest(frozenset(("a", "b")))


def test_one_and_true_differ_but_one_and_one_point_zero_do_not():
    assert digest(1) == digest(1.0) == digest_bytes(b"1")
    assert digest(True) != digest(1)


def test_frozen_values_cannot_be_changed_and_do_not_follow_the_original():
    original: dict[str, Any] = {"a": [1, {"b": 2}]}
    copy = frozen(original)
    original["a"][1]["b"] = 3
    assert canonical_json(copy) == b'{"a":[1,{"b":2}]}'
    with pytest.raises(TypeError):
        copy["a"] = ()  # type: ignore[index]
