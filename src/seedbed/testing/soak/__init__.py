"""The conformance suite of the soak verifier: finished soaks falsified in every way that somebody thought of.

Imported by its own name, since a soak needs far more than the other doubles do.

    chance = Random(1)
    place = CORRUPTIONS["effect-removed"].inflict(Scene(copied, other, chance))
    assert names(verify_soak(SoakFolder(copied), assemble), place)
"""

from seedbed.testing.soak._corruptions import ANCHORED, CORRUPTIONS
from seedbed.testing.soak._scene import Base, Corruption, Scene, names

__all__ = ["ANCHORED", "CORRUPTIONS", "Base", "Corruption", "Scene", "names"]
