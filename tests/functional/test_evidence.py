"""No removal without evidence: whatever ECS answers, or does not answer, a server leaves only if its task did.

The first test plays every fault of ECS, one after another, against one long-lived set-up of five clusters. In
four of them the fault is at another place: ListTasks or DescribeTasks, the first page (or batch) or the second. The
fifth does not answer at all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from conftest import Aws, daemons, haproxies, running_aws, temporary_directory
from fakeaws.control import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from rng import client
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy, wait_serving
from rollcall_testlib.waiting import stays, wait_until

Fault = dict[str, Any]
pytestmark = pytest.mark.one_haproxy  # what ECS and operators say, and not HAProxy, is what it is about

SERVICE = {"cluster": "main", "service": "rng-service"}

# ---- every fault, at every place ----

# cluster -> how many address-only tasks it has; ListTasks and DescribeTasks give 100 at a time
CLUSTERS = {"list-1": 40, "list-2": 250, "describe-1": 40, "describe-2": 250}
# Beside them one whose calls all hang, from its first sweep on to the end.
HANGING = "hanging"


@dataclasses.dataclass
class Case:
    """A fault of ListTasks and the like of DescribeTasks; None: it makes no sense there.

    `silent`: those of "list", "describe" where nothing is wrong with the answer itself, so that no fault is said.
    `hits`: how often it is met before it is over; a call that is tried three times fails twice in six.
    """

    name: str
    on_list: Fault | None
    on_describe: Fault | None
    silent: tuple[str, ...] = ()
    hits: int = 3


def everywhere(name: str, kind: str, hits: int = 3, **options: Any) -> Case:
    return Case(name, {"kind": kind, **options}, {"kind": kind, **options}, hits=hits)


def error(code: str, message: str = "", status: int = 400) -> Case:
    return everywhere(f"{code}-{status}", "error", code=code, message=message, status=status)


def member(name: str, kind: str, on_list: str | None, on_describe: str | None, *silent: str, **options: Any) -> Case:
    """A member of the answer that is replaced or removed."""
    return Case(name, {"kind": kind, "path": on_list, **options} if on_list else None,
                {"kind": kind, "path": on_describe, **options} if on_describe else None, silent)


CASES = [
    everywhere("throttled", "throttle", hits=6),
    error("ServerException", "Service Unavailable. Please try again later.", 500),
    error("RequestLimitExceeded"),
    error("ExpiredTokenException", "The security token included in the request is expired"),
    error("UnrecognizedClientException", "The security token included in the request is invalid."),
    error("InvalidSignatureException", "The request signature we calculated does not match"),
    error("AccessDeniedException", "User is not authorized to perform: ecs:This on resource: That"),
    error("ClusterNotFoundException", "Cluster not found."),
    error("InvalidParameterException", "Invalid identifier"),
    error("ClientException"),
    error("SomethingNewException", "of which nobody has heard"),
    everywhere("a-page-of-a-load-balancer", "unavailable", hits=6),
    everywhere("reset", "reset", hits=6),
    everywhere("cut-off", "cut", hits=6),
    everywhere("malformed", "malformed"),
    everywhere("nothing", "body", body=""),
    everywhere("an-empty-object", "body", body="{}"),
    everywhere("a-list", "body", body="[]"),
    everywhere("html-and-200", "body", body="<html>Welcome to the hotel</html>"),
    member("a-list-that-is-none", "replace", "taskArns", "tasks", value="none"),
    member("items-of-wrong-types", "replace", "taskArns", "tasks", value=[7, None, {}]),
    member("a-token-that-is-none", "replace", "nextToken", None, value=7),
    member("a-status-that-is-none", "replace", None, "tasks.lastStatus", value=7),
    member("an-arn-that-is-none", "replace", None, "tasks.taskArn", value="arn:aws:s3:::bucket"),
    member("an-address-that-is-none", "replace", None, "tasks.containers.networkInterfaces",
           value=[{"privateIpv4Address": "10.0.0.1; disable server grpc/rc_1"}]),
    member("without-arns", "remove", None, "tasks.taskArn"),
    member("without-status", "remove", None, "tasks.lastStatus", "describe"),
    member("without-desired-status", "remove", None, "tasks.desiredStatus", "describe"),
    member("without-containers", "remove", None, "tasks.containers", "describe"),
    Case("empty", {"kind": "empty"}, {"kind": "empty"}, ("list",)),
    Case("partial", {"kind": "partial"}, {"kind": "partial"}, ("list",)),
    Case("the-same-token-again", {"kind": "repeat_token"}, None),
    Case("missing-though-listed", None, {"kind": "failures", "reason": "MISSING"}, ("describe",)),
    Case("another-failure", None, {"kind": "failures", "reason": "ACCESS_DENIED"}),
    Case("late", {"kind": "delay", "seconds": 0.5}, {"kind": "delay", "seconds": 0.5}, ("list", "describe")),
]


@dataclasses.dataclass
class Stack:
    """The long-lived set-up; `hanging` is the fault of the cluster that does not answer."""

    directory: Path
    aws: Aws
    haproxy: HAProxy
    daemon: Rollcalld
    hanging: int

    def places(self, case: Case) -> Iterator[tuple[str, Fault]]:
        """Which cluster gets which fault."""
        for cluster in CLUSTERS:
            action, _, page = cluster.partition("-")
            fault = case.on_list if action == "list" else case.on_describe
            if fault is None:
                continue
            where: Fault = {"action": "ListTasks" if action == "list" else "DescribeTasks", "cluster": cluster}
            if action == "list":
                where["page"] = int(page)
            elif page == "2":
                # DescribeTasks asks for the tasks in the order of their ARNs, 100 in a batch.
                where["containing"] = sorted(task["arn"] for task in self.aws.control.running(cluster))[150]
            yield cluster, {**fault, **where}

    @contextlib.contextmanager
    def faulty(self, case: Case) -> Iterator[dict[str, int]]:
        """With the faults of a case, by cluster."""
        faults = {cluster: self.aws.control.add_fault(**fault) for cluster, fault in self.places(case)}
        try:
            yield faults
        finally:
            for fault in faults.values():
                self.aws.control.clear_faults(fault=fault)

    def hits(self, *faults: int) -> int:
        """The one that was met least often, of these faults."""
        return min(fault["hits"] for fault in self.aws.control.faults() if fault["id"] in faults)

    def errors(self, clusters: list[str]) -> list[str | None]:
        status = self.daemon.status()
        found = {cluster["name"]: cluster["error"] for source in status["sources"] for cluster in source["clusters"]}
        return [found[cluster] for cluster in clusters]


ADDRESSES = """
backend addresses
    # No checks: nothing listens there, and only what rollcalld does is to be seen.
    default-server proto h2
    server-template rc_ 1-600 0.0.0.0:0 disabled
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with contextlib.ExitStack() as parts:
        directory = parts.enter_context(temporary_directory())
        aws = parts.enter_context(running_aws(directory))
        haproxy = parts.enter_context(haproxies(directory))(extra=ADDRESSES)
        aws.control.register(family="rng", drain=0.0)
        aws.control.register(family="address", process="none")
        for cluster, count in {**CLUSTERS, HANGING: 1}.items():
            aws.control.create_cluster(cluster=cluster)
            aws.control.create_service(cluster=cluster, service="rng-service", desired=1, definition="rng")
            aws.control.run_tasks(cluster=cluster, definition="address", count=count, instantly=True)
        for cluster in (*CLUSTERS, HANGING):
            aws.control.wait_steady(cluster, "rng-service")

        def change(configuration: dict[str, Any]) -> None:
            configuration["ecs"].update(clusters=[*CLUSTERS, HANGING], watch="100ms", refresh="300ms", rate_limit=1000)
            configuration["backends"].append({"name": "addresses", "match": {"service": "family:address"}})

        find = {"aws": aws, "haproxy": haproxy}.__getitem__
        daemon = parts.enter_context(daemons(directory, find))(change)
        yield Stack(directory, aws, haproxy, daemon, aws.control.add_fault(kind="hang", cluster=HANGING))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fault_of_ecs_takes_no_server_away(stack: Stack, case: Case) -> None:
    """HAProxy keeps what it has, calls go on, the fault is said once and shown, and its end is said once. Then a
    task that really stops is taken out."""
    control, daemon, runtime = stack.aws.control, stack.daemon, stack.haproxy.runtime
    before, mark = runtime.held(), daemon.mark()
    with stack.faulty(case) as faults:
        clusters = list(faults)
        said = [cluster for cluster in clusters if cluster.partition("-")[0] not in case.silent]

        def lasts() -> bool:
            assert runtime.held() == before
            return stack.hits(*faults.values()) >= case.hits and all(stack.errors(said))

        wait_until(lasts, 60, "the fault met again and again everywhere, and shown")
        result = client.call_many(stack.haproxy.target, 10)
        assert (result.failed, sorted(result.by_task.values())) == (0, [2] * 5), "each cluster's task has its share"
        assert daemon.get_status("/ready") == 200

    # Backing off ends after 60 s at the latest.
    wait_until(lambda: stack.errors(said) == [None] * len(said), 70, "the end of the fault")
    assert runtime.held() == before
    for cluster in said:
        assert len(daemon.messages(f"{cluster}\\b", "warn error", since=mark)) == 1, "said once, when it began"
        assert len(daemon.messages(f"{cluster}\\b", "info", since=mark)) == 1, "and once, when it was over"
    assert len(daemon.messages(f"^(?!.*{HANGING})", "warn error", since=mark)) == len(said), "and nothing else"

    ended = [next(task for task in control.running(cluster) if not task["service"]) for cluster in clusters]
    for task in ended:
        control.stop_task(task=task["id"])
    wait_until(lambda: all(runtime.server_of("addresses", task).in_maintenance for task in ended), 10,
               "those that stopped taken out")
    assert sum(server.is_ready for server in runtime.servers("addresses")) == sum(
        not task["service"] for cluster in (*CLUSTERS, HANGING) for task in control.running(cluster)), "and no others"
    wait_until(lambda: all(daemon.get(f"/v1/tasks/{task['id']}")["last_status"] == "STOPPED" for task in ended), 10,
               "known as stopped: the next fault is not met by a question after them alone")


