"""An Apache Kafka 4.3 broker of our own: one process, broker and controller at once, no ZooKeeper.

Its data survives `stop`, `kill` and a new start on the same directory. It listens in plaintext on
127.0.0.1 only. Topics are never made by mentioning them; consumer groups start without delay.
"""

import base64
import socket
import struct
import subprocess
import uuid
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from deploy.local.errors import LaunchError
from deploy.local.java import ClassArchive, find_java, kafka_classpath
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.processes import Command, ServerProcess, wait_until_ready

START_TIMEOUT_SECONDS = 90  # After kill -9 it first checks its segments.
STOP_TIMEOUT_SECONDS = 30
FORMAT_TIMEOUT_SECONDS = 60
ANSWER_TIMEOUT_SECONDS = 2
LOGGING = Path(__file__).with_name("log4j2.properties")

JVM_OPTIONS = (
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    # The quick compiler only: measured over 1.2 million records, the thorough one costs the broker more
    # CPU than it saves (11.8 against 8.5 microseconds a record), and a start takes two thirds longer.
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    f"-Dlog4j2.configurationFile={LOGGING}",
)

BROKER_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "BROKER",
    "auto.create.topics.enable": "false",
    # One broker: what is replicated three times in a deployment is kept once here.
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # The default of 50 is made at the first consumer's expense, and opened again at every start.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    # Two cores: fewer threads, and a cleaner that does not take a quarter of the heap.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": "16777216",
    # After kill -9 the controller takes the broker back when its former session ran out: 9 s by default.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}


class KafkaServer:
    """One broker whose data, log and configuration lie in `directory`; `settings` go before ours.

    `port` is drawn when none is given and stays the same over restarts. The broker ends with the
    calling process, however that ends, unless `outlives_caller`.
    """

    def __init__(
        self,
        directory: Path,
        port: int | None = None,
        *,
        outlives_caller: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port or free_port()
        self.log = directory / "kafka.log"
        self._directory = directory
        self._settings = dict(settings or {})
        self._data = directory / "data"
        self._properties = directory / "server.properties"
        self._fingerprint = self.bootstrap_servers
        self._process = ServerProcess(
            directory / "kafka.process",
            outlives_caller=outlives_caller,
            stop_timeout_seconds=STOP_TIMEOUT_SECONDS,
        )

    @property
    def bootstrap_servers(self) -> str:
        """What clients are told: `127.0.0.1:<port>`."""
        return f"{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start the broker and return when it serves requests."""
        if self._process.fingerprint != self._fingerprint:
            self._launch()
        wait_until_ready(self._process, "Kafka", self.log, self._is_ready, START_TIMEOUT_SECONDS)

    def stop(self) -> None:
        """Close the logs and stop. Data stays."""
        was_running = self.running
        if self._process.stop() and was_running:
            self._classes.keep()

    def kill(self) -> None:
        """kill -9, as a crash would."""
        self._process.kill()

    @property
    def running(self) -> bool:
        """Whether the broker's process lives."""
        return self._process.running

    @cached_property
    def _java(self) -> Path:
        return find_java()

    @cached_property
    def _classes(self) -> ClassArchive:
        return ClassArchive(self._java, self._directory / "classes.jsa")

    def _launch(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._process.stop()
        java = [str(self._java), *JVM_OPTIONS, "-cp", kafka_classpath()]
        self._write_properties()
        if not (self._data / "meta.properties").exists():
            self._format(java)
        self._process.start(
            Command(
                [*java, *self._classes.options_of_broker(), "kafka.Kafka", self._properties],
                log=self.log,
                fingerprint=self._fingerprint,
            )
        )

    def _write_properties(self) -> None:
        # Nobody but the broker itself speaks to the controller: any port will do, a new one each time.
        controller = f"{LOOPBACK}:{free_port()}"
        settings = BROKER_SETTINGS | {
            "listeners": f"BROKER://{self.bootstrap_servers},CONTROLLER://{controller}",
            "advertised.listeners": f"BROKER://{self.bootstrap_servers}",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(self._data),
            **self._settings,
        }
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    def _format(self, java: list[str]) -> None:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        answer = subprocess.run(
            [
                *(*java, *self._classes.options(), "kafka.tools.StorageTool", "format"),
                # One word: one id in 64 begins with a dash, and would be taken for an option.
                *(f"--cluster-id={cluster_id}", "--config", str(self._properties)),
            ],
            capture_output=True,
            text=True,
            timeout=FORMAT_TIMEOUT_SECONDS,
        )
        if answer.returncode != 0:
            raise LaunchError(
                f"Kafka could not format {self._data}: {answer.stderr.strip()!r}.",
                "Delete it, then try again.",
            )

    def _is_ready(self) -> bool:
        """Whether the broker names a broker, itself: its port opens a moment before it can serve."""
        try:
            return _count_brokers(self.port) > 0
        except (OSError, struct.error):
            return False


def _count_brokers(port: int) -> int:
    """Ask for metadata in Kafka's protocol (API 3, version 1, no topics)."""
    client_id = b"launcher"
    header = struct.pack(">hhih", 3, 1, 0, len(client_id)) + client_id
    request = header + struct.pack(">i", 0)
    with socket.create_connection((LOOPBACK, port), timeout=ANSWER_TIMEOUT_SECONDS) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        # Length and correlation id come first, then the number of brokers.
        answer = connection.recv(12, socket.MSG_WAITALL)
    return struct.unpack(">iii", answer)[2]
