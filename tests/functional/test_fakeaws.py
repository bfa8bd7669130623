"""The fake AWS itself, seen through botocore: a client test is worth as much as the AWS it runs against."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import json
import os
import socket
import time
from pathlib import Path
from typing import Any, Iterator

import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions
import botocore.session
import botocore.utils
import pytest

from conftest import Aws
from fakeaws.control import ACCESS_KEY_ID, SECRET_ACCESS_KEY, ControlError, FakeAws
from rng import client as rng_client
from rollcall_testlib.waiting import wait_until

REGION = "eu-west-1"
PREFIX = "AmazonEC2ContainerServiceV20141113."


def ecs_client(aws: FakeAws, key: str = ACCESS_KEY_ID, secret: str = SECRET_ACCESS_KEY, token: str | None = None,
               region: str = REGION) -> Any:
    """botocore without retries: each refusal is to be seen."""
    config = botocore.config.Config(retries={"max_attempts": 0}, read_timeout=2, connect_timeout=2)
    return botocore.session.Session().create_client(
        "ecs", region_name=region, endpoint_url=aws.url, aws_access_key_id=key, aws_secret_access_key=secret,
        aws_session_token=token, config=config)


@pytest.fixture
def ecs(aws: Aws) -> Any:
    return ecs_client(aws)


@contextlib.contextmanager
def refused(code: str, text: str = "", status: int = 400) -> Iterator[None]:
    with pytest.raises(botocore.exceptions.ClientError, match=text) as caught:
        yield
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)


def other_client(aws: FakeAws, service: str) -> Any:
    config = botocore.config.Config(retries={"max_attempts": 0}, read_timeout=2, connect_timeout=2)
    return botocore.session.Session().create_client(
        service, region_name=REGION, endpoint_url=aws.url, aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY, config=config)


def addresses(aws: Aws, count: int) -> list[str]:
    """That many RUNNING tasks without a process, in cluster main; their ARNs."""
    aws.control.register(family="address", process="none")
    return aws.control.run_tasks(cluster="main", definition="address", count=count, instantly=True)


class Wire:
    """Requests by hand, signed by botocore and then spoilt as a test wants."""

    def __init__(self, aws: FakeAws) -> None:
        self.host = aws.url.removeprefix("http://")

    def headers(self, action: str, body: bytes, **extra: str) -> dict[str, str]:
        request = botocore.awsrequest.AWSRequest("POST", f"http://{self.host}/", data=body, headers={
            "Host": self.host, "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": PREFIX + action, **extra})
        credentials = botocore.credentials.Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY)
        botocore.auth.SigV4Auth(credentials, "ecs", REGION).add_auth(request)
        return dict(request.headers.items())

    def send(self, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection(self.host, timeout=5)
        try:
            connection.putrequest("POST", "/", skip_host=True, skip_accept_encoding=True)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def ask(self, action: str, body: bytes = b"{}", **extra: str) -> tuple[int, dict[str, Any]]:
        return self.send(self.headers(action, body, **extra), body)


# What it answers

def test_botocore_sees_the_tasks_that_were_started(aws: Aws, ecs: Any) -> None:
    aws.control.register(family="address", process="none", labels={"rollcall.enable": "true"}, stop_timeout=7)
    aws.control.create_service(cluster="main", service="web", desired=3, definition="address")
    aws.control.wait_steady("main", "web")
    arns = ecs.list_tasks(cluster="main", serviceName="web")["taskArns"]
    tasks = ecs.describe_tasks(cluster="main", tasks=arns)["tasks"]
    assert sorted(task["taskArn"] for task in tasks) == sorted(t["arn"] for t in aws.control.running("main", "web"))
    by_arn = {task["arn"]: task for task in aws.control.running("main", "web")}
    for task in tasks:
        [own] = [a for a in task["attachments"] if a["type"] == "ElasticNetworkInterface"]
        details = {d["name"]: d["value"] for d in own["details"]}
        interface = task["containers"][0]["networkInterfaces"][0]
        assert details["privateIPv4Address"] == interface["privateIpv4Address"] == by_arn[task["taskArn"]]["address"]
        assert (task["group"], task["startedBy"][:8], task["cpu"]) == ("service:web", "ecs-svc/", "256")
        assert isinstance(task["startedAt"], datetime.datetime)
    definition = ecs.describe_task_definition(taskDefinition=tasks[0]["taskDefinitionArn"])["taskDefinition"]
    container = definition["containerDefinitions"][0]
    assert (container["dockerLabels"], container["stopTimeout"]) == ({"rollcall.enable": "true"}, 7)
    described = ecs.describe_services(cluster="main", services=["web", "gone"])
    assert [s["runningCount"] for s in described["services"]] == [3]
    assert [f["reason"] for f in described["failures"]] == ["MISSING"]
    assert ecs.list_services(cluster="main")["serviceArns"] == [described["services"][0]["serviceArn"]]
    clusters = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
    assert [(c["clusterName"], c["runningTasksCount"]) for c in clusters] == [("main", 3)]


def test_botocore_finds_the_machines_of_bridge_tasks(aws: Aws, ecs: Any) -> None:
    ec2, ssm = other_client(aws, "ec2"), other_client(aws, "ssm")
    hosts = [aws.control.add_host(cluster="main", external=external) for external in (False, True)]
    aws.control.register(family="on-host", process="none", network_mode="", containers=[
        {"name": "web", "portMappings": [{"containerPort": 80}, {"containerPortRange": "90-94"}]}])
    aws.control.run_tasks(cluster="main", definition="on-host", count=2, instantly=True)
    tasks = ecs.describe_tasks(cluster="main", tasks=ecs.list_tasks(cluster="main")["taskArns"])["tasks"]
    assert {task["launchType"] for task in tasks} == {"EC2", "EXTERNAL"}
    for task in tasks:
        bindings = task["containers"][0]["networkBindings"]
        assert [b["bindIP"] for b in bindings] == ["0.0.0.0", "::"] * 2
        assert bindings[0]["containerPort"] == 80
    definition = ecs.describe_task_definition(taskDefinition="on-host")["taskDefinition"]
    assert "networkMode" not in definition
    described = ecs.describe_container_instances(cluster="main", containerInstances=[host["arn"] for host in hosts])
    assert [i["ec2InstanceId"] for i in described["containerInstances"]] == [host["id"] for host in hosts]
    by_filter = [{"Name": "instance-id", "Values": [host["id"] for host in hosts]}]
    [found] = ec2.describe_instances(Filters=by_filter)["Reservations"]
    assert found["Instances"][0]["PrivateIpAddress"] == hosts[0]["address"]
    with refused("InvalidInstanceID.NotFound"):
        ec2.describe_instances(InstanceIds=[hosts[0]["id"], "i-0123456789abcdef0"])
    [found] = ssm.describe_instance_information(
        Filters=[{"Key": "InstanceIds", "Values": [hosts[1]["id"]]}])["InstanceInformationList"]
    assert found["IPAddress"] == hosts[1]["address"]
    aws.control.deny(access_key_id=ACCESS_KEY_ID, action="DescribeInstances")
    with refused("UnauthorizedOperation", "ec2:DescribeInstances", 403):
        ec2.describe_instances(Filters=by_filter)


def test_calls_beyond_awss_rates_are_throttled(aws: Aws, ecs: Any) -> None:
    """One bucket for all that reads a cluster's resources; another for definitions."""
    aws.control.limit_rates()
    with refused("ThrottlingException", "Rate exceeded"):
        for _ in range(400):
            ecs.list_tasks(cluster="main")
    with refused("ThrottlingException"):
        for _ in range(100):
            ecs.describe_tasks(cluster="main", tasks=["0" * 32])
    assert ecs.list_clusters()["clusterArns"]