def test_a_service_that_hangs_takes_no_server_away(stack: Stack) -> None:
    """Each call is given up after its timeout and tried again. Meanwhile the other clusters were read all the time,
    as the tests above have shown."""
    served = stack.aws.control.running(HANGING)
    wait_until(lambda: stack.hits(stack.hanging) >= 2, 30, "given up, and tried again")
    for task in served:
        server = stack.haproxy.runtime.server_of("grpc" if task["service"] else "addresses", task)
        assert server is not None and server.is_ready
    assert stack.daemon.get_status("/live") == 200
    assert len(stack.daemon.messages(f"{HANGING}\\b", "warn error")) <= 1


# ---- tasks that AWS speaks strangely of ----

@pytest.mark.parametrize("fault", [{"kind": "throttle"}, {"kind": "malformed"},
                                   {"kind": "error", "code": "AccessDeniedException"},
                                   {"kind": "remove", "path": "taskDefinition.containerDefinitions"}],
                         ids=lambda fault: str(fault.get("code") or fault["kind"]))
def test_a_definition_that_cannot_be_read_keeps_only_its_own_tasks_waiting(
        aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy, fault: Fault) -> None:
    """A new revision whose definition is not to be had: its tasks wait, with a reason, and all others go on."""
    serving = aws.control.running(**SERVICE)
    before = haproxy.runtime.held()
    aws.control.register(family="rng", drain=1.0)
    met = aws.control.add_fault(**fault, action="DescribeTaskDefinition")
    arn, = aws.control.run_tasks(**SERVICE, definition="rng:2")
    late = aws.control.wait_task(arn, "RUNNING")
    wait_until(lambda: rollcalld.get_status(f"/v1/tasks/{late['id']}") == 200, what="known")
    wait_until(lambda: rollcalld.cluster("main")["error"], 20, "the fault shown")
    assert rollcalld.rollcall("why", late["id"]).stdout.startswith(f"rng-service {late['id']}: no traffic: no_port: ")
    assert haproxy.runtime.held() == before and client.call_many(haproxy.target, 10).failed == 0
    aws.control.clear_faults(fault=met)
    wait_serving(haproxy, "grpc", [*serving, late], 30)
    wait_until(lambda: rollcalld.problems() == "", what="well again")


