"""`rollcall grpc-check`: the lines it prints, in a real HAProxy, against health services in every state."""

from __future__ import annotations

import json
import subprocess
import threading
from concurrent import futures
from pathlib import Path
from typing import Any, Callable, Iterator

import grpc
import pytest

from rng import wire
from rollcall_testlib import paths
from rollcall_testlib.haproxy import HAProxy, version
from rollcall_testlib.process import free_port
from rollcall_testlib.rng_server import RngServer
from rollcall_testlib.waiting import stays, wait_until

CHECK = "check inter 200ms rise 1 fall 1"
TLS = "ssl verify required alpn h2 check-ssl check-alpn h2 check-sni localhost sni str(localhost)"


def rollcall(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([paths.ROLLCALL, *words], capture_output=True, text=True, timeout=10,
                          env={"ROLLCALL_SOCKET": "/nowhere/at/all"})


def check_lines(service: str = "") -> str:
    """As an operator pastes them; the timeout is shortened, as the tests' other waits are."""
    done = rollcall("grpc-check", *([service] if service else []))
    assert done.returncode == 0, done.stderr
    return done.stdout.replace("timeout check 1s", "timeout check 500ms")


class Health:
    """A gRPC server whose health service says what a test wants: a status by service, None hangs."""

    def __init__(self, states: dict[str, int | None] | None, credentials: Any = None) -> None:
        self.states, self.asked = states, list[str]()
        self._released = threading.Event()
        # A hanging handler holds its thread until the end.
        self._server = grpc.server(futures.ThreadPoolExecutor(64), options=[("grpc.so_reuseport", 0)])
        if states is not None:
            handler = grpc.unary_unary_rpc_method_handler(
                self._check, wire.HealthCheckRequest.FromString, wire.serialize)
            self._server.add_generic_rpc_handlers((
                grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler}),))
        self.target = f"127.0.0.1:{free_port()}"
        if credentials is None:
            self._server.add_insecure_port(self.target)
        else:
            self._server.add_secure_port(self.target, credentials)
        self._server.start()

    def _check(self, request: Any, context: grpc.ServicerContext) -> Any:
        assert self.states is not None
        self.asked.append(request.service)
        if request.service not in self.states:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        status = self.states[request.service]
        if status is None:
            self._released.wait(60)
            status = wire.NOT_SERVING
        return wire.HealthCheckResponse(status=status)

    def stop(self) -> None:
        self._released.set()
        self._server.stop(0).wait(10)


@pytest.fixture
def start_health() -> Iterator[Callable[..., Health]]:
    started: list[Health] = []

    def start(states: dict[str, int | None] | None, credentials: Any = None) -> Health:
        started.append(Health(states, credentials))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def certificate(directory: Path) -> tuple[Path, Any]:
    """Of localhost: its file, and what a gRPC server takes."""
    key, crt = directory / "key.pem", directory / "crt.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(crt)],
                   check=True, capture_output=True, timeout=60)
    return crt, grpc.ssl_server_credentials([(key.read_bytes(), crt.read_bytes())])


def configuration(lines: str, *servers: str) -> str:
    text = "".join(f"    server {server}\n" for server in servers)
    return f"""\
global
    stats socket {{socket}} mode 600 level admin

defaults
    mode http
    timeout connect 1s
    timeout client 1m
    timeout server 1m

frontend grpc_in
    bind 127.0.0.1:{{grpc}} proto h2
    default_backend grpc

backend grpc
    balance roundrobin
{lines}{text}"""


def expect(haproxy: HAProxy, servers: dict[str, str]) -> None:
    """What the checks find: `show stat`'s check_status by server, and UP or DOWN with it."""
    def seen() -> dict[str, str]:
        rows = {name: haproxy.runtime.stat_of("grpc", name) for name in servers}
        return {name: f"{row['status'].split()[0]} {row['check_status'].lstrip('* ')}" for name, row in rows.items()}
    try:
        wait_until(lambda: seen() == servers, 10)
    except AssertionError:
        raise AssertionError(f"{seen()} instead of {servers}") from None


STATES: dict[str, dict[str, int | None] | None] = {
    "serving": {"rng.Rng": wire.SERVING, "": wire.NOT_SERVING},
    "not_serving": {"rng.Rng": wire.NOT_SERVING, "": wire.SERVING},
    "no_answer_yet": {"rng.Rng": 0, "": wire.SERVING},  # UNKNOWN, which proto3 does not even write
    "service_unknown": {"rng.Rng": wire.SERVICE_UNKNOWN, "": wire.SERVING},
    "not_found": {"": wire.SERVING},
    "hanging": {"rng.Rng": None, "": wire.SERVING},
    "unimplemented": None,
}
DOWN = "DOWN L7TOUT"
RESULTS = {name: "UP L7OK" if name == "serving" else DOWN for name in STATES} | {"closed": "DOWN L4CON"}


