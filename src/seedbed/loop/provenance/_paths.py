"""Digests of files and folders by their whole content, remembered as long as a file cannot have changed.

A file is taken for unchanged where device, inode, size, and the times of its last change in content (mtime) and in
anything (ctime) are what they were when it was read, and where both times were older than the reading by a minute:
else a change in the same tick of the clock, which leaves no trace, would go unseen. The minute also covers a file
server whose clock is behind. What another process still writes through a memory map has no time yet, and is not seen.
"""

import hashlib
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import final

from seedbed.loop.provenance._items import NoDigest
from seedbed.loop.provenance._slow import Slow
from seedbed.loop.provenance._told import DataFingerprint
from seedbed.records import digest

__all__ = ["PathDigests"]

_MARGIN = 60_000_000_000
_CHUNK = 1 << 24
_LARGEST_CACHE = 1 << 26
_LINE = re.compile(r"((?:\d+:){4}\d+) ([0-9a-f]{64})")


@final
class PathDigests:
    """Digests of paths. What it remembers stands in the file `cache`: numbers and digests, no names."""

    def __init__(self, cache: Path | None = None) -> None:
        self._cache = cache or _default_cache()
        self._known: dict[str, str] | None = None
        self.num_read = 0

    def of(self, path: Path, slow: Slow) -> DataFingerprint:
        """The fingerprint of a file, or of a folder with all files below it. Raises OSError, NoDigest."""
        if path.is_file():
            found = self._file(path, slow)
            return DataFingerprint(found, "the bytes of a file", {"bytes": path.stat().st_size})
        if not path.is_dir():
            raise NoDigest("it is neither a file nor a folder")
        files = {name: self._file(each, slow) for name, each in sorted(_files_below(path))}
        return DataFingerprint(digest(files), "the names and bytes of all files in a folder", {"files": len(files)})

    def _file(self, path: Path, slow: Slow) -> str:
        known = self._read_cache()
        now, before = time.time_ns(), path.stat()
        if not stat.S_ISREG(before.st_mode):
            raise NoDigest("something in it is neither a file nor a folder")
        if found := known.get(_key(before)):
            return found
        found = _content(path, slow)
        self.num_read += 1
        if _key(path.stat()) != _key(before):
            raise NoDigest("a file changed while it was read")
        if max(before.st_mtime_ns, before.st_ctime_ns) < now - _MARGIN:
            known[_key(before)] = found
            self._remember(_key(before), found)
        return found

    def _read_cache(self) -> dict[str, str]:
        if self._known is None:
            try:
                text = self._cache.read_text("ascii") if self._cache.stat().st_size < _LARGEST_CACHE else ""
            except (OSError, ValueError):
                text = ""
            # A line that a killed process left torn matches no pattern, and counts for nothing.
            self._known = dict(found.groups() for line in text.splitlines() if (found := _LINE.fullmatch(line)))  # type: ignore[misc]
        return self._known

    def _remember(self, key: str, found: str) -> None:
        try:
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            large = self._cache.exists() and self._cache.stat().st_size >= _LARGEST_CACHE
            flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if large else os.O_APPEND)
            file = os.open(self._cache, flags, 0o600)
            try:
                os.write(file, f"{key} {found}\n".encode())  # one write, so that lines of two processes do not mix
            finally:
                os.close(file)
        except OSError:  # a home that cannot be written to: the file is read again next time
            return


def _default_cache() -> Path:
    place = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(place) if place else Path.home() / ".cache") / "seedbed" / "file-digests"


def _key(found: os.stat_result) -> str:
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"


def _content(path: Path, slow: Slow) -> str:
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_CHUNK):
            sha256.update(part)
            slow.read(len(part))
    return sha256.hexdigest()


def _files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below `folder` with its name there; a link to a folder is followed, but to none twice in one path."""
    yield from _below(folder, "", frozenset())


def _below(folder: Path, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, Path]]:
    here = folder.stat()
    place = here.st_dev, here.st_ino
    if place in above:
        raise NoDigest("a link in the folder leads back to a folder above it")
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        name = f"{prefix}{os.fsencode(entry.name).decode('utf-8', 'backslashreplace')}"
        if entry.is_dir():
            yield from _below(Path(entry.path), f"{name}/", above | {place})
        else:
            yield name, Path(entry.path)
