"""Redaction: host and user names, absolute paths and secrets never reach the store.

Everything that a caller passes (settings, metric names, reasons, exception messages) is searched for the names of this
machine and user, and for texts that look like a secret. What Seedbed collects itself is an allowlist: `_environment`.
"""

import functools
import getpass
import os
import re
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from seedbed.errors import InvalidInput
from seedbed.records.canonical._canonical import Json, escape, plain
from seedbed.records.canonical._json_pointer import unescaped
from seedbed.records.canonical._secrets import (
    SECRET,
    Telling,
    hides,
    is_plain,
    names_secret,
    telling,
    telling_of_flag,
    without_certain,
    without_random,
    without_secrets,
)

__all__ = ["Identity", "doubtful", "redact_text", "redacted", "redacted_names", "redacted_object", "redacted_pointer"]

_SHORTEST_SECRET = 8
# Common user and host names that identify nobody and are also words in settings and texts.
_COMMON_NAMES = {
    *("root", "user", "admin", "nobody", "ubuntu", "debian", "runner", "jenkins", "builder", "build", "vscode"),
    *("app", "appuser", "dev", "test", "tester", "train", "data", "model", "batch", "worker", "service", "default"),
    *("python", "jovyan", "ray", "spark", "airflow", "docker", "gpu", "host", "node", "server", "desktop", "laptop"),
    *("localhost", "localhost.localdomain", "path", "secret"),
}
_SHORTEST_NAME = 3
_ROOTS = (
    *("/home", "/Users", "/root", "/tmp", "/var", "/usr", "/opt"),  # noqa: S108  looked for in texts, never opened
    *("/etc", "/mnt", "/media", "/srv", "/private", "/scratch", "/nfs", "/lustre", "/gpfs"),
    *("/Volumes", "/workspace", "/workspaces", "/kaggle"),
)
_PASSWORD_OF_URL = re.compile(r"\w://[^\s/:@]*:(?P<password>[^\s/]+)@")
_PATH_END = r"[^\s'\"`:,;()<>\[\]{}|]"
# A match directly after one of our marks is the rest of a redacted path or word.
_AFTER_NO_MARK = r"(?<!<path>)(?<!<secret>)(?<!<user>)(?<!<host>)"
_WINDOWS_PATH = re.compile(r"\b[A-Za-z]:\\(?:[^\s\\]+\\)*")
# Longer texts are rarely repeated and would fill the memory.
_LONGEST_CACHED = 256
_MOST_PASSES = 8
# The mark, what names it before it (api_key=, Authorization: Bearer), and the scheme of a URL that is all secret.
_NAME_OF_SECRET = re.compile(rf"(?:[\w-]+\s*[=:]\s*)?(?:\b(?:bearer|basic|token|digest)\s+)?{SECRET}", re.IGNORECASE)
_NESTED = (dict, list)


@dataclass(frozen=True)
class Identity:
    """The texts that identify this machine and its user, and the secrets in its environment."""

    user: str
    host: str
    prefixes: tuple[str, ...]
    secrets: tuple[str, ...]

    def names(self) -> tuple[tuple[str, str], ...]:
        """Each name to look for, and the mark that replaces it."""
        return (self.host, "<host>"), (self.host.partition(".")[0], "<host>"), (self.user, "<user>")

    @classmethod
    def of_process(cls) -> Self:
        """The identity as of now: the environment may gain a secret while the process runs."""
        # The dictionary of bytes behind os.environ, which itself decodes every name and value at every access.
        environment = tuple(vars(os.environ)["_data"].items())
        return cls._of(os.getcwd(), socket.gethostname(), environment)  # noqa: PTH109  half the time

    @classmethod
    @functools.lru_cache(maxsize=4)
    def _of(cls, working: str, host: str, raw: tuple[tuple[bytes, bytes], ...]) -> Self:
        environment = [(os.fsdecode(name), os.fsdecode(value)) for name, value in raw]
        places = (Path.home(), Path(working), Path(sys.prefix), Path(tempfile.gettempdir()))
        roots = {f"/{place.parts[1]}" for place in places if len(place.parts) > 1}
        # The home folder is listed too: it may hold spaces, which other paths are assumed not to.
        prefixes = sorted({*roots, *_ROOTS, str(Path.home())} - {"/"}, key=len, reverse=True)
        hidden = [value for name, value in environment if names_secret(name)]
        hidden += [found["password"] for _, value in environment for found in _PASSWORD_OF_URL.finditer(value)]
        secrets = sorted({value for value in hidden if len(value) >= _SHORTEST_SECRET}, key=len, reverse=True)
        return cls(getpass.getuser(), host, tuple(prefixes), tuple(secrets))