@pytest.mark.parametrize("tls", [False, True], ids=["h2c", "tls"])
def test_only_a_serving_service_is_up(tls: bool, start_health: Callable[..., Health],
                                      start_haproxy: Callable[..., HAProxy], certificate: tuple[Path, Any]) -> None:
    """By server lines. A gRPC stack that answers, even with 200, is not enough; nor is another service's health."""
    crt, credentials = certificate
    how = f"{TLS} ca-file {crt}" if tls else "proto h2"
    targets = {name: start_health(states, credentials if tls else None).target for name, states in STATES.items()}
    targets["closed"] = f"127.0.0.1:{free_port()}"
    haproxy = start_haproxy(configuration(check_lines("rng.Rng"),
                                          *(f"{name} {target} {how} {CHECK}" for name, target in targets.items())))
    expect(haproxy, RESULTS)


@pytest.mark.parametrize("tls", [False, True], ids=["h2c", "tls"])
def test_servers_added_at_run_time_are_checked_the_same(
        tls: bool, start_health: Callable[..., Health], start_haproxy: Callable[..., HAProxy],
        certificate: tuple[Path, Any]) -> None:
    """The backend holds the lines; the server brings `check`. Health decides before any call is let in."""
    if version() < (3, 0):
        pytest.skip("added servers need HAProxy 3.0")
    crt, credentials = certificate
    # A CA is known at run time only if the configuration names it; so a server that is never used does.
    how = f"{TLS} ca-file {crt}" if tls else "proto h2"
    known = f"known 127.0.0.1:1 {how} disabled"
    haproxy = start_haproxy(configuration(check_lines("rng.Rng"), *([known] if tls else [])))
    for name, states in STATES.items():
        target = start_health(states, credentials if tls else None).target
        assert "New server" in haproxy.runtime.ask(f"add server grpc/{name} {target} {how} {CHECK}")
        haproxy.runtime.ask(f"enable health grpc/{name}")
        haproxy.runtime.ask(f"enable server grpc/{name}")
    expect(haproxy, {name: RESULTS[name] for name in STATES})


def test_health_is_followed_both_ways(start_health: Callable[..., Health],
                                      start_haproxy: Callable[..., HAProxy]) -> None:
    """And a steady state stays: no check in between goes wrong by itself."""
    health = start_health({"rng.Rng": wire.SERVING})
    haproxy = start_haproxy(configuration(check_lines("rng.Rng"), f"a {health.target} proto h2 {CHECK}"))
    for status, result in ((wire.SERVING, "UP L7OK"), (wire.NOT_SERVING, DOWN), (wire.SERVING, "UP L7OK")):
        health.states = {"rng.Rng": status}
        expect(haproxy, {"a": result})
    asked = len(health.asked)
    stays(lambda: haproxy.runtime.status("grpc", "a") == "UP", 2)
    assert len(health.asked) >= asked + 5 and set(health.asked) == {"rng.Rng"}


def test_without_a_service_the_server_as_a_whole_is_asked(start_health: Callable[..., Health],
                                                          start_haproxy: Callable[..., HAProxy]) -> None:
    up, down = start_health({"": wire.SERVING}), start_health({"": wire.NOT_SERVING, "rng.Rng": wire.SERVING})
    haproxy = start_haproxy(configuration(check_lines(), f"a {up.target} proto h2 {CHECK}",
                                          f"b {down.target} proto h2 {CHECK}"))
    expect(haproxy, {"a": "UP L7OK", "b": DOWN})
    assert set(up.asked) == {""}


def test_the_longest_name_is_asked_for_whole(start_health: Callable[..., Health],
                                             start_haproxy: Callable[..., HAProxy]) -> None:
    """Its length takes two bytes in the request, and HAProxy still takes the line."""
    names = ["a" * 127, "b" * 128, "c" * 255]
    health = start_health({name: wire.SERVING for name in names})
    for name in names:
        haproxy = start_haproxy(configuration(check_lines(name), f"a {health.target} proto h2 {CHECK}"))
        expect(haproxy, {"a": "UP L7OK"})
        haproxy.stop()
    assert set(health.asked) == set(names)


def test_a_real_service_goes_down_as_it_ends(directory: Path, start_haproxy: Callable[..., HAProxy]) -> None:
    """tests/rng's own server, asyncio's gRPC."""
    with RngServer(directory, "task-1", drain=0.2) as server:
        haproxy = start_haproxy(configuration(check_lines("rng.Rng"), f"a {server.target} proto h2 {CHECK}"))
        expect(haproxy, {"a": "UP L7OK"})
        assert server.stop() == 0
        expect(haproxy, {"a": "DOWN L4CON"})


def test_json_is_one_document_with_the_same_lines() -> None:
    for service in ("", "rng.Rng"):
        done = rollcall("--json", "grpc-check", service)
        document = json.loads(done.stdout)
        assert (done.returncode, document["service"]) == (0, service)
        lines = [line.strip() for line in rollcall("grpc-check", service).stdout.splitlines()]
        assert document["lines"] == [line for line in lines if not line.startswith("#")]
        assert document["lines"][0].startswith("timeout check") and len(document["lines"]) == 5


@pytest.mark.parametrize("name", ["rng.Rng/Next", "a b", "a..b", "1a", "a\nserver evil 1.2.3.4:80", "x" * 256])
def test_what_is_no_service_is_refused(name: str) -> None:
    done = rollcall("grpc-check", name)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("rollcall: ") and done.stderr.count("\n") == 1


def test_two_services_are_wrong_usage() -> None:
    assert rollcall("grpc-check", "a", "b").returncode == 2
