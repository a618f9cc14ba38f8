"""What was replaced as a secret and may be none: nobody can tell whether it differs, and the comparison says so."""

import dataclasses
import logging

import pytest
from records_world import CUT, PROJECT, commit, draft, metadata, snapshot

from seedbed.records import EXACT, REPLICATE, Store, ablation, compare, compare_under_each
from seedbed.records.snapshot._policy import Policy

RANDOM, OTHER_RANDOM = "aB3xK9Lm2QpR7sT1vW5yZ0cD", "zY8wV6uT4sR2qP0oN9mL7kJ5"


def configured(run_id, **config):
    return snapshot(run_id, config={"seed": 0, **config})


def unknown(place, which="both runs"):
    return f"{place} was replaced as a secret in {which}, so whether it differs is not known"


@pytest.mark.parametrize("key", ["pooling_token", "sampling_token", "account_key", "auth"])
def test_words_below_keys_that_may_lead_to_one_make_different_runs(key):
    found = compare(configured("r1", model={key: "cls"}), configured("r2", model={key: "mean"}), EXACT)
    assert found.reasons == (f"config/model/{key} differs: cls / mean",)


@pytest.mark.parametrize(
    ("first", "second", "place"),
    [
        ({"model": {"pooling_token": "Cls"}}, {"model": {"pooling_token": "Mean"}}, "config/model/pooling_token"),
        ({"start": f"from {RANDOM}"}, {"start": f"from {OTHER_RANDOM}"}, "config/start"),
        ({"a/b": ["pooling_token=cls"]}, {"a/b": ["pooling_token=mean"]}, "config/a~1b/0"),
    ],
)
def test_no_policy_but_an_ablation_of_it_passes_over_what_may_be_no_secret(first, second, place):
    pair = configured("r1", **first), configured("r2", **second)
    assert pair[0].config == pair[1].config
    for policy in (EXACT, REPLICATE):
        found = compare(*pair, policy)
        assert (found.comparable, found.reasons) == (False, (unknown(place),))
    assert compare(*pair, ablation(f"/{place}")).comparable
    assert compare(*pair, ablation(place.rpartition("/")[2])).comparable
    assert [each.comparable for each in compare_under_each(*pair)] == [False, False, True]
    assert not compare(*pair, ablation("lr")).comparable


@pytest.mark.parametrize(
    "command",
    [
        *("PASSWORD= x{}", "password= 'lr={}'", "--password= trainer.lr={}", "password= -lr={}"),
        *("password:  lr={}", "--api-key x:lr={}", "run_secret=0_lr={}_bs=2", "s3://b/password=a/lr={}/x"),
        *("s3://b/password=a/epoch-{}/m.pt", "password=$X:LR={}", "'password=a]lr={}'", "?api_key=a#lr={}"),
        *("authorization: none lr={} bs=2", "authorization: digest lr={} x", "cookie: a=b lr={}", "Cookie: a=1, lr={}"),
        *("password='''a''' '''lr={}'''", 'password=\\"a\\" \\"lr={}\\"'),
        *("-----BEGIN PRIVATE KEY----- lr={}", "max_session_token=1234567{}"),
    ],
)
def test_what_may_be_hidden_beyond_a_secret_is_not_passed_over(command):
    pair = configured("r1", command=command.format(1)), configured("r2", command=command.format(2))
    assert pair[0].config == pair[1].config
    assert compare(*pair, EXACT).reasons == (unknown("config/command"),)


@pytest.mark.parametrize("command", ["PASSWORD= LR={}", "DB_PASSWORD= SEED={} python t.py", "t --api-key= --lr={}"])
def test_what_follows_an_empty_secret_in_a_command_is_compared(command):
    pair = configured("r1", command=command.format(1)), configured("r2", command=command.format(2))
    assert compare(*pair, EXACT).reasons == (f"config/command differs: {command.format(1)} / {command.format(2)}",)


