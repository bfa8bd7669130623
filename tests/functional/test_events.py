"""ecs.events: what a queue tells is acted on at once, and what goes wrong with it costs nothing else.

Where sweeps are an hour apart, only an event can have brought what is seen.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest

from conftest import Aws
from fakeaws.control import ACCESS_KEY_ID
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy, wait_serving
from rollcall_testlib.waiting import stays, wait_until

pytestmark = pytest.mark.one_haproxy  # how the news come, and not HAProxy, is what it is about

SERVICE = {"cluster": "main", "service": "rng-service"}
Start = Callable[..., Rollcalld]


def listening(queue: str = "", topic: str = "", watch: str = "1h") -> Callable[[dict[str, Any]], None]:
    def change(configuration: dict[str, Any]) -> None:
        configuration["ecs"].update(events={"queue": queue} if queue else {"topic": topic}, watch=watch, refresh=watch)
    return change


def events_of(daemon: Rollcalld) -> dict[str, Any]:
    found: dict[str, Any] = daemon.status()["sources"][0]["events"]
    return found


def wait_listening(daemon: Rollcalld, is_listening: bool = True) -> None:
    wait_until(lambda: events_of(daemon)["listening"] is is_listening, 20, f"listening: {is_listening}")


def test_ends_and_starts_are_learnt_from_a_queue(aws: Aws, service: str, haproxy: HAProxy,
                                                 start_rollcalld: Start) -> None:
    """A Spot interruption, the task in its place, and messages that are no events between them."""
    queue = aws.control.make_queue(queue="given")
    aws.control.set_rule(target=queue["arn"], delay=0.1, repeat=3)
    daemon = start_rollcalld(listening(queue=queue["url"]))
    wait_listening(daemon)
    first = aws.control.running(**SERVICE)
    wait_serving(haproxy, "grpc", first)
    lists = aws.control.counters()["actions"]["ListTasks"]

    for body in ("", "no JSON", "{}", json.dumps({"source": "aws.ecs", "detail-type": "ECS Task State Change"})):
        aws.control.send_message(queue="given", body=body)
    aws.control.stop_task(task=first[0]["id"], code="SpotInterruption", reason="Your Spot Task was interrupted.")
    aws.control.wait_steady("main", "rng-service")
    now = aws.control.running(**SERVICE)
    assert {task["id"] for task in now} != {task["id"] for task in first}
    wait_serving(haproxy, "grpc", now, 30)

    seen = wait_until(lambda: (found := events_of(daemon))["dropped"] == 3 and found, 20, "three that are no events")
    assert seen["task_events"] > 0 and seen["of_other_clusters"] == 0 and seen["error"] is None
    wait_until(lambda: aws.control.queues()[0]["messages"] == 0, 20, "all of them are deleted")
    assert aws.control.counters()["actions"]["ListTasks"] == lists, "nothing was learnt from a list"
    assert "rollcall_ecs_events_listening{source=\"eu-west-1\"} 1" in daemon.request("GET", "/metrics")[1]


def test_a_queue_of_our_own_comes_and_goes_with_us(aws: Aws, service: str, haproxy: HAProxy,
                                                   start_rollcalld: Start) -> None:
    """What a daemon that was killed leaves is taken over by the next; a clean stop leaves nothing."""
    topic = aws.control.make_topic(topic="ecs")
    aws.control.set_cooldown(seconds=0)
    aws.control.set_rule(target=topic, delay=0.1)
    daemon = start_rollcalld(listening(topic=topic))
    wait_listening(daemon)
    queue, = aws.control.queues()
    assert queue["name"].startswith("rollcall-") and queue["attributes"]["MessageRetentionPeriod"] == "300"

    daemon.kill()
    daemon.start()
    daemon.wait_ready()
    wait_listening(daemon)
    assert [found["name"] for found in aws.control.queues()] == [queue["name"]]
    assert len(aws.control.subscriptions(topic=topic)) == 1
    first = aws.control.running(**SERVICE)
    wait_serving(haproxy, "grpc", first)
    aws.control.stop_task(task=first[0]["id"])
    aws.control.wait_steady("main", "rng-service")
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE), 30)

    daemon.stop()
    assert aws.control.queues() == [] and aws.control.subscriptions(topic=topic) == []


def test_without_its_queue_ecs_is_polled_and_that_is_shown(aws: Aws, service: str, haproxy: HAProxy,
                                                           start_rollcalld: Start) -> None:
    """No such queue, a queue that goes, and a key that may not read it: each is named, and over when it is over."""
    gone = aws.control.make_queue(queue="ours")
    aws.control.remove_queue(queue="ours")
    daemon = start_rollcalld(listening(queue=gone["url"], watch="200ms"))
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
    wait_until(lambda: "QueueDoesNotExist" in daemon.problems(), 20, "the missing queue is named")
    assert not events_of(daemon)["listening"]
    done = daemon.rollcall("doctor")
    assert "events" in done.stdout and "QueueDoesNotExist" in done.stdout, done.stdout

    aws.control.set_cooldown(seconds=0)
    aws.control.make_queue(queue="ours")
    wait_listening(daemon)
    wait_until(lambda: "ecs.events" not in daemon.problems(), 20, "the problem is over")
    aws.control.deny(access_key_id=ACCESS_KEY_ID, action="ReceiveMessage")
    aws.control.remove_queue(queue="ours")  # ends the poll that is under way
    aws.control.make_queue(queue="ours")
    wait_until(lambda: "AccessDenied" in daemon.problems(), 20, "the denial is named")
    aws.control.scale(cluster="main", service="rng-service", desired=3)
    aws.control.wait_steady("main", "rng-service")
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))


def test_forged_ends_are_put_right_by_ecs_and_not_believed_again(aws: Aws, service: str, haproxy: HAProxy,
                                                                 start_rollcalld: Start) -> None:
    """Whoever may write to the queue says of every task that it has stopped, and says it again."""
    queue = aws.control.make_queue(queue="given")
    daemon = start_rollcalld(listening(queue=queue["url"], watch="500ms"))
    wait_listening(daemon)
    tasks = aws.control.running(**SERVICE)
    wait_serving(haproxy, "grpc", tasks)

    def forge() -> None:
        for task in tasks:
            event = aws.control.event(task=task["id"])
            event["detail"].update(lastStatus="STOPPED", desiredStatus="STOPPED", version=999999999)
            aws.control.send_message(queue="given", body=json.dumps(event))

    forge()
    wait_serving(haproxy, "grpc", [], 20)
    wait_serving(haproxy, "grpc", tasks, 60)
    told, asked = events_of(daemon)["task_events"], aws.control.counters()["actions"]["DescribeTasks"]
    forge()
    wait_until(lambda: events_of(daemon)["task_events"] == told + len(tasks), 20, "they have come")
    wait_until(lambda: aws.control.counters()["actions"]["DescribeTasks"] >= asked + 2, 20, "ECS is asked")
    stays(lambda: haproxy.runtime.serving("grpc") == {f"{task['address']}:{task['port']}" for task in tasks}, 1.0,
          "all of them serve")


def test_a_hold_container_is_told_and_gives_its_time(aws: Aws, haproxy: HAProxy, start_rollcalld: Start) -> None:
    """The application hears of its end after the container that depends on it has gone; rollcall knows meanwhile."""
    aws.control.register(family="rng", drain=0.0, hold=2.0)
    aws.control.create_service(**SERVICE, desired=1, definition="rng")
    aws.control.wait_steady("main", "rng-service")
    daemon = start_rollcalld()
    first, = aws.control.running(**SERVICE)
    wait_serving(haproxy, "grpc", [first])
    why = daemon.rollcall("why", first["id"]).stdout
    assert "ECS stops it only after container hold" in why, why
    assert "hold container" not in daemon.rollcall("doctor").stdout

    place = f"{first['address']}:{first['port']}"
    assert place in haproxy.runtime.serving("grpc")
    aws.control.stop_task(task=first["id"])
    wait_until(lambda: place not in haproxy.runtime.serving("grpc"), 20, "it takes no call any more")
    aws.control.wait_task(first["id"], "STOPPED")
