"""Another configuration, by SIGHUP and by `rollcall reload`: taken, refused, forced; and what survives it."""

from __future__ import annotations

import copy
import json
import socket
import subprocess
from pathlib import Path
from typing import Any, Callable

from conftest import Aws, base_configuration
from rollcall_testlib import paths
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy
from rollcall_testlib.waiting import wait_until

SERVICE = {"cluster": "main", "service": "rng-service"}


def configuration_of(aws: Aws, haproxy: HAProxy, daemon: Rollcalld, **changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(base_configuration(aws, haproxy, daemon.control_socket.parent)), **changes}


def states(daemon: Rollcalld) -> dict[str, str]:
    return {server["task"]: server["state"] for backend in daemon.get("/v1/backends") for server in backend["servers"]}


def test_a_new_file_is_applied_and_nothing_is_lost(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    """Holds, servers, readiness and events stay; SIGHUP and the command do the same."""
    one, two = aws.control.running(**SERVICE)
    server = rollcalld.server_of("grpc", one)
    assert server and rollcalld.rollcall("drain", f"grpc/{server['name']}").returncode == 0
    before, first_event = rollcalld.status()["config"], rollcalld.get("/v1/events")[0]
    rollcalld.write(configuration_of(aws, haproxy, rollcalld, defaults={"weight": 7, "drain_timeout": "1s"}))
    done = rollcalld.rollcall("reload", "--json")
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == {"done", "plan"}
    assert rollcalld.get_status("/ready") == 200
    after = rollcalld.status()["config"]
    assert after["hash"] != before["hash"] and after["refused"] is None and after["loaded_at"] >= before["loaded_at"]
    wait_until(lambda: states(rollcalld) == {one["id"]: "held", two["id"]: "ready"}, 15, "all as it was")
    assert rollcalld.get("/v1/events")[0] == first_event
    assert not [event for event in rollcalld.get("/v1/events") if event["to"] in ("gone", "draining")]
    rollcalld.write(configuration_of(aws, haproxy, rollcalld))
    rollcalld.reload()
    wait_until(lambda: rollcalld.status()["config"]["hash"] == before["hash"], 10, "the first file is back")
    # It works on: a new task gets a server.
    aws.control.scale(**SERVICE, desired=3)
    wait_until(lambda: sorted(states(rollcalld).values()) == ["held", "ready", "ready"], 20, "a third server")


def test_a_bad_file_is_refused_and_shown(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    rollcalld.write("ecs: {region: eu-west-1, clustr: [main]}\n")
    done = rollcalld.rollcall("reload")
    assert done.returncode == 1 and "unknown key `clustr`" in done.stderr and ":1:" in done.stderr
    status, text = rollcalld.request("POST", "/v1/reload")
    assert (status, json.loads(text)["error"]["code"]) == (409, "refused")
    assert "clustr" in rollcalld.status()["config"]["refused"] and "clustr" in rollcalld.problems()
    rollcalld.write(configuration_of(aws, haproxy, rollcalld, state_dir=str(rollcalld.control_socket.parent / "x")))
    assert "restart" in rollcalld.rollcall("reload").stderr
    assert sorted(states(rollcalld).values()) == ["ready", "ready"]
    rollcalld.write(configuration_of(aws, haproxy, rollcalld))
    assert rollcalld.rollcall("reload").returncode == 0
    assert rollcalld.status()["config"]["refused"] is None and rollcalld.problems() == ""


def test_a_file_that_removes_too_much_needs_force(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    """The servers of a backend that no entry names any more are drained."""
    other = [{"name": "other", "match": {"service": "nobody"}}]
    rollcalld.write(configuration_of(aws, haproxy, rollcalld, backends=other))
    rollcalld.reload()
    wait_until(lambda: "removal_limit" in (rollcalld.status()["config"]["refused"] or ""), 10, "a refusal")
    status, text = rollcalld.request("POST", "/v1/reload")
    refusal = json.loads(text)
    assert status == 409 and "2 of 2 servers from backend `grpc`" in refusal["error"]["message"]
    assert {"commands", "held"} == set(refusal["plan"])
    done = rollcalld.rollcall("reload")
    assert done.returncode == 1 and "--force" in done.stderr and "grpc" in done.stdout
    done = rollcalld.rollcall("reload", "--json")
    assert done.returncode == 1 and json.loads(done.stdout) == refusal
    assert sorted(states(rollcalld).values()) == ["ready", "ready"]
    assert rollcalld.rollcall("reload", "--force").returncode == 0
    wait_until(lambda: all(server.in_maintenance for server in haproxy.runtime.servers("grpc")), 20, "all out")
    wait_until(lambda: not states(rollcalld), 20, "its servers are gone")
    wait_until(lambda: [b["name"] for b in rollcalld.get("/v1/backends")] == ["other"], 10, "and so is it")


def test_the_log_level_and_the_second_door_follow_the_file(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy,
                                                           start_rollcalld: Callable[..., Rollcalld]) -> None:
    configuration = configuration_of(aws, haproxy, rollcalld)
    door = str(rollcalld.control_socket.parent / "door")
    configuration["control"]["listen"] = door
    rollcalld.write(configuration)
    assert rollcalld.rollcall_at(door, "health").returncode == 3
    rollcalld.rollcall("reload")
    assert rollcalld.rollcall_at(door, "health").stdout == "ok\n"
    assert rollcalld.rollcall_at(door, "reload").returncode == 1
    rollcalld.write(configuration_of(aws, haproxy, rollcalld))
    rollcalld.rollcall("reload")
    assert rollcalld.rollcall_at(door, "health").returncode == 3


# ---- systemd, and one look without a daemon ----

def test_systemd_is_told(aws: Aws, service: str, haproxy: HAProxy, directory: Path,
                         start_rollcalld: Callable[..., Rollcalld]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(directory / "notify"))
        systemd.settimeout(30)
        daemon = start_rollcalld(env={"NOTIFY_SOCKET": str(directory / "notify"), "WATCHDOG_USEC": "400000"})

        def wait_for(text: str) -> str:
            while text not in (message := systemd.recv(4096).decode()):
                pass
            return message

        assert "STATUS=1 backends by " in wait_for("READY=1")
        wait_for("WATCHDOG=1")
        daemon.reload()
        assert "MONOTONIC_USEC=" in wait_for("RELOADING=1")
        wait_for("READY=1")
        daemon.stop()
        wait_for("STOPPING=1")


def once(daemon: Rollcalld, option: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([paths.ROLLCALLD, option, "-f", str(daemon.control_socket.parent / "rollcall.yaml")],
                          capture_output=True, text=True, timeout=60, check=False)


def test_one_look_changes_nothing(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    """--plan and --doctor beside the daemon, and instead of it."""
    beside = once(rollcalld, "--plan")
    assert (beside.returncode, beside.stdout) == (0, "# nothing to do: HAProxy holds what it should\n"), beside.stderr
    doctor = once(rollcalld, "--doctor")
    assert "ok       haproxy_socket: " in doctor.stdout and doctor.returncode == 0, doctor.stderr
    rollcalld.stop()
    aws.control.scale(**SERVICE, desired=3)
    aws.control.wait_steady(**SERVICE)
    new, = [task for task in aws.control.running(**SERVICE) if not haproxy.runtime.server_of("grpc", task)]
    before = haproxy.runtime.servers("grpc")
    alone = once(rollcalld, "--plan")
    assert alone.returncode == 0 and new["address"] in alone.stdout and "  # running: " in alone.stdout
    assert haproxy.runtime.servers("grpc") == before
    lost = configuration_of(aws, haproxy, rollcalld)
    lost["haproxy"]["socket"] += "-nobody"
    rollcalld.write(lost)
    failed = once(rollcalld, "--plan")
    assert failed.returncode == 1 and "no plan: HAProxy at" in failed.stderr and failed.stdout == ""
