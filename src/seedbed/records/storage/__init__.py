"""Durable files on a disk or in a bucket, which survive a power cut, and the layout of a store."""

from seedbed.records.storage._blobs import Blobs
from seedbed.records.storage._clock import Clock, SystemClock
from seedbed.records.storage._durable import AppendFile, create, replace
from seedbed.records.storage._files import Files, StoredFile
from seedbed.records.storage._json_file import atomic_write_json, json_with_hash, read_json_with_hash
from seedbed.records.storage._layout import EVENTS, JOB
from seedbed.records.storage._local import LocalFiles, read_regular

__all__ = [
    "EVENTS",
    "JOB",
    "AppendFile",
    "Blobs",
    "Clock",
    "Files",
    "LocalFiles",
    "StoredFile",
    "SystemClock",
    "atomic_write_json",
    "create",
    "json_with_hash",
    "read_json_with_hash",
    "read_regular",
    "replace",
]