def test_250_tasks_come_in_three_pages(aws: Aws, ecs: Any) -> None:
    arns = addresses(aws, 250)
    pages = [page["taskArns"] for page in ecs.get_paginator("list_tasks").paginate(cluster="main")]
    assert [len(page) for page in pages] == [100, 100, 50]
    assert sorted(arn for page in pages for arn in page) == sorted(arns)
    assert [entry["page"] for entry in aws.control.requests(action="ListTasks")] == [1, 2, 3]


def test_a_task_that_ends_between_two_pages_shifts_nothing(aws: Aws, ecs: Any) -> None:
    arns = set(addresses(aws, 150))
    first = ecs.list_tasks(cluster="main")
    ended = first["taskArns"][0]
    aws.control.stop_task(task=ended)
    second = ecs.list_tasks(cluster="main", nextToken=first["nextToken"])
    assert set(first["taskArns"]) | set(second["taskArns"]) == arns
    assert ended not in ecs.list_tasks(cluster="main")["taskArns"]


def test_ten_thousand_tasks_are_quick(aws: Aws, ecs: Any) -> None:
    started = time.monotonic()
    addresses(aws, 10_000)
    listed = sum(len(page["taskArns"]) for page in ecs.get_paginator("list_tasks").paginate(cluster="main"))
    assert listed == 10_000
    assert time.monotonic() - started < 10


