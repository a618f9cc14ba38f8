"""The commands that train or prepare for it: `demo`, `train`, `init`, `shard`."""

__all__ = []
