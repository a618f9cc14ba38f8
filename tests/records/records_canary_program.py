"""Run by the canary tests in a process of its own, whose environment holds what must never reach a store.

    python records_canary_program.py STORE whole|killed

Hands every canary through every door of a store, once to the end and once killed at every durable call in turn, and
searches every byte of every file that is left. Prints how often it searched, the files, and how many were temporary.
"""

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard
from records_world import PROJECT, draft, metadata

from seedbed.contracts import Stage
from seedbed.records import Catalog, Journal, PromotionRule, RetentionPolicy, Store, export_index, gc
from seedbed.records.canonical._canonical import canonical_json, escape
from seedbed.records.log import _log
from seedbed.testing import dies, durable_faults

# Each as it is planted; all are made up here or in the environment that the test gives this program.
USER, HOST, FOLDER = "canaryuser", "canaryhost", "canaryfolder"
HOME = "/people/team/canaryhome"
ENVIRONMENT = {
    "SERVICE_API_KEY": "canaryenvironment",
    "DB_PASSWORD": 'canary"odd\\secret\u00fc',
    "LOGNAME": USER,
    "HOME": HOME,
}
URL, TYPED, KEYED, USERINFO = "canaryurl", "canarytyped", "canarykeyed", "canaryuserinfo"
CANARIES = (*ENVIRONMENT.values(), "canaryhome", HOST, FOLDER, URL, TYPED, KEYED, USERINFO)
TEXT = (
    f"{USER}@{HOST} could not read {HOME}, {HOME}/x/data.csv or /mnt/{FOLDER}/deep/er/file of {HOST}.example: "
    f"https://h/?token={URL}#access_token={URL} s3://{USERINFO}:{USERINFO}@b password={TYPED} "
    f"{ENVIRONMENT['SERVICE_API_KEY']} {ENVIRONMENT['DB_PASSWORD']} run_of_{USER}_on_{HOST}"
)


def every_door(path: Path) -> None:
    store = Store.open(path, create=True)
    store.log(PROJECT).baselines.set_rule(
        PromotionRule(metric=f"metrics.{TEXT}", better="higher"), TEXT, store.clock.now()
    )
    for run_id in ("r1", "r2"):
        commit = finish(store, run_id)
    store.log(PROJECT).baselines.promote(commit, TEXT, store.clock.now())
    store.log(PROJECT).baselines.demote(commit.snapshot.digests["comparison_group"], TEXT, store.clock.now())
    store.start(PROJECT, "r3", Stage.TRAINING).failed(TEXT)
    store.start(PROJECT, "r4", Stage.TRAINING).interrupted(TEXT)
    Catalog.open(store).close()
    export_index(store)
    gc(store, RetentionPolicy.model_validate({"rules": [{"keep_last": 1}]}))
    try:
        with store.start(PROJECT, "r5", Stage.TRAINING):
            raise OSError(2, TEXT, f"{HOME}/x/data.csv")
    except OSError:
        return


def finish(store: Store, run_id: str):
    run = store.start(PROJECT, run_id, Stage.TRAINING)
    run.log(1, {TEXT: 1.0, "loss": 0.5})
    run.write_document("progress", {TEXT: TEXT})
    with Journal.open(run.folder / "changes.log") as journal:
        journal.append(TEXT, {"reason": TEXT, TEXT: [TEXT]})
    run.save_blob(TEXT, b"weights")
    whole = {"text": TEXT, TEXT: [TEXT, {TEXT: TEXT}], "api_key": KEYED}
    many = {f"setting{number}": f"{TEXT} {run_id}" for number in range(60)}  # more changes than a snapshot holds inline
    mapped: dict[str, Any] = dict.fromkeys(("metrics", "timing", "factors", "inputs", "process", "outputs"), whole)
    return run.finish(
        draft(
            run_id,
            described=metadata(run_id, target=TEXT, view=TEXT),
            config={**whole, **many, "run": run_id},
            volatile_settings=(f"/{escape(TEXT)}", "/run"),
            documents={"audit": whole},
            fingerprints=dict.fromkeys(("data", "split", "target", "feature", TEXT), "0" * 64),
            fingerprint_sources={"data": TEXT, TEXT: TEXT},
            symbol=TEXT,
            experiment_id=TEXT,
            **mapped,
        )
    )


def leaks(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every canary, and the file or folder under `folder` in whose bytes or name it stands, in plain or in JSON."""
    forms = {form for canary in CANARIES for form in (canary.encode(), canonical_json(canary)[1:-1])}
    for path in folder.rglob("*"):
        stored = str(path.relative_to(folder)).encode()
        if path.is_file():
            data = path.read_bytes()
            packed = path.name.endswith(".zst") or data.startswith(zstandard.MAGIC_NUMBER.to_bytes(4, "little"))
            stored += data + (zstandard.decompress(data) if packed else b"")
        yield from ((form.decode(), path) for form in forms if form in stored)


def searched(folder: Path) -> list[Path]:
    found = list(leaks(folder))
    assert not found, found
    return [path for path in folder.rglob("*") if path.is_file()]


def killed(folder: Path, at: int) -> bool:
    """Go through every door in a child that dies at durable call `at`; whether it did."""
    child = os.fork()
    if child == 0:
        with durable_faults(at, dies):
            every_door(folder)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 137), f"the child failed by itself at call {at}"
    return status == 137


def main(store: Path, how: str) -> None:
    socket.gethostname = lambda: f"{HOST}.example"
    _log.CHECKPOINT_EVERY = 1
    if how == "whole":
        every_door(store)
        times, files = 1, searched(store)
    else:
        times, files = 0, []
        while killed(store / "store", times + 1):
            times += 1
            files += searched(store)
            shutil.rmtree(store, ignore_errors=True)
    temporary = [path for path in files if path.name.startswith(".tmp-")]
    sys.stdout.write(f"{times} {len(files)} {len(temporary)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