def test_what_only_one_run_has_replaced_is_not_known_either():
    given = configured("r1", token="X9"), configured("r2", token="<secret>")  # as a record of a former version has it
    assert compare(*given, EXACT).reasons == (unknown("config/token", "one run"),)
    assert compare(*given[::-1], EXACT).reasons == (unknown("config/token", "one run"),)


def test_a_credential_changes_no_result_and_stands_in_nobodys_way():
    hidden = {"api_key": "x1", "password": 12345678, "hub_token": f"hf_{RANDOM}", "url": "postgres://bob:x1@db/x"}
    other = {"api_key": "x2", "password": 87654321, "hub_token": f"hf_{OTHER_RANDOM}", "url": "postgres://bob:x2@db/x"}
    assert compare(configured("r1", **hidden), configured("r2", **other), EXACT).comparable
    assert "hidden" not in configured("r1", **hidden).course


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"symbol": RANDOM}, "symbol"),
        ({"described": metadata("r", target=RANDOM)}, "metadata/target"),
        ({"factors": {"seed": 0, "token": "X9"}}, "factors/token"),
    ],
)
def test_whatever_is_compared_counts(options, place):
    first, second = (snapshot(run_id, **options | _named(options, run_id)) for run_id in ("r1", "r2"))
    assert compare(first, second, EXACT).reasons == (unknown(place),)


def _named(options, run_id):
    return {"described": {**options["described"], "run_id": run_id}} if "described" in options else {}


def test_a_volatile_setting_is_passed_over_and_not_told(caplog):
    config, volatile = {"seed": 0, "hub": {"token": "X9"}}, ("/hub",)
    first, second = (snapshot(run_id, config=config, volatile_settings=volatile) for run_id in ("r1", "r2"))
    assert compare(first, second, EXACT).comparable
    assert caplog.records == []


def test_it_is_told_once_for_a_draft_and_not_again_when_the_run_ends(tmp_path, caplog):
    store = Store.open(tmp_path, create=True)
    first = commit(store, "r1", config={"token": "X9", "auth": "Y9", "password": "Z9"})
    (said,) = caplog.records
    assert (said.name, said.levelno) == ("seedbed.records", logging.WARNING)
    assert "the record of r1:TRAINING holds /config/token, /config/auth as <secret>" in said.getMessage()
    assert "list it in volatile_settings" in said.getMessage()
    assert "X9" not in said.getMessage()
    assert first.snapshot.course["hidden"] == dict.fromkeys(("/config/token", "/config/auth"), "r1:TRAINING:1")


def test_of_many_the_first_are_told(caplog):
    draft("r1", config={f"s{number}": {"token": "X9"} for number in range(7)})
    (said,) = caplog.records
    assert "/config/s0/token, /config/s1/token, /config/s2/token, " in said.getMessage()
    assert "/config/s4/token and 2 more as <secret>" in said.getMessage()


def test_a_copy_of_a_draft_still_knows():
    made = draft("r1", config={"token": "X9"})
    assert dataclasses.replace(made, documents={"changes": CUT})._hidden == made._hidden == ("/config/token",)


def test_such_runs_are_no_replicates_of_each_other(tmp_path):
    store = Store.open(tmp_path, create=True)
    for seed in range(6):
        last = commit(store, f"r{seed}", seed=seed, config={"seed": seed, "token": "X9"}, ap=0.9 + seed / 1000)
    assert last.snapshot.diff_prev.metric_deltas["/test/ap"].noise == "not enough replicates: 1 of 4"
    assert store.log(PROJECT).read(6).snapshot.diff_prev.policy == "ABLATION"


def test_a_policy_allows_what_it_names_however_it_is_named():
    place = "/course/hidden/~1config~1a~01b~1token"
    assert ablation(place).allows(place)
    assert ablation("/config/a~1b/token").allows(place)
    assert ablation("token").allows(place)
    assert not ablation("a~1b").allows(place)
    assert not Policy("EXACT").allows(place)
