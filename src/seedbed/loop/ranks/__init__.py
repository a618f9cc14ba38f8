"""Several processes of one training: a group of their own, the journal of rank 0 elsewhere, states that are split."""

__all__ = []
