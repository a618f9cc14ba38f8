import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_world import metadata

from seedbed.contracts import Stage
from seedbed.errors import InvalidInput, NotFound
from seedbed.records import (
    EXACT,
    EXPERIMENT,
    NOT_APPLICABLE,
    PANEL,
    REPLICATE,
    Catalog,
    FieldKind,
    MetadataField,
    MetadataSchema,
    Store,
    ablation,
    compare,
    digest,
    fsck,
    load_schema,
    not_applicable,
    parse_query,
    parse_schema,
    required_fields,
    verify,
)
from seedbed.records.snapshot._schema import ALWAYS, completed, default_schema, metadata_problems

EVERY_FIELD = [(stage, field) for stage in Stage for field in PANEL.fields(stage)]
IDS = [f"{stage}-{field.name}" for stage, field in EVERY_FIELD]
WRONG: dict[FieldKind, list[object]] = {
    FieldKind.TEXT: ["", "  ", 1, True, ["a"], {}],
    FieldKind.NAME: ["", "../up", "a b", 7, "x" * 101],
    FieldKind.COUNT: [-1, 1.5, True, "3", []],
    FieldKind.NUMBER: ["1", True, float("nan"), float("inf"), -float("inf"), []],
    FieldKind.DATE: ["yesterday", "2013-02-30", 20130101, "", []],
    FieldKind.CHOICE: ["windy", "", 1, ["dry"], True],
}
RIGHT: dict[FieldKind, list[object]] = {
    FieldKind.TEXT: ["a", "é"],
    FieldKind.NAME: ["a", "2013.v1_x-y"],
    FieldKind.COUNT: [0, 2**70],
    FieldKind.NUMBER: [0, -1.5, 2**2000],
    FieldKind.DATE: ["2013-01-01", "2013-01-01T00:00:00Z"],
    FieldKind.CHOICE: ["dry", "wet"],
}
SENSORS = """
name: SENSORS
version: 3
stages:
  TRAINING:
    num_sensors: {type: count}
    altitude: {type: number, nullable: true}
    season: {type: CHOICE, choices: [dry, wet], may_not_apply: true}
    installed: {type: date}
    operator: {type: text}
    site: {type: name}
  FEATURE_SELECTION: {}
"""
VALID = {
    "stage": "TRAINING",
    "run_id": "r1",
    "cohort_id": "c",
    "target": "t",
    "view": "v",
    "num_sensors": 3,
    "altitude": None,
    "season": "dry",
    "installed": "2020-01-01",
    "operator": "x",
    "site": "s",
}


def of_kind(kind):
    return MetadataField("x", kind, choices=("dry", "wet") if kind is FieldKind.CHOICE else ())


def refused(text):
    with pytest.raises(InvalidInput) as error:
        parse_schema(text, "mine.yaml")
    return str(error.value)


def test_the_panel_schema_has_the_fields_of_panels_of_entities():
    common = {"stage", "run_id", "cohort_id", "date_start", "date_end", "n_symbols", "n_effective", "target", "view"}
    common |= {"min_cs", "max_cs_samples"}
    assert PANEL.label == "PANEL/1"
    assert {stage: set(required_fields(stage)) for stage in Stage} == {
        Stage.TARGET_RANKING: common,
        Stage.FEATURE_SELECTION: common,
        Stage.TRAINING: common | {"model_family"},
    }


@pytest.mark.parametrize(("stage", "field"), EVERY_FIELD, ids=IDS)
def test_each_field_taken_away_is_the_only_offence(stage, field):
    whole = metadata("r1", stage)
    assert metadata_problems(stage, "r1", whole, PANEL) == []
    del whole[field.name]
    [problem] = metadata_problems(stage, "r1", whole, PANEL)
    assert problem == f"metadata.{field.name} is missing, expected {field.expected}"


@pytest.mark.parametrize(("stage", "field"), EVERY_FIELD, ids=IDS)
def test_each_field_refuses_null_and_not_applicable_unless_it_says_otherwise(stage, field):
    null = metadata_problems(stage, "r1", {**metadata("r1", stage), field.name: None}, PANEL)
    absent = metadata_problems(stage, "r1", {**metadata("r1", stage), field.name: NOT_APPLICABLE}, PANEL)
    assert null == ([] if field.nullable else [f"metadata.{field.name} is null, expected {field.expected}"])
    always = f"metadata.{field.name} always applies, expected {field.expected}"
    assert absent == ([] if field.may_not_apply else [always])


