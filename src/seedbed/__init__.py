"""Seedbed trains PyTorch models that change while they train, and proves every change."""

__all__ = ["__version__"]

__version__ = "0.1.0"