def test_limits_and_unknown_names_are_refused_as_ecs_does(aws: Aws, ecs: Any) -> None:
    arns = addresses(aws, 101)
    with refused("InvalidParameterException", "at most 100"):
        ecs.describe_tasks(cluster="main", tasks=arns)
    with refused("InvalidParameterException", "cannot be empty"):
        ecs.describe_tasks(cluster="main", tasks=[])
    with refused("InvalidParameterException", "taskId length should be one of"):
        ecs.describe_tasks(cluster="main", tasks=["short"])
    with refused("InvalidParameterException", "Identifier is for cluster other"):
        ecs.describe_tasks(cluster="main", tasks=[arns[0].replace("/main/", "/other/")])
    with refused("ClusterNotFoundException"):
        ecs.list_tasks(cluster="mian")
    with refused("ClusterNotFoundException"):
        ecs.list_tasks()  # "default" does not exist here
    with refused("ServiceNotFoundException"):
        ecs.list_tasks(cluster="main", serviceName="none")
    with refused("ClientException", "Unable to describe task definition"):
        ecs.describe_task_definition(taskDefinition="address:99")
    with refused("InvalidParameterException", "only filter"):
        ecs.list_tasks(cluster="main", startedBy="x", family="address")
    with refused("InvalidParameterException", "maxResults"):
        ecs.list_tasks(cluster="main", maxResults=101)
    with refused("InvalidParameterException", "token"):
        ecs.list_tasks(cluster="main", nextToken="garbage")
    missing = ecs.describe_tasks(cluster="main", tasks=["0" * 32, arns[0]])
    assert [(f["arn"].rpartition("/")[2], f["reason"]) for f in missing["failures"]] == [("0" * 32, "MISSING")]
    assert [task["taskArn"] for task in missing["tasks"]] == [arns[0]]


def test_filters_of_list_tasks(aws: Aws, ecs: Any) -> None:
    addresses(aws, 2)
    aws.control.register(family="other", process="none")
    aws.control.create_service(cluster="main", service="web", desired=1, definition="other")
    aws.control.wait_steady("main", "web")
    assert len(ecs.list_tasks(cluster="main", family="address")["taskArns"]) == 2
    assert len(ecs.list_tasks(cluster="main", serviceName="web")["taskArns"]) == 1
    assert ecs.list_tasks(cluster="main", desiredStatus="PENDING")["taskArns"] == []
    assert ecs.list_tasks(cluster="main", desiredStatus="STOPPED")["taskArns"] == []
    assert ecs.list_tasks(cluster="main", launchType="EC2")["taskArns"] == []


def test_old_arns_have_no_cluster_in_them(aws: Aws, ecs: Any) -> None:
    aws.control.set_old_arns(cluster="main")
    arn, = addresses(aws, 1)
    path = arn.partition(":task/")[2]
    assert "/" not in path and len(path) == 36
    assert ecs.list_tasks(cluster="main")["taskArns"] == [arn]
    task, = ecs.describe_tasks(cluster="main", tasks=[arn])["tasks"]
    assert task["taskArn"] == arn and task["containers"][0]["containerArn"].count("/") == 1


def test_an_address_can_be_missing_and_change(aws: Aws, ecs: Any) -> None:
    aws.control.register(family="address", process="none")
    arn, = aws.control.run_tasks(cluster="main", definition="address", no_address=True, instantly=True)

    def interfaces() -> list[dict[str, str]]:
        return ecs.describe_tasks(cluster="main", tasks=[arn])["tasks"][0]["containers"][0]["networkInterfaces"]

    assert interfaces() == []
    aws.control.set_address(task=arn, address="127.99.0.1")
    assert interfaces()[0]["privateIpv4Address"] == "127.99.0.1"
    version = ecs.describe_tasks(cluster="main", tasks=[arn])["tasks"][0]["version"]
    aws.control.set_health(task=arn, health="UNHEALTHY")
    task = ecs.describe_tasks(cluster="main", tasks=[arn])["tasks"][0]
    assert (task["healthStatus"], task["version"]) == ("UNHEALTHY", version + 1)


