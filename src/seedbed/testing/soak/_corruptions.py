"""All known corruptions of a finished soak, by name."""

import shutil
from collections.abc import Callable, Mapping
from types import MappingProxyType

from seedbed.testing.soak._files import file_corruptions
from seedbed.testing.soak._forge import JsonObject, reseal, rewrite
from seedbed.testing.soak._logs import log_corruptions
from seedbed.testing.soak._scene import Corruption, Scene

__all__ = ["ANCHORED", "CORRUPTIONS"]


def _rerun(scene: Scene) -> str:
    """Replace the soak by another whole one with the same id."""
    soak_id = scene.folder.name
    shutil.rmtree(scene.folder)
    shutil.copytree(scene.other, scene.folder)
    return _replanned(scene, {"soak_id": soak_id})


def _idle_fault(scene: Scene) -> str:
    """Claim a fault from an iteration after which nothing is delivered any more."""
    last = len(list(scene.folder.glob("ITER_SUMMARY_*.json")))
    return _replanned(scene, {"fault": "dropped", "fault_from": last - 1})


def _replanned(scene: Scene, fields: JsonObject) -> str:
    reseal(scene.path("soak.json"), lambda plan: plan.update(fields))
    rewrite(scene.folder)
    return "POST_SOAK_SNAPSHOT.json"


def _table(rows: Callable[[], list[tuple[str, Corruption]]]) -> Mapping[str, Corruption]:
    return MappingProxyType(dict(rows()))


CORRUPTIONS: Mapping[str, Corruption] = _table(lambda: [*file_corruptions(), *log_corruptions()])
"""The corruptions that `verify_soak` must find from the files alone, naming the place first."""

ANCHORED: Mapping[str, Corruption] = _table(
    lambda: [
        ("soak-run-again", Corruption("another whole soak is put in its place, its id forged", _rerun)),
        ("plan-idle-fault", Corruption("a fault without effect is claimed, everything rewritten", _idle_fault)),
    ]
)
"""The corruptions that the files alone cannot show, since a real soak could have left them: only the anchor can."""
