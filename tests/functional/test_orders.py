"""The operator's hand: drain, ready, weight, pause and resume, by the command and by POST, at the real HAProxy."""

from __future__ import annotations

import json
import re
from typing import Any, Callable

import pytest

from conftest import Aws
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy, Server, wait_serving
from rollcall_testlib.waiting import stays, wait_until

SERVICE = {"cluster": "main", "service": "rng-service"}
TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def post(daemon: Rollcalld, path: str) -> tuple[int, Any]:
    status, text = daemon.request("POST", path)
    return status, json.loads(text)


def name_of(daemon: Rollcalld, task: dict[str, Any]) -> str:
    shown = daemon.server_of("grpc", task)
    assert shown is not None
    return shown["name"]


def held_by_haproxy(haproxy: HAProxy, task: dict[str, Any]) -> Server:
    server = haproxy.runtime.server_of("grpc", task)
    assert server is not None
    return server


def wait_state(daemon: Rollcalld, task: dict[str, Any], state: str) -> dict[str, Any]:
    return wait_until(lambda: (s := daemon.server_of("grpc", task)) and s["state"] == state and s, what=state)


# ---- what is done ----

def test_drain_holds_a_server_until_ready(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    """HAProxy gets `state drain`; every view says so, by whom, and how to end it."""
    task, other = aws.control.running(**SERVICE)
    name = name_of(rollcalld, task)
    done = rollcalld.rollcall("drain", f"grpc/{name}")
    assert (done.returncode, done.stderr) == (0, "") and name in done.stdout and done.stdout.count("\n") == 1
    shown = wait_state(rollcalld, task, "held")
    assert "rollcall drain" in shown["reason"]
    wait_until(lambda: held_by_haproxy(haproxy, task).is_draining, what="state drain")
    assert held_by_haproxy(haproxy, other).is_ready
    status = rollcalld.status()
    assert (status["servers"]["held"], status["servers"]["ready"], status["holds"]) == (1, 1, 1)
    assert "1 hold, 0 pauses" in rollcalld.rollcall("status").stdout
    why = rollcalld.rollcall("why", task["id"]).stdout.splitlines()
    assert why[0] == f"rng-service {task['id']}: in grpc as {name}, held"
    assert "rollcall drain" in why[1] and f"`rollcall ready grpc/{name}` ends that" in why[1]
    event = next(event for event in rollcalld.get("/v1/events") if event["kind"] == "order")
    assert (event["backend"], event["server"], event["task"]) == ("grpc", name, task["id"])
    done = rollcalld.rollcall("ready", f"grpc/{name}")
    assert done.returncode == 0, done.stderr
    wait_state(rollcalld, task, "ready")
    wait_until(lambda: held_by_haproxy(haproxy, task).is_ready, what="state ready")
    assert rollcalld.status()["holds"] == 0


def test_a_hold_ends_by_itself(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    task = aws.control.running(**SERVICE)[0]
    name = name_of(rollcalld, task)
    code, answer = post(rollcalld, f"/v1/servers/grpc/{name}/drain?for=1500ms")
    assert code == 200 and TIME.fullmatch(answer["until"]) and answer["server"]["name"] == name
    assert answer["server"]["state"] == "held", "what the order makes of it"
    wait_state(rollcalld, task, "held")
    wait_state(rollcalld, task, "ready")
    wait_until(lambda: held_by_haproxy(haproxy, task).is_ready, what="state ready")


def test_a_weight_is_kept_and_given_back(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    task = aws.control.running(**SERVICE)[0]
    name = name_of(rollcalld, task)

    def weight() -> str:
        return haproxy.runtime.stat_of("grpc", name)["weight"]

    before = weight()
    done = rollcalld.rollcall("--json", "weight", f"grpc/{name}", "7")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert set(document) == {"done", "until", "server"} and document["until"] is None
    wait_until(lambda: weight() == "7", what="the weight")
    assert "weight 7" in wait_until(lambda: (s := rollcalld.server_of("grpc", task)) and s["reason"])
    assert post(rollcalld, f"/v1/servers/grpc/{name}/weight?weight=auto")[0] == 200
    wait_until(lambda: weight() == before, what="the weight of before")


def test_a_drained_task_that_stops_leaves_nevertheless(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    """Proven evidence beats a hand."""
    task = aws.control.running(**SERVICE)[0]
    assert rollcalld.rollcall("drain", f"grpc/{name_of(rollcalld, task)}").returncode == 0
    wait_state(rollcalld, task, "held")
    aws.control.stop_task(task=task["id"], reason="a test")
    wait_until(lambda: (s := haproxy.runtime.server_of("grpc", task)) is None or s.in_maintenance, what="maint")
    wait_until(lambda: rollcalld.status()["holds"] == 0, 15, "the hold ended with its task")


def test_a_pause_keeps_new_tasks_out_and_lets_stopped_ones_leave(aws: Aws, rollcalld: Rollcalld,
                                                                 haproxy: HAProxy) -> None:
    first = aws.control.running(**SERVICE)
    done = rollcalld.rollcall("pause", "grpc")
    assert (done.returncode, done.stderr) == (0, "") and "grpc" in done.stdout
    backend = rollcalld.get("/v1/backends/grpc")
    assert (backend["paused"], backend["paused_until"], rollcalld.status()["pauses"]) == (True, None, 1)
    assert re.search(r"(?m)PAUSED$", rollcalld.rollcall("backends").stdout)
    aws.control.scale(**SERVICE, desired=3)
    aws.control.wait_steady(**SERVICE)
    fresh = next(t for t in aws.control.running(**SERVICE) if t["id"] not in {f["id"] for f in first})
    wait_until(lambda: rollcalld.request("GET", f"/v1/tasks/{fresh['id']}")[0] == 200, what="the new task known")
    stays(lambda: haproxy.runtime.server_of("grpc", fresh) is None, 2, "kept out")
    aws.control.stop_task(task=first[0]["id"], reason="a test")
    wait_until(lambda: (s := haproxy.runtime.server_of("grpc", first[0])) is None or s.in_maintenance, what="maint")
    assert rollcalld.rollcall("resume", "grpc").returncode == 0
    aws.control.wait_steady(**SERVICE)
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
    assert rollcalld.get("/v1/backends/grpc")["paused"] is False


def test_a_pause_of_all_ends_by_itself(rollcalld: Rollcalld) -> None:
    code, answer = post(rollcalld, "/v1/pause?for=1s")
    assert code == 200 and TIME.fullmatch(answer["until"])
    assert [backend["name"] for backend in answer["backends"]] == ["grpc"]
    wait_until(lambda: not rollcalld.get("/v1/backends/grpc")["paused"], what="over")
    assert rollcalld.status()["pauses"] == 0


# ---- what is refused ----

def test_what_cannot_be_is_refused_and_changes_nothing(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    """Bad parameters 400, unknown names 404, a free slot 409, a wrong method 405."""
    name = name_of(rollcalld, aws.control.running(**SERVICE)[0])
    free = next(server.name for server in haproxy.runtime.servers("grpc") if server.is_free_slot)
    before = haproxy.runtime.held()
    for path, code in [(f"grpc/{name}/drain?for=5", 400), (f"grpc/{name}/drain?fro=5m", 400),
                       (f"grpc/{name}/weight", 400), (f"grpc/{name}/weight?weight=257", 400),
                       (f"grpc/{name}/ready?for=1m", 400), ("grpc/rc_99/drain", 404), (f"none/{name}/drain", 404),
                       (f"grpc/{name}%0Ashutdown/drain", 404), (f"grpc/{name}/explode", 404),
                       (f"grpc/{name}/eject", 409), (f"grpc/{free}/drain", 409)]:
        got, answer = post(rollcalld, f"/v1/servers/{path}")
        assert got == code and answer["error"]["message"], (path, got, answer)
    for path, code in [("/v1/pause?backend=none", 404), ("/v1/resume?for=5m", 400), ("/v1/status", 405)]:
        assert post(rollcalld, path)[0] == code, path
    assert rollcalld.get_status(f"/v1/servers/grpc/{name}/drain") == 405
    assert (rollcalld.status()["holds"], rollcalld.status()["pauses"]) == (0, 0)
    assert haproxy.runtime.held() == before


def test_a_server_may_be_named_alone_and_a_task_is_none(aws: Aws, rollcalld: Rollcalld) -> None:
    task = aws.control.running(**SERVICE)[0]
    name = name_of(rollcalld, task)
    done = rollcalld.rollcall("drain", task["id"][:8])
    assert done.returncode == 1 and f"grpc/{name}" in done.stderr and not done.stdout
    assert rollcalld.status()["holds"] == 0
    assert rollcalld.rollcall("drain", name).returncode == 0
    wait_state(rollcalld, task, "held")
    assert rollcalld.rollcall("ready", name).returncode == 0


def test_a_name_of_several_backends_is_ambiguous(aws: Aws, service: str, start_haproxy: Callable[..., HAProxy],
                                                 start_rollcalld: Callable[..., Rollcalld]) -> None:
    second = "\nbackend grpc2\n  mode http\n  server-template rc_ 1-4 0.0.0.0:0 proto h2 disabled\n"
    haproxy = start_haproxy(extra=second)

    def change(configuration: dict[str, Any]) -> None:
        configuration["backends"].append({"name": "grpc2", "match": {"service": service}})

    daemon = start_rollcalld(change, haproxy=haproxy)
    done = daemon.rollcall("drain", "rc_1")
    assert done.returncode == 1 and "grpc/rc_1, grpc2/rc_1" in done.stderr
    assert daemon.status()["holds"] == 0


@pytest.mark.parametrize("arguments, code", [
    (["drain"], 2), (["drain", "a", "b"], 2), (["weight", "grpc/rc_1"], 2), (["pause", "a", "b"], 2),
    (["ready", "grpc/rc_1", "--for", "5m"], 2), (["resume", "--for", "5m"], 2), (["status", "--for", "5m"], 2),
    (["drain", "grpc/rc_1", "--for", "5"], 2), (["drain", "grpc/rc_1", "--for"], 2),
    (["weight", "grpc/rc_1", "257"], 2), (["weight", "grpc/rc_1", "auto", "--for", "5m"], 2),
    (["drain", "rc_99"], 1), (["drain", "grpc/rc_99"], 1), (["drain", "none/rc_1"], 1), (["pause", "none"], 1),
])
def test_exit_codes(aws: Aws, haproxy: HAProxy, start_rollcalld: Callable[..., Rollcalld], arguments: list[str],
                    code: int) -> None:
    """1 refused or unknown, 2 usage; what is wrong is on stderr, and only there."""
    done = start_rollcalld().rollcall(*arguments)
    assert (done.returncode, done.stdout) == (code, "") and done.stderr, done
