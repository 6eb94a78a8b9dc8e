"""An HTTP client that costs so little that it is never what a bench measures: keep-alive, no parsing of bodies.

One request at a time per connection, answers with a length only. What it does not understand raises.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from deploy.local.ports import LOOPBACK

ANSWER_TIMEOUT_SECONDS = 30
HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """A status and a body."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return msgspec.json.decode(self.body)


def request(method: str, path: str, token: str, body: object | None = None) -> bytes:
    """A request as it goes over the wire, under `/api/v1`."""
    lines = [f"{method} /api/v1{path} HTTP/1.1", f"Host: {LOOPBACK}", f"Authorization: Bearer {token}"]
    if body is None:
        return "\r\n".join([*lines, "", ""]).encode()
    content = msgspec.json.encode(body)
    lines += ["Content-Type: application/json", f"Content-Length: {len(content)}", "", ""]
    return "\r\n".join(lines).encode() + content


class Connection(asyncio.Protocol):
    """One connection to a service, kept open."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._waiting: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """Connect to a service of this machine."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, LOOPBACK, port)
        return connection

    async def ask(self, wire: bytes) -> Answer:
        """Send a request and wait for its answer. Raises ConnectionError, TimeoutError."""
        assert self._transport is not None
        assert self._waiting is None, "one request at a time"
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(wire)
        async with asyncio.timeout(ANSWER_TIMEOUT_SECONDS):
            return await self._waiting

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # pyright: ignore[reportAttributeAccessIssue]  # uvloop's is none of asyncio's classes

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(HEAD_END)
        if head_end < 0 or self._waiting is None:
            return
        head = bytes(self._buffer[:head_end]).lower()
        _, found, rest = head.partition(b"content-length:")
        if not found:
            self._fail(ConnectionError(f"an answer without a length: {head[:200]!r}"))
            return
        end = head_end + len(HEAD_END) + int(rest.split(b"\r\n", 1)[0])
        if len(self._buffer) < end:
            return
        answer = Answer(int(head[9:12]), bytes(self._buffer[head_end + len(HEAD_END) : end]))
        del self._buffer[:end]
        waiting, self._waiting = self._waiting, None
        if not waiting.done():
            waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionError("the service hung up"))

    def _fail(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)


@dataclass
class Load:
    """What clients that ask one request after another got done."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Requests answered in a second."""
        return len(self.latencies) / self.seconds

    def quantile_ms(self, share: float) -> float:
        """The latency that this share of the requests did not exceed."""
        return quantile(self.latencies, share) * 1_000


def quantile(values: list[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def load(port: int, requests: Iterator[bytes], clients: int, seconds: float) -> Load:
    """Let clients ask without pause. Raises AssertionError for an answer that is no success."""
    done = Load()
    connections = [await Connection.open(port) for _ in range(clients)]
    started = time.perf_counter()
    ends = started + seconds

    async def one(connection: Connection) -> None:
        while (asked := time.perf_counter()) < ends:
            answer = await connection.ask(next(requests))
            assert answer.status < 300, answer
            done.latencies.append(time.perf_counter() - asked)

    try:
        await asyncio.gather(*(one(connection) for connection in connections))
        done.seconds = time.perf_counter() - started
    finally:
        for connection in connections:
            connection.close()
    return done
