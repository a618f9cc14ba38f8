"""Corruptions of the two logs: of their bytes, of any number in them, and every forgery signed and written again."""

import shutil
from collections.abc import Callable, Iterator

from seedbed.records.canonical import digest_bytes
from seedbed.testing.soak._forge import Logs, reframe, rewrite
from seedbed.testing.soak._forgeries import BINDING, FAILED, HEALTHY, Forgery
from seedbed.testing.soak._scene import ALTERATIONS, Base, Corruption, Numbers, Scene, altered_numbers

__all__ = ["log_corruptions"]

_CHANGES, _EVIDENCE = "changes.log", "evidence.log"


def log_corruptions() -> Iterator[tuple[str, Corruption]]:
    """Every corruption of the logs, with its name."""
    for name in (_CHANGES, _EVIDENCE):
        log = name.removesuffix(".log")
        yield f"{log}-byte", Corruption(f"a byte of {name} is another", _byte(name))
        yield f"{log}-nan", Corruption(f"a number of {name} is NaN, its digest made to fit", _nan(name))
        yield f"{log}-torn", Corruption(f"the last record of {name} is cut in its middle", _torn(name))
        yield f"{log}-no-newline", Corruption(f"the last byte of {name} is cut off", _torn(name, 1))
        yield f"{log}-tail", Corruption(f"the last records of {name} are cut off", _tail(name))
        yield f"another-soaks-{name}", Corruption(f"{name} of another soak is put in its place", _other(name))
        yield f"{log}-spliced", Corruption(f"{name} goes on as another soak's, signed again", _spliced(name))
        yield f"{log}-resigned", Corruption(f"{name} alone is altered and signed to its end", _resigned(name))
        for how, alter in ALTERATIONS.items():
            what = f"a number of {name} is {how}, everything signed and rewritten"
            yield f"{log}-{how}", Corruption(what, _forged(_number(name, alter)))
        yield f"{log}-number-as-text", Corruption(f"a number of {name} becomes text, all signed", _forged(_text(name)))
        yield f"{log}-field-added", Corruption(f"{name} says more than it does, all signed", _forged(_field(name)))
    theirs = "both logs of another soak, everything rewritten"
    yield "another-soaks-logs", Corruption(theirs, _other_logs(sign=False))
    yield "another-soaks-logs-signed", Corruption(f"{theirs}, with this soak's plan in them", _other_logs(sign=True))
    for name, (what, forgery) in BINDING.items():
        yield name, Corruption(f"{what}; everything signed and rewritten", _forged(forgery))
    for forgeries, base in ((HEALTHY, Base.HEALTHY), (FAILED, Base.FAILED)):
        for name, (what, forgery) in forgeries.items():
            yield name, Corruption(f"{what}; everything signed and rewritten", _forged(forgery), base)


def _forged(forgery: Forgery) -> Callable[[Scene], str]:
    """Forge the logs, sign them, and write all artifacts again from them."""

    def inflict(scene: Scene) -> str:
        logs = Logs.of(scene.folder)
        place = forgery(logs, scene)
        logs.sign()
        rewrite(scene.folder)
        return place

    return inflict


def _byte(name: str) -> Callable[[Scene], str]:
    def inflict(scene: Scene) -> str:
        data = bytearray(scene.path(name).read_bytes())
        at = scene.random.choice([at for at, byte in enumerate(data) if chr(byte).isdigit()])
        data[at] = ord("7") if data[at] != ord("7") else ord("3")
        scene.path(name).write_bytes(bytes(data))
        return name

    return inflict


def _nan(name: str) -> Callable[[Scene], str]:
    field = b'"found":' if name == _CHANGES else b'"used":{"base_spread_bps":'

    def inflict(scene: Scene) -> str:
        lines = scene.path(name).read_bytes().splitlines(keepends=True)
        at = scene.random.choice([at for at, line in enumerate(lines) if field in line])
        before, _, after = lines[at].partition(field)
        rest = after[min(after.index(end) for end in (b",", b"}") if end in after) :]
        body = (before + field + b"NaN" + rest).removeprefix(b'{"body":').rsplit(b',"digest":"', 1)[0]
        lines[at] = b'{"body":' + body + b',"digest":"' + digest_bytes(body).encode() + b'"}\n'
        scene.path(name).write_bytes(b"".join(lines))
        return name

    return inflict


