#!/usr/bin/python3
"""Steady gRPC traffic from processes of its own, and one record of each call.

The rate is open-loop: a slow answer holds up no other call. No channel retries, so that a failed call is
seen as one. As a command (what Traffic starts): a Mix as JSON in, until SIGTERM; the records as JSON out.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any, Coroutine

import grpc

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "functional")]
from rng import wire  # noqa: E402  (the package lies beside this one)
from rollcall_testlib.process import Child  # noqa: E402
from rollcall_testlib.waiting import wait_until  # noqa: E402

OK, SHORT = "OK", "SHORT"  # SHORT: a stream that ended well, but with too few numbers
REFUSED = "INVALID_ARGUMENT"  # by the task, and without data: Trailers-Only


@dataclasses.dataclass(frozen=True)
class Mix:
    """What one generator does, of which `processes` each do their part."""

    unary: float = 130.0            # calls per second
    slow: float = 15.0              # unary calls per second that take slow_ms: there are always some in flight
    slow_ms: int = 300
    refused: float = 0.0            # unary calls per second that are wrong, and have to end as such
    connections: int = 4
    streams: int = 8                # kept open, over the same connections
    stream_numbers: int = 20
    stream_interval_ms: int = 50
    crowd: int = 120                # streams kept open at once on one connection more
    crowd_numbers: int = 5
    crowd_interval_ms: int = 1000
    timeout: float = 10.0           # of a unary call; a stream has its own length besides
    processes: int = 2

    def part(self, number: int) -> Mix:
        """Of one process. The crowd is one connection, so it stays whole."""
        share = self.processes
        return dataclasses.replace(
            self, unary=self.unary / share, slow=self.slow / share, refused=self.refused / share,
            streams=len(range(number, self.streams, share)),
            connections=max(1, len(range(number, self.connections, share))), crowd=self.crowd if number == 0 else 0)

    @property
    def longest(self) -> float:
        """Seconds from the last call's start to its end, at most."""
        return self.timeout + max(self.stream_numbers * self.stream_interval_ms,
                                  self.crowd_numbers * self.crowd_interval_ms) / 1000


@dataclasses.dataclass(frozen=True)
class Call:
    """What became of one call. Times are monotonic, and of the whole machine."""

    id: str
    kind: str      # unary, slow, refused, stream, crowd
    sent: float
    ended: float
    code: str      # OK, a gRPC code, or SHORT
    details: str
    task: str      # the one that answered, as far as it did
    received: int  # messages

    @property
    def failed(self) -> bool:
        return self.code != (REFUSED if self.kind == "refused" else OK)

    @property
    def cut(self) -> bool:
        """A stream that had begun."""
        return self.failed and self.received > 0


class Traffic:
    """The processes, from start() to stop()."""

    def __init__(self, directory: Path, target: str, mix: Mix = Mix()) -> None:
        self._directory, self._target, self._mix = directory, target, mix
        self._children: list[Child] = []
        self.lateness = 0.0  # of the calls' starts, in seconds: how far the generator itself lagged, at worst

    def _file(self, number: int, kind: str) -> Path:
        return self._directory / f"traffic{number}.{kind}"

    def start(self) -> Traffic:
        for number in range(self._mix.processes):
            order = {"target": self._target, "prefix": f"p{number}-{time.monotonic_ns():x}",
                     "result": str(self._file(number, "json")), "mix": dataclasses.asdict(self._mix.part(number))}
            self._file(number, "json").unlink(missing_ok=True)
            self._file(number, "begun").unlink(missing_ok=True)
            self._children.append(Child([sys.executable, __file__, json.dumps(order)], self._file(number, "log"),
                                        {"GRPC_VERBOSITY": "NONE"}))
        for number, child in enumerate(self._children):
            wait_until(lambda: self._file(number, "begun").exists() or child.exit_code is not None, 20, "traffic")
            assert child.exit_code is None, child.output()
        return self

    def stop(self) -> list[Call]:
        """No new calls, and those in flight to their end (each has a timeout)."""
        for child in self._children:
            child.signal(signal.SIGTERM)
        calls: list[Call] = []
        for number, child in enumerate(self._children):
            code = child.wait(self._mix.longest + 10)
            assert code == 0, f"the load generator ended with {code}: {child.output()}"
            result = json.loads(self._file(number, "json").read_text())
            self.lateness = max(self.lateness, result["lateness"])
            calls += [Call(*fields) for fields in result["calls"]]
        self._children.clear()
        return sorted(calls, key=lambda call: call.sent)

    def kill(self) -> None:
        for child in self._children:
            child.kill()

    def __enter__(self) -> Traffic:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()


# ---- in the process ----

