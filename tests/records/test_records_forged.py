"""A commit that is sealed, and says what no version writes, is damage of that commit alone, and ends no command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from records_world import PROJECT, again, commit, key, store_of_three

from seedbed.errors import InvalidInput, StoreCorrupt
from seedbed.records import FindingKind, Store, fsck, gc, merge, recover, repair, stats
from seedbed.records.canonical._seal import seal, unseal

HEAD = {"sequence": 1, "digest": "0" * 64}
FORGED: dict[str, Callable[[dict[str, Any]], None]] = {
    "a log outside": lambda body: body.update(logs={"../x.log": HEAD}),
    "a log of a long name": lambda body: body.update(logs={"x" * 300: HEAD}),
    "no digest of a log": lambda body: body.update(logs={"events.log": {"sequence": 1, "digest": "zz"}}),
    "no digest of details": lambda body: body["diff_prev"].update(details="zz"),
    "a time without a zone": lambda body: body.update(timestamp="2026-01-01T00:00:00"),
    "a run outside": lambda body: body.update(run_id="../x"),
}


def forged(store: Store, seq: int, change: Callable[[dict[str, Any]], None]) -> Store:
    body, _ = unseal((store.work / key(seq)).read_bytes())
    change(body)
    (store.work / key(seq)).write_bytes(seal(body)[0])
    (store.work / f"runs/{PROJECT}/r{seq}/TRAINING/snapshot.json").unlink()  # no whole copy of it is left
    return again(store)


@pytest.mark.filterwarnings("ignore::seedbed.errors.StoreDamaged")
@pytest.mark.parametrize("what", FORGED)
def test_a_commit_that_no_version_writes_is_damaged_and_ends_nothing_else(tmp_path: Path, what: str) -> None:
    store = forged(store_of_three(tmp_path / "store"), 3, FORGED[what])
    with pytest.raises(StoreCorrupt, match=r"0003\.json is damaged"):
        store.log(PROJECT).read(3)
    [found] = [finding for finding in fsck(again(store)) if finding.kind.is_damage]
    assert (found.kind, found.path) == (FindingKind.COMMIT_DAMAGED, key(3))
    assert repair(again(store)) is not None
    assert stats(again(store)) is not None
    with pytest.raises(StoreCorrupt, match=r"log/flights/0+3\.json"):  # nobody knows which blobs it needs
        gc(again(store))
    assert recover(again(store)) == []
    into = Store.open(tmp_path / "into", create=True)
    assert [(item.run_id, item.seq) for item in merge(into, again(store)) if item.seq] == [("r1", 1), ("r2", 2)]
    assert commit(again(store), "r4").seq == 4
    assert fsck(again(into)) == []


@pytest.mark.parametrize(
    ("uses", "shown"),
    [
        ([[1]], "[1]"),
        ([1, 2], "1, 2"),
        ("always", "always"),
        ({"a": 1}, "{'a': 1}"),
        ([{"a": 1}], "{'a': 1}"),
        (None, ""),
    ],
)
def test_uses_of_a_parameter_that_no_version_writes_are_shown_and_stop_no_run(
    tmp_path: Path, uses: object, shown: str
) -> None:
    def changed(body: dict[str, Any]) -> None:
        body["course"]["changes"] = {"optimizer.lr": uses}

    store = forged(store_of_three(tmp_path / "store"), 3, changed)
    made = commit(store, "r4")
    assert made.seq == 4
    assert made.snapshot.diff_prev.prev_snapshot_seq == 3
    told = "no replicate: optimizer.lr was changed while it ran: "
    assert made.snapshot.diff_prev.summary.startswith(f"{told}{'never' if uses is None else shown}")


def test_a_project_whose_name_differs_in_the_case_of_letters_alone_is_refused(tmp_path: Path) -> None:
    store = store_of_three(tmp_path / "store")
    with pytest.raises(InvalidInput, match="'Flights' differs from 'flights' in the case of letters alone"):
        again(store).start("Flights")
    assert again(store).projects() == [PROJECT]
