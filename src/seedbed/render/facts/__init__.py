"""What a record holds, read into values that can be shown."""

__all__ = []
