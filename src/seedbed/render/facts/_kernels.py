"""The kernels that were seen to run, in a few words."""

from collections.abc import Mapping

__all__ = ["kernel_words"]


def kernel_words(kernels: Mapping[str, int]) -> str:
    """Each kernel without what all their names begin with, and how often it ran: `flash_attention_for_cpu x 4`."""
    return ", ".join(f"{_short(name)} x {count}" for name, count in kernels.items())


def _short(kernel: str) -> str:
    return kernel.removeprefix("aten::").removeprefix("_scaled_dot_product_")
