"""Schemas of the metadata that each stage must have. A released version never changes; changes get a new version.

Missing, null and not-applicable are different. A missing field is refused, unless the schema says that it may be left
out: then it is NOT_APPLICABLE. Null means that the field applies and has no value (no cap on samples). NOT_APPLICABLE
means that the field makes no sense for this data.
"""

import difflib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from seedbed.contracts import Stage
from seedbed.records.canonical._canonical import Json
from seedbed.records.canonical._names import NAME_RULE, is_name

__all__ = [
    "ALWAYS",
    "EXPERIMENT",
    "NOT_APPLICABLE",
    "PANEL",
    "SCHEMA_BLOB",
    "SHIPPED",
    "UNKNOWN",
    "FieldKind",
    "MetadataField",
    "MetadataSchema",
    "completed",
    "default_schema",
    "metadata_problems",
    "not_applicable",
    "required_fields",
]

NOT_APPLICABLE = "NOT_APPLICABLE"
# The fingerprint of an input that the run had and of which nobody told the digest.
UNKNOWN = "UNKNOWN"
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
    """One field of the metadata. `choices` are the allowed texts of a CHOICE field.

    A field that `may_be_left_out` is NOT_APPLICABLE then, or what the run itself says; all others are required.
    """

    name: str
    kind: FieldKind
    nullable: bool = False
    may_not_apply: bool = False
    choices: tuple[str, ...] = ()
    may_be_left_out: bool = False

    @property
    def expected(self) -> str:
        """What the field must hold, in words."""
        return f"one of {', '.join(self.choices)}" if self.kind is FieldKind.CHOICE else _EXPECTED[self.kind]

    def accepts(self, value: object) -> bool:
        """Whether `value`, neither null nor NOT_APPLICABLE, is valid for the field."""
        return value in self.choices if self.kind is FieldKind.CHOICE else _ACCEPTS[self.kind](value)


@dataclass(frozen=True)
class MetadataSchema:
    """The fields of each stage in a domain, besides `common`; other stages cannot be recorded."""

    name: str
    version: int
    stages: Mapping[Stage, tuple[MetadataField, ...]]
    common: tuple[MetadataField, ...] = field(default_factory=lambda: ALWAYS)

    @property
    def label(self) -> str:
        """The name and version as a record names them, such as PANEL/1."""
        return f"{self.name}/{self.version}"

    def fields(self, stage: Stage) -> tuple[MetadataField, ...]:
        """All fields of `stage`; none for a stage that is not listed."""
        return (*self.common, *self.stages[stage]) if stage in self.stages else ()

    def declaration(self) -> dict[str, Json]:
        """A declared schema as JSON, without ALWAYS: it is stored with the records, and `parse_schema` reads it."""
        stages: dict[str, Json] = {
            stage.value: {each.name: _declared(each) for each in fields} for stage, fields in self.stages.items()
        }
        return {"name": self.name, "version": self.version, "stages": stages}


def default_schema(metadata: Mapping[str, object]) -> MetadataSchema:
    """The schema of metadata that comes without one: EXPERIMENT, or PANEL if a field is named that only PANEL has."""
    return PANEL if metadata.keys() & {each.name for each in _PANEL} else EXPERIMENT


def completed(stage: Stage, run_id: str, metadata: Mapping[str, Any], schema: MetadataSchema) -> dict[str, Any]:
    """`metadata` with the fields that may be left out: stage and run_id as given, all others NOT_APPLICABLE."""
    own = {"stage": stage.value, "run_id": run_id}
    optional = (each.name for each in schema.fields(stage) if each.may_be_left_out)
    return {**{name: own.get(name, NOT_APPLICABLE) for name in optional}, **metadata}


