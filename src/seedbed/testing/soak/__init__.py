"""The conformance suite of the soak verifier: every known way to falsify a finished soak.

Not re-exported by `seedbed.testing`, since a soak imports far more than the other helpers do.

    place = CORRUPTIONS["effect-removed"].inflict(Scene(copied, other, random))
    assert names_place(verify_soak(SoakFolder(copied), assemble), place)
"""

from seedbed.testing.soak._corruptions import ANCHORED, CORRUPTIONS
from seedbed.testing.soak._scene import Base, Corruption, Scene, names_place

__all__ = ["ANCHORED", "CORRUPTIONS", "Base", "Corruption", "Scene", "names_place"]
