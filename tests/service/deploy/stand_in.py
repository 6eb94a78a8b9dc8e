"""Upstream servers for tests of the gateway: each says who it is and what has reached it."""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

WAIT_TIMEOUT_SECONDS = 10
POLL_SECONDS = 0.02


class StandIn(ThreadingHTTPServer):
    """A service that answers every request with its own name, the path, the headers and the body's length.

    `?sleep=S` makes it think for S seconds. `…/events` sends one event, and the second only when
    `released` is set.
    """

    daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name = name
        self.released = threading.Event()
        threading.Thread(target=self.serve_forever, args=(POLL_SECONDS,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing is said of a gateway that goes away: from who is too slow, or says too much, it shall."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # A body would wait 40 ms for the headers' acknowledgement.
    server: StandIn  # pyright: ignore[reportIncompatibleVariableOverride]  # it is only ever served by one

    def do_GET(self) -> None:
        if urlsplit(self.path).path.endswith("/events"):
            self._stream()
        else:
            self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Tests are read without it."""

    def _answer(self) -> None:
        received = self._read_body()
        time.sleep(float(parse_qs(urlsplit(self.path).query).get("sleep", ["0"])[0]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.dumps(
            {"service": self.server.name, "path": self.path, "headers": headers, "received": received}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: first\n\n")
        self.server.released.wait(WAIT_TIMEOUT_SECONDS)
        self.wfile.write(b"data: second\n\n")
        self.close_connection = True

    def _read_body(self) -> int:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        received = 0
        while size := int(self.rfile.readline() or b"0", 16):
            received += len(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return received