@pytest.mark.parametrize(("stage", "field"), EVERY_FIELD, ids=IDS)
def test_each_field_refuses_every_value_of_another_kind(stage, field):
    for value in WRONG[field.kind]:
        problems = metadata_problems(stage, "r1", {**metadata("r1", stage), field.name: value}, PANEL)
        assert problems[0] == f"metadata.{field.name} is {value!r}, expected {field.expected}"


@pytest.mark.parametrize("kind", FieldKind)
def test_a_kind_takes_what_is_right_and_refuses_what_is_wrong(kind):
    field = of_kind(kind)
    assert [value for value in RIGHT[kind] if not field.accepts(value)] == []
    assert [value for value in WRONG[kind] if field.accepts(value)] == []


@pytest.mark.slow
@given(
    st.sampled_from(list(Stage)),
    st.dictionaries(
        st.sampled_from([*required_fields(Stage.TRAINING), "views", "extra"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.just(NOT_APPLICABLE),
    ),
)
def test_every_field_that_is_wrong_is_named_and_no_other(stage, given_metadata):
    fields = {field.name: field for field in PANEL.fields(stage)}

    def wrong(name):
        if name not in given_metadata or name not in fields:
            return True
        value, field = given_metadata[name], fields[name]
        if value is None:
            return not field.nullable
        if value == NOT_APPLICABLE:
            return not field.may_not_apply
        return not field.accepts(value) or (name in {"stage", "run_id"} and value != {"stage": stage}.get(name, "r1"))

    said = metadata_problems(stage, "r1", given_metadata, PANEL)
    named = {problem.split()[0].removeprefix("metadata.") for problem in said}
    assert named == {name for name in fields.keys() | given_metadata.keys() if wrong(name)}


@pytest.mark.slow
def test_metadata_of_another_stage_or_run_is_refused_also_without_assertions(tmp_path):
    program = tmp_path / "problems.py"
    program.write_text(
        "import json, sys\n"
        "from seedbed.contracts import Stage\n"
        "from seedbed.records.snapshot._schema import PANEL, metadata_problems\n"
        "assert False, 'assertions are switched off'\n"
        "given = json.loads(sys.argv[1])\n"
        "print(json.dumps(metadata_problems(Stage.TRAINING, 'r1', given, PANEL)))\n"
    )
    others = {**metadata("r2"), "stage": "FEATURE_SELECTION"}
    run = [sys.executable, "-O", str(program), json.dumps(others)]
    said = json.loads(subprocess.run(run, capture_output=True, check=True).stdout)
    assert said == [
        "metadata.stage is 'FEATURE_SELECTION', but this is 'TRAINING'",
        "metadata.run_id is 'r2', but this is 'r1'",
    ]


def test_a_schema_of_another_domain_is_declared_in_one_file(tmp_path):
    path = tmp_path / "sensors.yaml"
    path.write_text(SENSORS, encoding="utf-8")
    schema = load_schema(path)
    assert schema.label == "SENSORS/3"
    assert required_fields(Stage.TRAINING, schema) == tuple(VALID)
    assert schema.fields(Stage.FEATURE_SELECTION) == ALWAYS
    assert metadata_problems(Stage.TRAINING, "r1", VALID, schema) == []
    assert not_applicable(Stage.FEATURE_SELECTION, schema) == dict.fromkeys(list(VALID)[:5], NOT_APPLICABLE)
    problems = metadata_problems(Stage.TRAINING, "r1", {**VALID, "season": "windy", "altitude": "high"}, schema)
    assert problems == [
        "metadata.altitude is 'high', expected a finite number",
        "metadata.season is 'windy', expected one of dry, wet",
    ]


def test_a_stage_that_a_schema_does_not_declare_has_no_records():
    schema = parse_schema(SENSORS, "sensors.yaml")
    assert required_fields(Stage.TARGET_RANKING, schema) == ()
    assert metadata_problems(Stage.TARGET_RANKING, "r1", VALID, schema) == [
        "metadata is for TARGET_RANKING, but SENSORS/3 declares only TRAINING, FEATURE_SELECTION"
    ]


@st.composite
def declared_fields(draw):
    kind = draw(st.sampled_from(FieldKind))
    choices = draw(st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=4, unique=True))
    name = draw(st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(lambda n: n not in ALWAYS_NAMES))
    return MetadataField(
        name, kind, draw(st.booleans()), draw(st.booleans()), tuple(choices) if kind is FieldKind.CHOICE else ()
    )


ALWAYS_NAMES = {field.name for field in ALWAYS}
FIELDS = st.lists(declared_fields(), max_size=4, unique_by=lambda field: field.name).map(tuple)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(list(Stage)), FIELDS, min_size=1), st.integers(1, 10**6))
def test_what_a_store_keeps_of_a_schema_reads_back_as_the_same_schema(stages, version):
    schema = MetadataSchema("SENSORS", version, stages)
    assert parse_schema(json.dumps(schema.declaration()), "the store") == schema