def test_a_cluster_that_seems_to_be_empty_is_kept(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    """Nothing listed and everything MISSING: no answer names the account, so it may be anybody's."""
    before = haproxy.runtime.held()
    aws.control.add_fault(kind="empty", action="ListTasks")
    aws.control.add_fault(kind="failures", action="DescribeTasks", reason="MISSING")
    wait_until(lambda: aws.control.faults()[1]["hits"] >= 4, 20, "MISSING, again and again")
    assert haproxy.runtime.held() == before
    assert [server["evidence"] for server in rollcalld.servers("grpc")] == ["running", "running"]
    assert client.call_many(haproxy.target, 10).failed == 0
    aws.control.clear_faults()
    aws.control.scale(**SERVICE, desired=1)
    aws.control.wait_steady(**SERVICE)
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))


@pytest.fixture
def forgetful(aws: Aws, start_haproxy: Callable[..., HAProxy],
              start_rollcalld: Callable[..., Rollcalld]) -> tuple[Rollcalld, HAProxy, list[dict[str, Any]]]:
    """Three address-only tasks in slots, without health checks."""
    aws.control.register(family="address", process="none")
    arns = aws.control.run_tasks(cluster="main", definition="address", count=3, instantly=True)
    haproxy = start_haproxy(check="")
    daemon = start_rollcalld(lambda c: c["backends"][0].update(match={"service": "family:address"}), haproxy=haproxy)
    return daemon, haproxy, [aws.control.task(task=arn) for arn in arns]


