"""A run while it goes on: its steps, proposals, checkpoints and requests, in one process or several."""

__all__ = []
