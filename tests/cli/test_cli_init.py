"""`seedbed init EVENTS`: what it guesses, why, and that `train` then reads the file as it is."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from seedbed.errors import InvalidInput
from seedbed.stages import TrainingSettings, load_config, load_events
from seedbed.temporal import propose

START = datetime(2024, 3, 1, 10, tzinfo=UTC)
NUM = 120
COLOURS = ["red", "blue", "green", "grey"]


def rows(template, separator=","):
    """A table whose cells are the values of Python expressions over the row's number `i`."""
    names, expressions = zip(*(field.split("=", 1) for field in template.split(" | ")), strict=True)
    lines = [separator.join(names)]
    for i in range(NUM):
        when = START + timedelta(minutes=i)
        values = (eval(expression, {"i": i, "when": when, "COLOURS": COLOURS}) for expression in expressions)
        lines.append(separator.join(map(str, values)))
    return "\n".join(lines) + "\n"


def proposed(cli, name):
    """Run `init` on the file and return its data settings, after the file was read with them."""
    answer = cli("init", name)
    assert answer.code == 0, answer.err
    data = load_config(Path("seedbed.yaml")).data
    assert len(load_events(Path(name), data, sort=True)) == NUM
    return answer.err, data


def test_users_items_and_unix_seconds(cli):
    Path("e.csv").write_text(rows("user_id=i%7 | item_id=i%5 | ts=1700000000+i | amount=i/8 | colour=COLOURS[i%4]"))
    said, data = proposed(cli, "e.csv")
    columns = data.columns
    assert (columns.src, columns.dst, columns.t, columns.bipartite) == ("user_id", "item_id", "ts", True)
    assert (columns.features, columns.categorical, data.time_unit) == (("amount", "colour"), ("colour",), "seconds")
    for reason in (
        "t ts: from its name",
        "in it the times lie between 1990 and 2100",
        "colour is a category: text of 4",
    ):
        assert reason in said
        assert reason in Path("seedbed.yaml").read_text()
    assert "seedbed train e.csv --config seedbed.yaml\n" in said


def test_a_german_table_of_excel(cli):
    text = rows("Kunde=i%7 | Geschäft='Laden %d'%(i%5) | Zeit=when.strftime('%d.%m.%Y %H:%M') | Betrag='%d,5'%i", ";")
    Path("e.csv").write_text(text, encoding="latin-1")
    _, data = proposed(cli, "e.csv")
    columns = data.columns
    assert (columns.src, columns.dst, columns.t, columns.features) == ("Kunde", "Geschäft", "Zeit", ("Betrag",))
    assert (data.file.encoding, data.file.decimal, data.file.time_format) == ("cp1252", ",", "%d.%m.%Y %H:%M")
    stream = load_events(Path("e.csv"), data)
    assert (int(stream.t[0]), stream.features[3, 0]) == (int(START.timestamp()), 3.5)
    assert "Laden 4" in stream.names


@pytest.mark.parametrize(
    ("name", "table", "src", "dst", "t", "unit"),
    [
        (
            "e.txt",
            rows("s=i%7 | d=i%5 | t=1082040961+i", " ").partition("\n")[2],
            "column_1",
            "column_2",
            "column_3",
            "seconds",
        ),
        (
            "e.CSV",
            rows("=i | from='a%d'%(i%5) | to='a%d'%(i%7) | when=when.isoformat()"),
            "from",
            "to",
            "when",
            "seconds",
        ),
        ("e.tsv", rows("when=1700000000250+i | a=i%5 | b=i%7", "\t"), "a", "b", "when", "milliseconds"),
        ("e.csv", rows("time=1700000000+i*.25 | who=i%5 | whom=i%7"), "who", "whom", "time", "milliseconds"),
        (
            "e.csv",
            rows("x=i%5 | y2=i%7 | seen=when.strftime('%Y-%m-%dT%H:%M:%S.123456Z')"),
            "x",
            "y2",
            "seen",
            "microseconds",
        ),
        ("e.csv", rows("user_id=i%5 | item_id=i%7 | timestamp=i*36.0"), "user_id", "item_id", "timestamp", "other"),
        (
            "e.csv",
            rows("user_id=i%5 | item_id=i%7 | timestamp=i*36.5"),
            "user_id",
            "item_id",
            "timestamp",
            "milliseconds",
        ),
        ("e.csv", rows("n=i+3 | t=3*i | source=i%5 | target=i%7"), "source", "target", "t", "other"),
    ],
)
def test_ends_time_and_unit_are_found(cli, name, table, src, dst, t, unit):
    Path(name).write_text(table)
    _, data = proposed(cli, name)
    assert (data.columns.src, data.columns.dst, data.columns.t, data.time_unit) == (src, dst, t, unit)