def in_maintenance(haproxy: HAProxy, task: dict[str, Any]) -> bool:
    server = haproxy.runtime.server_of("grpc", task)
    return server is not None and server.in_maintenance


def test_what_aws_has_forgotten_drains_within_the_limit_and_that_outlives_a_restart(
        aws: Aws, forgetful: tuple[Rollcalld, HAProxy, list[dict[str, Any]]]) -> None:
    """MISSING, while its cluster answers otherwise, in two full sweeps: one of three goes, the second within ten
    minutes is one too many, and a daemon that begins anew knows that."""
    daemon, haproxy, tasks = forgetful
    aws.control.forget_task(task=tasks[0]["id"])
    wait_until(lambda: in_maintenance(haproxy, tasks[0]), 20, "the first drains")
    assert daemon.wait_line("drains: no new call.*evidence missing")
    daemon.restart()
    daemon.wait_ready()
    aws.control.forget_task(task=tasks[1]["id"])
    wait_until(lambda: daemon.status()["frozen"] == ["grpc"], 20, "frozen")
    shown = daemon.server_of("grpc", tasks[1])
    assert shown is not None and (shown["state"], shown["evidence"]) == ("ready", "missing")
    assert "held: removal_limit: 2 of 3 servers" in shown["reason"]
    stays(lambda: not in_maintenance(haproxy, tasks[1]), 1.0, "it serves on")
    assert daemon.get("/v1/backends/grpc")["frozen"] is True


