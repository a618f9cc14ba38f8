"""The events of a job, from a file or from a folder of sessions."""

from pathlib import Path

from seedbed.errors import InvalidInput
from seedbed.stages._config import DataSettings, TrainConfig
from seedbed.temporal import EventStream, read_events, read_sessions, sessions_time_unit
from seedbed.temporal._oddities import warn_of_oddities

__all__ = ["load_events", "with_unit_of"]


def load_events(path: Path, data: DataSettings, *, sort: bool = False) -> EventStream:
    """The events in a file, as `read_events`, or in a folder of sessions, as `read_sessions`.

    Either logs a warning for what is allowed but often a mistake, such as times that seem to be of another unit.
    """
    if path.is_dir():
        stream = read_sessions(path)
        warn_of_oddities(path, stream, data.time_unit, has_event_ids=data.columns.event_id is not None)
        return stream
    return read_events(path, data.columns, file=data.file, time_unit=data.time_unit, sort=sort)


def with_unit_of(path: Path, config: TrainConfig) -> TrainConfig:
    """The configuration with the time unit that the sessions in a folder keep; a file has none.

    Raises InvalidInput when the configuration states another one.
    """
    unit = sessions_time_unit(path) if path.is_dir() else "seconds"
    if unit in ("seconds", config.data.time_unit):  # sessions of seconds say nothing, as former ones of any unit
        return config
    if "time_unit" in config.data.model_fields_set:
        raise InvalidInput(
            f"{path}: the sessions keep times in {unit}, but data.time_unit is {config.data.time_unit}; "
            "leave it out, or shard the events again"
        )
    return config.model_copy(update={"data": config.data.model_copy(update={"time_unit": unit})})
