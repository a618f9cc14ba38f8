"""What may stand between a store and S3: it loses answers or conditions, or gives a file to nobody."""

import contextlib
import socket
import threading

from werkzeug.serving import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    def log_request(self, *arguments):
        """Say nothing."""


@contextlib.contextmanager
def served(application):
    """The URL at which `application` answers within the block, one request at a time."""
    server = make_server("127.0.0.1", 0, application, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def hangs_up(environ, start_response):
    """The connection ends without an answer."""
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return refuses(environ, start_response)


def refuses(_, start_response):
    """Too busy, it says."""
    start_response("503 Slow Down", [("Content-Length", "0")])
    return [b""]


class LossyServer:
    """The put numbered `at`, counted from 1, is done and answered by `answer`; `puts` counts those so far."""

    def __init__(self, application):
        self._application = application
        self.lose(0, refuses)

    def lose(self, at, answer):
        self.puts = 0
        self._at = at
        self._answer = answer

    def __call__(self, environ, start_response):
        if environ["REQUEST_METHOD"] == "PUT":
            self.puts += 1
            if self.puts == self._at:
                b"".join(self._application(environ, lambda *_: None))
                return self._answer(environ, start_response)
        return self._application(environ, start_response)


class UnconditionalServer:
    """Puts whatever it is asked to, as services did before they knew conditions."""

    def __init__(self, application):
        self._application = application

    def __call__(self, environ, start_response):
        return self._application({**environ, "HTTP_IF_NONE_MATCH": ""}, start_response)


class RefusingServer:
    """Does not give out the files whose path ends with `key`: it answers with `status`, and lists them all the same."""

    def __init__(self, application, status, key):
        self._application = application
        self._status = status
        self._key = key

    def __call__(self, environ, start_response):
        if environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].endswith(self._key):
            start_response(self._status, [("Content-Length", "0")])
            return [b""]
        return self._application(environ, start_response)
