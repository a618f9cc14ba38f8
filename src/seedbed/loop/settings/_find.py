"""Finding what can be changed on the live objects of a loop."""

from collections.abc import Sequence
from dataclasses import dataclass

from seedbed.loop.settings._found import BoundSetting, Found, Joint, SettingFinder, Unbound, key_of_path, short_of
from seedbed.loop.settings._live_objects import LiveObjects
from seedbed.loop.settings._loader_settings import LoaderSettings
from seedbed.loop.settings._model_settings import DropoutSettings, FreezeSettings
from seedbed.loop.settings._optimizer_settings import OptimizerSettings
from seedbed.loop.settings._overrides import NO_OVERRIDES, Overrides

__all__ = ["FINDERS", "Findings", "find_settings", "found"]

FINDERS: tuple[SettingFinder, ...] = (OptimizerSettings(), DropoutSettings(), FreezeSettings(), LoaderSettings())
"""Those that are asked, in the order of the list."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found: the settings, those that can be changed together, and those that cannot be changed."""

    settings: tuple[Found, ...] = ()
    joints: tuple[Joint, ...] = ()
    unbound: tuple[Unbound, ...] = ()


def find_settings(
    objects: LiveObjects, overrides: Overrides = NO_OVERRIDES, finders: Sequence[SettingFinder] = FINDERS
) -> Findings:
    """Every setting of these objects, with bounds and pace from its live value, or from `overrides`, by its name.

    Nothing is changed, and no hook is set. Raises InvalidInput, with the field, for limits that contradict each other.
    """
    listed = [each for finder in finders for each in finder.find(objects)]
    candidates = [each for each in listed if isinstance(each, BoundSetting)]
    joints = [each for each in listed if isinstance(each, Joint)]
    together = {member: each.key for each in joints for member in each.members}
    return Findings(
        tuple(found(each, overrides, together.get(key_of_path(each.path))) for each in candidates),
        tuple(Joint(each.key, each.members, each.keeps_ratios, each.short or short_of(each.key)) for each in joints),
        tuple(
            Unbound(each.key, each.why_not, each.short or short_of(each.key))
            for each in listed
            if isinstance(each, Unbound)
        ),
    )


def found(candidate: BoundSetting, overrides: Overrides, joint: str | None = None) -> Found:
    """The setting, with the limits of `overrides` where they name it, or the `joint` setting that it is a part of."""
    key = key_of_path(candidate.path)
    short = candidate.short or short_of(key)
    own = _own(overrides, [*([joint, short_of(joint)] if joint else []), short, key])
    limits = candidate.limits.overridden(own)
    return Found(key, limits.parameter(key, candidate.path, own), candidate.binding, short, limits.pace)


def _own(overrides: Overrides, names: Sequence[str]) -> dict[str, float | None]:
    """The overrides of these names; a later name counts more."""
    own: dict[str, float | None] = {}
    for name in names:
        own.update(overrides.get(name, {}))
    return own
