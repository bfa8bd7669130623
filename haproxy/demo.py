"""The demo's story: started by haproxy/demo, which builds first.

Everything in it is real but AWS: the gRPC tasks are processes on loopback addresses of their own, HAProxy runs
haproxy.cfg as it stands beside this file, and the fake ECS checks every request's signature. The numbers at the
end are counted by the tasks themselves, in journals that outlive them.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "tests" / "functional")]

from fakeaws.control import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Control, FakeAws  # noqa: E402
from rng.client import Load, Result, call_many  # noqa: E402
from rollcall_testlib import paths  # noqa: E402
from rollcall_testlib.daemon import Rollcalld  # noqa: E402
from rollcall_testlib.haproxy import BESIDE, HAProxy, Ports, shipped_configuration, shipped_environment  # noqa: E402
from rollcall_testlib.waiting import wait_until  # noqa: E402

CLUSTER, SERVICE = "main", "rng-service"
SERVES_AFTER_SIGTERM = 3.0  # seconds, as an app behind a balancer should
PATIENCE = 180.0            # for what takes a few seconds, where the machine has other things to do
MEASUREMENTS = 5            # of who gets which calls, at most

class Broken(Exception):
    """A promise that did not hold."""


def say(text: str = "") -> None:
    print(text, flush=True)


def step(text: str) -> None:
    say(f"-- {text}")


class Demo:
    """The whole set-up, in a directory of its own; close() ends all of it."""

    def __init__(self, home: Path) -> None:
        self.home, self.ports = home, Ports()
        self.haproxy: HAProxy | None = None
        self.daemon: Rollcalld | None = None
        self.aws = FakeAws(home / "aws")
        self.control: Control = self.aws.control
        self.results: list[str] = []

    def close(self) -> None:
        for part in (self.daemon, self.haproxy, self.aws):
            if part is not None:
                part.stop()

    # Starting

    def start_service(self, tasks: int) -> None:
        step(f"fake ECS: cluster `{CLUSTER}`, service `{SERVICE}`, {tasks} tasks "
             f"(each serves {SERVES_AFTER_SIGTERM:g} s after SIGTERM)")
        self.control.create_cluster(cluster=CLUSTER)
        self.control.register(family="rng", drain=SERVES_AFTER_SIGTERM, stop_timeout=30)
        self.control.create_service(cluster=CLUSTER, service=SERVICE, desired=tasks, definition="rng")
        self.control.wait_steady(CLUSTER, SERVICE, PATIENCE)
        for task in self.control.running(CLUSTER, SERVICE):
            say(f"   task {task['id']} at {task['address']}:{task['port']}")

    def start_haproxy(self) -> None:
        step(f"HAProxy: {paths.HAPROXY} with haproxy/haproxy.cfg, gRPC on 127.0.0.1:{self.ports.grpc}, "
             f"and mode tcp beside it on 127.0.0.1:{self.ports.tcp}")
        socket_path = self.home / "admin.sock"
        os.environ.update(shipped_environment(socket_path, self.ports))
        self.haproxy = HAProxy(self.home, shipped_configuration() + BESIDE.replace("{tcp}", str(self.ports.tcp)), socket_path,
                               self.ports)

    def start_rollcalld(self) -> None:
        step("rollcalld: watches the cluster, gives its tasks to HAProxy's slots")
        keys = {"access_key_id": ACCESS_KEY_ID, "secret_access_key": SECRET_ACCESS_KEY}
        match = {"service": SERVICE}
        self.daemon = Rollcalld(self.home, {
            "ecs": {"region": "eu-west-1", "clusters": [CLUSTER], "endpoint": self.aws.url, **keys},
            "haproxy": {"socket": str(self.home / "admin.sock")},
            "backends": [{"name": "grpc", "match": match}, {"name": "beside", "match": match}],
            "control": {"socket": str(self.home / "control.sock")},
            "state_dir": str(self.home / "state"),
        }, self.home / "control.sock")
        self.daemon.wait_ready(PATIENCE)
        self.wait_serving(2)

    # Looking

    def wait_serving(self, tasks: int) -> None:
        """Until exactly so many tasks take calls, as HAProxy itself shows it, in both backends."""
        haproxy = self.haproxy
        assert haproxy is not None
        wanted = {f"{task['address']}:{task['port']}" for task in self.control.running(CLUSTER, SERVICE)}
        if len(wanted) != tasks:
            raise Broken(f"{len(wanted)} tasks run, not {tasks}")
        wait_until(lambda: haproxy.runtime.serving("grpc") == haproxy.runtime.serving("beside") == wanted, PATIENCE,
                   f"{tasks} tasks in service")
        say(f"   HAProxy serves {', '.join(sorted(wanted))}")

    def counts(self) -> dict[str, int]:
        return self.control.calls(cluster=CLUSTER, service=SERVICE)["by_task"]

    def shares(self, port: int) -> list[int]:
        """100 calls on one connection: how many each running task executed, largest first."""
        before = self.counts()
        result = call_many(f"127.0.0.1:{port}", 100)
        self.expect_no_failure(result)
        after = self.counts()
        running = [task["id"] for task in self.control.running(CLUSTER, SERVICE)]
        return sorted((after[task] - before.get(task, 0) for task in running), reverse=True)

    def shares_when_calm(self, port: int, wanted: list[int]) -> list[int]:
        """A check that comes late on a busy machine takes a server out for a moment; then it is measured again."""
        for _ in range(MEASUREMENTS):
            measured = self.shares(port)
            if measured == wanted:
                break
            say(f"   {' '.join(map(str, measured))}: measured again")
            self.wait_serving(len(wanted))
        return measured

    def expect_no_failure(self, result: Result) -> None:
        if result.failed:
            raise Broken(f"{result.failed} of {result.calls} calls failed: {dict(result.failures)} "
                         f"{result.details[:5]}")
        twice = self.control.calls(cluster=CLUSTER, service=SERVICE)["twice"]
        if twice:
            raise Broken(f"{len(twice)} calls were executed twice")

    def report(self, line: str) -> None:
        say(f"   {line}")
        self.results.append(line)

    # The story

    def compare(self) -> None:
        step("100 calls on ONE connection through mode tcp, as a layer-4 balancer does it")
        tcp = self.shares_when_calm(self.ports.tcp, [100, 0])
        self.report("tcp: " + " ".join(map(str, tcp)))
        step("100 calls on ONE connection through the HTTP/2 backend")
        mine = self.shares_when_calm(self.ports.grpc, [50, 50])
        self.report("rollcall: " + " ".join(map(str, mine)))
        if tcp != [100, 0] or mine != [50, 50]:
            raise Broken("tcp should be 100 0 and rollcall 50 50")

    def load(self) -> Load:
        return Load(f"127.0.0.1:{self.ports.grpc}", rate=200, connections=4, streams=4)

    def scale_out(self) -> None:
        step("scaling to 3 tasks while calls run (200 a second on 4 connections, and 4 streams)")
        with self.load() as load:
            self.control.scale(cluster=CLUSTER, service=SERVICE, desired=3)
            self.control.wait_steady(CLUSTER, SERVICE, PATIENCE)
            self.wait_serving(3)
        self.expect_no_failure(load.result)
        say(f"   {load.result.calls} calls meanwhile, {load.result.failed} failed")
        shares = self.shares_when_calm(self.ports.grpc, [34, 33, 33])
        self.report("scaled to 3: " + " ".join(map(str, shares)))
        if shares != [34, 33, 33]:
            raise Broken("the calls should be shared 34 33 33")

    def deploy(self) -> None:
        step("rolling deploy: every task is replaced by one of a new revision while calls run")
        old = {task["id"] for task in self.control.running(CLUSTER, SERVICE)}
        with self.load() as load:
            self.control.roll(cluster=CLUSTER, service=SERVICE)
            self.control.wait_steady(CLUSTER, SERVICE, PATIENCE)
            self.wait_serving(3)
            # What the new ones were given while the old ones were still there is not enough: they carry it all.
            seen = load.result.calls
            wait_until(lambda: load.result.calls > seen + 200, PATIENCE, "calls after the deploy")
        if old & {task["id"] for task in self.control.running(CLUSTER, SERVICE)}:
            raise Broken("a task of the old revision still runs")
        self.report(f"rolling deploy: {load.result.calls} calls, {load.result.failed} failed")
        self.expect_no_failure(load.result)

    def scale_in(self) -> None:
        step("scaling to 1 while calls run")
        with self.load() as load:
            self.control.scale(cluster=CLUSTER, service=SERVICE, desired=1)
            self.control.wait_steady(CLUSTER, SERVICE, PATIENCE)
            self.wait_serving(1)
        self.expect_no_failure(load.result)
        self.report(f"scaled to 1: {load.result.calls} calls, {load.result.failed} failed")

    def check_aws(self) -> None:
        counters = self.control.counters()
        if counters["rejected_signatures"] or counters["self_faults"] or counters["client_faults"]:
            raise Broken(f"the fake AWS complains: {counters}")

    def tell_story(self) -> None:
        self.start_service(2)
        self.start_haproxy()
        self.start_rollcalld()
        self.compare()
        self.scale_out()
        self.deploy()
        self.scale_in()
        self.check_aws()

    # Afterwards

    def keep(self) -> None:
        door = "http://{}:{}".format(*self.control.address)
        socket_path = self.home / "control.sock"
        say(f"""
