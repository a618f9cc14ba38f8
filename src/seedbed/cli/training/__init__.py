"""The commands that train, and those that prepare for it: `demo`, `train`, `init`, `shard`."""

__all__ = []
