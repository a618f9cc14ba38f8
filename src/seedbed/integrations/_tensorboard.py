"""Runs in TensorBoard's event files, read with TensorBoard's own library: each folder with such files is a run.

Scalars become steps, hyperparameters become settings, texts become tags. If a killed writer left the last record of a
file incomplete, the file is read up to it. Any other damaged record refuses the run; TensorBoard itself would silently
skip everything after it.
"""

import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, final

from seedbed.errors import InvalidInput, NotFound
from seedbed.integrations._extras import require
from seedbed.integrations._outside import OutsideRun, last_values
from seedbed.records import Json

__all__ = ["TensorBoard"]

_FRAME_BYTES = 16  # of a record: its length, a checksum of that, and one of its payload
_HEADER_BYTES = 12
_SESSION = "_hparams_/session_start_info"


@final
class TensorBoard:
    """The runs under a log folder, named by their paths in it. Raises NotFound when there are none."""

    system = "tensorboard"

    def __init__(self, folder: Path) -> None:
        require("tensorboard", "tensorboard")
        self._folders = dict(sorted((_name(folder, path), path) for path in _folders(folder)))
        if not self._folders:
            raise NotFound(f"there is no event file of TensorBoard in {folder}; name the folder that --logdir names")

    def ids(self) -> Sequence[str]:
        """The folders, sorted."""
        return list(self._folders)

    def read(self, source_id: str) -> OutsideRun:
        """Read one run. Raises InvalidInput for a damaged record, with its file and offset."""
        found = _RunBuilder()
        for path in sorted(self._folders[source_id].glob("*tfevents*")):
            for event in _events(path, found):
                found.take(event)
        return found.run(source_id)


class _RunBuilder:
    """Collects the events of one run and builds it."""

    def __init__(self) -> None:
        self._params: dict[str, Json] = {}
        self._texts: dict[str, Json] = {}
        self._steps: dict[int, list[dict[str, float]]] = {}
        self._times: list[float] = []
        self._left: Counter[str] = Counter()
        self.metadata: dict[str, Any] = {}
        self.torn_bytes = 0

    def take(self, event: Any) -> None:
        """Add one event, whose summary holds any number of values."""
        self._times = [min([event.wall_time, *self._times]), max([event.wall_time, *self._times])]
        for value in event.summary.value:
            # Writers may name the plugin at a tag's first value only.
            plugin = self.metadata.get(value.tag, value.metadata).plugin_data.plugin_name
            if plugin == "scalars":
                self._log(event.step, value.tag, float(_array(value).item()))
            elif plugin == "text":
                self._texts[value.tag] = "\n".join(item.decode("utf-8", "replace") for item in _array(value).flat)
            elif value.tag == _SESSION:
                self._params |= _hyperparameters(value)
            else:
                self._left[plugin or "unknown"] += 1

    def run(self, source_id: str) -> OutsideRun:
        """The run, from all events."""
        steps = [(step, values) for step in sorted(self._steps) for values in self._steps[step]]
        notes: dict[str, Json] = {"left_out": dict(sorted(self._left.items()))} if self._left else {}
        notes |= {"torn_bytes": self.torn_bytes} if self.torn_bytes else {}
        return OutsideRun(
            source_id=source_id,
            params=self._params,
            metrics=last_values(steps),
            steps=steps,
            tags=self._texts,
            started=_moment(self._times[:1]),
            ended=_moment(self._times[1:]),
            notes=notes,
        )

    def _log(self, step: int, name: str, value: float) -> None:
        of_step = self._steps.setdefault(step, [{}])
        if name in of_step[-1]:  # logged twice at one step, as by a run that was started again
            of_step.append({})
        of_step[-1][name] = value


def _folders(folder: Path) -> set[Path]:
    return {path.parent for path in folder.rglob("*tfevents*") if path.is_file()}


def _name(folder: Path, path: Path) -> str:
    return folder.resolve().name if path == folder else path.relative_to(folder).as_posix()


def _events(path: Path, found: _RunBuilder) -> Iterator[Any]:
    """The events of one file, converted to the form of TensorBoard's newest writers."""
    loader = require("tensorboard.backend.event_processing.event_file_loader", "tensorboard")
    event_type = require("tensorboard.compat.proto.event_pb2", "tensorboard").Event
    newer = require("tensorboard.data_compat", "tensorboard").migrate_event
    of_data = require("tensorboard.dataclass_compat", "tensorboard").migrate_event
    read = 0
    for record in loader.RawEventFileLoader(str(path)).Load():
        read += len(record) + _FRAME_BYTES
        yield from of_data(newer(event_type.FromString(record)), found.metadata)
    found.torn_bytes += _torn(path, read)


def _torn(path: Path, read: int) -> int:
    """The size in bytes of an incomplete last record. Raises InvalidInput when the rest is something else."""
    with path.open("rb") as file:
        file.seek(read)
        rest = file.read()
    checksum = require("tensorboard.compat.tensorflow_stub.pywrap_tensorflow", "tensorboard").masked_crc32c
    if len(rest) >= _HEADER_BYTES:
        length, of_length = struct.unpack("<QI", rest[:_HEADER_BYTES])
        if checksum(rest[:8]) != of_length or length + _FRAME_BYTES <= len(rest):
            raise InvalidInput(
                f"{path.name} is damaged at byte {read}, with {len(rest)} bytes to its end; restore the file"
            )
    return len(rest)


def _array(value: Any) -> Any:
    return require("tensorboard.util.tensor_util", "tensorboard").make_ndarray(value.tensor)


def _hyperparameters(value: Any) -> Mapping[str, Json]:
    plugin = require("tensorboard.plugins.hparams.metadata", "tensorboard")
    started = plugin.parse_session_start_info_plugin_data(value.metadata.plugin_data.content)
    kinds = {"number_value", "string_value", "bool_value"}
    found = {name: (setting.WhichOneof("kind"), setting) for name, setting in started.hparams.items()}
    return {name: getattr(setting, kind) if kind in kinds else None for name, (kind, setting) in found.items()}


def _moment(seconds: Sequence[float]) -> datetime | None:
    return datetime.fromtimestamp(seconds[0], UTC) if seconds else None
