"""The door: `seedbed.start` around any PyTorch loop, and requests to a run from outside."""

__all__: list[str] = []
