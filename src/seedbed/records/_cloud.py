"""A store's files on an object store."""

from seedbed.errors import InvalidInput
from seedbed.records._files import Files

__all__ = ["open_cloud"]


def open_cloud(url: str) -> Files:
    """The files behind `url`. Raises InvalidInput: there is no object store yet."""
    raise InvalidInput(f"the store {url} is not a folder; object stores are not there yet")