class Connection:
    """One HTTP/2 connection: its own subchannels, and no retry."""

    def __init__(self, target: str) -> None:
        self.channel = grpc.aio.insecure_channel(target, options=[
            ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0), ("grpc.enable_http_proxy", 0),
            ("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)])
        self.next = self.channel.unary_unary(
            wire.NEXT, request_serializer=wire.serialize, response_deserializer=wire.Number.FromString)
        self.stream = self.channel.unary_stream(
            wire.STREAM, request_serializer=wire.serialize, response_deserializer=wire.Number.FromString)


class Generator:
    def __init__(self, target: str, prefix: str, mix: Mix) -> None:
        self._mix, self._prefix, self._ids = mix, prefix, itertools.count()
        self._target = target
        self._connections = [Connection(target) for _ in range(mix.connections)]
        self._told_to_stop = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self.calls: list[Call] = []
        self.lateness = 0.0

    def stop(self) -> None:
        self._told_to_stop.set()

    def _go(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def run(self, begun: Path) -> None:
        mix = self._mix
        await asyncio.gather(*(connection.channel.channel_ready() for connection in self._connections))
        keepers = [self._keep(self._connections[n % len(self._connections)], "stream", mix.stream_numbers,
                              mix.stream_interval_ms, n / max(1, mix.streams)) for n in range(mix.streams)]
        if mix.crowd:
            crowd = Connection(self._target)
            keepers += [self._keep(crowd, "crowd", mix.crowd_numbers, mix.crowd_interval_ms,
                                   mix.crowd_numbers * mix.crowd_interval_ms / 1000 * n / mix.crowd)
                        for n in range(mix.crowd)]
        begun.touch()
        workers = [self._go(work) for work in
                   [self._pace("unary", mix.unary, 0), self._pace("slow", mix.slow, mix.slow_ms),
                    self._pace("refused", mix.refused, 0), *keepers]]
        await asyncio.gather(*workers)
        while self._running:
            await asyncio.wait(self._running)

    async def _pause(self, seconds: float) -> bool:
        """False when it is time to stop."""
        if seconds > 0:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._told_to_stop.wait(), seconds)
        return not self._told_to_stop.is_set()

    async def _pace(self, kind: str, rate: float, delay_ms: int) -> None:
        due = time.monotonic()
        for connection in itertools.cycle(self._connections):
            if rate <= 0 or not await self._pause(due - time.monotonic()):
                return
            self.lateness = max(self.lateness, time.monotonic() - due)
            self._go(self._unary(connection, kind, delay_ms))
            due += 1 / rate

    async def _unary(self, connection: Connection, kind: str, delay_ms: int) -> None:
        call_id, sent = self._new_id(), time.monotonic()
        high = 0 if kind == "refused" else 100
        call = connection.next(wire.Range(min=1, max=high, call_id=call_id, delay_ms=delay_ms),
                               timeout=self._mix.timeout)
        task = ""
        try:
            task = (await call).task
        # A call that the other side cancels (RST_STREAM 8) is raised as CancelledError.
        except (grpc.aio.AioRpcError, asyncio.CancelledError):
            pass
        await self._note(call, call_id, kind, sent, task, int(bool(task)), 1)

    async def _keep(self, connection: Connection, kind: str, count: int, interval_ms: int, first: float) -> None:
        """One stream after another; the first begins later than its neighbour's, as those that follow then do."""
        going = await self._pause(first)
        while going:
            failed = await self._stream(connection, kind, count, interval_ms)
            # A dead target is not to be asked in a busy loop.
            going = await self._pause(0.1 if failed else 0.0)

    async def _stream(self, connection: Connection, kind: str, count: int, interval_ms: int) -> bool:
        call_id, sent, task, received = self._new_id(), time.monotonic(), "", 0
        call = connection.stream(
            wire.StreamRange(min=1, max=100, call_id=call_id, count=count, interval_ms=interval_ms),
            timeout=self._mix.timeout + count * interval_ms / 1000)
        try:
            async for number in call:
                task, received = number.task, received + 1
        except (grpc.aio.AioRpcError, asyncio.CancelledError):
            pass
        return await self._note(call, call_id, kind, sent, task, received, count)

    def _new_id(self) -> str:
        return f"{self._prefix}-{next(self._ids)}"

    async def _note(self, call: Any, call_id: str, kind: str, sent: float, task: str, received: int,
                    expected: int) -> bool:
        code = (await call.code()).name
        if code == OK and received != expected:
            code = SHORT
        details = "" if code == OK else str(await call.details() or "")
        self.calls.append(Call(call_id, kind, sent, time.monotonic(), code, details, task, received))
        return code != OK


async def generate(order: dict[str, Any]) -> None:
    generator = Generator(order["target"], order["prefix"], Mix(**order["mix"]))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, generator.stop)
    result = Path(order["result"])
    await generator.run(result.with_suffix(".begun"))
    result.write_text(json.dumps({"lateness": generator.lateness,
                                  "calls": [dataclasses.astuple(call) for call in generator.calls]}))


if __name__ == "__main__":
    asyncio.run(generate(json.loads(sys.argv[1])))
