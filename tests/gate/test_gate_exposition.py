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

PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool")
FAMILIES = (
    GaugeFamily.single("seedbed_ready", "1 when it is ready.", 1),
    GaugeFamily("seedbed_latency_seconds", "The latency.", ("statistic",), {("mean",): 0.3, ("p95",): 0.331}),
    InfoFamily("seedbed_job", "The job that is running.", {"run_id": "run-1"}),
)


def judged(*, openmetrics: bool = False) -> str:
    record = {"kpi": {"x": Series(one_series(mean=1.0))}, "run_id": 'r"1\n', "project": "p"}
    spec = parse_gate({"gate": "soak", "checks": ["mean(kpi.x) > 0.5 in [-5, 7] @ 95%", "mean(kpi.x) > 5"]})
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


def test_gauges_and_labels_are_read_back_as_they_were_given() -> None:
    assert samples(exposition(FAMILIES)) == {
        "seedbed_ready": 1,
        "seedbed_latency_seconds[mean]": 0.3,
        "seedbed_latency_seconds[p95]": 0.331,
        "seedbed_job_info[run-1]": 1,
    }


def test_a_name_given_twice_and_names_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidInput, match="'seedbed_ready' is given twice"):
        exposition([*FAMILIES, FAMILIES[0]])
    for family in (GaugeFamily("a b", "x"), GaugeFamily("a", "x", ("b-c",)), InfoFamily("1a", "x", {})):
        with pytest.raises(InvalidInput, match="is no name"):
            exposition([family])


@pytest.mark.slow
def test_a_gate_reports_its_samples_and_its_false_pass_rate() -> None:
    found = samples(judged())
    assert found["seedbed_gate_check_samples[> 0.5 in [-5, 7] @ 95%][soak][mean(kpi.x)]"] == 240
    assert found["seedbed_gate_check_passed[> 5][soak][mean(kpi.x)]"] == 0
    assert 0 <= found["seedbed_gate_check_false_pass_rate[> 0.5 in [-5, 7] @ 95%][soak][mean(kpi.x)]"] < 0.08


@pytest.mark.slow
def test_openmetrics_is_another_text_of_the_same_numbers() -> None:
    text = judged(openmetrics=True)
    assert text.endswith("# EOF\n")
    names = {family.name for family in openmetrics_families(text)}
    assert names >= {"seedbed_gate_verdict", "seedbed_gate_check_false_pass_rate", "seedbed_run"}
    assert {family.name for family in openmetrics_families(exposition(FAMILIES, openmetrics=True))} == {
        "seedbed_ready",
        "seedbed_latency_seconds",
        "seedbed_job",
    }


def test_a_textfile_is_replaced_whole(tmp_path: Path) -> None:
    page = tmp_path / "seedbed.prom"
    page.write_text("torn")
    write_textfile(page, FAMILIES)
    assert page.read_text() == exposition(FAMILIES)
    assert [each.name for each in tmp_path.iterdir()] == ["seedbed.prom"]
    with pytest.raises(InvalidInput):
        write_textfile(page, [GaugeFamily("a b", "x")])
    assert page.read_text() == exposition(FAMILIES)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is neither on PATH nor named by PROMTOOL")
def test_promtool_takes_the_texts() -> None:
    def check(text: str) -> tuple[int, list[str]]:
        done = subprocess.run(
            [str(PROMTOOL), "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        return done.returncode, (done.stdout + done.stderr).splitlines()

    assert check(judged()) == (0, [])
    assert check(exposition(FAMILIES)) == (0, [])
    assert check("seedbed_ready{ 1\n")[0] == 1


@pytest.mark.slow
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


@pytest.mark.slow
def test_an_endpoint_with_a_token_lets_nobody_else_in() -> None:
    with serve_metrics(lambda: FAMILIES, host="0.0.0.0", token="secret-é") as url:
        url = url.replace("0.0.0.0", "127.0.0.1")
        assert status_of(url) == 401
        assert status_of(url, Authorization="Bearer secret") == 401
        assert status_of(url, Authorization="Basic secret-é") == 401
        encoded = "Bearer secret-é".encode().decode("latin-1")
        status, text = fetch(url, Authorization=encoded)
        assert (status, samples(text)["seedbed_ready"]) == (200, 1)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
@pytest.mark.parametrize("token", [None, ""])
def test_an_address_beyond_loopback_is_refused_without_a_token(host: str, token: str | None) -> None:
    with pytest.raises(InvalidInput, match="needs a token"), serve_metrics(list, host=host, token=token):
        pass


class Gateway(BaseHTTPRequestHandler):
    """As much of a Pushgateway as a push needs: what was put is there until it is deleted."""

    server: "GatewayServer"

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


class GatewayServer(ThreadingHTTPServer):
    """Holds the groups that were pushed, by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Gateway)
        self.groups: dict[str, str] = {}


@contextmanager
def gateway() -> Iterator[tuple[str, dict[str, str]]]:
    server = GatewayServer()
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.groups
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.slow
def test_what_was_pushed_is_deleted_at_a_clean_end() -> None:
    with gateway() as (url, groups):
        with pushing(PushTarget(url, "job", "run-1"), FAMILIES) as target:
            assert groups == {"/metrics/job/job/run_id/run-1": exposition(FAMILIES)}
            target.push([GaugeFamily.single("seedbed_ready", "Ready.", 0)])
            assert samples(next(iter(groups.values()))) == {"seedbed_ready": 0}
        assert groups == {}


@pytest.mark.slow
def test_what_was_pushed_stays_after_an_error() -> None:
    with gateway() as (url, groups):
        with pytest.raises(ZeroDivisionError), pushing(PushTarget(url, "job", "run-1"), FAMILIES):
            raise ZeroDivisionError
        assert groups.keys() == {"/metrics/job/job/run_id/run-1"}
        PushTarget(url, "job", "run-1").delete()
        assert groups == {}


@pytest.mark.slow
def test_a_gateway_that_is_not_there_is_named() -> None:
    with gateway() as (url, _):
        pass
    with pytest.raises(StoreUnavailable, match=f"Pushgateway at {url} did not take"):
        PushTarget(url, "job", "run-1").push(FAMILIES)