def metadata_problems(stage: Stage, run_id: str, metadata: Mapping[str, object], schema: MetadataSchema) -> list[str]:
    """Everything that is wrong with `metadata` for `stage` of `run_id`, one sentence each; empty when it is valid."""
    if stage not in schema.stages:
        return [f"metadata is for {stage.value}, but {schema.label} declares only {', '.join(schema.stages)}"]
    known = {each.name: each for each in schema.fields(stage)}
    problems = [_field_problem(each, metadata) for each in known.values()]
    problems += [_unknown(name, stage, tuple(known)) for name in sorted(metadata.keys() - known.keys())]
    problems += _wrong_identity(stage, run_id, metadata)
    return [problem for problem in problems if problem]


def _wrong_identity(stage: Stage, run_id: str, metadata: Mapping[str, object]) -> Iterator[str]:
    for each, current in zip(ALWAYS, (stage.value, run_id), strict=False):
        found = metadata.get(each.name)
        if each.accepts(found) and found not in (current, NOT_APPLICABLE):
            yield f"metadata.{each.name} is {found!r}, but this is {current!r}"


def _field_problem(each: MetadataField, metadata: Mapping[str, object]) -> str:
    if each.name not in metadata:
        return f"metadata.{each.name} is missing, expected {each.expected}"
    value = metadata[each.name]
    if value is None:
        return "" if each.nullable else f"metadata.{each.name} is null, expected {each.expected}"
    if value == NOT_APPLICABLE:
        return "" if each.may_not_apply else f"metadata.{each.name} always applies, expected {each.expected}"
    return "" if each.accepts(value) else f"metadata.{each.name} is {value!r}, expected {each.expected}"


def _unknown(name: str, stage: Stage, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else "; put it in config, factors or documents"
    return f"metadata.{name} is not a field of {stage.value}{hint}"


def _declared(each: MetadataField) -> dict[str, Json]:
    declared: dict[str, Json] = {
        "type": each.kind.value.lower(),
        "nullable": each.nullable,
        "may_not_apply": each.may_not_apply,
    }
    return {**declared, "choices": list(each.choices)} if each.choices else declared


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

# A declared schema and PANEL have these fields. The first two must match the recorded run, here and in EXPERIMENT.
ALWAYS: tuple[MetadataField, ...] = (
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
# For any experiment: nothing is asked for. What is said of cohort, target, view and model is compared as in PANEL.
EXPERIMENT = MetadataSchema(
    name="EXPERIMENT",
    version=1,
    stages=MappingProxyType(
        {
            Stage.TARGET_RANKING: (),
            Stage.FEATURE_SELECTION: (),
            Stage.TRAINING: (MetadataField("model_family", FieldKind.TEXT, may_not_apply=True, may_be_left_out=True),),
        }
    ),
    common=(
        MetadataField("stage", FieldKind.TEXT, may_be_left_out=True),
        MetadataField("run_id", FieldKind.NAME, may_be_left_out=True),
        *(
            MetadataField(name, kind, may_not_apply=True, may_be_left_out=True)
            for name, kind in (("cohort_id", FieldKind.NAME), ("target", FieldKind.TEXT), ("view", FieldKind.TEXT))
        ),
    ),
)
# The schemas that come with Seedbed; the declaration of any other is stored with its records.
SHIPPED = (PANEL, EXPERIMENT)


def required_fields(stage: Stage, schema: MetadataSchema = PANEL) -> tuple[str, ...]:
    """The names of the metadata fields that `stage` requires; EXPERIMENT, the schema of most drafts, requires none."""
    return tuple(each.name for each in schema.fields(stage) if not each.may_be_left_out)


def not_applicable(stage: Stage, schema: MetadataSchema = PANEL) -> dict[str, object]:
    """Metadata of `stage` in which every required field is NOT_APPLICABLE, to be updated with those that apply.

    A draft of what this returns for PANEL is of PANEL, since it names fields that only PANEL has. Metadata of
    EXPERIMENT needs no such start: its fields may be left out.
    """
    return dict.fromkeys(required_fields(stage, schema), NOT_APPLICABLE)
