"""A store of the test's own."""

import pytest

from seedbed.records import Store


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", create=True)
