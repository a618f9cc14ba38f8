import os
import subprocess
import sys
from pathlib import Path

import pytest
from records_canary_program import CANARIES, ENVIRONMENT, leaks

from seedbed.records import Store, canonical_json

PROGRAM = Path(__file__).with_name("records_canary_program.py")


def run_program(*arguments):
    found = subprocess.run(
        [sys.executable, PROGRAM, *map(str, arguments)],
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return map(int, found.stdout.split())


@pytest.mark.slow
def test_no_canary_that_comes_through_any_door_reaches_a_byte_of_the_store(tmp_path):
    times, files, _ = run_program(tmp_path / "store", "whole")
    assert (times, files > 30) == (1, True)
    log = (tmp_path / "store" / "log" / "flights" / f"{2:020d}.json").read_text()
    assert "<user>@<host> could not read <path>, <path>/data.csv or <path>/file of <host>" in log


@pytest.mark.slow
def test_a_writer_killed_at_any_durable_call_leaves_no_canary_not_even_in_a_temporary_file(tmp_path):
    times, files, temporary = run_program(tmp_path / "store", "killed")
    assert times > 100
    assert files > 10 * times
    assert temporary > 10


@pytest.mark.parametrize("canary", CANARIES)
def test_the_search_finds_each_canary_in_a_packed_blob_a_temporary_file_and_a_name(tmp_path, canary):
    store = Store.open(tmp_path / "store", create=True)
    assert not list(leaks(store.work))
    packed = store.work / store.blobs.key(store.blobs.put(canary.encode() * 1000))
    temporary, named = store.work / ".tmp-half", store.work / canary.replace("/", "-")
    temporary.write_bytes(b"half: " + canonical_json({"text": canary}))
    named.mkdir()
    found = {path for form, path in leaks(store.work) if form in (canary, canonical_json(canary)[1:-1].decode())}
    assert packed.suffix == ".zst"
    assert found == ({packed, temporary} if "/" in canary else {packed, temporary, named})
