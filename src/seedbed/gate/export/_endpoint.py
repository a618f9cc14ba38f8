"""Serves metrics over HTTP for a Prometheus server: on loopback, or on any address with a token."""

import hmac
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any, final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import make_wsgi_app

from seedbed.errors import InvalidInput
from seedbed.gate.export._exposition import MetricFamily, registry_of

__all__ = ["serve_metrics"]

_TIMEOUT_SECONDS = 5.0


@contextmanager
def serve_metrics(
    source: Callable[[], Iterable[MetricFamily]], *, host: str = "127.0.0.1", port: int = 0, token: str | None = None
) -> Iterator[str]:
    """Serve the metrics of `source` at the URL that is yielded, until the block ends.

    `source` is called for every request, from other threads. Port 0 takes a free one. With a `token`, every request
    must carry it (`Authorization: Bearer ...`). The token is sent unencrypted, so put TLS in front on a network that
    you do not trust. Prometheus's text and OpenMetrics are both supported. Raises InvalidInput for an address beyond
    loopback without a token, since others could read the metrics, and for one that cannot be listened on.
    """
    if not _is_loopback(host) and not token:
        raise InvalidInput(f"metrics at {host!r}: an address beyond loopback needs a token; give one, or use 127.0.0.1")
    server = _listen(host, port, _with_token(make_wsgi_app(registry_of(source)), token))
    thread = Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name; only localhost is known to be loopback
        return host == "localhost"


def _listen(host: str, port: int, application: WSGIApplication) -> WSGIServer:
    server = _Server6 if ":" in host else _Server
    try:
        return make_server(host, port, application, server_class=server, handler_class=_Handler)
    except OSError as problem:
        raise InvalidInput(f"metrics cannot be served at {host!r}, port {port}: {problem}; name a free one") from None


def _with_token(metrics: WSGIApplication, token: str | None) -> WSGIApplication:
    wanted = f"Bearer {token}".encode() if token else None

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if wanted is not None and not hmac.compare_digest(
            environ.get("HTTP_AUTHORIZATION", "").encode("latin-1"), wanted
        ):
            start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer"), ("Content-Length", "0")])
            return [b""]
        if environ["PATH_INFO"] != "/metrics":
            start_response("404 Not Found", [("Content-Length", "0")])
            return [b""]
        return metrics(environ, start_response)

    return application


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False


@final
class _Server6(_Server):
    address_family = socket.AF_INET6


@final
class _Handler(WSGIRequestHandler):
    timeout = _TIMEOUT_SECONDS  # closes a connection that sends nothing

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        """Log nothing: there is a scrape every few seconds."""
