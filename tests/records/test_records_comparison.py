import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_world import change_report, change_summary, metadata, snapshot

from seedbed.contracts import Stage
from seedbed.records import EXACT, REPLICATE, Commit, Json, ablation, compare, compare_under_each, diff, digest
from seedbed.records.canonical._canonical import plain
from seedbed.records.canonical._json_pointer import differences, leaves, without
from seedbed.records.compare import _comparison, allowed_pairs
from seedbed.records.compare._comparison import cut_pair, input_differences, short_text
from seedbed.records.snapshot._policy import factor_of

JSON_OBJECTS = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(alphabet="a~/", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet="ab~/", max_size=2), inner, max_size=3)
    ),
    max_leaves=10,
).map(lambda value: {"root": value})


def fingerprints(**changed: str):
    names = ("data", "split", "target", "feature", "code")
    return {name: digest(changed.get(name, name)) for name in names}


def narrowest(previous, current):
    found = tuple(input_differences(previous, current))
    return _comparison.compare_differences(previous, current, found, _comparison.strictest_policy(found))


def committed(seq, made):
    return Commit(seq, "d" * 64, made.model_dump(mode="json"))


def apply_patch(value, patch):
    """RFC 6902 for objects, written apart from the code under test."""
    value = plain(value)
    for operation in patch:
        *parents, last = [token.replace("~1", "/").replace("~0", "~") for token in operation["path"].split("/")[1:]]
        target = value
        for token in parents:
            target = target[token]
        if operation["op"] == "remove":
            del target[last]
        else:
            assert (last in target) == (operation["op"] == "replace")
            target[last] = operation["value"]
    return value


@pytest.mark.slow
@given(JSON_OBJECTS, JSON_OBJECTS)
def test_the_patch_turns_one_value_into_the_other(previous, current):
    patch = [difference.operation() for difference in differences(previous, current)]
    assert digest(apply_patch(previous, patch)) == digest(current)


@pytest.mark.slow
@given(JSON_OBJECTS)
def test_nothing_differs_from_itself(value):
    assert list(differences(value, plain(value))) == []


def test_true_is_not_one_anywhere():
    assert [found.pointer for found in differences({"a": [1], "b": 1}, {"a": [True], "b": True})] == ["/a", "/b"]
    assert [(found.pointer, found.op) for found in differences(1, True)] == [("", "replace")]
    assert list(differences([1, {"a": 1}], [1, {"a": 1}])) == []


def test_pointers_are_escaped_and_values_found_by_them():
    value: Json = {"a/b": {"c~d": 1}, "e": [2]}
    assert dict(leaves(value)) == {"/a~1b/c~0d": 1, "/e": [2]}
    assert without(value, ["/a~1b/c~0d", "/nowhere"]) == {"a/b": {}, "e": [2]}


def test_exact_needs_every_input_the_same():
    assert compare(snapshot("r1"), snapshot("r2")).comparable
    assert compare(snapshot("r1", ap=0.1), snapshot("r2", ap=0.9), EXACT).comparable  # metrics are results, not inputs
    for change in (
        {"seed": 1},
        {"config": {"optimizer": {"lr": 1}}},
        {"factors": {"seed": 0, "threads": 4}},
        {"fingerprints": fingerprints(code="newer")},
    ):
        answer = compare(snapshot("r1"), snapshot("r2", **change), EXACT)
        assert not answer.comparable
        assert answer.reasons


def test_a_volatile_setting_never_stands_in_the_way():
    config = {"optimizer": {"lr": 0.001}, "report": "another.html", "seed": 0}
    assert compare(snapshot("r1"), snapshot("r2", config=config), EXACT).comparable


def test_replicates_may_differ_by_their_seed_alone():
    answer = compare(snapshot("r1"), snapshot("r2", seed=1), REPLICATE)
    assert answer.comparable
    assert [(item.name, item.previous, item.current) for item in answer.excluded_factors] == [
        ("/config/seed", 0, 1),
        ("/factors/seed", 0, 1),
    ]
    assert not compare(snapshot("r1"), snapshot("r2", factors={"seed": 0, "threads": 4}), REPLICATE).comparable