def test_accounts_do_not_see_each_other(aws: Aws) -> None:
    aws.control.set_key(access_key_id="AKIDOTHER", secret_access_key="other", account="210987654321")
    stranger = ecs_client(aws, "AKIDOTHER", "other")
    assert stranger.list_clusters()["clusterArns"] == []
    with refused("ClusterNotFoundException"):
        stranger.list_tasks(cluster="main")


# What it refuses

def test_wrong_keys_are_refused_with_the_right_codes(aws: Aws) -> None:
    aws.expects_rejections = True
    control = aws.control
    with refused("InvalidSignatureException", "does not match the signature you provided"):
        ecs_client(aws, secret="wrong").list_clusters()
    with refused("UnrecognizedClientException", "security token included in the request is invalid"):
        ecs_client(aws, key="AKIDNOBODY").list_clusters()
    with refused("UnrecognizedClientException"):
        ecs_client(aws, token="a-permanent-key-has-none").list_clusters()
    with refused("InvalidSignatureException", "valid region"):
        ecs_client(aws, region="us-west-2").list_clusters()
    control.set_key(access_key_id="ASIATEMP", secret_access_key="secret", session_token="token")
    with refused("UnrecognizedClientException"):
        ecs_client(aws, "ASIATEMP", "secret").list_clusters()
    with refused("UnrecognizedClientException"):
        ecs_client(aws, "ASIATEMP", "secret", "other").list_clusters()
    ecs_client(aws, "ASIATEMP", "secret", "token").list_clusters()
    control.expire_key(access_key_id="ASIATEMP")
    with refused("ExpiredTokenException", "is expired"):
        ecs_client(aws, "ASIATEMP", "secret", "token").list_clusters()
    assert control.counters()["rejected_signatures"] == 7


def test_denied_actions_are_denied_per_cluster(aws: Aws, ecs: Any) -> None:
    aws.control.create_cluster(cluster="open")
    aws.control.deny(access_key_id=ACCESS_KEY_ID, action="List*", cluster="main")
    with refused("AccessDeniedException", "not authorized to perform: ecs:ListTasks on resource: .*cluster/main"):
        ecs.list_tasks(cluster="main")
    assert ecs.list_tasks(cluster="open")["taskArns"] == []
    assert ecs.describe_clusters(clusters=["main"])["failures"] == []
    aws.control.allow_all(access_key_id=ACCESS_KEY_ID)
    ecs.list_tasks(cluster="main")


@pytest.mark.parametrize("offset, text", [(400, r"Signature expired: \d{8}T\d{6}Z is now earlier than "
                                                r"\d{8}T\d{6}Z \(\d{8}T\d{6}Z - 5 min\.\)"),
                                          (-400, "Signature not yet current: .* is still later than .*5 min")])
def test_a_clock_more_than_five_minutes_off_is_refused(aws: Aws, ecs: Any, offset: int, text: str) -> None:
    aws.expects_rejections = True
    aws.control.set_clock(offset=offset)
    with refused("InvalidSignatureException", text) as _:
        ecs.list_clusters()
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        ecs.list_clusters()
    date = caught.value.response["ResponseMetadata"]["HTTPHeaders"]["date"]
    told = datetime.datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=datetime.timezone.utc)
    assert abs(told.timestamp() - time.time() - offset) < 5, "the Date header is the server's clock"
    aws.control.set_clock(offset=offset * 0.7)
    ecs.list_clusters()


def test_headers_that_must_be_signed_must_be(aws: Aws) -> None:
    aws.expects_rejections = True
    by_hand, body = Wire(aws), b"{}"
    good = by_hand.headers("ListClusters", body)
    assert by_hand.send(good, body)[0] == 200
    # A token that is sent, and not signed
    status, answer = by_hand.send({**good, "X-Amz-Security-Token": "t"}, body)
    assert (status, answer["__type"]) == (400, "InvalidSignatureException")
    assert "'X-Amz-Security-Token' must be a 'SignedHeader'" in answer["message"]
    for name in ("content-type", "host", "x-amz-date", "x-amz-target"):
        spoilt = {**good, "Authorization": good["Authorization"].replace(f"{name};", "").replace(f";{name}", "")}
        status, answer = by_hand.send(spoilt, body)
        assert (status, answer["__type"]) == (400, "InvalidSignatureException"), name
        assert "must be a 'SignedHeader'" in answer["message"]


