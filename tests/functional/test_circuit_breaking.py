"""A task that is not well leaves the rotation by HAProxy's own checks, and returns when it is well again.

rollcalld brings the servers, ECS calls the task RUNNING all the while, and the checks alone see it: plain tcp checks,
`option httpchk` over h2 (which can only ask whether a gRPC server answers at all: no body of a check may hold a zero
byte), the true gRPC health check as tcp-check lines, and `observe layer7`. What each of them can see, and what it costs
until it does, is asserted by version.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from conftest import Aws
from load.traffic import Call, Mix, Traffic
from rollcall_testlib import haproxy as hap
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy, wait_serving
from rollcall_testlib.paths import TOP
from rollcall_testlib.process import Child
from rollcall_testlib.rng_server import RngServer
from rollcall_testlib.waiting import wait_until

SERVICE = {"cluster": "main", "service": "rng-service"}
CLIENT_TIMEOUT = 10.0
SERVER_TIMEOUT = 2.0   # HAProxy's, for a task that says nothing: the price of a call to it
DOWN_WITHIN = 15.0     # it takes 2 s: inter 500 ms, fastinter 200 ms, fall 2, and timeouts of 500 ms
SLACK = 0.3

HTTPCHK = """\
    option httpchk
    http-check connect default
    http-check send meth POST uri /rng.Rng/NoSuchMethod ver HTTP/2 hdr host check hdr content-type application/grpc
    http-check expect status 200
"""


def literal(name: str, value: str) -> bytes:
    """A header without indexing, with a new name (RFC 7541, 6.2.2); both shorter than 127 bytes."""
    return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def grpc_check() -> str:
    """The whole request, and of the answer its message: 5 bytes of gRPC, then status SERVING."""
    headers = b"\x83\x86" + literal(":path", "/grpc.health.v1.Health/Check") + literal(":authority", "check") + (
        literal("content-type", "application/grpc") + literal("te", "trailers"))
    request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, headers) + (
        frame(0, 1, 1, bytes(5)))
    return ("    option tcp-check\n    tcp-check connect default\n"
            f"    tcp-check send-binary {request.hex()}\n    tcp-check expect binary 00000000020801\n")


# Lines of the backend, and keys of its servers.
CHECKS = {
    "tcp": ("", ""),
    "tcp+observe": ("", "observe layer7 error-limit 5 on-error mark-down"),
    "httpchk": (HTTPCHK, "check-proto h2"),
    "grpc": (grpc_check(), ""),
}


def configuration(check: str, retry: str) -> str:
    lines, keys = CHECKS[check]
    return f"""\
global
    stats socket {{socket}} mode 600 level admin
defaults
    mode http
    timeout connect 300ms
    timeout client 1m
    timeout server {SERVER_TIMEOUT:.0f}s
    timeout check 500ms
    retries 3
    option redispatch 1
    retry-on {retry}
frontend grpc_in
    bind 127.0.0.1:{{grpc}} proto h2
    default_backend grpc
backend grpc
    balance roundrobin
{lines}    default-server proto h2 check inter 500ms fastinter 200ms downinter 500ms rise 2 fall 2 {keys}
    server-template rc_ 8 0.0.0.0:0 disabled