@pytest.mark.parametrize("name", ["e.parquet", "e.arrow", "e.jsonl"])
def test_typed_files_are_looked_at_too(cli, name):
    when = [START + timedelta(minutes=i) for i in range(NUM)]
    ids = [f"n{i % 5}" for i in range(NUM)], [f"n{(i + 1) % 7}" for i in range(NUM)]
    truth = [i % 2 == 0 for i in range(NUM)]
    frame = pl.DataFrame({"sender": ids[0], "receiver": ids[1], "date": when, "ok": truth, "same": [1] * NUM})
    if name == "e.jsonl":
        frame.with_columns(pl.col("date").dt.to_string("iso:strict")).write_ndjson(name)
    else:
        frame.write_parquet(name) if name == "e.parquet" else frame.write_ipc(name)
    said, data = proposed(cli, name)
    assert (data.columns.src, data.columns.dst, data.columns.bipartite) == ("sender", "receiver", False)
    assert data.columns.features == ("ok",)
    assert "same is left out: it holds one value or none" in said
    assert int(load_events(Path(name), data).t[0]) == int(START.timestamp())


def test_empty_words_booleans_labels_and_long_texts(cli):
    table = rows(
        "src=i%5 | dst=i%7 | t=i | x=['NA','1.5','-','2'][i%4] | ok=['yes','no'][i%2] | label=i%2 | note='n%d'%(i//2)"
    )
    Path("e.csv").write_text(table)
    said, data = proposed(cli, "e.csv")
    assert (data.file.null, data.columns.features, data.columns.label) == (("-", "NA"), ("x", "ok"), "label")
    assert "note is left out: text of 60 values" in said


def test_a_date_that_may_be_read_in_two_ways_is_said(cli):
    Path("e.csv").write_text(rows("src=i%5 | dst=i%7 | t=(when.strftime('%m/%d/%Y'))"))
    said, data = proposed(cli, "e.csv")
    assert data.file.time_format == "%d/%m/%Y"
    assert "and so does %m/%d/%Y: check which is meant" in said


def test_unsorted_events_are_proposed_to_be_sorted(cli):
    Path("e f.csv").write_text(rows("src=i%5 | dst=i%7 | t=9999-i"))
    answer = cli("init", "e f.csv", "my job.yaml")
    assert "seedbed train 'e f.csv' --config 'my job.yaml' --sort" in answer.err


def test_nothing_is_overwritten_without_force(cli):
    Path("e.csv").write_text(rows("src=i%5 | dst=i%7 | t=i"))
    Path("seedbed.yaml").write_text("mine")
    assert cli("init", "e.csv").code == 2
    assert Path("seedbed.yaml").read_text() == "mine"
    assert cli("init", "e.csv", "--force").code == 0
    assert load_config(Path("seedbed.yaml")).data.time_unit == "other"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\nx,y\n", "expected a time"),
        ("t,x\n5,1.5\n6,2.5\n", "expected a source and a destination"),
        ("src,dst,t\n", "found none"),
    ],
)
def test_what_shows_no_events_is_refused(cli, content, words):
    Path("e.csv").write_text(content)
    answer = cli("init", "e.csv")
    assert (answer.code, words in answer.err) == (2, True)
    assert not Path("seedbed.yaml").exists()


def test_a_file_that_is_not_there_and_a_folder_are_refused(cli):
    assert "no such file" in cli("init", "events.parquet").err
    Path("sessions").mkdir()
    assert "sessions keep their columns" in cli("init", "sessions").err


def test_a_torn_file_is_refused_as_such(tmp_path):
    path = tmp_path / "e.csv.gz"
    path.write_bytes(b"\x1f\x8b torn")
    with pytest.raises(InvalidInput, match="torn"):
        propose(path)