def test_an_ablation_may_differ_by_what_it_lists():
    changed = snapshot("r2", config={"optimizer": {"lr": 0.1}, "report": "report.html", "seed": 0})
    assert compare(snapshot("r1"), changed, ablation("lr")).comparable
    assert compare(snapshot("r1"), changed, ablation("/config/optimizer/lr")).comparable
    assert not compare(snapshot("r1"), changed, ablation("seed")).comparable


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"fingerprints": fingerprints(split="x")},
            "split fingerprint differs: ",
        ),
        ({"data": "other"}, "data fingerprint differs: "),
        ({"described": metadata("r2", target="origin")}, "target differs: destination / origin"),
        ({"described": metadata("r2", model_family="GRU")}, "model family differs: TGAT / GRU"),
        ({"stage": Stage.FEATURE_SELECTION}, "stage differs: TRAINING / FEATURE_SELECTION"),
    ],
)
def test_no_policy_excuses_another_comparison_group(change, reason):
    for policy in (EXACT, REPLICATE, ablation("split", "data", "target", "model_family", "stage")):
        answer = compare(snapshot("r1"), snapshot("r2", **change), policy)
        assert not answer.comparable
        assert any(said.startswith(reason) for said in answer.reasons)


def test_a_digest_is_shown_short_and_long_values_are_cut():
    answer = compare(snapshot("r1"), snapshot("r2", data="other"))
    assert f"{digest('data')[:8]}… / {digest('other')[:8]}…" in answer.reasons[0]
    long = {"optimizer": {"lr": 0.001}, "report": "report.html", "seed": 0, "note": "x" * 500}
    assert all(len(reason) < 150 for reason in compare(snapshot("r1"), snapshot("r2", config=long)).reasons)


def test_a_run_is_never_compared_with_itself():
    for policy in (EXACT, REPLICATE, ablation("seed")):
        answer = compare(snapshot("r1"), snapshot("r1", attempt=2), policy)
        assert not answer.comparable
        assert "never compared with itself" in answer.reasons[0]


def test_the_narrowest_policy_that_holds_is_named():
    config = {"optimizer": {"lr": 0.1}, "report": "report.html", "seed": 0}
    assert narrowest(snapshot("r1"), snapshot("r2")).policy == "EXACT"
    assert narrowest(snapshot("r1"), snapshot("r2", seed=1)).policy == "REPLICATE"
    assert narrowest(snapshot("r1"), snapshot("r2", config=config)).policy == "ABLATION"
    assert not narrowest(snapshot("r1"), snapshot("r2", data="other")).comparable


def test_the_first_run_has_no_predecessor_and_that_is_no_difference():
    first = diff(None, snapshot("r1"))
    assert (first.comparable, first.changed_keys, first.prev_run_id) == (None, (), None)
    assert first.summary.startswith("no predecessor")


def test_a_diff_names_its_predecessor_what_changed_and_by_how_much():
    found = diff(committed(4, snapshot("r1", ap=0.8)), snapshot("r2", ap=0.9, seed=1))
    assert (found.prev_run_id, found.prev_snapshot_seq, found.prev_digest) == ("r1", 4, "d" * 64)
    assert found.prev_snapshot_path == "log/flights/00000000000000000004.json"
    assert found.comparable
    assert found.policy == "REPLICATE"
    assert found.changed_keys == ("/config/seed", "/factors/seed", "/metrics/test/ap")
    delta = found.metric_deltas["/test/ap"]
    assert delta.absolute == pytest.approx(0.1)
    assert delta.percent == pytest.approx(12.5)
    assert delta.noise == "not enough replicates: 0 of 4"
    assert found.metric_deltas["/test/events"].absolute == 0


def test_deltas_that_are_no_numbers_are_null():
    before = snapshot("r1", metrics={"zero": 0, "huge": -1.7e308, "flag": True, "only": 1})
    after = snapshot("r2", metrics={"zero": 1, "huge": 1.7e308, "flag": False})
    deltas = diff(committed(1, before), after).metric_deltas
    assert set(deltas) == {"/zero", "/huge"}
    assert deltas["/zero"].percent is None
    assert deltas["/huge"].absolute is None


def test_a_diff_across_groups_says_why_it_means_little():
    found = diff(committed(1, snapshot("r1")), snapshot("r2", data="other", seed=2))
    assert found.comparable is False
    assert found.summary.startswith("not comparable: data fingerprint differs")


def test_a_diff_under_a_named_policy_keeps_to_it():
    found = diff(committed(1, snapshot("r1")), snapshot("r2", seed=2), EXACT)
    assert found.comparable is False
    assert "and more" in found.summary


@pytest.mark.parametrize(
    ("value", "short"),
    [
        ("0" * 64, "00000000…"),
        ("0123456789abcdef" * 4, "01234567…"),
        ("g" * 64, "g" * 60 + "…"),
        ("0" * 65, "0" * 60 + "…"),
        ("0" * 63, "0" * 60 + "…"),
        ("x" * 60, "x" * 60),
        ("x" * 61, "x" * 60 + "…"),
        (int("1" * 64), "1" * 60 + "…"),
        (0.5, "0.5"),
        ("a\nb\x1b[2Jc\u2028é\\", r"a\nb\x1b[2Jc\u2028é\\"[:-1]),
    ],
)
def test_values_are_told_short(value, short):
    assert short_text(value) == short


