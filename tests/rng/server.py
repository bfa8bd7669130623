#!/usr/bin/python3
"""The random number service: rng.Rng and grpc.health.v1.Health on one address.

Plays the part of a task of a real service. After SIGTERM it serves for a while as if nothing had
happened, because that is what a task behind any balancer must do: the balancer learns of the stop after
the task does. Then it stops as gRPC servers do: GOAWAY, calls in flight finish, exit 0. `--drain 0` is a task
that closes at once, with `--finish 0` one that also cuts what is in flight.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any, AsyncIterator

import grpc

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rng import journal, wire  # noqa: E402  (the package lies beside this script)

FINISH_SECONDS = 5.0


class Service:
    """The handlers, with the name that goes into each answer."""

    def __init__(self, name: str, calls: journal.Writer) -> None:
        self._name = name
        self._calls = calls
        self.stopping = asyncio.Event()
        self.is_sick = False  # fails each call before the first byte of an answer: Trailers-Only

    async def _begin(self, method: str, request: Any, context: grpc.aio.ServicerContext) -> None:
        """What Next and Stream share: judge the range, write the journal, name the task."""
        if self.is_sick:
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"{self._name} is sick")
        if request.min > request.max:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"min {request.min} is above max {request.max}")
        self._calls.add(method, request.call_id)
        if method == "Next" and request.delay_ms > 0:
            await asyncio.sleep(request.delay_ms / 1000)  # before any byte of an answer, so that it might be replayed
        await context.send_initial_metadata((("task", self._name),))

    def _number(self, request: Any) -> Any:
        return wire.Number(value=random.randint(request.min, request.max), task=self._name)

    async def next(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        await self._begin("Next", request, context)
        return self._number(request)

    async def stream(self, request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
        await self._begin("Stream", request, context)
        sent = 0
        while request.count <= 0 or sent < request.count:
            if sent and request.interval_ms > 0:
                await asyncio.sleep(request.interval_ms / 1000)
            yield self._number(request)
            sent += 1

    def _health_of(self, service: str) -> int:
        if service not in ("", "rng.Rng"):
            return wire.SERVICE_UNKNOWN
        return wire.NOT_SERVING if self.stopping.is_set() else wire.SERVING

    async def health_check(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        status = self._health_of(request.service)
        if status == wire.SERVICE_UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"unknown service {request.service}")
        return wire.HealthCheckResponse(status=status)

    async def health_watch(self, request: Any, _context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
        yield wire.HealthCheckResponse(status=self._health_of(request.service))
        await self.stopping.wait()
        yield wire.HealthCheckResponse(status=self._health_of(request.service))

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        unary, streaming = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        return [
            grpc.method_handlers_generic_handler("rng.Rng", {
                "Next": unary(self.next, wire.Range.FromString, wire.serialize),
                "Stream": streaming(self.stream, wire.StreamRange.FromString, wire.serialize),
            }),
            grpc.method_handlers_generic_handler("grpc.health.v1.Health", {
                "Check": unary(self.health_check, wire.HealthCheckRequest.FromString, wire.serialize),
                "Watch": streaming(self.health_watch, wire.HealthCheckRequest.FromString, wire.serialize),
            }),
        ]


async def serve(options: argparse.Namespace) -> int:
    """Until told to stop; the exit code."""
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)

    calls = journal.Writer(options.count_file)
    service = Service(options.name or options.listen, calls)
    loop.add_signal_handler(signal.SIGUSR1, setattr, service, "is_sick", True)
    loop.add_signal_handler(signal.SIGUSR2, setattr, service, "is_sick", False)
    # Without so_reuseport a second server on the same address is an error, not a secret sharer of calls.
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(tuple(service.handlers()))
    try:
        port = server.add_insecure_port(options.listen)
    except RuntimeError:
        port = 0
    if port == 0:
        print(f"cannot listen on {options.listen}", file=sys.stderr)
        return 1
    await server.start()

    await told_to_stop.wait()
    calls.add(journal.TOLD, "")
    await asyncio.sleep(options.drain)
    service.stopping.set()
    calls.add(journal.ENDS, "")
    await server.stop(options.finish)
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A gRPC service of random numbers.")
    parser.add_argument("--listen", required=True, metavar="IP:PORT")
    parser.add_argument("--name", help="task name in the answers (default: the address)")
    parser.add_argument("--drain", type=float, default=3.0, metavar="SECONDS",
                        help="how long to go on serving after SIGTERM (default 3)")
    parser.add_argument("--finish", type=float, default=FINISH_SECONDS, metavar="SECONDS",
                        help="how long calls may then go on before they are cut (default %(default)s)")
    parser.add_argument("--count-file", metavar="FILE", help="append each executed call to this file")
    return parser.parse_args(arguments)


def main() -> None:
    options = parse(sys.argv[1:])

    async def serve_and_leave() -> None:
        code = await serve(options)
        sys.stderr.flush()
        # All is served and each journal line is written; what is left is gRPC's own tidying up, which in some
        # versions waits for ever on its poller thread.
        os._exit(code)

    asyncio.run(serve_and_leave())


if __name__ == "__main__":
    main()
