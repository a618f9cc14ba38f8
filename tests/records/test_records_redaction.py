import re
from importlib.metadata import version

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.errors import InvalidInput
from seedbed.records import Json, environment_facts, read_step_events, redact_text
from seedbed.records.canonical import _redaction
from seedbed.records.canonical._canonical import escape
from seedbed.records.canonical._redaction import Identity, doubtful, redacted, redacted_object, redacted_pointer
from seedbed.records.journal import EventsLog

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
        ("ghp_abcdefghijklmnop and hf_abcdefGHIJKLmnop", "<secret> and <secret>"),
        ("the key is correct-horse-battery.", "the key is <secret>."),
        ("https://app.example/back#access_token=abc123", "https://app.example/back#access_token=<secret>"),
        ("host=db1 password=hunter2 user=x", "host=db1 password=<secret> user=x"),
        ("X-Api-Key: abc123, retried", "X-Api-Key: <secret>, retried"),
        ("{'db_password': 'two words', 'n': 1}", "{'db_password': <secret>, 'n': 1}"),
        ("run_alice_node17.log", "run_<user>_<host>.log"),
        ("/people/alice smith", "<path>"),
        ("Alice A. <alice@node17>", "<user> A. <<user>@<host>>"),
        ("python x.py >/people/alice/log", "python x.py ><path>/log"),
        ("/people/alice smith is full", "<path> is full"),
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
        "keys=3 tokens=512 the secret is out",
        "the password must be long",
        "hf_transformers_model_name, sk-learn-regressor-v2 and basic features",
        "the first pass: loss=0.3, PASS: 3 of 3, unexpected token: x12",
        "max_token=512 pad_token=<pad> token=None auth=True",
        "train.py --num-tokens 512 --tokenizer bert --pass-through x --use-auth y.py --patience 3",
        "https://example.com:8080/@scope/pkg and git@github.com:org/repo.git",
    ],
)
def test_what_does_not_identify_is_left_alone(text):
    assert redact_text(text, ALICE) == text


