"""The runtime settings of a run, and the source of each value: default < file < environment < code."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Literal, final

from pydantic import BeforeValidator, Field, ValidationError

from seedbed.contracts import Feature, Message, RuntimeMode, Setting
from seedbed.errors import InvalidInput

__all__ = ["ResolvedConfig", "RuntimeConfig", "SettingSource", "Switch", "door_config", "resolve_config"]

_PREFIX = "SEEDBED_RUNTIME_"
_DOOR = {"mode": "COMPAT", "sdpa": "AUTO", "flash": "AUTO", "amp": "AUTO", "cdc": "AUTO"}


class Switch(StrEnum):
    """Whether a feature is requested. AUTO requests it where it is eligible and its gain is known.

    What AUTO requested is lost only where a step proves it (attention ran as math, a compiled frame fell back to
    eager), or where the contract's own tool for it (`contract.compile`, `contract.autocast`) was used in vain.
    """

    ON = "ON"
    OFF = "OFF"
    AUTO = "AUTO"


class SettingSource(StrEnum):
    """Where a setting's value came from, weakest first."""

    DEFAULT = "DEFAULT"
    FILE = "FILE"
    ENVIRONMENT = "ENVIRONMENT"
    CODE = "CODE"


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _switch(value: object) -> object:
    # YAML reads a bare `on` as true, so a boolean is accepted; the text "false" is not.
    return {True: Switch.ON, False: Switch.OFF}[value] if isinstance(value, bool) else _upper(value)


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _whole(value: object) -> object:
    if isinstance(value, bool) or (isinstance(value, str) and not value.isdecimal()):
        raise ValueError("expected a whole number")
    return value


_OnOffAuto = Annotated[Switch, BeforeValidator(_switch)]
_Count = Annotated[int, BeforeValidator(_whole), Field(ge=1)]


@final
class RuntimeConfig(Message):
    """The runtime settings of a run.

    `sdpa` demands a fused attention kernel of any kind, `flash` the flash kernel itself; `cdc` is torch.compile with
    its on-disk cache. The witness samples one step in `sample_every`. `threads` None keeps torch's number of threads.
    """

    mode: Annotated[RuntimeMode, BeforeValidator(_upper)] = RuntimeMode.STRICT
    sdpa: _OnOffAuto = Switch.ON
    flash: _OnOffAuto = Switch.ON
    amp: _OnOffAuto = Switch.AUTO
    cdc: _OnOffAuto = Switch.AUTO
    amp_dtype: Annotated[Literal["bfloat16"], BeforeValidator(_lower)] = "bfloat16"
    sample_every: _Count = 50
    threads: _Count | None = None

    def switch(self, feature: Feature) -> Switch:
        """The switch of one feature."""
        asked = {Feature.SDPA: self.sdpa, Feature.FLASH: self.flash, Feature.AMP: self.amp, Feature.CDC: self.cdc}
        return asked[feature]


@final
@dataclass(frozen=True)
class ResolvedConfig:
    """A configuration, and the source of every one of its fields."""

    config: RuntimeConfig
    sources: Mapping[str, SettingSource]

    def settings(self) -> dict[str, Setting]:
        """Every field as value and source, for the ledger."""
        values = self.config.model_dump(mode="json")
        return {name: Setting(value=values[name], source=source.value) for name, source in self.sources.items()}


def resolve_config(
    *,
    file: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    code: Mapping[str, object] | None = None,
) -> ResolvedConfig:
    """Merge the sources over the defaults, the later over the earlier, and record the source of each value.

    `environment` is the whole process environment; only names that begin with SEEDBED_RUNTIME_ are read. Upper and
    lower case are the same. Raises InvalidInput for an unknown key or variable and for a value that does not fit; the
    message names the source, the field, what was found and what was expected.
    """
    return _merge(
        {},
        (SettingSource.FILE, file or {}),
        (SettingSource.ENVIRONMENT, _from_environment(environment or {})),
        (SettingSource.CODE, code or {}),
    )


def door_config(asked: str | Mapping[str, object], environment: Mapping[str, str]) -> ResolvedConfig:
    """The settings of a run that was started around somebody's loop: COMPAT, with every feature left to AUTO.

    `asked` is a mode, which SEEDBED_RUNTIME_MODE overrides, or settings as in `resolve_config(code=...)`, which
    override the environment. Raises InvalidInput as `resolve_config` does.
    """
    word, code = ({"mode": asked}, {}) if isinstance(asked, str) else ({}, asked)
    is_default = isinstance(asked, str) and asked.upper() == _DOOR["mode"]
    return _merge(
        _DOOR,
        (SettingSource.DEFAULT if is_default else SettingSource.CODE, word),
        (SettingSource.ENVIRONMENT, _from_environment(environment)),
        (SettingSource.CODE, code),
    )


def _merge(defaults: Mapping[str, object], *layers: tuple[SettingSource, Mapping[str, object]]) -> ResolvedConfig:
    values = dict(defaults)
    sources = dict.fromkeys(RuntimeConfig.model_fields, SettingSource.DEFAULT)
    for source, layer in layers:
        checked = _check(source, layer)
        values |= {name: getattr(checked, name) for name in layer}
        sources |= dict.fromkeys(layer, source)
    return ResolvedConfig(RuntimeConfig.model_validate(values), sources)


def _from_environment(environment: Mapping[str, str]) -> dict[str, object]:
    upper = {name.upper(): value for name, value in environment.items()}
    return {name.removeprefix(_PREFIX).lower(): value for name, value in upper.items() if name.startswith(_PREFIX)}


def _check(source: SettingSource, layer: Mapping[str, object]) -> RuntimeConfig:
    """Check the values of one source alone, so that the message names the source that holds the bad value."""
    for name in layer:
        if name not in RuntimeConfig.model_fields:
            raise InvalidInput(_unknown(source, name))
    try:
        return RuntimeConfig.model_validate(dict(layer))
    except ValidationError as error:
        names = dict.fromkeys(str(problem["loc"][0]) for problem in error.errors())
        problems = "; ".join(f"{_label(source, name)} is {layer[name]!r}: {_expected(name)}" for name in names)
        raise InvalidInput(f"Runtime configuration refused: {problems}. Correct it there and start again.") from None


def _label(source: SettingSource, name: str) -> str:
    shown = f"{_PREFIX}{name.upper()}" if source is SettingSource.ENVIRONMENT else f"{name!r}"
    return f"{shown} (from {source.value.lower()})"


def _expected(name: str) -> str:
    words = {
        "mode": "STRICT or COMPAT",
        "sdpa": "on, off or auto",
        "flash": "on, off or auto",
        "amp": "on, off or auto",
        "cdc": "on, off or auto",
        "amp_dtype": "bfloat16",
    }
    return f"expected {words.get(name, 'a whole number of at least 1')}"


def _unknown(source: SettingSource, name: str) -> str:
    near = get_close_matches(name, RuntimeConfig.model_fields, n=1)
    hint = f" Did you mean {_label(source, near[0])}?" if near else ""
    known = ", ".join(RuntimeConfig.model_fields)
    return f"Runtime configuration refused: {_label(source, name)} is not a setting.{hint} The settings are: {known}."
