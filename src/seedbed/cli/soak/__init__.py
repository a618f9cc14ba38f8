"""The commands of `seedbed soak`."""

__all__ = []