# Every way to give a value to a name, and all of the value is hidden: V stands for it where there is more than one.
GIVEN = {
    "password => V1": "password => <secret>",
    "'password' => 'V1', 'n' => 1": "'password' => <secret>, 'n' => 1",
    "password := V1": "password := <secret>",
    "password ?= V1; n = 1": "password ?= <secret>; n = 1",
    "password -> V1": "password -> <secret>",
    "password|V1 = V1": "password|V1 = V1",
    "password: |\n  V1\n\n  V2\nn: 1": "password: <secret>\nn: 1",
    "  password: >-\n    V1\n  n: 1": "  password: <secret>\n  n: 1",
    "password: !!str V1": "password: <secret>",
    "password: !vault |\n  V1\nn: 1": "password: <secret>\nn: 1",
    "passwords:\n  - V1\n  - V2\nn: 1": "passwords:<secret>\nn: 1",
    "passwords:\n- V1\n- V2\nn: 1": "passwords:<secret>\nn: 1",
    "Password:\n\nV1 V2\nand more": "Password:<secret>\nand more",
    "password= \\\nV1": "password= <secret>",
    "api_keys: {a: V1, b: [V2]}, n: 1": "api_keys: <secret>, n: 1",
    "passwords=['V1', \"V)2\"] n=1": "passwords=<secret> n=1",
    "f(password=b'V1', n=1)": "f(password=<secret>, n=1)",
    'f(password=SecretStr("V1"), n=1)': "f(password=<secret>, n=1)",
    'password="""V1\n"V2" """ n': "password=<secret> n",
    "password=''V1'' n": "password=<secret>'' n",
    'password=getenv("X") or "V1", n=1': "password=<secret>, n=1",
    'password="V1" + get("V2") n': "password=<secret> n",
    "password=$(echo V1) n": "password=<secret> n",
    "password=(V1 V2\nn: 1": "password=<secret>\nn: 1",
    "password='V1 V2\nn: 1": "password=<secret>\nn: 1",
    'password=\\"V1 V2\nn: 1': "password=<secret>\nn: 1",
    "password=V1`V2[V3]V4 n": "password=<secret> n",
    "PASSWORD:\nV1==\nn": "PASSWORD:<secret>\nn",
    "auth=['bob', 'V1'], n": "auth=<secret>, n",
    "db['password'] = 'V1'": "db['password'] = <secret>",
    "x = ('password', 'V1'), n": "x = ('password', <secret>), n",
    "<password>V1</password><n>1</n>": "<password><secret></password><n>1</n>",
    '<add key="password" value="V1" n="1"/>': '<add key="password" value=<secret> n="1"/>',
    '{"name": "password", "value": "V1"}': '{"name": "password", "value": <secret>}',
    "setPassword('bob', 'V1'); n": "setPassword<secret>; n",
    "ALTER USER x WITH PASSWORD 'V1' n": "ALTER USER x WITH PASSWORD <secret> n",
    "machine h login u password V1 n": "machine h login u password <secret> n",
    "FROM x\nENV HF_TOKEN V1\nENV N 1": "FROM x\nENV HF_TOKEN <secret>\nENV N 1",
    'Authorization: Digest username="V1", response="V2"\nn': "Authorization: Digest <secret>\nn",
    "passwort: V1, kennwort=V2": "passwort: <secret>, kennwort=<secret>",
    "token := V1x": "token := <secret>",
    "db_token=b'V1'": "db_token=<secret>",
    "hub_token: |\n  V1\nn: 1": "hub_token: <secret>\nn: 1",
    # after the type of the name, or another name
    'password: str = "V1"\nn: int = 1': "password: <secret>\nn: int = 1",
    "f(password: str='V1', n: int=1)": "f(password: <secret>, n: int=1)",
    'api_key: Optional[str] = "V1", n': "api_key: <secret>, n",
    "api_key: str | list[str] | None='V1', n": "api_key: <secret>, n",
    "f(token: str = 'V1x', n)": "f(token: <secret>, n)",
    "f(token: V1 = None, n)": "f(token: <secret>, n)",
    'const password: string = "V1"; n': "const password: <secret>; n",
    'let password: &str = "V1"; n': "let password: <secret>; n",
    "password = self.password = 'V1', n": "password = <secret>, n",
    # under a comment or a tag of YAML
    "password: # from a vault\n  V1\nn: 1": "password: <secret>\nn: 1",
    "passwords: # old\n  - V1\n  - V2\nn: 1": "passwords: <secret>\nn: 1",
    "passwords:\n- V1\n# more\n- V2\nn: 1": "passwords:<secret>\nn: 1",
    "password: !secret\n  V1\nn: 1": "password: <secret>\nn: 1",
    "a:\n  password: !x # c\n    V1\n  n: 1": "a:\n  password: <secret>\n  n: 1",
    "password:\n# a comment\n  V1\nn: 1": "password:<secret>\nn: 1",
    "password:\n# a comment\nV1\nn: 1": "password:<secret>\nn: 1",
    "password:\n#V1\nn: 1": "password:<secret>\nn: 1",
    "password: # V1\nn: 1": "password: <secret>\nn: 1",
    "password: # V1": "password: <secret>",
    # with a prefix, beside another text in quotes, and in an expression
    "password=$'V1 V2' n": "password=<secret> n",
    "password=@'V1 V2' n": "password=<secret> n",
    "password='V1' 'V2' n": "password=<secret> n",
    "password = 'V1' \\\n  'V2'\nn": "password = <secret>\nn",
    "f(password='V1'\n  'V2', n=1)": "f(password=<secret>, n=1)",
    "  password: 'V1'\n  'n': 1": "  password: <secret>\n  'n': 1",
    "password=\u201cV1 V2\u201d n": "password=<secret> n",
    "password=prefix+'V1' n": "password=<secret> n",
    "'password=x?', 'n': 1": "'password=<secret>', 'n': 1",
    "password = x ? 'V1' : y": "password = <secret> : y",
    "password = x?'V1':'V2', n": "password = <secret>, n",
    "password = x == 'a' ? 'V1' : 'V2', n": "password = <secret>, n",
    "password = not x or 'V1', n": "password = <secret>, n",
    "password = 'V1' if x else 'V2', n": "password = <secret>, n",
    "password = 'V1' if x is not None and n >= 1 else 'V2', n": "password = <secret>, n",
    "password = a.b or c or 'V1', n": "password = <secret>, n",
    "password = x - 1 or 'V1', n": "password = <secret>, n",
    'password = new Secret("V1"); n': "password = <secret>; n",
    'password = r#"V1"V2"#; n': "password = <secret>; n",
    "password=V1'V2 V3' n": "password=<secret> n",
    "password = lambda: 'V1', n": "password = <secret>, n",
    "password: Callable[[], str] = lambda x: x or 'V1', n": "password: <secret>, n",
    "password = !x ? 'V1' : 'V2'; n": "password = <secret>; n",
    "password = typeof x === 'u' ? 'V1' : 'V2'; n": "password = <secret>; n",
    '$password = ConvertTo-SecureString -String "V1" n': "$password = <secret> n",
    # an expression over several lines
    "password = 'V1' +\n  'V2'\nn": "password = <secret>\nn",
    "f(password='V1'\n  + 'V2', n=1)": "f(password=<secret>, n=1)",
    "password = x or\\\n 'V1'\nn": "password = <secret>\nn",
    "password = x \\\n  or 'V1'\nn": "password = <secret>\nn",
    "password = x\n  ? 'V1'\n  : 'V2';\nn": "password = <secret>;\nn",
    "f(password='V1'  # c\n  'V2', n=1)": "f(password=<secret>, n=1)",
    "password = {\n 'a': 'V1', # }\n 'b': 'V2'}\nn": "password = <secret>\nn",
    "password = [\n 'V1', // it's ]\n 'V2'];\nn": "password = <secret>;\nn",
    # what a reference becomes where nothing is given
    "token: ${TOKEN:-V1}, n": "token: <secret>, n",
    "token=${T:-V1} n": "token=<secret> n",
    "--hub-token ${T:-V1} n": "--hub-token <secret>} n",
    # in XML, and in JSON
    '<property name="password">V1</property><n>1</n>': '<property name="password"><secret></property><n>1</n>',
    '<add value="V1" key="db.password" n="1"/>': '<add value=<secret> key="db.password" n="1"/>',
    '{"value": "V1", "name": "api_key"}': '{"value": <secret>, "name": "api_key"}',
    "password=V1 and then it ended": "password=<secret> and then it ended",
}


