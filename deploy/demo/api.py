"""The demonstration's way to talk to Rapport: through the gateway, as somebody, with clear failures.

Stands on the standard library, so that it also runs in the services' image.
"""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

from deploy.local.keys import DevelopmentKeys

WAIT_SECONDS = 60
POLL_SECONDS = 0.05
TIMEOUT_SECONDS = 60
PAGE = 200
CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

T = TypeVar("T")
Headers = Mapping[str, str]
NO_HEADERS: Headers = {}


@dataclass(frozen=True)
class Place:
    """A running system: its gateway, its broker, the development key that signs tokens for it, and what jobs need."""

    gateway: str
    bootstrap_servers: str
    keys: DevelopmentKeys
    environment: Mapping[str, str]


class Refused(RuntimeError):
    """An answer that is no success, with its text."""

    def __init__(self, method: str, path: str, status: int, text: str) -> None:
        super().__init__(f"{method} {path}: {status} {text}")
        self.status = status


class Person:
    """Somebody with a token. Every call raises Refused unless it succeeds."""

    def __init__(self, place: Place, subject: str, permissions: Sequence[str] = (), kind: Any = "employee") -> None:
        self._url = f"{place.gateway}/api/v1"
        self._headers = {
            "Authorization": f"Bearer {place.keys.token(subject, permissions, kind)}",
            "Accept-Language": "en",
        }

    def get(self, path: str, **parameters: Any) -> Any:
        """GET, as JSON."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        return json.loads(self._call("GET", path + query))

    def status(self, path: str) -> int:
        """The status of a GET that may be refused."""
        try:
            self._call("GET", path)
        except Refused as refusal:
            return refusal.status
        return 200

    def post(self, path: str, body: Any) -> Any:
        """POST JSON."""
        return self._send("POST", path, body)

    def put(self, path: str, body: Any, wait_for: Sequence[dict[str, Any]] = ()) -> Any:
        """PUT JSON, once the service has heard of these customers."""
        return self._send("PUT", path, body, wait_for)

    def patch(self, path: str, body: Any) -> Any:
        """PATCH JSON."""
        return self._send("PATCH", path, body)

    def upload(self, path: str, file_name: str, content: bytes, kind_of_file: str = XLSX, **fields: str) -> Any:
        """POST a file with fields beside it, as a form."""
        boundary = uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        ]
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{file_name}"\r\n'
        parts += [f"{head}Content-Type: {kind_of_file}\r\n\r\n".encode(), content, f"\r\n--{boundary}--\r\n".encode()]
        answer = self._call(
            "POST", path, b"".join(parts), {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        )
        return json.loads(answer)

    def pages(self, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """All items of a list, page by page."""
        cursor = None
        while True:
            page = self.get(path, limit=PAGE, **parameters, **({"cursor": cursor} if cursor else {}))
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def events(self, path: str) -> Iterator[dict[str, Any]]:
        """Server-sent events, as JSON."""
        with urllib.request.urlopen(self._request("GET", path), timeout=TIMEOUT_SECONDS) as answer:
            for line in answer:
                if line.startswith(b"data:"):
                    yield json.loads(line.removeprefix(b"data:"))

    def _send(self, method: str, path: str, body: Any, wait_for: Sequence[dict[str, Any]] = ()) -> Any:
        seen = ",".join(f"{customer['id']}:{customer['version']}" for customer in wait_for)
        headers = {"Wait-For": seen} if seen else {}
        answer = self._call(method, path, json.dumps(body).encode(), headers | {"Content-Type": "application/json"})
        return json.loads(answer) if answer else None

    def _call(self, method: str, path: str, body: bytes | None = None, headers: Headers = NO_HEADERS) -> bytes:
        try:
            with urllib.request.urlopen(self._request(method, path, body, headers), timeout=TIMEOUT_SECONDS) as found:
                return found.read()
        except urllib.error.HTTPError as error:
            raise Refused(method, path, error.code, error.read().decode(errors="replace")) from None

    def _request(
        self, method: str, path: str, body: bytes | None = None, headers: Headers = NO_HEADERS
    ) -> urllib.request.Request:
        return urllib.request.Request(f"{self._url}{path}", body, {**self._headers, **headers}, method=method)


def until(look: Callable[[], T]) -> T:
    """Look until the answer is something, for a minute at most."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError("what was waited for did not come within a minute; see `make logs`")
        time.sleep(POLL_SECONDS)
    return found
