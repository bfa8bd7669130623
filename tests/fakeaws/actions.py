"""ECS's calls: each is a function from the caller's key and a request document to an answer document.

Requests arrive here with right member types (shapes saw to that); what is checked here is what ECS itself
checks, with its codes and, where known, its texts.
"""

from __future__ import annotations

import base64
import binascii
import bisect
import dataclasses
import fnmatch
import json
from typing import Any, Callable

from . import errors, machines, wire
from .sts import caller_arn
from .world import RUNNING, Cluster, Key, Service, Task, World

Document = dict[str, Any]

LARGEST_PAGE = 100
# What is not ECS's: action and service.
OTHER_SERVICES = {"DescribeInstances": "ec2", "DescribeInstanceInformation": "ssm"}
DESCRIBE_LIMITS = {"DescribeTasks": ("tasks", 100), "DescribeServices": ("services", 10),
                   "DescribeClusters": ("clusters", 100),
                   "DescribeContainerInstances": ("containerInstances", 100)}


@dataclasses.dataclass
class Token:
    """What a nextToken stands for: the next page's number, and the last item already given.

    By item rather than by position, so that what starts or stops between two pages shifts nothing.
    """

    page: int = 1
    last: str = ""

    def encode(self) -> str:
        return base64.urlsafe_b64encode(json.dumps([self.page, self.last]).encode()).decode()

    @staticmethod
    def decode(text: str) -> Token:
        try:
            page, last = json.loads(base64.urlsafe_b64decode(text.encode()))
        except (binascii.Error, ValueError) as error:
            raise errors.invalid_parameter("Invalid token") from error
        return Token(page, last)


def page_of(request: Document) -> int:
    """Which page a request asks for; the first if its token is unreadable."""
    try:
        return Token.decode(str(request.get("nextToken") or Token().encode())).page
    except errors.AwsError:
        return 1


def cluster_name_of(action: str, request: Document) -> str:
    """The name of the cluster that a request is about; empty where it is about none."""
    names = action == "DescribeClusters" and request.get("clusters") or []
    if action in ("ListClusters", "DescribeTaskDefinition", *OTHER_SERVICES):
        return ""
    name = names[0] if names else request.get("cluster", "default")
    return str(name).rsplit("/", 1)[-1]


def is_denied(key: Key, action: str, cluster_name: str) -> bool:
    return any(fnmatch.fnmatchcase(action, denial.action) and fnmatch.fnmatchcase(cluster_name, denial.cluster)
               for denial in key.denied)


def perform(world: World, key: Key, action: str, request: Document) -> Document:
    """Carries out one call; raises AwsError. The caller holds the world's lock."""
    function = ACTIONS.get(action)
    if function is None:
        raise errors.unknown_operation()
    name = cluster_name_of(action, request)
    if is_denied(key, action, name):
        resource = world.arn(key.account, f"cluster/{name}") if name else "*"
        caller = caller_arn(key)
        if OTHER_SERVICES.get(action) == "ec2":
            raise errors.unauthorized_operation(caller, action)
        raise errors.access_denied(caller, action, resource, OTHER_SERVICES.get(action, "ecs"))
    return function(world, key, request)


def _cluster(world: World, key: Key, request: Document) -> Cluster:
    found = world.cluster(request.get("cluster", "default"), key.account)
    if found is None:
        raise errors.cluster_not_found()
    return found


def _service(cluster: Cluster, name_or_arn: str) -> Service:
    for service in cluster.services.values():
        if name_or_arn in (service.name, service.arn):
            return service
    raise errors.service_not_found()


def _page(request: Document, items: list[str], member: str, default_size: int = LARGEST_PAGE) -> Document:
    """One page of `items`, which are sorted."""
    size = request.get("maxResults", default_size)
    if not 1 <= size <= LARGEST_PAGE:
        raise errors.invalid_parameter(f"maxResults should be between 1 and {LARGEST_PAGE}")
    token = Token.decode(request["nextToken"]) if request.get("nextToken") else Token()
    start = bisect.bisect_right(items, token.last)
    answer: Document = {member: items[start:start + size]}
    if start + size < len(items):
        answer["nextToken"] = Token(token.page + 1, items[start + size - 1]).encode()
    return answer


def list_clusters(world: World, key: Key, request: Document) -> Document:
    arns = sorted(c.arn for c in world.clusters.values() if c.account == key.account)
    return _page(request, arns, "clusterArns")


def list_services(world: World, key: Key, request: Document) -> Document:
    cluster = _cluster(world, key, request)
    wanted = request.get("launchType", "FARGATE") == "FARGATE"
    arns = sorted(s.arn for s in cluster.services.values() if wanted)
    return _page(request, arns, "serviceArns", default_size=10)


def list_tasks(world: World, key: Key, request: Document) -> Document:
    cluster = _cluster(world, key, request)
    tests = _task_filters(cluster, request)
    arns = sorted(t.arn for t in cluster.tasks.values() if all(test(t) for test in tests))
    return _page(request, arns, "taskArns")


