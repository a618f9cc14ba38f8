"""What the engine does in each phase of a change: plan, journal, write and read back, watch for use, settle, resume."""

__all__ = []
