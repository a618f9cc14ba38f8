"""Numbers with signs between thousands are read where they can mean one thing only, and else refused with advice."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.errors import InvalidInput
from seedbed.temporal import FileFormat, StreamSchema, propose, read_events
from seedbed.temporal.files._column_guess import guess_column
from seedbed.temporal.files._decimals import plain_decimals

X = StreamSchema(src="a", dst="b", t="t", features=("x",))


def table(folder, cells):
    path = folder / "e.csv"
    path.write_text("a;b;t;x\n" + "".join(f"1;2;{row};{cell}\n" for row, cell in enumerate(cells)))
    return path


@pytest.mark.parametrize(
    ("decimal", "cells", "meant"),
    [
        (",", ["1.450,31", "0,5", "12"], [1450.31, 0.5, 12]),
        (",", ["1.450", "-1.234.567"], [1450, -1234567]),
        (",", ["1450,31", "+1.450,31"], [1450.31, 1450.31]),
        (".", ["1,450.31", "0.5", "12"], [1450.31, 0.5, 12]),
        (".", ["1,234,567", "1,000"], [1234567, 1000]),
    ],
)
def test_thousands_are_read_with_their_decimal_sign(tmp_path, decimal, cells, meant):
    features = read_events(table(tmp_path, cells), X, file=FileFormat(decimal=decimal)).features[:, 0]
    assert features.tolist() == pytest.approx(meant)


@pytest.mark.parametrize(
    ("decimal", "cells", "row", "words"),
    [
        (",", ["1.450,31", "12.34"], 2, "points may only stand between thousands"),
        (",", ["0.125"], 1, "points may only stand between thousands"),
        (",", ["1.4500"], 1, "points may only stand between thousands"),
        (",", ["1,450.31"], 1, "points may only stand between thousands"),
        (",", ["01.450"], 1, "points may only stand between thousands"),
        (".", ["1.450,31"], 1, 'set data.file.decimal to ","'),
        (".", ["1,450"], 1, "if it means thousands, drop the comma"),
        (".", ["1,450.31", "2,5"], 2, "thousands in other cells, each before three digits: write 2,5 so too"),
        (".", ["1,450.31", "1,450,00"], 2, "thousands in other cells, each before three digits: write 1,450,00 so too"),
        (".", ["1,450,00"], 1, "1,450,00 is no number: signs between thousands stand before groups of three digits"),
        (".", ["12,34,567"], 1, "12,34,567 is no number: signs between thousands stand before groups of three digits"),
        (".", ["1,450e3"], 1, 'set data.file.decimal to ","'),  # in no number with an exponent stand signs of thousands
        (".", ["1,450,0e3"], 1, "1,450,0e3 is no number: signs between thousands stand before groups of three digits"),
        (".", ["1,450.31", "2,5e3"], 2, "thousands in other cells, each before three digits: write 2,5e3 so too"),
        (".", ["1,450.31", "7", "Meyer, Hans"], 3, "if Meyer, Hans means an empty cell, add it to data.file.null"),
        (",", ["1,450,300"], 1, "data.file.decimal is a comma, so it stands once, before the fraction"),
        (".", ["1", "2", "3", "unbekannt"], 4, "if unbekannt means an empty cell, add it to data.file.null"),
        (",", ["1,5", "k.A."], 2, "if k.A. means an empty cell, add it to data.file.null"),
        (",", ["1,5", "2.000,5", "z. B."], 3, "if z. B. means an empty cell, add it to data.file.null"),
    ],
)
def test_what_could_mean_another_number_is_refused(tmp_path, decimal, cells, row, words):
    with pytest.raises(InvalidInput, match=f"row {row}, column 'x'") as caught:
        read_events(table(tmp_path, cells), X, file=FileFormat(decimal=decimal))
    assert words in str(caught.value)


@given(st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1))
def test_every_number_that_python_groups_is_read_as_it_is(numbers):
    english = [f"{number:,.2f}" for number in [*numbers, Decimal("1234.50")]]
    german = [text.translate(str.maketrans(",.", ".,")) for text in english]
    meant = [f"{number:.2f}" for number in [*numbers, Decimal("1234.50")]]
    assert plain_decimals(pl.Series(english), ".").to_list() == meant
    assert plain_decimals(pl.Series(german), ",").to_list() == meant
    guesses = [guess_column(pl.Series("x", cells)) for cells in (english, german)]
    assert [(guess.kind, guess.decimal) for guess in guesses] == [("fraction", "."), ("fraction", ",")]


def german_export(folder, num=600):
    """A table as a German spreadsheet writes it, with its sums in whole cents."""
    cents = [(row * 7919) % 500_000 + 1 for row in range(num)]
    lines = ["Kunde;Geschäft;Zeit;Betrag;Farbe"]
    for row, cent in enumerate(cents):
        sum_ = f"{cent // 100:,}".replace(",", ".") + f",{cent % 100:02d}"
        when = f"{row // 48 + 1:02d}.03.2024 {row // 2 % 24:02d}:{row % 2 * 30:02d}"
        sum_ = "k.A." if row % 50 == 7 else sum_
        lines.append(f"{row % 9};Laden {row % 5};{when};{sum_};{['rot', 'grün', 'blau'][row % 3]}")
    path = folder / "export.csv"
    path.write_bytes("\r\n".join([*lines, ""]).encode("latin-1"))
    return path, cents


def test_a_german_export_is_proposed_and_read(tmp_path):
    path, cents = german_export(tmp_path)
    found = propose(path)
    assert (found.columns.src, found.columns.dst, found.columns.t) == ("Kunde", "Geschäft", "Zeit")
    assert (found.columns.features, found.columns.categorical) == (("Betrag", "Farbe"), ("Farbe",))
    assert (found.file.decimal, found.file.null, found.file.time_format) == (",", ("k.A.",), "%d.%m.%Y %H:%M")
    stream = read_events(path, found.columns, file=found.file, time_unit=found.time_unit)
    assert stream.feature_names == ("Betrag", "Farbe=blau", "Farbe=grün", "Farbe=rot")
    for row, (read, cent) in enumerate(zip(stream.features[:, 0].tolist(), cents, strict=True)):
        assert (read != read) if row % 50 == 7 else read == pytest.approx(cent / 100)


def test_a_german_export_without_its_settings_is_refused_with_them(tmp_path):
    path, _ = german_export(tmp_path)
    columns = StreamSchema(src="Kunde", dst="Geschäft", t="Zeit", features=("Betrag",), bipartite=True)
    form = {"encoding": "latin-1", "time_format": "%d.%m.%Y %H:%M"}
    with pytest.raises(InvalidInput, match=r'set data\.file\.decimal to ","'):
        read_events(path, columns, file=FileFormat.model_validate({**form, "null": ["k.A."]}))
    with pytest.raises(InvalidInput, match=r"if k\.A\. means an empty cell, add it to data\.file\.null"):
        read_events(path, columns, file=FileFormat.model_validate({**form, "decimal": ","}))


def test_more_values_than_a_category_may_have_are_never_proposed_as_one(tmp_path):
    for kinds, advised in ((256, True), (257, False)):
        path = table(tmp_path, [f"n{row % kinds}" for row in range(400)])
        (reason,) = (each for each in propose(path).reasons if each.startswith("x is left out"))
        assert ("add it to features and categorical" in reason) is advised


def test_points_among_commas_are_left_out_unless_they_can_be_thousands(tmp_path):
    path = tmp_path / "e.csv"
    rows = [f"{row % 3};{row % 4};{row};{row},5;{row}.25;{row + 1}.250\n" for row in range(90)]
    path.write_text("src;dst;t;comma;point;thousand\n" + "".join(rows))
    found = propose(path)
    assert found.columns.features == ("comma", "thousand")
    assert "point is left out: its numbers have a decimal point, others a comma" in found.reasons
    assert read_events(path, found.columns, file=found.file).features[1].tolist() == [1.5, 2250]


@pytest.mark.parametrize("cells", [["1,450", "12"], ["1,000", "199,000"], ["-1,450", "+2,000"]])
def test_a_comma_that_nothing_explains_is_left_out_with_both_readings(tmp_path, cells):
    path = table(tmp_path, cells * 9)
    found = propose(path)
    assert (found.columns.features, found.file.decimal) == ((), ".")
    plain = cells[0].replace(",", "")
    (said,) = (reason for reason in found.reasons if reason.startswith("x is left out"))
    assert f"{cells[0]} may mean {cells[0].replace(',', '.')}, with a decimal comma, or {plain}, with a comma" in said
    assert 'set data.file.decimal to "," and add x to features, or write it without the comma' in said
    as_told = read_events(path, X, file=FileFormat(decimal=",")).features[:2, 0].tolist()
    assert as_told == pytest.approx([float(cell.replace(",", ".")) for cell in cells])
    without = propose(table(tmp_path, [cell.replace(",", "") for cell in cells] * 9))
    assert without.columns.features == ("x",)


@pytest.mark.parametrize("cell", ["12,5", "0,125", "1.000,250", "01,450", "1,4500"])
def test_one_cell_tells_that_the_comma_of_its_column_is_decimal(tmp_path, cell):
    found = propose(table(tmp_path, ["1,450", cell] * 9))
    assert (found.columns.features, found.file.decimal) == (("x",), ",")
    assert "1,450 may mean" not in "\n".join(found.reasons)


@pytest.mark.parametrize("name", ["other", "label"])
def test_another_column_tells_that_the_comma_is_decimal_and_the_reading_is_said(tmp_path, name):
    path = tmp_path / "e.csv"
    path.write_text(
        f"src;dst;t;x;{name}\n" + "".join(f"{row % 3};{row % 4};{row};1,45{row};{row},5\n" for row in range(9))
    )
    found = propose(path)
    assert found.file.decimal == ","
    assert "x: 1,450 is read as 1.450; if it means 1450, write it without the comma" in found.reasons
    assert read_events(path, found.columns, file=found.file).features[0, 0] == pytest.approx(1.45)


def test_a_comma_stands_before_the_fraction_in_numbers_with_an_exponent_too(tmp_path):
    """As pandas writes small numbers with a decimal comma; one such cell shows the sign of its column."""
    cells = ["1,5e-01", "2,5E+2", "-1e1", "0,25"] * 15
    path = table(tmp_path, cells)
    found = propose(path)
    assert (found.columns.features, found.columns.categorical, found.file.decimal) == (("x",), (), ",")
    read = read_events(path, found.columns, file=found.file).features[:4, 0].tolist()
    assert read == pytest.approx([0.15, 250, -10, 0.25])
    assert propose(table(tmp_path, ["1,450"] * 59 + ["1,450e3"])).file.decimal == ","  # no thousands can be meant


@pytest.mark.parametrize("odd", ["1,450,00", "12,34,567"])
def test_numbers_of_which_one_is_grouped_wrongly_are_left_out_with_that_one(tmp_path, odd):
    for num, at in ((60, 45), (150, 3)):  # so many that they may be document numbers else
        path = table(tmp_path, [odd if row == at else f"{row}.5" for row in range(num)])
        found = propose(path)
        assert (found.columns.features, found.columns.event_id) == ((), None)
        assert f"x is left out: {odd} is no number: signs between thousands" in "\n".join(found.reasons)


@pytest.mark.parametrize(
    ("cells", "is_category"),
    [
        (["1,2,3", "1,2", "4,5,6,7", "none,1,2"], True),  # lists
        (["1,450,00", "2,450,00", "3,450,00", "4,450,00"], True),
        ([f"{row},2,3" for row in range(30)], False),  # more values than a category should have
    ],
)
def test_texts_that_are_all_odd_numbers_may_be_names_or_lists(tmp_path, cells, is_category):
    found = propose(table(tmp_path, cells * 15))
    assert found.columns.categorical == (("x",) if is_category else ())
    assert "is no number" not in "\n".join(found.reasons)


@pytest.mark.parametrize(
    ("header", "row", "named"),
    [("src,dst,t", '{0},{1},"1,{2}"', "t"), ("src,dst,zeit,paid", '{0},{1},"1,{2}",2024-01-31', "zeit")],
)
def test_a_time_whose_comma_may_mean_two_things_is_refused_with_both(tmp_path, header, row, named):
    path = tmp_path / "e.csv"
    lines = [row.format(i % 3, i * 7 % 5, 100 + i) for i in range(60)]
    path.write_text("\n".join([header, *lines]))
    both = "1,100 may mean 1.100, with a decimal comma, or 1100, with a comma between thousands"
    with pytest.raises(InvalidInput, match=f"column '{named}': expected times, as its name says, but {both}"):
        propose(path)
    with pytest.raises(InvalidInput, match=r"row 1, column .*: expected a whole number.*; write it without the comma"):
        read_events(path, StreamSchema(t=named))


def test_ids_whose_comma_may_mean_two_things_are_named_where_no_node_is_left(tmp_path):
    path = tmp_path / "e.csv"
    path.write_text("user,item,t\n" + "".join(f'"1,{100 + i % 5}",{i % 7},{i}\n' for i in range(60)))
    with pytest.raises(InvalidInput, match=r"user \(of which 1,100 may mean 1\.100, with a decimal comma, or 1100,"):
        propose(path)
