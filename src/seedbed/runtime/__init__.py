"""Declare which acceleration a run must use, and witness which one it really used. Importing this imports torch."""

from seedbed.runtime._attention import AttentionCall, sdpa, why_not_fused
from seedbed.runtime._capability import Capability, assess
from seedbed.runtime._config import ResolvedConfig, RuntimeConfig, SettingSource, Switch, door_config, resolve_config
from seedbed.runtime._contract import Contract, declare
from seedbed.runtime._doctor import DoctorFeature, DoctorFeatures, DoctorReport, doctor
from seedbed.runtime._enforce import RuntimeDegraded
from seedbed.runtime._host import tune_host
from seedbed.runtime._witness import StepBlock, StepPhase, Witness

__all__ = [
    "AttentionCall",
    "Capability",
    "Contract",
    "DoctorFeature",
    "DoctorFeatures",
    "DoctorReport",
    "ResolvedConfig",
    "RuntimeConfig",
    "RuntimeDegraded",
    "SettingSource",
    "StepBlock",
    "StepPhase",
    "Switch",
    "Witness",
    "assess",
    "declare",
    "doctor",
    "door_config",
    "resolve_config",
    "sdpa",
    "tune_host",
    "why_not_fused",
]
