"""A store's files on an object store that can put only where there is nothing: S3 and what speaks its language.

Credentials, region and endpoint come from the environment, as for every S3 client (AWS_ACCESS_KEY_ID, AWS_REGION,
AWS_ENDPOINT_URL, ...), and are never kept.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from seedbed.errors import InvalidInput, NotFound, StoreUnavailable
from seedbed.records.storage._files import Files, StoredFile, require_key

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore

__all__ = ["CloudFiles", "open_cloud"]

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_READ_BACK_BYTES = 2**20


def open_cloud(url: str) -> Files:
    """The files behind `url`, such as s3://bucket/prefix. Raises InvalidInput for a URL that names no object store."""
    try:
        from obstore.exceptions import BaseError
        from obstore.store import S3Store
    except ImportError:
        raise InvalidInput(f"the store {url} needs the extra `cloud`: pip install 'seedbed[cloud]'") from None
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc or parts.username or parts.query:
        raise InvalidInput(
            f"the store {parts.scheme}://{parts.hostname or ''}{parts.path} cannot be opened; "
            "expected the form s3://bucket/prefix, and credentials in the environment"
        )
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    # Plain HTTP carries secrets in the clear, so only to this machine unless AWS_ALLOW_HTTP says otherwise.
    near: ClientConfig = {"allow_http": True} if urlsplit(endpoint).hostname in _LOOPBACK else {}
    try:
        return CloudFiles(S3Store.from_url(url, client_options=near), url)
    except (BaseError, ValueError) as problem:
        raise InvalidInput(f"the store {url} cannot be opened: {_first_line(problem)}") from None


@dataclass(frozen=True)
class CloudFiles:
    """The `Files` of an object store; `url` names it in errors."""

    store: "ObjectStore"
    url: str

    def create(self, key: str, data: bytes) -> None:
        """As `Files.create`, by a conditional put."""
        from obstore.exceptions import AlreadyExistsError

        try:
            with self._asked("create", key):
                self.store.put(require_key(key), data, mode="create", use_multipart=False)
        except AlreadyExistsError:
            if not self._is_own(key, data):
                raise FileExistsError(f"{key} is there already in {self.url}") from None

    def replace(self, key: str, data: bytes, *, durable: bool = True) -> None:  # noqa: ARG002  every put is durable
        """As `Files.replace`; every put is durable."""
        with self._asked("replace", key):
            self.store.put(require_key(key), data)

    def read(self, key: str) -> bytes:
        """As `Files.read`."""
        try:
            with self._asked("read", key):
                return bytes(self.store.get(require_key(key)).bytes())
        except FileNotFoundError:
            raise NotFound(f"there is no file {key} in {self.url}") from None

    def list(self, prefix: str, *, after: str = "", deep: bool = True) -> Iterator[StoredFile]:
        """As `Files.list`."""
        folder = f"{require_key(prefix)}/" if prefix else ""
        with self._asked("list", prefix):
            yield from self._deep(folder, after) if deep else self._children(folder, after)

    def remove(self, key: str, *, unless_since: datetime | None = None) -> bool:
        """As `Files.remove`. Between the look at the time and the deletion another writer has a few milliseconds."""
        with contextlib.suppress(FileNotFoundError), self._asked("remove", key):
            if unless_since and self.store.head(require_key(key))["last_modified"] >= unless_since:
                return False
            self.store.delete(require_key(key))
        return True

    def _is_own(self, key: str, data: bytes) -> bool:
        """Whether the put that found `key` taken had put it there itself.

        A put whose answer is lost is sent again by the client, and then finds what it put. So the bytes decide: each
        commit and claim names its run, attempt and process, so no two writers have the same. A large blob is not read
        back: its key is its content, and whoever puts one does not mind that it is there.
        """
        return len(data) <= _READ_BACK_BYTES and self.read(key) == data

    def _deep(self, folder: str, after: str) -> Iterator[StoredFile]:
        for page in self.store.list(folder or None, offset=after or None):
            for item in page:
                yield StoredFile(item["path"], item["size"], item["last_modified"])

    def _children(self, folder: str, after: str) -> Iterator[StoredFile]:
        # A listing by delimiter takes no offset, so the folders of a flat log are not worth asking for.
        found = self.store.list_with_delimiter(folder or None)
        files = [StoredFile(item["path"], item["size"], item["last_modified"]) for item in found["objects"]]
        folders = [StoredFile.folder(f"{path}/") for path in found["common_prefixes"]]
        yield from sorted((item for item in files + folders if item.key > after), key=lambda item: item.key)

    @contextlib.contextmanager
    def _asked(self, doing: str, key: str) -> Iterator[None]:
        from obstore.exceptions import AlreadyExistsError, BaseError

        try:
            yield
        except AlreadyExistsError:
            raise
        except BaseError as problem:
            raise StoreUnavailable(
                f"cannot {doing} {key or 'the top'} in {self.url}: {_first_line(problem)}; "
                "nothing was acknowledged; look at the service, the credentials and the network, then try again"
            ) from problem


def _first_line(problem: Exception) -> str:
    return str(problem).partition("\n")[0]
