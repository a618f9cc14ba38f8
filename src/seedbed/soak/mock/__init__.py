"""A plant that costs next to nothing, its settings and its rules."""

from seedbed.soak.mock._plant import MOCK_OPTIMUM, MockPlant, mock_registry

__all__ = ["MOCK_OPTIMUM", "MockPlant", "mock_registry"]
