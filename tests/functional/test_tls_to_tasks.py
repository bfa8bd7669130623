"""TLS to the tasks: the CA goes to HAProxy over its socket, and a file that changes is taken up while calls run."""

from __future__ import annotations

import subprocess
from concurrent import futures
from pathlib import Path
from typing import Any, Callable, Iterator

import grpc
import pytest

from conftest import Aws
from rng import client, wire
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy, version, wait_serving
from rollcall_testlib.waiting import wait_until

SERVICE = {"cluster": "main", "service": "rng-service"}

CONFIGURATION = """\
global
    stats socket {socket} mode 600 level admin
defaults
    mode http
    timeout connect 2s
    timeout client 1m
    timeout server 1m
    retries 3
    option redispatch 1
frontend grpc_in
    bind 127.0.0.1:{grpc} proto h2
    default_backend grpc
backend grpc
    balance roundrobin
"""

# What a slot is verified by stands in its line of the file, and 2.6 has slots only.
pytestmark = pytest.mark.skipif(version() < (3, 0), reason="no server can be added at run time")


class Certificate:
    """Of localhost, signed by itself: so it is its own CA."""

    def __init__(self, directory: Path, name: str) -> None:
        key, crt = directory / f"{name}.key", directory / f"{name}.crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                        f"/CN={name}", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(crt)],
                       check=True, capture_output=True, timeout=60)
        self.pem = crt.read_text()
        self.credentials = grpc.ssl_server_credentials([(key.read_bytes(), crt.read_bytes())])


class TlsTask:
    """The random number service, behind TLS, at a task's address."""

    def __init__(self, task: dict[str, Any], certificate: Certificate) -> None:
        self._name = task["id"]
        self._server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        handler = grpc.unary_unary_rpc_method_handler(self._next, wire.Range.FromString, wire.serialize)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("rng.Rng", {"Next": handler}),))
        assert self._server.add_secure_port(f"{task['address']}:{task['port']}", certificate.credentials)
        self._server.start()

    def _next(self, request: Any, _context: grpc.ServicerContext) -> Any:
        return wire.Number(value=request.min, task=self._name)

    def stop(self) -> None:
        self._server.stop(0).wait(30)


@pytest.fixture
def tasks(aws: Aws) -> list[dict[str, Any]]:
    """Two addresses that ECS calls RUNNING tasks."""
    aws.control.register(family="address", process="none")
    aws.control.create_service(**SERVICE, desired=2, definition="address")
    aws.control.wait_steady(**SERVICE)
    return list(aws.control.running(**SERVICE))


@pytest.fixture
def serve(tasks: list[dict[str, Any]]) -> Iterator[Callable[[Certificate], None]]:
    running: list[TlsTask] = []

    def stop() -> None:
        while running:
            running.pop().stop()

    def start(certificate: Certificate) -> None:
        stop()
        running.extend(TlsTask(task, certificate) for task in tasks)

    yield start
    stop()


def loaded(haproxy: HAProxy) -> set[str]:
    return {line.split(" - ")[0] for line in haproxy.runtime.ask("show ssl ca-file").splitlines()
            if line.startswith("rollcall-")}


def start(start_rollcalld: Callable[..., Rollcalld], haproxy: HAProxy, ca_file: Path) -> Rollcalld:
    policy = {"tls": True, "tls_verify": "required", "tls_ca_file": str(ca_file), "tls_sni": "localhost",
              "check": {"inter": "300ms", "rise": 1, "fall": 3}}
    return start_rollcalld(lambda c: c["backends"][0].update(policy), haproxy=haproxy)


def test_a_ca_of_new_content_renews_the_servers_one_at_a_time_and_fails_no_call(
        directory: Path, tasks: list[dict[str, Any]], serve: Callable[[Certificate], None],
        start_haproxy: Callable[..., HAProxy], start_rollcalld: Callable[..., Rollcalld]) -> None:
    """As a CA is rotated: the file holds both for a while, then the tasks show the new one, then it holds that alone."""
    old, new = Certificate(directory, "old"), Certificate(directory, "new")
    ca_file = directory / "ca.pem"
    ca_file.write_text(old.pem)
    serve(old)
    haproxy = start_haproxy(CONFIGURATION)
    daemon = start(start_rollcalld, haproxy, ca_file)
    wait_serving(haproxy, "grpc", tasks)
    first = loaded(haproxy)
    assert len(first) == 1 and client.call_many(haproxy.target, 20).failed == 0
    with client.Load(haproxy.target, rate=50, connections=2) as load:
        ca_file.write_text(old.pem + new.pem)
        wait_until(lambda: len(loaded(haproxy)) == 2, 20, "the new content loaded beside the old")
        wait_until(lambda: len(daemon.lines("drains, to come back with the settings")) >= 2, 30,
                   "both renewed")
        wait_serving(haproxy, "grpc", tasks, 30)
        wait_until(lambda: daemon.status()["haproxy"]["in_step"], 20, "in step")
    assert load.result.failed == 0, load.result.details[:5]
    serve(new)
    wait_serving(haproxy, "grpc", tasks, 30)
    wait_until(lambda: client.call_many(haproxy.target, 20).failed == 0, 20, "verified by what the file holds now")


def test_a_ca_file_that_is_cut_off_leaves_what_was_there(
        directory: Path, tasks: list[dict[str, Any]], serve: Callable[[Certificate], None],
        start_haproxy: Callable[..., HAProxy], start_rollcalld: Callable[..., Rollcalld]) -> None:
    certificate = Certificate(directory, "old")
    ca_file = directory / "ca.pem"
    ca_file.write_text(certificate.pem)
    serve(certificate)
    haproxy = start_haproxy(CONFIGURATION)
    daemon = start(start_rollcalld, haproxy, ca_file)
    wait_serving(haproxy, "grpc", tasks)
    before = haproxy.runtime.held()
    ca_file.write_text(certificate.pem[:300])
    daemon.wait_line("verified by what it held before")
    wait_until(lambda: daemon.status()["haproxy"]["in_step"], what="in step")
    assert haproxy.runtime.held() == before
    assert client.call_many(haproxy.target, 20).failed == 0