def test_nothing_under_a_signature_can_be_changed(aws: Aws) -> None:
    aws.expects_rejections = True
    by_hand, body = Wire(aws), b'{"cluster": "main"}'
    good = by_hand.headers("ListTasks", body)
    assert by_hand.send(good, body)[0] == 200
    changes: list[tuple[dict[str, str], bytes]] = [
        ({}, b'{"cluster": "mian"}'), ({"X-Amz-Target": PREFIX + "DescribeTasks"}, body),
        ({"Host": "127.0.0.1:1"}, body), ({"Content-Type": "application/x-amz-json-1.0"}, body)]
    for headers, changed_body in changes:
        status, answer = by_hand.send({**good, **headers}, changed_body)
        assert (status, answer["__type"]) == (400, "InvalidSignatureException"), (headers, changed_body)
    for authorization, code in (("", "IncompleteSignatureException"), ("Basic x", "IncompleteSignatureException"),
                                ("AWS4-HMAC-SHA256 Credential=x", "IncompleteSignatureException")):
        assert by_hand.send({**good, "Authorization": authorization}, body)[1]["__type"] == code
    del good["Authorization"]
    assert by_hand.send(good, body)[1]["__type"] == "MissingAuthenticationTokenException"


def test_requests_that_do_not_fit_the_model_are_found(aws: Aws) -> None:
    by_hand = Wire(aws)
    for body in (b'{"cluster": 3}', b'{"maxResults": "10"}', b"[]", b"{", b"\xff"):
        status, answer = by_hand.ask("ListTasks", body)
        assert (status, answer["__type"]) == (400, "SerializationException"), body
    assert by_hand.ask("DescribeTasks", b'{"cluster": "main"}')[1]["__type"] == "InvalidParameterException"
    assert by_hand.ask("ListTasks", b'{"cluster": "main", "launchType": "MOON"}')[1]["__type"] \
        == "InvalidParameterException"
    assert by_hand.ask("NoSuchAction")[1]["__type"] == "UnknownOperationException"
    # AWS ignores a member it does not know, so the call succeeds; the harness is told.
    assert by_hand.ask("ListTasks", b'{"cluster": "main", "clusterName": "x"}')[0] == 200
    assert aws.control.counters()["client_faults"] == ["ListTasks.clusterName: unknown member"]
    with pytest.raises(AssertionError, match="clusterName"):
        aws.check()
    aws.control.reset_counters()


def test_the_fake_finds_its_own_faults(aws: Aws, ecs: Any) -> None:
    """An answer that is not AWS's must not pass unseen: the harness would fail this test at its end."""
    arn, = addresses(aws, 1)
    aws.control.set_address(task=arn, address=17)
    ecs.describe_tasks(cluster="main", tasks=[arn])
    found = aws.control.counters()["self_faults"]
    assert "DescribeTasks.tasks[0].containers[0].networkInterfaces[0].privateIpv4Address: string wanted, int found" \
        in found
    with pytest.raises(AssertionError, match="privateIpv4Address"):
        aws.check()
    aws.control.reset_counters()


def test_the_shapes_of_an_answer_are_walked_to_the_leaves() -> None:
    from fakeaws import shapes
    right = {"tasks": [{"version": 1, "createdAt": 1.5, "containers": [{"name": "a"}]}], "failures": []}
    assert shapes.answer_faults("DescribeTasks", right) == []
    for wrong, text in [({"tasks": [{"version": True}]}, "long wanted, bool found"),
                        ({"tasks": [{"createdAt": "2021-12-20"}]}, "timestamp wanted, str found"),
                        ({"tasks": [{"cpu": 256}]}, "string wanted, int found"),
                        ({"tasks": [{"healthStatus": "FINE"}]}, "'FINE' is none of"),
                        ({"tasks": [{"nmae": "x"}]}, "unknown member"),
                        ({"tasks": {}}, "list wanted, dict found"),
                        ({"tasks": [None]}, "structure wanted, NoneType found")]:
        assert any(text in fault for fault in shapes.answer_faults("DescribeTasks", wrong)), wrong


# Faults