def _torn(name: str, num_bytes: int | None = None) -> Callable[[Scene], str]:
    def inflict(scene: Scene) -> str:
        data = scene.path(name).read_bytes()
        last = len(data.splitlines(keepends=True)[-1])
        scene.path(name).write_bytes(data[: -(num_bytes or scene.random.randint(2, last - 1))])
        return name

    return inflict


def _tail(name: str) -> Callable[[Scene], str]:
    def inflict(scene: Scene) -> str:
        lines = scene.path(name).read_bytes().splitlines(keepends=True)
        scene.path(name).write_bytes(b"".join(lines[: -scene.random.randint(1, len(lines) // 2)]))
        return name

    return inflict


def _other(name: str) -> Callable[[Scene], str]:
    def inflict(scene: Scene) -> str:
        shutil.copy(scene.other / name, scene.path(name))
        return name

    return inflict


def _spliced(name: str) -> Callable[[Scene], str]:
    def inflict(scene: Scene) -> str:
        ours, theirs = Logs.of(scene.folder), Logs.of(scene.other)
        mine, other = (logs.changes if name == _CHANGES else logs.evidence for logs in (ours, theirs))
        at = scene.random.randint(len(mine) // 4, len(mine) // 2)
        reframe(scene.path(name), [*mine[:at], *other[at:]])
        return name

    return inflict


def _resigned(name: str) -> Callable[[Scene], str]:
    def inflict(scene: Scene) -> str:
        logs = Logs.of(scene.folder)
        records = logs.changes if name == _CHANGES else logs.evidence
        alterable = [
            each for each in records[: len(records) // 2] if "wanted" in each.payload or "used" in each.payload
        ]
        record = scene.random.choice(alterable)
        altered_numbers(
            record.payload, scene.random, ALTERATIONS["scaled"], frozenset({"id", "batch", "step", "changes"})
        )
        reframe(scene.path(name), records)
        return name

    return inflict


def _number(name: str, alter: Numbers) -> Forgery:
    """Alter any number but those that identify a change or an iteration, which other corruptions alter."""
    skip = frozenset({"id", "batch", "kept", "changes", "iteration"})

    def forge(logs: Logs, scene: Scene) -> str:
        records = logs.changes if name == _CHANGES else logs.evidence
        for at in scene.random.sample(range(len(records)), len(records)):
            if altered_numbers(records[at].payload, scene.random, alter, skip):
                return name
        raise ValueError("no number there that would become another one")

    return forge


def _text(name: str) -> Forgery:
    def forge(logs: Logs, scene: Scene) -> str:
        if name == _CHANGES:
            record = logs.changes[scene.random.choice(logs.at("applied", "effective"))]
            record.payload["found"] = str(record.payload["found"])
        else:
            used = logs.evidence[scene.random.choice(logs.measured())].payload["used"]
            key = scene.random.choice(sorted(used))
            used[key] = str(used[key])
        return name

    return forge


def _field(name: str) -> Forgery:
    def forge(logs: Logs, scene: Scene) -> str:
        record = scene.random.choice(logs.changes if name == _CHANGES else logs.evidence)
        record.payload["approved_by"] = "everybody"
        return name

    return forge


def _other_logs(*, sign: bool) -> Callable[[Scene], str]:
    def inflict(scene: Scene) -> str:
        for name in (_CHANGES, _EVIDENCE, "runtime_overrides.json"):
            shutil.copy(scene.other / name, scene.path(name))
        if sign:
            logs = Logs.of(scene.folder)
            logs.bind()
            logs.sign()
        rewrite(scene.folder)
        return f"{_EVIDENCE}|{_CHANGES}" if sign else "soak.json"

    return inflict
