"""What a proposal gives no meaning, since reading would refuse it or a name and a text tell less than they seem to."""

import json
from datetime import date, timedelta
from decimal import Decimal

import polars as pl
import pytest

from seedbed.errors import InvalidInput
from seedbed.temporal import StreamSchema, propose, read_events

NUM = 120
NODES = {"who": [row % 5 for row in range(NUM)], "what": [f"b{row % 7}" for row in range(NUM)], "t": range(NUM)}


def proposed(path):
    """The proposal, with which the file is read, and all that it says."""
    found = propose(path)
    assert len(read_events(path, found.columns, file=found.file, time_unit=found.time_unit)) == NUM
    return found, "\n".join(found.reasons)


def write_json(folder, columns):
    path = folder / "e.jsonl"
    rows = zip(*columns.values(), strict=True)
    path.write_text("".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("value", [lambda row: {"name": f"n{row % 5}"}, lambda row: [row % 5, row % 3]])
@pytest.mark.parametrize("name", ["user", "item", "label", "x"])
@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_records_and_lists_are_left_out_with_the_reason(tmp_path, kind, name, value):
    columns = {name: [value(row) for row in range(NUM)], **NODES}
    if kind == "jsonl":
        path = write_json(tmp_path, columns)
    else:
        path = tmp_path / "e.parquet"
        pl.DataFrame(columns).write_parquet(path)
    found, said = proposed(path)
    assert {found.columns.src, found.columns.dst} == {"who", "what"}
    assert (found.columns.features, found.columns.label) == ((), None)
    assert f"{name} is left out: it is nested" in said


def test_other_types_that_are_not_read_are_left_out_and_decimals_are_numbers(tmp_path):
    columns = {
        "wait": pl.Series([timedelta(seconds=row % 9) for row in range(NUM)]),
        "code": pl.Series([bytes([row % 9]) for row in range(NUM)]),
        "price": pl.Series([Decimal(row % 9) / 4 for row in range(NUM)], dtype=pl.Decimal(10, 2)),
    }
    pl.DataFrame({**columns, **NODES}).write_parquet(tmp_path / "e.parquet")
    found, said = proposed(tmp_path / "e.parquet")
    assert (found.columns.src, found.columns.dst, found.columns.features) == ("who", "what", ("price",))
    assert "wait is left out: values of its type, Duration" in said
    assert "code is left out: values of its type, Binary, are not read" in said


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (lambda row: row % 9 - 4, "has negative numbers, such as -4"),
        (lambda row: -1 if row == 70 else row % 9, "has negative numbers, such as -1"),
        (lambda row: float(row % 9), "is a column of floats"),
        (lambda row: 2**63 + row % 9, "has numbers of more than 64 bits"),
    ],
)
@pytest.mark.parametrize("name", ["user", "delta"])
def test_numbers_that_reading_refuses_as_ids_are_no_nodes(tmp_path, name, number, why):
    columns = {name: [number(row) for row in range(NUM)], **NODES}
    path = tmp_path / "e.parquet"
    pl.DataFrame(columns).write_parquet(path)
    found, said = proposed(path)
    assert (found.columns.src, found.columns.dst) == ("who", "what")
    assert f"{name} is no node: it {why}, and ids are whole numbers in 0 .. 2**63 - 1, or texts" in said
    with pytest.raises(InvalidInput, match=f"column '{name}': expected"):
        read_events(path, StreamSchema(src=name, dst="what"))


def test_negative_numbers_that_nobody_would_take_for_nodes_are_not_spoken_of(tmp_path):
    columns = {
        "user": NODES["who"],
        "item": NODES["what"],
        "t": NODES["t"],
        "change": [row % 9 - 4 for row in range(NUM)],
    }
    pl.DataFrame(columns).write_csv(tmp_path / "e.csv")
    found, said = proposed(tmp_path / "e.csv")
    assert found.columns.features == ("change",)
    assert "is no node" not in said


def test_without_other_nodes_the_refusal_says_what_is_wrong_with_the_numbers(tmp_path):
    columns = {"user": [row % 9 - 4 for row in range(NUM)], "item": NODES["what"], "t": NODES["t"]}
    pl.DataFrame(columns).write_csv(tmp_path / "e.csv")
    with pytest.raises(InvalidInput, match=r"user \(whole, which has negative numbers, such as -4\), item \(text\)"):
        propose(tmp_path / "e.csv")


@pytest.mark.parametrize(
    "spelling",
    ["{0:.4f},{1:.4f}", "({0:.3f}, {1:.3f})", "{0:.5f} {1:.5f}", "POINT ({0:.4f} {1:.4f})", "{0:.2f}°N {1:.2f}°E"],
)
def test_coordinates_that_are_all_different_are_no_document_number(tmp_path, spelling):
    places = [spelling.format(40 + row / 64, 73 - row / 128) for row in range(NUM)]
    assert len(set(places)) == NUM
    pl.DataFrame({"place": places, **NODES}).write_csv(tmp_path / "e.csv")
    found, said = proposed(tmp_path / "e.csv")
    assert {found.columns.src, found.columns.dst} == {"who", "what"}
    assert found.columns.event_id is None
    assert "document number" not in said
    assert "place is left out: text of 120 values, which look like coordinates" in said


