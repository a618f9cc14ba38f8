"""A table whose lines do not fit is refused with line and cause, by a proposal in the same words as by reading."""

import csv
import gzip
import io

import pytest

from seedbed.errors import InvalidInput
from seedbed.temporal import FileFormat, StreamSchema, propose, read_events
from seedbed.temporal.files import _bad_records

ROWS = [[str(row % 5), str(row % 7), str(row)] for row in range(9)]


def written(folder, text, name="events.csv"):
    content = text.encode()
    (folder / name).write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
    return folder / name


def refusals(path):
    """What reading says, and what a proposal says, without the place of the file."""
    said = []
    for look in (lambda: read_events(path, StreamSchema()), lambda: propose(path)):
        with pytest.raises(InvalidInput) as caught:
            look()
        said.append(str(caught.value).removeprefix(f"{path}: "))
    return said


@pytest.mark.parametrize("name", ["events.csv", "events.csv.gz"])
@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_a_separator_at_the_end_of_each_row_is_named(tmp_path, mark, name):
    text = f"src{mark}dst{mark}t\n" + "".join(mark.join([*row, ""]) + "\n" for row in ROWS)
    expected = (
        f"line 2: expected 3 fields, as line 1 has, found 4; the last is empty: remove the {mark!r} at the end of each "
        "line, or name that column too"
    )
    assert refusals(written(tmp_path, text, name)) == [expected] * 2
    named = text.replace("t\n", f"t{mark}\n", 1)
    assert read_events(written(tmp_path, named, name), StreamSchema()).t.tolist() == list(range(9))


@pytest.mark.parametrize("row", [0, 4, 8])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_row_of_too_many_fields_is_named_by_its_line(tmp_path, row, ends):
    lines = [["name", "src", "dst", "t"], *(["one,\ntwo", *fields] for fields in ROWS)]
    lines[row + 1] = ["one", "two", *ROWS[row]]
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator=ends).writerows(lines)
    text = buffer.getvalue() if ends == "\n" else buffer.getvalue().replace("one,\ntwo", "one, two")
    line = row + 2 + (row if ends == "\n" else 0)  # each name of two lines before it is one line more
    for said in refusals(written(tmp_path, text)):
        assert said.startswith(f"line {line}: expected 4 fields, as line 1 has, found 5; put a text that holds ','")


@pytest.mark.parametrize(("row", "line"), [("2,2,5\0", 3), ("é,2,\0", 3), ("2,2,5\n1,\0,6", 4)])
def test_a_zero_byte_is_named_by_its_line(tmp_path, row, line):
    path = written(tmp_path, f"src,dst,t\n1,2,3\n{row}\n" + "é,2,4\n" * 9999)
    with pytest.raises(
        InvalidInput, match=f"line {line}: expected text in UTF-8, found a zero byte; set data.file.enc"
    ):
        read_events(path, StreamSchema())


@pytest.mark.parametrize("cell", ["", '""', '" "', "NA", "?"])
def test_a_time_that_is_always_empty_is_told_to_be_needed(tmp_path, cell):
    path = written(tmp_path, "user,item,t\n" + "".join(f"u{row % 3},i{row % 5},{cell}\n" for row in range(60)))
    with pytest.raises(InvalidInput, match="every event needs its time: write it there, or drop the row"):
        propose(path)


def test_a_quote_that_is_not_closed_is_named_by_its_line(tmp_path):
    text = "src,dst,t\n1,2,3\n" + '1,"2,4\n' + "1,3,5\n" * 9
    for said in refusals(written(tmp_path, text)):
        assert said.startswith("line 3: a double quote is not closed")


@pytest.mark.parametrize("row", [0, 4, 8])
@pytest.mark.parametrize("name", ["events.csv", "events.csv.gz"])
def test_a_row_of_too_few_fields_is_named_by_its_line(tmp_path, name, row):
    lines = ["src,dst,t,x", *(",".join([*fields, "1"]) for fields in ROWS), "", ""]
    whole = written(tmp_path, "\n".join(lines), name)
    assert len(read_events(whole, StreamSchema(features=("x",)))) == len(ROWS)
    lines[row + 1] = lines[row + 1].removesuffix(",1")
    expected = (
        f"line {row + 2}: expected 4 fields, as line 1 has, found 3; write a ',' before each cell that is missing too, "
        "or remove the line"
    )
    assert refusals(written(tmp_path, "\n".join(lines), name)) == [expected] * 2


