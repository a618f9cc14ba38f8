"""Verification of a soak: computes everything that its files claim again from its two logs, and compares."""

from seedbed.soak.verify._page import verification_page
from seedbed.soak.verify._verification import Accusation, Flaw, Remark, SoakVerification
from seedbed.soak.verify._verify import verify_soak

__all__ = ["Accusation", "Flaw", "Remark", "SoakVerification", "verification_page", "verify_soak"]
