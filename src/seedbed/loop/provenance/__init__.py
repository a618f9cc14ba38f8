"""Provenance: what a run was made of, collected by default for its record: code, packages, machine, seeds and data."""

from seedbed.loop.provenance._data import fingerprint_data
from seedbed.loop.provenance._provenance import Collecting, Provenance, collect
from seedbed.loop.provenance._told import DataFingerprint

__all__ = ["Collecting", "DataFingerprint", "Provenance", "collect", "fingerprint_data"]
