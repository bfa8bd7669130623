"""Which clusters are watched, whom rollcall never serves, and what a sweep costs."""

from __future__ import annotations

import contextlib
import http.server
import json
import math
import threading
import time
from typing import Any, Callable, Iterator

from conftest import Aws
from fakeaws.control import ACCESS_KEY_ID
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy, wait_serving
from rollcall_testlib.waiting import stays, wait_until


@contextlib.contextmanager
def task_metadata(document: dict[str, Any]) -> Iterator[str]:
    """The task metadata endpoint of a container; what ECS_CONTAINER_METADATA_URI_V4 says of it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(document).encode()
            self.send_response(200 if self.path == "/v4/0123/task" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v4/0123"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def serve_everything(configuration: dict[str, Any]) -> None:
    configuration["backends"][0]["match"] = {"service": "*"}


def run(aws: Aws, cluster: str) -> dict[str, Any]:
    """A task that serves, in that cluster."""
    [arn] = aws.control.run_tasks(cluster=cluster, definition="rng")
    return aws.control.wait_task(arn, "RUNNING")


def test_a_star_watches_every_cluster_that_is_or_comes(aws: Aws, haproxy: HAProxy,
                                                       start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Clusters come and go; one that vanishes from the list keeps its servers."""
    def star(configuration: dict[str, Any]) -> None:
        serve_everything(configuration)
        configuration["ecs"]["clusters"] = ["*"]

    aws.control.register(family="rng", drain=0.0)
    tasks = [run(aws, "main")]
    rollcalld = start_rollcalld(star)
    wait_serving(haproxy, "grpc", tasks)
    aws.control.create_cluster(cluster="late")
    tasks.append(run(aws, "late"))
    wait_serving(haproxy, "grpc", tasks)
    assert {c["name"] for c in rollcalld.status()["sources"][0]["clusters"]} == {"main", "late"}
    fault = aws.control.add_fault(kind="empty", action="ListClusters")
    lists = aws.control.counters()["actions"]["ListClusters"]
    wait_until(lambda: aws.control.counters()["actions"]["ListClusters"] >= lists + 2, 15, "lists without a cluster")
    serving = haproxy.runtime.serving("grpc")
    stays(lambda: haproxy.runtime.serving("grpc") == serving, 0.5, what="both serve")
    assert len(serving) == 2
    aws.control.clear_faults(fault=fault)
    aws.control.deny(access_key_id=ACCESS_KEY_ID, action="ListClusters")
    wait_until(lambda: "ListClusters" in rollcalld.problems(), 15, "the action is named")
    assert haproxy.runtime.serving("grpc") == serving


def test_without_a_cluster_it_is_our_own_and_we_are_not_served(aws: Aws, haproxy: HAProxy,
                                                               start_rollcalld: Callable[..., Rollcalld]) -> None:
    aws.control.create_cluster(cluster="own")
    aws.control.register(family="rng", drain=0.0)
    aws.control.register(family="proxy", process="none")
    aws.control.create_service(cluster="own", service="proxy", desired=2, definition="proxy")
    aws.control.wait_steady("own", "proxy")
    ours, brother = aws.control.running("own", "proxy")
    other = run(aws, "own")
    run(aws, "main")

    def own(configuration: dict[str, Any]) -> None:
        serve_everything(configuration)
        del configuration["ecs"]["clusters"]

    with task_metadata({"Cluster": "own", "TaskARN": ours["arn"], "Family": "proxy", "Revision": "1"}) as uri:
        rollcalld = start_rollcalld(own, env={"ECS_CONTAINER_METADATA_URI_V4": uri})
        wait_serving(haproxy, "grpc", [other])
        assert [c["name"] for c in rollcalld.status()["sources"][0]["clusters"]] == ["own"]
        for task, who in ((ours, "own task"), (brother, "own service")):
            [endpoint] = rollcalld.endpoints(task)
            assert (endpoint["exposed"], endpoint["reason"]) == (False, "self")
            assert who in endpoint["message"]


