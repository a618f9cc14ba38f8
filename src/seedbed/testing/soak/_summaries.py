"""Corruptions of the artifacts of iterations, alone or with all after them sealed again."""

import shutil
from collections.abc import Callable, Iterator
from typing import Any

from seedbed.testing.soak._edits import must, num_summaries
from seedbed.testing.soak._forge import JsonObject, reseal, summaries
from seedbed.testing.soak._scene import ALTERATIONS, Base, Corruption, Numbers, Scene, altered_numbers

__all__ = ["summary_corruptions"]

_HASH = "f" * 64


def summary_corruptions() -> Iterator[tuple[str, Corruption]]:
    """Every corruption of the iterations' artifacts, with its name."""

    for how, alter in ALTERATIONS.items():
        yield f"summary-{how}", Corruption(f"a number of an iteration is {how}", _summary_number(alter, seal=False))
        yield (
            f"summary-{how}-sealed",
            Corruption(f"a number of an iteration is {how}, and all after it sealed again", _summary_number(alter)),
        )
    nan: Numbers = lambda _: float("nan")  # noqa: E731
    yield "summary-nan", Corruption("a number of an iteration is NaN", _summary_number(nan, seal=False))
    forged: dict[str, tuple[str, Callable[[JsonObject], bool], Base]] = {
        "flag": ("`applied` is inverted", _flip_applied, Base.HEALTHY),
        "verdict": ("a failed proposal is called FULL", _call_full, Base.FAILED),
        "hash": ("the hash of the settings used is another", _forge_hash, Base.HEALTHY),
        "head": ("the end of a log is another", _forge_head, Base.HEALTHY),
        "skip-dropped": ("the reason of a skip is dropped", _drop_skip, Base.FAILED),
        "skip-renamed": ("a skip is blamed on another guard", _rename_skip, Base.FAILED),
        "outcome": ("a failed key is called effective", _call_effective, Base.FAILED),
        "lost": ("what was lost is not mentioned", _drop_lost, Base.FAILED),
        "previous": ("an iteration is said to be another", _renumber, Base.HEALTHY),
    }
    for name, (what, forge, base) in forged.items():
        yield f"summary-{name}-sealed", Corruption(f"{what}, and all after it sealed again", _summary(forge), base)
    yield "summary-dropped", Corruption("the artifact of an iteration is dropped", _summary_dropped)
    yield "summary-duplicated", Corruption("the artifact of an iteration is there twice", _summary_duplicated)
    yield "summaries-swapped", Corruption("two artifacts are swapped", _summaries_swapped)
    yield "summaries-swapped-sealed", Corruption("two artifacts are swapped and renumbered", _summaries_swapped_sealed)


def _summary_number(alter: Numbers, *, seal: bool = True) -> Callable[[Scene], str]:
    skip = frozenset({"schema_version", "iteration", "digest"})

    def inflict(scene: Scene) -> str:
        number = scene.random.randint(1, num_summaries(scene))
        name = f"ITER_SUMMARY_{number}.json"
        if seal:
            summaries(scene.folder, lambda bodies: must(altered_numbers(bodies[number - 1], scene.random, alter, skip)))
        else:
            reseal(scene.path(name), lambda one: must(altered_numbers(one, scene.random, alter, skip)), seal=False)
        return name

    return inflict


def _summary(alter: Callable[[JsonObject], bool]) -> Callable[[Scene], str]:
    """Alter the artifact of one iteration that `alter` applies to."""

    def inflict(scene: Scene) -> str:
        named = []

        def one(bodies: list[JsonObject]) -> None:
            order = scene.random.sample(range(len(bodies)), len(bodies))
            named.append(next(at for at in order if alter(bodies[at])) + 1)

        summaries(scene.folder, one)
        return f"ITER_SUMMARY_{named[0]}.json"

    return inflict


def _flip_applied(summary: JsonObject) -> bool:
    summary["tuning"]["applied"] = not summary["tuning"]["applied"]
    return True


def _call_full(summary: JsonObject) -> bool:
    was_failed = summary["tuning"]["verdict"] == "FAILED"
    summary["tuning"]["verdict"] = "FULL" if was_failed else summary["tuning"]["verdict"]
    return bool(was_failed)


def _forge_hash(summary: JsonObject) -> bool:
    summary["summary"]["used_hash"] = _HASH
    return True


def _forge_head(summary: JsonObject) -> bool:
    summary["heads"]["evidence"]["digest"] = _HASH
    return True


def _drop_skip(summary: JsonObject) -> bool:
    had_one = summary["tuning"]["skip_reason"] is not None
    summary["tuning"]["skip_reason"] = None
    return had_one


def _rename_skip(summary: JsonObject) -> bool:
    skip: Any = summary["tuning"]["skip_reason"]
    if skip is None:
        return False
    skip["cooldown"] = not skip["cooldown"]
    return True


def _call_effective(summary: JsonObject) -> bool:
    failed = [each for each in summary["tuning"]["outcomes"].values() if each["outcome"] == "FAILED"]
    for each in failed[:1]:
        each["outcome"] = "EFFECTIVE"
    return bool(failed)


def _drop_lost(summary: JsonObject) -> bool:
    had_some = bool(summary["summary"]["lost"])
    summary["summary"]["lost"] = []
    return had_some


def _renumber(summary: JsonObject) -> bool:
    summary["iteration"] += 1
    return True


def _summary_dropped(scene: Scene) -> str:
    name = f"ITER_SUMMARY_{scene.random.randint(1, num_summaries(scene))}.json"
    scene.path(name).unlink()
    return name


def _summary_duplicated(scene: Scene) -> str:
    last = num_summaries(scene)
    name = f"ITER_SUMMARY_{last + 1}.json"
    shutil.copy(scene.path(f"ITER_SUMMARY_{scene.random.randint(1, last)}.json"), scene.path(name))
    return name


def _summaries_swapped(scene: Scene) -> str:
    number = scene.random.randint(1, num_summaries(scene) - 1)
    first, second = (scene.path(f"ITER_SUMMARY_{each}.json") for each in (number, number + 1))
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    return first.name


def _summaries_swapped_sealed(scene: Scene) -> str:
    at = scene.random.randrange(num_summaries(scene) - 1)

    def swap(bodies: list[JsonObject]) -> None:
        bodies[at], bodies[at + 1] = bodies[at + 1], bodies[at]
        bodies[at]["iteration"], bodies[at + 1]["iteration"] = at + 1, at + 2

    summaries(scene.folder, swap)
    return f"ITER_SUMMARY_{at + 1}.json"
