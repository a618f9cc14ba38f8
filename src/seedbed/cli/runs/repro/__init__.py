"""The commands that run a script twice and compare the runs bit by bit."""

__all__ = []
