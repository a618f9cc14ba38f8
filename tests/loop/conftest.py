"""What the tests of the loop share."""

import gc

import pytest


@pytest.fixture
def _ends_workers():
    yield
    gc.collect()  # a loop that was left by an error keeps the iterator of its loader in a cycle
