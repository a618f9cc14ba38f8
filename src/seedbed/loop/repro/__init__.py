"""Two runs of one script compared step by step, bit by bit: what a run writes for it, and the comparison."""

__all__ = []
