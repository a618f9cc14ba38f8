"""A TGAT run as a plant, its settings and its rules."""

__all__ = []
