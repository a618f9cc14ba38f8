"""The training plant: a TGAT run that is tuned while it trains, with its settings and rules."""

__all__ = []
