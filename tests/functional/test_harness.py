"""The harness itself, with a real HAProxy and by hand what rollcalld is to do: the ground truth of the suite."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest

from conftest import Aws
from rng import client
from rollcall_testlib import haproxy as hap
from rollcall_testlib.daemon import to_yaml
from rollcall_testlib.haproxy import HAProxy
from rollcall_testlib.paths import TOP
from rollcall_testlib.waiting import stays, wait_until


def seat(haproxy: HAProxy, slot: int, task: dict[str, Any]) -> None:
    """Puts a task into a slot as an operator would, by the runtime API."""
    server = f"grpc/rc_{slot}"
    haproxy.runtime.ask(f"set server {server} addr {task['address']} port {task['port']}")
    haproxy.runtime.ask(f"set server {server} state ready")


def test_slots_share_the_calls_of_one_connection(aws: Aws, service: str, haproxy: HAProxy) -> None:
    tasks = aws.control.running("main", service)
    for slot, task in enumerate(tasks, start=1):
        seat(haproxy, slot, task)
    wait_until(lambda: len(haproxy.runtime.serving("grpc")) == 2, what="both serve")
    assert haproxy.runtime.serving("grpc") == {f"{t['address']}:{t['port']}" for t in tasks}
    result = client.call_many(haproxy.target, 100)
    assert (result.by_task, result.failed) == ({task["id"]: 50 for task in tasks}, 0)
    assert aws.control.calls(service=service) == {"by_task": {task["id"]: 50 for task in tasks}, "twice": []}


def test_a_task_taken_out_in_time_leaves_without_a_failed_call(aws: Aws, service: str, haproxy: HAProxy) -> None:
    """What rollcalld has to do by itself: maint while the task still serves."""
    tasks = aws.control.running("main", service)
    for slot, task in enumerate(tasks, start=1):
        seat(haproxy, slot, task)
    wait_until(lambda: len(haproxy.runtime.serving("grpc")) == 2, what="both serve")
    load = client.Load(haproxy.target, rate=200, connections=3, streams=3, stream_numbers=5,
                       stream_interval_ms=20).start()
    wait_until(lambda: len(load.result.by_task) == 2, what="both answer")
    aws.control.scale(cluster="main", service=service, desired=1)
    leaving = wait_until(lambda: [n for n, task in enumerate(tasks, start=1)
                                  if aws.control.task(task=task["id"])["desired_status"] == "STOPPED"])[0]
    haproxy.runtime.ask(f"set server grpc/rc_{leaving} state maint")
    aws.control.wait_steady("main", service)
    result = load.stop()
    assert result.failed == 0, result.details
    assert result.succeeded == sum(aws.control.calls(service=service)["by_task"].values())


def test_mode_tcp_sends_a_connection_to_one_task(aws: Aws, service: str,
                                                 start_haproxy: Callable[..., HAProxy]) -> None:
    servers = "\n".join(f"    server s{n} {task['address']}:{task['port']}"
                        for n, task in enumerate(aws.control.running("main", service)))
    haproxy = start_haproxy(f"global\n    stats socket {{socket}} level admin\ndefaults\n    mode tcp\n"
                            "    timeout connect 1s\n    timeout client 1m\n    timeout server 1m\n"
                            f"listen tcp\n    bind 127.0.0.1:{{grpc}}\n{servers}\n")
    assert sorted(client.call_many(haproxy.target, 100).by_task.values()) == [100]


def test_server_states_are_read_right(haproxy: HAProxy) -> None:
    def slot() -> hap.Server:
        return next(server for server in haproxy.runtime.servers("grpc") if server.name == "rc_1")

    assert slot().in_maintenance and not slot().is_ready
    haproxy.runtime.ask("set server grpc/rc_1 addr 127.0.0.1 port 9")
    haproxy.runtime.ask("set server grpc/rc_1 state drain")
    assert slot().is_draining and (slot().address, slot().port) == ("127.0.0.1", 9)
    haproxy.runtime.ask("set server grpc/rc_1 state ready")
    assert slot().is_ready
    wait_until(lambda: haproxy.runtime.status("grpc", "rc_1") == "DOWN", what="its check fails")
    assert haproxy.runtime.serving("grpc") == set()


def test_a_reload_gives_a_new_worker_and_a_restart_a_new_process(start_haproxy: Callable[..., HAProxy]) -> None:
    haproxy = start_haproxy(master=True)
    before = haproxy.runtime.info()["Pid"]
    haproxy.reload()
    assert haproxy.runtime.info()["Pid"] != before
    master = haproxy.child.pid
    haproxy.restart()
    assert haproxy.child.pid != master


def test_waits_fail_when_the_time_is_over() -> None:
    with pytest.raises(AssertionError, match="still not full: last \\[\\]"):
        wait_until(lambda: [], 0.05, "full")
    with pytest.raises(AssertionError, match="still not there: last OSError"):
        wait_until(_not_there, 0.05, "there")
    with pytest.raises(AssertionError, match="did not stay calm"):
        stays(lambda: False, 1, "calm")


def _not_there() -> bool:
    raise OSError("not there yet")


def test_configurations_are_written_as_yaml() -> None:
    text = to_yaml({"ecs": {"clusters": ["main", "b"], "name": ""}, "backends": [{"name": "grpc", "match": {}}],
                    "n": 3, "apply": True})
    assert text == ('ecs:\n  clusters:\n    - "main"\n    - "b"\n  name: ""\nbackends:\n  -\n    name: "grpc"\n'
                    '    match: {}\nn: 3\napply: true')


UNSTEADY = """
from pathlib import Path
import pytest

@pytest.fixture
def grumbling():
    yield
    assert False, "at the end"

def test_first(): pass
def test_second_try(tmp_path):
    seen = Path(__file__).with_suffix(".seen")
    was = seen.exists()
    seen.touch()
    assert was
"""
BROKEN = "def test_broken(): assert False\n"
GRUMBLING = "def test_grumbling(grumbling): pass\n"


@pytest.mark.parametrize("text, wanted", (
    (UNSTEADY, ["2 0 0", "test_it.py::test_second_try"]),
    (UNSTEADY + BROKEN, ["2 1 0", "test_it.py::test_second_try"]),
    (UNSTEADY + GRUMBLING, ["1 2 0"]),
    (UNSTEADY + "".join(BROKEN.replace("broken", f"broken{n}") for n in range(4)), ["1 5 0"]),
    ("no python", ["0 1 0"]),
), ids=("unsteady", "broken", "grumbling", "many", "unreadable"))
def test_a_second_try_helps_only_what_is_unsteady(directory: Path, text: str, wanted: list[str]) -> None:
    """tests/again: never what a fixture finds at its end, nor a run where much is wrong."""
    (directory / "test_it.py").write_text(text)
    pytest_command = ["/usr/bin/python3", "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    status = subprocess.run([*pytest_command, "--junitxml=report.xml"], cwd=directory, capture_output=True).returncode
    assert status != 0
    again = subprocess.run([TOP / "tests" / "again", "report.xml", str(status)], cwd=directory, capture_output=True,
                           text=True)
    assert again.stdout.splitlines() == wanted, again.stderr
