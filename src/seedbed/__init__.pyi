"""Seedbed trains PyTorch models that change while they train, and proves every change."""

from .loop import Run, current_run, propose, start

__version__: str

__all__ = [
    "Run",
    "current_run",
    "propose",
    "start",
]