@pytest.mark.parametrize("name", ["events.xlsx", "events", "events.parquet.zip", "job.yml.bak", "Events.XLS"])
def test_no_other_file_is_taken_for_the_place_to_write_to(cli, name):
    Path(name).write_bytes(b"mine")
    for force in ((), ("--force",)):
        answer = cli("init", name, *force)
        assert (answer.code, "is no file of events that can be read" in answer.err) == (2, True)
    assert Path(name).read_bytes() == b"mine"
    assert not Path("seedbed.yaml").exists()


@pytest.mark.parametrize("place", [("f.csv",), ("--out", "f.csv"), ("f.xlsx",)])
def test_a_second_file_of_events_is_never_written_to(cli, place):
    Path("e.csv").write_text(rows("src=i%5 | dst=i%7 | t=i"))
    Path(place[-1]).write_bytes(b"mine")
    answer = cli("init", "e.csv", *place, "--force")
    assert (answer.code, "--out" in answer.err) == (2, True)
    assert Path(place[-1]).read_bytes() == b"mine"


@pytest.mark.parametrize("place", [("job.YML",), ("--out", "job.cfg")])
def test_a_place_for_the_proposal_is_taken(cli, place):
    Path("e.csv").write_text(rows("src=i%5 | dst=i%7 | t=i"))
    assert cli("init", "e.csv", *place).code == 0
    assert load_config(Path(place[-1])).data.time_unit == "other"


@pytest.mark.parametrize(
    ("template", "asked"),
    [
        ("src=i%7+i%2 | dst=i%7+1-i%2 | t=i", True),  # each pair of neighbours in either direction
        ("src=i%7 | dst=i%7+1 | t=i", False),
        ("src=i%7 | dst=i%7 | t=i", False),  # nothing but self loops
        ("src=i%7+i%2 | dst=100+i%7 | t=i", False),
    ],
)
def test_contacts_are_asked_for_where_pairs_meet_in_both_directions(cli, template, asked):
    Path("e.csv").write_text(rows(template))
    said, data = proposed(cli, "e.csv")
    assert ("undirected false, but check it" in said) is asked
    assert said.count("undirected false") == 1
    assert not data.columns.undirected


def test_how_many_pairs_meet_in_both_directions_is_counted(tmp_path):
    path = tmp_path / "e.csv"
    path.write_text("src,dst,t\n1,2,1\n2,1,2\n2,3,3\n3,2,4\n3,4,5\n3,4,6\n4,5,7\n5,5,8\n")
    (said,) = (reason for reason in propose(path).reasons if reason.startswith("undirected"))
    assert "2 of 3 pairs that met more than once did so in both directions, and 4 of 5 ids are at both ends" in said
    assert "set it to true if neither end acts on the other" in said


def test_what_is_known_only_later_by_its_name_is_named(cli):
    Path("e.csv").write_text(rows("caller=i%5 | callee=i%7 | t=i | call_duration=i/8 | backend=i%3"))
    said, data = proposed(cli, "e.csv")
    assert data.columns.features == ("call_duration", "backend")
    assert "features call_duration, backend: taken as known when the event happens" in said
    assert "  call_duration: by the name, known only after the event" in said


@pytest.mark.parametrize(
    "template",
    [
        "Vorgangs-Nr.='V%07d'%i | Kundennummer=i%7 | Artikelcode=i%5 | t=i",
        "Kundennummer=i%7 | uuid='%032x'%(i*i+7) | Artikelcode=i%5 | t=i",
        "Beleg=4711+i*3 | Kundennummer=i%7 | Artikelcode=i%5 | t=i",
        "user='V%07d'%i | Kundennummer=i%7 | Artikelcode=i%5 | t=i",
    ],
)
def test_a_column_whose_values_never_repeat_is_no_node(cli, template):
    Path("e.csv").write_text(rows(template))
    said, data = proposed(cli, "e.csv")
    assert (data.columns.src, data.columns.dst) == ("Kundennummer", "Artikelcode")
    number = next(name for name in ("Vorgangs-Nr.", "uuid", "Beleg", "user") if name in template)
    assert data.columns.event_id == number
    assert f"event_id {number}: every value is different: it may be a document number, no node" in said


def test_a_document_number_of_which_one_comes_again_is_left_out(cli):
    Path("e.csv").write_text(rows("Vorgang='V%d'%max(i,1) | Kundennummer=i%7 | Artikelcode=i%5 | t=i"))
    said, data = proposed(cli, "e.csv")
    assert (data.columns.src, data.columns.event_id) == ("Kundennummer", None)
    assert "Vorgang is left out: 119 of 120 values are different: it may be a document number, no node" in said


