import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.contracts import Feature, RuntimeMode
from seedbed.errors import InvalidInput
from seedbed.runtime import RuntimeConfig, SettingSource, Switch, resolve_config


def test_without_any_source_everything_is_default() -> None:
    resolved = resolve_config()
    assert resolved.config == RuntimeConfig()
    assert resolved.config.mode is RuntimeMode.STRICT
    assert resolved.config.switch(Feature.CDC) is Switch.AUTO
    assert set(resolved.sources.values()) == {SettingSource.DEFAULT}
    assert set(resolved.sources) == set(RuntimeConfig.model_fields)


def test_the_later_source_wins_and_is_named() -> None:
    resolved = resolve_config(
        file={"mode": "compat", "sample_every": 10, "flash": False},
        environment={"SEEDBED_RUNTIME_SAMPLE_EVERY": "20", "SEEDBED_RUNTIME_AMP": "On", "PATH": "/bin"},
        code={"sample_every": 30},
    )
    assert (resolved.config.mode, resolved.config.sample_every) == (RuntimeMode.COMPAT, 30)
    assert (resolved.config.amp, resolved.config.flash) == (Switch.ON, Switch.OFF)
    assert resolved.sources["sample_every"] is SettingSource.CODE
    assert resolved.sources["amp"] is SettingSource.ENVIRONMENT
    assert resolved.sources["flash"] is SettingSource.FILE
    assert resolved.sources["cdc"] is SettingSource.DEFAULT
    assert resolved.settings()["sample_every"].model_dump() == {"value": 30, "source": "CODE"}


_SOURCES = ("file", "environment", "code")


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(_SOURCES), st.integers(1, 10**6)))
def test_the_strongest_source_that_speaks_decides(said: dict[str, int]) -> None:
    layers = {source: {"sample_every": value} for source, value in said.items()}
    environment = {"SEEDBED_RUNTIME_SAMPLE_EVERY": str(said["environment"])} if "environment" in said else None
    resolved = resolve_config(file=layers.get("file"), environment=environment, code=layers.get("code"))
    strongest = next((source for source in reversed(_SOURCES) if source in said), "default")
    assert resolved.sources["sample_every"].value == strongest.upper()
    assert resolved.config.sample_every == said.get(strongest, 50)


@pytest.mark.parametrize("word", ["strict", "STRICT", "Strict"])
def test_words_are_read_without_regard_to_case(word: str) -> None:
    resolved = resolve_config(code={"mode": word, "amp_dtype": "BFloat16"}, environment={"seedbed_runtime_cdc": "oFF"})
    assert resolved.config.mode is RuntimeMode.STRICT
    assert resolved.config.cdc is Switch.OFF


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sdpa", "false"),
        ("flash", "yes"),
        ("amp", "5m"),
        ("cdc", None),
        ("cdc", 1),
        ("mode", "lenient"),
        ("mode", True),
        ("amp_dtype", "float16"),
        ("sample_every", 0),
        ("sample_every", True),
        ("sample_every", "ten"),
        ("threads", 1.5),
        ("threads", -1),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_place(name: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=rf"'{name}' \(from file\) is .*expected") as refused:
        resolve_config(file={name: value})
    assert repr(value) in str(refused.value)


def test_an_unknown_key_is_refused_and_the_nearest_named() -> None:
    with pytest.raises(InvalidInput, match=r"'flahs' \(from code\) is not a setting. Did you mean 'flash'"):
        resolve_config(code={"flahs": "on"})


def test_an_unknown_variable_is_refused_and_the_nearest_named() -> None:
    with pytest.raises(InvalidInput, match=r"SEEDBED_RUNTIME_MOED .*Did you mean SEEDBED_RUNTIME_MODE"):
        resolve_config(environment={"SEEDBED_RUNTIME_MOED": "compat"})


def test_other_programs_variables_are_not_ours_to_judge() -> None:
    assert resolve_config(environment={"SEEDBED_STORE": "x", "OMP_NUM_THREADS": "1"}).config == RuntimeConfig()
