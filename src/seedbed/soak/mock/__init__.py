"""The mock plant, which measures in milliseconds, with its settings and rules."""

from seedbed.soak.mock._plant import MOCK_OPTIMUM, MockPlant, mock_registry

__all__ = ["MOCK_OPTIMUM", "MockPlant", "mock_registry"]
