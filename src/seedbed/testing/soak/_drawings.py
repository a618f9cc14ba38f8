"""Corruptions of the drawing of the KPIs, alone or with its seal in the snapshot."""

import re
from collections.abc import Callable, Iterator

from seedbed.records.canonical import digest_bytes
from seedbed.testing.soak._edits import DRAWING, SNAPSHOT, must
from seedbed.testing.soak._forge import reseal
from seedbed.testing.soak._scene import Corruption, Scene

__all__ = ["drawing_corruptions"]


def drawing_corruptions() -> Iterator[tuple[str, Corruption]]:
    """Every corruption of the drawing, with its name."""

    def redrawn(alter: Callable[[bytes], bytes], *, seal: bool) -> Callable[[Scene], str]:
        def inflict(scene: Scene) -> str:
            forged = alter(scene.path(DRAWING).read_bytes())
            scene.path(DRAWING).write_bytes(forged)
            if seal:
                reseal(scene.path(SNAPSHOT), lambda body: body["drawing"].update(digest=digest_bytes(forged)))
            return DRAWING

        return inflict

    def unsealed(scene: Scene) -> str:
        reseal(scene.path(SNAPSHOT), lambda body: must(body.pop("drawing") is not None))
        return DRAWING

    for name, what, alter in (
        ("verdict", "says that it passed or failed otherwise", _other_verdict),
        ("number", "has another number in it", _other_number),
        ("empty", "is empty", lambda _: b""),
        ("appended", "says more at its end", lambda data: data + b"<!-- approved -->"),
    ):
        yield f"drawing-{name}", Corruption(f"the drawing {what}", redrawn(alter, seal=False))
        yield f"drawing-{name}-sealed", Corruption(f"the drawing {what}, its seal fits", redrawn(alter, seal=True))
    yield "drawing-unsealed", Corruption("the snapshot no longer seals the drawing", unsealed)


def _other_verdict(data: bytes) -> bytes:
    return re.sub(rb"\b(PASS|FAIL|INCONCLUSIVE)\b", lambda found: b"FAIL" if found[1] == b"PASS" else b"PASS", data)


def _other_number(data: bytes) -> bytes:
    """Raise the last number of many digits, which is a place on a curve or a value beside it."""
    last = list(re.finditer(rb"\d+\.\d+", data))[-1]
    return data[: last.start()] + b"1" + data[last.start() :]