def test_every_offence_of_a_declaration_is_listed_at_once():
    said = refused(
        """
name: PANEL
version: true
author: me
stages:
  TRAINING:
    stage: {type: text}
    2x: {type: count}
    weight: {type: weight}
    height: {type: number, nullable: 1}
    season: {type: choice}
    colour: {type: text, choices: [red]}
    shape: {type: choice, choices: [round, round]}
    size: {type: choice, choices: [NOT_APPLICABLE]}
  FORECAST: {}
"""
    )
    assert said.startswith("the metadata schema mine.yaml is refused:\n")
    for fault in (
        "name is 'PANEL': this is the name of a schema that comes with Seedbed",
        "version is True",
        "author is 'me': no field has this name",
        "stages.TRAINING.stage is 'stage': every schema has this field; leave it out",
        "stages.TRAINING.2x is '2x': expected 1 to 64 of A-Z a-z 0-9 _, beginning with a letter",
        "stages.TRAINING.weight.type is 'WEIGHT'",
        "stages.TRAINING.height.nullable is 1",
        "stages.TRAINING.season is {'type': 'choice'}: choices and type: choice go together",
        "stages.TRAINING.colour is",
        "a choice appears twice",
        "stages.TRAINING.size.choices.0 is 'NOT_APPLICABLE': write may_not_apply: true instead",
        "stages.FORECAST is 'FORECAST'",
    ):
        assert f"\n  - {fault}" in said or fault in said.partition("shape is")[2], fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "it is None"),
        ("[]", "it is []"),
        ("{}", "version is missing"),
        ("name: a b\nversion: 1\nstages: {TRAINING: {}}", "cannot be a name"),
        (
            "name: EXPERIMENT\nversion: 2\nstages: {TRAINING: {}}",
            "this is the name of a schema that comes with Seedbed",
        ),
        ("name: A\nversion: 0\nstages: {TRAINING: {}}", "version is 0"),
        ("name: A\nversion: 1\nstages: {}", "stages is {}"),
        (
            "name: A\nname: A\nversion: 1\nstages: {TRAINING: {}}",
            'name appears twice under one heading, first on line 1; keep one of them\n  in "<unicode string>", line 2',
        ),
        ("name: A\nversion: 1\nstages: {TRAINING: {x: {type: 7}}}", "stages.TRAINING.x.type is 7"),
        ("a: b: c", "is not YAML"),
        ("a: &loop {b: *loop}", "a is {'b': {...}}"),
        ("? [a]\n: 1", "is not YAML"),
        ("!!python/object/apply:os.getcwd []", "is not YAML"),
    ],
)
def test_a_file_that_declares_no_schema_is_refused_with_what_is_wrong(text, fault):
    assert fault in refused(text)


def test_a_declaration_that_is_not_there_or_not_text_is_refused(tmp_path):
    with pytest.raises(NotFound, match="there is no metadata schema at"):
        load_schema(Path(tmp_path / "absent.yaml"))
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput, match="is not UTF-8"):
        load_schema(tmp_path / "binary.yaml")


def test_a_record_names_its_schema_and_keeps_what_it_declares(tmp_path):
    schema = parse_schema(SENSORS, "sensors.yaml")
    store = Store.open(tmp_path, create=True)
    run = store.start("plants", "r1", Stage.TRAINING)
    fingerprints = dict.fromkeys(("data", "split", "target", "feature"), NOT_APPLICABLE)
    with pytest.raises(InvalidInput, match=r"metadata\.num_sensors is not a field of TRAINING"):
        run.draft(VALID, {"test": {"ap": 0.5}}, fingerprints)
    commit = run.finish(run.draft(VALID, {"test": {"ap": 0.5}}, fingerprints, schema=schema))
    again = Store.open(tmp_path).log("plants").read(commit.seq)
    assert again.snapshot.schema_versions["metadata"] == "SENSORS/3"
    kept = store.blobs.get(again.snapshot.blobs["metadata_schema"])
    assert parse_schema(kept.decode(), "the store").declaration() == schema.declaration()
    assert fsck(store) == []


DIGESTS = {name: digest(name) for name in ("data", "split", "target", "feature")}


def finished(store, run_id, metadata=None, *, seed=0, lr=0.1, schema=None, **fingerprints):
    run = store.start("mine", run_id, Stage.TRAINING)
    run.log(1, {"loss": 0.5})
    config = {"seed": seed, "lr": lr}
    return run.finish(run.draft(metadata or {}, {"ap": 0.5}, {**DIGESTS, **fingerprints}, config, schema=schema))