def test_a_setting_counts_unless_both_runs_call_it_volatile():
    config = {"report": "a.html", "seed": 0}
    both, none = {"volatile_settings": ("/report",)}, {"volatile_settings": ()}
    for first, second, counts in ((both, both, False), (both, none, True), (none, both, True)):
        earlier = snapshot("r1", config=config, **first)
        later = snapshot("r2", config={**config, "report": "b.html"}, **second)
        assert ("/config/report" in {found.pointer for found in input_differences(earlier, later)}) == counts


def test_what_only_one_of_the_runs_has_is_said_so():
    earlier, later = snapshot("r1", config={"old": 1}), snapshot("r2", config={"new": 2})
    reasons = compare(earlier, later).reasons
    assert "config/new is 2, which the earlier run lacks" in reasons
    assert "config/old was 1, which the later run lacks" in reasons
    assert "config/new differs: 1 / 2" in compare(snapshot("r1", config={"new": 1}), later).reasons


def test_a_policy_is_a_value():
    assert len({EXACT, REPLICATE, ablation("lr"), ablation("lr")}) == 3


@pytest.mark.parametrize(
    ("other", "allowed"),
    [
        ({}, {"EXACT": True, "REPLICATE": True}),
        ({"seed": 1}, {"EXACT": False, "REPLICATE": True, "ABLATION": True}),
        ({"factors": {"seed": 0, "threads": 8}}, {"EXACT": False, "REPLICATE": False, "ABLATION": True}),
        ({"data": "other"}, {"EXACT": False, "REPLICATE": False}),
        ({"data": "other", "seed": 1}, {"EXACT": False, "REPLICATE": False, "ABLATION": False}),
    ],
)
def test_every_policy_is_asked_the_strictest_first(other, allowed):
    found = compare_under_each(snapshot("r1"), snapshot("r2", **other))
    assert {each.policy: each.comparable for each in found} == allowed
    assert [bool(each.reasons) for each in found] == [not each.comparable for each in found]


def changed(run_id, *changes, **options):
    return snapshot(run_id, documents={"changes": change_summary(*changes)}, **options)


CUT = change_report(1, 0.005, 50, 51)


@pytest.mark.parametrize(
    ("before", "after", "policy", "summary"),
    [
        (snapshot("r1"), snapshot("r2"), None, "comparable: every input is the same"),
        (snapshot("r1"), snapshot("r2"), ablation("lr"), "comparable: every input is the same"),
        (
            snapshot("r1"),
            snapshot("r2", ap=0.5),
            None,
            "comparable: every recorded input is the same and the results are not: something that is not recorded "
            "differs, such as the environment, of which the record has no fingerprint, or the run is not deterministic",
        ),
        (snapshot("r1"), snapshot("r2", seed=2), None, "comparable: a replicate, only the seed differs"),
        (
            changed("r1", CUT),
            changed("r2"),
            None,
            "no replicate: optimizer.lr was changed while it ran: 0.005 from step 51 / never; "
            "comparable as `--policy ablation --factor optimizer.lr`",
        ),
        (
            changed("r1", CUT, config={"lr": 1, "width": 2}),
            changed("r2", config={"lr": 2}, seed=2),
            None,
            "no replicate: config/lr differs: 1 / 2, and 2 more; "
            "comparable as `--policy ablation --factor lr --factor width --factor seed`",
        ),
    ],
)
def test_the_summary_names_what_makes_two_runs_no_replicates(before, after, policy, summary):
    assert diff(committed(1, before), after, policy).summary == summary


def test_a_number_and_the_same_text_can_be_told_apart():
    found = compare(snapshot("r1", config={"lr": 0.1}), snapshot("r2", config={"lr": "0.1"}))
    assert found.reasons == ("config/lr differs: 0.1 / '0.1'",)


RATE = 0.0008058629261089049


