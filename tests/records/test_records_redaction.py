import getpass
import socket

import pytest
from records_world import PROJECT, draft

from seedbed.contracts import Stage
from seedbed.errors import InvalidInput
from seedbed.records import Journal, Store, environment_facts, redact_text
from seedbed.records._redaction import Identity, redacted

ALICE = Identity(
    user="alice",
    host="node17.cluster.example",
    prefixes=("/people/alice smith", "/people", "/home", "/tmp", "/var"),
    secrets=("correct-horse-battery",),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cannot open /people/alice/data/flights.csv: no", "cannot open <path>/flights.csv: no"),
        ("/home/bob", "<path>"),
        ("/people/alice smith/data/flights.csv", "<path>/flights.csv"),
        ("in '/tmp/x/y.log', line 3", "in '<path>/y.log', line 3"),
        ("file:///var/lib/a.db", "file://<path>/a.db"),
        (r"C:\Users\alice\x.txt", r"<path>\x.txt"),
        ("alice@node17.cluster.example said", "<user>@<host> said"),
        ("on node17, as Alice", "on <host>, as <user>"),
        ("https://alice:hunter2@git.example/x.git", "https://<secret>@git.example/x.git"),
        ("https://api.example/v1?access_token=abc123&page=2", "https://api.example/v1?access_token=<secret>&page=2"),
        ("Authorization: Bearer abcdef0123456789", "Authorization: Bearer <secret>"),
        ("ghp_abcdefghijklmnop and hf_abcdefghijkl", "<secret> and <secret>"),
        ("the key is correct-horse-battery.", "the key is <secret>."),
    ],
)
def test_what_identifies_is_removed(text, expected):
    assert redact_text(text, ALICE) == expected


@pytest.mark.parametrize(
    "text",
    [
        "learning rate 0.1 -> 0.05 at step 120",
        "/config/optimizer/lr",
        "aten::_scaled_dot_product_flash_attention_for_cpu",
        "2013/01/02 and 3/4 of malice",
        "https://example.com/home/page",
        "palice and alices",
    ],
)
def test_what_does_not_identify_is_left_alone(text):
    assert redact_text(text, ALICE) == text


@pytest.mark.parametrize("text", ["/people/alice/a/b.py", "/tmp/x", "/people/alice/tmp", "alice at /var/log/node17/x"])
def test_redacting_twice_is_redacting_once(text):
    once = redact_text(text, ALICE)
    assert redact_text(once, ALICE) == once


def test_names_that_identify_nobody_stay_words():
    someone = Identity(user="root", host="localhost", prefixes=("/root",), secrets=())
    assert redact_text("the root of the tree on localhost", someone) == "the root of the tree on localhost"
    assert redact_text("/root/x/y.py", someone) == "<path>/y.py"


def test_keys_are_redacted_too_and_never_lost():
    assert redacted({"/tmp/a/x.py": ["alice"]}, ALICE) == {"<path>/x.py": ["<user>"]}
    with pytest.raises(InvalidInput, match="name them apart"):
        redacted({"/tmp/a/x.py": 1, "/tmp/b/x.py": 2}, ALICE)


def test_the_environment_facts_are_a_closed_list():
    facts = environment_facts(["pydantic", "no-such-package"])
    assert set(facts) == {"python", "implementation", "system", "machine", "num_cpus", "packages"}
    assert facts["packages"]["no-such-package"] is None
    assert facts["packages"]["pydantic"]


def test_no_canary_reaches_any_byte_of_the_store(tmp_path, monkeypatch):
    canaries = {
        "environment": "canary-env-7f3a9c",
        "user": "canaryuser",
        "host": "canaryhost",
        "folder": "canaryfolder",
        "url": "canaryurlsecret",
        "home": "canaryhomedir",
    }
    monkeypatch.setenv("SERVICE_API_KEY", canaries["environment"])
    monkeypatch.setenv("HOME", f"/people/{canaries['home']}")
    monkeypatch.setattr(getpass, "getuser", lambda: canaries["user"])
    monkeypatch.setattr(socket, "gethostname", lambda: canaries["host"])
    text = (
        f"{canaries['user']}@{canaries['host']} could not read /people/{canaries['home']}/x/data.csv or "
        f"/mnt/{canaries['folder']}/deep/er/file: https://h/?token={canaries['url']} {canaries['environment']}"
    )
    store = Store.open(tmp_path / "store", create=True)
    run = store.start(PROJECT, "r1", Stage.TRAINING)
    run.log(1, {"loss": 1.0})
    run.write_document("progress", {"note": text})
    with Journal.open(run.path("changes.log")) as journal:
        journal.append("failed", {"reason": text, text: [text]})
    run.finish(
        draft(
            "r1",
            config={"path": text},
            factors={"device": text},
            documents={"audit": {"reasons": [text]}},
            timing={"note": text},
            metrics={"note": text},
        )
    )
    for run_id, end in (("r2", "failed"), ("r3", "interrupted")):
        getattr(store.start(PROJECT, run_id, Stage.TRAINING), end)(text)
    with pytest.raises(RuntimeError), store.start(PROJECT, "r4", Stage.TRAINING):
        raise RuntimeError(text)
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        stored = path.read_bytes()
        for kind, canary in canaries.items():
            assert canary.encode() not in stored, f"{kind} in {path}"
            assert canary not in str(path.relative_to(tmp_path))
