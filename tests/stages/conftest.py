"""A store of the test's own."""

from pathlib import Path

import pytest

from seedbed.records import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store", create=True)
