"""The commands that ask a run for something while it goes on."""

__all__ = []
