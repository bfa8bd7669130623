"""Options and wiring of the `fakeaws` command."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import socket
import tempfile
import threading
from pathlib import Path

from . import nursery, shapes
from .aws_door import AwsServer
from .bus import Bus
from .buckets import Buckets
from .control_door import Commands, ControlServer
from .faults import Faults
from .lifecycle import Clock, Lifecycle, Times
from .metadata_door import Beside, MetadataServer
from .processes import Processes
from .requestlog import RequestLog
from .signature import SERVICES
from .world import REGION, World


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fakeaws", description="A fake AWS ECS on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="where clients connect (default: any free)")
    parser.add_argument("--control-port", type=int, default=0, help="where tests connect (default: any free)")
    parser.add_argument("--ports-file", type=Path, help="written once both doors are open, as JSON")
    parser.add_argument("--work-dir", type=Path, help="journals and output of the tasks (default: temporary)")
    parser.add_argument("--network", help="addresses of the tasks, in 127.0.0.0/8 "
                                          "(default: the first of 127.10.0.0/16... that no other fakeaws uses)")
    parser.add_argument("--region", default=REGION)
    parser.add_argument("--time-scale", type=float, default=1.0, help="of the life cycle; below 1 is faster")
    parser.add_argument("--key", action="append", default=[], metavar="ID:SECRET[:TOKEN]",
                        help="a key that is there from the start")
    parser.add_argument("--nursery", type=int, metavar="FD", help="fork one for each request on this socket instead")
    return parser.parse_args(arguments)


class NetworkLease:
    """A network that no other fakeaws on this machine gives addresses from.

    Two of them side by side would fight over the same address and port. An abstract socket is the lock: the
    kernel drops it with the process, however that ends.
    """

    def __init__(self, network: str | None) -> None:
        candidates = [network] if network else [f"127.{octet}.0.0/16" for octet in range(10, 250)]
        for candidate in candidates:
            self._lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self._lock.bind(f"\0rollcall-fakeaws-{candidate}")
            except OSError:
                self._lock.close()
                continue
            self.network = candidate
            return
        raise SystemExit(f"fakeaws: another fakeaws has {network or 'every network'}")


def write_ports(path: Path, document: str) -> None:
    """In one step: whoever sees the file sees all of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(document)
    part.rename(path)


def read_models() -> None:
    """Now, not under the first request."""
    for service in (*SERVICES, "sts", "sns"):
        shapes.service_model(service)


def serve(options: argparse.Namespace, work_dir: Path) -> None:
    told_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told_to_stop.set())

    lease = NetworkLease(options.network)
    world, injected, log = World(lease.network, options.region), Faults(), RequestLog()
    work_dir.mkdir(parents=True, exist_ok=True)
    processes = Processes(work_dir)
    clock = Clock(world.lock)
    world.bus = Bus(options.region, clock.after)
    rates, beside = Buckets(), Beside(region=options.region)
    commands = Commands(world, Lifecycle(world, clock, processes, Times(scale=options.time_scale)), processes,
                        injected, log, rates, beside)
    for text in options.key:
        commands.set_key(*text.split(":", 2))
    read_models()
    servers = [AwsServer(("127.0.0.1", options.port), world, injected, log, rates),
               ControlServer(("127.0.0.1", options.control_port), world, commands),
               MetadataServer(("127.0.0.1", 0), world, beside, log)]
    world.bus.base_url = f"http://127.0.0.1:{servers[0].server_address[1]}"
    clock.start()
    for server in servers:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    port, control_port, metadata_port = (server.server_address[1] for server in servers)
    ports = json.dumps({"url": f"http://127.0.0.1:{port}", "port": port, "control_port": control_port,
                        "metadata_url": f"http://127.0.0.1:{metadata_port}",
                        "network": lease.network, "work_dir": str(work_dir)})
    if options.ports_file:
        write_ports(options.ports_file, ports)
    print(ports, flush=True)

    told_to_stop.wait()
    clock.stop()  # nothing starts any more
    with world.lock:
        processes.kill_all()


def main(arguments: list[str] | None = None) -> None:
    logging.basicConfig(format="%(name)s: %(message)s", level=logging.WARNING)
    options = parse(arguments)
    if options.nursery is not None:
        read_models()
        nursery.serve(socket.socket(fileno=options.nursery), main)
        return
    if options.work_dir:
        serve(options, options.work_dir)
        return
    with tempfile.TemporaryDirectory(prefix="fakeaws-") as directory:
        serve(options, Path(directory))
