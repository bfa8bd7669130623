"""What an operator does to a server on HAProxy's own socket is respected, until it is taken back or the task ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conftest import Aws
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy, Server, wait_serving
from rollcall_testlib.waiting import stays, wait_until

COMMANDS = {"drain": "set server {server} state drain", "maint": "set server {server} state maint",
            "weight": "set server {server} weight 7"}


class Hand:
    """On the server of one task."""

    def __init__(self, aws: Aws, haproxy: HAProxy, daemon: Rollcalld, service: str, kind: str) -> None:
        self.haproxy, self.daemon, self.kind = haproxy, daemon, kind
        self.tasks = aws.control.running("main", service)
        self.task = self.tasks[0]
        self.other = self.tasks[1]
        self.name = ""

    def server(self) -> Server:
        server = self.haproxy.runtime.server_of("grpc", self.task)
        assert server
        return server

    def lay(self) -> None:
        self.name = f"grpc/{self.server().name}"
        self.haproxy.runtime.ask(COMMANDS[self.kind].format(server=self.name))
        self.daemon.wait_line(f"{self.name}.* was set on HAProxy's socket.* `rollcall ready {self.name}`")

    def is_respected(self) -> bool:
        server = self.haproxy.runtime.server_of("grpc", self.task)
        if server is None:
            return False
        return {"drain": server.is_draining, "maint": server.in_maintenance,
                "weight": server.is_ready and server.weight == 7}[self.kind]

    def holds(self) -> list[dict[str, Any]]:
        text = (self.daemon.control_socket.parent / "state" / "overlay.json").read_text()
        return json.loads(text)["holds"]


@pytest.fixture(params=list(COMMANDS))
def hand(request: pytest.FixtureRequest, aws: Aws, haproxy: HAProxy, service: str, rollcalld: Rollcalld) -> Hand:
    return Hand(aws, haproxy, rollcalld, service, request.param)


def test_a_hand_on_haproxys_socket_is_respected_and_shown(hand: Hand) -> None:
    hand.lay()
    stays(hand.is_respected, 3)
    assert [hold["task"] for hold in hand.holds()] == [hand.task["arn"]]
    if hand.kind != "weight":
        server = hand.daemon.server_of("grpc", hand.task)
        assert server and server["state"] == "held", server
    assert hand.daemon.status()["haproxy"]["in_step"]


def test_it_outlives_rollcalld(hand: Hand) -> None:
    hand.lay()
    hand.daemon.kill()
    hand.daemon.restart()
    hand.daemon.wait_ready()
    stays(hand.is_respected, 2)
    assert len(hand.daemon.messages("was set on HAProxy's socket")) == 1


def test_it_outlives_haproxy_and_a_change_of_slots(hand: Hand) -> None:
    """The task gets another slot in the new process, perhaps: the hold is on the task."""
    hand.lay()
    hand.haproxy.restart()
    wait_until(hand.is_respected, what="it is held again")
    wait_until(lambda: hand.haproxy.runtime.serving("grpc") >= {f"{hand.other['address']}:{hand.other['port']}"},
               what="the other serves")
    stays(hand.is_respected, 2)


def test_it_ends_when_it_is_taken_back(hand: Hand) -> None:
    hand.lay()
    weight = max(server.weight for server in hand.haproxy.runtime.servers("grpc"))
    hand.haproxy.runtime.ask(f"set server {hand.name} state ready")
    if hand.kind == "weight":
        hand.haproxy.runtime.ask(f"set server {hand.name} weight {weight}")
    wait_until(lambda: hand.holds() == [], what="no hold is left")
    wait_serving(hand.haproxy, "grpc", hand.tasks)
    assert hand.server().weight == weight


def test_it_ends_with_its_task(hand: Hand, aws: Aws, service: str) -> None:
    """Proven evidence beats it; the task that comes instead is nobody's."""
    hand.lay()
    aws.control.stop_task(task=hand.task["arn"])
    aws.control.wait_steady("main", service)
    wait_serving(hand.haproxy, "grpc", aws.control.running("main", service))
    wait_until(lambda: hand.holds() == [], 20, "no hold is left")
    assert len({server.weight for server in hand.haproxy.runtime.servers("grpc") if server.is_ready}) == 1
