"""How values look to a person, options that commands share, progress and warnings."""

__all__ = []
