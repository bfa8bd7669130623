"""Where tasks live: on interfaces of their own, on ports of EC2's machines, on machines of ECS Anywhere.

The processes of bridge and host tasks really listen on their machine's address, on the port that the fake ECS tells.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any, Callable

import pytest

from conftest import Aws
from fakeaws.control import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from rng import client
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy, wait_serving
from rollcall_testlib.waiting import stays, wait_until

SERVICE = {"cluster": "main", "service": "rng-service"}


def start_service(aws: Aws, desired: int, hosts: int = 2, external: bool = False, drain: float = 3.0,
                  **definition: Any) -> list[dict[str, Any]]:
    """`rng-service` on machines of cluster main; its running tasks."""
    for _ in range(hosts):
        aws.control.add_host(cluster="main", external=external)
    aws.control.register(family="rng", drain=drain, **definition)
    aws.control.create_service(**SERVICE, desired=desired, definition="rng")
    aws.control.wait_steady(**SERVICE)
    return aws.control.running(**SERVICE)


def calls_of(aws: Aws, action: str) -> int:
    return aws.control.counters()["actions"].get(action, 0)


def shares(haproxy: HAProxy) -> list[int]:
    result = client.call_many(haproxy.target, 100)
    assert result.failed == 0, result.details
    return sorted(result.by_task.values(), reverse=True)


@pytest.mark.parametrize("mode", ["", "bridge"])
def test_bridge_tasks_are_reached_by_the_ports_of_their_machines(
        aws: Aws, shipped_haproxy: HAProxy, start_rollcalld: Callable[..., Rollcalld], mode: str) -> None:
    """Three tasks on two machines: two of them share an address. A definition without a mode is a bridge."""
    tasks = start_service(aws, 3, network_mode=mode)
    assert len({task["address"] for task in tasks}) == 2 and 50051 not in {task["port"] for task in tasks}
    rollcalld = start_rollcalld(haproxy=shipped_haproxy)
    wait_serving(shipped_haproxy, "grpc", tasks)
    assert shares(shipped_haproxy) == [34, 33, 33]
    assert {(s["address"], s["port"]) for s in rollcalld.servers("grpc")} == {(t["address"], t["port"]) for t in tasks}


def test_a_rolling_deploy_of_bridge_tasks_fails_no_call(
        aws: Aws, shipped_haproxy: HAProxy, start_rollcalld: Callable[..., Rollcalld]) -> None:
    start_service(aws, 2, network_mode="bridge")
    start_rollcalld(haproxy=shipped_haproxy)
    with client.Load(shipped_haproxy.target, rate=200, connections=4, streams=4) as load:
        aws.control.roll(**SERVICE)
        aws.control.wait_steady(**SERVICE)
        wait_serving(shipped_haproxy, "grpc", aws.control.running(**SERVICE))
    assert load.result.failed == 0, load.result.details


def test_host_tasks_are_reached_by_their_own_port(aws: Aws, shipped_haproxy: HAProxy,
                                                  start_rollcalld: Callable[..., Rollcalld]) -> None:
    tasks = start_service(aws, 2, network_mode="host")
    assert {task["port"] for task in tasks} == {50051}
    start_rollcalld(haproxy=shipped_haproxy)
    wait_serving(shipped_haproxy, "grpc", tasks)
    assert shares(shipped_haproxy) == [50, 50]


def test_tasks_of_ecs_anywhere_are_found_by_systems_manager(aws: Aws, shipped_haproxy: HAProxy,
                                                            start_rollcalld: Callable[..., Rollcalld]) -> None:
    tasks = start_service(aws, 2, external=True, network_mode="bridge")
    start_rollcalld(haproxy=shipped_haproxy)
    wait_serving(shipped_haproxy, "grpc", tasks)
    assert calls_of(aws, "DescribeInstances") == 0
    assert calls_of(aws, "DescribeInstanceInformation") == 1


def test_a_machine_is_asked_about_once(aws: Aws, haproxy: HAProxy, start_rollcalld: Callable[..., Rollcalld]) -> None:
    """However many tasks come and go on it, and however often all are read."""
    start_service(aws, 3, hosts=2, network_mode="bridge", drain=0.0)
    rollcalld = start_rollcalld()
    sweeps = calls_of(aws, "DescribeTasks")
    aws.control.roll(**SERVICE)
    aws.control.wait_steady(**SERVICE)
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
    wait_until(lambda: calls_of(aws, "DescribeTasks") > sweeps + 5, what="more sweeps")
    assert calls_of(aws, "DescribeContainerInstances") == 1
    assert calls_of(aws, "DescribeInstances") == 1
    assert rollcalld.problems() == ""


def test_without_the_right_to_ask_ec2_only_its_tasks_are_out(aws: Aws, haproxy: HAProxy,
                                                             start_rollcalld: Callable[..., Rollcalld]) -> None:
    """The error names the action; tasks with interfaces of their own serve; the right, once given, heals it."""
    aws.control.deny(access_key_id=ACCESS_KEY_ID, action="DescribeInstances")
    aws.control.register(family="own", drain=0.0)
    aws.control.run_tasks(cluster="main", definition="own")
    [bridge] = start_service(aws, 1, hosts=1, network_mode="bridge", drain=0.0)
    rollcalld = start_rollcalld(lambda c: c["backends"][0]["match"].update(service="*"))
    own = next(task for task in aws.control.tasks(cluster="main") if not task["service"])
    wait_until(lambda: aws.control.task(task=own["id"])["last_status"] == "RUNNING", what="the task runs")
    wait_serving(haproxy, "grpc", [aws.control.task(task=own["id"])])
    wait_until(lambda: "ec2:DescribeInstances" in rollcalld.problems(), what="the action is named")
    [endpoint] = rollcalld.endpoints(bridge)
    assert (endpoint["exposed"], endpoint["reason"]) == (False, "no_address")
    assert "container instance" in endpoint["message"]
    aws.control.allow_all(access_key_id=ACCESS_KEY_ID)
    wait_until(lambda: len(haproxy.runtime.serving("grpc")) == 2, 30, "the bridge task serves, too")
    wait_until(lambda: rollcalld.problems() == "", 15, what="nothing is wrong any more")


def test_a_task_caught_half_started_says_so_and_joins(aws: Aws, haproxy: HAProxy,
                                                      start_rollcalld: Callable[..., Rollcalld]) -> None:
    """RUNNING, but ECS tells no port of its machine yet."""
    [task] = start_service(aws, 1, hosts=1, network_mode="bridge", drain=0.0)
    aws.control.hold_bindings(task=task["id"])
    rollcalld = start_rollcalld(wait=False)
    rollcalld.wait_live()
    wait_until(lambda: rollcalld.get_status(f"/v1/tasks/{task['id']}") == 200, what="the task is known")
    [endpoint] = wait_until(lambda: [e for e in rollcalld.endpoints(task) if "it has just started" in e["message"]],
                            what="half-started")
    assert endpoint["reason"] == "no_address"
    aws.control.hold_bindings(task=task["id"], held=False)
    wait_serving(haproxy, "grpc", [task])


def test_a_stopped_bridge_task_leaves_and_its_neighbour_stays(aws: Aws, haproxy: HAProxy,
                                                              start_rollcalld: Callable[..., Rollcalld]) -> None:
    start_service(aws, 2, hosts=1, network_mode="bridge", drain=0.0)
    rollcalld = start_rollcalld()
    gone, stays_on = aws.control.running(**SERVICE)
    aws.control.scale(**SERVICE, desired=1)
    aws.control.wait_steady(**SERVICE)
    [left] = aws.control.running(**SERVICE)
    assert left["id"] in (gone["id"], stays_on["id"])
    wait_serving(haproxy, "grpc", [left])
    assert rollcalld.server_of("grpc", left)["state"] == "ready"


def test_a_machine_that_nobody_knows_any_more_keeps_its_tasks_serving(
        aws: Aws, haproxy: HAProxy, start_rollcalld: Callable[..., Rollcalld]) -> None:
    host = aws.control.add_host(cluster="main")
    aws.control.register(family="rng", drain=0.0, network_mode="bridge")
    aws.control.create_service(**SERVICE, desired=1, definition="rng")
    aws.control.wait_steady(**SERVICE)
    tasks = aws.control.running(**SERVICE)
    start_rollcalld()
    wait_serving(haproxy, "grpc", tasks)
    aws.control.know_host(cluster="main", arn=host["arn"], known=False)
    aws.control.remove_host(cluster="main", arn=host["arn"])
    serving = haproxy.runtime.serving("grpc")
    before = calls_of(aws, "ListTasks")
    stays(lambda: haproxy.runtime.serving("grpc") == serving, 1.0, what="it serves")
    assert calls_of(aws, "ListTasks") > before


@pytest.mark.skipif(not shutil.which("aws", path="/usr/bin"), reason="Debian's awscli is not installed")
def test_awscli_sees_the_same_tasks(aws: Aws, start_haproxy: Callable[..., HAProxy],
                                    start_rollcalld: Callable[..., Rollcalld]) -> None:
    """A second client, by other people: what it finds by hand is what rollcall serves."""
    start_service(aws, 3, network_mode="bridge", drain=0.0)
    haproxy = start_haproxy()
    rollcalld = start_rollcalld(haproxy=haproxy)
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
    env = {"PATH": "/usr/bin:/bin", "HOME": os.devnull, "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
           "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY, "AWS_DEFAULT_REGION": "eu-west-1",
           "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": ""}

    def awscli(*words: str) -> Any:
        done = subprocess.run(["/usr/bin/aws", "--endpoint-url", aws.url, "--output", "json", *words], env=env,
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    arns = awscli("ecs", "list-tasks", "--cluster", "main")["taskArns"]
    tasks = awscli("ecs", "describe-tasks", "--cluster", "main", "--tasks", *arns)["tasks"]
    instances = awscli("ecs", "describe-container-instances", "--cluster", "main", "--container-instances",
                       *{task["containerInstanceArn"] for task in tasks})["containerInstances"]
    machines = {i["containerInstanceArn"]: i["ec2InstanceId"] for i in instances}
    found = awscli("ec2", "describe-instances", "--filters",
                   "Name=instance-id,Values=" + ",".join(machines.values()))["Reservations"]
    addresses = {i["InstanceId"]: i["PrivateIpAddress"] for r in found for i in r["Instances"]}
    seen = {(task["taskArn"], addresses[machines[task["containerInstanceArn"]]], binding["hostPort"])
            for task in tasks for container in task["containers"] for binding in container["networkBindings"]}
    assert seen == {(s["task_arn"], s["address"], s["port"]) for s in rollcalld.servers("grpc")}