@pytest.mark.parametrize("text", GIVEN)
def test_all_of_a_value_is_hidden_however_it_is_given_to_its_name(text):
    assert redact_text(text, ALICE) == GIVEN[text]
    assert redact_text(GIVEN[text], ALICE) == GIVEN[text]


@pytest.mark.parametrize(
    "text",
    [
        "password=\nlr=0.1",
        "PASSWORD:\nuser: bob",
        "a=1&password=&lr=2",
        "PASSWORD= LR=1",
        "DB_PASSWORD= SEED=1 python t.py",
        "train --api-key= --lr=1 --password= -v",
        "password=\t--dry-run",
        "HF_TOKEN= LR=1",
        "the password(s) and the password <= 8",
        "columns ['user', 'password', 'host']",
        "log in with <password> or <secret>",
        "unexpected token: [1, 2]; first pass: (a, b)",
        "token: [PAD]",
        "f(token: str = None, auth: Optional[str] = None)",
        "password:",
        "password:\n\n",
        "token: ${TOKEN:-}, auth=${oc.env:AUTH,null}, --token ${T:-}",
        '<property name="lr">1</property><add value="1" key="lr"/>',
    ],
)
def test_what_only_looks_given_is_left_alone(text):
    assert redact_text(text, ALICE) == text


def test_a_value_of_many_parts_leaves_a_doubt_and_a_single_one_none():
    of_many: Json = {"a": "password=get('x', 1)", "b": "passwords:\n  - V1", "c": "password => V1"}
    assert list(doubtful(of_many, ALICE)) == ["/a", "/b", "/c"]
    single: Json = {"a": "f(password='x y', n=1)", "b": "f(password=V1, n=1)", "c": "passwords: V1"}
    assert list(doubtful(single, ALICE)) == []


