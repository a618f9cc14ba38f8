"""Faults between settings and plant: how they are caused, and whether they were seen."""

from seedbed.soak.faults._faults import SoakFault

__all__ = ["SoakFault"]