def test_refusals_on_order(aws: Aws, ecs: Any) -> None:
    control = aws.control
    control.add_fault(kind="throttle", action="ListTasks", times=2)
    for _ in range(2):
        with refused("ThrottlingException", "Rate exceeded"):
            ecs.list_tasks(cluster="main")
    ecs.list_tasks(cluster="main")
    control.add_fault(kind="error", code="ServerException", message="oops", status=500, times=1)
    with refused("ServerException", "oops", 500):
        ecs.list_clusters()
    # An injected refusal of a signature is nobody's wrong signature.
    control.add_fault(kind="error", code="ExpiredTokenException", times=1)
    with refused("ExpiredTokenException"):
        ecs.list_clusters()
    control.add_fault(kind="unavailable", times=1)
    with refused("503", status=503):  # no code in the body: botocore shows the status
        ecs.list_clusters()
    assert control.counters()["rejected_signatures"] == 0
    assert control.faults() == []


def test_answers_that_lie_on_order(aws: Aws, ecs: Any) -> None:
    arns, control = addresses(aws, 120), aws.control

    @contextlib.contextmanager
    def during(kind: str, **options: Any) -> Iterator[None]:
        number = control.add_fault(kind=kind, **options)
        yield
        assert control.clear_faults(fault=number) == 1

    with during("empty", action="ListTasks"):
        assert ecs.list_tasks(cluster="main")["taskArns"] == []
    with during("partial", action="ListTasks", keep=3):
        answer = ecs.list_tasks(cluster="main")
        assert len(answer["taskArns"]) == 3 and "nextToken" not in answer
    with during("empty", action="ListTasks", page=2):
        first = ecs.list_tasks(cluster="main")
        assert len(first["taskArns"]) == 100
        assert ecs.list_tasks(cluster="main", nextToken=first["nextToken"])["taskArns"] == []
    with during("repeat_token", action="ListTasks"):
        token: dict[str, str] = {}
        for _ in range(3):
            answer = ecs.list_tasks(cluster="main", **token)
            token = {"nextToken": answer["nextToken"]}
            assert len(answer["taskArns"]) == 100
    with during("failures", action="DescribeTasks", reason="ACCESS_DENIED"):
        answer = ecs.describe_tasks(cluster="main", tasks=arns[:2])
        assert answer["tasks"] == [] and [f["reason"] for f in answer["failures"]] == ["ACCESS_DENIED"] * 2
    with during("remove", action="DescribeTasks", path="tasks.lastStatus", containing=arns[0]):
        assert "lastStatus" not in ecs.describe_tasks(cluster="main", tasks=arns[:1])["tasks"][0]
        assert "lastStatus" in ecs.describe_tasks(cluster="main", tasks=arns[1:2])["tasks"][0]
    by_hand, body = Wire(aws), json.dumps({"cluster": "main", "tasks": arns[:1]}).encode()
    with during("replace", action="DescribeTasks", path="tasks.version", value="three"):
        assert by_hand.ask("DescribeTasks", body)[1]["tasks"][0]["version"] == "three"
    with during("body", body='{"tasks": 7}'):
        assert by_hand.ask("DescribeTasks", body) == (200, {"tasks": 7})
    with during("malformed"), pytest.raises(ValueError):
        by_hand.ask("DescribeTasks", body)
    assert by_hand.ask("DescribeTasks", body)[1]["tasks"][0]["version"] == 2


def test_broken_transport_on_order(aws: Aws) -> None:
    by_hand, control = Wire(aws), aws.control
    control.add_fault(kind="cut", times=1)
    with pytest.raises(http.client.IncompleteRead):
        by_hand.ask("ListClusters")
    control.add_fault(kind="reset", times=1)
    with pytest.raises(ConnectionResetError):
        by_hand.ask("ListClusters")
    control.add_fault(kind="hang", times=1, seconds=0.3)
    with pytest.raises(http.client.RemoteDisconnected):
        by_hand.ask("ListClusters")
    control.add_fault(kind="delay", times=1, seconds=0.3)
    started = time.monotonic()
    assert by_hand.ask("ListClusters")[0] == 200
    assert time.monotonic() - started >= 0.3


def test_a_fault_is_for_its_cluster_only(aws: Aws, ecs: Any) -> None:
    aws.control.create_cluster(cluster="other")
    aws.control.add_fault(kind="throttle", cluster="other")
    ecs.list_tasks(cluster="main")
    with refused("ThrottlingException"):
        ecs.list_tasks(cluster="other")
    assert [entry["fault"] for entry in aws.control.requests()] == ["", "throttle"]