@pytest.mark.parametrize("reference", ["${T:-%s}", "${T-%s}", "${T:=%s}", "${oc.env:T,'%s'}", '${T:-"%s"}'])
def test_what_stands_for_a_reference_that_is_not_given_is_a_secret(reference):
    for key in ("token", "cookie", "password"):
        assert redacted({key: reference % "hunter"}, ALICE) == {key: "<secret>"}
        assert list(doubtful({key: reference % "hunter"}, ALICE)) == ([f"/{key}"] if key != "password" else [])
    for harmless in ("", "none", "${U}"):
        assert redacted({"token": reference % harmless}, ALICE) == {"token": reference % harmless}


@pytest.mark.parametrize(
    "name", ["max_session_tokens", "num_api_keys", "n_auth_tokens", "maxSessionTokens", "num_secrets"]
)
def test_a_count_before_a_sure_name_makes_a_number_of_it_and_hides_a_text(name):
    # 4096 stands below a counted name and is a number of things; nobody counts hunter2.
    given: list[Json] = [{name: 4096}, {name: "4096"}, {"argv": [f"--{name}", "4096"]}]
    said = ("=4096, n", " = 4096.0", ": int = 4096", ": float | None = 4e3", "=4_096", "=-5", ": 4096}", "=12345678")
    given += [{"said": f"{name}{how}"} for how in said]
    for kept in given:
        assert redacted(kept, ALICE) == kept
        assert list(doubtful(kept, ALICE)) == []
    assert redacted({name: "hunter2"}, ALICE) == {name: "<secret>"}
    for how in ("hunter2", "4096x", "0x4096ab", "4096 or 'hunter2'"):
        assert redact_text(f"{name}={how}, n", ALICE) == f"{name}=<secret>, n"


@pytest.mark.parametrize(
    "name", ["session_token", "the max password", "first_password", "climax_password", "nPassword", "userN_password"]
)
def test_a_number_in_a_text_whose_name_counts_nothing_is_a_secret(name):
    assert redact_text(f"{name}=4096, n", ALICE) == f"{name}=<secret>, n"


@pytest.mark.parametrize("name", ["nPassword", "userNPassword", "userN_password"])
def test_the_letter_n_of_camel_case_makes_no_count_of_a_number(name):
    assert redacted({name: 12345678}, ALICE) == {name: "<secret>"}
    assert redacted({f"n_{name[-8:]}": 12345678}, ALICE) == {f"n_{name[-8:]}": 12345678}


PIECES = st.sampled_from(
    [
        *("alice", "node17", "node17.cluster.example", "correct-horse-battery", "hunter2"),
        *("/people/alice smith", "/tmp/x/y.py", "/home/bob", "C:\\Users\\alice\\x", "https://", "s3://alice:hunter2@b"),
        *("--x-token hunter2", "token: hunter2", "x_auth=hunter2", "Cookie: a=hunter2", "-u bob:hunter2", "pass=", "@"),
        *("aB3xK9Lm2QpR7sT1vW5yZ0cD", "x/", "eyJhbGciOiJIUzI1", "Basic Ym9iOmh1bnRlcjI=", "['--password', 'hunter2']"),
        *("?token=hunter2", "&sig=hunter2", "password: hunter2", "'api_key': 'hunter2'", "Bearer hunter2hunter2"),
        *(" ", "_", "<", ">", "/", "-", "\n", "x", "Ü", "="),
    ]
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)


@given(TEXTS)
def test_redacting_twice_is_redacting_once(text):
    once = redact_text(text, ALICE)
    assert redact_text(once, ALICE) == once


@given(TEXTS, TEXTS)
def test_a_known_secret_goes_whatever_surrounds_it(before, after):
    assert "correct-horse-battery" not in redact_text(f"{before}correct-horse-battery{after}", ALICE)


@given(TEXTS)
def test_no_name_is_left_standing_between_other_letters(text):
    left = redact_text(text, ALICE)
    assert not re.search(r"(?<![^\W_])(alice|node17)(?![^\W_])", left, re.IGNORECASE)


def test_a_secret_that_the_environment_gains_later_is_found_too(monkeypatch):
    assert redact_text("it was swordfish-9") == "it was swordfish-9"
    monkeypatch.setenv("LATE_TOKEN", "swordfish-9")
    assert redact_text("it was swordfish-9") == "it was <secret>"
    monkeypatch.setenv("LATE_TOKEN", "another-secret")
    assert redact_text("it was swordfish-9, now another-secret") == "it was swordfish-9, now <secret>"


