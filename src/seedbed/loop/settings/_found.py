"""What is found on live objects: settings, those that change together, those that cannot; and who finds them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from seedbed.change.bindings._binding import Binding
from seedbed.change.parameters._parameter import Parameter
from seedbed.loop.settings._limits import Limits, Pace
from seedbed.loop.settings._live_objects import LiveObjects

__all__ = ["BoundSetting", "Found", "Joint", "RequestedFinder", "SettingFinder", "Unbound", "key_of_path", "short_of"]


@dataclass(frozen=True, slots=True)
class BoundSetting:
    """A live setting as a finder finds it: its `path`, whose parts make its key, the binding to it, and its limits."""

    path: tuple[str, ...]
    binding: Binding
    limits: Limits
    short: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A setting that was found, with the parameter that limits it and the pace that holds slips back."""

    key: str
    parameter: Parameter
    binding: Binding
    short: str = ""
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True)
class Joint:
    """Several settings that can be changed together, under a key of their own, all or none.

    `keeps_ratios`: a value is that of the first, and the others follow in proportion; else all get the same value.
    """

    key: str
    members: tuple[str, ...]
    keeps_ratios: bool
    short: str = ""


@dataclass(frozen=True, slots=True)
class Unbound:
    """What looks like a setting and cannot be changed, and why not."""

    key: str
    why_not: str
    short: str = ""


class SettingFinder(Protocol):
    """Finds the settings of one kind of live object. A new kind of setting is a new finder."""

    def find(self, objects: LiveObjects) -> Iterable[BoundSetting | Joint | Unbound]:
        """Every setting that is listed without being asked for."""


@runtime_checkable
class RequestedFinder(SettingFinder, Protocol):
    """A finder that also finds settings which are bound only when somebody asks for them by name."""

    def on_request(self, objects: LiveObjects, name: str) -> BoundSetting | None:
        """The setting of that name; None for a name that is not of this finder.

        Raises NotFound or InvalidInput when the name is of this finder and there is no such setting.
        """


def key_of_path(path: tuple[str, ...]) -> str:
    """The key of a setting at this path."""
    return ".".join(path)


def short_of(key: str) -> str:
    """The short name of a key: without its first part, the owner."""
    return key.partition(".")[2] or key
