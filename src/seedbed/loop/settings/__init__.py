"""Settings found: what can be changed on the live objects of a loop, with safe bounds, a pace, and names for people.

The sub-room is lazy, so that what it says of a run can be read without importing torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
