"""Drawings: axes, curves, plots by step, intervals."""

__all__ = []
