"""Settings found: what can be changed on the live objects of a loop, with safe bounds, a pace, and names for people."""

from ._find import SOURCES, Findings, find_settings
from ._found import Candidate, Found, Joint, RequestedSource, SettingSource, Unbound
from ._limits import Limits, Pace
from ._live_objects import LiveObjects
from ._names import Names
from ._settings import Settings
from ._slip import SlipGuard
from ._view import SettingsView, SettingView, settings_table

__all__ = [
    "SOURCES",
    "Candidate",
    "Findings",
    "Found",
    "Joint",
    "Limits",
    "LiveObjects",
    "Names",
    "Pace",
    "RequestedSource",
    "SettingSource",
    "SettingView",
    "Settings",
    "SettingsView",
    "SlipGuard",
    "Unbound",
    "find_settings",
    "settings_table",
]