def test_a_long_text_is_read_and_a_later_line_that_is_broken_is_the_one_named(tmp_path):
    lines = ["src,dst,t,note", *(",".join([*fields, "a" * 140_000]) for fields in ROWS)]
    read = read_events(written(tmp_path, "\n".join(lines)), StreamSchema())
    assert read.t.tolist() == list(range(9))
    for said in refusals(written(tmp_path, "\n".join([*lines, "1,2,9,a,b"]))):
        assert said.startswith("line 11: expected 4 fields, as line 1 has, found 5")
    with pytest.raises(InvalidInput, match=r"row 10, column 'src': expected a value, found an empty cell on line 11;"):
        read_events(written(tmp_path, "\n".join([*lines, ",2,9,a"])), StreamSchema())


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("num_blank", [0, 1, 3])
def test_blank_lines_at_the_beginning_are_counted_as_lines(tmp_path, num_blank, ends, header):
    lines = [""] * num_blank + ["src,dst,t"] * header + [",".join(row) for row in ROWS]
    schema = StreamSchema() if header else StreamSchema(src="column_1", dst="column_2", t="column_3")
    form = FileFormat(header=header)
    assert read_events(written(tmp_path, ends.join(lines)), schema, file=form).t.tolist() == list(range(9))
    line = num_blank + header + 3
    for broken, said in [
        ("1,2,3,4", f"line {line}: expected 3 fields, as line {num_blank + 1} has, found 4"),
        (",3,2", f"row 3, column '{schema.src}': expected a value, found an empty cell on line {line};"),
    ]:
        lines[line - 1] = broken
        with pytest.raises(InvalidInput, match=said):
            read_events(written(tmp_path, ends.join(lines)), schema, file=form)


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
@pytest.mark.parametrize("texts", ["5", '"a,b"', '"a\nb"', '"a ""b"""', '5"x"', '""'])
def test_a_field_more_or_less_is_seen_beside_any_text_and_where_chunks_end(tmp_path, monkeypatch, texts, chunk):
    monkeypatch.setattr(_bad_records, "_CHUNK_BYTES", chunk)
    lines = ["note,src,dst,t", *(",".join([texts, *row]) for row in ROWS)]
    path = written(tmp_path, "\n".join(lines))
    assert read_events(path, StreamSchema()).t.tolist() == list(range(9))
    for broken in (lines[5] + ",1", lines[5].rpartition(",")[0]):
        found = 5 if broken.endswith(",1") else 3
        line = 6 + 4 * texts.count("\n")
        for said in refusals(written(tmp_path, "\n".join([*lines[:5], broken, *lines[6:]]))):
            assert said.startswith(f"line {line}: expected 4 fields, as line 1 has, found {found}")


@pytest.mark.parametrize("text", ['"x"y', '19" rack', ' "a,b"'])
def test_a_quote_at_an_odd_place_shifts_no_column_in_silence(tmp_path, text):
    lines = ["src,dst,t,note", *(",".join([*row, "a"]) for row in ROWS)]
    lines[5] = ",".join([*ROWS[4], text])
    for said in refusals(written(tmp_path, "\n".join(lines))):
        assert said.startswith("line 6: ")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", ["events.csv", "events.csv.gz", "events.txt"])
def test_lines_that_end_in_cr_alone_are_read(tmp_path, name, encoding):
    content = ("src,dst,t\r" + "".join(",".join(row) + "\r" for row in ROWS)).encode(encoding)
    path = tmp_path / name
    path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
    read = read_events(path, StreamSchema())
    assert read.t.tolist() == [int(row[2]) for row in ROWS]
    found = propose(path)
    assert (found.columns.t, found.file.encoding, found.num_events) == ("t", None, 9)


@pytest.mark.parametrize(("ends", "line"), [("\r\n\n\n", 1), ("\n\n\r\n", 3), ("\n\r\n\n", 2)])
def test_lines_of_which_one_ends_in_cr_alone_are_refused_with_its_number(tmp_path, ends, line):
    rows = ["src,dst,t", *(",".join(row) for row in ROWS[:3])]
    path = written(tmp_path, "".join(row + end for row, end in zip(rows, ends, strict=True)))
    expected = f"line {line}: ends in CR alone, other lines in LF; write all line ends as LF or as CR LF"
    assert refusals(path) == [expected] * 2


@pytest.mark.parametrize("header", ["src,dst,t,t", "src,dst,t,dst"])
def test_a_name_that_stands_twice_is_refused_by_a_proposal_as_by_reading(tmp_path, header):
    path = written(tmp_path, f"{header}\n" + "".join(f"{row % 3},{row % 5},{row},{row}\n" for row in range(9)))
    name = "dst" if header.endswith("dst") else "t"
    assert refusals(path) == [f"line 1: column '{name}' stands there twice; remove or rename one"] * 2


