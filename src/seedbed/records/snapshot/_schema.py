"""Schemas of the metadata that each stage must have. A released version never changes; changes get a new version.

Missing, null and not-applicable are different. A missing field is always refused. Null means that the field applies and
has no value (no cap on samples). NOT_APPLICABLE means that the field makes no sense for this data.
"""

import difflib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from seedbed.contracts import Stage
from seedbed.records.canonical._canonical import Json
from seedbed.records.canonical._names import NAME_RULE, is_name

__all__ = [
    "ALWAYS",
    "NOT_APPLICABLE",
    "PANEL",
    "SCHEMA_BLOB",
    "FieldKind",
    "MetadataField",
    "MetadataSchema",
    "metadata_problems",
    "not_applicable",
    "required_fields",
]

NOT_APPLICABLE = "NOT_APPLICABLE"
# The name of the blob that holds the declaration of a record's schema.
SCHEMA_BLOB = "metadata_schema"


class FieldKind(StrEnum):
    """What a field of the metadata may hold."""

    TEXT = "TEXT"
    NAME = "NAME"
    COUNT = "COUNT"
    NUMBER = "NUMBER"
    DATE = "DATE"
    CHOICE = "CHOICE"


@dataclass(frozen=True)
class MetadataField:
    """One required field of the metadata. `choices` are the allowed texts of a CHOICE field."""

    name: str
    kind: FieldKind
    nullable: bool = False
    may_not_apply: bool = False
    choices: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """What the field must hold, in words."""
        return f"one of {', '.join(self.choices)}" if self.kind is FieldKind.CHOICE else _EXPECTED[self.kind]

    def accepts(self, value: object) -> bool:
        """Whether `value`, neither null nor NOT_APPLICABLE, is valid for the field."""
        return value in self.choices if self.kind is FieldKind.CHOICE else _ACCEPTS[self.kind](value)


@dataclass(frozen=True)
class MetadataSchema:
    """The fields that each stage of a domain requires, besides ALWAYS; other stages cannot be recorded."""

    name: str
    version: int
    stages: Mapping[Stage, tuple[MetadataField, ...]]

    @property
    def label(self) -> str:
        """The name and version as a record names them, such as PANEL/1."""
        return f"{self.name}/{self.version}"

    def fields(self, stage: Stage) -> tuple[MetadataField, ...]:
        """All fields that `stage` requires; none for a stage that is not listed."""
        return (*ALWAYS, *self.stages[stage]) if stage in self.stages else ()

    def declaration(self) -> dict[str, Json]:
        """The schema as JSON, without ALWAYS: it is stored with the records, and `parse_schema` reads it."""
        stages: dict[str, Json] = {
            stage.value: {field.name: _declared(field) for field in fields} for stage, fields in self.stages.items()
        }
        return {"name": self.name, "version": self.version, "stages": stages}


def required_fields(stage: Stage, schema: MetadataSchema | None = None) -> tuple[str, ...]:
    """The names of the metadata fields that `stage` requires, by default in PANEL; no others are accepted."""
    return tuple(field.name for field in (schema or PANEL).fields(stage))


def not_applicable(stage: Stage, schema: MetadataSchema | None = None) -> dict[str, object]:
    """Metadata of `stage` in which every field is NOT_APPLICABLE, to be updated with the fields that apply."""
    return dict.fromkeys(required_fields(stage, schema), NOT_APPLICABLE)


def metadata_problems(
    stage: Stage, run_id: str, metadata: Mapping[str, object], schema: MetadataSchema | None = None
) -> list[str]:
    """Everything that is wrong with `metadata` for `stage` of `run_id`, one sentence each; empty when it is valid."""
    chosen = schema or PANEL
    if stage not in chosen.stages:
        return [f"metadata is for {stage.value}, but {chosen.label} declares only {', '.join(chosen.stages)}"]
    required = {field.name: field for field in chosen.fields(stage)}
    problems = [_field_problem(field, metadata) for field in required.values()]
    problems += [_unknown(name, stage, tuple(required)) for name in sorted(metadata.keys() - required.keys())]
    problems += _wrong_identity(stage, run_id, metadata)
    return [problem for problem in problems if problem]


def _wrong_identity(stage: Stage, run_id: str, metadata: Mapping[str, object]) -> Iterator[str]:
    for field, current in zip(ALWAYS, (stage.value, run_id), strict=False):
        found = metadata.get(field.name)
        if field.accepts(found) and found not in (current, NOT_APPLICABLE):
            yield f"metadata.{field.name} is {found!r}, but this is {current!r}"


def _field_problem(field: MetadataField, metadata: Mapping[str, object]) -> str:
    if field.name not in metadata:
        return f"metadata.{field.name} is missing, expected {field.expected}"
    value = metadata[field.name]
    if value is None:
        return "" if field.nullable else f"metadata.{field.name} is null, expected {field.expected}"
    if value == NOT_APPLICABLE:
        return "" if field.may_not_apply else f"metadata.{field.name} always applies, expected {field.expected}"
    return "" if field.accepts(value) else f"metadata.{field.name} is {value!r}, expected {field.expected}"


def _unknown(name: str, stage: Stage, required: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, required, n=1)
    hint = f"; did you mean {near[0]}?" if near else "; put it in config, factors or documents"
    return f"metadata.{name} is not a field of {stage.value}{hint}"


def _declared(field: MetadataField) -> dict[str, Json]:
    declared: dict[str, Json] = {
        "type": field.kind.value.lower(),
        "nullable": field.nullable,
        "may_not_apply": field.may_not_apply,
    }
    return {**declared, "choices": list(field.choices)} if field.choices else declared


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -math.inf < value < math.inf


def _is_date(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value) is not None
    except ValueError:
        return False


_ACCEPTS: Mapping[FieldKind, Callable[[object], bool]] = {
    FieldKind.TEXT: _is_text,
    FieldKind.NAME: is_name,
    FieldKind.COUNT: _is_count,
    FieldKind.NUMBER: _is_number,
    FieldKind.DATE: _is_date,
}
_EXPECTED: Mapping[FieldKind, str] = {
    FieldKind.TEXT: "a text that is not empty",
    FieldKind.NAME: NAME_RULE,
    FieldKind.COUNT: "a whole number of at least 0",
    FieldKind.NUMBER: "a finite number",
    FieldKind.DATE: "an ISO 8601 date or time",
}

# Comparison needs these fields in every domain. The first two must match the recorded run.
ALWAYS = (
    MetadataField("stage", FieldKind.TEXT),
    MetadataField("run_id", FieldKind.NAME),
    MetadataField("cohort_id", FieldKind.NAME),
    MetadataField("target", FieldKind.TEXT),
    MetadataField("view", FieldKind.TEXT, may_not_apply=True),
)
_PANEL = (
    MetadataField("date_start", FieldKind.DATE, may_not_apply=True),
    MetadataField("date_end", FieldKind.DATE, may_not_apply=True),
    MetadataField("n_symbols", FieldKind.COUNT, may_not_apply=True),
    MetadataField("n_effective", FieldKind.COUNT, may_not_apply=True),
    MetadataField("min_cs", FieldKind.COUNT, may_not_apply=True),
    MetadataField("max_cs_samples", FieldKind.COUNT, nullable=True, may_not_apply=True),
)
PANEL = MetadataSchema(
    name="PANEL",
    version=1,
    stages=MappingProxyType(
        {
            Stage.TARGET_RANKING: _PANEL,
            Stage.FEATURE_SELECTION: _PANEL,
            Stage.TRAINING: (*_PANEL, MetadataField("model_family", FieldKind.TEXT)),
        }
    ),
)