"""


class Fleet:
    """Three addresses that ECS calls RUNNING tasks, and what really runs there."""

    def __init__(self, aws: Aws, directory: Path) -> None:
        aws.control.register(family="address", process="none")
        aws.control.create_service(**SERVICE, desired=3, definition="address")
        aws.control.wait_steady(**SERVICE)
        self.tasks: list[dict[str, Any]] = aws.control.running(**SERVICE)
        self._directory, self._count = directory, 0
        self.now: dict[str, Child] = {}
        for task in self.tasks:
            self.cure(task)

    def _name(self, task: dict[str, Any]) -> str:
        self._count += 1
        return f"{task['id'][:8]}-{self._count}"

    @staticmethod
    def address(task: dict[str, Any]) -> str:
        return f"{task['address']}:{task['port']}"

    def end(self, task: dict[str, Any]) -> None:
        if task["id"] in self.now:
            self.now.pop(task["id"]).kill()

    def cure(self, task: dict[str, Any]) -> None:
        if isinstance(self.now.get(task["id"]), RngServer):
            self.now[task["id"]].signal(signal.SIGCONT)
            return
        self.end(task)
        server = RngServer(self._directory, self._name(task), self.address(task), drain=0.0)
        self.now[task["id"]] = server

    def sicken(self, task: dict[str, Any], how: str) -> None:
        if how == "stopped":  # the process, in the middle of everything; the kernel still accepts for it
            self.now[task["id"]].signal(signal.SIGSTOP)
            return
        self.end(task)
        if how != "refuse":
            self.now[task["id"]] = Child(
                [sys.executable, str(TOP / "tests" / "rng" / "sick.py"), "--listen", self.address(task), "--how", how],
                self._directory / f"{self._name(task)}.log")

    def calls_to(self, task: dict[str, Any]) -> int:
        server = self.now[task["id"]]
        return server.journal().calls if isinstance(server, RngServer) else 0


@pytest.fixture
def fleet(aws: Aws, directory: Path) -> Iterator[Fleet]:
    made = Fleet(aws, directory)
    yield made
    for task in made.tasks:
        made.end(task)


# Short calls alone, which HAProxy shares out one by one: what fails was sent to the sick task.
CALLS = Mix(unary=60, slow=0, streams=0, crowd=0, connections=2, processes=1, timeout=CLIENT_TIMEOUT)


class Story:
    """When what happened."""

    sick = struck = down = cured = up = 0.0  # struck: the process is gone, or does as it is told
    lag = 0.0  # what a busy machine added to a call: the generator's own worst delay, for each of the three processes
    calls: list[Call]

    @property
    def failed(self) -> list[Call]:
        return [call for call in self.calls if call.failed]

    def failed_between(self, begin: float, end: float) -> list[Call]:
        return [call for call in self.failed if begin <= call.sent < end]

    def worst(self, begin: float, end: float) -> float:
        return max((call.ended - call.sent for call in self.calls if begin <= call.sent < end), default=0.0)


def live_through(directory: Path, fleet: Fleet, haproxy: HAProxy, daemon: Rollcalld, how: str) -> Story:
    """Well, sick, out, well, in again; under load all the while."""
    story, patient = Story(), fleet.tasks[1]
    others = [task for task in fleet.tasks if task is not patient]
    wait_serving(haproxy, "grpc", fleet.tasks)
    name = haproxy.runtime.server_of("grpc", patient).name
    with Traffic(directory, haproxy.target, CALLS) as traffic:
        wait_until(lambda: min(map(fleet.calls_to, fleet.tasks)) > 10, what="calls to all three")
        story.sick = time.monotonic()
        fleet.sicken(patient, how)
        story.struck = time.monotonic()
        wait_until(lambda: haproxy.runtime.status("grpc", name).startswith("DOWN"), DOWN_WITHIN, "down")
        story.down = time.monotonic()
        wait_until(lambda: daemon.server_of("grpc", patient)["state"] == "down", what="shown as down")
        assert "check" in daemon.server_of("grpc", patient)["reason"]
        before = [fleet.calls_to(task) for task in others]
        wait_until(lambda: all(fleet.calls_to(task) > then + 20 for task, then in zip(others, before)),
                   what="calls to the others")
        assert haproxy.runtime.server_of("grpc", patient).is_ready, "rollcalld leaves it to the checks"
        story.cured = time.monotonic()
        fleet.cure(patient)
        wait_serving(haproxy, "grpc", fleet.tasks)
        story.up = time.monotonic()
        seen = fleet.calls_to(patient)
        wait_until(lambda: fleet.calls_to(patient) > seen + 10, what="calls to it again")
        story.calls = traffic.stop()
        story.lag = 3 * traffic.lateness
    print(f"down after {story.down - story.sick:.2f} s at a cost of {len(story.failed)} of {len(story.calls)} calls, "
          f"the longest of {story.worst(story.sick - 1, story.up):.2f} s; back {story.up - story.cured:.2f} s later")
    return story


def expect_no_cost_outside(story: Story) -> None:
    """Only what was sent to it between its sickness and its leaving may fail."""
    outside = [call for call in story.failed if not story.sick - SLACK <= call.sent <= story.down + SLACK]
    assert not outside, outside[:5]


Live = Callable[..., Story]


@pytest.fixture
def live(directory: Path, fleet: Fleet, start_haproxy: Callable[..., HAProxy],
         start_rollcalld: Callable[..., Rollcalld]) -> Live:
    def run(check: str, how: str, retry: str = "conn-failure") -> Story:
        haproxy = start_haproxy(configuration(check, retry))
        return live_through(directory, fleet, haproxy, start_rollcalld(haproxy=haproxy), how)
    return run


def sends_before_it_is_connected() -> bool:
    """HAProxy 3.2 and later, h2c: to it a connection that never stood is an answer that did not come."""
    return hap.version() >= (3, 2)


@pytest.mark.parametrize("check", ("tcp", "grpc"))
def test_a_task_that_refuses_connections(live: Live, check: str) -> None:
    """2.6 and 3.0 send each call to another one, unseen; 3.2 and later cannot tell that nothing was sent."""
    story = live(check, "refuse")
    expect_no_cost_outside(story)
    lost = story.failed_between(story.sick + SLACK, story.up)
    assert lost == [] or sends_before_it_is_connected()
    assert story.worst(story.sick + SLACK, story.up) < 1.5 + story.lag


def test_a_task_that_refuses_connections_costs_nothing_where_calls_may_be_sent_twice(live: Live) -> None:
    """On every version: what was never answered goes to another task. It was killed, so an answer may have begun."""
    story = live("tcp", "refuse", "conn-failure empty-response")
    in_flight = [call for call in story.failed if call.sent < story.struck and call.ended > story.sick]
    assert [call for call in story.failed if call not in in_flight] == []
    assert len(in_flight) <= CALLS.connections, "one of 60 calls a second"


@pytest.mark.parametrize("check", ("grpc",))
def test_a_task_that_nobody_hears_of(live: Live, check: str) -> None:
    """Its SYN is dropped: 2.6 and 3.0 give up after `timeout connect`, later ones wait for `timeout server` (h2c)."""
    story = live(check, "unheard")
    expect_no_cost_outside(story)
    if sends_before_it_is_connected():
        assert story.worst(story.sick, story.up) < SERVER_TIMEOUT + 1 + story.lag
    else:
        assert story.failed_between(story.sick + SLACK, story.up) == []
        assert story.worst(story.sick, story.up) < 1.5 + story.lag, "300 ms each"


@pytest.mark.parametrize("check, how", [("httpchk", "503"), ("grpc", "503")])
def test_a_task_that_answers_503(live: Live, check: str, how: str) -> None:
    """A check that asks sees it. Until then its answers are the callers'."""
    story = live(check, how)
    expect_no_cost_outside(story)
    assert all(call.code == "UNAVAILABLE" and call.ended - call.sent < 1 + story.lag for call in story.failed)