def test_a_frozen_backend_lets_go_when_it_is_released(
        aws: Aws, forgetful: tuple[Rollcalld, HAProxy, list[dict[str, Any]]]) -> None:
    """All three are MISSING: two go by the operator's word, the last one stays."""
    daemon, haproxy, tasks = forgetful
    for task in tasks:
        aws.control.forget_task(task=task["id"])
    wait_until(lambda: daemon.status()["frozen"] == ["grpc"], 20, "frozen")
    assert "is frozen: 3 of 3 servers" in daemon.problems()
    assert not any(in_maintenance(haproxy, task) for task in tasks)
    aws.control.run_tasks(cluster="main", definition="address", count=1, instantly=True)
    wait_until(lambda: len([s for s in daemon.servers("grpc") if s["state"] == "ready"]) == 4, 20, "one enters still")
    done = daemon.rollcall("release", "grpc")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("backend grpc is released: 3 servers reported missing")
    wait_until(lambda: all(in_maintenance(haproxy, task) for task in tasks), what="all three drain")
    wait_until(lambda: daemon.status()["frozen"] == [], what="not frozen any more")
    assert daemon.rollcall("release", "grpc").stdout == "backend grpc holds nothing back\n"
    assert daemon.rollcall("release", "nobody").returncode == 1


def test_the_last_of_the_missing_stays(aws: Aws,
                                       forgetful: tuple[Rollcalld, HAProxy, list[dict[str, Any]]]) -> None:
    """Whatever the limit, and released or not: to keep it costs nothing that HAProxy's checks do not save."""
    daemon, haproxy, tasks = forgetful
    for task in tasks:
        aws.control.forget_task(task=task["id"])
    wait_until(lambda: daemon.status()["frozen"] == ["grpc"], 20, "frozen")
    assert daemon.rollcall("release", "grpc").returncode == 0
    wait_until(lambda: sum(in_maintenance(haproxy, task) for task in tasks) == 2, what="two drain")
    last, = (task for task in tasks if not in_maintenance(haproxy, task))
    shown = daemon.server_of("grpc", last)
    assert shown is not None and "held: never the last" in shown["reason"]
    stays(lambda: not in_maintenance(haproxy, last), 1.0, "it serves on")


def test_an_unhealthy_task_is_taken_out_and_comes_back_and_none_enters(
        aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    """ECS's own health check: half of the backend stays, whatever it says of them all."""
    first, second = aws.control.running(**SERVICE)
    aws.control.set_health(task=first["id"], health="UNHEALTHY")
    wait_until(lambda: in_maintenance(haproxy, first), what="taken out")
    shown = rollcalld.server_of("grpc", first)
    assert shown is not None and (shown["state"], shown["evidence"]) == ("draining", "unhealthy")
    aws.control.set_health(task=second["id"], health="UNHEALTHY")
    wait_until(lambda: (rollcalld.server_of("grpc", second) or {})["evidence"] == "unhealthy", what="known")
    assert "held: never the last" in (rollcalld.server_of("grpc", second) or {})["reason"]
    assert client.call_many(haproxy.target, 10).failed == 0
    arn, = aws.control.run_tasks(cluster="main", definition="rng", service="rng-service")
    aws.control.set_health(task=arn, health="UNHEALTHY")
    late = aws.control.wait_task(arn, "RUNNING")
    wait_until(lambda: [e["reason"] for e in rollcalld.endpoints(late)] == ["unhealthy"], what="known, too")
    assert haproxy.runtime.server_of("grpc", late) is None
    for task in (first["id"], second["id"], arn):
        aws.control.set_health(task=task, health="HEALTHY")
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))


