"""A possible cause in plain words: the commit, file, package, change or kernel that differs."""

from collections.abc import Callable, Mapping
from typing import Any

from seedbed.records.canonical._json_pointer import Difference, unescaped
from seedbed.records.compare._comparison import reason_of, short_text

__all__ = ["cause_words"]

_SHORT_COMMIT = 8


def cause_words(difference: Difference) -> str:
    """The difference as few words, such as `model.py differs` or `torch 2.13.0 against 2.14.1`."""
    for start, words in _WORDS.items():
        if difference.pointer.startswith(start):
            return words(unescaped(difference.pointer.removeprefix(start)), difference)
    return reason_of(difference)


def _file(name: str, found: Difference) -> str:
    which = {"add": "only the later run has ", "remove": "only the earlier run has "}.get(found.op)
    return f"{which}{name}" if which else f"{name} differs"


def _commit(_: str, found: Difference) -> str:
    before, after = (f"{str(each)[:_SHORT_COMMIT]}…" for each in (found.previous, found.current))
    return f"commit {before} against {after}"


def _uncommitted(_: str, found: Difference) -> str:
    if found.previous and found.current:
        return "other uncommitted changes"
    return f"uncommitted changes, in the {'earlier' if found.previous else 'later'} run alone"


def _version(name: str, found: Difference) -> str:
    before, after = ("none" if each is None else short_text(each) for each in (found.previous, found.current))
    return f"{name} {before} against {after}"


def _change(name: str, found: Difference) -> str:
    before, after = (each if isinstance(each, list) else [] for each in (found.previous, found.current))
    apart = [*(each for each in before if each not in after), *(each for each in after if each not in before)]
    steps = [each[0] for each in apart if isinstance(each, list) and each and isinstance(each[0], int)]
    alone = "" if before and after else f", in the {'earlier' if before else 'later'} run alone"
    return f"the change of {name} at step {min(steps)}{alone}" if steps else reason_of(found)


def _kernels(name: str, found: Difference) -> str:
    before, after = (_list(each) for each in (found.previous, found.current))
    return f"{name}: {before} ran in the earlier run, {after} in the later one"


def _list(kernels: Any) -> str:
    return short_text(", ".join(map(str, kernels)) or "none that was seen")


def _generator(name: str, _: Difference) -> str:
    return f"the generator of {name} began in another state"


_WORDS: Mapping[str, Callable[[str, Difference], str]] = {
    "/code/files/": _file,
    "/code/commit": _commit,
    "/code/uncommitted": _uncommitted,
    "/course/packages/": _version,
    "/imported/": _version,
    "/environment/": _version,
    "/hardware/": _version,
    "/course/changes/": _change,
    "/kernels/": _kernels,
    "/generators/": _generator,
}
