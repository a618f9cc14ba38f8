"""The configuration of one training job: a YAML file's sections, checked before anything is read or written."""

from pathlib import Path
from typing import Annotated, Literal, Self, final

import yaml
from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer, model_validator

from seedbed.contracts import Message
from seedbed.contracts._documents import parse_yaml
from seedbed.contracts._faults import faults_of
from seedbed.errors import InvalidInput, NotFound
from seedbed.gate import Check, parse_gate
from seedbed.gate._spec import unquoted_check
from seedbed.runtime import RuntimeConfig
from seedbed.temporal import FileFormat, StreamSchema, TimeUnit

__all__ = ["ChangeSettings", "DataSettings", "ModelSettings", "TrainConfig", "TrainingSettings", "load_config"]

Fraction = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(gt=0)]


@final
class DataSettings(Message):
    """Which events to use: their columns, how the file is written, how many of the first ones, the chronological split.

    `time_unit` is the unit of all times, counted from 1970 in UTC; times of the unit `other` have no date.
    """

    columns: StreamSchema = StreamSchema()
    file: FileFormat = FileFormat()
    time_unit: TimeUnit = "seconds"
    limit: Count | None = None
    train: Fraction = 0.70
    validation: Fraction = 0.15

    @model_validator(mode="after")
    def _leaves_a_test(self) -> Self:
        if self.train + self.validation >= 1:
            raise ValueError("train + validation must stay below 1: the rest of the events is the test")
        return self

    @model_serializer(mode="wrap")
    def _without_a_usual_file(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        """A file that is written as usual is not mentioned: it is no difference from a record without `data.file`."""
        found: dict[str, object] = dump(self)
        if self.file == FileFormat():
            found.pop("file", None)
        return found


@final
class ModelSettings(Message):
    """TGAT's widths and depths; `num_neighbours` has one entry per layer, the layer nearest to the events first.

    With `pair_features` the decoder also reads how long ago and how often the two ends met before.
    """

    num_neighbours: tuple[Count, ...] = (10, 10)
    neighbours: Literal["recent", "uniform"] = "recent"
    node_width: Count = 172
    time_width: Count = 100
    embedding_width: Count = 172
    num_heads: Count = 2
    dropout: float = Field(default=0.1, ge=0, lt=1)
    pair_features: bool = True

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if not self.num_neighbours:
            raise ValueError("num_neighbours needs at least one layer, as in [10, 10]")
        if self.embedding_width % self.num_heads:
            raise ValueError(f"embedding_width {self.embedding_width} is not a multiple of num_heads {self.num_heads}")
        return self


@final
class TrainingSettings(Message):
    """How to train: length, batch size, learning rate, seed, and how often to evaluate. One step is one batch.

    The decoder's pair features have a rate of their own, `pair_learning_rate`, which follows the same schedule and is
    changed in proportion. Random `negatives` are destinations met before their event; "all" are those of the whole
    stream, as in published figures, and look into the future.

    On CUDA the flash kernel takes no mask, and TGAT always has one: declare runtime.flash off there.
    """

    seed: int = Field(default=0, ge=0)
    epochs: Count = 2
    batch_size: Count = 200
    learning_rate: float = Field(default=1e-3, gt=0)
    pair_learning_rate: float = Field(default=1e-2, gt=0)
    schedule: Literal["warmup_cosine", "constant"] = "warmup_cosine"
    warmup_steps: int = Field(default=20, ge=0)
    deterministic: bool = True
    device: Literal["cpu", "cuda"] = "cpu"
    evaluations_per_epoch: Count = 3
    validation_events: Count = 4000
    checkpoint_every: Count = 50
    ranked_negatives: Count = 20
    negatives: Literal["met", "all"] = "met"


@final
class ChangeSettings(Message):
    """When to change the rate: if validation stalls, multiply it by `factor`, within bounds, once per cooldown.

    It has stalled when a rise of more than `min_delta` in `patience` validations is excluded at `confidence`, given the
    noise of their scores. Without a confidence (null), any `patience` validations without such a rise over the best are
    enough.
    """

    enabled: bool = True
    patience: Count = 2
    min_delta: float = Field(default=0.005, ge=0)
    confidence: Annotated[float, Field(ge=0.5, lt=1)] | None = 0.95
    factor: float = Field(default=0.5, gt=0, lt=1)
    cooldown_steps: int = Field(default=100, ge=0)
    low: float = Field(default=1e-6, gt=0)
    high: float = Field(default=0.1, gt=0)

    @model_validator(mode="after")
    def _can_be_excluded(self) -> Self:
        if self.confidence is not None and self.min_delta == 0:
            raise ValueError(
                "min_delta must be above 0, as no number of validations excludes every rise; "
                "or set confidence to null, to act on any validations without a rise"
            )
        return self

    @model_serializer(mode="wrap")
    def _as_formerly(self, write: SerializerFunctionWrapHandler) -> dict[str, object]:
        written: dict[str, object] = write(self)
        return {name: value for name, value in written.items() if name != "confidence" or value is not None}


def default_checks(least_ap: float) -> list[object]:
    """Default checks: contract kept, no change failed or unknown, an AP of `least_ap` or more at 95 % confidence."""
    return [
        {"metric": "contract.kept", "op": "==", "value": True, "kind": "contract"},
        "changes.failed == 0",
        "changes.unknown == 0",
        f"metrics.test.random.ap >= {least_ap:g} @ 95%",
    ]


@final
class TrainConfig(Message):
    """The whole configuration of one training job. Every field has a default; unknown fields are refused."""

    project: str = "default"
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    change: ChangeSettings = ChangeSettings()
    runtime: RuntimeConfig = RuntimeConfig()
    gate: Annotated[tuple[Check, ...], Field(min_length=1)] = parse_gate({"checks": default_checks(0.5)}).checks


def load_config(path: Path) -> TrainConfig:
    """The configuration in a YAML file. Raises NotFound, or InvalidInput that names every bad field."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"{path}: no such configuration; `seedbed init` writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: cannot be read as a text file: {error}") from None
    try:
        return TrainConfig.model_validate(parse_yaml(text) or {})
    except yaml.YAMLError as error:
        raise InvalidInput(f"{path}: not YAML: {error}{unquoted_check(error)}") from None
    except ValidationError as error:
        fields = "; ".join(fault.told("file") for fault in faults_of(error, TrainConfig))
        raise InvalidInput(f"{path}: {fields}; `seedbed init` writes a commented example") from None
