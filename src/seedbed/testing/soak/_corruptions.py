"""All known corruptions of a finished soak, by name."""

import shutil
from collections.abc import Callable, Mapping
from types import MappingProxyType

from seedbed.testing.soak._files import file_corruptions
from seedbed.testing.soak._forge import Logs, reseal, rewrite
from seedbed.testing.soak._logs import log_corruptions
from seedbed.testing.soak._plans import EASY_GATE, replanned
from seedbed.testing.soak._scene import Base, Corruption, Scene

__all__ = ["ANCHORED", "CORRUPTIONS"]

_SNAPSHOT = "POST_SOAK_SNAPSHOT.json"
_OTHER_GATE = {"gate": EASY_GATE}
_NO_FAULT = replanned({"fault": None}, _SNAPSHOT)


def _rerun(scene: Scene) -> str:
    """Replace the soak by another whole one with the same id."""
    soak_id = scene.folder.name
    shutil.rmtree(scene.folder)
    shutil.copytree(scene.other, scene.folder)
    return replanned({"soak_id": soak_id}, _SNAPSHOT)(scene)


def _as_former(scene: Scene) -> str:
    """Give out the soak as one of a version whose plan is not bound, with another gate."""
    reseal(scene.path("soak.json"), lambda plan: plan.update(schema_version=1, gate=EASY_GATE))
    logs = Logs.of(scene.folder)
    del logs.evidence[0]
    logs.sign()
    rewrite(scene.folder)
    return _SNAPSHOT


def _table(rows: Callable[[], list[tuple[str, Corruption]]]) -> Mapping[str, Corruption]:
    return MappingProxyType(dict(rows()))


CORRUPTIONS: Mapping[str, Corruption] = _table(lambda: [*file_corruptions(), *log_corruptions()])
"""The corruptions that `verify_soak` must find from the files alone, naming the place first."""

ANCHORED: Mapping[str, Corruption] = _table(
    lambda: [
        ("soak-run-again", Corruption("another whole soak is put in its place, its id forged", _rerun)),
        (
            "fault-forgotten",
            Corruption(
                "a fault that never came about is not mentioned, all signed and rewritten", _NO_FAULT, Base.UNSEEN
            ),
        ),
        ("plan-gate-signed", Corruption("another gate, all signed and rewritten", replanned(_OTHER_GATE, _SNAPSHOT))),
        ("soak-as-former", Corruption("another gate, the soak given out as one of a former version", _as_former)),
    ]
)
"""The corruptions that the files alone cannot show, since a real soak could have left them: only the anchor can."""
