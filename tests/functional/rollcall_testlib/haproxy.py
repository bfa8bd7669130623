"""A real HAProxy, and what its runtime API says."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import re
import socket
import subprocess
from pathlib import Path
from typing import Any, Iterable

from . import paths
from .process import Child, free_port
from .waiting import PATIENCE, wait_until

# srv_admin_state bits of `show servers state`; a slot's 4 (disabled in the configuration) stays set.
MAINT_BITS, DRAIN_BITS = 0x63, 0x18


def version() -> tuple[int, int]:
    """Major and minor."""
    text = subprocess.run([paths.HAPROXY, "-v"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version (\d+)\.(\d+)", text)
    assert found, text
    return int(found.group(1)), int(found.group(2))


@dataclasses.dataclass
class Server:
    """One line of `show servers state`."""

    backend: str
    name: str
    address: str
    port: int
    weight: int
    operational: int
    admin: int

    @property
    def is_ready(self) -> bool:
        """May take calls as far as the administrator is concerned."""
        return not self.admin & (MAINT_BITS | DRAIN_BITS)

    @property
    def in_maintenance(self) -> bool:
        return bool(self.admin & MAINT_BITS)

    @property
    def is_draining(self) -> bool:
        return bool(self.admin & DRAIN_BITS) and not self.in_maintenance

    @property
    def is_free_slot(self) -> bool:
        return self.in_maintenance and self.address == "0.0.0.0"


class RuntimeApi:
    """HAProxy's runtime socket."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ask(self, command: str, timeout: float = 20.0) -> str:
        """One command on a connection of its own; the reply without its last empty line."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(self.path))
            connection.sendall(command.encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)  # a master goes on talking until then
            reply = b"".join(iter(lambda: connection.recv(65536), b""))
        return reply.decode().rstrip("\n")

    def info(self) -> dict[str, str]:
        lines = (line.partition(":") for line in self.ask("show info").splitlines())
        return {name: value.strip() for name, _, value in lines}

    def servers(self, backend: str = "") -> list[Server]:
        found = []
        for line in self.ask(f"show servers state {backend}").splitlines()[1:]:
            fields = line.split()
            if fields and not line.startswith("#"):
                found.append(Server(fields[1], fields[3], fields[4], int(fields[18]), int(fields[7]),
                                    int(fields[5]), int(fields[6])))
        return found

    def held(self) -> set[tuple[str, ...]]:
        """All that an administrator has set, in one value: two of them compare equal if nobody set anything."""
        return {(server.backend, server.name, server.address, str(server.port), str(server.weight),
                 str(server.admin)) for server in self.servers()}

    def server_of(self, backend: str, task: dict[str, Any]) -> Server | None:
        """The server with a task's address and port; None if HAProxy has none."""
        return next((server for server in self.servers(backend)
                     if (server.address, server.port) == (task["address"], task["port"])), None)

    def stat_of(self, backend: str, server: str) -> dict[str, str]:
        return next(row for row in self.stat(backend) if row["svname"] == server)

    def stat(self, backend: str = "") -> list[dict[str, str]]:
        """`show stat` as a list of rows; of one backend if it is named."""
        text = self.ask("show stat").removeprefix("# ")
        rows = [dict(row) for row in csv.DictReader(io.StringIO(text))]
        return [row for row in rows if not backend or row["pxname"] == backend]

    def status(self, backend: str, server: str) -> str:
        """UP, DOWN, DRAIN, MAINT, or on the way between them, as `show stat` words it."""
        return self.stat_of(backend, server)["status"]

    def serving(self, backend: str) -> set[str]:
        """ADDRESS:PORT of the servers that take calls now."""
        up = {row["svname"] for row in self.stat(backend) if row["status"].startswith(("UP", "no check"))}
        return {f"{server.address}:{server.port}" for server in self.servers(backend)
                if server.name in up and server.is_ready}


@dataclasses.dataclass
class Ports:
    """Where a configuration listens; free when it was made."""

    grpc: int = dataclasses.field(default_factory=free_port)
    tcp: int = dataclasses.field(default_factory=free_port)
    stats: int = dataclasses.field(default_factory=free_port)
    tls: int = dataclasses.field(default_factory=free_port)
    page: int = dataclasses.field(default_factory=free_port)


