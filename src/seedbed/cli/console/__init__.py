"""What the commands share: options, tables, progress and warnings."""

__all__ = []