def test_where_too_few_rows_tell_it_is_asked(cli):
    Path("e.csv").write_text("Vorgang,Kunde,t\n" + "".join(f"V{i},{i % 5},{i}\n" for i in range(99)))
    assert "Vorgang, but check it: every value is different so far" in cli("init", "e.csv").err
    Path("f.csv").write_text("Vorgang,Kunde,t\n" + "".join(f"V{i},{i % 5},{i}\n" for i in range(100)))
    refused = cli("init", "f.csv", "--force").err
    assert "the columns are Vorgang (text, every value is different), Kunde (whole)" in refused


def test_of_a_long_file_the_first_rows_tell_only_if_all_are_different(cli):
    def long(name, repeated):
        numbers = [f"V{i - 1 if i == repeated else i}" for i in range(10_000)]
        lines = (f"{number},{i % 7},{i % 5},{i}\n" for i, number in enumerate(numbers))
        Path(name).write_text("Vorgang,Kundennummer,Artikelcode,t\n" + "".join(lines))
        return cli("init", name, "--force").err

    assert "Vorgang is left out: every value is different: it may be a document number, no node; if that" in long(
        "a.csv", 0
    )
    assert "src Vorgang, dst Kundennummer" in (said := long("b.csv", 9_000))
    assert "Vorgang, but check it: 9,999 of 10,000 values are different so far" in said


@pytest.mark.parametrize(
    ("features", "named"),
    [
        ("latency_ms=i/8 | backend=i%3", "latency_ms"),
        ("Reklamiert=i%2 | Reklamation bekannt am=(when.isoformat()) | Menge=i%3", "Reklamiert"),
        ("Gemahnt=i%2 | Gemahnt am=(when.isoformat()) | order_value=i%3 | order_date=(when.isoformat())", "Gemahnt"),
    ],
)
def test_a_name_that_tells_an_outcome_is_named(cli, features, named):
    Path("e.csv").write_text(rows(f"caller=i%5 | callee=i%7 | t=i | {features}"))
    said, _ = proposed(cli, "e.csv")
    assert f"  {named}: by the name, known only after the event" in said


@pytest.mark.parametrize(("num_events", "cdc"), [(9_999, "OFF"), (10_000, "AUTO")])
def test_a_small_file_is_not_compiled_for_and_the_reason_is_written(cli, num_events, cdc):
    Path("e.csv").write_text("src,dst,t\n" + "".join(f"{i % 5},{i % 7},{i}\n" for i in range(num_events)))
    assert cli("init", "e.csv").code == 0
    assert load_config(Path("seedbed.yaml")).runtime.cdc == cdc
    assert ("# cdc off: compiling the model takes" in Path("seedbed.yaml").read_text()) is (cdc == "OFF")


def test_a_small_file_gets_a_batch_size_with_which_nothing_is_short(cli):
    Path("e.csv").write_text(rows("src=i%5 | dst=i%7 | t=i"))
    said, _ = proposed(cli, "e.csv")
    training = load_config(Path("seedbed.yaml")).training
    assert training == TrainingSettings(batch_size=2, warmup_steps=8)  # 84 to train, 18 to test: 8 batches, 84 steps
    assert "batch_size 2, warmup_steps 8: with so few events, larger values leave too few steps" in said


def test_a_large_file_keeps_the_default_training(cli):
    Path("e.csv").write_text("src,dst,t\n" + "".join(f"{i % 5},{i % 7},{i}\n" for i in range(10_000)))
    assert cli("init", "e.csv").code == 0
    assert load_config(Path("seedbed.yaml")).training == TrainingSettings()


@pytest.mark.parametrize(
    ("name", "project"), [("shop.csv", "shop"), ("shop.csv.gz", "shop"), ("my shop.csv", "default"), ("1.csv", '"1"')]
)
def test_the_project_is_called_as_the_file_if_it_may_be(name, project, cli):
    rows = "src,dst,t\n" + "".join(f"{at % 7},{at % 5},{at}\n" for at in range(50))
    Path(name).write_bytes(gzip.compress(rows.encode()) if name.endswith(".gz") else rows.encode())
    assert cli("init", name).code == 0
    assert f"project: {project} " in Path("seedbed.yaml").read_text()