def slots_configuration(socket_path: Path, ports: Ports, backend: str = "grpc", slots: int = 8,
                        check: str = "check inter 200ms rise 1 fall 2", server: str = "") -> str:
    """The smallest configuration that rollcall works with on every version: a declared backend with slots."""
    return f"""\
global
    stats socket {socket_path} mode 600 level admin
    stats timeout 1m

defaults
    mode http
    timeout connect 1s
    timeout client 1m
    timeout server 1m
    timeout http-request 5s

frontend grpc_in
    bind 127.0.0.1:{ports.grpc} proto h2
    default_backend {backend}

backend {backend}
    balance roundrobin
    option redispatch
    retries 3
    retry-on conn-failure
    default-server proto h2 {check} {server}
    server-template rc_ {slots} 0.0.0.0:0 disabled
"""


# For the end of a configuration: the backend's tasks behind mode tcp, as a layer-4 balancer has them.
BESIDE = """
frontend beside_front
    mode tcp
    bind "127.0.0.1:{tcp}"
    default_backend beside

backend beside
    mode tcp
    balance roundrobin
    default-server check inter 1s fastinter 100ms downinter 1s rise 2 fall 3
    server-template rc_ 1-20 0.0.0.0:0 disabled
"""


def shipped_configuration() -> str:
    """haproxy/haproxy.cfg, as an operator copies it. Only root may change user and root directory."""
    text = (paths.TOP / "haproxy" / "haproxy.cfg").read_text()
    if os.geteuid() != 0:
        text = re.sub(r"(?m)^    (chroot|user|group) .*\n", "", text).replace(" user haproxy group haproxy", "")
    return text


def shipped_environment(socket_path: Path, ports: Ports) -> dict[str, str]:
    """The addresses of haproxy/haproxy.cfg that its environment may set."""
    return {"ROLLCALL_ADMIN_SOCKET": str(socket_path), "ROLLCALL_GRPC_BIND": f"127.0.0.1:{ports.grpc}",
            "ROLLCALL_STATS_BIND": f"127.0.0.1:{ports.stats}", "ROLLCALL_TLS_BIND": f"127.0.0.1:{ports.tls}",
            "ROLLCALL_PAGE_BIND": f"127.0.0.1:{ports.page}"}


def wait_serving(haproxy: HAProxy, backend: str, tasks: Iterable[dict[str, Any]], timeout: float = 15.0) -> None:
    """Until exactly these tasks take calls in that backend, as HAProxy itself shows it."""
    wanted = {f"{task['address']}:{task['port']}" for task in tasks}
    try:
        wait_until(lambda: haproxy.runtime.serving(backend) == wanted, timeout)
    except AssertionError:
        raise AssertionError(f"after {timeout * PATIENCE} s {backend} is served by {haproxy.runtime.serving(backend)}, "
                             f"not by {wanted}") from None


class HAProxy:
    """An HAProxy that runs a given configuration until the test ends."""

    def __init__(self, directory: Path, configuration: str, socket_path: Path, ports: Ports,
                 master: bool = False, env: dict[str, str] | None = None, also: Iterable[Path] = ()) -> None:
        self.ports = ports
        self._also = list(also)
        self._env = env
        self.runtime = RuntimeApi(socket_path)
        self._configuration_file = directory / "haproxy.cfg"
        self._log = directory / "haproxy.log"
        self._master_socket = directory / "master.sock"
        self._master = master
        self.write(configuration)
        self.start()

    def write(self, configuration: str) -> None:
        """For the next start or reload."""
        self.configuration = configuration
        self._configuration_file.write_text(configuration)

    def start(self) -> None:
        mode = ["-W", "-S", str(self._master_socket)] if self._master else ["-db"]
        files = [argument for file in [self._configuration_file, *self._also] for argument in ("-f", str(file))]
        self.child = Child([paths.HAPROXY, *mode, *files], self._log, self._env)
        wait_until(lambda: self.child.exit_code is not None or "Pid" in self.runtime.info(), 10, "haproxy answers")
        assert self.child.exit_code is None, self.child.output()

    @property
    def log_file(self) -> Path:
        return self._log

    @property
    def master_socket(self) -> Path:
        return self._master_socket

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.ports.grpc}"

    def master(self) -> RuntimeApi:
        assert self._master, "started without a master"
        return RuntimeApi(self._master_socket)

    def reload(self) -> None:
        """By the master socket; returns when a new worker answers."""
        before = self.runtime.info()["Pid"]
        # HAProxy 2.6 executes itself anew after each start of a worker, and refuses connections meanwhile.
        wait_until(lambda: "master" in self.master().ask("show proc"), 10, "the master answers")
        self.master().ask("reload", timeout=60)
        wait_until(lambda: self.runtime.info()["Pid"] != before, 10, "a new worker answers")

    def stop(self) -> None:
        self.child.stop()
        self.child.kill()  # workers that outlive their master are in its session

    def kill(self) -> None:
        """As in a crash: nothing is said to anybody."""
        self.child.kill()

    def restart(self) -> None:
        self.stop()
        self.start()
