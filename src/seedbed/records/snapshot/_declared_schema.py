"""Metadata schemas of other domains, which users declare in a YAML file with a name and a version.

name: SENSORS
version: 1
stages:
  TRAINING:
    num_sensors: {type: count}
    season: {type: choice, choices: [dry, wet], may_not_apply: true}
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from seedbed.contracts import Message, Stage
from seedbed.contracts._documents import parse_yaml
from seedbed.contracts._faults import plain_words
from seedbed.errors import InvalidInput, NotFound
from seedbed.records.canonical._names import require_name
from seedbed.records.snapshot._schema import (
    ALWAYS,
    EXPERIMENT,
    NOT_APPLICABLE,
    PANEL,
    SHIPPED,
    FieldKind,
    MetadataField,
    MetadataSchema,
)

__all__ = ["load_schema", "parse_schema"]

_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_ALWAYS = {field.name for field in ALWAYS}


def _field_name(name: str) -> str:
    if not _FIELD_NAME.fullmatch(name):
        raise ValueError("expected 1 to 64 of A-Z a-z 0-9 _, beginning with a letter")
    if name in _ALWAYS:
        raise ValueError("every schema has this field; leave it out")
    return name


def _schema_name(name: str) -> str:
    if name in {schema.name for schema in SHIPPED}:
        raise ValueError("this is the name of a schema that comes with Seedbed; choose another")
    return require_name("schema", name)


def _choice(choice: str) -> str:
    if choice == NOT_APPLICABLE:
        raise ValueError("write may_not_apply: true instead")
    return choice


def _upper(word: object) -> object:
    return word.upper() if isinstance(word, str) and not isinstance(word, StrEnum) else word


class _DeclaredField(Message):
    type: Annotated[FieldKind, BeforeValidator(_upper)]
    nullable: Annotated[bool, Field(strict=True)] = False
    may_not_apply: Annotated[bool, Field(strict=True)] = False
    choices: tuple[Annotated[str, Field(strict=True, min_length=1), AfterValidator(_choice)], ...] = ()

    @model_validator(mode="after")
    def _choices_of_a_choice(self) -> Self:
        if (self.type is FieldKind.CHOICE) != bool(self.choices):
            raise ValueError("choices and type: choice go together; give both or neither")
        if len(set(self.choices)) < len(self.choices):
            raise ValueError("a choice appears twice")
        return self


class _DeclaredSchema(Message):
    name: Annotated[str, Field(strict=True), AfterValidator(_schema_name)]
    version: Annotated[int, Field(strict=True, ge=1)]
    stages: Annotated[
        dict[Stage, dict[Annotated[str, AfterValidator(_field_name)], _DeclaredField]], Field(min_length=1)
    ]


def load_schema(path: Path) -> MetadataSchema:
    """The schema that the YAML file at `path` declares. Raises NotFound, and InvalidInput as `parse_schema`."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(
            f"there is no metadata schema at {path}; write one, or use {EXPERIMENT.label} or {PANEL.label}"
        ) from None
    except UnicodeDecodeError as problem:
        raise InvalidInput(f"the metadata schema {path} is not UTF-8: {problem}; save it as UTF-8") from None
    return parse_schema(text, str(path))


def parse_schema(text: str, source: str) -> MetadataSchema:
    """The schema declared by `text`, in YAML or JSON; `source` names its origin in errors.

    Raises InvalidInput with the line of what is no YAML and of a key that appears twice, or with every unknown key and
    wrong value at once.
    """
    try:
        schema = _DeclaredSchema.model_validate(parse_yaml(text))
    except yaml.YAMLError as problem:
        raise InvalidInput(f"the metadata schema {source} is not YAML: {problem}; correct it") from None
    except ValidationError as problem:
        raise InvalidInput("\n  - ".join((f"the metadata schema {source} is refused:", *_faults(problem)))) from None
    return MetadataSchema(
        name=schema.name,
        version=schema.version,
        stages={stage: tuple(_field(*item) for item in fields.items()) for stage, fields in schema.stages.items()},
    )


def _field(name: str, declared: _DeclaredField) -> MetadataField:
    return MetadataField(name, declared.type, declared.nullable, declared.may_not_apply, declared.choices)


def _faults(problem: ValidationError) -> Iterator[str]:
    for fault in problem.errors(include_url=False):
        where = ".".join(str(part) for part in fault["loc"] if part != "[key]") or "it"
        found = "missing" if fault["type"] == "missing" else f"{fault['input']!r}"
        yield f"{where} is {found}: {plain_words(fault)}"