def test_the_control_door_refuses_what_it_does_not_know(aws: Aws) -> None:
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("no_such_command", {}), ("scale", {"cluster": "main"}),
        ("scale", {"cluster": "x", "service": "y", "desired": 1}), ("add_fault", {"kind": "flood"}),
        ("add_fault", {"kind": "cut", "depth": 1}), ("register", {"family": "f", "process": "httpd"}),
        ("register", {"family": "f", "containers": [{"name": "a", "port": 1}]}), ("set_times", {"coffee": 1}),
        ("_world", {})]
    for command, arguments in wrong:
        with pytest.raises(ControlError):
            aws.control.call(command, **arguments)


# The life cycle, with real processes

def watch_statuses(aws: Aws, ecs: Any, arn: str, until: str) -> list[tuple[str, str]]:
    """The different (desired, last) pairs that DescribeTasks shows, in order."""
    seen: list[tuple[str, str]] = []

    def look() -> bool:
        task = ecs.describe_tasks(cluster="main", tasks=[arn])["tasks"][0]
        pair = (task["desiredStatus"], task["lastStatus"])
        if not seen or seen[-1] != pair:
            seen.append(pair)
        return pair[1] == until

    wait_until(look, 15, until)
    return seen


def test_a_task_goes_through_its_life_in_order(aws: Aws, ecs: Any) -> None:
    aws.control.set_times(provisioning=0.2, pending=0.2, activating=0.2, stop_delay=0.2, deactivating=0.2,
                          deprovisioning=0.2)
    aws.control.register(family="rng", drain=0.3)
    arn, = aws.control.run_tasks(cluster="main", definition="rng")
    assert ecs.list_tasks(cluster="main")["taskArns"] == [arn], "listed before it runs"
    assert watch_statuses(aws, ecs, arn, "RUNNING") == [
        ("RUNNING", "PROVISIONING"), ("RUNNING", "PENDING"), ("RUNNING", "ACTIVATING"), ("RUNNING", "RUNNING")]
    aws.control.stop_task(task=arn)
    assert ecs.list_tasks(cluster="main")["taskArns"] == [], "vanished while it still serves"
    assert ecs.list_tasks(cluster="main", desiredStatus="STOPPED")["taskArns"] == [arn]
    assert watch_statuses(aws, ecs, arn, "STOPPED") == [
        ("STOPPED", "RUNNING"), ("STOPPED", "DEACTIVATING"), ("STOPPED", "STOPPING"), ("STOPPED", "DEPROVISIONING"),
        ("STOPPED", "STOPPED")]
    task = ecs.describe_tasks(cluster="main", tasks=[arn])["tasks"][0]
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("UserInitiated", 0)
    assert task["createdAt"] < task["startedAt"] < task["stoppingAt"] < task["executionStoppedAt"] < task["stoppedAt"]
    aws.control.forget_task(task=arn)
    assert ecs.describe_tasks(cluster="main", tasks=[arn])["failures"][0]["reason"] == "MISSING"


def test_a_running_task_answers_on_its_address_until_it_is_stopped(aws: Aws) -> None:
    aws.control.register(family="rng", drain=0.5)
    arn, = aws.control.run_tasks(cluster="main", definition="rng")
    task = aws.control.wait_task(arn, "RUNNING")
    with rng_client.Connection(f"{task['address']}:{task['port']}") as connection:
        assert connection.number(1, 9, "one").task == task["id"]
        aws.control.stop_task(task=arn)
        aws.control.wait_task(arn, "STOPPING")
        assert connection.number(1, 9, "two").task == task["id"], "serves on after SIGTERM"
    aws.control.wait_task(arn, "STOPPED")
    with pytest.raises(OSError):
        socket.create_connection((task["address"], task["port"]), 1)
    assert not Path(f"/proc/{task['pid']}").exists()
    assert aws.control.calls(cluster="main") == {"by_task": {task["id"]: 2}, "twice": []}


def test_a_task_that_ignores_sigterm_is_killed_after_its_stop_timeout(aws: Aws) -> None:
    stubborn = ["/usr/bin/python3", "-c", "import signal, socket, time; signal.signal(15, signal.SIG_IGN); "
                "s = socket.create_server(('{address}', {port})); time.sleep(60)"]
    aws.control.register(family="stubborn", process=stubborn, stop_timeout=1)
    arn, = aws.control.run_tasks(cluster="main", definition="stubborn")
    aws.control.wait_task(arn, "RUNNING")
    aws.control.stop_task(task=arn)
    task = aws.control.wait_task(arn, "STOPPED", 5)
    assert task["exit_code"] == 137


