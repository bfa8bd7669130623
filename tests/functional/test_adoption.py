"""rollcalld dies and comes back, HAProxy is reloaded: what serves goes on serving.

Nothing is touched that is as it should be, what a killed daemon had begun is finished, and a new HAProxy process has all
of it again at once.
"""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from conftest import Aws, base_configuration
from rng import client
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy, version, wait_serving
from rollcall_testlib.waiting import stays, wait_until

SERVICE = {"cluster": "main", "service": "rng-service"}
CHANGES = r"joins|takes calls|drains|streams are shut|is gone"


def state_of(daemon: Rollcalld, name: str) -> Path:
    return daemon.control_socket.parent / "state" / name


def start_tasks(aws: Aws, count: int) -> list[dict[str, Any]]:
    aws.control.register(family="rng", drain=3.0)
    aws.control.create_service(**SERVICE, desired=count, definition="rng")
    aws.control.wait_steady(**SERVICE)
    return aws.control.running(**SERVICE)


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_daemon_that_comes_back_sends_nothing_where_nothing_is_missing(end: str, haproxy: HAProxy,
                                                                        rollcalld: Rollcalld) -> None:
    """Neither after a crash nor after an orderly end."""
    held, mark = haproxy.runtime.held(), rollcalld.mark()
    if end == "kill":
        rollcalld.kill()
    rollcalld.restart()
    rollcalld.wait_ready()
    stays(lambda: haproxy.runtime.held() == held, 2)
    assert rollcalld.messages(CHANGES, since=mark) == []


def test_a_daemon_killed_again_and_again_under_changes_fails_no_call(
        aws: Aws, shipped_haproxy: HAProxy, start_rollcalld: Callable[..., Rollcalld]) -> None:
    """SIGKILL at random moments, while tasks come and go under load: no call fails, and in the end all is right."""
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    print("seed", seed)
    start_tasks(aws, 2)
    daemon = start_rollcalld(haproxy=shipped_haproxy)
    with client.Load(shipped_haproxy.target, rate=100, connections=2, streams=2) as load:
        for desired in (4, 3, 5, 2):
            aws.control.scale(**SERVICE, desired=desired)
            for _ in range(2):
                time.sleep(dice.uniform(0, 0.6))  # the moment is what is random here, nothing is awaited
                daemon.kill()
                daemon.restart()
            aws.control.wait_steady(**SERVICE)
            wait_serving(shipped_haproxy, "grpc", aws.control.running(**SERVICE))
    assert load.result.failed == 0, f"seed {seed}: {load.result.failed} of {load.result.calls}: {load.result.details}"
    assert aws.control.calls()["twice"] == []
    assert not daemon.messages("was set on HAProxy's socket"), "its own hand, taken for another's"
    assert json.loads(state_of(daemon, "applied.json").read_text())["rollcall_applied"] == 1


@pytest.mark.one_haproxy
def test_whoever_reads_applied_json_finds_one_version_whole(aws: Aws, haproxy: HAProxy, service: str,
                                                            rollcalld: Rollcalld) -> None:
    """Two files take turns; what stands in the other one, torn by a kill, is not looked at."""
    file, other = state_of(rollcalld, "applied.json"), state_of(rollcalld, "applied.json.new")
    seen = set()

    def is_done(tasks: int) -> bool:
        text = file.read_text()
        seen.add(text)
        return len(json.loads(text)["servers"]) == tasks

    for desired in (5, 1, 4, 2):
        aws.control.scale(cluster="main", service=service, desired=desired)
        aws.control.wait_steady("main", service)
        wait_until(lambda tasks=desired: is_done(tasks), 30, "it tells of them")  # type: ignore[misc]
    assert len(seen) >= 4
    assert json.loads(other.read_text())["rollcall_applied"] == 1, "the version before"
    rollcalld.kill()
    other.write_text('{"rollcall_applied":1,' + "x" * 1_000_000)
    rollcalld.restart()
    aws.control.scale(cluster="main", service=service, desired=3)
    aws.control.wait_steady("main", service)
    wait_until(lambda: is_done(3), 30, "it goes on")
    assert not rollcalld.messages("is damaged")


