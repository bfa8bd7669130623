"""What an operator sees through each of the doors: events as they happen, the plan, findings, counts."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest

from conftest import Aws, base_configuration
from fakeaws.control import ACCESS_KEY_ID
from rollcall_testlib import paths
from rollcall_testlib.daemon import Rollcalld, to_yaml
from rollcall_testlib.haproxy import HAProxy
from rollcall_testlib.waiting import wait_until

SERVICE = {"cluster": "main", "service": "rng-service"}


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def listen(where: str) -> Callable[[dict[str, Any]], None]:
    return lambda configuration: configuration["control"].update(listen=where)


def http(port: int, request: str) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        s.sendall(request.encode())
        parts = []
        while part := s.recv(65536):
            parts.append(part)
    return b"".join(parts).decode()


# ---- the second door ----

def test_the_second_door_reads_and_takes_no_order(service: str, haproxy: HAProxy,
                                                  start_rollcalld: Callable[..., Rollcalld]) -> None:
    port = free_port()
    daemon = start_rollcalld(listen(f"127.0.0.1:{port}"))
    url = f"http://127.0.0.1:{port}"
    assert json.loads(daemon.rollcall_at(url, "status", "--json").stdout)["haproxy"]["in_step"]
    refused = daemon.rollcall_at(url, "pause")
    assert (refused.returncode, refused.stdout) == (1, "") and "read-only" in refused.stderr
    answer = http(port, "POST /v1/pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    assert answer.startswith("HTTP/1.1 405") and "Allow: GET, HEAD" in answer
    head = http(port, "HEAD /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert head.startswith("HTTP/1.1 200") and head.endswith("\r\n\r\n")
    assert daemon.status()["pauses"] == 0


@pytest.mark.one_haproxy
def test_a_tcp_door_is_not_read_by_a_name_that_a_web_page_brought(service: str, haproxy: HAProxy,
                                                                  start_rollcalld: Callable[..., Rollcalld]) -> None:
    """DNS rebinding: the browser connects to loopback, and says the page's own name."""
    port = free_port()
    daemon = start_rollcalld(listen(f"127.0.0.1:{port}"))

    def get(path: str, *headers: str, version: str = "1.1") -> str:
        return http(port, "\r\n".join([f"GET {path} HTTP/{version}", *headers, "Connection: close", "", ""]))

    for path in ("/", "/v1/status", "/v1/tasks/00000000", "/no/such/path"):
        refused = get(path, f"Host: page.example:{port}")
        assert refused.startswith("HTTP/1.1 421"), refused
        error = json.loads(refused.split("\r\n\r\n", 1)[1])["error"]
        assert error["code"] == "misdirected" and "ask it by its address" in error["message"]
    followed = get("/v1/events", "Host: page.example", "Accept: text/event-stream")
    assert followed.startswith("HTTP/1.1 421"), followed
    for path in ("/metrics", "/live", "/ready"):
        assert get(path, "Host: haproxy-1.internal:9101").startswith("HTTP/1.1 200")
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "[::1]", "10.0.0.7"):
        assert get("/v1/status", f"Host: {host}").startswith("HTTP/1.1 200")
    assert get("/v1/status", version="1.0").split(" ", 2)[1] == "200"
    status, _ = daemon.request("GET", "/v1/status")
    assert status == 200


PAGE = """
listen page
    bind 127.0.0.1:{page}
    mode http
    timeout client 5s
    timeout connect 5s
    timeout server 5s
    server rollcalld abns@{name}
"""