def _task_filters(cluster: Cluster, request: Document) -> list[Callable[[Task], bool]]:
    status = request.get("desiredStatus", RUNNING)
    # PENDING is accepted and finds nothing, ever: a task's desired status is only RUNNING or STOPPED.
    tests: list[Callable[[Task], bool]] = [lambda task: task.desired_status == status]
    if "startedBy" in request:
        if any(other in request for other in ("family", "serviceName", "containerInstance", "launchType")):
            raise errors.invalid_parameter("startedBy must be the only filter.")
        tests.append(lambda task: task.started_by == request["startedBy"])
    if "serviceName" in request:
        service = _service(cluster, request["serviceName"])
        tests.append(lambda task: task.service is service)
    if "family" in request:
        tests.append(lambda task: task.definition.family == request["family"])
    if "launchType" in request:
        tests.append(lambda task: wire.launch_type(task) == request["launchType"])
    if "containerInstance" in request:
        if request["containerInstance"] not in cluster.hosts:
            raise errors.invalid_parameter("Container instance not found.")
        tests.append(lambda task: task.host is not None and task.host.arn == request["containerInstance"])
    return tests


def _described(action: str, request: Document, required: bool = True) -> list[str]:
    member, limit = DESCRIBE_LIMITS[action]
    names = request.get(member, [])
    if required and not names:
        raise errors.invalid_parameter(f"{member.capitalize()} cannot be empty.")
    if len(names) > limit:
        raise errors.invalid_parameter(f"{member.capitalize()} can have at most {limit} items.")
    return names


def _missing(world: World, key: Key, resource: str) -> Document:
    return {"arn": resource if resource.startswith("arn:") else world.arn(key.account, resource),
            "reason": "MISSING"}


def describe_tasks(world: World, key: Key, request: Document) -> Document:
    cluster = _cluster(world, key, request)
    found, failures = [], []
    for name in _described("DescribeTasks", request):
        _check_task_name(cluster, name)
        task = _task(cluster, name)
        if task is None:
            kind = "task/" if cluster.old_arns else f"task/{cluster.name}/"
            failures.append(_missing(world, key, name if name.startswith("arn:") else kind + name))
        else:
            found.append(wire.task(task))
    return {"tasks": found, "failures": failures}


def _check_task_name(cluster: Cluster, name: str) -> None:
    parts = name.split(":task/", 1)[-1].split("/")
    if len(parts) == 2 and parts[0] != cluster.name:
        raise errors.invalid_parameter(f"Invalid identifier: Identifier is for cluster {parts[0]}. "
                                       f"Your cluster is {cluster.name}")
    if len(parts[-1]) not in (32, 36):
        raise errors.invalid_parameter("taskId length should be one of [32,36]")


def _task(cluster: Cluster, name: str) -> Task | None:
    if name.startswith("arn:"):
        return cluster.tasks.get(name)
    return next((task for task in cluster.tasks.values() if task.id == name), None)


def describe_task_definition(world: World, key: Key, request: Document) -> Document:
    found = world.definition(request["taskDefinition"], key.account)
    if found is None:
        raise errors.client_error("Unable to describe task definition.")
    return _with_tags(request, {"taskDefinition": wire.definition(found)})


def _with_tags(request: Document, answer: Document) -> Document:
    if "TAGS" in request.get("include", []):
        answer["tags"] = []
    return answer


def describe_services(world: World, key: Key, request: Document) -> Document:
    cluster = _cluster(world, key, request)
    found, failures = [], []
    for name in _described("DescribeServices", request):
        try:
            found.append(wire.service(_service(cluster, name)))
        except errors.AwsError:
            failures.append(_missing(world, key, name if name.startswith("arn:")
                                     else f"service/{cluster.name}/{name}"))
    return {"services": found, "failures": failures}


def describe_clusters(world: World, key: Key, request: Document) -> Document:
    found, failures = [], []
    for name in _described("DescribeClusters", request, required=False) or ["default"]:
        cluster = world.cluster(name, key.account)
        if cluster is None:
            failures.append(_missing(world, key, name if name.startswith("arn:") else f"cluster/{name}"))
        else:
            found.append(wire.cluster(cluster))
    return {"clusters": found, "failures": failures}


def describe_container_instances(world: World, key: Key, request: Document) -> Document:
    cluster = _cluster(world, key, request)
    found, failures = [], []
    for name in _described("DescribeContainerInstances", request):
        host = next((h for h in cluster.hosts.values() if name in (h.arn, h.arn.rsplit("/", 1)[-1])), None)
        if host is None:
            failures.append(_missing(world, key, name if name.startswith("arn:")
                                     else f"container-instance/{cluster.name}/{name}"))
        else:
            found.append(wire.container_instance(host))
    return {"containerInstances": found, "failures": failures}


ACTIONS: dict[str, Callable[[World, Key, Document], Document]] = {
    "ListClusters": list_clusters,
    "ListServices": list_services,
    "ListTasks": list_tasks,
    "DescribeClusters": describe_clusters,
    "DescribeContainerInstances": describe_container_instances,
    "DescribeInstanceInformation": machines.describe_instance_information,
    "DescribeInstances": machines.describe_instances,
    "DescribeServices": describe_services,
    "DescribeTaskDefinition": describe_task_definition,
    "DescribeTasks": describe_tasks,
}
