"""The commands on recorded runs: `seedbed runs` and `seedbed changes`."""

__all__ = []
