"""TCP ports on this machine's loopback address: choosing free ones, and telling whether one is taken."""

import random
import socket
import time
from collections.abc import Callable

LOOPBACK = "127.0.0.1"

# Below the range that Linux and macOS give to outgoing connections. A port within that range can be
# taken as the source of somebody's connection while its server is down, and a client retrying towards
# it can even connect to itself; the server could then not come back on its own port.
LOWEST_PORT, HIGHEST_PORT = 20_000, 32_000
ATTEMPTS = 200
POLL_SECONDS = 0.02


def free_port() -> int:
    """A port nobody listens on at this moment, drawn at random so that parallel runs rarely meet."""
    for _ in range(ATTEMPTS):
        port = random.randint(LOWEST_PORT, HIGHEST_PORT)
        if is_free(port):
            return port
    raise OSError(f"no free port between {LOWEST_PORT} and {HIGHEST_PORT} in {ATTEMPTS} attempts")


def is_free(port: int) -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket() as probe:
        # As the servers do: without it, connections of a server that just stopped look like a taken port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def wait_until(condition: Callable[[], bool], timeout_seconds: float) -> bool:
    """Ask `condition` every few milliseconds; whether it came true within `timeout_seconds`."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
