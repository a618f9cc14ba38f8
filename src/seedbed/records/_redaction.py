"""What must not reach any byte of the store: host and user names, absolute paths, secrets.

Facts about the environment are an allowlist: only what `environment_facts` names is ever collected. Free text (reasons,
exception messages) is searched for what identifies this process's machine and user.
"""

import getpass
import os
import platform
import re
import socket
import sys
import tempfile
from collections.abc import Iterable, Mapping
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


@dataclass(frozen=True)
class Identity:
    """What would give this machine or its user away in a text."""

    user: str
    host: str
    prefixes: tuple[str, ...]
    secrets: tuple[str, ...]

    @classmethod
    def of_process(cls) -> Self:
        """Read now, not once: an environment may gain a secret while the process lives."""
        places = (Path.home(), Path.cwd(), Path(sys.prefix), Path(tempfile.gettempdir()))
        roots = {f"/{place.parts[1]}" for place in places if len(place.parts) > 1}
        # The home folder stands on its own too, since it alone may be known to hold spaces.
        prefixes = sorted({*roots, *_ROOTS, str(Path.home())} - {"/"}, key=len, reverse=True)
        hidden = (value for name, value in os.environ.items() if _SECRET_NAME.search(name))
        secrets = sorted({value for value in hidden if len(value) >= _SHORTEST_SECRET}, key=len, reverse=True)
        return cls(getpass.getuser(), socket.gethostname(), tuple(prefixes), tuple(secrets))


def redact_text(text: str, identity: Identity | None = None) -> str:
    """`text` with secrets, absolute paths, the user and the host replaced by <secret>, <path>, <user> and <host>."""
    who = identity or Identity.of_process()
    for secret in who.secrets:
        text = text.replace(secret, "<secret>")
    for shape, replacement in _SHAPES:
        text = shape.sub(replacement, text)
    prefixes = "|".join(map(re.escape, who.prefixes))
    text = re.sub(rf"(?<![\w>])(?:{prefixes})(?:/{_PATH_END}*|(?!\w))", _short, text)
    text = _hide_name(text, who.host, "<host>")
    text = _hide_name(text, who.host.partition(".")[0], "<host>")
    return _hide_name(text, who.user, "<user>")


def redacted_object(value: Mapping[str, Any], identity: Identity | None = None) -> dict[str, Json]:
    """A deep copy of a JSON object as `redacted`. Raises InvalidInput, with the JSON Pointer, for what is not JSON."""
    clean = redacted(plain(value), identity)
    if not isinstance(clean, dict):
        raise InvalidInput(f"expected a JSON object, found a {type(value).__name__}")
    return clean


def redacted(value: Json, identity: Identity | None = None) -> Json:
    """A copy of JSON `value` whose every text, keys included, went through `redact_text`."""
    who = identity or Identity.of_process()
    if isinstance(value, str):
        return redact_text(value, who)
    if isinstance(value, list):
        return [redacted(item, who) for item in value]
    if isinstance(value, Mapping):
        clean = {redact_text(key, who): redacted(item, who) for key, item in value.items()}
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


def _hide_name(text: str, name: str, replacement: str) -> str:
    if len(name) < _SHORTEST_NAME or name.lower() in _NOBODY:
        return text
    return re.sub(rf"(?<![\w<]){re.escape(name)}(?!\w)", replacement, text, flags=re.IGNORECASE)