@pytest.mark.parametrize(
    ("one_word", "time", "is_said"),
    [
        ("order", "order_date", False),
        ("birth", "birth_date", False),
        ("start", "start_time", False),
        ("return", "return_known", True),
        ("claim", "claim_opened_at", False),
        ("claim", "claim_closed_at", True),
        ("claims", "claims_closed_at", True),
        ("gemahnt", "gemahnt_am", True),
        ("paiement", "paiement_until", True),
    ],
)
def test_a_name_like_that_of_a_time_tells_an_outcome_only_if_the_time_tells_an_end(tmp_path, one_word, time, is_said):
    days = [f"{date(2024, 1, 1) + timedelta(days=row)}" for row in range(NUM)]
    columns = {**NODES, one_word: [row % 4 for row in range(NUM)], time: days}
    pl.DataFrame({**columns, "t": [f"{day} 10:00" for day in days]}).write_csv(tmp_path / "e.csv")
    found, said = proposed(tmp_path / "e.csv")
    assert one_word in found.columns.features
    assert (f"{one_word}: by the name, known only after the event" in said) is is_said


@pytest.mark.parametrize(
    ("columns", "row", "null"),
    [
        ({"who": lambda row: "" if row in (4, 9) else row % 5}, "who is empty in 2", ()),
        ({"what": lambda row: '""' if row in (4, 9) else f"b{row % 7}"}, "what is empty in 2", ()),
        ({"t": lambda row: "" if row == 4 else row}, "t is empty in 1", ()),
        ({"t": lambda row: "n/a" if row == 4 else row}, "t is empty in 1", ("n/a",)),
        (
            {"who": lambda row: "NA" if row == 4 else f"u{row % 5}", "x": lambda row: "NA" if row == 7 else row % 3},
            "who is empty in 1",
            ("NA",),
        ),
    ],
)
def test_empty_cells_that_reading_refuses_are_told_of_with_the_line_of_the_first(tmp_path, columns, row, null):
    whole = {"who": lambda row: row % 5, "what": lambda row: f"b{row % 7}", "t": lambda row: row, **columns}
    path = tmp_path / "e.csv"
    lines = [",".join(whole), *(",".join(str(cell(row)) for cell in whole.values()) for row in range(NUM))]
    path.write_text("\n".join(lines))
    found = propose(path)
    assert found.file.null == null
    said = f"{row} of 120 rows that were looked at, first in row 5 on line 6: training refuses that"
    assert said in "\n".join(found.reasons)
    with pytest.raises(InvalidInput, match=r"row 5, column .* line 6;"):
        read_events(path, found.columns, file=found.file, time_unit=found.time_unit)


def test_numbers_with_words_for_empty_cells_among_them_are_no_nodes_and_named(tmp_path):
    columns = {"user": ["NA" if row == 4 else str(row % 9) for row in range(NUM)], **NODES}
    pl.DataFrame(columns).write_csv(tmp_path / "e.csv")
    found, said = proposed(tmp_path / "e.csv")
    assert (found.columns.src, found.columns.dst) == ("who", "what")
    assert "user is no node: it has cells of NA among its numbers" in said


@pytest.mark.parametrize("place", ["who", "what", "colour"])
def test_words_for_nothing_among_names_are_told(tmp_path, place):
    """NA may be Namibia; a source, a destination and a category are asked about."""
    columns = {
        "who": [f"a{row % 5}" for row in range(NUM)],
        "what": [f"b{row % 7}" for row in range(NUM)],
        "t": range(NUM),
    }
    columns["colour"] = [("red", "blue")[row % 2] for row in range(NUM)]
    columns[place] = ["NA" if row == 33 else cell for row, cell in enumerate(columns[place])]
    path = tmp_path / "e.csv"
    pl.DataFrame(columns).write_csv(path)
    found, said = proposed(path)
    assert (found.columns.src, found.columns.dst, found.columns.categorical) == ("who", "what", ("colour",))
    assert found.file.null == ()
    assert f"{place} holds NA, read as a name: if that means an empty cell, add it to data.file.null" in said
    assert said.count("read as a name") == 1
    without = pl.DataFrame({**columns, "x": ["NA" if row == 7 else str(row % 9 / 4) for row in range(NUM)]})
    without.write_csv(path)
    assert "read as a name" not in "\n".join(propose(path).reasons)  # NA is empty now, which is said of an end


def test_text_that_never_repeats_is_called_no_document_number(tmp_path):
    columns = {**NODES, "body": [f"the {row}th of our letters" for row in range(NUM)]}
    pl.DataFrame(columns).write_csv(tmp_path / "e.csv")
    found, said = proposed(tmp_path / "e.csv")
    assert found.columns.event_id is None
    assert "body is left out: every value is different: it is text that hardly ever repeats" in said
    assert "document number" not in said


def test_the_column_that_was_taken_for_the_time_is_named_where_nodes_are_missing(tmp_path):
    (tmp_path / "e.csv").write_text("a,b\n" + "".join(f"{row * row},{row % 3}\n" for row in range(20)))
    with pytest.raises(InvalidInput, match=r"the columns are b \(whole\), a \(taken for the time\); name them"):
        propose(tmp_path / "e.csv")


def test_times_that_go_backwards_are_shown_as_they_are_written(tmp_path):
    (tmp_path / "e.csv").write_text("src,dst,t\n1,2,2025-03-03T10:00:00Z\n1,2,2025-03-01T10:29:02+00:00\n")
    with pytest.raises(
        InvalidInput, match=r"no time before the previous row's 2025-03-03T10:00:00Z, found '2025-03-01"
    ):
        read_events(tmp_path / "e.csv", StreamSchema())