def test_a_removal_that_a_killed_daemon_began_is_finished(aws: Aws, haproxy: HAProxy, service: str,
                                                          rollcalld: Rollcalld) -> None:
    """Its task is gone from ECS by the time the next daemon starts."""
    victim = aws.control.running("main", service)[0]
    server = haproxy.runtime.server_of("grpc", victim)
    assert server
    rollcalld.kill()
    haproxy.runtime.ask(f"set server grpc/{server.name} state maint")  # as it would have been, a moment later
    aws.control.stop_task(task=victim["arn"])
    aws.control.wait_steady("main", service)
    rollcalld.restart()
    wait_serving(haproxy, "grpc", aws.control.running("main", service))


def test_a_task_that_was_told_to_stop_while_nobody_looked_drains_at_once(
        aws: Aws, haproxy: HAProxy, start_rollcalld: Callable[..., Rollcalld]) -> None:
    """ListTasks shows it no more: the next daemon asks for it by name, and drains it while it still serves."""
    aws.control.register(family="rng", drain=60.0)
    aws.control.create_service(**SERVICE, desired=2, definition="rng")
    aws.control.wait_steady(**SERVICE)
    victim, other = aws.control.running(**SERVICE)
    daemon = start_rollcalld(haproxy=haproxy)
    server = haproxy.runtime.server_of("grpc", victim)
    assert server and server.is_ready
    daemon.kill()
    aws.control.scale(**SERVICE, desired=1)
    wait_until(lambda: len(aws.control.running(**SERVICE)) == 1, what="one is told to stop")
    victim, = [task for task in (victim, other) if task["id"] != aws.control.running(**SERVICE)[0]["id"]]
    server = haproxy.runtime.server_of("grpc", victim)
    assert server and server.is_ready, "nobody was there to see it"
    daemon.restart()
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
    wait_until(lambda: daemon.messages(f"{server.name}: drains.*{victim['id']}.*evidence stopping"), what="the log line")
    assert victim["id"] in [task["id"] for task in aws.control.tasks(**SERVICE) if task["last_status"] != "STOPPED"]


@pytest.mark.one_haproxy
def test_an_entry_that_was_dropped_meanwhile_leaves_no_server_to_itself(
        aws: Aws, haproxy: HAProxy, service: str, rollcalld: Rollcalld) -> None:
    """Who may run serves on, who has ended leaves, and an operator lets the others go."""
    entries = [{"name": "other", "match": {"service": "nobody"}}]
    rollcalld.kill()
    rollcalld.write({**base_configuration(aws, haproxy, rollcalld.control_socket.parent), "backends": entries})
    rollcalld.restart()

    def backend() -> dict[str, Any]:
        return next((b for b in rollcalld.get("/v1/backends") if b["name"] == "grpc"), {})

    wait_until(lambda: backend().get("frozen"), 30, "more than removal_limit is not exposed any more")
    assert backend()["retired"] and "rollcall release grpc" in backend()["message"]
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
    why = rollcalld.rollcall("why", aws.control.running(**SERVICE)[0]["id"])
    first = (why.stdout + why.stderr).splitlines()[0]
    assert " in grpc as rc_" in first, why
    aws.control.scale(**SERVICE, desired=1)
    aws.control.wait_steady(**SERVICE)
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
    assert rollcalld.rollcall("release", "grpc").returncode == 0
    wait_serving(haproxy, "grpc", [])
    wait_until(lambda: not backend(), 30, "nothing of ours is in it")


