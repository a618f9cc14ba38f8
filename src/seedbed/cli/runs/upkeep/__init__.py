"""The commands of `seedbed runs` that check a store, bring back what was lost, and free its disk space."""

__all__ = []