def test_all_tasks_that_stop_at_once_drain_at_once(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    """A proven end has no limit: to keep the last server would only send calls to nobody."""
    tasks = aws.control.running(**SERVICE)
    aws.control.scale(**SERVICE, desired=0)
    wait_until(lambda: all(haproxy.runtime.server_of("grpc", task).in_maintenance for task in tasks), 5, "all drain")
    aws.control.wait_steady(**SERVICE)
    assert client.call_many(haproxy.target, 1).failures == {"UNAVAILABLE": 1}
    wait_until(lambda: rollcalld.status()["haproxy"]["in_step"], what="in step again")


# ---- keys, accounts, clocks, clusters ----

def test_a_key_of_another_account_takes_nothing_away(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    """Its cluster of the same name holds other tasks, and none of ours."""
    before = haproxy.runtime.held()
    theirs = aws.control.create_cluster(cluster="main", account="210987654321")
    aws.control.register(family="rng", process="none", account="210987654321")
    aws.control.create_service(cluster=theirs, service="rng-service", desired=1, definition="rng")
    aws.control.set_key(access_key_id=ACCESS_KEY_ID, secret_access_key=SECRET_ACCESS_KEY, account="210987654321")
    wait_until(lambda: rollcalld.cluster("main")["error"], what="a fault")
    assert "210987654321" in rollcalld.cluster("main")["error"], "it names the stranger"
    stays(lambda: haproxy.runtime.held() == before, 1.0, "as it was")
    assert client.call_many(haproxy.target, 10).failed == 0
    aws.control.set_key(access_key_id=ACCESS_KEY_ID, secret_access_key=SECRET_ACCESS_KEY)
    wait_until(lambda: rollcalld.cluster("main")["error"] is None, 20, "well again")
    assert rollcalld.status()["sources"][0]["account"] == "123456789012"


@pytest.mark.parametrize("spoil, mend, said", [
    ("expire_key", {"expired": False}, "ExpiredTokenException"),
    ("remove_key", None, "UnrecognizedClientException"),
    ("deny", None, "AccessDeniedException"),
])
def test_a_key_that_is_refused_is_a_named_error_until_it_is_taken_again(
        aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy, spoil: str, mend: dict[str, Any] | None, said: str) -> None:
    """Servers stay, calls go on; nothing needs a restart when the key works again."""
    aws.expects_rejections = True
    before, mark = haproxy.runtime.held(), rollcalld.mark()
    aws.control.call(spoil, access_key_id=ACCESS_KEY_ID)
    wait_until(lambda: said in (rollcalld.cluster("main")["error"] or ""), what="the error's name in the status")
    stays(lambda: haproxy.runtime.held() == before, 0.5, "as it was")
    assert client.call_many(haproxy.target, 10).failed == 0
    assert len(rollcalld.messages("", "warn error", since=mark)) == 1
    if mend is not None:
        aws.control.call(spoil, access_key_id=ACCESS_KEY_ID, **mend)
    elif spoil == "deny":
        aws.control.allow_all(access_key_id=ACCESS_KEY_ID)
    else:
        aws.control.set_key(access_key_id=ACCESS_KEY_ID, secret_access_key=SECRET_ACCESS_KEY)
    wait_until(lambda: rollcalld.cluster("main")["error"] is None, 20, "well again")
    aws.control.scale(**SERVICE, desired=1)
    aws.control.wait_steady(**SERVICE)
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))


