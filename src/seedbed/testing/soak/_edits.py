"""The files beside the logs of a soak, and the edits of them that several corruptions consist of."""

from collections.abc import Callable

from seedbed.testing.soak._forge import JsonObject, reseal
from seedbed.testing.soak._scene import Numbers, Scene, altered_numbers

__all__ = [
    "DRAWING",
    "METRICS",
    "PAGE",
    "PLAN",
    "SETTINGS",
    "SNAPSHOT",
    "TUNING",
    "cut_off",
    "must",
    "num_summaries",
    "number_altered",
    "sealed",
]

PLAN, SETTINGS, TUNING, SNAPSHOT = (
    "soak.json",
    "runtime_overrides.json",
    "TUNING_REPORT.json",
    "POST_SOAK_SNAPSHOT.json",
)
METRICS, PAGE, DRAWING = "POST_SOAK_METRICS.prom", "DELTA_VERIFY_REPORT.md", "KPIS.svg"


def sealed(
    name: str, alter: Callable[[JsonObject], None], *, seal: bool = True, place: str | None = None
) -> Callable[[Scene], str]:
    """Alter a sealed file, and with `seal` correct its seal."""

    def inflict(scene: Scene) -> str:
        reseal(scene.path(name), alter, seal=seal)
        return place or name

    return inflict


def number_altered(name: str, alter: Numbers, *, seal: bool = True) -> Callable[[Scene], str]:
    """Alter one number of a sealed file, and with `seal` correct its seal."""
    skip = frozenset({"schema_version", "digest"})

    def inflict(scene: Scene) -> str:
        reseal(scene.path(name), lambda body: must(altered_numbers(body, scene.random, alter, skip)), seal=seal)
        return name

    return inflict


def cut_off(name: str) -> Callable[[Scene], str]:
    """Cut off the last bytes of a file."""

    def inflict(scene: Scene) -> str:
        data = scene.path(name).read_bytes()
        scene.path(name).write_bytes(data[: -scene.random.randint(2, len(data) // 2)])
        return name

    return inflict


def num_summaries(scene: Scene) -> int:
    """How many iterations have an artifact."""
    return len(list(scene.folder.glob("ITER_SUMMARY_*.json")))


def must(was_altered: bool) -> None:
    """Raise ValueError when nothing was altered."""
    if not was_altered:
        raise ValueError("no number there that would become another one")
