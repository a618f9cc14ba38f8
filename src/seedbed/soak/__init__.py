"""Soak: a plant is measured, tuned through guards, and what reached it is verified, iteration by iteration."""

from seedbed.soak._plant import Measurement, Plant

__all__ = ["Measurement", "Plant"]
