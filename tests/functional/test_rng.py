"""The random number service itself: if it miscounted, every test that counts with it would."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Callable, Iterator

import grpc
import pytest

from rng import client, journal, wire
from rollcall_testlib.paths import TOP
from rollcall_testlib.rng_server import RngServer
from rollcall_testlib.waiting import wait_until

RNG = TOP / "tests" / "rng"


@pytest.fixture
def start(directory: Path) -> Iterator[Callable[..., RngServer]]:
    started: list[RngServer] = []

    def start_one(name: str = "task-1", drain: float = 0.5) -> RngServer:
        started.append(RngServer(directory, name, drain=drain))
        with client.Connection(started[-1].target) as connection:
            connection.wait_ready(10)
        return started[-1]

    yield start_one
    for server in started:
        server.kill()


def test_numbers_are_in_the_range_and_name_the_task(start: Callable[..., RngServer]) -> None:
    server = start("task-7")
    with client.Connection(server.target) as connection:
        numbers = {connection.number(3, 5).value for _ in range(100)}
        answer, call = connection.next.with_call(wire.Range(min=-4, max=-4), timeout=5)
    assert numbers == {3, 4, 5}
    assert (answer.value, answer.task) == (-4, "task-7")
    assert ("task", "task-7") in call.initial_metadata()


def test_a_range_upside_down_is_refused_and_not_counted(start: Callable[..., RngServer]) -> None:
    server = start()
    with client.Connection(server.target) as connection, pytest.raises(grpc.RpcError) as refusal:
        connection.number(2, 1)
    assert refusal.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert server.journal().calls == 0


def test_a_stream_gives_as_many_numbers_as_asked(start: Callable[..., RngServer]) -> None:
    server = start()
    with client.Connection(server.target) as connection:
        assert len(list(connection.numbers(1, 6, count=20, timeout=5))) == 20
    assert server.journal().methods == {"Stream": 1}


def test_health_knows_its_services(start: Callable[..., RngServer]) -> None:
    server = start()
    with client.Connection(server.target) as connection:
        assert connection.health() == connection.health("rng.Rng") == wire.SERVING
        with pytest.raises(grpc.RpcError) as unknown:
            connection.health("no.Such")
        assert unknown.value.code() == grpc.StatusCode.NOT_FOUND
        assert next(connection.watch_health("no.Such", timeout=5)) == wire.SERVICE_UNKNOWN


def test_the_journal_survives_kill_and_finds_calls_executed_twice(start: Callable[..., RngServer]) -> None:
    first, second = start("task-1"), start("task-2")
    for server, call_ids in ((first, "ab"), (second, "bc")):
        with client.Connection(server.target) as connection:
            for call_id in call_ids:
                connection.number(1, 2, call_id)
        server.kill()
    assert first.journal().call_ids == {"a": 1, "b": 1}
    assert journal.executed_twice([first.journal(), second.journal()]) == ["b"]


def test_it_serves_new_connections_while_it_drains_and_finishes_what_runs(start: Callable[..., RngServer]) -> None:
    server = start(drain=1.0)
    with client.Connection(server.target) as connection:
        # Longer than the drain: it has to be finished after the listener has gone.
        stream = connection.numbers(1, 2, count=30, interval_ms=50, timeout=10)
        next(stream)
        told = time.monotonic()
        server.signal(signal.SIGTERM)
        with client.Connection(server.target) as newcomer:
            while time.monotonic() < told + 0.7:
                newcomer.number(1, 2)
        assert len(list(stream)) == 29
    assert server.wait() == 0
    assert server.output() == ""


def test_a_second_server_on_the_same_address_is_an_error(start: Callable[..., RngServer], directory: Path) -> None:
    server = start()
    twin = subprocess.run([sys.executable, str(RNG / "server.py"), "--listen", server.target], capture_output=True,
                          text=True, timeout=20, check=False)
    assert twin.returncode == 1
    assert f"cannot listen on {server.target}" in twin.stderr


def tcp_connections_to(port: int) -> int:
    """Established ones, by the kernel's tables, as their server's side shows them."""
    suffix, established = f":{port:04X}", "01"
    # gRPC's listener is an IPv6 socket even on an IPv4 address.
    lines = [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").open()]
    return sum(fields[1].endswith(suffix) and fields[3] == established for fields in lines)


def test_a_connection_is_one_tcp_connection_and_two_are_two(start: Callable[..., RngServer]) -> None:
    server = start()
    port = int(server.target.rpartition(":")[2])
    wait_until(lambda: tcp_connections_to(port) == 0, what="closed")
    with client.Connection(server.target) as one, client.Connection(server.target) as two:
        futures = [one.next.future(wire.Range(min=1, max=2), timeout=5) for _ in range(50)]
        assert all(future.result().task == "task-1" for future in futures)
        assert tcp_connections_to(port) == 1
        two.number(1, 2)
        assert tcp_connections_to(port) == 2


def test_load_counts_what_the_server_counts_and_every_failure(start: Callable[..., RngServer]) -> None:
    server = start(drain=0.0)
    load = client.Load(server.target, rate=200, connections=2, streams=2, stream_numbers=5,
                       stream_interval_ms=10).start()
    wait_until(lambda: load.result.succeeded > 100, what="calls answered")
    assert load.result.failed == 0
    server.kill()
    wait_until(lambda: load.result.failed > 10, what="calls failed")
    result = load.stop()
    assert set(result.failures) == {"UNAVAILABLE"}
    assert result.by_task == {"task-1": result.succeeded}
    assert result.calls == len(result.call_ids)
    # A call cut off by the kill may have been executed, and yet failed.
    assert result.succeeded <= server.journal().calls <= result.succeeded + result.failed


def test_the_command_prints_json_and_fails_if_a_call_did(start: Callable[..., RngServer]) -> None:
    server = start()

    def run(*arguments: str) -> tuple[int, dict[str, object]]:
        done = subprocess.run([sys.executable, str(RNG / "client.py"), "--target", server.target, *arguments],
                              capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, json.loads(done.stdout)

    code, result = run("calls", "10")
    assert (code, result["by_task"], result["failed"]) == (0, {"task-1": 10}, 0)
    code, result = run("load", "--rate", "100", "--duration", "0.3", "--streams", "1")
    assert code == 0 and result["failed"] == 0
    server.kill()
    code, result = run("calls", "2")
    assert (code, result["failures"]) == (1, {"UNAVAILABLE": 2})


def test_calls_and_health_go_on_side_by_side(start: Callable[..., RngServer]) -> None:
    """Many open streams must not starve unary calls: one loop serves them all."""
    server = start()
    with client.Connection(server.target) as connection:
        streams = [connection.numbers(1, 2, count=0, interval_ms=20, timeout=20) for _ in range(50)]
        readers = [threading.Thread(target=next, args=(stream,)) for stream in streams]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        assert connection.health(timeout=2) == wire.SERVING
        assert connection.number(1, 1, timeout=2).value == 1
        for stream in streams:
            stream.cancel()  # type: ignore[attr-defined]


@pytest.mark.skipif(not shutil.which("protoc"), reason="protoc is not installed")
def test_the_messages_are_those_of_the_proto_file(directory: Path) -> None:
    from google.protobuf import descriptor_pb2
    subprocess.run(["protoc", f"-I{RNG}", f"--descriptor_set_out={directory}/set", "rng.proto"], check=True)
    files = descriptor_pb2.FileDescriptorSet.FromString((directory / "set").read_bytes())
    written = {message.name: [(field.name, field.number, field.type) for field in message.field]
               for message in files.file[0].message_type}
    assert written == wire.RNG_MESSAGES
