import dataclasses
import re
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from records_world import draft, metadata, snapshot

from seedbed.contracts import Stage
from seedbed.errors import InvalidInput
from seedbed.records import NOT_APPLICABLE, SnapshotDraft, Store, digest, not_applicable, required_fields
from seedbed.records.snapshot._draft import build_body

STAGES = list(Stage)
NULLABLE = {"max_cs_samples"}
ALWAYS = {"stage", "run_id", "cohort_id", "target", "model_family"}


FINGERPRINTS = dict.fromkeys(("data", "split", "target", "feature"), digest(1))


def test_each_stage_requires_its_closed_set_of_fields():
    assert [len(required_fields(stage)) for stage in STAGES] == [11, 11, 12]
    assert set(required_fields(Stage.TRAINING)) - set(required_fields(Stage.TARGET_RANKING)) == {"model_family"}


@pytest.mark.parametrize(("stage", "name"), [(stage, name) for stage in STAGES for name in required_fields(stage)])
def test_missing_null_and_not_applicable_are_three_things(stage, name):
    whole = metadata("r1", stage)
    without = {key: value for key, value in whole.items() if key != name}
    with pytest.raises(InvalidInput, match=rf"metadata\.{name} is missing"):
        draft("r1", stage=stage, described=without)
    if name in NULLABLE:
        draft("r1", stage=stage, described={**whole, name: None})
    else:
        with pytest.raises(InvalidInput, match=rf"metadata\.{name} is null"):
            draft("r1", stage=stage, described={**whole, name: None})
    if name in ALWAYS:
        with pytest.raises(InvalidInput, match=rf"metadata\.{name} always applies"):
            draft("r1", stage=stage, described={**whole, name: NOT_APPLICABLE})
    else:
        draft("r1", stage=stage, described={**whole, name: NOT_APPLICABLE})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("date_start", "yesterday"),
        ("n_symbols", -1),
        ("n_symbols", True),
        ("n_effective", 1.5),
        ("target", "  "),
        ("cohort_id", "../escape"),
        ("min_cs", "3"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_what_was_expected(name, value):
    with pytest.raises(InvalidInput, match=rf"metadata\.{name} is .*expected"):
        draft("r1", described={**metadata("r1"), name: value})


def test_every_offence_is_listed_at_once():
    with pytest.raises(InvalidInput) as refused:
        draft(
            "r1",
            attempt=0,
            described={"stage": "TRAINING", "targets": 1, "min_cs": 3},
            fingerprints={"data": "short"},
            blobs={"weights": "NOT_APPLICABLE"},
            documents={"snapshot": {}},
        )
    said = str(refused.value)
    for fault in (
        "attempt is 0",
        "metadata.run_id is missing",
        "metadata.targets is not a field of TRAINING; did you mean target?",
        "fingerprints.split is missing",
        "fingerprints.data is 'short'",
        "blobs.weights",
        "documents.snapshot",
        "nothing was written",
    ):
        assert fault in said


@pytest.mark.parametrize(("name", "value"), [("stage", "FEATURE_SELECTION"), ("run_id", "other")])
def test_metadata_of_another_run_or_stage_is_refused(name, value):
    with pytest.raises(InvalidInput, match=rf"metadata\.{name} is '{value}', but this is"):
        draft("r1", described={**metadata("r1"), name: value})


@pytest.mark.slow
def test_metadata_of_another_run_is_refused_without_assertions_too():
    code = (
        "from records_world import draft, metadata\n"
        "try: draft('r1', described=metadata('r2'))\n"
        "except ValueError as refused: print('refused' if 'r2' in str(refused) else refused)"
    )
    found = subprocess.run(
        [sys.executable, "-O", "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    assert found.stdout == "refused\n"


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "a b", "x" * 101, "é"])
def test_names_that_could_leave_the_store_are_refused(name):
    with pytest.raises(InvalidInput, match="run_id"):
        draft(name)


def test_a_metric_that_is_not_a_number_is_refused_with_its_place():
    with pytest.raises(InvalidInput, match="'/test/ap'"):
        draft("r1", metrics={"test": {"ap": object()}})


def digests(made):
    return build_body(made, {}, datetime(2026, 1, 1, tzinfo=UTC)).content["digests"]


def test_what_the_caller_changes_afterwards_changes_nothing():
    metrics = {"test": {"ap": 0.9}}
    made = draft("r1", metrics=metrics)
    before = digests(made)
    metrics["test"]["ap"] = 0.1
    assert made.metrics["test"]["ap"] == 0.9
    assert digests(draft("r1", metrics={"test": {"ap": 0.9}})) == before
    with pytest.raises(TypeError):
        made.metrics["test"]["ap"] = 0.1


def test_timing_and_volatile_settings_stay_out_of_the_digests_that_must_repeat():
    config = {"optimizer": {"lr": 0.001}, "report": "report.html", "seed": 0}
    one = snapshot("r1")
    other = snapshot("r1", timing={"wall_seconds": 99}, config={**config, "report": "elsewhere.html"})
    assert one.digests["metrics"] == other.digests["metrics"]
    assert one.fingerprints["deterministic_config"] == other.fingerprints["deterministic_config"]
    assert one.fingerprints["config"] != other.fingerprints["config"]
    assert snapshot("r1", timing={"wall_seconds": 99}).digests == one.digests


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_metric_digest_is_that_of_the_metrics_alone(first, second):
    one, other = snapshot("r1", ap=first), snapshot("r2", ap=second, seed=5)
    assert one.digests["metrics"] == digest({"test": {"ap": first, "events": 9000}})
    assert (one.digests["metrics"] == other.digests["metrics"]) == (first == second)


def test_replicates_share_a_digest_that_no_seed_and_no_volatile_setting_enters():
    config = {"optimizer": {"lr": 0.001}, "report": "elsewhere.html", "seed": 7}
    one = snapshot("r1").digests["replicates"]
    assert snapshot("r2", seed=7, config=config).digests["replicates"] == one
    assert snapshot("r2", config={**config, "optimizer": {"lr": 0.1}}).digests["replicates"] != one
    assert snapshot("r2", data="other").digests["replicates"] != one


def test_a_run_drafts_for_itself(tmp_path):
    run = Store.open(tmp_path, create=True).start("digits", "r1", Stage.TRAINING)
    described = {**not_applicable(Stage.TRAINING), "cohort_id": "all", "target": "digit", "model_family": "encoder"}
    whole = run.draft(described, {"ap": 0.5}, FINGERPRINTS)
    assert (whole.key, whole.metadata["run_id"], whole.metadata["stage"]) == ("r1:TRAINING:1", "r1", "TRAINING")
    assert run.finish(whole).seq == 1


def test_a_draft_needs_no_metadata(tmp_path):
    run = Store.open(tmp_path, create=True).start("digits", "r1", Stage.TRAINING)
    made = run.draft(metrics={"ap": 0.5}, fingerprints=FINGERPRINTS)
    bare = SnapshotDraft(
        project="digits", run_id="r1", stage=Stage.TRAINING, attempt=1, metrics={"ap": 0.5}, fingerprints=FINGERPRINTS
    )
    absent = dict.fromkeys(("cohort_id", "target", "view", "model_family"), NOT_APPLICABLE)
    for draft_ in (made, bare):
        assert dict(draft_.metadata) == {"stage": "TRAINING", "run_id": "r1", **absent}
        built = build_body(draft_, {}, datetime(2026, 1, 1, tzinfo=UTC))
        assert built.content["schema_versions"]["metadata"] == "EXPERIMENT/1"
    with pytest.raises(InvalidInput, match=r"fingerprints\.data is missing"):
        run.draft(metrics={"ap": 0.5})


def test_what_always_applies_must_be_said(tmp_path):
    run = Store.open(tmp_path, create=True).start("digits", "r1", Stage.TRAINING)
    with pytest.raises(InvalidInput, match=r"metadata\.cohort_id always applies") as refusal:
        run.draft(not_applicable(Stage.TRAINING), {}, FINGERPRINTS)
    assert "metadata.target always applies" in str(refusal.value)
    assert "run_id" not in str(refusal.value).partition("refused")[2]


def test_metrics_are_numbers_of_any_kind():
    given = {
        "a": np.float32(0.5),
        "b": {"c": np.int64(3), "d": torch.tensor(0.25), "e": [np.array(2), Decimal("0.5")]},
        "f": Fraction(1, 4),
        "g": np.bool_(True),
        "h": torch.tensor(7),
        "i": "text",
        "j": None,
    }
    found = draft("r1", metrics=given, timing={"seconds": np.float64(1.5)})
    assert found.metrics == {
        "a": 0.5,
        "b": {"c": 3, "d": 0.25, "e": (2, 0.5)},
        "f": 0.25,
        "g": True,
        "h": 7,
        "i": "text",
        "j": None,
    }
    assert found.timing == {"seconds": 1.5}


@pytest.mark.parametrize("value", [np.ones(2), torch.ones(2), np.array(["a"]), object(), 1j, np.complex64(1j)])
def test_what_is_no_single_number_is_no_metric(value):
    with pytest.raises(InvalidInput, match="cannot write canonical JSON at '/a'"):
        draft("r1", metrics={"a": value})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Fraction(10**400), "no float holds this Fraction"),
        (Fraction(10**400, 3), "no float holds this Fraction"),
        (Decimal("sNaN"), "no float holds this Decimal"),
        (Decimal(2**60 + 1), "an integer of 61 bits is beyond 2^53"),
        (np.int64(2**60 + 1), "an integer of 61 bits is beyond 2^53"),
        (torch.tensor(2**60 + 1), "an integer of 61 bits is beyond 2^53"),
        (torch.ones((), device="meta"), "no float holds this Tensor"),
        (2**60 + 1, "an integer of 61 bits is beyond 2^53"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_number_that_json_cannot_hold_is_refused_with_its_place(value, said):
    place = "cannot write canonical JSON at '/a~1b/0': "
    with pytest.raises(InvalidInput, match=f"^{place}{re.escape(said)}"):
        draft("r1", metrics={"a/b": [value]})
    assert draft("r1", metrics={"a": Decimal(2**60), "b": Fraction(2**60)}).metrics == {"a": 2.0**60, "b": 2.0**60}


def test_metrics_that_hold_themselves_are_refused():
    cycle: dict[str, object] = {}
    cycle["a"] = [cycle]
    with pytest.raises(InvalidInput, match="nested deeper than 100 levels"):
        draft("r1", metrics=cycle)


def test_a_run_takes_every_part_of_a_draft_that_it_does_not_know_itself(tmp_path):
    given: dict[str, Any] = {
        "metrics": {"ap": 0.5},
        "fingerprints": FINGERPRINTS,
        "fingerprint_sources": {"data": "the file"},
        "timing": {"wall_seconds": 1.5},
        "config": {"lr": 0.1, "log_every": 10},
        "volatile_settings": ("/log_every",),
        "factors": {"seed": 1},
        "inputs": {"rows": 1},
        "process": {"passes": 2},
        "outputs": {"files": 3},
        "documents": {"notes": {"a": 1}},
        "predictions": digest(2),
        "symbol": "A",
        "experiment_id": "e1",
    }
    own = {"project", "run_id", "stage", "attempt", "metadata", "schema", "blobs"}
    assert set(given) | own == {name.name for name in dataclasses.fields(SnapshotDraft) if name.name[0] != "_"}
    store = Store.open(tmp_path, create=True)
    payload = store.start("p", "r0").save_blob("weights", b"payload")
    with store.start("p", "r1") as run:
        snapshot = run.finish(run.draft(**given, blobs={"other": payload})).snapshot
    assert dict(snapshot.blobs) == {"other": payload}
    shown = snapshot.model_dump(mode="json")
    assert shown["fingerprint_sources"]["data"] == "the file"  # those of the config are computed
    for name in set(given) - {"fingerprints", "fingerprint_sources", "predictions", "documents"}:
        assert shown[name] == (list(given[name]) if name == "volatile_settings" else given[name]), name
    assert shown["documents"]["notes"] == {"a": 1}
    assert digest(2) in str(shown)
