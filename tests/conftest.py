"""What holds for every test."""

import pytest
from hypothesis import settings

# A deadline for one example fails on a machine that does other work; speed is measured in benchmarks/.
settings.register_profile("seedbed", deadline=None)
settings.load_profile("seedbed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the slow tests, so that workers do not wait for one of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