def redact_text(text: str, identity: Identity | None = None) -> str:
    """`text` with secrets, absolute paths, the user and the host replaced by <secret>, <path>, <user> and <host>."""
    return _redactor(identity or Identity.of_process())(text)


@functools.lru_cache(maxsize=8)
def _redactor(identity: Identity, *, certain_only: bool = False) -> Callable[[str], str]:
    """The function that redacts a text; with `certain_only`, it leaves what may be no secret."""
    names = [(name, mark) for name, mark in identity.names() if _identifies(name)]
    # Nearly all texts are names of settings and metrics, which contain none of these.
    given = tuple(text.lower() for text in (*identity.secrets, *(name for name, _ in names)))
    prefixes = "|".join(map(re.escape, identity.prefixes))
    path = re.compile(rf"(?<!\w){_AFTER_NO_MARK}(?:{prefixes})(?:/{_PATH_END}*|(?!\w))")

    def once(text: str) -> str:
        for secret in identity.secrets:
            text = text.replace(secret, SECRET)
        text = without_certain(text) if certain_only else without_secrets(text)
        text = _WINDOWS_PATH.sub(r"<path>\\", text)
        text = path.sub(lambda match: _shortened_path(match.group(), identity.prefixes), text)
        for name, mark in names:
            text = re.sub(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", mark, text, flags=re.IGNORECASE)
        return text if certain_only else without_random(text)

    def clean(text: str) -> str:
        # Replacing a secret can expose another one behind it, so repeat until nothing changes.
        for _ in range(_MOST_PASSES):
            if is_plain(text, given) or (cleaner := once(text)) == text:
                break
            text = cleaner
        return text

    known = functools.lru_cache(maxsize=8192)(clean)
    return lambda text: known(text) if len(text) <= _LONGEST_CACHED else clean(text)


def redacted_object(value: Mapping[str, Any], identity: Identity | None = None) -> dict[str, Json]:
    """A deep copy of a JSON object, redacted. Raises InvalidInput, with a JSON Pointer, for what is not JSON."""
    clean = redacted(plain(value), identity)
    if not isinstance(clean, dict):
        raise InvalidInput(f"expected a JSON object, found a {type(value).__name__}")
    return clean


def redacted_pointer(pointer: str, identity: Identity | None = None) -> str:
    """The JSON Pointer to the same value after its object was redacted."""
    tokens = map(unescaped, pointer.split("/"))
    return "/".join(escape(redact_text(token, identity)) for token in tokens)


def redacted(value: Json, identity: Identity | None = None) -> Json:
    """A copy of JSON `value` in which every text, keys included, is redacted by `redact_text`.

    A text below a key such as api_key or password is replaced completely, also in a list or mapping there, and so is
    one that follows a flag such as --password in a list.
    """
    return _redacted(value, _redactor(identity or Identity.of_process()), Telling.NOTHING)


def redacted_names(value: Mapping[str, Json], identity: Identity | None = None) -> dict[str, Json]:
    """A JSON object of numbers, whose names alone are redacted. Raises InvalidInput as `redacted_object`."""
    plain(value)  # refuses a name that is no text
    redact = _redactor(identity or Identity.of_process())
    return _whole({redact(name): number for name, number in value.items()}, value)


def _redacted(value: Json, redact: Callable[[str], str], below: Telling) -> Json:
    if isinstance(value, list):
        return [_redacted(item, redact, what) for item, what in _items(value, below)]
    if isinstance(value, dict):
        return _redacted_members(value, redact, below)
    if below and hides(below, value):
        return SECRET
    return redact(value) if isinstance(value, str) else value


def _items(value: list[Json], below: Telling) -> Iterator[tuple[Json, Telling]]:
    """The items of a list, each with what leads to it: the keys above, or the flag before it."""
    flagged = Telling.NOTHING
    for item in value:
        is_flag = isinstance(item, str) and item.startswith("-")
        yield item, below if is_flag else max(below, flagged)
        flagged = telling_of_flag(item) if is_flag else Telling.NOTHING  # type: ignore[arg-type]


def _redacted_members(value: dict[str, Json], redact: Callable[[str], str], below: Telling) -> dict[str, Json]:
    clean: dict[str, Json] = {}
    for key, item in value.items():
        what = max(below, telling(key))
        if what or isinstance(item, _NESTED):
            clean[redact(key)] = _redacted(item, redact, what)
        else:
            clean[redact(key)] = redact(item) if isinstance(item, str) else item
    return _whole(clean, value)


def doubtful(value: Json, identity: Identity | None = None) -> tuple[str, ...]:
    """JSON Pointers into `redacted(value)` to what it replaced as a secret although it may be none.

    Beyond doubt are the known shapes of tokens, headers and URLs, the secrets of the environment, and what stands
    below a name such as password or api_key. A last word such as `token` and a random look leave a doubt.
    """
    identity = identity or Identity.of_process()
    return tuple(_doubtful(value, _redactor(identity), _redactor(identity, certain_only=True), Telling.NOTHING, ""))


def _doubtful(
    value: Json, redact: Callable[[str], str], redact_certain: Callable[[str], str], below: Telling, at: str
) -> Iterator[str]:
    if isinstance(value, list):
        for number, (item, what) in enumerate(_items(value, below)):
            yield from _doubtful(item, redact, redact_certain, what, f"{at}/{number}")
    elif isinstance(value, dict):
        for key, item in value.items():
            clean = redact(key)
            place = f"{at}/{escape(clean)}"
            if clean != redact_certain(key):
                yield place
            yield from _doubtful(item, redact, redact_certain, max(below, telling(key)), place)
    elif isinstance(value, str) and below is not Telling.ALL:
        if hides(below, value):
            # What stands below `Authorization` and its like is read as the value of that header.
            name = "authorization: " if below >= Telling.LIKELY else ""
            is_doubtful = not _is_secret_alone(redact_certain(f"{name}{value}"))
        else:
            is_doubtful = redact(value) != redact_certain(value)
        if is_doubtful:
            yield at


def _is_secret_alone(redacted_text: str) -> bool:
    """Whether a text holds secrets and their names, and nothing else that could tell two runs apart."""
    return SECRET in redacted_text and not re.search(r"\w", _NAME_OF_SECRET.sub("", redacted_text))


def _whole(clean: dict[str, Json], given: Mapping[str, Json]) -> dict[str, Json]:
    if len(clean) < len(given):
        raise InvalidInput(f"keys {sorted(given)} are the same after redaction; give them different names")
    return clean


def _shortened_path(path: str, prefixes: tuple[str, ...]) -> str:
    trimmed = path.rstrip("/")
    parts = trimmed.split("/")
    # The last part of a long path is kept; in a short one, or in the home folder, it may name a user or a project.
    return f"<path>/{parts[-1]}" if len(parts) > 3 and trimmed not in prefixes else "<path>"


def _identifies(name: str) -> bool:
    return len(name) >= _SHORTEST_NAME and name.lower() not in _COMMON_NAMES
