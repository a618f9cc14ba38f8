"""Corruptions of the files beside the logs, with a broken seal and with a corrected one."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from seedbed.testing.soak._drawings import drawing_corruptions
from seedbed.testing.soak._edits import (
    DRAWING,
    METRICS,
    PAGE,
    PLAN,
    SETTINGS,
    SNAPSHOT,
    TUNING,
    cut_off,
    number_altered,
    sealed,
)
from seedbed.testing.soak._forge import JsonObject, set_settings
from seedbed.testing.soak._plans import fault_corruptions, plan_corruptions
from seedbed.testing.soak._scene import ALTERATIONS, Base, Corruption, Numbers, Scene, altered_numbers
from seedbed.testing.soak._summaries import summary_corruptions

__all__ = ["file_corruptions"]

_ALL = (
    *(PLAN, "changes.log", "evidence.log", SETTINGS, "ITER_SUMMARY_3.json", TUNING, SNAPSHOT, METRICS, PAGE),
    *(DRAWING, ".lock", ".runtime_overrides.json.lock"),
)


def file_corruptions() -> Iterator[tuple[str, Corruption]]:
    """Every corruption of these files, with its name."""
    yield from plan_corruptions()
    yield from _settings()
    yield from summary_corruptions()
    yield from _reports()
    yield from _texts()
    yield from fault_corruptions()
    for name in (PLAN, SETTINGS, "ITER_SUMMARY_3.json", TUNING, SNAPSHOT, METRICS, PAGE, DRAWING):
        yield f"another-soaks-{name}", Corruption(f"{name} of another soak is put in its place", _from_other(name))
    for name in (PLAN, SETTINGS, TUNING, SNAPSHOT, DRAWING):
        yield f"missing-{name}", Corruption(f"{name} is removed", _without(name))
        yield f"cut-{name}", Corruption(f"the last bytes of {name} are cut off", cut_off(name))
    for name in _ALL:
        yield f"pipe-{name}", Corruption(f"{name} is a pipe that nobody writes to", _replaced_by(os.mkfifo, name))
        yield f"folder-{name}", Corruption(f"{name} is a folder", _replaced_by(os.mkdir, name))
        yield f"link-{name}", Corruption(f"{name} is a link to another soak's", _linked(name))


def _settings() -> Iterator[tuple[str, Corruption]]:
    def altered(alter: Numbers) -> Callable[[Scene], str]:
        def inflict(scene: Scene) -> str:
            document = json.loads(scene.path(SETTINGS).read_bytes())
            altered_numbers(document, scene.random, alter)
            scene.path(SETTINGS).write_text(json.dumps(document, separators=(",", ":"), sort_keys=True))
            return SETTINGS

        return inflict

    yield "settings-reverted", Corruption("a change that was applied is reverted in the settings file", _reverted)
    for how, alter in ALTERATIONS.items():
        yield f"settings-{how}", Corruption(f"a live setting is {how}", altered(alter))
    yield "settings-nan", Corruption("a live setting is NaN", altered(lambda _: float("nan")))
    yield "settings-respelled", Corruption("a live setting is there twice, the last one correct", _twice)


def _reports() -> Iterator[tuple[str, Corruption]]:
    for name, file in (("report", TUNING), ("snapshot", SNAPSHOT)):
        for how, alter in ALTERATIONS.items():
            yield (
                f"{name}-{how}-sealed",
                Corruption(f"a number of {file} is {how} and sealed", number_altered(file, alter)),
            )
        yield (
            f"{name}-scaled",
            Corruption(f"a number of {file} is scaled", number_altered(file, ALTERATIONS["scaled"], seal=False)),
        )

    def effective(report: JsonObject) -> None:
        for change in report["changes"]["changes"]:
            change["outcome"] = "EFFECTIVE"

    def passed(snapshot: JsonObject) -> None:
        snapshot.update(verdict="PASS", exit_code=0, verified=True)
        snapshot["gate"].update(verdict="PASS", exit_code=0)

    def ready(snapshot: JsonObject) -> None:
        snapshot.update(freeze_ready=not snapshot["freeze_ready"], freeze_objections=[])

    def unverified(snapshot: JsonObject) -> None:
        snapshot["verified"] = False

    failed = Base.FAILED
    yield "report-outcomes", Corruption("every outcome is called effective", sealed(TUNING, effective), failed)
    yield "snapshot-verdict", Corruption("a failed soak is said to pass", sealed(SNAPSHOT, passed), failed)
    yield "snapshot-freeze-ready", Corruption("freeze-ready is inverted", sealed(SNAPSHOT, ready))
    yield "snapshot-unverified", Corruption("a clean soak is called unclean", sealed(SNAPSHOT, unverified))


def _texts() -> Iterator[tuple[str, Corruption]]:
    def altered(name: str, old: bytes, new: bytes) -> Callable[[Scene], str]:
        def inflict(scene: Scene) -> str:
            data = scene.path(name).read_bytes()
            scene.path(name).write_bytes(data.replace(old, new))
            return name

        return inflict

    yield "metrics-value", Corruption("a metric is another", altered(METRICS, b"} 1.0", b"} 0.0"))
    yield "metrics-cut", Corruption("the last bytes of the metrics are cut off", cut_off(METRICS))
    yield "page-verdict", Corruption("the page's verdict is another", altered(PAGE, b"PASSED", b"NOT PASSED"))
    yield from drawing_corruptions()
    yield "page-cut", Corruption("the last bytes of the page are cut off", cut_off(PAGE))


def _reverted(scene: Scene) -> str:
    record = json.loads(scene.path(TUNING).read_bytes())["changes"]["changes"]
    applied = [change for change in record if change["outcome"] == "EFFECTIVE"]
    last = {change["parameter"]: change for change in applied}
    change = scene.random.choice(sorted(last.values(), key=lambda each: each["id"]))
    data = json.loads(scene.path("evidence.log").read_text().splitlines()[-1])["body"]["payload"]["used"]
    set_settings(scene.folder, {**data, change["parameter"]: change["before"]})
    return SETTINGS


def _twice(scene: Scene) -> str:
    data = scene.path(SETTINGS).read_bytes()
    scene.path(SETTINGS).write_bytes(data.replace(b'{"', b'{"tuner":{"cooldown_iters":9},"', 1))
    return SETTINGS


def _from_other(name: str) -> Callable[[Scene], str]:
    def inflict(scene: Scene) -> str:
        shutil.copy(scene.other / name, scene.path(name))
        return name

    return inflict


def _without(name: str) -> Callable[[Scene], str]:
    def inflict(scene: Scene) -> str:
        scene.path(name).unlink()
        return name

    return inflict


def _replaced_by(make: Callable[[Path], None], name: str) -> Callable[[Scene], str]:
    def inflict(scene: Scene) -> str:
        scene.path(name).unlink()
        make(scene.path(name))
        return name

    return inflict


def _linked(name: str) -> Callable[[Scene], str]:
    def inflict(scene: Scene) -> str:
        scene.path(name).unlink()
        scene.path(name).symlink_to(scene.other / name)
        return name

    return inflict