It all stays up until Ctrl-C. In another terminal, from {HERE.parent}:
  export ROLLCALL_SOCKET={socket_path}
  ./rollcall status
  ./rollcall servers
  ./rollcall why {self.control.running(CLUSTER, SERVICE)[0]['id'][:12]}
  tests/rng/client.py --target 127.0.0.1:{self.ports.grpc} calls 100
  curl -d '{{"cluster": "{CLUSTER}", "service": "{SERVICE}", "desired": 4}}' {door}/scale
  curl -d '{{"cluster": "{CLUSTER}", "service": "{SERVICE}"}}' {door}/roll
HAProxy's own page: http://127.0.0.1:{self.ports.stats}/   logs: {self.home}""")
        while True:
            time.sleep(3600)

    def show_logs(self) -> None:
        for log in sorted(self.home.rglob("*.log")):
            lines = log.read_text(errors="replace").splitlines()[-15:]
            if lines:
                say(f"== the end of {log.name}")
                say("\n".join(lines))


def run(demo: Demo, keep: bool) -> int:
    try:
        demo.tell_story()
    except (Broken, AssertionError, TimeoutError, RuntimeError) as error:
        say(f"FAILED: {error}")
        demo.show_logs()
        return 1
    say()
    say("\n".join(demo.results))
    if keep:
        demo.keep()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="haproxy/demo", description="The main job, on one machine.")
    parser.add_argument("--keep", action="store_true", help="stay up afterwards, until Ctrl-C")
    parser.add_argument("--haproxy", metavar="PATH", help=f"the HAProxy to use (default {paths.HAPROXY})")
    options = parser.parse_args()
    if options.haproxy:
        paths.HAPROXY = options.haproxy
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    with tempfile.TemporaryDirectory(prefix="rollcall-demo-") as home:
        demo = Demo(Path(home))
        try:
            return run(demo, options.keep)
        except KeyboardInterrupt:
            say("\nstopping")
            return 0 if options.keep else 130
        finally:
            demo.close()


if __name__ == "__main__":
    sys.exit(main())
