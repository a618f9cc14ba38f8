"""Files that people write, in YAML and JSON: what stands twice in one is refused, and so is what cannot be read."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from seedbed.contracts._documents import parse_json_once, parse_yaml
from seedbed.errors import InvalidInput, SeedbedError
from seedbed.gate import load_gate
from seedbed.integrations import JsonLines
from seedbed.records import read_json_with_hash
from seedbed.records.maintenance import load_retention
from seedbed.records.snapshot import load_schema
from seedbed.soak.tuners import read_rules
from seedbed.stages._config import load_config
from seedbed.stages._job import BegunJob
from seedbed.temporal._session_meta import read_meta

YAML = {
    "gate": load_gate,
    "retention": load_retention,
    "rules": read_rules,
    "configuration": load_config,
    "schema": load_schema,
}
TWICE = {
    "gate": "checks: [a <= 0]\n# more\nchecks: [a <= 1]\n",
    "retention": "rules: [{keep_last: 1}]\n# more\nrules: [{keep_last: 2}]\n",
    "rules": "rules: []\n# more\nrules: []\n",
    "configuration": "project: a\n# more\nproject: b\n",
    "schema": "name: A\nversion: 1\nname: B\nstages: {TRAINING: {}}\n",
}


@pytest.mark.parametrize("kind", YAML)
def test_a_key_that_stands_twice_is_refused_with_both_lines(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "it.yaml"
    path.write_text(TWICE[kind])
    with pytest.raises(InvalidInput, match=r"(?s)appears twice under one heading, first on line 1.*line 3, column 1"):
        YAML[kind](path)


@pytest.mark.parametrize("kind", YAML)
@pytest.mark.parametrize("text", ["[" * 3000, "[" * 3000 + "]" * 3000, '{"a":' * 3000, "a: 2024-13-45", "a: !!int b"])
def test_what_no_reader_of_yaml_can_read_is_refused_as_input(kind: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "it.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=r"nested too deeply|line 1, column 4"):
        YAML[kind](path)


@pytest.mark.parametrize("escape", ["\\U99999999", "\\U00110000", "\\UFFFFFFFF"])
@pytest.mark.parametrize("kind", YAML)
def test_a_character_that_does_not_exist_is_refused_with_its_line(kind: str, escape: str, tmp_path: Path) -> None:
    path = tmp_path / "it.yaml"
    path.write_text(f'# first\na: "{escape} < 3"\n')
    with pytest.raises(InvalidInput, match=r"(?s)it cannot be read: .*line 2, column"):
        YAML[kind](path)


def test_a_version_of_yaml_that_no_number_holds_is_refused() -> None:
    with pytest.raises(yaml.YAMLError, match=r"(?s)it cannot be read: .*line 1, column"):
        parse_yaml(f"%YAML {'1' * 5000}.1\n---\na: 1\n")


def test_a_check_in_json_whose_value_stands_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gate.json"
    path.write_text('{"checks": [\n{"metric": "metrics.test.loss", "op": "<=",\n"value": 0, "value": 1}]}')
    with pytest.raises(InvalidInput, match=r"(?s)value appears twice.*line 3, column 13"):
        load_gate(path)


@pytest.mark.parametrize(
    ("text", "key"),
    [("{a: 1, b: {c: 2, c: 2}}", "c"), ('"a": 1\na: 1', "a"), ("1: 1\n0x1: 2", "0x1"), ("<<: {}\n<<: {}", "<<")],
)
def test_keys_are_the_same_whose_values_are(text: str, key: str) -> None:
    with pytest.raises(yaml.YAMLError, match=f"^{key} appears twice"):
        parse_yaml(text)


def test_a_merged_key_may_be_written_again_and_a_mapping_may_come_again() -> None:
    text = "a: &a {x: 1, y: 2}\nb: &b {<<: *a, x: 3}\nc: {<<: *b, y: 4}\nd: *a\n1: one\n'1': text"
    a, b = {"x": 1, "y": 2}, {"x": 3, "y": 2}
    assert parse_yaml(text) == {"a": a, "b": b, "c": {"x": 3, "y": 4}, "d": a, 1: "one", "1": "text"}


def _import(path: Path) -> object:
    return JsonLines(path)


def _begun(path: Path) -> object:
    return BegunJob.read(path.parent)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("runs.jsonl", _import),
        ("job.json", _begun),
        ("meta.json", lambda path: read_meta(path.parent)),
        ("state.json", read_json_with_hash),
    ],
)
@pytest.mark.parametrize(
    ("text", "problem"),
    [('{"a": [{"b": 1, "b": 2}]}', "the key 'b' appears twice in one object"), ("[" * 100_000, "nested too deeply")],
)
def test_json_whose_key_stands_twice_or_that_is_too_deep_is_refused(
    name: str, read: Callable[[Path], object], text: str, problem: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(SeedbedError, match=re.escape(problem)):
        read(path)


def test_json_is_otherwise_read_as_ever() -> None:
    value = {"a": [1, 1.5, None, True, {"a": "é"}], "b": {}}
    assert parse_json_once(json.dumps(value)) == parse_json_once(json.dumps(value).encode()) == value


@pytest.mark.parametrize(("text", "read"), [("010", "8"), ("-017", "-15"), ("1:30", "90"), ("1:00:30.5", "3630.5")])
def test_a_number_to_another_base_than_it_looks_is_refused_with_what_it_is_read_as(text: str, read: str) -> None:
    with pytest.raises(yaml.YAMLError, match=f"reads {text} as {read}; write {read} if you mean that, or '{text}'"):
        parse_yaml(f"checks:\n  - {{metric: a, op: '>=', value: {text}}}\n")
    assert parse_yaml(f"value: '{text}'") == {"value": text}


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("00", 0), ("0.5", 0.5), ("1_000", 1000), ("0x10", 16), ("012.5", 12.5)]
)
def test_other_spellings_of_numbers_stay(text: str, value: float) -> None:
    assert parse_yaml(f"value: {text}") == {"value": value}
