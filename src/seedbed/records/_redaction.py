"""What must not reach any byte of the store: host and user names, absolute paths, secrets.

Facts about the environment are an allowlist: only what `environment_facts` names is ever collected. Free text (reasons,
exception messages) is searched for what identifies this process's machine and user.
"""

import functools
import getpass
import os
import platform
import re
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from seedbed.errors import InvalidInput
from seedbed.records._canonical import Json, plain

__all__ = ["Identity", "environment_facts", "redact_text", "redacted", "redacted_object"]

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH", re.IGNORECASE)
_SHORTEST_SECRET = 8
_NOBODY = {"root", "user", "admin", "nobody", "ubuntu", "runner", "localhost", "localhost.localdomain"}
_SHORTEST_NAME = 3
_ROOTS = (
    *("/home", "/Users", "/root", "/tmp", "/var", "/usr", "/opt"),  # noqa: S108  looked for in texts, never opened
    *("/etc", "/mnt", "/media", "/srv", "/private", "/scratch"),
)
_PATH_END = r"[^\s'\"`:,;()<>\[\]{}|]"
_SHAPES = (
    (re.compile(r"(\w+://)[^\s/@]+@"), r"\1<secret>@"),
    (
        re.compile(
            r"([?&;](?:[\w-]*(?:token|key|secret|passw|sig|auth|credential)[\w-]*)=)[^\s&;#'\"]+", re.IGNORECASE
        ),
        r"\1<secret>",
    ),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE), r"\1 <secret>"),
    (re.compile(r"\b(?:gh[pousr]_|github_pat_|hf_|sk-|xox[abp]-|AKIA)[\w-]{8,}"), "<secret>"),
    (re.compile(r"\b[A-Za-z]:\\(?:[^\s\\]+\\)*"), r"<path>\\"),
)
# One of these is in whatever a shape or a prefix matches.
_SUSPICIOUS = r"[/\\=]|bearer|basic|gh[pousr]_|github_pat_|hf_|sk-|xox[abp]-|akia"


@dataclass(frozen=True)
class Identity:
    """What would give this machine or its user away in a text."""

    user: str
    host: str
    prefixes: tuple[str, ...]
    secrets: tuple[str, ...]

    def names(self) -> tuple[tuple[str, str], ...]:
        """Each name to look for, and what stands in its place."""
        return (self.host, "<host>"), (self.host.partition(".")[0], "<host>"), (self.user, "<user>")

    @classmethod
    def of_process(cls) -> Self:
        """Of what holds now, not once: an environment may gain a secret while the process lives."""
        return cls._of(os.getcwd(), socket.gethostname(), tuple(os.environ.items()))  # noqa: PTH109  half the time

    @classmethod
    @functools.lru_cache(maxsize=4)
    def _of(cls, working: str, host: str, environment: tuple[tuple[str, str], ...]) -> Self:
        places = (Path.home(), Path(working), Path(sys.prefix), Path(tempfile.gettempdir()))
        roots = {f"/{place.parts[1]}" for place in places if len(place.parts) > 1}
        # The home folder stands on its own too, since it alone may be known to hold spaces.
        prefixes = sorted({*roots, *_ROOTS, str(Path.home())} - {"/"}, key=len, reverse=True)
        hidden = (value for name, value in environment if _SECRET_NAME.search(name))
        secrets = sorted({value for value in hidden if len(value) >= _SHORTEST_SECRET}, key=len, reverse=True)
        return cls(getpass.getuser(), host, tuple(prefixes), tuple(secrets))


def redact_text(text: str, identity: Identity | None = None) -> str:
    """`text` with secrets, absolute paths, the user and the host replaced by <secret>, <path>, <user> and <host>."""
    return _redactor(identity or Identity.of_process())(text)


@functools.lru_cache(maxsize=4)
def _redactor(who: Identity) -> Callable[[str], str]:
    names = [(name, mark) for name, mark in who.names() if _tells(name)]
    given = "|".join(map(re.escape, [*who.secrets, *(name for name, _ in names)]))
    # Nearly all texts are names of settings and metrics, which hold none of these.
    suspicious = re.compile(rf"{_SUSPICIOUS}|{given}" if given else _SUSPICIOUS, re.IGNORECASE)
    prefixes = "|".join(map(re.escape, who.prefixes))
    path = re.compile(rf"(?<![\w>])(?:{prefixes})(?:/{_PATH_END}*|(?!\w))")

    @functools.lru_cache(maxsize=8192)
    def redact(text: str) -> str:
        if not suspicious.search(text):
            return text
        for secret in who.secrets:
            text = text.replace(secret, "<secret>")
        for shape, replacement in _SHAPES:
            text = shape.sub(replacement, text)
        text = path.sub(_short, text)
        for name, mark in names:
            text = re.sub(rf"(?<![\w<]){re.escape(name)}(?!\w)", mark, text, flags=re.IGNORECASE)
        return text

    return redact


def redacted_object(value: Mapping[str, Any], identity: Identity | None = None) -> dict[str, Json]:
    """A deep copy of a JSON object as `redacted`. Raises InvalidInput, with the JSON Pointer, for what is not JSON."""
    clean = redacted(plain(value), identity)
    if not isinstance(clean, dict):
        raise InvalidInput(f"expected a JSON object, found a {type(value).__name__}")
    return clean


def redacted(value: Json, identity: Identity | None = None) -> Json:
    """A copy of JSON `value` whose every text, keys included, went through `redact_text`."""
    return _redacted(value, _redactor(identity or Identity.of_process()))


def _redacted(value: Json, redact: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_redacted(item, redact) for item in value]
    if isinstance(value, dict):
        clean = {redact(key): _redacted(item, redact) for key, item in value.items()}
        if len(clean) < len(value):
            raise InvalidInput(f"keys {sorted(value)} are the same once paths and names are removed; name them apart")
        return clean
    return value


def environment_facts(packages: Iterable[str] = ()) -> dict[str, Json]:
    """What a record may say of its environment: Python, system, machine, cores and the versions of `packages`."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "machine": platform.machine(),
        "num_cpus": os.cpu_count(),
        "packages": {name: _version(name) for name in sorted(packages)},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _short(match: re.Match[str]) -> str:
    parts = match.group().rstrip("/").split("/")
    # The last part says which file it was; the second of two is a user's or a project's own folder.
    return f"<path>/{parts[-1]}" if len(parts) > 3 else "<path>"


def _tells(name: str) -> bool:
    return len(name) >= _SHORTEST_NAME and name.lower() not in _NOBODY
