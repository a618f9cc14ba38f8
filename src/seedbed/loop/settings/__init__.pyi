"""Settings found: what can be changed on the live objects of a loop, with safe bounds, a pace, and names for people."""

from ._find import FINDERS, Findings, find_settings
from ._found import BoundSetting, Found, Joint, RequestedFinder, SettingFinder, Unbound
from ._limits import Limits, Pace
from ._live_objects import LiveObjects
from ._names import SettingNames
from ._settings import Settings
from ._slip import SlipGuard
from ._view import SettingsView

__all__ = [
    "FINDERS",
    "BoundSetting",
    "Findings",
    "Found",
    "Joint",
    "Limits",
    "LiveObjects",
    "Pace",
    "RequestedFinder",
    "SettingFinder",
    "SettingNames",
    "Settings",
    "SettingsView",
    "SlipGuard",
    "Unbound",
    "find_settings",
]
