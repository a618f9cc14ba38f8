"""What PyTorch's schedulers do to a rate, foretold and followed from one optimizer step to the next."""

__all__ = []
