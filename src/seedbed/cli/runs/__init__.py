"""The commands over what was recorded: `seedbed runs` and `seedbed changes`."""

__all__ = []