def test_haproxy_reaches_an_abstract_name(service: str, start_haproxy: Callable[..., HAProxy],
                                          start_rollcalld: Callable[..., Rollcalld]) -> None:
    """HAProxy pads abstract names with NULs; `rollcall -s abns@NAME` has to find the same one."""
    port, name = free_port(), f"rollcall-test-{os.getpid()}"
    haproxy = start_haproxy(extra_configuration(port, name))
    daemon = start_rollcalld(listen(f"abns@{name}"), haproxy=haproxy)
    answer = http(port, "GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith("HTTP/1.1 200") and '{"live":true}' in answer
    assert daemon.rollcall_at(f"abns@{name}", "health").stdout == "ok\n"
    assert daemon.rollcall_at(f"abns@{name}x", "health").returncode == 3


def extra_configuration(port: int, name: str) -> str:
    from rollcall_testlib.haproxy import shipped_configuration
    text = shipped_configuration()
    return text + PAGE.replace("{page}", str(port)).replace("{name}", name)


def test_a_door_that_cannot_be_opened_is_told_and_tried_again(service: str, haproxy: HAProxy,
                                                              start_rollcalld: Callable[..., Rollcalld]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        daemon = start_rollcalld(listen(f"127.0.0.1:{port}"))
        assert f"127.0.0.1:{port}" in daemon.problems() and "control.listen" in daemon.problems()
    wait_until(lambda: not daemon.problems(), 15, "the door is open")
    assert daemon.rollcall_at(f"http://127.0.0.1:{port}", "health").stdout == "ok\n"


# ---- events ----

def test_events_tell_a_task_s_life_and_are_log_lines(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    follower = subprocess.Popen([paths.ROLLCALL, "-s", str(rollcalld.control_socket), "--json", "events", "-f"],
                                stdout=subprocess.PIPE, text=True)
    try:
        tasks = {task["id"] for task in aws.control.running(**SERVICE)}
        last = rollcalld.get("/v1/events")[-1]["id"]
        aws.control.scale(**SERVICE, desired=1)

        def of_task() -> list[dict[str, Any]]:
            return [event for event in rollcalld.get(f"/v1/events?since={last}") if event["kind"] == "server"]

        events = wait_until(lambda: (e := of_task()) and e[-1]["to"] == "gone" and e, 30, "a server is gone")
        drained = next(event for event in events if event["to"] == "draining")
        assert (drained["from"], drained["evidence"], drained["backend"]) == ("ready", "stopping", "grpc")
        assert events[-1]["from"] == "draining" and events[-1]["task"] == drained["task"] in tasks
        for event in events:
            assert rollcalld.messages(re.escape(f"grpc/{event['server']}: {event['message']}")), event
        assert rollcalld.get("/v1/events?backend=nobody") == []
        assert follower.stdout is not None
        followed = []
        while not followed or followed[-1]["id"] < events[-1]["id"]:
            followed.append(json.loads(follower.stdout.readline()))
        assert [event["id"] for event in followed] == sorted(event["id"] for event in followed)
        assert [event for event in followed if event["id"] > last and event["kind"] == "server"] == events
    finally:
        follower.kill()
        follower.wait()
    text = rollcalld.rollcall("events", "--since", "10m").stdout
    assert re.search(r"^20\S+Z  grpc/rc_\d+  draining  drains: ", text, re.M)
    assert rollcalld.rollcall("events", "--since", "yesterday").returncode == 2


def test_a_client_goes_on_where_it_left_off(rollcalld: Rollcalld) -> None:
    rollcalld.rollcall("pause")
    rollcalld.rollcall("resume")
    *_, before, last = rollcalld.get("/v1/events")
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(rollcalld.control_socket))
        s.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n"
                  b"Last-Event-ID: %d\r\n\r\n" % before["id"])
        text = ""
        while f"id: {last['id']}\n" not in text:
            text += s.recv(65536).decode()
    assert "content-type: text/event-stream" in text.lower()
    assert f"id: {before['id']}\n" not in text


# ---- plan, doctor, metrics, orders to the daemon ----

def test_a_shadow_shows_its_plan(aws: Aws, service: str, haproxy: HAProxy,
                                 start_rollcalld: Callable[..., Rollcalld]) -> None:
    daemon = start_rollcalld(lambda c: c["haproxy"].update(apply=False))
    plan = wait_until(lambda: (p := daemon.get("/v1/plan")) and p["commands"] and p, 10, "a plan")
    addresses = {task["address"] for task in aws.control.running(**SERVICE)}
    assert {address for address in addresses for c in plan["commands"] if address in c["command"]} == addresses
    assert all(set(c) == {"command", "backend", "server", "evidence", "reason"} for c in plan["commands"])
    text = daemon.rollcall("plan").stdout
    assert text.startswith("COMMAND") and "set server grpc/rc_1 addr" in text
    for order in ("drain", "eject"):
        refused = daemon.rollcall(order, "grpc/rc_1")
        assert refused.returncode == 1 and "haproxy.apply is false" in refused.stderr
    assert not haproxy.runtime.server_of("grpc", aws.control.running(**SERVICE)[0])


def test_each_question_has_its_command(rollcalld: Rollcalld) -> None:
    assert rollcalld.rollcall("plan").stdout == "nothing to do: HAProxy holds what it should\n"
    assert json.loads(rollcalld.rollcall("plan", "--json").stdout) == {"commands": [], "held": []}
    doctor = rollcalld.rollcall("doctor")
    assert doctor.returncode == 0 and re.search(r"^ok +haproxy_socket: ", doctor.stdout, re.M)
    assert {"check", "result", "message", "fix"} == set(json.loads(rollcalld.rollcall("doctor", "--json").stdout)[0])
    route = rollcalld.rollcall("route", "a.example", "/x")
    assert route.returncode == 0 and "haproxy.cfg alone decides" in route.stdout
    assert json.loads(rollcalld.rollcall("route", "a.example", "/x", "--json").stdout)["servers"] == []
    metrics = rollcalld.rollcall("metrics").stdout
    assert 'rollcall_backend_servers{backend="grpc",state="ready"} 2' in metrics.splitlines()
    samples = json.loads(rollcalld.rollcall("metrics", "--json").stdout)
    assert {"name": "rollcall_backend_servers", "labels": {"backend": "grpc", "state": "ready"},
            "value": 2} in samples


def findings(doctor: list[dict[str, str]], check: str) -> dict[str, str]:
    return {finding["message"]: finding["result"] for finding in doctor if finding["check"] == check}


def test_the_doctor_tries_each_action(aws: Aws, rollcalld: Rollcalld) -> None:
    """The first question begins it, an answer waits for none of it, and it is not done again at once."""
    rollcalld.get("/v1/doctor")
    tried = wait_until(lambda: (p := findings(rollcalld.get("/v1/doctor"), "permissions"))
                       and set(p.values()) == {"ok"} and p, 20, "each action has its answer")
    assert {re.search(r": (.*) is allowed", message).group(1) for message in tried} == {  # type: ignore[union-attr]
        "sts:GetCallerIdentity", "ecs:ListTasks in `main`", "ecs:DescribeTasks in `main`",
        "ecs:DescribeClusters in `main`", "ecs:DescribeTaskDefinition"}
    assert any("we are arn:aws:iam::" in message for message in findings(rollcalld.get("/v1/doctor"), "identity"))
    assert aws.control.counters()["actions"]["DescribeClusters"] == 1


def test_the_doctor_names_the_action_that_is_denied(aws: Aws, rollcalld: Rollcalld) -> None:
    aws.control.deny(access_key_id=ACCESS_KEY_ID, action="DescribeTasks")
    aws.control.deny(access_key_id=ACCESS_KEY_ID, action="DescribeClusters")
    done = subprocess.run([paths.ROLLCALLD, "--doctor", "-f", str(rollcalld.control_socket.parent / "rollcall.yaml")],
                          capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 1
    assert re.search("^fault +permissions: .*: ecs:DescribeTasks in `main` is denied .*AccessDenied", done.stdout, re.M)
    assert re.search("^warning +permissions: .*: ecs:DescribeClusters in `main` is denied", done.stdout, re.M)
    assert re.search("^ok +permissions: .*: ecs:ListTasks in `main` is allowed", done.stdout, re.M)


@pytest.mark.one_haproxy
def test_the_doctor_tries_what_machines_and_a_list_of_clusters_need(aws: Aws, haproxy: HAProxy, directory: Path) -> None:
    """One of EC2's, one of ECS Anywhere, each with a bridge task: each is asked about where it is known."""
    for external in (False, True):
        aws.control.add_host(cluster="main", external=external)
    aws.control.register(family="m", network_mode="bridge", process="none")
    for _ in range(2):
        aws.control.run_tasks(cluster="main", definition="m", instantly=True)
    for action in ("DescribeInstances", "DescribeInstanceInformation"):
        aws.control.deny(access_key_id=ACCESS_KEY_ID, action=action)
    configuration = base_configuration(aws, haproxy, directory)
    configuration["ecs"]["clusters"] = ["*"]
    (directory / "doctor.yaml").write_text(to_yaml(configuration) + "\n")
    done = subprocess.run([paths.ROLLCALLD, "--doctor", "-f", str(directory / "doctor.yaml")], capture_output=True,
                          text=True, timeout=90, check=False)
    found = dict(re.findall(r"^(?:ok|fault|warning) +permissions: source `eu-west-1`: (.*?) is (allowed|denied)",
                            done.stdout, re.M))
    assert found == {
        "sts:GetCallerIdentity": "allowed", "ecs:ListClusters": "allowed", "ecs:ListTasks in `main`": "allowed",
        "ecs:DescribeTasks in `main`": "allowed", "ecs:DescribeClusters in `main`": "allowed",
        "ecs:DescribeContainerInstances in `main`": "allowed", "ecs:DescribeTaskDefinition": "allowed",
        "ec2:DescribeInstances": "denied", "ssm:DescribeInstanceInformation": "denied"}, done.stdout + done.stderr
    assert len(re.findall("^fault +permissions", done.stdout, re.M)) == 2 and done.returncode == 1


def test_orders_to_the_daemon(aws: Aws, rollcalld: Rollcalld) -> None:
    calls = rollcalld.status()["sources"][0]["calls"]
    done = rollcalld.rollcall("refresh")
    assert (done.returncode, done.stdout) == (0, "every cluster is read again, now\n")
    wait_until(lambda: rollcalld.status()["sources"][0]["calls"] > calls, 10, "a sweep")
    assert rollcalld.rollcall("log", "error").returncode == 0
    rollcalld.rollcall("pause")
    assert rollcalld.rollcall("log", "info").returncode == 0
    rollcalld.rollcall("resume")
    wait_until(lambda: rollcalld.messages("operator's order: all backends go on"), 10, "a line")
    assert not rollcalld.messages("operator's order: .*paused")
    assert rollcalld.rollcall("log", "loud").returncode == 2
    assert rollcalld.rollcall("log").returncode == 2
    assert rollcalld.rollcall("status", "--force").returncode == 2


def parse_metrics(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """A strict reader of the text format: each family has HELP and TYPE, and its samples together."""
    families: dict[str, list[tuple[dict[str, str], float]]] = {}
    types: dict[str, str] = {}
    current = ""
    for line in text.splitlines():
        if helped := re.fullmatch(r"# HELP (rollcall_[a-z0-9_]+) (\S.*)", line):
            current = helped[1]
            assert current not in families, f"{current} twice"
            families[current] = []
        elif typed := re.fullmatch(r"# TYPE (\S+) (counter|gauge)", line):
            assert typed[1] == current
            types[current] = typed[2]
            assert (typed[2] == "counter") == current.endswith("_total"), current
        else:
            sample = re.fullmatch(r'([a-z0-9_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\n"])*",?)+)\})? (-?[0-9.]+)', line)
            assert sample and sample[1] == current, line
            labels = dict(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', sample[2] or ""))
            assert labels not in [known for known, _ in families[current]], f"{line} twice"
            families[current].append((labels, float(sample[3])))
    assert set(types) == set(families)
    return families


def test_metrics_are_what_prometheus_reads(aws: Aws, rollcalld: Rollcalld) -> None:
    status, text = rollcalld.request("GET", "/metrics")
    assert status == 200 and text.endswith("\n")
    families = parse_metrics(text)
    infos = families["rollcall_server_info"]
    assert len(infos) == 2
    assert all(set(labels) == {"backend", "server", "task", "service", "revision", "zone"} and value == 1
               for labels, value in infos)
    assert {labels["task"] for labels, _ in infos} == {task["id"] for task in aws.control.running(**SERVICE)}
    assert families["rollcall_servers_added_total"][0][1] == 2
    assert families["rollcall_haproxy_in_step"][0][1] == 1
    assert families["rollcall_memory_resident_bytes"][0][1] > 1 << 20
    assert dict((labels["cluster"], value) for labels, value in families["rollcall_cluster_tasks"]) == {"main": 2}
