"""The rules that a gate judges by, numbered as they changed: what was judged by former ones is judged by them again."""

__all__ = ["FORMER_RULES", "RULES"]

FORMER_RULES = 1
"""Means and spreads by the block bootstrap, which took few rare events for none; quantiles that counted samples for one
by how the means of their blocks vary, which passed slow series too often."""

RULES = 2
"""Today's: means and spreads within a declared range, by exact bounds and bets; quantiles that count samples for one by
how their ranks, too, depend on each other."""
