"""The metadata that each stage must give, as a closed schema. Append-only: a released field is never taken away.

Missing, null and not-applicable are three things. A missing field is always refused. Null says that the field applies
and is known to have no value (no cap on samples). NOT_APPLICABLE says that the field means nothing for this data.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from seedbed.contracts import Stage
from seedbed.records._names import NAME_RULE, is_name

__all__ = ["NOT_APPLICABLE", "metadata_offences", "not_applicable", "required_fields"]

NOT_APPLICABLE = "NOT_APPLICABLE"


@dataclass(frozen=True)
class _Field:
    name: str
    expected: str
    accepts: Callable[[object], bool]
    nullable: bool = False
    may_not_apply: bool = True


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_date(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value) is not None
    except ValueError:
        return False


_DATE = "an ISO 8601 date or time"
_COUNT = "a whole number of at least 0"
_TEXT = "a text that is not empty"

_EVERY_STAGE = (
    _Field("stage", "the stage's name", _is_text, may_not_apply=False),
    _Field("run_id", NAME_RULE, is_name, may_not_apply=False),
    _Field("cohort_id", NAME_RULE, is_name, may_not_apply=False),
    _Field("date_start", _DATE, _is_date),
    _Field("date_end", _DATE, _is_date),
    _Field("n_symbols", _COUNT, _is_count),
    _Field("n_effective", _COUNT, _is_count),
    _Field("target", _TEXT, _is_text, may_not_apply=False),
    _Field("view", _TEXT, _is_text),
    _Field("min_cs", _COUNT, _is_count),
    _Field("max_cs_samples", _COUNT, _is_count, nullable=True),
)
_FIELDS = {
    Stage.TARGET_RANKING: _EVERY_STAGE,
    Stage.FEATURE_SELECTION: _EVERY_STAGE,
    Stage.TRAINING: (*_EVERY_STAGE, _Field("model_family", _TEXT, _is_text, may_not_apply=False)),
}


def required_fields(stage: Stage) -> tuple[str, ...]:
    """The names of the metadata that `stage` requires; nothing else is accepted."""
    return tuple(field.name for field in _FIELDS[stage])


def not_applicable(stage: Stage) -> dict[str, object]:
    """Metadata of `stage` in which no field applies: what does is laid over it, and a few always must be."""
    return dict.fromkeys(required_fields(stage), NOT_APPLICABLE)


def metadata_offences(stage: Stage, run_id: str, metadata: Mapping[str, object]) -> list[str]:
    """Everything that keeps `metadata` from describing `stage` of `run_id`, a sentence each; empty when all is well."""
    offences = [_offence(field, metadata) for field in _FIELDS[stage]]
    offences += [_unknown(name, stage) for name in sorted(set(metadata) - set(required_fields(stage)))]
    offences += [
        f"metadata.{name} is {metadata[name]!r}, but this is {current!r}"
        for name, current in (("stage", stage.value), ("run_id", run_id))
        if is_name(metadata.get(name)) and metadata[name] != current
    ]
    return [offence for offence in offences if offence]


def _offence(field: _Field, metadata: Mapping[str, object]) -> str:
    if field.name not in metadata:
        return f"metadata.{field.name} is missing, expected {field.expected}"
    value = metadata[field.name]
    if value is None:
        return "" if field.nullable else f"metadata.{field.name} is null, expected {field.expected}"
    if value == NOT_APPLICABLE:
        return "" if field.may_not_apply else f"metadata.{field.name} always applies, expected {field.expected}"
    return "" if field.accepts(value) else f"metadata.{field.name} is {value!r}, expected {field.expected}"


def _unknown(name: str, stage: Stage) -> str:
    near = difflib.get_close_matches(name, required_fields(stage), n=1)
    hint = f"; did you mean {near[0]}?" if near else "; put it in config, factors or documents"
    return f"metadata.{name} is not a field of {stage.value}{hint}"
