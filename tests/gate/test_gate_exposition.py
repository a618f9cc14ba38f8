"""Metrics as Prometheus reads them: in both formats, from a file, over HTTP, and on a Pushgateway."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from gate_samples import one_series
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from seedbed.errors import InvalidInput, StoreUnavailable
from seedbed.gate import (
    GaugeFamily,
    InfoFamily,
    PushTarget,
    Series,
    calibrated,
    exposition,
    judge,
    metrics_text,
    parse_gate,
    pushing,
    serve_metrics,
    write_textfile,
)
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


def judged(*, openmetrics: bool = False) -> str:
    record = {"kpi": {"x": Series(one_series(mean=1.0))}, "run_id": 'r"1\n', "project": "p"}
    spec = parse_gate({"gate": "soak", "checks": ["mean(kpi.x) > 0.5 @ 95%", "mean(kpi.x) > 5"]})
    return metrics_text(calibrated(judge(spec, record), spec, record), record, openmetrics=openmetrics)


def samples(text: str) -> dict[str, float]:
    return {
        sample.name + "".join(f"[{value}]" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def fetch(url: str, **headers: str) -> tuple[int, str]:
    request = Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    with urlopen(request, timeout=10) as answer:
        return answer.status, answer.read().decode()


def status_of(url: str, **headers: str) -> int:
    try:
        return fetch(url, **headers)[0]
    except HTTPError as refusal:
        refusal.close()
        return refusal.code


def test_a_soak_is_told_under_the_names_that_its_dashboards_know() -> None:
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


def test_without_deltas_there_is_no_ratio() -> None:
    none = SoakCounts("r", num_total=0, num_full=0, num_partial=0, num_failed=0, num_stuck=0, freeze_ready=False)
    assert none.full_apply_ratio is None
    found = samples(exposition(soak_metrics(none)))
    assert "soak_delta_full_apply_ratio" not in found
    assert (found["soak_delta_total_count"], found["soak_freeze_ready"]) == (0, 0)


@pytest.mark.parametrize("counts", [(3, 2, 1, 1, 0), (3, -1, 0, 0, 0), (3, 1, 1, 1, -1)])
def test_counts_that_do_not_add_up_are_refused(counts: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="do not add up"):
        SoakCounts("r", *counts, freeze_ready=False)


def test_two_kpis_with_one_name_and_names_that_are_none_are_refused() -> None:
    kpis = {"net.bps": {"mean": 1.0}, "net_bps": {"mean": 2.0}}
    twice = SoakCounts("r", 0, 0, 0, 0, 0, freeze_ready=False, kpis=kpis)
    with pytest.raises(InvalidInput, match="'soak_kpi_net_bps' stands twice"):
        exposition(soak_metrics(twice))
    for family in (GaugeFamily("a b", "x"), GaugeFamily("a", "x", ("b-c",)), InfoFamily("1a", "x", {})):
        with pytest.raises(InvalidInput, match="is no name"):
            exposition([family])


def test_a_gate_tells_its_samples_and_its_false_pass_rate() -> None:
    found = samples(judged())
    assert found["seedbed_gate_check_samples[> 0.5 @ 95%][soak][mean(kpi.x)]"] == 240
    assert found["seedbed_gate_check_passed[> 5][soak][mean(kpi.x)]"] == 0
    assert 0 <= found["seedbed_gate_check_false_pass_rate[> 0.5 @ 95%][soak][mean(kpi.x)]"] < 0.08


def test_openmetrics_is_another_text_of_the_same_numbers() -> None:
    text = judged(openmetrics=True)
    assert text.endswith("# EOF\n")
    names = {family.name for family in openmetrics_families(text)}
    assert names >= {"seedbed_gate_verdict", "seedbed_gate_check_false_pass_rate", "seedbed_run"}
    assert {family.name for family in openmetrics_families(exposition(soak_metrics(COUNTS), openmetrics=True))} >= {
        "soak_delta_full_count",
        "soak_run",
    }


def test_a_textfile_is_replaced_whole(tmp_path: Path) -> None:
    page = tmp_path / "seedbed.prom"
    page.write_text("torn")
    write_textfile(page, soak_metrics(COUNTS))
    assert page.read_text() == exposition(soak_metrics(COUNTS))
    assert [each.name for each in tmp_path.iterdir()] == ["seedbed.prom"]
    with pytest.raises(InvalidInput):
        write_textfile(page, [GaugeFamily("a b", "x")])
    assert page.read_text() == exposition(soak_metrics(COUNTS))


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is neither on PATH nor named by PROMTOOL")
def test_promtool_takes_the_texts() -> None:
    def check(text: str) -> tuple[int, list[str]]:
        done = subprocess.run(
            [str(PROMTOOL), "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        return done.returncode, (done.stdout + done.stderr).splitlines()

    assert check(judged()) == (0, [])
    code, remarks = check(exposition(soak_metrics(COUNTS)))
    assert code in {0, 3}  # 3 is the linter's
    assert [remark for remark in remarks if not remark.endswith(TOLERATED)] == []
    assert check("soak_delta{ 1\n")[0] == 1


def test_an_endpoint_is_asked_anew_and_speaks_both_formats() -> None:
    counts = [0]

    def source() -> list[GaugeFamily]:
        counts[0] += 1
        return [GaugeFamily.single("times", "Times asked.", counts[0])]

    with serve_metrics(source) as url:
        assert url.startswith("http://127.0.0.1:")
        assert [samples(fetch(url)[1])["times"] for _ in range(2)] == [1, 2]
        openmetrics = fetch(url, Accept="application/openmetrics-text; version=1.0.0")[1]
        assert openmetrics.endswith("# EOF\n")
        assert status_of(url.replace("/metrics", "/")) == 404
        port = int(url.rsplit(":", 1)[1].split("/")[0])
        with pytest.raises(InvalidInput, match="cannot be served"), serve_metrics(source, port=port):
            pass
    with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.1", port), timeout=5):
        pass


def test_an_endpoint_with_a_token_lets_nobody_else_in() -> None:
    with serve_metrics(lambda: soak_metrics(COUNTS), host="0.0.0.0", token="secret-é") as url:
        url = url.replace("0.0.0.0", "127.0.0.1")
        assert status_of(url) == 401
        assert status_of(url, Authorization="Bearer secret") == 401
        assert status_of(url, Authorization="Basic secret-é") == 401
        encoded = "Bearer secret-é".encode().decode("latin-1")
        status, text = fetch(url, Authorization=encoded)
        assert (status, samples(text)["soak_freeze_ready"]) == (200, 1)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
@pytest.mark.parametrize("token", [None, ""])
def test_an_address_beyond_loopback_is_refused_without_a_token(host: str, token: str | None) -> None:
    with pytest.raises(InvalidInput, match="needs a token"), serve_metrics(list, host=host, token=token):
        pass


class Gateway(BaseHTTPRequestHandler):
    """As much of a Pushgateway as a push needs: what was put is there until it is deleted."""

    groups: dict[str, str]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.groups[self.path] = body.decode()
        self.answer(200)

    def do_DELETE(self) -> None:
        self.server.groups.pop(self.path, None)
        self.answer(202)

    def answer(self, code: int) -> None:
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing."""


