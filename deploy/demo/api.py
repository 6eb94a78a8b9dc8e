"""The demonstration's way to talk to Rapport: through the gateway, as somebody, with clear failures."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import httpx

from deploy.local.system import System

WAIT_SECONDS = 60
POLL_SECONDS = 0.05
TIMEOUT_SECONDS = 60
PAGE = 200

T = TypeVar("T")


class Person:
    """Somebody with a token. Every call raises with the answer's text unless it succeeds."""

    def __init__(self, system: System, subject: str, permissions: Sequence[str] = (), kind: Any = "employee") -> None:
        self.id = subject
        token = system.keys.token(subject, permissions, kind)
        self._client = httpx.Client(
            base_url=f"{system.gateway.url}/api/v1",
            headers={"Authorization": f"Bearer {token}", "Accept-Language": "en"},
            timeout=TIMEOUT_SECONDS,
        )

    def get(self, path: str, **parameters: Any) -> Any:
        """GET, as JSON."""
        return _checked(self._client.get(path, params=parameters)).json()

    def status(self, path: str) -> int:
        """The status of a GET that may be refused."""
        return self._client.get(path).status_code

    def file(self, path: str) -> bytes:
        """GET a file."""
        return _checked(self._client.get(path)).content

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        """POST JSON, or whatever `more` says."""
        answer = _checked(self._client.post(path, **({"json": body} if body is not None else {}), **more))
        return answer.json() if answer.content else None

    def put(self, path: str, body: Any) -> Any:
        """PUT JSON."""
        return _checked(self._client.put(path, json=body)).json()

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
        with self._client.stream("GET", path) as answer:
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    yield httpx.Response(200, content=line.removeprefix("data:").strip()).json()


def until(look: Callable[[], T]) -> T:
    """Look until the answer is something, for a minute at most."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError("what was waited for did not come within a minute; see `make logs`")
        time.sleep(POLL_SECONDS)
    return found


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_error:
        raise RuntimeError(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}")
    return answer
