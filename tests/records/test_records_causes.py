"""What a record tells of files, commit, packages, generators and hardware: named by `why`, each in few words."""

import pytest
from records_world import CUT, change_report, change_summary, snapshot

from seedbed.records import Diff, MetricDelta, digest, why
from seedbed.records.canonical._json_pointer import Difference
from seedbed.records.compare._cause_words import cause_words

A, B = "1a2b3c4d" * 5, "5e6f7a8b" * 5
FILES = [["train.py", digest("train")], ["model.py", digest("model")]]


def process(**parts):
    return {"process": parts}


def code(commit=A, uncommitted=None, files=FILES):
    return {"code": {"commit": commit, "uncommitted": uncommitted, "files": files}}


def printed(name, **options):
    given = {each: digest(each) for each in ("split", "target", "feature", "code", "environment", "data")}
    return snapshot(name, **{"fingerprints": {**given, **options.pop("fingerprints", {})}, **options})


def explained(before, after, history=()):
    delta = MetricDelta(previous=0.9, current=0.8, absolute=-0.1, percent=-11, noise="exceeds noise of 5 replicates")
    return why(before, after, Diff(summary="", metric_deltas={"/test/ap": delta}), history)


def words(*pair):
    return [cause.words for cause in explained(*pair).causes]


def test_a_file_that_differs_is_named_in_place_of_the_whole_code():
    other = [["train.py", digest("train")], ["model.py", digest("other")], ["data/loader.py", digest("new")]]
    before = printed("r1", **process(**code()))
    after = printed("r2", fingerprints={"code": digest("2")}, **process(**code(files=other)))
    found = explained(before, after)
    assert [(cause.name, cause.words, cause.likelihood) for cause in found.causes] == [
        ("/code/files/data~1loader.py", "only the later run has data/loader.py", 0.4),
        ("/code/files/model.py", "model.py differs", 0.4),
    ]
    assert words(after, before)[0] == "only the earlier run has data/loader.py"


def test_the_history_of_the_code_counts_for_each_of_its_files():
    before = printed("r1", **process(**code()))
    after = printed("r2", fingerprints={"code": digest("2")}, **process(**code(files=FILES[:1])))
    delta = MetricDelta(previous=1, current=2, absolute=1, percent=100, noise="exceeds noise of 5 replicates")
    history = [Diff(summary="", changed_keys=("/fingerprints/code",), metric_deltas={"/test/ap": delta})]
    (cause,) = explained(before, after, history).causes
    assert cause.evidence == "the metric moved in 1 of 1 earlier runs that changed it"
    assert cause.likelihood == pytest.approx((0.4 + 1) / 2)


@pytest.mark.parametrize("files", [FILES, [], "none", [["odd"], 7]])
def test_of_code_whose_files_nobody_tells_only_the_fingerprint_is_named(files):
    before = printed("r1", **process(**code(files=files)))
    after = printed("r2", fingerprints={"code": digest("2")}, **process(**code(files=files)))
    assert [cause.name for cause in explained(before, after).causes] == ["/fingerprints/code"]


def test_another_commit_and_other_changes_to_it_are_named_and_are_no_inputs():
    before, after = printed("r1", **process(**code())), printed("r2", **process(**code(B, digest("patch"))))
    found = explained(before, after)
    assert [cause.words for cause in found.causes] == [
        "commit 1a2b3c4d… against 5e6f7a8b…",
        "uncommitted changes, in the later run alone",
    ]
    assert [each.comparable for each in found.policies] == [True, True]
    assert words(after, before)[1] == "uncommitted changes, in the earlier run alone"
    third = printed("r3", **process(**code(B, digest("other patch"))))
    assert words(after, third) == ["other uncommitted changes"]


@pytest.mark.parametrize("silent", [{}, {"code": {"commit": None, "files": FILES}}, {"code": "none"}])
def test_nothing_is_said_of_a_commit_that_only_one_record_tells(silent):
    assert words(printed("r1", **process(**code())), printed("r2", **process(**silent))) == []


def test_a_fact_of_the_environment_is_named_in_place_of_its_digest():
    facts = {"python": "3.11.7", "num_cpus": 2, "packages": {"torch": "2.13.0"}}
    before = printed("r1", **process(environment=facts))
    after = printed(
        "r2", fingerprints={"environment": digest("2")}, **process(environment={**facts, "python": "3.12.1"})
    )
    found = explained(before, after)
    assert [(cause.name, cause.words) for cause in found.causes] == [
        ("/environment/python", "python 3.11.7 against 3.12.1")
    ]


