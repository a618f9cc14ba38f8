"""Learning rates: how a change is kept, under a schedule that is rebased or at the optimizer's own step."""

__all__ = []
