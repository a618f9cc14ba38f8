"""The contract of `Files`, as tests that anyone can run on their own implementation.

    class TestMine(FilesContract):
        @pytest.fixture
        def files(self, tmp_path):
            return Mine(tmp_path)

The tests need two fixtures. `files` gives an empty place each time; `again` opens the same place a second time, as
another process would.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Barrier

from seedbed.errors import InvalidInput, NotFound
from seedbed.records import Files

__all__ = ["FilesContract"]

_KEYS = ("a-b/x", "a.json", "a/b.json", "a/c/1", "a/c/2", "ab")
_ESCAPES = ("", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", ".", "a/./b", "a\\b", "a\0b")


class FilesContract:
    """The contract of `Files`. A test class that inherits it and has both fixtures runs all its tests."""

    def test_what_is_created_is_read_whole_and_by_everybody(self, files: Files, again: Files) -> None:
        """Small, empty and large."""
        for key, data in (("small", b"x"), ("deep/er/empty", b""), ("large", os.urandom(3_000_000))):
            files.create(key, data)
            assert files.read(key) == again.read(key) == data

    def test_what_is_taken_is_never_overwritten(self, files: Files) -> None:
        """The first content stays."""
        files.create("k", b"first")
        with _raises(FileExistsError):
            files.create("k", b"second")
        assert files.read("k") == b"first"

    def test_what_need_not_be_durable_is_as_complete_and_never_overwritten(self, files: Files, again: Files) -> None:
        """Also beside what is durable, before it and after it."""
        for key, data in (("f/first", b"x"), ("f/second", os.urandom(3_000_000))):
            files.create(key, data, durable=False)
            assert files.read(key) == again.read(key) == data
            for durable in (False, True):
                with _raises(FileExistsError):
                    again.create(key, b"other", durable=durable)
            files.create(f"{key}-durable", b"y")
            assert files.read(key) == again.read(key) == data

    def test_of_many_who_create_one_key_exactly_one_wins(self, files: Files) -> None:
        """And all read what the winner wrote."""
        for round_ in range(5):
            barrier = Barrier(8)

            def contend(name: int, key: str = f"race/{round_}", barrier: Barrier = barrier) -> int | None:
                barrier.wait()
                try:
                    files.create(key, str(name).encode() * 1000, durable=name % 2 > 0)
                except FileExistsError:
                    return None
                return name

            with ThreadPoolExecutor(8) as pool:
                won = [name for name in pool.map(contend, range(8)) if name is not None]
            assert len(won) == 1
            assert files.read(f"race/{round_}") == str(won[0]).encode() * 1000

    def test_a_replacement_is_never_seen_half(self, files: Files) -> None:
        """A reader beside a writer sees the old content or the new."""
        values = [bytes([value]) * 50_000 for value in range(6)]
        files.replace("k", values[0])
        with ThreadPoolExecutor(2) as pool:
            writing = pool.submit(_replace_by_each, files, "k", values * 5)
            while not writing.done():
                assert files.read("k") in values
            writing.result()
        assert files.read("k") == values[-1]

    def test_what_is_not_there_is_said_not_to_be(self, files: Files) -> None:
        """Also under a key that is a file."""
        files.create("k", b"x")
        for key in ("nothing", "no/thing", "k/below"):
            with _raises(NotFound):
                files.read(key)

    def test_listing_is_in_the_order_of_keys_with_sizes_and_times(self, files: Files) -> None:
        """Everything, or what is under a folder."""
        before = datetime.now(UTC) - timedelta(seconds=5)
        for size, key in enumerate(reversed(_KEYS)):
            files.create(key, b"x" * size)
        found = list(files.list(""))
        assert [item.key for item in found] == sorted(_KEYS)
        assert [item.size_bytes for item in found] == [len(_KEYS) - 1 - _KEYS.index(item.key) for item in found]
        assert all(before < item.modified < before + timedelta(minutes=1) for item in found)
        assert [item.key for item in files.list("a")] == ["a/b.json", "a/c/1", "a/c/2"]
        assert list(files.list("nowhere")) == []

    def test_listing_goes_on_after_a_key(self, files: Files) -> None:
        """Whether that key is there or not."""
        for key in _KEYS:
            files.create(key, b"x")
        for after in ("", "a-b/x", "a.json", "a/c", "a/c/1", "a/c/1x", "zz"):
            assert [item.key for item in files.list("", after=after)] == [key for key in sorted(_KEYS) if key > after]
        assert [item.key for item in files.list("a", after="a/c/1")] == ["a/c/2"]

    def test_a_shallow_listing_shows_folders_and_not_what_is_in_them(self, files: Files) -> None:
        """Folders end with a slash."""
        for key in _KEYS:
            files.create(key, b"x")
        assert [item.key for item in files.list("", deep=False)] == ["a-b/", "a.json", "a/", "ab"]
        assert [item.key for item in files.list("a", deep=False)] == ["a/b.json", "a/c/"]
        assert [item.key for item in files.list("", after="a.json", deep=False)] == ["a/", "ab"]

    def test_what_is_removed_is_gone_and_may_be_created_again(self, files: Files) -> None:
        """Absence is fine."""
        files.create("a/k", b"x")
        assert files.remove("a/k")
        assert files.remove("a/k")
        assert list(files.list("")) == []
        files.create("a/k", b"y")
        assert files.read("a/k") == b"y"

    def test_what_was_written_since_is_not_removed(self, files: Files) -> None:
        """By the clock of the storage."""
        files.create("k", b"x")
        written = next(iter(files.list(""))).modified
        assert not files.remove("k", unless_since=written)
        assert files.read("k") == b"x"
        assert files.remove("k", unless_since=written + timedelta(minutes=1))
        assert files.remove("k", unless_since=written)
        assert list(files.list("")) == []

    def test_keys_that_could_leave_the_store_are_refused(self, files: Files) -> None:
        """By every method."""
        for key in _ESCAPES:
            for method in (
                lambda key=key: files.create(key, b"x"),
                lambda key=key: files.replace(key, b"x"),
                lambda key=key: files.read(key),
                lambda key=key: files.remove(key),
                lambda key=key: list(files.list(key)) if key else files.read(key),
            ):
                with _raises(InvalidInput):
                    method()


def _replace_by_each(files: Files, key: str, values: Sequence[bytes]) -> None:
    for value in values:
        files.replace(key, value, durable=False)


@contextmanager
def _raises(error: type[Exception]) -> Iterator[None]:
    try:
        yield
    except error:
        return
    raise AssertionError(f"nothing was raised, expected {error.__name__}")