@pytest.mark.parametrize("num_blank", [0, 2])
def test_a_name_that_stands_twice_is_said_where_a_column_is_missed_and_no_other_name_is_invented(tmp_path, num_blank):
    rows = "".join(f"{row % 3},{row % 5},{row},{row}\n" for row in range(9))
    path = written(tmp_path, "\n" * num_blank + f"customer,shop,t,customer\n{rows}")
    expected = f"line {num_blank + 1}: column 'customer' stands there twice; remove or rename one"
    assert refusals(path) == [expected] * 2
    rows = rows.replace("\n", ",\n")
    with pytest.raises(InvalidInput, match="column 'src': no such column; the file has customer, shop, t;"):
        read_events(written(tmp_path, f"customer,shop,t,,\n{rows}"), StreamSchema())


@pytest.mark.parametrize("header", ["src,dst,t,t,t_duplicated_0", "src,dst,t,t_duplicated_0,t"])
def test_a_name_that_stands_twice_is_said_where_a_third_one_is_the_name_that_would_be_invented(tmp_path, header):
    path = written(tmp_path, f"{header}\n" + "".join(f"{row % 3},{row % 5},{row},{row},{row}\n" for row in range(9)))
    assert refusals(path) == ["line 1: column 't' stands there twice; remove or rename one"] * 2


@pytest.mark.parametrize(
    ("header", "meant", "said"),
    [
        ("src,dst,t,,", ("src", "dst", "t", ()), "2 columns without a name"),
        (",dst,t,x,", ("dst", "x", "t", ()), "2 columns without a name"),
        ("src,dst,t, ,x", ("src", "dst", "t", ("x",)), "1 column without a name"),
    ],
)
def test_a_column_without_a_name_gets_no_meaning_and_no_other_name(tmp_path, header, meant, said):
    rows = "".join(f"{row % 3},{row % 5},{row},{row % 4},{row % 7 * 0.5}\n" for row in range(60))
    found = propose(written(tmp_path, f"{header}\n{rows}"))
    assert (found.columns.src, found.columns.dst, found.columns.t, found.columns.features) == meant
    assert f"{said} left out: name them in the header to use them" in found.reasons


def test_a_key_that_stands_twice_in_a_line_is_refused_by_a_proposal_too(tmp_path):
    path = written(tmp_path, '{"src": 1, "dst": 2, "t": 3}\n{"src": 1, "dst": 2, "t": 4, "t": 9}\n', "events.jsonl")
    assert refusals(path) == ["line 2: column 't' stands there twice; remove or rename one"] * 2


def test_two_columns_without_a_name_and_a_first_event_of_equal_cells_are_no_repeated_names(tmp_path):
    rows = "".join(f"{row % 3},{row % 5},{row},,\n" for row in range(9))
    assert propose(written(tmp_path, f"src,dst,t,,\n{rows}")).columns.t == "t"
    rows = "".join(f"{row % 3},{row % 3},{1_700_000_000 + row}\n" for row in range(9))
    assert propose(written(tmp_path, rows)).columns.t == "column_3"


@pytest.mark.parametrize("mark", ["§", "€", '"', "\n", "\r"])
def test_a_separator_that_separates_no_fields_is_refused_where_it_is_declared(mark):
    with pytest.raises(ValueError, match="give an ASCII character that is no quote or line end"):
        FileFormat(separator=mark)


TABBED = "user\titem\ttime\tamount, EUR, net, total, x\n1\t2\t1700000000\t0.5\n1\t3\t1700000060\t1.5\n"


def test_the_separator_is_one_that_cuts_all_first_lines_alike_and_not_the_header_most(tmp_path):
    path = written(tmp_path, TABBED, "events.tsv")
    found = propose(path)
    assert found.file.separator in (None, "\t")
    assert (found.columns.src, found.columns.dst, found.columns.t) == ("user", "item", "time")
    assert found.columns.features == ("amount, EUR, net, total, x",)
    assert len(read_events(path, found.columns, file=found.file)) == 2


def test_a_last_line_that_is_cut_by_the_look_at_the_beginning_tells_nothing_of_the_separator(tmp_path):
    rows = "".join(f"1;2;{number};'{'a, b' * 2000}'\n" for number in range(30))  # the look ends within a row
    path = written(tmp_path, f"src;dst;t;note\n{rows}")
    assert propose(path).columns.t == "t"
    assert len(read_events(path, StreamSchema(), file=FileFormat(separator=";"))) == 30


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=,"])
def test_a_line_for_excel_is_told_to_be_removed(tmp_path, line):
    path = written(tmp_path, f"{line}\r\nuser;item;time\r\n1;2;1700000000\r\n")
    for read in (propose, lambda path: read_events(path, StreamSchema(src="user", dst="item", t="time"))):
        with pytest.raises(InvalidInput, match=r"line 1: .* is a line for Excel alone; remove it"):
            read(path)
