"""What a run's journals of changes hold that its record must tell of: their summaries, resumes, and untold changes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seedbed.errors import InvalidInput
from seedbed.records.canonical._canonical import plain
from seedbed.records.journal._frames import Frames
from seedbed.records.snapshot._course import change_summaries, is_kept

__all__ = ["added_summaries", "resumed_at", "untold_changes"]

# Kinds of records in a journal of changes: the first of every change, and that of a resume.
_PROPOSED, _RESUMED = "proposed", "resumed"


def added_summaries(
    summaries: Mapping[str, Mapping[str, Any]], documents: Mapping[str, Any]
) -> tuple[dict[str, Mapping[str, Any]], set[str]]:
    """Those of the `summaries`, by the name of the journal, that `documents` do not hold under the name of no journal.

    Beside them the names of the journals of which they do. Raises InvalidInput for a document that has a journal's name
    and is something else, or that tells a part of a journal only.
    """
    if not summaries:
        return {}, set()
    made = dict(summaries)
    given = {name: plain(document) for name, document in documents.items()}
    for name in sorted(made.keys() & given.keys()):
        if given.pop(name) != made[name]:
            raise InvalidInput(
                f"the document {name!r} is not the summary of the changes in the journal {name}.log, which has "
                "that name: leave it out, since finish adds it, or give it another name"
            )
    told = set()
    others = [journal for journal in made if journal not in documents]
    for journal in others:
        # Each document stands for one journal: two engines may have made the same changes.
        whole = next((name for name in given if given[name] == made[journal]), None)
        if whole is not None:
            del given[whole], made[journal]
            told.add(journal)
    for name, document in given.items():
        for journal in others:
            if journal in made and _is_earlier(document, made[journal]):
                raise InvalidInput(
                    f"the document {name!r} is a summary of the changes in the journal {journal}.log that does not "
                    "tell all of them: leave it out, since finish adds the whole one"
                )
    return made, told


def untold_changes(
    journals: Mapping[str, Frames],
    documents: Mapping[str, Any],
    elsewhere: set[str],
    points: Sequence[tuple[int, int]],
    attempt: int,
) -> dict[str, str]:
    """The `journals`, by file, that hold changes of which no document tells, with their last digests.

    A document tells of the journal that has its name, and of those `elsewhere` one of another name does. `points` are
    the attempt and step of all that was logged until the `attempt` that ends.

    So it is when an attempt goes on after one that changed something, and takes no engine for its journal; or an
    engine that begins again, although the steps after the change were kept.
    """
    changed = {name: frames for name, frames in journals.items() if any(_proposed(frames))}
    if not changed:
        return {}
    told = change_summaries({name: plain(document) for name, document in documents.items()}).keys() | elsewhere
    return {
        name: frames.head[1]
        for name, frames in changed.items()
        if _holds_untold(frames, points, attempt, is_told=name.removesuffix(".log") in told)
    }


def _holds_untold(frames: Frames, points: Sequence[tuple[int, int]], attempt: int, *, is_told: bool) -> bool:
    every_attempt_had_an_engine = len(resumed_at(frames)) == attempt - 1
    return any(
        not is_told or is_kept(step, points, attempt, lost_in if every_attempt_had_an_engine else None)
        for step, lost_in in _proposed(frames)
        if lost_in or not is_told
    )


def resumed_at(frames: Frames) -> list[int]:
    """The steps at which a journal of changes was resumed; 0 where it began again."""
    found = (entry.payload for entry in frames.entries if entry.kind == _RESUMED)
    return [each["step"] for each in found if isinstance(each.get("step"), int) and isinstance(each.get("kept"), int)]


def _proposed(frames: Frames) -> Iterator[tuple[int, int]]:
    """The step of each change that was proposed in a journal, and which beginning's lost work it is; 0 for none's.

    It is the first that an engine made, or that of the first, second, … resume before it. A journal of another kind may
    have records of the same names, of which nothing is known to be lost.
    """
    steps: dict[int, int] = {}
    beginning = 1
    for number, entry in enumerate(frames.entries):
        change, step, kept = (entry.payload.get(name) for name in ("id", "step", "kept"))
        if entry.kind == _PROPOSED:
            steps[change if isinstance(change, int) else -number] = step if isinstance(step, int) else 0
        elif entry.kind == _RESUMED and isinstance(kept, int):
            lost = [change for change in steps if change > kept]
            yield from ((steps.pop(change), beginning) for change in lost)
            beginning += 1
    yield from ((step, 0) for step in steps.values())


def _is_earlier(document: object, summary: object) -> bool:
    """Whether `document` is a summary of the same journal as `summary`, taken before its last changes or outcomes."""
    found = _proposals(document)
    return bool(found) and found == _proposals(summary)[: len(found)]


def _proposals(summary: object) -> list[tuple[object, ...]]:
    """What no later record of a journal alters of its changes; none for a document that is no summary."""
    return [
        (change.id, change.parameter, change.step, change.wanted, change.reason, change.proposer)
        for each in change_summaries({"": summary}).values()
        for change in each.changes
    ]