def test_an_environment_that_differs_in_a_package_alone_is_that_package():
    before, after = (
        printed(f"r{version}", fingerprints={"environment": digest(version)}, **process(environment=facts))
        for version in ("2.13.0", "2.14.1")
        for facts in [{"python": "3.11.7", "packages": {"torch": version}}]
    )
    assert words(before, after) == ["torch 2.13.0 against 2.14.1"]


def test_an_environment_that_nobody_takes_apart_stays_a_fingerprint():
    assert words(printed("r1"), printed("r2", fingerprints={"environment": digest("2")}))[0].startswith(
        "fingerprints/environment differs"
    )


def test_of_loaded_packages_those_are_named_that_both_have_and_no_input_tells():
    known = {"environment": {"packages": {"torch": "2.13.0"}}}
    one = [["torch", "2.13.0"], ["scipy", "1.0"], ["rich", "13"], ["google-auth", "1"]]
    other = [["torch", "2.14.0"], ["scipy", "1.1"], ["pytest", "9"], ["google-auth", "2"]]
    pair = printed("r1", **process(**known, imported=one)), printed("r2", **process(**known, imported=other))
    found = explained(*pair)
    assert [cause.words for cause in found.causes] == ["google-auth 1 against 2", "scipy 1.0 against 1.1"]
    assert found.policies[0].comparable


def test_a_generator_that_began_elsewhere_is_named_where_no_seed_explains_it():
    one, other = ({"torch": digest(n), "numpy": digest("same")} for n in (1, 2))
    before, after = printed("r1", **process(generators=one)), printed("r2", **process(generators=other))
    assert words(before, after) == ["the generator of torch began in another state"]
    seeded = printed("r3", seed=1, **process(generators=other))
    assert all("generator" not in each for each in words(before, seeded))
    assert "this is chance" in explained(before, seeded).summary


def test_a_generator_that_neither_run_drew_from_is_no_cause():
    states = [{"torch": digest("same"), "numpy": digest(f"n{n}"), "python": digest(f"p{n}")} for n in (1, 2)]

    def told(first, second):
        sides = zip(("r1", "r2"), states, (first, second), strict=True)
        pair = [printed(run, **process(generators=found, generators_idle=idle)) for run, found, idle in sides]
        return words(*pair)

    numpy, python = (f"the generator of {name} began in another state" for name in ("numpy", "python"))
    assert told([], []) == [numpy, python]
    assert told(["numpy", "python"], ["python"]) == [numpy]
    assert told(["numpy", "python"], ["numpy", "python"]) == []


def test_another_machine_is_named_last():
    before = printed("r1", **process(hardware={"cpu": "A", "cores": 2}, **code()))
    after = printed("r2", **process(hardware={"cpu": "B", "cores": 2}, **code(B)))
    assert words(before, after) == ["commit 1a2b3c4d… against 5e6f7a8b…", "cpu A against B"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({}, CUT, "the change of optimizer.lr at step 11, in the later run alone"),
        (CUT, {}, "the change of optimizer.lr at step 11, in the earlier run alone"),
        (CUT, change_summary(change_report(1, 0.25, 20, 21)), "the change of optimizer.lr at step 11"),
    ],
)
def test_a_change_is_named_with_the_first_step_at_which_the_runs_part(before, after, said):
    pair = (
        printed(name, documents={"audit_run": {"degraded": False}, **({"changes": told} if told else {})})
        for name, told in (("r1", before), ("r2", after))
    )
    assert words(*pair) == [said]


def test_kernels_are_named_with_where_they_ran():
    flash, math = ({"audit_run": {"degraded": False, "sdpa": {"kernels": found}}} for found in ({"FLASH": 3}, {}))
    assert words(printed("r1", documents=flash), printed("r2", documents=math)) == [
        "sdpa: FLASH ran in the earlier run, none that was seen in the later one"
    ]


@pytest.mark.parametrize(
    ("difference", "said"),
    [
        (Difference("/course/packages/numpy", "add", None, "2.0"), "numpy none against 2.0"),
        (Difference("/course/changes/lr", "replace", "odd", 3), "lr was changed while it ran: odd / 3"),
        (Difference("/config/lr", "replace", 0.1, 0.2), "config/lr differs: 0.1 / 0.2"),
    ],
)
def test_what_has_no_words_of_its_own_is_said_as_the_reason_of_a_policy_is(difference, said):
    assert cause_words(difference) == said