@contextmanager
def gateway() -> Iterator[tuple[str, dict[str, str]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    server.groups = {}
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.groups
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_what_was_pushed_is_taken_away_at_a_clean_end() -> None:
    with gateway() as (url, groups):
        with pushing(PushTarget(url, "soak", "run-1"), soak_metrics(COUNTS)) as target:
            assert groups == {"/metrics/job/soak/run_id/run-1": exposition(soak_metrics(COUNTS))}
            target.push([GaugeFamily.single("soak_freeze_ready", "Ready.", 0)])
            assert samples(next(iter(groups.values()))) == {"soak_freeze_ready": 0}
        assert groups == {}


def test_what_was_pushed_stays_after_an_error() -> None:
    with gateway() as (url, groups):
        with pytest.raises(ZeroDivisionError), pushing(PushTarget(url, "soak", "run-1"), soak_metrics(COUNTS)):
            raise ZeroDivisionError
        assert groups.keys() == {"/metrics/job/soak/run_id/run-1"}
        PushTarget(url, "soak", "run-1").delete()
        assert groups == {}


def test_a_gateway_that_is_not_there_is_named() -> None:
    with gateway() as (url, _):
        pass
    with pytest.raises(StoreUnavailable, match=f"Pushgateway at {url} did not take"):
        PushTarget(url, "soak", "run-1").push(soak_metrics(COUNTS))
