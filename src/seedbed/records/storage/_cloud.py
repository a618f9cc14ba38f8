"""A store's files in a bucket: S3, and compatible services that support conditional puts.

Credentials, region and endpoint come from the environment, as for every S3 client (AWS_ACCESS_KEY_ID, AWS_REGION,
AWS_ENDPOINT_URL, ...), and are never kept.
"""

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from seedbed.errors import InvalidInput, NotFound, StoreUnavailable
from seedbed.records.storage._files import Files, NoBucket, StoredFile, Unreadable, require_create_only, require_key

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore

__all__ = ["CloudFiles", "open_cloud"]

_NO_BUCKET = "<Code>NoSuchBucket</Code>"  # in the answer to a listing
_OF_ONE_FILE = re.compile(r"status code: 40[03]\b")  # its key is disabled, it was archived, or it may not be read
_MAKE_READABLE = "give this process the right to read it, or bring it back from the archive"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_READ_BACK_BYTES = 2**20
# Every variable that names the endpoint to an S3 client.
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
# The stores, each with its endpoint, that this process saw refuse a put where a file was.
_CONDITIONAL: set[tuple[str, ...]] = set()
_TRIAL = threading.Lock()


def open_cloud(url: str) -> Files:
    """The files at `url`, such as s3://bucket/prefix. Raises InvalidInput for a URL that names no bucket."""
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
    hosts = {urlsplit(endpoint).hostname for endpoint in _endpoints() if endpoint}
    # Plain HTTP sends secrets unencrypted, so it is only used to this machine, unless AWS_ALLOW_HTTP is set.
    client_options: ClientConfig = {"allow_http": True} if hosts and hosts <= _LOOPBACK else {}
    try:
        return CloudFiles(S3Store.from_url(url, client_options=client_options), url, _endpoints())
    except (BaseError, ValueError) as problem:
        raise InvalidInput(f"the store {url} cannot be opened: {_first_line(problem)}") from None


@dataclass(frozen=True)
class CloudFiles:
    """The `Files` of a bucket; `url` names it in errors, and `endpoints` are those that the client was made with."""

    store: "ObjectStore"
    url: str
    endpoints: tuple[str, ...] = ()

    def create(self, key: str, data: bytes, *, durable: bool = True) -> None:  # noqa: ARG002  every put is durable
        """As `Files.create`, by a conditional put."""
        self._require_conditions()
        self._put_if_absent(key, data)

    def _put_if_absent(self, key: str, data: bytes) -> None:
        from obstore.exceptions import AlreadyExistsError

        try:
            with self._service_errors("create", key):
                self.store.put(require_key(key), data, mode="create", use_multipart=False)
        except AlreadyExistsError:
            if not self._is_own(key, data):
                raise FileExistsError(f"{key} exists already in {self.url}") from None
        except FileNotFoundError:
            raise self._no_bucket() from None
        except NotImplementedError as problem:
            raise InvalidInput(
                f"nothing can be recorded in {self.url}: {_first_line(problem)}; unset AWS_CONDITIONAL_PUT"
            ) from None

    def _require_conditions(self) -> None:
        """Try once in a process whether a put is refused where a file is: the service may be another one by now.

        A store may be reached through another endpoint than the one that it was made by.
        """
        place = (self.url, *self.endpoints)
        if place in _CONDITIONAL:
            return
        with _TRIAL:  # a thread that comes while another one tries waits for its result
            if place not in _CONDITIONAL:
                require_create_only(self._put_if_absent, self.remove)
                _CONDITIONAL.add(place)

    def replace(self, key: str, data: bytes, *, durable: bool = True) -> None:  # noqa: ARG002  every put is durable
        """As `Files.replace`; every put is durable."""
        try:
            with self._service_errors("replace", key):
                self.store.put(require_key(key), data)
        except FileNotFoundError:
            raise self._no_bucket() from None

    def read(self, key: str) -> bytes:
        """As `Files.read`."""
        try:
            with self._service_errors("read", key):
                return bytes(self.store.get(require_key(key)).bytes())
        except FileNotFoundError:
            raise NotFound(f"there is no file {key} in {self.url}") from None
        except StoreUnavailable as problem:
            if _OF_ONE_FILE.search(str(problem.__cause__)) and self._is_listed(key):
                told = f"cannot read {key} in {self.url}: {_first_line(problem.__cause__)}"
                raise Unreadable(f"{told}; {_MAKE_READABLE}", is_whole=True) from None
            raise

    def list(self, prefix: str, *, after: str = "", deep: bool = True) -> Iterator[StoredFile]:
        """As `Files.list`."""
        folder = f"{require_key(prefix)}/" if prefix else ""
        with self._service_errors("list", prefix):
            yield from self._deep(folder, after) if deep else self._children(folder, after)

    def remove(self, key: str, *, unless_since: datetime | None = None) -> bool:
        """As `Files.remove`. A write in the few milliseconds between reading the time and deleting is lost."""
        with contextlib.suppress(FileNotFoundError), self._service_errors("remove", key):
            if unless_since and self.store.head(require_key(key))["last_modified"] >= unless_since:
                return False
            self.store.delete(require_key(key))
        return True

    def _is_listed(self, key: str) -> bool:
        """Whether the service lists the file at `key`: then it answers, and the fault is of this one file."""
        with self._service_errors("list", key):
            first = next(iter(self.store.list(key.rpartition("/")[0] or None, offset=key[:-1])), [])
        return any(item["path"] == key for item in first)

    def _no_bucket(self) -> NoBucket:
        return NoBucket(f"the bucket of {self.url} does not exist; make it first, or correct the name")

    def _is_own(self, key: str, data: bytes) -> bool:
        """Whether the file at `key` was put there by this very call.

        When the answer to a put is lost, the client sends it again, and finds its own file. So the bytes decide: each
        commit and claim names its run, attempt and process, so no two writers put equal bytes. A large blob is not read
        back: its key is its digest, so it does not matter who put it.
        """
        return len(data) <= _READ_BACK_BYTES and self.read(key) == data

    def _deep(self, folder: str, after: str) -> Iterator[StoredFile]:
        for page in self.store.list(folder or None, offset=after or None):
            for item in page:
                yield StoredFile(item["path"], item["size"], item["last_modified"])

    def _children(self, folder: str, after: str) -> Iterator[StoredFile]:
        # A listing by delimiter takes no offset, so everything is listed and filtered here.
        found = self.store.list_with_delimiter(folder or None)
        files = [StoredFile(item["path"], item["size"], item["last_modified"]) for item in found["objects"]]
        folders = [StoredFile.folder(f"{path}/") for path in found["common_prefixes"]]
        yield from sorted((item for item in files + folders if item.key > after), key=lambda item: item.key)

    @contextlib.contextmanager
    def _service_errors(self, doing: str, key: str) -> Iterator[None]:
        from obstore.exceptions import AlreadyExistsError, BaseError

        try:
            yield
        except AlreadyExistsError:
            raise
        except BaseError as problem:
            if _NO_BUCKET in str(problem):
                raise self._no_bucket() from None
            raise StoreUnavailable(
                f"cannot {doing} {key or 'the root'} in {self.url}: {_first_line(problem)}; "
                "nothing was acknowledged; check the service, the credentials and the network, then try again"
            ) from problem


def _endpoints() -> tuple[str, ...]:
    return tuple(os.environ.get(name, "") for name in _ENDPOINTS)


def _first_line(problem: BaseException | None) -> str:
    return str(problem).partition("\n")[0]
