"""Settings found: what can be changed on the live objects of a loop, with safe bounds, a pace, and names for people.

The sub-room is lazy, so that what it says of a run can be read without importing torch.
"""

from seedbed._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