def test_a_wrong_secret_is_said_without_being_told(aws: Aws, service: str, haproxy: HAProxy,
                                                   start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Wrong keys from the start: one clear line, ready in a named error, and the secret in no output."""
    aws.expects_rejections = True
    secret = "wJalrXUtnFEMIwrongwrongwrongwrongEXAMPLE"
    daemon = start_rollcalld(lambda c: c["ecs"].update(secret_access_key=secret), haproxy=haproxy)
    error = daemon.cluster("main")["error"]
    assert "InvalidSignatureException" in error and "secret access key" in error
    assert len(daemon.messages("InvalidSignatureException")) == 1
    assert haproxy.runtime.serving("grpc") == set()
    assert secret not in daemon.output() + str(daemon.status()) + daemon.rollcall("status").stdout


def test_keys_come_from_the_environment_with_their_session_token(aws: Aws, service: str, haproxy: HAProxy,
                                                                 start_rollcalld: Callable[..., Rollcalld]) -> None:
    """The configuration names none; the endpoint, too, is where the SDKs look for it."""
    aws.control.set_key(access_key_id="ASIAEXAMPLETEMPORARY", secret_access_key="tmp/secret+1",
                        session_token="token//with+all==")

    def change(configuration: dict[str, Any]) -> None:
        for name in ("access_key_id", "secret_access_key", "endpoint", "region"):
            del configuration["ecs"][name]

    daemon = start_rollcalld(change, haproxy=haproxy, env={
        "AWS_ACCESS_KEY_ID": "ASIAEXAMPLETEMPORARY", "AWS_SECRET_ACCESS_KEY": "tmp/secret+1",
        "AWS_SESSION_TOKEN": "token//with+all==", "AWS_ENDPOINT_URL_ECS": aws.url, "AWS_REGION": "eu-west-1"})
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
    assert {entry["key"] for entry in aws.control.requests()} == {"ASIAEXAMPLETEMPORARY"}
    for secret in ("tmp/secret+1", "token//with+all=="):
        assert secret not in daemon.output() + str(daemon.status())


@pytest.mark.parametrize("offset", [600, -600])
def test_a_clock_that_differs_by_ten_minutes_is_corrected(aws: Aws, service: str, haproxy: HAProxy, offset: float,
                                                          start_rollcalld: Callable[..., Rollcalld]) -> None:
    """From AWS's own Date; one refusal is enough to learn it, at the start and in the middle."""
    aws.expects_rejections = True
    aws.control.set_clock(offset=offset)
    daemon = start_rollcalld(haproxy=haproxy)
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
    assert aws.control.counters()["rejected_signatures"] <= 2
    before = haproxy.runtime.held()
    aws.control.set_clock(offset=0)
    changed = time.time()
    wait_until(lambda: [e for e in aws.control.requests(action="ListTasks", after=changed) if e["verdict"] == "ok"],
               what="right again")
    assert haproxy.runtime.held() == before and daemon.problems() == ""


def test_a_mistyped_cluster_does_not_hold_up_the_others(aws: Aws, service: str, haproxy: HAProxy,
                                                        start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Ready, since waiting will not mend it; shown; and the good cluster is served and followed."""
    daemon = start_rollcalld(lambda c: c["ecs"].update(clusters=["mian", "main"]), haproxy=haproxy)
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
    assert "ClusterNotFoundException" in daemon.cluster("mian")["error"]
    assert daemon.cluster("main")["error"] is None
    assert "mian" in daemon.rollcall("status").stdout
    aws.control.scale(**SERVICE, desired=1)
    aws.control.wait_steady(**SERVICE)
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
    assert len(daemon.messages("mian\\b", "warn error")) == 1
    aws.control.create_cluster(cluster="mian")
    wait_until(lambda: daemon.cluster("mian")["error"] is None, 30, "found when it is there")


def test_an_address_that_passes_to_a_new_task_serves_that_one(aws: Aws, start_haproxy: Callable[..., HAProxy],
                                                              start_rollcalld: Callable[..., Rollcalld]) -> None:
    """ECS gives an address again soon: the slot is relabelled, and the old task's end does not end it."""
    aws.control.register(family="address", process="none")
    run = {"cluster": "main", "definition": "address", "address": "127.250.0.7", "instantly": True}
    old, = aws.control.run_tasks(**run)
    haproxy = start_haproxy(check="")
    daemon = start_rollcalld(lambda c: c["backends"][0].update(match={"service": "family:address"}), haproxy=haproxy)
    wait_until(lambda: [s["task_arn"] for s in daemon.servers("grpc")] == [old], what="a server for the first")
    name = daemon.servers("grpc")[0]["name"]
    new, = aws.control.run_tasks(**run)
    wait_until(lambda: [s["task_arn"] for s in daemon.servers("grpc")] == [new], what="relabelled")
    aws.control.stop_task(task=old)
    aws.control.wait_task(old, "STOPPED")
    wait_until(lambda: daemon.get(f"/v1/tasks/{old.rpartition('/')[2]}")["last_status"] == "STOPPED", what="known")
    stays(lambda: [s.name for s in haproxy.runtime.servers("grpc") if s.is_ready] == [name], 0.5, "in its slot")
