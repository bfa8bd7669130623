"""The main job: each call of one connection goes to its own task, and tasks come and go without a failed call.

HAProxy runs haproxy/haproxy.cfg where nothing else is said. What a task executed is counted by its own journal.
"""

from __future__ import annotations

import itertools
import socket
import threading
import time
from pathlib import Path
from typing import Any, Callable

from conftest import Aws
from rng import client
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.front import Front, pump
from rollcall_testlib.haproxy import BESIDE, HAProxy, wait_serving
from rollcall_testlib.process import free_port
from rollcall_testlib.rng_server import RngServer
from rollcall_testlib.waiting import stays, wait_until

SERVICE = {"cluster": "main", "service": "rng-service"}


def start_service(aws: Aws, desired: int, drain: float = 3.0, **definition: Any) -> list[dict[str, Any]]:
    """`rng-service` in cluster main; its running tasks."""
    aws.control.register(family="rng", drain=drain, **definition)
    aws.control.create_service(**SERVICE, desired=desired, definition="rng")
    aws.control.wait_steady(**SERVICE)
    return aws.control.running(**SERVICE)


def executed(aws: Aws, tasks: list[dict[str, Any]]) -> list[int]:
    """How many calls each of these executed."""
    counts = aws.control.calls()["by_task"]
    return [counts[task["id"]] for task in tasks]


def hundred_calls(aws: Aws, tasks: list[dict[str, Any]], port: int) -> list[int]:
    """100 calls on one connection: how many of them each of these tasks executed, most first."""
    before = executed(aws, tasks)
    result = client.call_many(f"127.0.0.1:{port}", 100)
    assert result.failed == 0, result.details
    return sorted((now - then for now, then in zip(executed(aws, tasks), before)), reverse=True)


def expect_all_well(aws: Aws, result: client.Result) -> None:
    """No call failed, and none was executed twice."""
    assert result.failed == 0, f"{result.failed} of {result.calls}: {dict(result.failures)} {result.details}"
    assert aws.control.calls()["twice"] == []


def steady_load(haproxy: HAProxy) -> client.Load:
    return client.Load(haproxy.target, rate=200, connections=4, streams=4)


def test_calls_of_one_connection_are_shared_evenly_where_tcp_gives_all_to_one(
        aws: Aws, start_haproxy: Callable[..., HAProxy], start_rollcalld: Callable[..., Rollcalld]) -> None:
    """50/50 beside 100/0, by the same tasks behind the same HAProxy."""
    tasks = start_service(aws, 2, drain=0.0)
    haproxy = start_haproxy(shipped=True, extra=BESIDE)
    beside = {"name": "beside", "match": {"service": "rng-service"}}
    start_rollcalld(lambda c: c["backends"].append(beside), haproxy=haproxy)
    for backend in ("grpc", "beside"):
        wait_serving(haproxy, backend, tasks)
    assert hundred_calls(aws, tasks, haproxy.ports.tcp) == [100, 0]
    assert hundred_calls(aws, tasks, haproxy.ports.grpc) == [50, 50]


def test_once_ready_every_running_task_serves(aws: Aws, shipped_haproxy: HAProxy,
                                              start_rollcalld: Callable[..., Rollcalld]) -> None:
    """/ready is 503 until HAProxy is in step with ECS, and then it means it."""
    tasks = start_service(aws, 3, drain=0.0)
    start_rollcalld(haproxy=shipped_haproxy)
    assert shipped_haproxy.runtime.serving("grpc") == {f"{task['address']}:{task['port']}" for task in tasks}
    assert hundred_calls(aws, tasks, shipped_haproxy.ports.grpc) == [34, 33, 33]


def test_scaling_out_and_in_under_load_fails_no_call(aws: Aws, shipped_haproxy: HAProxy,
                                                     start_rollcalld: Callable[..., Rollcalld]) -> None:
    """2 -> 4 -> 1 tasks while unary calls and streams run."""
    start_service(aws, 2)
    start_rollcalld(haproxy=shipped_haproxy)
    with steady_load(shipped_haproxy) as load:
        aws.control.scale(**SERVICE, desired=4)
        aws.control.wait_steady(**SERVICE)
        wait_serving(shipped_haproxy, "grpc", aws.control.running(**SERVICE))
        wait_until(lambda: len(load.result.by_task) == 4, what="all four answer")
        aws.control.scale(**SERVICE, desired=1)
        aws.control.wait_steady(**SERVICE)
        wait_serving(shipped_haproxy, "grpc", aws.control.running(**SERVICE))
    expect_all_well(aws, load.result)
    assert len(aws.control.running(**SERVICE)) == 1
    assert hundred_calls(aws, aws.control.running(**SERVICE), shipped_haproxy.ports.grpc) == [100]