@pytest.mark.parametrize("check, how", [("httpchk", "mute"), ("grpc", "hang"), ("grpc", "stopped")])
def test_a_task_that_hangs(live: Live, check: str, how: str) -> None:
    """It accepts: with hang and stopped the kernel does. A call that it has taken waits for `timeout server`."""
    story = live(check, how)
    expect_no_cost_outside(story)
    assert story.worst(story.sick - 1, story.up) < SERVER_TIMEOUT + 1 + story.lag, "and no longer"


def test_a_tcp_check_does_not_see_a_task_that_hangs_and_observing_its_answers_does(
        directory: Path, fleet: Fleet, start_haproxy: Callable[..., HAProxy],
        start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Why a check has to ask: plain tcp stays UP for as long as the kernel accepts."""
    haproxy = start_haproxy(configuration("tcp", "conn-failure"))
    start_rollcalld(haproxy=haproxy)
    wait_serving(haproxy, "grpc", fleet.tasks)
    fleet.sicken(fleet.tasks[0], "hang")
    with Traffic(directory, haproxy.target, CALLS) as traffic:
        name = haproxy.runtime.server_of("grpc", fleet.tasks[0]).name
        # Its kernel accepts; where the machine is busy a check may be late all the same.
        seen = []
        for _ in range(30):
            seen.append(haproxy.runtime.status("grpc", name).startswith("UP"))
            time.sleep(0.1)
        calls = traffic.stop()
    assert sum(seen) > len(seen) / 2, seen
    assert 0.1 < sum(call.failed for call in calls) / len(calls) < 0.45, "each third call"


@pytest.mark.parametrize("how", ("503",))
def test_observe_layer7_takes_out_what_a_tcp_check_takes_for_well(
        directory: Path, fleet: Fleet, start_haproxy: Callable[..., HAProxy],
        start_rollcalld: Callable[..., Rollcalld], how: str) -> None:
    """Five errors mark it down; two passed tcp checks bring it back, to five errors more: it bounces. That costs fewer
    calls than each third one, and more than a check that asks.
    """
    haproxy, patient = start_haproxy(configuration("tcp+observe", "conn-failure")), fleet.tasks[0]
    start_rollcalld(haproxy=haproxy)
    wait_serving(haproxy, "grpc", fleet.tasks)
    name = haproxy.runtime.server_of("grpc", patient).name
    with Traffic(directory, haproxy.target, CALLS) as traffic:
        wait_until(lambda: fleet.calls_to(patient) > 10, what="calls to it")
        fleet.sicken(patient, how)
        wait_until(lambda: haproxy.runtime.status("grpc", name).startswith("DOWN"), DOWN_WITHIN + SERVER_TIMEOUT,
                   "down")
        wait_until(lambda: int(haproxy.runtime.stat_of("grpc", name)["chkdown"]) > 1, 30, "down again")
        fleet.cure(patient)
        wait_serving(haproxy, "grpc", fleet.tasks)
        cured = time.monotonic()
        wait_until(lambda: fleet.calls_to(patient) > 20, what="calls to it again")
        calls = traffic.stop()
    failed = [call for call in calls if call.failed]
    assert not [call for call in failed if call.sent > cured + SLACK]
    print(f"{len(failed)} of {len(calls)} calls failed")
    assert len(failed) / len(calls) < 0.3


def test_all_tasks_sick_at_once_are_not_taken_out_by_rollcalld(
        fleet: Fleet, start_haproxy: Callable[..., HAProxy], start_rollcalld: Callable[..., Rollcalld]) -> None:
    """HAProxy has no server then, and says so at once; rollcalld removes none, and all are back by themselves."""
    haproxy = start_haproxy(configuration("grpc", "conn-failure"))
    daemon = start_rollcalld(haproxy=haproxy)
    wait_serving(haproxy, "grpc", fleet.tasks)
    before = haproxy.runtime.held()
    for task in fleet.tasks:
        fleet.sicken(task, "stopped")
    wait_until(lambda: haproxy.runtime.serving("grpc") == set(), DOWN_WITHIN, "all down")
    wait_until(lambda: {server["state"] for server in daemon.servers("grpc")} == {"down"}, what="shown as down")
    assert haproxy.runtime.held() == before
    for task in fleet.tasks:
        fleet.cure(task)
    wait_serving(haproxy, "grpc", fleet.tasks)
    assert haproxy.runtime.held() == before
