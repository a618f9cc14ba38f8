"""Drawings: axes, curves, plots by step, intervals."""

__all__: list[str] = []