@pytest.mark.skipif(version() < (3, 0), reason="no server can be added at run time")
def test_a_server_that_nothing_explains_is_asked_about_by_the_id_in_its_name(
        aws: Aws, start_haproxy: Callable[..., HAProxy], start_rollcalld: Callable[..., Rollcalld]) -> None:
    """What was applied is lost, too. The name of a task that never was does no harm."""
    haproxy = start_haproxy(shipped=True)
    aws.control.register(family="rng", drain=60.0)
    aws.control.create_service(**SERVICE, desired=2, definition="rng")
    aws.control.wait_steady(**SERVICE)
    daemon = start_rollcalld(haproxy=haproxy)
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
    daemon.kill()
    state_of(daemon, "applied.json").unlink()
    stranger = "rc_0123456789abcdef0123456789abcdef_rng_50051"
    for command in (f"add server grpc/{stranger} 127.0.0.9:50051 proto h2", f"set server grpc/{stranger} state ready"):
        haproxy.runtime.ask(command)
    aws.control.scale(**SERVICE, desired=1)
    wait_until(lambda: len(aws.control.running(**SERVICE)) == 1, what="one is told to stop")
    daemon.restart()
    wait_until(lambda: daemon.messages("drains.*evidence stopping"), what="the stopping one drains")
    running, = aws.control.running(**SERVICE)
    server = haproxy.runtime.server_of("grpc", running)
    assert server and server.is_ready
    assert len(daemon.messages("drains")) == 1
    assert daemon.status()["sources"][0]["clusters"][0]["error"] is None


@pytest.mark.parametrize("text", ["", "{", '{"rollcall_applied": 99}', "\0" * 1000])
def test_damaged_files_are_set_aside_and_said_once(text: str, haproxy: HAProxy, rollcalld: Rollcalld) -> None:
    held = haproxy.runtime.held()
    assert rollcalld.stop() == 0
    for name in ("applied.json", "overlay.json"):
        state_of(rollcalld, name).write_text(text)
    mark = rollcalld.mark()
    rollcalld.start()
    rollcalld.wait_ready()
    stays(lambda: haproxy.runtime.held() == held, 1)
    damaged = rollcalld.messages("is damaged", since=mark)
    assert len(damaged) == (2 if text else 0), damaged
    assert state_of(rollcalld, "applied.json.damaged").exists() == bool(text)
    rollcalld.restart()
    assert len(rollcalld.messages("is damaged", since=mark)) == len(damaged)


def test_a_state_directory_that_cannot_be_written_is_shown_and_does_not_stop_the_work(
        aws: Aws, haproxy: HAProxy, service: str, rollcalld: Rollcalld) -> None:
    obstacle = state_of(rollcalld, "applied.json.new")
    obstacle.unlink(missing_ok=True)  # the version before
    obstacle.mkdir()
    aws.control.scale(cluster="main", service=service, desired=3)
    aws.control.wait_steady("main", service)
    wait_serving(haproxy, "grpc", aws.control.running("main", service))
    wait_until(lambda: "applied.json.new" in rollcalld.problems(), what="it is shown")
    obstacle.rmdir()
    wait_until(lambda: rollcalld.problems() == "", 30, "it is mended")


def test_a_reload_is_whole_again_at_once(aws: Aws, start_haproxy: Callable[..., HAProxy],
                                         start_rollcalld: Callable[..., Rollcalld]) -> None:
    """What was ready in the process before is ready in the new one, without a new gate."""
    haproxy = start_haproxy(master=True)
    tasks = start_tasks(aws, 4)
    daemon = start_rollcalld(haproxy=haproxy)
    wait_serving(haproxy, "grpc", tasks)
    haproxy.reload()
    began = time.monotonic()
    wait_serving(haproxy, "grpc", tasks)
    print(f"whole again {1000 * (time.monotonic() - began):.0f} ms after the new worker answered")
    assert len(daemon.messages("HAProxy was reloaded or restarted")) == 1
    assert not daemon.messages("was set on HAProxy's socket")