def test_a_rolling_deploy_under_load_fails_no_call(aws: Aws, shipped_haproxy: HAProxy,
                                                   start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Every task is replaced while calls and streams run: no failure, no stream cut, nothing executed twice."""
    old = {task["id"] for task in start_service(aws, 2)}
    start_rollcalld(haproxy=shipped_haproxy)
    with steady_load(shipped_haproxy) as load:
        wait_until(lambda: set(load.result.by_task) == old, what="the old revision answers")
        aws.control.roll(**SERVICE)
        aws.control.wait_steady(**SERVICE)
        new = aws.control.running(**SERVICE)
        wait_serving(shipped_haproxy, "grpc", new)
        seen = load.result.calls
        wait_until(lambda: load.result.calls > seen + 100, what="calls after the deploy")
    expect_all_well(aws, load.result)
    assert not old & {task["id"] for task in new} and {task["revision"] for task in new} == {2}
    assert set(load.result.by_task) == old | {task["id"] for task in new}
    assert load.result.succeeded == sum(aws.control.calls()["by_task"].values())


def test_a_deploy_fails_no_call_even_where_no_slot_is_free(aws: Aws, start_haproxy: Callable[..., HAProxy],
                                                          start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Four slots, four tasks, and all four are told to stop at once: some serve on while others make room."""
    aws.control.register(family="rng", drain=3.0)
    aws.control.create_service(**SERVICE, desired=4, definition="rng", stop_interval=0)
    aws.control.wait_steady(**SERVICE)
    haproxy = start_haproxy(shipped=True, edit=lambda text: text.replace("rc_ 1-20", "rc_ 1-4"))
    start_rollcalld(haproxy=haproxy)
    with client.Load(haproxy.target, rate=100, connections=4) as load:
        wait_until(lambda: len(load.result.by_task) == 4, what="all four answer")
        aws.control.roll(**SERVICE)
        aws.control.wait_steady(**SERVICE)
        wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
    expect_all_well(aws, load.result)


def test_a_new_task_takes_no_call_before_its_first_passed_check(
        aws: Aws, start_haproxy: Callable[..., HAProxy], start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Its gRPC port is open from the start, so only the check can hold the calls off: it asks another port."""
    checked_port = free_port()
    tasks = start_service(aws, 1)
    first_check = socket.create_server((tasks[0]["address"], checked_port))
    haproxy = start_haproxy(check=f"check port {checked_port} inter 100ms rise 2 fall 3")
    daemon = start_rollcalld(haproxy=haproxy)
    with first_check, client.Load(haproxy.target, rate=200, connections=2) as load:
        aws.control.scale(**SERVICE, desired=2)
        aws.control.wait_steady(**SERVICE)
        late = next(task for task in aws.control.running(**SERVICE) if task["id"] != tasks[0]["id"])
        wait_until(lambda: haproxy.runtime.server_of("grpc", late), what="a server for the new task")
        stays(lambda: executed(aws, [late]) == [0], 1.0, "without a call")
        found = daemon.server_of("grpc", late)
        assert found is not None and found["state"] in ("joining", "down")
        with socket.create_server((late["address"], checked_port)):
            wait_serving(haproxy, "grpc", [*tasks, late])
            wait_until(lambda: executed(aws, [late])[0] > 20, what="calls to the new task")
            load.stop()
    expect_all_well(aws, load.result)


def test_a_task_whose_port_opens_late_joins_when_it_does(aws: Aws, directory: Path, shipped_haproxy: HAProxy,
                                                         start_rollcalld: Callable[..., Rollcalld]) -> None:
    """ECS calls it RUNNING long before anything listens: HAProxy never sends it a call until then."""
    tasks = start_service(aws, 1, drain=0.0)
    aws.control.register(family="late", process="none")
    arn, = aws.control.run_tasks(**{**SERVICE, "definition": "late"})
    late = aws.control.wait_task(arn, "RUNNING")
    start_rollcalld(haproxy=shipped_haproxy)
    server = wait_until(lambda: shipped_haproxy.runtime.server_of("grpc", late), what="a server for it").name
    with client.Load(shipped_haproxy.target, rate=100, connections=2) as load:
        wait_until(lambda: load.result.succeeded > 100, what="calls")
        assert shipped_haproxy.runtime.stat_of("grpc", server)["stot"] == "0"
        with RngServer(directory / "aws" / "tasks", late["id"], f"{late['address']}:{late['port']}"):
            wait_serving(shipped_haproxy, "grpc", [*tasks, late])
            wait_until(lambda: load.result.by_task[late["id"]] > 10, what="calls to it")
            load.stop()
    expect_all_well(aws, load.result)
    row = shipped_haproxy.runtime.stat_of("grpc", "BACKEND")
    assert (row["wretr"], row["wredis"]) == ("0", "0"), "not even a retry was needed"


def test_a_stopping_task_drains_at_once_and_its_stream_ends_whole(aws: Aws, shipped_haproxy: HAProxy,
                                                                  start_rollcalld: Callable[..., Rollcalld]) -> None:
    """From the order to stop to maint is about one `watch`; what is in flight stays where it is."""
    tasks = start_service(aws, 2)
    start_rollcalld(haproxy=shipped_haproxy)
    with client.Connection(shipped_haproxy.target) as connection:
        streams = [connection.numbers(1, 9, count=50, interval_ms=50, timeout=20) for _ in tasks]
        first = [next(stream) for stream in streams]
        assert {number.task for number in first} == {task["id"] for task in tasks}
        leaving, staying = tasks
        aws.control.stop_task(task=leaving["id"])
        ordered = time.monotonic()
        wait_until(lambda: shipped_haproxy.runtime.server_of("grpc", leaving).in_maintenance, 5, "maint")
        assert time.monotonic() - ordered < 1.0, "watch is 200 ms"
        assert {connection.number(1, 9).task for _ in range(10)} == {staying["id"]}
        for number, stream in zip(first, streams):
            rest = [answer.task for answer in stream]
            assert rest == [number.task] * 49, "each stream goes on to its end, on its own task"


def test_streams_that_outlive_the_drain_timeout_are_shut(aws: Aws, shipped_haproxy: HAProxy,
                                                         start_rollcalld: Callable[..., Rollcalld]) -> None:
    """A stopping task may keep its streams for `drain_timeout`, and no longer."""
    tasks = start_service(aws, 1, drain=20.0)
    start_rollcalld(lambda c: c["backends"][0].update(drain_timeout="1s"), haproxy=shipped_haproxy)
    with client.Connection(shipped_haproxy.target) as connection:
        stream = connection.numbers(1, 9, count=0, interval_ms=20, timeout=20)
        next(stream)
        server = shipped_haproxy.runtime.server_of("grpc", tasks[0])
        aws.control.stop_task(task=tasks[0]["id"])
        wait_until(lambda: shipped_haproxy.runtime.server_of("grpc", tasks[0]).in_maintenance, 5, "maint")
        drained = time.monotonic()
        received = sum(1 for _ in _until_cut(stream))
    assert 0.7 < time.monotonic() - drained < 15, "the task would have served it for 20 s"
    assert received > 20, "it went on while it drained"
    wait_until(lambda: all(row["scur"] == "0" for row in shipped_haproxy.runtime.stat("grpc")
                           if row["svname"] == server.name), what="no stream left, or it is gone")


def test_streams_that_outlive_a_shutdown_are_shut_again_and_not_at_once(
        aws: Aws, haproxy: HAProxy, directory: Path, start_rollcalld: Callable[..., Rollcalld]) -> None:
    """A front keeps each `shutdown sessions` to itself, so that the stream goes on: asked again after 5 s."""
    asked: list[float] = []

    def keep_shutdowns(connection: socket.socket) -> None:
        with socket.socket(socket.AF_UNIX) as real:
            real.settimeout(60)
            real.connect(str(haproxy.runtime.path))
            back = threading.Thread(target=pump, args=(real, connection), daemon=True)
            back.start()
            with connection.makefile("rb") as lines:
                for line in lines:
                    if line.startswith(b"shutdown sessions"):
                        asked.append(time.monotonic())
                        line = b"set severity-output number\n"  # whose answer is as empty
                    real.sendall(line)
            real.shutdown(socket.SHUT_WR)
            back.join()

    task, = start_service(aws, 1, drain=60.0)
    front = Front(directory / "front", haproxy.runtime.path)
    front.behave = keep_shutdowns

    def configure(configuration: dict[str, Any]) -> None:
        configuration["haproxy"]["socket"] = front.text
        configuration["backends"][0]["drain_timeout"] = "1s"

    start_rollcalld(configure, haproxy=haproxy)
    with client.Connection(haproxy.target) as connection:
        stream = connection.numbers(1, 9, count=0, interval_ms=50, timeout=120)
        next(stream)
        aws.control.stop_task(task=task["id"])
        wait_until(lambda: len(asked) >= 3, 25, "asked three times")
        next(stream)
    front.die()
    gaps = [later - earlier for earlier, later in zip(asked, asked[1:])]
    assert all(gap > 4 for gap in gaps), gaps


def _until_cut(stream: Any) -> Any:
    try:
        yield from stream
    except client.grpc.RpcError:
        return


def test_standalone_tasks_are_served_by_their_family(aws: Aws, shipped_haproxy: HAProxy,
                                                     start_rollcalld: Callable[..., Rollcalld]) -> None:
    """A task that no service started is matched as "family:NAME"; other families stay out."""
    for family in ("batch", "other"):
        aws.control.register(family=family, drain=0.0)
    arns = [aws.control.run_tasks(cluster="main", definition=family)[0] for family in ("batch", "other")]
    task, _other = (aws.control.wait_task(arn, "RUNNING") for arn in arns)
    start_rollcalld(lambda c: c["backends"][0].update(match={"service": "family:batch"}), haproxy=shipped_haproxy)
    wait_serving(shipped_haproxy, "grpc", [task])
    assert hundred_calls(aws, [task], shipped_haproxy.ports.grpc) == [100]


def test_tasks_of_the_old_arn_format_are_served(aws: Aws, shipped_haproxy: HAProxy,
                                                start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Their ARNs do not name the cluster, and their ids have dashes."""
    aws.control.set_old_arns(cluster="main")
    tasks = start_service(aws, 2, drain=0.0)
    assert all("/main/" not in task["arn"] and len(task["id"]) == 36 for task in tasks)
    start_rollcalld(haproxy=shipped_haproxy)
    wait_serving(shipped_haproxy, "grpc", tasks)
    aws.control.scale(**SERVICE, desired=1)
    aws.control.wait_steady(**SERVICE)
    wait_serving(shipped_haproxy, "grpc", aws.control.running(**SERVICE))


TWO_BACKENDS = """
backend other
    default-server proto h2 check inter 200ms
    server-template rc_ 1-8 0.0.0.0:0 disabled
"""


def test_two_sources_of_two_accounts_fill_two_backends(aws: Aws, start_haproxy: Callable[..., HAProxy],
                                                       start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Both accounts have a cluster `main` with a service `rng-service`; `match.source` tells them apart."""
    account = "210987654321"
    aws.control.set_key(access_key_id="AKIDEXAMPLEOTHERKEY1", secret_access_key="another", account=account)
    theirs = aws.control.create_cluster(cluster="main", account=account)
    aws.control.register(family="rng", drain=0.0, account=account)
    aws.control.create_service(cluster=theirs, service="rng-service", desired=1, definition="rng")
    our_tasks = start_service(aws, 2, drain=0.0)
    aws.control.wait_steady(theirs, "rng-service")
    their_tasks = aws.control.running(theirs)

    def change(configuration: dict[str, Any]) -> None:
        ours = {**configuration["ecs"], "name": "ours"}
        configuration["ecs"] = [ours, {**ours, "name": "theirs", "access_key_id": "AKIDEXAMPLEOTHERKEY1",
                                       "secret_access_key": "another"}]
        configuration["backends"] = [
            {"name": "grpc", "match": {"source": "ours", "service": "rng-service"}},
            {"name": "other", "match": {"source": "theirs", "service": "rng-service"}}]

    haproxy = start_haproxy(shipped=True, extra=TWO_BACKENDS)
    daemon = start_rollcalld(change, haproxy=haproxy)
    wait_serving(haproxy, "grpc", our_tasks)
    wait_serving(haproxy, "other", their_tasks)
    assert [source["account"] for source in daemon.status()["sources"]] == ["123456789012", account]
    assert {server["source"] for server in daemon.servers("other")} == {"theirs"}


def test_two_clusters_of_one_source_fill_two_backends(aws: Aws, start_haproxy: Callable[..., HAProxy],
                                                      start_rollcalld: Callable[..., Rollcalld]) -> None:
    """By name and by ARN; an entry may take one cluster's service, or a glob of several."""
    blue = aws.control.create_cluster(cluster="blue")
    aws.control.register(family="rng", drain=0.0)
    for cluster in ("main", "blue"):
        aws.control.create_service(cluster=cluster, service="rng-service", desired=1, definition="rng")
    for cluster in ("main", "blue"):
        aws.control.wait_steady(cluster, "rng-service")

    def change(configuration: dict[str, Any]) -> None:
        configuration["ecs"]["clusters"] = ["main", blue]
        configuration["backends"] = [{"name": "grpc", "match": {"cluster": "*", "service": "rng-*"}},
                                     {"name": "other", "match": {"cluster": "blue", "service": "rng-service"}}]

    haproxy = start_haproxy(shipped=True, extra=TWO_BACKENDS)
    start_rollcalld(change, haproxy=haproxy)
    wait_serving(haproxy, "grpc", aws.control.running("main") + aws.control.running("blue"))
    wait_serving(haproxy, "other", aws.control.running("blue"))


def test_weight_and_maxconn_reach_the_servers(aws: Aws, start_haproxy: Callable[..., HAProxy],
                                              start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Weights are relative: the largest of a backend is HAProxy's 256. Zero stays zero, and takes no call."""
    tasks = start_service(aws, 2, drain=0.0)

    def change(configuration: dict[str, Any]) -> None:
        match = {"service": "rng-service"}
        configuration["backends"] = [{"name": "grpc", "match": match, "weight": 50, "maxconn": 7},
                                     {"name": "other", "match": match, "weight": 0}]

    haproxy = start_haproxy(shipped=True, extra=TWO_BACKENDS)
    start_rollcalld(change, haproxy=haproxy)
    wait_serving(haproxy, "grpc", tasks)
    for task, (backend, weight, maxconn) in itertools.product(tasks, [("grpc", 256, "7"), ("other", 0, "")]):
        server = haproxy.runtime.server_of(backend, task)
        assert (server.weight, haproxy.runtime.stat_of(backend, server.name)["slim"]) == (weight, maxconn)


def test_an_ipv6_address_is_served(aws: Aws, directory: Path, shipped_haproxy: HAProxy,
                                   start_rollcalld: Callable[..., Rollcalld]) -> None:
    """A task with only an IPv6 address, as in an IPv6-only subnet."""
    port = free_port("127.0.0.1")
    aws.control.register(family="six", process="none", port=port)
    arn, = aws.control.run_tasks(cluster="main", definition="six", instantly=True)
    aws.control.add_fault(kind="replace", action="DescribeTasks", path="tasks.containers.networkInterfaces",
                          value=[{"attachmentId": "a", "ipv6Address": "0:0:0:0:0:0:0:1"}])
    with RngServer(directory, "six", f"[::1]:{port}") as process:
        daemon = start_rollcalld(lambda c: c["backends"][0].update(match={"service": "family:six"}),
                                 haproxy=shipped_haproxy)
        wait_until(lambda: shipped_haproxy.runtime.serving("grpc") == {f"::1:{port}"}, what="served")
        assert client.call_many(shipped_haproxy.target, 20).failed == 0
    assert process.journal().calls == 20
    assert [(s["task_arn"], s["address"]) for s in daemon.servers("grpc")] == [(arn, "::1")]


def test_the_port_of_an_entry_tells_the_app_from_its_sidecars(
        aws: Aws, start_haproxy: Callable[..., HAProxy], start_rollcalld: Callable[..., Rollcalld]) -> None:
    """The container whose portMappings hold it; if none does, the task's only essential container."""
    def container(name: str, *ports: int, essential: bool = True) -> dict[str, Any]:
        return {"name": name, "essential": essential,
                "portMappings": [{"containerPort": port, "protocol": "tcp"} for port in ports]}

    aws.control.register(family="mapped", drain=0.0, containers=[
        container("app", 50051, 9090), container("envoy", 15000), container("logs", essential=False)])
    aws.control.register(family="unmapped", process="none", containers=[
        container("logs", 24224, essential=False), container("app")])
    aws.control.create_service(cluster="main", service="mapped", desired=1, definition="mapped")
    aws.control.run_tasks(cluster="main", definition="unmapped", instantly=True)
    aws.control.wait_steady("main", "mapped")

    def change(configuration: dict[str, Any]) -> None:
        configuration["backends"] = [{"name": "grpc", "match": {"service": "mapped"}, "port": 50051},
                                     {"name": "other", "match": {"service": "family:unmapped"}, "port": 7000}]

    haproxy = start_haproxy(shipped=True, extra=TWO_BACKENDS)
    daemon = start_rollcalld(change, haproxy=haproxy)
    wait_serving(haproxy, "grpc", aws.control.running("main", "mapped"))
    assert [(s["container"], s["port"]) for s in daemon.servers("grpc")] == [("app", 50051)]
    assert [(s["container"], s["port"]) for s in daemon.servers("other")] == [("app", 7000)]
    assert client.call_many(haproxy.target, 10).failed == 0


def test_a_task_without_an_address_yet_joins_when_it_has_one(aws: Aws, directory: Path, shipped_haproxy: HAProxy,
                                                             start_rollcalld: Callable[..., Rollcalld]) -> None:
    """RUNNING and no address: no fault, nothing to serve; watched until it has one."""
    tasks = start_service(aws, 1, drain=0.0)
    aws.control.register(family="bare", process="none")
    arn, = aws.control.run_tasks(**{**SERVICE, "definition": "bare"}, no_address=True, instantly=True)
    daemon = start_rollcalld(haproxy=shipped_haproxy)
    wait_serving(shipped_haproxy, "grpc", tasks)
    bare = aws.control.task(task=arn)
    assert daemon.server_of("grpc", bare) is None and daemon.problems() == ""
    address = f"{aws.network.rsplit('.', 2)[0]}.200.1"
    with RngServer(directory / "aws" / "tasks", bare["id"], f"{address}:50051"):
        aws.control.set_address(task=arn, address=address)
        wait_serving(shipped_haproxy, "grpc", [*tasks, {"address": address, "port": 50051}])
        assert hundred_calls(aws, tasks, shipped_haproxy.ports.grpc) == [50]


def test_ecs_is_asked_no_more_than_it_must(aws: Aws, haproxy: HAProxy,
                                           start_rollcalld: Callable[..., Rollcalld]) -> None:
    """A sweep of 250 tasks is three pages, three batches and one definition; a look in between is three pages."""
    aws.control.register(family="address", process="none")
    aws.control.run_tasks(cluster="main", definition="address", count=250, instantly=True)

    def change(configuration: dict[str, Any]) -> None:
        configuration["ecs"].update(watch="500ms", refresh="1h")

    def asked() -> dict[str, int]:
        return aws.control.counters()["actions"]

    start_rollcalld(change)
    assert asked() == {"ListTasks": 3, "DescribeTasks": 3, "DescribeTaskDefinition": 1}
    wait_until(lambda: asked()["ListTasks"] == 9, what="two looks later")
    assert asked() == {"ListTasks": 9, "DescribeTasks": 3, "DescribeTaskDefinition": 1}


def test_the_rate_limit_holds(aws: Aws, haproxy: HAProxy, start_rollcalld: Callable[..., Rollcalld]) -> None:
    """A burst of 20, and then so many a second, however short `watch` is."""
    start_rollcalld(lambda c: c["ecs"].update(watch="10ms", rate_limit=5))
    wait_until(lambda: aws.control.counters()["requests"] >= 30, what="ten more than the burst")
    times = sorted(request["at"] for request in aws.control.requests())
    assert 1.5 < times[29] - times[0] < 6, "ten at 5 a second are 2 s, however long the burst itself took"