def used(*uses):
    return {"changes": change_summary(*(change_report(1, value, step - 1, step) for step, value in uses))}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([(151, RATE)], [(152, RATE)], "0.000805863 from step 151 / 0.000805863 from step 152"),
        (
            [(151, RATE)],
            [(151, 0.0008058629261089051)],
            "0.0008058629261089049 from step 151 / 0.0008058629261089051 from step 151",
        ),
        (
            [(step, RATE) for step in (151, 201, 301)],
            [(step, RATE) for step in (151, 201, 302)],
            "…151, 0.000805863 from step 201, 0.000805863 from step 301 / "
            "…151, 0.000805863 from step 201, 0.000805863 from step 302",
        ),
    ],
)
def test_rates_are_shown_short_and_where_they_differ(before, after, said):
    (reason,) = compare(snapshot("r1", documents=used(*before)), snapshot("r2", documents=used(*after))).reasons
    assert reason == f"optimizer.lr was changed while it ran: {said}"


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("x" * 500 + "a", "x" * 500 + "b", ("…" + "x" * 59 + "a", "…" + "x" * 59 + "b")),
        ("x" * 500, "x" * 501, ("…" + "x" * 59, "…" + "x" * 60)),
        ("a" * 70, "b" * 60, ("a" * 60 + "…", "b" * 60)),
        ("x" * 30 + "a" * 40, "x" * 30, ("…" + "x" * 20 + "a" * 40, "…" + "x" * 20)),
        ("x" * 31 + "a" * 70, "x" * 31, ("…" + "x" * 15 + "a" * 45 + "…", "…" + "x" * 15)),
        ("x" * 60, "x" * 59 + "y", ("x" * 60, "x" * 59 + "y")),
        (
            "word " * 20 + "a ends",
            "word " * 20 + "b ends",
            tuple("…" + "word " * 10 + each for each in ("a ends", "b ends")),
        ),
        ("a\nb", "a\r\x7f\x85c", (r"a\nb", r"a\r\x7f\x85c")),
        ("a" + " words" * 20, "b" + " words" * 20, ("a" + " words" * 9 + "…", "b" + " words" * 9 + "…")),
    ],
)
def test_two_texts_are_cut_where_they_differ(first, second, said):
    assert cut_pair(first, second) == said


def test_null_a_text_that_reads_like_it_and_an_absent_value_are_shown_apart():
    before, after = (
        snapshot(run_id, config=config)
        for run_id, config in (
            ("r1", {"a": None, "b": "null", "c": 1, "d": "x" * 99}),
            ("r2", {"a": "null", "b": None, "d": "y" * 99, "e": None}),
        )
    )
    assert allowed_pairs(diff(committed(1, before), after), width=70) == [
        ("/config/a", "null", '"null"'),
        ("/config/b", '"null"', "null"),
        ("/config/c", "1", "absent"),
        ("/config/d", "x" * 70 + "…", "y" * 70 + "…"),
        ("/config/e", "absent", "null"),
    ]


def test_values_whose_short_forms_agree_are_told_apart():
    def reason(before, after):
        (found,) = compare(snapshot("r1", config={"x": before}), snapshot("r2", config={"x": after})).reasons
        return found

    assert reason("y" * 100 + "a", "y" * 100 + "b") == f"config/x differs: …{'y' * 59}a / …{'y' * 59}b"
    first, second = "0123abcd" * 8, "0123abcd" * 7 + "0123abce"  # two digests
    assert reason(first, second) == f"config/x differs: …{first[4:]} / …{second[4:]}"
    assert reason(1, True) == "config/x differs: 1 / True"


@pytest.mark.parametrize(
    ("pointer", "factor"),
    [
        ("/config/optimizer/lr", "optimizer.lr"),
        ("/config/seed", "seed"),
        ("/fingerprints/code", "code"),
        ("/course/changes/optimizer.lr", "optimizer.lr"),
        ("/course/runtime/flash/used", "flash.used"),
        ("/course/resumes", "resumes"),
        ("/course/hidden/~1config~1model~1token", "model.token"),
        ("/course/hidden/~1symbol", "symbol"),
        ("/config/a~1b", "a/b"),
    ],
)
def test_the_factor_that_a_summary_names_is_one_that_the_policy_takes(pointer, factor):
    assert factor_of(pointer) == factor
    assert ablation(factor).allows(pointer)
    assert not ablation("else").allows(pointer)


@pytest.mark.parametrize(
    ("factor", "pointer", "is_allowed"),
    [
        ("lr", "/config/optimizer.lr", True),
        ("optimizer.lr", "/config/optimizer.lr", True),
        ("config/optimizer/lr", "/config/optimizer/lr", True),  # as a summary spells it
        ("5", "/config/dropout0.5", False),
        ("5", "/config/layers.5", True),
        ("csv", "/fingerprints/train.csv", False),
        ("train.csv", "/fingerprints/train.csv", True),
        ("seed", "/course/changes/sampler.seed", True),
    ],
)
def test_a_factor_is_the_end_of_a_name_and_no_part_of_a_number_or_file(factor, pointer, is_allowed):
    assert ablation(factor).allows(pointer) == is_allowed


def test_many_factors_are_counted():
    config = {f"x{number}": number for number in range(9)}
    found = diff(committed(1, snapshot("r1", config={})), snapshot("r2", config=config))
    assert found.summary.endswith(", and 8 more; comparable as an ablation of 9 factors")
