"""A soak's counts and KPIs as metrics, under the names that its dashboards know."""

import os
import shutil
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from seedbed.errors import InvalidInput
from seedbed.gate import exposition
from seedbed.soak import SoakCounts, soak_metrics

PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool")
COUNTS = SoakCounts(
    "run-1",
    num_total=10,
    num_full=6,
    num_partial=2,
    num_failed=1,
    num_stuck=0,
    freeze_ready=True,
    kpis={"latency_ms": {"p95": 331.0, "mean": 300.0}, "net.bps": {"mean": 2.5}},
)
# The names are older than the linter's taste.
TOLERATED = ('should not have "_count" suffix', "should not contain abbreviated units")


def samples(text: str) -> dict[str, float]:
    return {
        sample.name + "".join(f"[{value}]" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_soak_is_shown_under_the_names_that_its_dashboards_know() -> None:
    assert samples(exposition(soak_metrics(COUNTS))) == {
        "soak_delta_full_apply_ratio": 0.6,
        "soak_delta_total_count": 10,
        "soak_delta_full_count": 6,
        "soak_delta_partial_count": 2,
        "soak_delta_fail_count": 1,
        "soak_signature_stuck_count": 0,
        "soak_freeze_ready": 1,
        "soak_kpi_latency_ms[p95]": 331,
        "soak_kpi_latency_ms[mean]": 300,
        "soak_kpi_net_bps[mean]": 2.5,
        "soak_run_info[run-1]": 1,
    }


def test_openmetrics_has_the_same_families() -> None:
    text = exposition(soak_metrics(COUNTS), openmetrics=True)
    assert {family.name for family in openmetrics_families(text)} >= {"soak_delta_full_count", "soak_run"}


def test_without_deltas_there_is_no_ratio() -> None:
    none = SoakCounts("r", num_total=0, num_full=0, num_partial=0, num_failed=0, num_stuck=0, freeze_ready=False)
    assert none.full_apply_ratio is None
    found = samples(exposition(soak_metrics(none)))
    assert "soak_delta_full_apply_ratio" not in found
    assert (found["soak_delta_total_count"], found["soak_freeze_ready"]) == (0, 0)


@pytest.mark.parametrize("counts", [(3, 2, 1, 1, 0), (3, -1, 0, 0, 0), (3, 1, 1, 1, -1)])
def test_counts_that_do_not_add_up_are_refused(counts: tuple[int, int, int, int, int]) -> None:
    total, full, partial, failed, stuck = counts
    with pytest.raises(InvalidInput, match="do not add up"):
        SoakCounts("r", total, full, partial, failed, stuck, freeze_ready=False)


def test_two_kpis_with_one_name_are_refused() -> None:
    kpis = {"net.bps": {"mean": 1.0}, "net_bps": {"mean": 2.0}}
    twice = SoakCounts("r", 0, 0, 0, 0, 0, freeze_ready=False, kpis=kpis)
    with pytest.raises(InvalidInput, match="'soak_kpi_net_bps' is given twice"):
        exposition(soak_metrics(twice))


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is neither on PATH nor named by PROMTOOL")
def test_promtool_takes_the_text() -> None:
    done = subprocess.run(
        [str(PROMTOOL), "check", "metrics"],
        input=exposition(soak_metrics(COUNTS)),
        capture_output=True,
        text=True,
        check=False,
    )
    remarks = (done.stdout + done.stderr).splitlines()
    assert done.returncode in {0, 3}  # 3 is the linter's
    assert [remark for remark in remarks if not remark.endswith(TOLERATED)] == []