@pytest.mark.parametrize("stage", Stage)
def test_an_experiment_is_asked_for_nothing_and_says_what_it_knows(stage):
    assert EXPERIMENT.label == "EXPERIMENT/1"
    assert required_fields(stage, EXPERIMENT) == ()
    nothing = completed(stage, "r1", {}, EXPERIMENT)
    assert metadata_problems(stage, "r1", nothing, EXPERIMENT) == []
    assert {name for name, value in nothing.items() if value != NOT_APPLICABLE} == {"stage", "run_id"}
    said = {"cohort_id": "all", "target": "digit", "view": "pixels"}
    assert completed(stage, "r1", said, EXPERIMENT) == {**nothing, **said}
    assert metadata_problems(stage, "r1", {**nothing, **said}, EXPERIMENT) == []


def test_an_experiment_is_as_closed_as_any_schema():
    def problems(**wrong):
        return metadata_problems(Stage.TRAINING, "r1", completed(Stage.TRAINING, "r1", wrong, EXPERIMENT), EXPERIMENT)

    assert problems(n_symbols=3) == [
        "metadata.n_symbols is not a field of TRAINING; put it in config, factors or documents"
    ]
    assert problems(targets="x") == ["metadata.targets is not a field of TRAINING; did you mean target?"]
    assert problems(run_id="r2") == ["metadata.run_id is 'r2', but this is 'r1'"]
    assert problems(cohort_id="../up")[0].startswith("metadata.cohort_id is '../up', expected 1 to 100 of")
    assert problems(target=None)[0].startswith("metadata.target is null")
    assert problems(stage=NOT_APPLICABLE)[0].startswith("metadata.stage always applies")


def test_metadata_that_names_a_field_of_panels_alone_is_of_the_panel_schema():
    for stage in Stage:
        assert default_schema(not_applicable(stage)) is PANEL
        shared = {name for name in required_fields(stage) if name in completed(stage, "r1", {}, EXPERIMENT)}
        assert default_schema(dict.fromkeys(shared)) is EXPERIMENT
        for name in {*required_fields(stage)} - shared:
            assert default_schema({name: NOT_APPLICABLE}) is PANEL
    assert default_schema({}) is EXPERIMENT


def test_experiments_are_recorded_compared_and_found_without_a_cohort(tmp_path):
    store = Store.open(tmp_path, create=True)
    first, again = finished(store, "r1"), finished(store, "r2")
    seeded, slower = finished(store, "r3", seed=1), finished(store, "r4", lr=0.01)
    assert {item.snapshot.schema_versions["metadata"] for item in (first, again, seeded, slower)} == {"EXPERIMENT/1"}
    assert "metadata_schema" not in first.snapshot.blobs
    judged = {
        item.snapshot.run_id: [
            compare(first.snapshot, item.snapshot, policy).comparable for policy in (EXACT, REPLICATE, ablation("lr"))
        ]
        for item in (again, seeded, slower)
    }
    assert judged == {"r2": [True, True, True], "r3": [False, True, False], "r4": [False, False, True]}
    assert slower.snapshot.diff_prev.prev_run_id == "r3"
    assert finished(store, "r5", {"target": "other"}).snapshot.diff_prev.prev_run_id is None
    assert finished(store, "r6", data=digest("other")).snapshot.diff_prev.prev_run_id is None
    assert store.log("mine").newest(NOT_APPLICABLE, Stage.TRAINING) == 6
    with Catalog.open(store) as catalog:
        assert [item.seq for item in catalog.search(parse_query("target = 'other'"))] == [5]
    assert fsck(store) == []
    assert all(check.holds for view in store.runs() for check in verify(store, view))


def test_a_run_of_the_panel_schema_is_the_predecessor_of_an_experiment_that_says_the_same(tmp_path):
    store = Store.open(tmp_path, create=True)
    said = {"cohort_id": "all", "target": "price", "model_family": "mlp"}
    panel = finished(store, "r1", not_applicable(Stage.TRAINING) | said)
    plain = finished(store, "r2", said)
    assert panel.snapshot.schema_versions["metadata"] == "PANEL/1"
    assert plain.snapshot.schema_versions["metadata"] == "EXPERIMENT/1"
    assert (plain.snapshot.diff_prev.prev_run_id, plain.snapshot.diff_prev.policy) == ("r1", "EXACT")
    declared = finished(store, "r3", said, schema=EXPERIMENT)
    assert declared.snapshot.metadata == {**plain.snapshot.metadata, "run_id": "r3"}
