"""Records, changes and verdicts as text for a terminal."""

__all__ = []