def test_a_task_that_cannot_start_is_tried_again_more_and_more_slowly(aws: Aws) -> None:
    aws.control.register(family="broken", process=["/bin/false"])
    aws.control.create_service(cluster="main", service="broken", desired=1, definition="broken")
    wait_until(lambda: len(aws.control.tasks(cluster="main")) >= 2, what="a second try")
    first = aws.control.wait_task(aws.control.tasks(cluster="main")[0]["arn"], "STOPPED")
    assert (first["stop_code"], first["exit_code"]) == ("TaskFailedToStart", 1)
    assert len(aws.control.tasks(cluster="main")) < 8
    aws.control.scale(cluster="main", service="broken", desired=0)


def test_a_service_is_scaled_replaced_and_rolled(aws: Aws, service: str) -> None:
    control = aws.control
    control.scale(cluster="main", service=service, desired=3)
    assert control.wait_steady("main", service)["running"] == 3
    old = {task["id"] for task in control.running("main", service)}
    victim = sorted(old)[0]
    control.crash(task=victim)
    control.wait_steady("main", service)
    assert control.task(task=victim)["stop_code"] == "EssentialContainerExited"
    old = {task["id"] for task in control.running("main", service)}
    assert len(old) == 3 and victim not in old

    serving = []

    def rolled() -> bool:
        serving.append(len(control.running("main", service)))
        return control.service(cluster="main", service=service)["steady"]

    control.roll(cluster="main", service=service)
    wait_until(rolled, 20, "steady")
    new = control.running("main", service)
    assert {task["revision"] for task in new} == {2} and not old & {task["id"] for task in new}
    assert min(serving) == 3, "never fewer RUNNING than desired"

    control.scale(cluster="main", service=service, desired=1)
    assert control.wait_steady("main", service)["running"] == 1


def test_nothing_outlives_the_fake_however_it_ends(aws: Aws, directory: Path) -> None:
    """Killed outright, it has no chance to clean up: the kernel does."""
    with FakeAws(directory / "second") as second:
        assert second.network != aws.network, "two of them share no addresses"
        second.control.create_cluster(cluster="main")
        second.control.register(family="rng")
        arn, = second.control.run_tasks(cluster="main", definition="rng")
        pid = second.control.wait_task(arn, "RUNNING")["pid"]
        os.kill(second.pid, 9)
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), what="the task's process gone")


# STS, and what is beside the client

def test_botocore_assumes_roles_and_learns_who_it_is(aws: Aws) -> None:
    """A second client of the query protocol: what it reads is what was meant, and its refusals are AWS's."""
    aws.expects_rejections = True
    role = aws.control.set_role(role="reader", trusts=["arn:aws:iam::*:user/rollcall"], external_id="x-42")
    web = aws.control.set_role(role="web", web_token="token-of-the-pod")
    sts = botocore.session.Session().create_client(
        "sts", region_name=REGION, endpoint_url=aws.url, aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY)
    assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:user/rollcall"
    keys = sts.assume_role(RoleArn=role, RoleSessionName="me", ExternalId="x-42")["Credentials"]
    assert keys["AccessKeyId"] == aws.control.sessions(role=role)[-1]
    with refused("AccessDenied", "sts:AssumeRole", 403):
        sts.assume_role(RoleArn=role, RoleSessionName="me", ExternalId="x-43")
    answer = sts.assume_role_with_web_identity(RoleArn=web, RoleSessionName="pod", WebIdentityToken="token-of-the-pod")
    assert answer["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/web/pod"
    with refused("InvalidIdentityToken"):
        sts.assume_role_with_web_identity(RoleArn=web, RoleSessionName="pod", WebIdentityToken="another")
    aws.control.remove_key(access_key_id=ACCESS_KEY_ID)
    with refused("InvalidClientTokenId", status=403):
        sts.get_caller_identity()


def test_botocore_takes_the_metadata_server_for_an_instance(aws: Aws) -> None:
    role = aws.control.set_role(role="machine")
    aws.control.set_beside(role=role)
    fetcher = botocore.utils.InstanceMetadataFetcher(base_url=aws.metadata_url + "/", timeout=5)
    found = fetcher.retrieve_iam_role_credentials()
    assert (found["role_name"], found["access_key"]) == ("machine", aws.control.sessions(role=role)[-1])
