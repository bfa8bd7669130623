#!/usr/bin/python3
"""Calls the random number service, and says who answered.

As a command: N calls over ONE connection, or a steady load; the result is one JSON document on stdout.
As a library: `Connection` is one HTTP/2 connection, `call_many` makes N calls on it, and `Load` keeps a
steady rate of unary calls and streams over several connections until it is told to stop.

A channel never retries on its own here unless asked (`retries=True`): a failed call that the client hides
could not be counted.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import itertools
import json
import signal
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any, Iterator

import grpc

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rng import wire  # noqa: E402  (the package lies beside this script)

CALL_TIMEOUT = 10.0
DETAILS_KEPT = 20


@dataclasses.dataclass
class Result:
    """Who answered, what failed, and which call ids were sent. A stream is one call."""

    by_task: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    failures: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    details: list[str] = dataclasses.field(default_factory=list)
    call_ids: list[str] = dataclasses.field(default_factory=list)
    numbers: int = 0
    _lock: threading.Lock = dataclasses.field(default_factory=threading.Lock, repr=False)

    @property
    def calls(self) -> int:
        return self.succeeded + self.failed

    @property
    def succeeded(self) -> int:
        return sum(self.by_task.values())

    @property
    def failed(self) -> int:
        return sum(self.failures.values())

    def sent(self, call_id: str) -> None:
        with self._lock:
            self.call_ids.append(call_id)

    def answered(self, task: str, numbers: int = 1) -> None:
        with self._lock:
            self.by_task[task] += 1
            self.numbers += numbers

    def failed_with(self, error: grpc.RpcError) -> None:
        code, text = error.code().name, error.details() or ""  # type: ignore[attr-defined]
        with self._lock:
            self.failures[code] += 1
            if len(self.details) < DETAILS_KEPT:
                self.details.append(f"{time.strftime('%H:%M:%S')} {code}: {text}")

    def document(self) -> dict[str, Any]:
        """What the command prints: everything but the call ids, which are many."""
        return {"calls": self.calls, "by_task": dict(self.by_task), "failed": self.failed,
                "failures": dict(self.failures), "details": self.details, "numbers": self.numbers}


class Connection:
    """One channel that is really one TCP connection: its own subchannels, shared with no other channel."""

    def __init__(self, target: str, retries: bool = False, authority: str = "") -> None:
        """authority: what the server is told to be called, if not as the target."""
        named = [("grpc.default_authority", authority)] if authority else []
        self._channel = grpc.insecure_channel(target, options=[
            *named,
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_retries", int(retries)),
            # A test that restarts its server must not wait out gRPC's default reconnect backoff.
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 500),
            ("grpc.enable_http_proxy", 0),
        ])
        self.next = self._channel.unary_unary(
            wire.NEXT, request_serializer=wire.serialize, response_deserializer=wire.Number.FromString)
        self.stream = self._channel.unary_stream(
            wire.STREAM, request_serializer=wire.serialize, response_deserializer=wire.Number.FromString)
        self._check = self._channel.unary_unary(
            wire.HEALTH_CHECK, request_serializer=wire.serialize,
            response_deserializer=wire.HealthCheckResponse.FromString)
        self._watch = self._channel.unary_stream(
            wire.HEALTH_WATCH, request_serializer=wire.serialize,
            response_deserializer=wire.HealthCheckResponse.FromString)

    def number(self, minimum: int, maximum: int, call_id: str = "", timeout: float = CALL_TIMEOUT) -> Any:
        """One call of Next; raises grpc.RpcError."""
        return self.next(wire.Range(min=minimum, max=maximum, call_id=call_id), timeout=timeout)

    def numbers(self, minimum: int, maximum: int, count: int, interval_ms: int = 0, call_id: str = "",
                timeout: float | None = None) -> Iterator[Any]:
        """One call of Stream; raises grpc.RpcError while iterating."""
        return self.stream(wire.StreamRange(min=minimum, max=maximum, count=count, interval_ms=interval_ms,
                                            call_id=call_id), timeout=timeout)

    def health(self, service: str = "", timeout: float = CALL_TIMEOUT) -> int:
        return self._check(wire.HealthCheckRequest(service=service), timeout=timeout).status

    def watch_health(self, service: str = "", timeout: float | None = None) -> Iterator[int]:
        for answer in self._watch(wire.HealthCheckRequest(service=service), timeout=timeout):
            yield answer.status

    def wait_ready(self, timeout: float) -> None:
        """Connects now; raises grpc.FutureTimeoutError."""
        grpc.channel_ready_future(self._channel).result(timeout)

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def call_many(target: str, calls: int, minimum: int = 1, maximum: int = 100, retries: bool = False,
              timeout: float = CALL_TIMEOUT, authority: str = "") -> Result:
    """`calls` unary calls, one after another, over one connection."""
    result, prefix = Result(), uuid.uuid4().hex[:8]
    with Connection(target, retries, authority) as connection:
        for number in range(calls):
            call_id = f"{prefix}-{number}"
            result.sent(call_id)
            try:
                result.answered(connection.number(minimum, maximum, call_id, timeout).task)
            except grpc.RpcError as error:
                result.failed_with(error)
    return result


class Load:
    """A steady load in the background, until stop().

    The rate is kept open-loop: a slow answer does not slow the calls that follow, as with real clients.
    `streams` streams are kept open beside, each of `stream_numbers` numbers, reopened when they end.
    """

    def __init__(self, target: str, rate: float = 100.0, connections: int = 4, streams: int = 0,
                 stream_numbers: int = 20, stream_interval_ms: int = 50, retries: bool = False,
                 timeout: float = CALL_TIMEOUT, authority: str = "") -> None:
        self.result = Result()
        self._rate, self._timeout = rate, timeout
        self._stream_numbers, self._stream_interval_ms = stream_numbers, stream_interval_ms
        self._prefix, self._ids = uuid.uuid4().hex[:8], itertools.count()
        self._connections = [Connection(target, retries, authority) for _ in range(max(1, connections))]
        self._told_to_stop = threading.Event()
        self._in_flight = 0
        self._idle = threading.Condition()
        self._threads = [threading.Thread(target=self._pace, daemon=True)] if rate > 0 else []
        self._threads += [
            threading.Thread(target=self._keep_stream, args=(self._connections[n % len(self._connections)],),
                             daemon=True) for n in range(streams)]

    def start(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> Result:
        """No new calls; waits for those in flight (each has a timeout, so this ends)."""
        self._told_to_stop.set()
        for thread in self._threads:
            thread.join()
        with self._idle:
            self._idle.wait_for(lambda: self._in_flight == 0, self._timeout + 5)
        for connection in self._connections:
            connection.close()
        return self.result

    def __enter__(self) -> Load:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _new_call(self) -> str:
        call_id = f"{self._prefix}-{next(self._ids)}"
        self.result.sent(call_id)
        return call_id

    def _pace(self) -> None:
        due = time.monotonic()
        for connection in itertools.cycle(self._connections):
            if self._told_to_stop.wait(max(0.0, due - time.monotonic())):
                return
            self._send(connection)
            due += 1 / self._rate

    def _send(self, connection: Connection) -> None:
        request = wire.Range(min=1, max=100, call_id=self._new_call())
        with self._idle:
            self._in_flight += 1
        connection.next.future(request, timeout=self._timeout).add_done_callback(self._done)

    def _done(self, call: Any) -> None:
        try:
            self.result.answered(call.result().task)
        except grpc.RpcError as error:
            self.result.failed_with(error)
        finally:
            with self._idle:
                self._in_flight -= 1
                self._idle.notify_all()

    def _keep_stream(self, connection: Connection) -> None:
        whole = self._stream_numbers * self._stream_interval_ms / 1000 + self._timeout
        while not self._told_to_stop.is_set():
            call_id, task, received = self._new_call(), "", 0
            try:
                for number in connection.numbers(1, 100, self._stream_numbers, self._stream_interval_ms,
                                                 call_id, whole):
                    task, received = number.task, received + 1
                self.result.answered(task, received)
            except grpc.RpcError as error:
                self.result.failed_with(error)
                # A dead target must not be asked in a busy loop.
                self._told_to_stop.wait(0.05)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Call the random number service; the result is JSON.")
    parser.add_argument("--target", required=True, metavar="HOST:PORT")
    parser.add_argument("--retries", action="store_true", help="let gRPC retry transparently")
    commands = parser.add_subparsers(dest="command", required=True)
    calls = commands.add_parser("calls", help="N calls, one after another, over one connection")
    calls.add_argument("number", type=int, nargs="?", default=100)
    load = commands.add_parser("load", help="a steady load")
    load.add_argument("--rate", type=float, default=100, help="unary calls per second (default 100)")
    load.add_argument("--connections", type=int, default=4)
    load.add_argument("--streams", type=int, default=0, help="streams kept open beside")
    load.add_argument("--duration", type=float, help="seconds (default: until SIGINT or SIGTERM)")
    return parser.parse_args(arguments)


def main() -> int:
    options = _parse(sys.argv[1:])
    if options.command == "calls":
        result = call_many(options.target, options.number, retries=options.retries)
    else:
        told_to_stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: told_to_stop.set())
        load = Load(options.target, options.rate, options.connections, options.streams, retries=options.retries)
        load.start()
        told_to_stop.wait(options.duration)
        result = load.stop()
    print(json.dumps(result.document()))
    return 0 if result.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