def test_a_sweep_costs_no_more_calls_than_it_may(aws: Aws, haproxy: HAProxy,
                                                 start_rollcalld: Callable[..., Rollcalld]) -> None:
    """design.md, section 10: 2 ceil(T/100) for each cluster, 2 for each cluster, ceil(V/100); definitions once."""
    sizes = {"main": 250, "second": 100, "third": 1, "empty": 0}
    aws.control.register(family="address", process="none")
    for cluster, size in sizes.items():
        if cluster != "main":
            aws.control.create_cluster(cluster=cluster)
        if size:
            aws.control.run_tasks(cluster=cluster, definition="address", count=size, instantly=True)

    def slow(configuration: dict[str, Any]) -> None:
        configuration["ecs"].update(clusters=list(sizes), watch="1h", refresh="1h", rate_limit=1000)

    def sweep(vanished: int) -> None:
        sizes["main"] -= vanished
        bound = sum(2 * math.ceil(size / 100) for size in sizes.values()) + 2 * len(sizes) + math.ceil(vanished / 100)
        before = {c["name"]: c["complete_at"] for c in rollcalld.status()["sources"][0]["clusters"]}
        aws.control.reset_counters()
        time.sleep(1.1)  # complete_at counts seconds
        assert rollcalld.rollcall("refresh").returncode == 0
        wait_until(lambda: all(c["complete_at"] != before[c["name"]] and c["error"] is None
                               for c in rollcalld.status()["sources"][0]["clusters"]), 30, "a sweep of all")
        actions = aws.control.counters()["actions"]
        assert sum(actions.values()) <= bound, actions
        assert "DescribeTaskDefinition" not in actions

    rollcalld = start_rollcalld(slow)
    assert 1 <= aws.control.counters()["actions"]["DescribeTaskDefinition"] <= 3, "clusters that are read at once each ask"
    sweep(0)
    for task in aws.control.tasks(cluster="main")[:3]:
        aws.control.stop_task(task=task["id"])
    sweep(3)


def test_ten_minutes_off_is_corrected_from_the_date(aws: Aws, haproxy: HAProxy,
                                                    start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Our clock, or AWS's, may be wrong; one refused call tells by how much."""
    aws.expects_rejections = True
    aws.control.register(family="rng", drain=0.0)
    aws.control.create_service(cluster="main", service="rng-service", desired=1, definition="rng")
    aws.control.wait_steady("main", "rng-service")
    aws.control.set_clock(offset=600.0)
    start_rollcalld()
    wait_serving(haproxy, "grpc", aws.control.running("main", "rng-service"))
    refused = aws.control.counters()["rejected_signatures"]
    assert 1 <= refused <= 8
    aws.control.set_clock(offset=-600.0)
    aws.control.scale(cluster="main", service="rng-service", desired=2)
    aws.control.wait_steady("main", "rng-service")
    wait_serving(haproxy, "grpc", aws.control.running("main", "rng-service"))


def test_with_thousands_of_tasks_a_stop_is_seen_before_the_refresh_is_over(
        aws: Aws, haproxy: HAProxy, start_rollcalld: Callable[..., Rollcalld]) -> None:
    """rate_limit does not allow what watch and refresh ask for: they stretch, status says so, stops come first."""
    aws.control.register(family="address", process="none")
    aws.control.run_tasks(cluster="main", definition="address", count=2400, instantly=True)
    aws.control.register(family="rng", drain=0.0)
    aws.control.create_service(cluster="main", service="rng-service", desired=2, definition="rng")
    aws.control.wait_steady("main", "rng-service")

    def tight(configuration: dict[str, Any]) -> None:
        configuration["ecs"].update(watch="500ms", refresh="2s", rate_limit=20)

    rollcalld = start_rollcalld(tight)
    wait_serving(haproxy, "grpc", aws.control.running("main", "rng-service"))
    wait_until(lambda: (real := rollcalld.status()["sources"][0]["stretched"]) and real["watch_ms"] > 500
               and real["refresh_ms"] > 2000, 60, "status says so")
    assert "stretched" in rollcalld.rollcall("status").stdout
    gone = aws.control.running("main", "rng-service")[0]
    aws.control.scale(cluster="main", service="rng-service", desired=1)
    aws.control.stop_task(task=gone["id"])
    calls = aws.control.counters()["requests"]
    wait_until(lambda: len(haproxy.runtime.serving("grpc")) == 1, 30, "the stop is seen")
    # A list is 25 calls and half of one may come before it: not a list and a whole refresh.
    assert aws.control.counters()["requests"] - calls <= 2 * (25 + 13) + 2
