"""The data of a loop: its passes, where it is in them, and the random generators that order them."""

__all__ = []