def test_long_texts_are_redacted_as_short_ones_are():
    assert redact_text("alice " * 200, ALICE) == "<user> " * 200


def test_a_setting_that_by_its_name_holds_a_secret_keeps_its_name_only():
    given: Json = {
        "api_key": "x1",
        "db": {"Password": "x2", "port": 1, "auth_token": None},
        "secret": "",
        "n_tokens": 5,
    }
    assert redacted(given, ALICE) == {
        "api_key": "<secret>",
        "db": {"Password": "<secret>", "port": 1, "auth_token": None},
        "secret": "",
        "n_tokens": 5,
    }
    assert redacted({"the key of alice": "x", "key": "y"}, ALICE) == {"the key of <user>": "x", "key": "y"}


@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_a_pointer_still_leads_to_its_place_once_both_are_redacted(keys):
    value: Json = 1
    for key in reversed(keys):
        value = {key: value}
    pointer = "".join(f"/{escape(key)}" for key in keys)
    found = redacted(value, ALICE)
    for token in redacted_pointer(pointer, ALICE).split("/")[1:]:
        assert isinstance(found, dict)
        found = {escape(key): item for key, item in found.items()}[token]
    assert found == 1


def test_a_pointer_is_no_path():
    assert redacted_pointer("/tmp/lr", ALICE) == "/tmp/lr"
    assert redacted_pointer("/~1tmp~1x", ALICE) == "/<path>"


def test_the_names_of_step_metrics_are_redacted_and_never_lost(tmp_path, monkeypatch):
    monkeypatch.setenv("LATE_TOKEN", "swordfish-9")
    with EventsLog.open(tmp_path / "events.log") as log:
        log.append(1, {"loss": 0.5, "swordfish-9": 1.0})
        log.append(2, {"loss": 0.25, "swordfish-9": 2.0})
        with pytest.raises(InvalidInput, match="give them different names"):
            log.append(3, {"swordfish-9": 1.0, "<secret>": 2.0})
        with pytest.raises(InvalidInput, match="expected a text"):
            log.append(3, {3: 1.0})  # type: ignore[dict-item]
        log.append(4, {"loss": 0.125})
    assert [dict(event.values) for event in read_step_events(tmp_path / "events.log")] == [
        {"loss": 0.5, "<secret>": 1.0},
        {"loss": 0.25, "<secret>": 2.0},
        {"loss": 0.125},
    ]


def test_names_that_identify_nobody_stay_words():
    someone = Identity(user="root", host="localhost", prefixes=("/root",), secrets=())
    assert redact_text("the root of the tree on localhost", someone) == "the root of the tree on localhost"
    assert redact_text("/root/x/y.py", someone) == "<path>/y.py"


def test_keys_are_redacted_too_and_never_lost():
    assert redacted({"/tmp/a/x.py": ["alice"]}, ALICE) == {"<path>/x.py": ["<user>"]}
    with pytest.raises(InvalidInput, match="give them different names"):
        redacted({"/tmp/a/x.py": 1, "/tmp/b/x.py": 2}, ALICE)


def test_only_an_object_is_redacted_as_an_object():
    assert redacted_object({"where": ("/tmp/a/x.py", 1)}, ALICE) == {"where": ["<path>/x.py", 1]}
    with pytest.raises(InvalidInput, match="expected a JSON object, found a list"):
        redacted_object(["alice"], ALICE)  # type: ignore[arg-type]


def test_the_environment_facts_are_a_closed_list():
    facts = environment_facts(["pydantic", "no-such-package"])
    assert set(facts) == {"python", "implementation", "system", "machine", "num_cpus", "packages"}
    packages = facts["packages"]
    assert isinstance(packages, dict)
    assert packages["no-such-package"] is None
    assert packages["pydantic"]
    assert environment_facts()["packages"] == {"numpy": version("numpy"), "torch": version("torch")}


def test_a_text_is_searched_again_until_nothing_changes_and_so_often_at_most(monkeypatch):
    monkeypatch.setattr(_redaction, "_MOST_PASSES", 1)
    assert redact_text("once only: password=hunter2hunter2") == "once only: password=<secret>"
