"""A start while AWS cannot be asked: the last roster on disk may add servers, and takes none away."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any, Callable

import pytest

from conftest import Aws
from rng import client
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy, wait_serving
from rollcall_testlib.waiting import stays, wait_until

pytestmark = pytest.mark.one_haproxy  # what is on disk, and not HAProxy, is what it is about

SERVICE = {"cluster": "main", "service": "rng-service"}
FROM_DISK = r"is not read yet: until it is, its \d+ tasks"


def file_of(daemon: Rollcalld) -> Path:
    return daemon.control_socket.parent / "state" / "roster.json"


def has_left(haproxy: HAProxy, task: dict[str, Any]) -> bool:
    server = haproxy.runtime.server_of("grpc", task)
    return server is None or server.in_maintenance


def cut_off(aws: Aws) -> None:
    for action in ("ListTasks", "DescribeTasks", "DescribeTaskDefinition", "ListClusters"):
        aws.control.add_fault(kind="unavailable", action=action)


def test_servers_are_back_without_aws_and_who_has_gone_leaves_once_aws_says_so(
        aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    """rollcalld and HAProxy begin anew, HAProxy with empty slots, and one of two tasks has ended meanwhile."""
    kept, gone = aws.control.running(**SERVICE)
    rollcalld.stop()
    cut_off(aws)
    aws.control.scale(**SERVICE, desired=1)
    aws.control.stop_task(task=gone["id"])
    aws.control.wait_task(gone["arn"], "STOPPED")
    kept, = [task for task in (kept, gone) if task["id"] != gone["id"]]
    haproxy.restart()
    mark = rollcalld.mark()
    rollcalld.start()
    rollcalld.wait_live()
    assert rollcalld.get_status("/ready") == 503
    wait_serving(haproxy, "grpc", [kept], timeout=30)
    assert client.call_many(haproxy.target, 20).failed == 0
    rollcalld.wait_ready(20)
    assert len(rollcalld.messages(FROM_DISK, since=mark)) == 1
    cluster = rollcalld.cluster("main")
    assert cluster["from_disk"] is True and cluster["tasks"] == 2 and cluster["complete_at"] is None

    def it_waits() -> bool:
        server = haproxy.runtime.server_of("grpc", gone)
        return (server is not None and not server.in_maintenance and not server.is_draining
                and haproxy.runtime.serving("grpc") == {f"{kept['address']}:{kept['port']}"})

    wait_until(it_waits, 10, "the other is there, and HAProxy's check keeps it out")
    stays(it_waits, 1.0, "nothing says yet that it has ended")

    aws.control.clear_faults()
    wait_until(lambda: rollcalld.cluster("main")["from_disk"] is False, 60, "read")
    wait_until(lambda: has_left(haproxy, gone), 20, "it leaves")
    wait_serving(haproxy, "grpc", [kept])
    assert client.call_many(haproxy.target, 20).failed == 0


def test_a_found_cluster_outlives_a_reload_and_the_next_start_in_the_same_outage(
        aws: Aws, service: str, haproxy: HAProxy, start_rollcalld: Callable[..., Rollcalld]) -> None:
    """clusters "*": the list of clusters cannot be had either; a stop does not write what was not read."""
    daemon = start_rollcalld(lambda c: c["ecs"].update(clusters=["*"]))
    tasks = aws.control.running(**SERVICE)
    daemon.stop()
    written = file_of(daemon).read_text()
    cut_off(aws)
    haproxy.restart()
    daemon.start()
    wait_serving(haproxy, "grpc", tasks, timeout=30)
    daemon.wait_ready()
    assert daemon.rollcall("reload").returncode == 0
    stays(lambda: len(haproxy.runtime.serving("grpc")) == 2, 1.0, "both serve on")
    daemon.stop()
    assert file_of(daemon).read_text() == written
    haproxy.restart()
    daemon.start()
    wait_serving(haproxy, "grpc", tasks, timeout=30)
    aws.control.clear_faults()
    wait_until(lambda: daemon.cluster("main")["from_disk"] is False, 90, "read")
    assert client.call_many(haproxy.target, 20).failed == 0


@pytest.mark.parametrize("spoil", [lambda text: text[:-20], lambda text: text.replace("RUNNING", "STOPPED", 1),
                                   lambda text: "no roster\n"], ids=["cut", "changed", "other"])
def test_a_damaged_file_is_set_aside_and_said_once(spoil: Any, rollcalld: Rollcalld) -> None:
    """And written anew."""
    rollcalld.stop()
    mark = rollcalld.mark()
    file_of(rollcalld).write_text(spoil(file_of(rollcalld).read_text()))
    rollcalld.start()
    rollcalld.wait_ready()
    assert len(rollcalld.messages("roster.json is damaged", since=mark)) == 1
    assert file_of(rollcalld).with_name("roster.json.damaged").exists()
    wait_until(file_of(rollcalld).exists, what="written anew")
    rollcalld.restart()
    rollcalld.wait_ready()
    assert len(rollcalld.messages("roster.json", since=mark)) == 1


def test_what_was_read_more_than_an_hour_ago_is_not_used(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    """A line says so, and nobody serves."""
    rollcalld.stop()
    mark = rollcalld.mark()
    head, _, body = file_of(rollcalld).read_text().partition("\n")
    body = re.sub(r'"read_ms":(\d+)', lambda found: f'"read_ms":{int(found[1]) - 3_600_000}', body)
    header = {**json.loads(head), "sha256": hashlib.sha256(body.encode()).hexdigest()}
    file_of(rollcalld).write_text(json.dumps(header) + "\n" + body)
    cut_off(aws)
    haproxy.restart()
    rollcalld.start()
    rollcalld.wait_live()
    stays(lambda: haproxy.runtime.serving("grpc") == set(), 12.0, "nobody serves")
    assert len(rollcalld.messages("more than an hour old, and not used", since=mark)) == 1
    assert rollcalld.get_status("/ready") == 503
    assert rollcalld.cluster("main")["from_disk"] is False
    aws.control.clear_faults()
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE), timeout=60)


def test_a_file_of_another_version_is_left_alone(rollcalld: Rollcalld) -> None:
    """It is ignored, with a line."""
    rollcalld.stop()
    mark = rollcalld.mark()
    head, _, body = file_of(rollcalld).read_text().partition("\n")
    header = json.loads(head)
    header["rollcall_roster"] += 1
    file_of(rollcalld).write_text(json.dumps(header) + "\n" + body)
    rollcalld.start()
    rollcalld.wait_ready()
    assert len(rollcalld.messages("roster.json is not used: it is of version 2", since=mark)) == 1
    assert not file_of(rollcalld).with_name("roster.json.damaged").exists()
