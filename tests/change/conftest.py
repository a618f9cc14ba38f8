"""What holds for the tests of changes."""

from collections.abc import Iterable

import pytest


@pytest.fixture(autouse=True)
def nothing_is_hidden(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no search walk through all that the suite put aside, but in the tests of what gc.freeze() hides."""
    if "hide" not in request.fixturenames:
        monkeypatch.setattr("seedbed.change.bindings.schedules._live_schedulers._hidden", _nothing)


def _nothing() -> Iterable[object]:
    return ()
