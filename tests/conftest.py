"""What holds for every test."""

import pytest
from hypothesis import settings

# A deadline for one example fails on a machine that does other work; speed is measured in benchmarks/.
settings.register_profile("seedbed", deadline=None)
settings.load_profile("seedbed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the slow tests, the trainings and soaks before all, so that no worker waits for one at the end."""
    slow = [item for item in items if item.get_closest_marker("slow")]
    items[:] = [*reversed(slow), *(item for item in items if not item.get_closest_marker("slow"))]
